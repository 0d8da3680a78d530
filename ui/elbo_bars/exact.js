// Everything about a model with one latent as sums over a grid of z; the same formulas as vae_core/exact/curve.py.

const HALF_LOG_2PI = 0.5 * Math.log(2 * Math.PI);

/** log N(z; mean, std^2). */
const logNormal = (z, mean, std) => -0.5 * ((z - mean) / std) ** 2 - Math.log(std) - HALF_LOG_2PI;

/** The model: `curve` is f(z) as [x1, x2, x1, x2, ...] on an even grid from -reach to reach. */
function makeModel(curve, reach, sigma) {
  const count = curve.length / 2;
  const step = (2 * reach) / (count - 1);
  const z = Float64Array.from({ length: count }, (_, i) => i * step - reach);
  return { curve, sigma, count, step, z, place: (value) => clamp(Math.round((value + reach) / step), 0, count - 1) };
}

/** What is known of one x: log p(x | z) and log p(x, z) on the grid, log p(x), and the posterior's density. */
function observe(model, x) {
  const { curve, sigma, count, step, z } = model;
  const likelihood = new Float64Array(count);
  const joint = new Float64Array(count);
  let best = -Infinity;
  for (let i = 0; i < count; i++) {
    const squared = (x[0] - curve[2 * i]) ** 2 + (x[1] - curve[2 * i + 1]) ** 2;
    likelihood[i] = (-0.5 * squared) / sigma ** 2 - 2 * HALF_LOG_2PI - 2 * Math.log(sigma);
    joint[i] = likelihood[i] + logNormal(z[i], 0, 1);
    best = Math.max(best, joint[i]);
  }
  let sum = 0;
  for (let i = 0; i < count; i++) sum += Math.exp(joint[i] - best);
  const evidence = best + Math.log(sum * step);
  const posterior = joint.map((value) => Math.exp(value - evidence));
  // What the prior would ever choose bounds the best reconstruction that is worth room on the axis.
  const near = likelihood.slice(model.place(-3.5), model.place(3.5) + 1);
  return { likelihood, joint, evidence, posterior, highest: near.reduce((a, b) => Math.max(a, b), -Infinity) };
}

/** ELBO and KL, each by its own formula, and the ELBO's slope in the mean and in the log of the width. */
function splitUp(model, seen, [mean, std]) {
  const { z, step } = model;
  let [recon, kl, joint] = [0, 0, 0];
  const [from, to] = [model.place(mean - 9 * std), model.place(mean + 9 * std)];
  for (let i = from; i <= to; i++) {
    const log = logNormal(z[i], mean, std);
    const weight = Math.exp(log) * step;
    recon += weight * seen.likelihood[i];
    joint += weight * seen.joint[i];
    kl += weight * (log - seen.joint[i] + seen.evidence);
  }
  let [byMean, byLogStd] = [0, 0];
  for (let i = from; i <= to; i++) {
    const away = (z[i] - mean) / std;
    const weight = Math.exp(logNormal(z[i], mean, std)) * step * (seen.joint[i] - joint);
    byMean += (weight * away) / std;
    byLogStd += weight * (away * away - 1);
  }
  const toPrior = 0.5 * (mean ** 2 + std ** 2 - 1) - Math.log(std);
  return { evidence: seen.evidence, recon, toPrior, elbo: recon - toPrior, kl, slope: [byMean, byLogStd + 1] };
}

const RATE = 0.3;
const LONGEST = 0.2;

/** One step up the natural gradient of the ELBO, as CurveModel.ascend takes it; within the bounds of the hand. */
function stepUp([mean, std], [byMean, byLogStd], bounds) {
  const move = [byMean * std ** 2, byLogStd / 2];
  const rate = RATE * Math.min(1, LONGEST / Math.max(RATE * Math.hypot(...move), 1e-300));
  return within([mean + rate * move[0], std * Math.exp(rate * move[1])], bounds);
}

const within = ([mean, std], { mean: most, std: [low, high] }) => [clamp(mean, -most, most), clamp(std, low, high)];
