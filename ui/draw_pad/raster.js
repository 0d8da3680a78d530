// From ink on a large square canvas to the small picture that a model sees.

/**
 * Area-average a square window of `ink` (values 0..255, `width` pixels a side) into `side` x `side` bytes.
 * The window starts at (left, top) and each target pixel covers `step` source pixels; outside is paper (0).
 * With whole pixels and fractions of them weighted by their share, this is exact anti-aliasing.
 */
function areaAverage(ink, width, left, top, step, side) {
  const rows = new Float64Array(side * width); // first along y, then along x
  for (let i = 0; i < side; i += 1) {
    eachCovered(top + i * step, step, width, (y, share) => {
      for (let x = 0; x < width; x += 1) rows[i * width + x] += share * ink[y * width + x];
    });
  }
  const out = new Uint8Array(side * side);
  for (let j = 0; j < side; j += 1) {
    for (let i = 0; i < side; i += 1) {
      let sum = 0;
      eachCovered(left + j * step, step, width, (x, share) => {
        sum += share * rows[i * width + x];
      });
      out[i * side + j] = Math.round(sum / (step * step));
    }
  }
  return out;
}

/** Call `visit(pixel, share)` for every source pixel that [start, start + length) covers, inside the canvas. */
function eachCovered(start, length, width, visit) {
  const end = Math.min(start + length, width);
  for (let p = Math.max(0, Math.floor(start)); p < end; p += 1) {
    visit(p, Math.min(p + 1, end) - Math.max(p, start));
  }
}

/** The box around the ink and its centre of mass, in canvas pixels; null without ink. */
function inkBox(ink, width) {
  let [left, right, top, bottom] = [width, -1, width, -1];
  let [mass, sumX, sumY] = [0, 0, 0];
  for (let y = 0; y < width; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const value = ink[y * width + x];
      if (value < 16) continue;
      left = Math.min(left, x);
      right = Math.max(right, x);
      top = Math.min(top, y);
      bottom = y;
      mass += value;
      sumX += value * (x + 0.5);
      sumY += value * (y + 0.5);
    }
  }
  if (right < 0) return null;
  return { left, top, right: right + 1, bottom: bottom + 1, massX: sumX / mass, massY: sumY / mass };
}

/**
 * The way MNIST was made (LeCun et al. 1998): crop to the ink, scale it into a 20 x 20 box keeping its
 * proportions, and put its centre of mass in the middle of the 28 x 28 field. For another `side` the box
 * grows with it. The ink is never pushed over the edge, and a dot is not blown up beyond a pen's width.
 */
function centreLikeMnist(ink, width, side) {
  const box = inkBox(ink, width);
  if (!box) return null;
  const longest = Math.max(box.right - box.left, box.bottom - box.top, width / 4);
  const step = longest / ((side * 20) / 28);
  const field = side * step;
  const place = (mass, low, high) => Math.min(low, Math.max(high - field, mass - field / 2));
  return areaAverage(ink, width, place(box.massX, box.left, box.right), place(box.massY, box.top, box.bottom), step, side);
}

/** The canvas as it is, only smaller. */
const shrink = (ink, width, side) =>
  inkBox(ink, width) && areaAverage(ink, width, 0, 0, width / side, side);
