// Drawings of a Gaussian example that views share: the data plane, the densities over z, the bars in nats. Each draws in
// real pixels.

const SVG = "http://www.w3.org/2000/svg";

/** An SVG element with attributes; `text` becomes its content. */
function shape(name, attributes = {}, text = "") {
  const node = document.createElementNS(SVG, name);
  set(node, attributes);
  node.textContent = text;
  return node;
}

function set(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
}

/** A drawing of a given height that fills its column; margins for axes. */
function makePanel(title, height, margin, label) {
  const svg = shape("svg", { tabindex: 0, role: "application", "aria-label": label });
  const head = el("div", { class: "head" }, title);
  return {
    svg, head, margin, height, width: 300,
    root: el("figure", { class: "panel" }, head, svg),
    /** Take the column's width; keeps the aspect 1 where `square`. */
    fit(square = false) {
      this.width = Math.max(200, svg.parentElement.clientWidth);
      const [beside, above] = [margin.left + margin.right, margin.top + margin.bottom];
      if (square) this.width = Math.min(this.width, height - above + beside);
      if (square) this.height = this.width - beside + above;
      set(svg, { width: this.width, height: this.height });
    },
    get inner() {
      return { left: margin.left, right: this.width - margin.right, top: margin.top, bottom: this.height - margin.bottom };
    },
  };
}

const number = (value, digits = 2) => (value < 0 ? "\u2212" : "") + Math.abs(value).toFixed(digits);

/** Places on a linear axis. */
const scale = (low, high, from, to) => {
  const at = (value) => from + ((value - low) / (high - low)) * (to - from);
  at.back = (place) => low + ((place - from) / (to - from)) * (high - low);
  return at;
};

/** A line through points [[x, y], ...]. */
const pathOf = (points) => points.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");

/** A vertical axis title, turned, and one below. */
function axisNames(svg, box, across, up) {
  const [middle, centre] = [(box.left + box.right) / 2, (box.top + box.bottom) / 2];
  svg.append(shape("text", { x: middle, y: box.bottom + 38, class: "axis-name", "text-anchor": "middle" }, across));
  if (!up) return;
  const place = box.left - 42;
  svg.append(shape("text", { x: place, y: centre, class: "axis-name", "text-anchor": "middle",
    transform: `rotate(-90 ${place} ${centre})` }, up));
}

/** x in the plane of the data, with the curve f(z), coloured where q puts its mass. */
function drawPlane(panel, model, x, q, { data: most }, colours) {
  const box = panel.inner;
  const across = scale(-most, most, box.left, box.right);
  const up = scale(-most, most, box.bottom, box.top);
  const at = (z) => {
    const i = model.place(z);
    return [across(model.curve[2 * i]), up(model.curve[2 * i + 1])];
  };
  const nodes = [shape("rect", { x: box.left, y: box.top, width: box.right - box.left, height: box.bottom - box.top, class: "ground" })];
  for (const tick of [-4, -2, 0, 2, 4]) {
    nodes.push(shape("text", { x: across(tick), y: box.bottom + 18, "text-anchor": "middle" }, number(tick, 0)));
    nodes.push(shape("text", { x: box.left - 8, y: up(tick) + 5, "text-anchor": "end" }, number(tick, 0)));
  }
  const along = Array.from({ length: 241 }, (_, i) => -3 + i * 0.025);
  nodes.push(shape("path", { d: pathOf(along.map(at)), class: "curve" }));
  for (let i = 0; i < along.length - 1; i++) {
    const share = Math.exp(-0.5 * ((along[i] + 0.0125 - q[0]) / q[1]) ** 2);
    if (share > 0.02) nodes.push(shape("path", { d: pathOf([at(along[i]), at(along[i + 1])]), class: "coded", stroke: colours.q, opacity: share.toFixed(3) }));
  }
  for (const z of [-2, -1, 0, 1, 2]) {
    const [px, py] = at(z);
    const i = model.place(z);
    const [dx, dy] = [model.curve[2 * i + 2] - model.curve[2 * i - 2], -(model.curve[2 * i + 3] - model.curve[2 * i - 1])];
    const long = Math.hypot(dx, dy) || 1;
    const [nx, ny] = [(-dy / long) * 15, (dx / long) * 15];
    nodes.push(shape("circle", { cx: px, cy: py, r: 3.5, class: "tick" }));
    nodes.push(shape("text", { x: px + nx, y: py + ny + 5, "text-anchor": "middle", class: "soft" }, number(z, 0)));
  }
  const radius = across(model.sigma) - across(0);
  const [cx, cy] = [across(x[0]), up(x[1])];
  for (const times of [1, 2]) nodes.push(shape("circle", { cx, cy, r: times * radius, class: "noise" }));
  nodes.push(shape("circle", { cx, cy, r: 8, class: "point" }));
  nodes.push(shape("text", { x: cx + 13, y: cy - 11, class: "strong halo" }, "x"));
  panel.svg.replaceChildren(...nodes);
  axisNames(panel.svg, box, "x, first coordinate", "x, second coordinate");
  return { across, up };
}

