// A Gaussian q(z) under the hand: the exact posterior behind it, log p(x) = ELBO + KL beside it.

const PACE = 70; // milliseconds a step of the descent stays on the screen
const MOST_STEPS = 300;
const ENOUGH = 1e-6; // nats gained in a step

function createBars() {
  let component;
  let model, seen, parts;
  let [x, q, start] = [[0, 0], [0, 1], [0, 1]];
  let history = [];
  let [shown, timer, scales] = ["", 0, {}];
  const shared = makeShared();

  const margin = { left: 56, right: 8, top: 12, bottom: 46 };
  const densities = makePanel("Over the latent z", 330, margin, "q over z. Arrow keys left and right move its mean, up and down its width.");
  const bars = makePanel("In nats", 330, { ...margin, right: 4 }, "log p(x) as ELBO and KL, and the ELBO over the steps");
  const plane = makePanel("Where x lies", 330, { ...margin, left: 60 }, "The plane of the data. Arrow keys move x.");
  bars.svg.setAttribute("role", "img");
  bars.svg.removeAttribute("tabindex");

  const value = (name) => el("output", { "data-testid": name });
  const out = { evidence: value("evidence"), elbo: value("elbo"), kl: value("kl"), recon: value("recon"), toPrior: value("to-prior"), again: value("elbo-again") };
  const term = (kind, name, output) => el("span", { class: `term ${kind}` }, el("i", { class: "swatch" }), ...[name].flat(), output);
  const sign = (text) => el("span", { class: "sign" }, text);
  const sums = el("div", { class: "sums" },
    el("div", {}, term("line", "log p(x)", out.evidence), sign("="), term("q", "ELBO", out.elbo), sign("+"), term("kl", "KL(q \u2016 p(z|x))", out.kl)),
    el("div", {}, term("q", "ELBO", out.again), sign("="), term("fit", ["E", el("sub", {}, "q"), " [log p(x|z)]"], out.recon), sign("\u2212"), term("prior", "KL(q \u2016 p(z))", out.toPrior)));
  const go = el("button", { type: "button", class: "main" }, "Let gradient descent do it");
  const once = el("button", { type: "button" }, "One step");
  const back = el("button", { type: "button" }, "Reset q");
  const told = el("output", { class: "code", "data-testid": "q" });
  const legend = el("p", { class: "legend" },
    ...[["posterior", "exact p(z|x)"], ["q", "q(z)"], ["prior-line", "prior p(z)"]].map(([kind, text]) =>
      el("span", { class: kind }, el("i", { class: "swatch" }), text)));
  densities.root.append(legend);
  plane.root.append(el("p", { class: "legend" }, "Curve f(z), marked by z; blue where q is. Dashed: 1 and 2 \u03c3 of the noise."));
  const root = el("div", { class: "view bound-view" }, el("div", { class: "controls" }, go, once, back, told),
    el("div", { class: "panels" }, densities.root, bars.root, plane.root), sums);

  const draw = oncePerFrame(() => {
    const { bounds, colours } = component.data;
    scales = {
      plane: drawPlane(plane, model, x, q, bounds, colours),
      densities: drawDensities(densities, model, seen, q, bounds, colours),
    };
    drawBars(bars, parts, seen, history, colours);
    for (const [name, key] of [["evidence", "evidence"], ["elbo", "elbo"], ["again", "elbo"], ["kl", "kl"], ["recon", "recon"], ["toPrior", "toPrior"]]) {
      out[name].textContent = number(parts[key]);
      out[name].dataset.value = parts[key];
    }
    told.textContent = `q: mean ${number(q[0])}, width ${number(q[1])}`;
    told.dataset.q = JSON.stringify(q);
    told.dataset.steps = history.length - 1;
  });

  /** A new q; by hand the history of the descent is over. */
  function settle(next, byHand = true) {
    q = within(next, component.data.bounds);
    parts = splitUp(model, seen, q);
    history = byHand ? [parts.elbo] : [...history, parts.elbo];
    draw();
  }

  function look(next) {
    const most = component.data.bounds.data;
    x = next.map((each) => clamp(each, -most, most));
    seen = observe(model, x);
    settle(q);
  }

  function report() {
    const state = { x: x.map((each) => rounded(each, 3)), q: q.map((each) => rounded(each, 4)) };
    shared.sent(state);
    component.setStateValue("release", { ...state, when: Date.now() });
  }

  function halt() {
    if (!timer) return;
    clearInterval(timer);
    timer = 0;
    go.textContent = "Let gradient descent do it";
  }

  function stepOnce() {
    const before = parts.elbo;
    settle(stepUp(q, parts.slope, component.data.bounds), false);
    return parts.elbo - before;
  }

  go.addEventListener("click", () => {
    if (timer) return halt(), report();
    history = [parts.elbo];
    go.textContent = "Stop";
    timer = setInterval(() => {
      if (Math.abs(stepOnce()) < ENOUGH || history.length > MOST_STEPS) halt(), report();
    }, PACE);
  });
  once.addEventListener("click", () => (halt(), stepOnce(), report()));
  back.addEventListener("click", () => (halt(), settle(start), report()));

  const spot = (panel, event) => {
    const box = panel.svg.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  let before; // a drag that is cancelled leaves all as it was
  let grabbed = null; // where on the handle the hand took it
  onDrag(densities.svg, {
    start: () => (halt(), (before = q), (grabbed = null)),
    follow(event) {
      const [right, down] = spot(densities, event);
      const { handle, across, up } = scales.densities;
      grabbed ??= Math.hypot(right - handle[0], down - handle[1]) < 30 ? [right - handle[0], down - handle[1]] : [0, 0];
      const height = Math.max(up.back(down - grabbed[1]), 1e-3);
      settle([across.back(right - grabbed[0]), Math.exp(-HALF_LOG_2PI) / height]);
    },
    release: report,
    cancel: () => settle(before),
  });
  onDrag(plane.svg, {
    start: () => (halt(), (before = x)),
    follow(event) {
      const [right, down] = spot(plane, event);
      look([scales.plane.across.back(right), scales.plane.up.back(down)]);
    },
    release: report,
    cancel: () => look(before),
  });
  onArrows(densities.svg, ([right, down], event) => {
    halt();
    const stride = event.shiftKey ? 5 : 1;
    settle([q[0] + 0.02 * stride * right, q[1] * Math.exp(0.02 * stride * down)]);
  }, report);
  onArrows(plane.svg, ([right, down], event) => {
    halt();
    const stride = event.shiftKey ? 0.25 : 0.05;
    look([x[0] + stride * right, x[1] - stride * down]);
  }, report);

  function fit() {
    densities.fit();
    bars.fit();
    plane.fit(true);
    if (seen) draw();
  }
  const sizes = new ResizeObserver(fit);
  sizes.observe(root);

  return {
    root,
    update(next) {
      component = next;
      const { data } = next;
      for (const [name, colour] of Object.entries(data.colours)) root.style.setProperty(`--${name}`, colour);
      const wanted = `${data.sigma} ${data.curve}`;
      const other = wanted !== shown;
      if (other) {
        halt();
        model = makeModel(new Float32Array(fromBase64(data.curve).buffer), data.reach, data.sigma);
        shown = wanted;
      }
      if (shared.take({ x: data.x, q: data.q }) || !seen) {
        halt();
        [x, q, start] = [[...data.x], [...data.q], [...data.q]];
        look(x);
      } else if (other) look(x);
      fit();
    },
    destroy: () => (halt(), draw.cancel(), sizes.disconnect()),
  };
}

export default (component) => mountOnce(component, createBars);
