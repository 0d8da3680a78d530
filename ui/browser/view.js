// Geometry of the plane: the window that is seen, its ticks, ellipses, nearest points, labels apart.

/**
 * The square window onto the plane, in the units u that all panes share (a pane's own latent is
 * z = centre + scale * u): all |u - x| <= half, |v - y| <= half.
 */
class PlaneView {
  constructor() {
    this.home = { x: 0, y: 0, half: 3 };
    this.reset();
  }

  reset() {
    Object.assign(this, { x: this.home.x, y: this.home.y, half: this.home.half });
  }

  get zoom() {
    return this.home.half / this.half;
  }

  /** Zoom by `factor` so that the point (u, v) stays where it is on the screen. */
  zoomAt(u, v, factor) {
    const half = Math.min(this.home.half * 4, Math.max(this.home.half / 400, this.half / factor));
    this.x = u + ((this.x - u) * half) / this.half;
    this.y = v + ((this.y - v) * half) / this.half;
    this.half = half;
  }

  /** Move the window just far enough that (u, v) is inside, a little away from the edge. */
  follow(u, v) {
    const reach = this.half * 0.94;
    this.x = Math.min(Math.max(this.x, u - reach), u + reach);
    this.y = Math.min(Math.max(this.y, v - reach), v + reach);
  }
}

/**
 * The window that shows every point of a single pane; a far-flung few (beyond 1.6 times the distance that
 * holds 99.5 of 100 points) stay outside, and two panes settle on 98 of 100 of the wider cloud, so that the
 * narrower one stays readable. The caption counts what is in view.
 */
function homeWindow(clouds) {
  const [share, slack] = clouds.length > 1 ? [0.98, 1.15] : [0.995, 1.6];
  let half = 2.4;
  for (const points of clouds) {
    const reach = Float32Array.from({ length: points.length / 2 },
      (_, i) => Math.max(Math.abs(points[2 * i]), Math.abs(points[2 * i + 1]))).sort();
    if (!reach.length) continue;
    half = Math.max(half, Math.min(reach[reach.length - 1], slack * reach[Math.floor(share * (reach.length - 1))]) * 1.04);
  }
  return { x: 0, y: 0, half };
}

/** Codes [N, Z] -> shared units [N, 2] along two axes. */
function projectCodes(points, frame, [a, b]) {
  const { codes, count, latent } = points, out = new Float32Array(2 * count);
  for (let i = 0; i < count; i++) {
    out[2 * i] = (codes[i * latent + a] - frame.centre[a]) / frame.scale;
    out[2 * i + 1] = (codes[i * latent + b] - frame.centre[b]) / frame.scale;
  }
  return out;
}

/** Index of and distance to the row of `rows` [N, size] nearest to `target`: a scan that leaves a row early. */
function nearestRow(rows, size, target) {
  let index = -1, best = Infinity;
  for (let at = 0, i = 0; at < rows.length; at += size, i++) {
    let sum = 0;
    for (let d = 0; d < size && sum < best; d++) {
      const gap = rows[at + d] - target[d];
      sum += gap * gap;
    }
    if (sum < best) {
      best = sum;
      index = i;
    }
  }
  return { index, distance: Math.sqrt(best) };
}

/** Round numbers between low and high, about `count` of them, and the digits they need. */
function niceTicks(low, high, count) {
  const rough = (high - low) / count, power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((m) => m * power > rough * 0.7);
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const values = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) values.push(i * step || 0);
  return { values, digits };
}

/** A number for reading: fixed digits, a true minus sign, no minus before zero. */
function formatNumber(value, digits = 2) {
  if (!Number.isFinite(value)) return "not a number";
  const text = Math.abs(value) >= 1e5 ? value.toExponential(1) : value.toFixed(digits);
  return (Number(text) === 0 ? text.replace("-", "") : text.replace("-", "\u2212"));
}