/** Prior, exact posterior and q over z; returns the scales, for the hand. */
function drawDensities(panel, model, seen, q, { mean: most }, colours) {
  const box = panel.inner;
  const peak = seen.posterior.reduce((a, b) => Math.max(a, b), 0);
  const top = Math.max(0.7, 1.3 * peak);
  const across = scale(-most - 0.2, most + 0.2, box.left, box.right);
  const up = scale(0, top, box.bottom, box.top);
  const places = Array.from({ length: 321 }, (_, i) => -most - 0.2 + (i * (2 * most + 0.4)) / 320);
  const bell = (mean, std) => places.map((z) => [across(z), Math.max(box.top - 2, up(Math.exp(logNormal(z, mean, std))))]);
  const exact = [];
  for (let i = model.place(-most - 0.2); i <= model.place(most + 0.2); i++) exact.push([across(model.z[i]), up(seen.posterior[i])]);
  const closed = (points) => `${pathOf(points)}L${box.right} ${box.bottom}L${box.left} ${box.bottom}Z`;
  const height = Math.exp(logNormal(q[0], q[0], q[1]));
  const handle = [across(q[0]), clamp(up(height), box.top, box.bottom)];
  const nodes = [
    shape("line", { x1: box.left, x2: box.right, y1: box.bottom, y2: box.bottom, class: "axis-line" }),
    shape("path", { d: pathOf(bell(0, 1)), class: "prior" }),
    shape("path", { d: closed(exact), class: "posterior" }),
    shape("path", { d: closed(bell(...q)), class: "q-fill", fill: colours.q }),
    shape("path", { d: pathOf(bell(...q)), class: "q-line", stroke: colours.q }),
    shape("line", { x1: across(q[0]), x2: across(q[0]), y1: box.bottom, y2: handle[1], class: "q-mean", stroke: colours.q }),
    shape("circle", { cx: handle[0], cy: handle[1], r: 11, class: "handle", fill: colours.q }),
  ];
  for (let z = -3; z <= 3; z++) nodes.push(shape("text", { x: across(z), y: box.bottom + 18, "text-anchor": "middle" }, number(z, 0)));
  const stride = top > 3 ? 1 : top > 1.2 ? 0.5 : 0.2;
  for (let value = 0; value <= top + 1e-9; value += stride) {
    nodes.push(shape("text", { x: box.left - 8, y: up(value) + 5, "text-anchor": "end" }, value.toFixed(stride < 1 ? 1 : 0)));
  }
  panel.svg.replaceChildren(...nodes);
  axisNames(panel.svg, box, "latent z (no unit)", "density");
  return { across, up, handle };
}

const BELOW = 8; // nats that are shown below log p(x): twice, four times ... as many where the ELBO is far below

