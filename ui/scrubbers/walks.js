// Paths between codes; the same formulas as vae_core/latent/paths.py, so that a number of the server's and a
// picture of the browser's belong to the same point.

/** The straight line (1 - t) a + t b; `at(t)` gives the code, `note` what must be said about the path. */
function straight(a, b) {
  return { at: (t) => Float32Array.from(a, (value, i) => (1 - t) * value + t * b[i]), note: "" };
}

/**
 * The great circle of the directions (Shoemake 1985; for latent spaces White 2016), the length going linearly
 * from |a| to |b|. Without a circle of its own, between opposite ends, it passes the axis on which a is smallest.
 */
function spherical(a, b) {
  const [lengthA, lengthB] = [norm(a), norm(b)];
  if (a.length === 1 || lengthA === 0 || lengthB === 0) {
    return { ...straight(a, b), note: "No great circle here: the path is straight." };
  }
  const u = a.map((value) => value / lengthA);
  const cosine = dot(u, b) / lengthB;
  let across = orthogonal(b.map((value) => value / lengthB), u);
  const sine = norm(across);
  if (sine < 1e-6 && cosine > 0) return straight(a, b);
  const opposite = sine < 1e-6;
  if (opposite) across = orthogonal(smallestAxis(u), u);
  const angle = Math.atan2(sine, cosine);
  const length = norm(across);
  const at = (t) => {
    if (t <= 0 || t >= 1) return Float32Array.from(t <= 0 ? a : b);
    const radius = (1 - t) * lengthA + t * lengthB;
    const [along, aside] = [Math.cos(t * angle) * radius, (Math.sin(t * angle) * radius) / length];
    return Float32Array.from(u, (value, i) => along * value + aside * across[i]);
  };
  return { at, note: opposite ? "Opposite ends: every great circle is as short; this is one of them." : "" };
}

const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);
const norm = (v) => Math.hypot(...v);

/** What is left of `v` at right angles to the unit vector `u`. */
function orthogonal(v, u) {
  const along = dot(v, u);
  return v.map((value, i) => value - along * u[i]);
}

/** The unit vector of the axis on which `u` is smallest (the first of them). */
function smallestAxis(u) {
  const sizes = u.map(Math.abs);
  const smallest = sizes.indexOf(Math.min(...sizes));
  return u.map((_, i) => (i === smallest ? 1 : 0));
}

const PATHS = { straight, spherical };

/** Four codes mixed bilinearly: u to the right, v downwards, both from 0 to 1. */
function bilinear([topLeft, topRight, bottomLeft, bottomRight], u, v) {
  return Float32Array.from(topLeft, (value, i) =>
    (1 - v) * ((1 - u) * value + u * topRight[i]) + v * ((1 - u) * bottomLeft[i] + u * bottomRight[i]));
}