/** Half-axes and angle of the one-sigma ellipse of a 2 x 2 covariance [[p, q], [q, r]]. */
function ellipseOf(p, q, r) {
  const mean = (p + r) / 2, root = Math.hypot((p - r) / 2, q);
  return {
    major: Math.sqrt(Math.max(0, mean + root)),
    minor: Math.sqrt(Math.max(0, mean - root)),
    angle: 0.5 * Math.atan2(2 * q, p - r),
  };
}

/**
 * Where each class's name may stand: [{label, candidates}], the tightest class first. Candidates are members
 * from the one nearest to the class's coordinate-wise median outwards, as long as most points within
 * `radius` of them are of their class.
 */
function namePlaces(projected, labels, classes, radius) {
  const members = Array.from({ length: classes }, () => []);
  for (let i = 0; i < labels.length; i++) members[labels[i]]?.push(i);
  const own = (i) => {
    let same = 0, all = 0;
    for (let j = 0; j < labels.length; j++) {
      if (Math.abs(projected[2 * j] - projected[2 * i]) > radius || Math.abs(projected[2 * j + 1] - projected[2 * i + 1]) > radius) continue;
      all++;
      if (labels[j] === labels[i]) same++;
    }
    return same > all / 2;
  };
  const places = members.flatMap((indices, label) => {
    if (!indices.length) return [];
    const middle = (d) => Float32Array.from(indices, (i) => projected[2 * i + d]).sort()[indices.length >> 1];
    const x = middle(0), y = middle(1);
    const sorted = indices.map((i) => [Math.hypot(projected[2 * i] - x, projected[2 * i + 1] - y), i]).sort((a, b) => a[0] - b[0]);
    const steps = Math.min(60, sorted.length);
    const picked = Array.from({ length: steps }, (_, k) => sorted[Math.floor((k * 0.8 * (sorted.length - 1)) / steps)][1]);
    return [{ label, spread: sorted[sorted.length >> 1][0], candidates: picked.filter((i, k) => k === 0 || own(i)) }];
  });
  return places.sort((a, b) => a.spread - b.spread);
}

/** Whether two boxes {x, y (middle), width, height} share an area. */
function overlapping(a, b) {
  return Math.abs(a.x - b.x) < (a.width + b.width) / 2 && Math.abs(a.y - b.y) < (a.height + b.height) / 2;
}

/** The nearest place on growing rings around (x, y) at which `free` is true of [x, y]; null if there is none. */
function nearbyPlace([x, y], free) {
  for (let ring = 12; ring <= 120; ring += 6) {
    for (let turn = 0; turn < 24; turn++) {
      const angle = (turn * Math.PI) / 12, place = [x + ring * Math.cos(angle), y + ring * Math.sin(angle)];
      if (free(place)) return place;
    }
  }
  return null;
}

/** Indices of points that can be drawn as pictures of `side` pixels without overlap: a sweep from left to right packs closely. */
function spacedPoints(pixels, side) {
  const taken = new Map(), chosen = [];
  const key = (cx, cy) => cx * 65536 + cy;
  const order = Uint32Array.from({ length: pixels.length / 2 }, (_, i) => i).sort((i, j) => pixels[2 * i] - pixels[2 * j]);
  for (const i of order) {
    const x = pixels[2 * i], y = pixels[2 * i + 1];
    const cx = Math.floor(x / side), cy = Math.floor(y / side);
    let free = true;
    for (let dx = -1; dx <= 1 && free; dx++) {
      for (let dy = -1; dy <= 1 && free; dy++) {
        const other = taken.get(key(cx + dx, cy + dy));
        free = other === undefined || Math.abs(pixels[2 * other] - x) >= side || Math.abs(pixels[2 * other + 1] - y) >= side;
      }
    }
    if (!free) continue;
    taken.set(key(cx, cy), i);
    chosen.push(i);
  }
  return chosen;
}

/** One standard normal number (Box and Muller). */
function normal() {
  return Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
}
