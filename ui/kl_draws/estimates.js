// KL(N(mean, width^2) || N(0, 1)) by the formula and from draws; the same formulas as vae_core/exact/kl.py.

const exactKl = ([mean, width]) => 0.5 * (mean ** 2 + width ** 2 - 1) - Math.log(width);

/** What one draw says by each estimator: log-ratio, entropy known, never negative. */
function oneDraw([mean, width], noise) {
  const z = mean + width * noise;
  const logRatio = 0.5 * (noise ** 2 - z ** 2) + Math.log(width);
  return [-logRatio, 0.5 * (z ** 2 - 1) - Math.log(width), Math.expm1(logRatio) - logRatio];
}

/** The standard deviation of one draw by each estimator. */
function spreads([mean, width]) {
  const [a, b] = [mean * width, width ** 2];
  const ofRatio = Math.sqrt(a ** 2 + 0.5 * (b - 1) ** 2);
  const tail = 2 * b - 1;
  let positive = Infinity;
  if (tail > 1e-9) {
    const forward = Math.log(width) + (1 + mean ** 2) / (2 * b) - 0.5;
    const variance = (b / Math.sqrt(tail)) * Math.exp(mean ** 2 / tail) - 1 + ofRatio ** 2 - 2 * (forward + exactKl([mean, width]));
    positive = Math.sqrt(Math.max(0, variance));
  }
  return [ofRatio, Math.sqrt(a ** 2 + 0.5 * b ** 2), positive];
}

/** Numbers of draws, evenly on a logarithmic axis up to `most`. */
function places(most) {
  const all = Array.from({ length: 161 }, (_, i) => Math.round(most ** (i / 160)));
  return [...new Set(all)];
}

/** The mean of the first K draws for every K of `counts`, by each estimator: [3][counts]. */
function runningMeans(q, noise, counts) {
  const sums = [0, 0, 0];
  const found = [[], [], []];
  let next = 0;
  for (let i = 0; i < noise.length && next < counts.length; i++) {
    oneDraw(q, noise[i]).forEach((value, kind) => (sums[kind] += value));
    if (i + 1 !== counts[next]) continue;
    sums.forEach((sum, kind) => found[kind].push(sum / (i + 1)));
    next += 1;
  }
  return found;
}
