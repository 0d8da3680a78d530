// q under the hand, its draws, and what they say of the KL.

const REACH = 5; // of z
const MOST_SHOWN = 300; // draws on the axis
const DASHES = ["", "9 5", "2 4"];

function createDraws() {
  let component;
  let [noise, loaded] = [new Float32Array(), ""];
  let [q, start] = [[0, 1], [0, 1]];
  const shared = makeShared();
  const margin = { left: 54, right: 12, top: 12, bottom: 46 };
  const bells = makePanel("Drag q sideways, and up and down", 330, margin, "q over z. Arrow keys left and right move its mean, up and down its width.");
  const race = makePanel("The KL from the first K draws", 330, { ...margin, left: 62 }, "Estimates of the KL over the number of draws");
  race.svg.setAttribute("role", "img");
  race.svg.removeAttribute("tabindex");
  bells.root.append(el("p", { class: "legend" }, ...[["prior-line", "prior p(z)"], ["q-line", "q(z), its draws below"]].map(([kind, text]) =>
    el("span", { class: kind }, el("i", { class: "swatch" }), text))));
  race.root.append(el("p", { class: "legend" }, el("span", { class: "truth-line" }, el("i", { class: "swatch" }), "closed form"),
    el("span", { class: "band-box" }, el("i", { class: "swatch" }), "\u00b1 1 standard deviation of log-ratio")));
  const table = el("table");
  const back = el("button", { type: "button" }, "Reset q");
  const told = el("output", { class: "told", "data-testid": "kl-q" });
  const root = el("div", { class: "view kl-view" }, el("div", { class: "panels" }, bells.root, race.root),
    el("div", { class: "below" }, el("div", {}, told, back), table));

  const draw = oncePerFrame(() => {
    const { data } = component;
    drawBells(bells, q, noise.subarray(0, Math.min(data.draws, MOST_SHOWN)), data);
    drawRace(race, q, noise, data);
    fillTable(table, q, noise.subarray(0, data.draws), data);
    const kl = exactKl(q);
    told.textContent = `Mean ${number(q[0])}, width ${number(q[1])}: KL ${number(kl, 3)} nats`;
    told.dataset.value = kl;
    told.dataset.q = JSON.stringify(q);
  });

  function settle([mean, width]) {
    const { bounds } = component.data;
    q = [clamp(mean, -bounds.mean, bounds.mean), clamp(width, ...bounds.width)];
    draw();
  }

  function report() {
    const state = q.map((each) => rounded(each, 3));
    shared.sent(state);
    component.setStateValue("release", { q: state, when: Date.now() });
  }

  let [before, from] = [null, null]; // q and the pointer when the hand went down
  onDrag(bells.svg, {
    start: () => ([before, from] = [q, null]),
    follow(event) {
      from ??= [event.clientX, event.clientY];
      const box = bells.inner;
      const right = ((event.clientX - from[0]) / (box.right - box.left)) * 2 * REACH;
      settle([before[0] + right, before[1] * Math.exp((event.clientY - from[1]) / 110)]);
    },
    release: report,
    cancel: () => settle(before),
  });
  onArrows(bells.svg, ([right, down], event) => {
    const stride = event.shiftKey ? 5 : 1;
    settle([q[0] + 0.05 * stride * right, q[1] * Math.exp(0.05 * stride * down)]);
  }, report);
  back.addEventListener("click", () => (settle(start), report()));

  function fit() {
    bells.fit();
    race.fit();
    if (component) draw();
  }
  const sizes = new ResizeObserver(fit);
  sizes.observe(root);

  return {
    root,
    update(next) {
      component = next;
      const { data } = next;
      data.names.forEach((_, kind) => root.style.setProperty(`--kind-${kind}`, data.colours[kind]));
      root.style.setProperty("--quiet", data.quiet);
      if (data.noise !== loaded) {
        noise = new Float32Array(fromBase64(data.noise).buffer);
        loaded = data.noise;
      }
      if (shared.take(data.q)) [q, start] = [[...data.q], [...data.q]];
      fit();
    },
    destroy: () => (draw.cancel(), sizes.disconnect()),
  };
}

