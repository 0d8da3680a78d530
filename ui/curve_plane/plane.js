// A code z on the left chart's axis becomes x in the plane; an observation x in the plane says which z it may come from.

const MANY = 1000; // draws at a press
const MOST = 20000; // draws on the plane
const FLAT = 0.1; // of the chart's height: a curve lower than that is magnified ten times, or a hundred, ...

function createCurvePlane() {
  let component, model, solved;
  let z = 0, x = [0, 0];
  let draws = [], last = null; // the last draw alone: {z, x}
  let built = "", power = 0; // the lower chart's axis is 10^power times as fine as its ticks say
  const shared = makeShared();
  const show = oncePerFrame(showNow);
  const output = (name) => el("output", { "data-testid": name });

  // The plane.
  const image = el("img", { alt: "", draggable: "false" });
  const dots = el("canvas", { "aria-hidden": "true", class: "dots" });
  const under = shape("path", { class: "curve under" }), over = shape("path", { class: "curve" });
  const clouds = [2, 1].map((sigmas) => [shape("circle", { class: "cloud under" }), shape("circle", { class: "cloud" }), sigmas]);
  const noise = [shape("line", { class: "noise under" }), shape("line", { class: "noise" })];
  const overlay = shape("svg", { viewBox: "0 0 100 100", "aria-hidden": "true" }, under, over,
    ...clouds.flatMap(([a, b]) => [a, b]), ...noise);
  const there = el("div", { class: "decoded", "aria-hidden": "true" });
  const newestDot = el("div", { class: "newest", "aria-hidden": "true", hidden: "" });
  const here = el("div", { class: "here", "aria-hidden": "true" });
  const tally = el("output", { "data-testid": "count", class: "tally" });
  const square = el("div", { class: "square", tabindex: 0, role: "application", "data-testid": "plane",
    "aria-roledescription": "plane of data" }, image, dots, overlay, there, newestDot, here, tally);

  // The charts over z.
  const chart = (testid, ...paths) => {
    const marker = el("div", { class: "marker", "aria-hidden": "true" });
    const svg = shape("svg", { viewBox: "0 0 100 100", preserveAspectRatio: "none", "aria-hidden": "true" }, ...paths);
    return { marker, paths, node: el("div", { class: "chart", tabindex: 0, role: "slider", "aria-label": "Code z",
      "data-testid": testid }, svg, marker) };
  };
  const densities = chart("densities", shape("path", { class: "area posterior" }), shape("path", { class: "prior" }));
  const product = chart("product", shape("path", { class: "area joint" }), shape("path", { class: "likelihood" }));
  const charts = [densities, product];
  const magnified = el("span", { class: "magnified" });
  product.node.append(magnified);
  const key = (kind, text) => el("span", { class: "key" }, el("i", { class: kind }), text);

  const told = { code: output("code"), observed: output("observed"), evidence: output("evidence") };
  const button = (text, action) => el("button", { type: "button", onclick: action }, text);
  const one = button("Draw z, then x", () => draw(1));
  const many = button(`Draw ${MANY.toLocaleString("en")}`, () => draw(MANY));
  const clear = button("Clear", () => { [draws, last] = [[], null]; repaint(); });
  const density = el("input", { type: "checkbox", checked: "", onchange: repaint });
  const save = button("Save", () => savePng(planePicture(root, { image: density.checked ? image : null, place, model,
    draws, x, title: "p(x), draws and the observation" }), "latent-variable"));
  const body = el("div", { class: "halves" });
  const root = el("div", { class: "view curve-view" }, body);

  const place = (point) => {
    const { low, high } = component.data;
    return [(point[0] - low[0]) / (high[0] - low[0]), 1 - (point[1] - low[1]) / (high[1] - low[1])];
  };
  const share = (value) => (value - component.data.shown[0]) / (component.data.shown[1] - component.data.shown[0]);

  function showNow() {
    const { sigma, shown, low, high, tops } = component.data;
    const { f, z: grid, logPrior } = model;
    solved = model.solve(x);
    const centre = model.decode(z);
    put(there, place(centre));
    put(here, place(x));
    tally.classList.toggle("left", place(x)[0] > 0.5); // never over the observation
    const [right, down] = place(centre).map((each) => 100 * each);
    for (const [a, b, sigmas] of clouds)
      for (const node of [a, b]) attributes(node, { cx: right, cy: down, r: (100 * sigmas * sigma) / (high[0] - low[0]) });
    newestDot.hidden = last === null;
    for (const line of noise) line.style.display = last === null ? "none" : "";
    if (last) {
      const end = place(last.x);
      put(newestDot, end);
      for (const line of noise) attributes(line, { x1: right, y1: down, x2: 100 * end[0], y2: 100 * end[1] });
    }
    const peak = solved.likelihood.reduce((a, b) => Math.max(a, b));
    const line = (node, of, closed = false) => attributes(node, { d: pathOf(grid, grid.map((_, i) => of(i)), shown, closed) });
    line(densities.paths[0], (i) => Math.exp(solved.joint[i] - solved.evidence) / tops[0], true);
    line(densities.paths[1], (i) => Math.exp(logPrior[i]) / tops[0]);
    const best = solved.joint.reduce((a, b) => Math.max(a, b)), highest = Math.exp(best) / tops[1];
    magnified.classList.toggle("left", grid[solved.joint.indexOf(best)] > 0); // away from the peak
    magnify(Math.max(0, Math.ceil(Math.log10(FLAT / highest))));
    line(product.paths[0], (i) => (Math.exp(solved.joint[i]) / tops[1]) * 10 ** power, true);
    line(product.paths[1], (i) => 0.97 * Math.exp(solved.likelihood[i] - peak));
    for (const each of charts) {
      each.marker.style.left = `${100 * clamp(share(z), 0, 1)}%`;
      attributes(each.node, { "aria-valuemin": shown[0], "aria-valuemax": shown[1], "aria-valuenow": rounded(z, 2) });
    }
    const pair = (point) => `(${point.map((each) => plain(each)).join(", ")})`;
    told.code.textContent = `z = ${plain(z)} \u2192 f(z) = ${pair(centre)}${last ? ` \u2192 x = ${pair(last.x)}` : ""}`;
    told.observed.textContent = `x = ${pair(x)}`;
    told.evidence.textContent = `p(x) = ${readable(Math.exp(solved.evidence))}, log p(x) = ${plain(solved.evidence)} nats`;
    square.dataset.evidence = solved.evidence;
    square.setAttribute("aria-label", `Plane of data. Observation ${told.observed.textContent}, ${told.evidence.textContent}. ` +
      "Arrow keys move it.");
  }

  /** The axis of the lower chart, 10^next times as fine as it is for the largest products. */
  function magnify(next) {
    if (next === power) return;
    power = next;
    const numbers = product.node.parentElement.querySelectorAll(".up .ticks span");
    component.data.axes[4].ticks.forEach(([, text], i) => {
      const value = Number(text) / 10 ** power;
      numbers[i].textContent = value === 0 ? "0" : readable(value, 1);
    });
    magnified.textContent = power ? `drawn ${power < 4 ? (10 ** power).toLocaleString("en") : `10${raised(power)}`} times taller` : "";
  }

  function put(node, [right, down]) {
    node.style.left = `${100 * right}%`;
    node.style.top = `${100 * down}%`;
  }

  function attributes(node, values) {
    for (const [name, value] of Object.entries(values)) node.setAttribute(name, value);
  }

  /** All draws afresh; the newest ones are added to what is there by `paint`. */
  function repaint() {
    image.style.visibility = density.checked ? "" : "hidden";
    const side = Math.max(1, Math.round(square.clientWidth * devicePixelRatio));
    dots.width = dots.height = side;
    paint(draws);
  }

  function paint(points) {
    const page = dots.getContext("2d");
    paintDots(page, points.map((point) => place(point).map((each) => each * dots.width)), 1.9 * devicePixelRatio);
    tally.textContent = draws.length ? `${draws.length.toLocaleString("en")} ${draws.length === 1 ? "draw" : "draws"}` : "";
    one.disabled = many.disabled = draws.length >= MOST;
    clear.disabled = !draws.length;
    show();
  }

  function draw(count) {
    const fresh = [];
    for (let i = 0; i < count; i += 1) {
      const [code] = twoNormals();
      const centre = model.decode(code), shaken = twoNormals();
      const point = centre.map((value, axis) => value + model.sigma * shaken[axis]);
      fresh.push(point);
      if (count === 1) [z, last] = [code, { z: code, x: point }];
    }
    if (count > 1) last = null;
    draws = draws.concat(fresh).slice(0, MOST);
    paint(fresh);
    if (count === 1) report();
  }

  function report() {
    const at = [rounded(z, 3), ...x.map((value) => rounded(value, 3))];
    shared.sent(at);
    component.setStateValue("release", { at, when: Date.now() });
  }

  function moveCode(next) {
    z = clamp(next, ...component.data.shown);
    last = null;
    show();
  }

  function moveObservation(next) {
    const { low, high } = component.data;
    x = next.map((value, axis) => clamp(value, low[axis], high[axis]));
    show();
  }

  function listen() {
    let before;
    onDrag(square, {
      start: () => (before = x),
      follow(event) {
        const { low, high } = component.data, box = square.getBoundingClientRect();
        const at = [(event.clientX - box.left) / box.width, 1 - (event.clientY - box.top) / box.height];
        moveObservation(at.map((each, axis) => low[axis] + each * (high[axis] - low[axis])));
      },
      release: report,
      cancel: () => moveObservation(before),
    });
    onArrows(square, ([right, down], event) => {
      const stride = event.shiftKey ? 0.5 : 0.05;
      moveObservation([x[0] + right * stride, x[1] - down * stride]);
    }, report);
    for (const { node } of charts) {
      onDrag(node, {
        start: () => (before = z),
        follow(event) {
          const { shown } = component.data, box = node.getBoundingClientRect();
          moveCode(shown[0] + ((event.clientX - box.left) / box.width) * (shown[1] - shown[0]));
        },
        release: report,
        cancel: () => moveCode(before),
      });
      onArrows(node, ([right, down], event) => moveCode(z + (right - down) * (event.shiftKey ? 0.5 : 0.05)), report);
    }
  }

  /** What depends on the model alone. */
  function build(data) {
    model = makeModel(data);
    [draws, last] = [[], null];
    image.src = data.density;
    let path = "";
    for (let i = 0; i < model.z.length; i += 1) {
      if (Math.abs(model.z[i]) > DRAWN) continue;
      const [right, down] = place([model.f[2 * i], model.f[2 * i + 1]]);
      path += `${path ? "L" : "M"}${(100 * right).toFixed(2)} ${(100 * down).toFixed(2)}`;
    }
    for (const node of [under, over]) attributes(node, { d: path });
    const [across, up, codes, first, second] = data.axes;
    body.replaceChildren(
      el("div", { class: "half" },
        el("div", { class: "legend" }, key("mean", "f(z), 1 and 2 sigma"), key("seen", "observed x: drag it")),
        el("div", { class: "plot" }, ...framed(square, [across, up]))),
      el("div", { class: "half charts" },
        el("div", { class: "legend" }, key("prior", "prior p(z): drag along z"), key("posterior", "posterior p(z | x)")),
        el("div", { class: "plot" }, ...framed(densities.node, [{ name: "", ticks: codes.ticks }, first])),
        el("div", { class: "legend" }, key("joint", "p(z) p(x | z): its area is p(x)"), key("likelihood", "p(x | z), own scale")),
        el("div", { class: "plot" }, ...framed(product.node, [codes, second])),
        el("div", { class: "controls" }, one, many, clear, el("label", {}, density, "exact p(x)"), save),
        el("div", { class: "told" },
          el("p", {}, el("strong", {}, "Forward "), told.code),
          el("p", {}, el("strong", {}, "Backward "), told.observed, ": ", told.evidence))));
    power = 0;
    magnified.textContent = "";
    requestAnimationFrame(repaint);
  }

  listen();
  const sizes = new ResizeObserver(() => component && model && repaint());
  sizes.observe(square);
  return {
    root,
    update(next) {
      component = next;
      const { at, ...scene } = next.data;
      const wanted = JSON.stringify(scene);
      if (wanted !== built) {
        built = wanted;
        build(next.data);
      }
      if (shared.take(at)) [z, x] = [at[0], at.slice(1)];
      show();
    },
    destroy() {
      show.cancel();
      sizes.disconnect();
    },
  };
}

export default (component) => mountOnce(component, createCurvePlane);
