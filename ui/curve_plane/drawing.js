// The model of a curve in numbers, and the shapes that stay as they are: no state of the view is kept here.

const SVG = "http://www.w3.org/2000/svg";
const LOG_2PI = Math.log(2 * Math.PI);
const DRAWN = 2.576; // the curve is drawn for codes up to here: 99% of the prior

/** An SVG element; every one keeps the width of its lines whatever the size of the picture. */
function shape(name, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, name);
  node.setAttribute("vector-effect", "non-scaling-stroke");
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

/** z ~ N(0, 1), x | z ~ N(f(z), sigma^2 I), with f known on a grid over which integrals are taken. */
function makeModel({ grid, curve, sigma }) {
  const z = new Float64Array(fromBase64(grid).buffer);
  const f = new Float64Array(fromBase64(curve).buffer);
  const step = z[1] - z[0];
  const logPrior = Float64Array.from(z, (value) => -0.5 * (value * value + LOG_2PI));
  const decode = (value) => {
    const at = clamp((value - z[0]) / step, 0, z.length - 1.000001);
    const [i, t] = [Math.floor(at), at % 1];
    return [0, 1].map((axis) => (1 - t) * f[2 * i + axis] + t * f[2 * i + 2 + axis]);
  };

  /** log p(x | z) and log p(x, z) on the grid, and log p(x), the logarithm of the integral; nats. */
  function solve(x) {
    const likelihood = z.map((_, i) => {
      const [a, b] = [x[0] - f[2 * i], x[1] - f[2 * i + 1]];
      return (-0.5 * (a * a + b * b)) / (sigma * sigma) - LOG_2PI - 2 * Math.log(sigma);
    });
    const joint = likelihood.map((value, i) => value + logPrior[i]);
    const top = joint.reduce((a, b) => Math.max(a, b));
    const evidence = top + Math.log(step * joint.reduce((sum, value) => sum + Math.exp(value - top), 0));
    return { likelihood, joint, evidence };
  }
  return { z, f, logPrior, decode, solve, sigma };
}

/** Two independent standard normal numbers (Box and Muller). */
function twoNormals() {
  const radius = Math.sqrt(-2 * Math.log(1 - Math.random()));
  const angle = 2 * Math.PI * Math.random();
  return [radius * Math.cos(angle), radius * Math.sin(angle)];
}

/** The path of a function of z in a box of 100 x 100: `values` in [0, 1] of the chart's height, on the grid. */
function pathOf(z, values, [low, high], closed) {
  let path = "";
  let first = null, last = null;
  for (let i = 0; i < z.length; i += 1) {
    if (z[i] < low || z[i] > high) continue;
    const across = (100 * (z[i] - low)) / (high - low);
    path += `${path ? "L" : "M"}${across.toFixed(2)} ${(100 * (1 - Math.min(values[i], 1.2))).toFixed(2)}`;
    first ??= across;
    last = across;
  }
  return closed ? `${path}L${last} 100L${first} 100Z` : path;
}

const raised = (power) =>
  String(power).replace(/[0-9]/g, (digit) => "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079"[digit]).replace("-", "\u207b");

/** A number above 0 for reading: 0.0312, or 3.1e-7 with a true power of ten. */
function readable(value, digits = 3) {
  if (value >= 0.001) return value.toPrecision(digits);
  const power = Math.floor(Math.log10(value) + 1e-9);
  return `${(value / 10 ** power).toFixed(digits > 1 ? 1 : 0)}\u00b710${raised(power)}`;
}
const plain = (value, digits = 2) => value.toFixed(digits).replace("-", "\u2212");

/** The frame of a plot: its names and ticks around `inside`; axes: [across, up] of {name, ticks: [[place, text]]}. */
function framed(inside, axes) {
  const [across, up] = axes.map(({ name, ticks }, axis) => {
    const marks = el("div", { class: "ticks" }, ...ticks.map(([place, text]) =>
      el("span", { style: `${axis ? "bottom" : "left"}: ${100 * place}%` }, text)));
    return el("div", { class: `axis ${axis ? "up" : "across"}` },
      ...(axis ? [el("span", { class: "axis-name" }, name), marks] : [marks, el("span", { class: "axis-name" }, name)]));
  });
  return [up, inside, across];
}

/** The plane as a picture for saving: the density where it is shown, the curve, the draws, the observation. */
function planePicture(root, { image, place, model, draws, x, title }) {
  const [side, margin] = [720, 56];
  const style = getComputedStyle(root);
  const canvas = el("canvas");
  canvas.width = canvas.height = side + 2 * margin;
  const page = canvas.getContext("2d");
  page.fillStyle = style.getPropertyValue("--st-background-color") || "#fff";
  page.fillRect(0, 0, canvas.width, canvas.height);
  page.fillStyle = style.color;
  page.font = `20px ${style.fontFamily}`;
  page.fillText(title, margin, margin - 16);
  page.translate(margin, margin);
  if (image) page.drawImage(image, 0, 0, side, side);
  else page.strokeRect(0, 0, side, side);
  const at = (point) => place(point).map((share) => share * side);
  page.save();
  page.beginPath();
  page.rect(0, 0, side, side);
  page.clip();
  paintDots(page, draws.map(at), 3);
  for (const [width, colour] of [[6, "#111"], [3, "#fff"]]) {
    page.beginPath();
    for (let i = 0; i < model.z.length; i += 1)
      if (Math.abs(model.z[i]) <= DRAWN) page.lineTo(...at([model.f[2 * i], model.f[2 * i + 1]]));
    [page.lineWidth, page.strokeStyle] = [width, colour];
    page.stroke();
  }
  page.beginPath();
  page.arc(...at(x), 10, 0, 2 * Math.PI);
  [page.lineWidth, page.strokeStyle] = [4, "#e5007d"];
  page.stroke();
  page.restore();
  return canvas;
}

/** Dots that stand out from any ground. */
function paintDots(page, places, radius) {
  [page.fillStyle, page.strokeStyle, page.lineWidth] = ["#fff", "#111", 1];
  for (const [across, down] of places) {
    page.beginPath();
    page.arc(across, down, radius, 0, 2 * Math.PI);
    page.fill();
    page.stroke();
  }
}