/** Prior and q over z, and draws of q on the axis. */
function drawBells(panel, [mean, width], noise, data) {
  const box = panel.inner;
  const density = (z, middle, std) => Math.exp(-0.5 * ((z - middle) / std) ** 2) / (std * Math.sqrt(2 * Math.PI));
  const top = Math.max(0.55, 1.12 * density(mean, mean, width));
  const across = scale(-REACH, REACH, box.left, box.right);
  const up = scale(0, top, box.bottom, box.top);
  const even = Array.from({ length: 201 }, (_, i) => -REACH + (i * REACH) / 100);
  const near = Array.from({ length: 121 }, (_, i) => mean + width * (i / 12 - 5)).filter((z) => Math.abs(z) < REACH);
  const bell = (zs, middle, std) => pathOf(zs.map((z) => [across(z), up(density(z, middle, std))]));
  const all = [...even, ...near].sort((a, b) => a - b);
  const nodes = [
    shape("path", { d: `${bell(even, 0, 1)}L${box.right} ${box.bottom}L${box.left} ${box.bottom}Z`, class: "prior" }),
    shape("line", { x1: box.left, x2: box.right, y1: box.bottom, y2: box.bottom, class: "axis-line" }),
    shape("path", { d: bell(all, mean, width), class: "q", stroke: data.colours[0] }),
  ];
  const marks = Array.from(noise, (each) => mean + width * each).filter((z) => Math.abs(z) < REACH);
  nodes.push(shape("path", { d: marks.map((z) => `M${across(z).toFixed(1)} ${box.bottom - 11}v11`).join(""), class: "marks", stroke: data.colours[0] }));
  nodes.push(shape("circle", { cx: across(mean), cy: up(density(mean, mean, width)), r: 11, class: "handle", fill: data.colours[0] }));
  for (let z = -4; z <= 4; z += 2) nodes.push(shape("text", { x: across(z), y: box.bottom + 18, "text-anchor": "middle" }, number(z, 0)));
  nodes.push(...levels(0, top, box, up));
  panel.svg.replaceChildren(...nodes);
  axisNames(panel.svg, box, "latent z (no unit)", "density");
}

/** Numbers beside a vertical axis, about five of them. */
function levels(low, high, box, up) {
  const stride = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10].find((each) => high - low <= 6 * each) ?? 20;
  const found = [];
  for (let i = Math.ceil(low / stride - 1e-9); i * stride <= high; i++) {
    found.push(shape("text", { x: box.left - 8, y: up(i * stride) + 5, "text-anchor": "end" }, number(i * stride, stride < 0.1 ? 2 : stride < 1 ? 1 : 0)));
  }
  return found;
}

/** The running means over K, the closed form, and a band that is one standard deviation of the log-ratio wide. */
function drawRace(panel, q, noise, data) {
  const box = panel.inner;
  const truth = exactKl(q);
  const spread = spreads(q)[0];
  const room = Math.max(2.2 * spread, 0.3);
  const [low, high] = [truth - room, truth + room];
  const wide = box.right - box.left;
  const along = (count) => (wide * Math.log10(count)) / Math.log10(noise.length);
  const up = scale(low, high, box.bottom - box.top, 0);
  const counts = places(noise.length);
  const edge = (sign) => counts.map((count) => [along(count), up(truth + (sign * spread) / Math.sqrt(count))]);
  const inside = shape("svg", { x: box.left, y: box.top, width: wide, height: box.bottom - box.top, class: "inside" });
  inside.append(
    shape("path", { d: `${pathOf([...edge(1), ...edge(-1).reverse()])}Z`, class: "band" }),
    shape("line", { x1: along(data.draws), x2: along(data.draws), y1: 0, y2: box.bottom, class: "today" }),
    shape("line", { x1: 0, x2: wide, y1: up(truth), y2: up(truth), class: "truth" }),
    ...runningMeans(q, noise, counts).map((values, kind) => shape("path", {
      d: pathOf(values.map((value, i) => [along(counts[i]), clamp(up(value), -1e4, 1e4)])), class: "estimate",
      stroke: data.colours[kind], "stroke-dasharray": DASHES[kind] })),
  );
  const nodes = [inside, shape("line", { x1: box.left, x2: box.right, y1: box.bottom, y2: box.bottom, class: "axis-line" })];
  for (const count of [1, 10, 100, 1000, 10000]) {
    if (count > noise.length) continue;
    const anchor = count === noise.length ? "end" : "middle";
    nodes.push(shape("text", { x: box.left + along(count), y: box.bottom + 18, "text-anchor": anchor }, count.toLocaleString("en")));
  }
  nodes.push(...levels(low, high, box, (value) => box.top + up(value)));
  panel.svg.replaceChildren(...nodes);
  axisNames(panel.svg, box, "K, draws of q (logarithmic)", "KL, nats");
}

/** Each estimator's mean of the draws, its standard deviation, and what it is off by. */
function fillTable(table, q, noise, data) {
  const truth = exactKl(q);
  const found = runningMeans(q, noise, [noise.length]).map(([value]) => value);
  const row = (kind, ...cells) => el("tr", {}, ...cells.map((cell, i) => el(kind, i ? {} : { class: "name" }, ...[cell].flat())));
  const rows = spreads(q).map((spread, kind) => {
    const value = el("output", { "data-testid": `kl-${kind}` }, number(found[kind], 3));
    value.dataset.value = found[kind];
    const each = spread / Math.sqrt(noise.length);
    const name = [el("i", { class: "stroke", style: `border-top: 4px ${["solid", "dashed", "dotted"][kind]} ${data.colours[kind]}` }), data.names[kind]];
    return row("td", name, value, isFinite(each) ? each.toFixed(3) : "infinite", signed(found[kind] - truth, 3));
  });
  table.replaceChildren(row("th", "", `from K = ${noise.length.toLocaleString("en")}`, "standard deviation", "off by"), ...rows);
}

export default (component) => mountOnce(component, createDraws);
