// The plane of one frame, drawn on a canvas: dots, axes, the prior's circles, the classes' names.

const EDGE = { left: 54, right: 10, top: 10, bottom: 54 }; // CSS pixels around the square of the plot

/** Half the side of a window around 0 that holds nearly all codes of every frame, rounded up so that it seldom moves. */
function windowOf(frames) {
  const most = Math.max(2.8, ...frames.map(reachOf)) * 1.05, power = 10 ** Math.floor(Math.log10(most));
  return power * [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10].find((step) => step * power >= most);
}

/** The distance from 0, along either axis, within which 99 of 100 codes of a frame lie; remembered on the frame. */
function reachOf(frame) {
  frame.reach ??= (() => {
    const { codes } = frame;
    const far = Float32Array.from({ length: codes.length / 2 },
      (_, i) => Math.max(Math.abs(codes[2 * i]), Math.abs(codes[2 * i + 1]))).filter(Number.isFinite).sort();
    return far.length ? far[Math.floor(0.99 * (far.length - 1))] : 0;
  })();
  return frame.reach;
}

/** Draw a frame, or with `frame` null the empty plane, into a square canvas of `side` CSS pixels. */
function drawCloud(canvas, side, ratio, theme, frame, spec, half) {
  canvas.width = canvas.height = Math.round(side * ratio);
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  const size = side - EDGE.left - EDGE.right, plot = { left: EDGE.left, top: EDGE.top, size };
  const unit = size / (2 * half);
  const at = { x: (u) => plot.left + (u + half) * unit, y: (v) => plot.top + (half - v) * unit, length: (d) => d * unit };
  if (frame) {
    const radius = Math.max(2.2, size / 200);
    drawDots(context, theme, plot, at, frame.codes, frame.labels, spec.colours, { radius, alpha: 0.75, ratio });
  }
  const centre = Array(Math.max(...spec.axes) + 1).fill(0);
  drawAxes(context, theme, plot, { x: 0, y: 0, half }, { centre, scale: 1 }, spec.axes);
  context.save();
  context.beginPath();
  context.rect(plot.left, plot.top, size, size);
  context.clip();
  const rings = spec.prior ? drawGaussian(context, theme, at, { major: 1, minor: 1, angle: 0 }) : [];
  drawLabels(context, theme, arrangeLabels(context, plot, [
    ...rings.map(({ text, x, y }) => ({ text, font: `13px ${theme.font}`, places: [[x, y]] })),
    ...(frame && spec.classes.length > 1 ? nameLabels(theme, at, frame.codes, namesOf(frame, spec, half), spec.classes) : []),
  ]));
  context.restore();
}

/** Where the names may stand in a frame; a class that has no cloud of its own yet is not named on the plane. */
function namesOf(frame, spec, half) {
  if (frame.named?.half !== half) {
    const places = namePlaces(frame.codes, frame.labels, spec.classes.length, 0.04 * half);
    frame.named = { half, places: places.filter(({ candidates }) => candidates.length >= CLOUD) };
  }
  return frame.named.places;
}

const CLOUD = 8; // of the up to 60 members tried, how many must stand among their own