/** The bars: ELBO and KL up to log p(x); what the ELBO is made of; and the ELBO over the steps. */
function drawBars(panel, parts, seen, history, colours) {
  const box = panel.inner;
  let below = BELOW;
  while (parts.kl > 0.8 * below && below < 1e4) below *= 2;
  const low = parts.evidence - below;
  const high = Math.max(seen.highest, parts.evidence + 1) + 0.08 * (seen.highest - low + 2);
  const up = scale(low, high, box.bottom, box.top);
  const at = (nats) => clamp(up(nats), box.top, box.bottom);
  const wide = box.right - box.left;
  const column = (index) => box.left + wide * [0.02, 0.38][index];
  const width = wide * 0.14;
  const line = at(parts.evidence);
  const bar = (x, from, to, colour, kind) => shape("rect", { x, y: at(to), width, height: Math.max(0, at(from) - at(to)), class: kind, fill: colour });
  const beside = (x, from, to, text, highest) => {
    const tall = at(from) - at(to);
    const middle = clamp((at(from) + at(to)) / 2 + 5, highest, box.bottom - 12);
    return tall < 12 ? [] : text.map((line, i) => shape("text", { x: x + width + 6, y: middle + 17 * (i - 0.5), class: "halo" }, line));
  };
  const [first, second] = [column(0), column(1)];
  const nodes = [
    bar(first, low, parts.elbo, colours.q, "solid"),
    bar(first, parts.elbo, parts.evidence, colours.kl, "gap"),
    bar(second, low, parts.elbo, colours.q, "solid"),
    bar(second, parts.elbo, parts.recon, colours.prior, "gap"),
    shape("line", { x1: box.left, x2: box.right, y1: line, y2: line, class: "ceiling" }),
    ...beside(first, parts.elbo, parts.evidence, ["KL to", "p(z|x)"], line + 26),
    ...beside(second, parts.elbo, parts.recon, ["KL to", "p(z)"], box.top + 14),
    shape("text", { x: box.left, y: line - 7, class: "strong halo" }, `log p(x) = ${number(parts.evidence)}`),
  ];
  for (const x of [first, second]) {
    const tall = at(low) - at(parts.elbo);
    if (tall > 20) nodes.push(shape("text", { x: x + width / 2, y: at(parts.elbo) + tall / 2 + 5, "text-anchor": "middle", class: "in-bar", style: width < 52 ? "font-size: 13px" : "" }, "ELBO"));
  }
  const stride = [2, 5, 10, 20, 50, 100, 200].find((each) => high - low <= 8 * each) ?? 2000;
  for (let nats = Math.ceil(low / stride) * stride; nats <= high; nats += stride) {
    nodes.push(shape("text", { x: box.left - 8, y: up(nats) + 5, "text-anchor": "end" }, number(nats, 0)));
  }
  const from = box.left + wide * 0.76;
  const along = scale(0, Math.max(20, history.length - 1), from, box.right - 6);
  const inside = history.flatMap((nats, i) => (nats < low ? [] : [[along(i), at(nats)]]));
  if (inside.length > 1) nodes.push(shape("path", { d: pathOf(inside), class: "history", stroke: colours.q }));
  nodes.push(shape("circle", { cx: along(history.length - 1), cy: at(history.at(-1)), r: 5, fill: colours.q }));
  for (const [x, anchor, text] of [
    [first, "start", "log p(x)"], [second, "start", "its ELBO"], [box.right, "end", `${Math.max(20, history.length - 1)} steps`],
  ]) nodes.push(shape("text", { x, y: box.bottom + 18, "text-anchor": anchor }, text));
  nodes.push(shape("line", { x1: box.left, x2: box.right, y1: box.bottom, y2: box.bottom, class: "axis-line" }));
  panel.svg.replaceChildren(...nodes);
  const place = box.left - 48;
  const centre = (box.top + box.bottom) / 2;
  panel.svg.append(shape("text", { x: place, y: centre, class: "axis-name", "text-anchor": "middle", transform: `rotate(-90 ${place} ${centre})` }, "nats"));
}
