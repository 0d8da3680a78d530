// The planes beside each other, and the hands on them: play, pause, one step, speed, reset, and a new start.

const SPEEDS = { "slow motion": 2600, normal: 110, fast: 22 }; // milliseconds a step
const PARTS = ["move", "draws", "arrows"]; // of a step in slow motion
const SAID = { move: "the mean moves", draws: "new draws", arrows: "what each draw says" };

function createPaths() {
  let component, theme;
  let planes = []; // {walker, canvas, ...}
  let spec = null; // numbers, unpacked
  let packed = "";
  let step = 0, part = 1; // the step that is shown, and how far it has come: 1 is at rest
  let speed = "normal", timer = null, playing = false;
  let asked = null; // a start that was chosen, until Python answers
  let aimed = null; // {place, canvas}: a start that keys move, until Enter
  const shared = makeShared();
  const draw = oncePerFrame(drawNow);

  const hint = el("p", { class: "hint" });
  const body = el("div", { class: "planes" });
  const play = el("button", { type: "button", class: "play", onclick: () => (playing ? pause() : startPlaying()) }, "Play");
  const one = el("button", { type: "button", onclick: oneStep }, "One step");
  const reset = el("button", { type: "button", onclick: () => jump(0) }, "Reset");
  const pace = el("select", { "aria-label": "Speed", onchange: () => (speed = pace.value) },
    ...Object.keys(SPEEDS).map((name) => el("option", { value: name }, name)));
  pace.value = speed;
  const slider = el("input", { type: "range", min: 0, step: 1, class: "along", "aria-label": "Step" });
  const readout = el("output", { class: "readout" });
  const save = el("button", { type: "button", onclick: () => savePng(poster(), "gradients") }, "Save as PNG");
  const controls = el("div", { class: "controls" }, play, one, reset, pace, slider, readout, save);
  const root = el("div", { class: "view paths-view", "data-testid": "gradient-paths" }, controls, body);
  const sizes = new ResizeObserver(draw);
  sizes.observe(body);

  function readColours() {
    const style = getComputedStyle(root), value = (name, other) => style.getPropertyValue(name).trim() || other;
    return { ink: value("--st-text-color", "#222"), paper: value("--st-background-color", "#fff"), font: style.fontFamily };
  }

  /** How far each part of today's step has come. At rest all is shown; the next step first moves the mean. */
  function phase() {
    if (part >= 1) return REST;
    const of = (i) => clamp(3 * part - i, 0, 1);
    return { move: 0, draws: of(1), arrows: of(2), arriving: of(0) };
  }

  function drawNow() {
    if (!spec) return;
    const now = phase(), arriving = now.arriving ?? 1, before = step > 0 && arriving < 1;
    for (const { walker, canvas, told } of planes) {
      const side = Math.floor(canvas.clientWidth);
      if (!side) continue;
      const [n, shown] = before ? [step - 1, { move: arriving, draws: 1, arrows: 1 }] : [step, now];
      drawPlane(canvas, side, window.devicePixelRatio || 1, theme, spec, walker, n, shown, aimed?.place ?? asked);
      const words = aimed?.canvas === canvas ? `start at (${aimed.place.map((value) => plain(value)).join(", ")}): Enter`
        : isLost(walker) ? `${tell(walker)}: ${advice(walker, spec.limit)}` : tell(walker);
      told.textContent = words;
      canvas.setAttribute("aria-label",
        `${walker.title}, step ${step}: ${words}. Arrow keys choose a start, Enter begins there.`);
    }
    play.textContent = playing ? "Pause" : "Play";
    [slider.max, slider.value] = [spec.steps, step];
    root.style.setProperty("--done", step / spec.steps);
    const doing = part < 1 ? `: ${SAID[PARTS[Math.min(2, Math.floor(3 * part))]]}` : "";
    readout.textContent = `step ${step} of ${spec.steps}${doing}`;
    slider.setAttribute("aria-valuetext", readout.textContent);
    root.dataset.step = step;
    root.dataset.playing = playing;
  }

  const isLost = ({ lost }) => lost !== null && step >= lost;

  /** The mean, the widths and the distance to the target, in numbers. */
  function tell(walker) {
    const { means, sigmas } = walker;
    if (isLost(walker)) return givenUp(walker);
    const [x, y] = [means[2 * step], means[2 * step + 1]], [sx, sy] = [sigmas[2 * step], sigmas[2 * step + 1]];
    const far = Math.hypot(x - spec.target[0], y - spec.target[1]);
    const widths = Math.abs(sx - sy) < 5e-3 ? plain(sx) : `(${plain(sx)}, ${plain(sy)})`;
    return `\u03bc (${plain(x)}, ${plain(y)}), \u03c3 ${widths}, ${plain(far)} away`;
  }

  // ------------------------------------------------------------ time

  function halt() {
    cancelAnimationFrame(timer);
    [timer, playing] = [null, false];
  }

  /** Walk from the step at rest to `last`, at the chosen speed; the speed may change on the way. */
  function walk(last, done) {
    let clock = performance.now(), owed = 0;
    const tick = (now) => {
      const each = SPEEDS[speed];
      owed += Math.min(now - clock, 4 * each) / each; // a tab that slept does not leap
      clock = now;
      if (speed === "slow motion") {
        if (part >= 1) {
          if (step >= last) return done();
          [step, part, owed] = [step + 1, 0, 0];
        } else [part, owed] = [Math.min(1, part + owed), 0];
      } else {
        part = 1;
        for (; owed >= 1 && step < last; owed -= 1) step += 1;
        if (step >= last) return done();
      }
      draw();
      timer = requestAnimationFrame(tick);
    };
    timer = requestAnimationFrame(tick);
  }

  function startPlaying() {
    halt();
    if (step >= spec.steps) [step, part] = [0, 1];
    playing = true;
    walk(spec.steps, pause);
    draw();
  }

  function pause() {
    halt();
    part = 1;
    draw();
    report();
  }

  function oneStep() {
    halt();
    [part, step] = [1, step >= spec.steps ? 0 : step];
    if (speed !== "slow motion" || matchMedia("(prefers-reduced-motion: reduce)").matches) return jump(step + 1);
    playing = true;
    walk(step + 1, pause);
  }

  function jump(to) {
    halt();
    [step, part] = [clamp(to, 0, spec.steps), 1];
    draw();
    report();
  }

  function report(start = null) {
    shared.sent(step);
    component.setStateValue("release", { at: step, start, when: Date.now() });
  }

  slider.addEventListener("input", () => {
    halt();
    [step, part] = [Number(slider.value), 1];
    draw();
  });
  slider.addEventListener("change", () => report());

  // ------------------------------------------------------------ what Python tells

  const inside = (place) => place.map((value) => rounded(clamp(value, ...spec.window), 2));

  /** Begin at a place of a plane. */
  function begin(place) {
    halt();
    part = 1;
    [asked, aimed] = [inside(place), null];
    draw();
    report(asked);
  }

  function makePlane(walker) {
    const canvas = el("canvas", { role: "application", "aria-roledescription": "plane", tabindex: 0,
      "data-testid": `plane-${walker.name}` });
    const told = el("output", { class: "told" });
    canvas.addEventListener("click", (event) => {
      const box = canvas.getBoundingClientRect();
      begin(mapping(box.width, spec.window).back(event.clientX - box.left, event.clientY - box.top));
    });
    onArrows(canvas, ([right, down], event) => {
      const stride = event.shiftKey ? 1 : 0.25, [x, y] = aimed?.place ?? asked ?? walker.means; // the descent's own start
      aimed = { canvas, place: inside([x + right * stride, y - down * stride]) };
      draw();
    }, () => {});
    canvas.addEventListener("keydown", (event) => event.key === "Enter" && aimed && begin(aimed.place));
    canvas.addEventListener("blur", () => { aimed = null; draw(); });
    const title = el("strong", {}, el("i", { class: "swatch", style: `--role: ${walker.colour}` }), walker.title);
    const figure = el("figure", {}, el("figcaption", {}, title, el("span", {}, walker.words)), canvas, told);
    return { walker, canvas, told, figure };
  }

  const numbers = (text) => new Float32Array(fromBase64(text).buffer);

  function unpack(data) {
    const focused = planes.findIndex(({ canvas }) => canvas.matches(":focus"));
    spec = { ...data, noise: numbers(data.noise) };
    planes = data.walkers.map((walker) => makePlane({ ...walker, means: numbers(walker.means),
      sigmas: numbers(walker.sigmas), gradients: numbers(walker.gradients) }));
    body.replaceChildren(...planes.map(({ figure }) => figure), hint);
    planes[focused]?.canvas.focus({ preventScroll: true }); // the one that was left is gone
    root.style.setProperty("--count", planes.length);
  }

  /** The planes beside each other, twice the size, on the page's own paper. */
  function poster() {
    const side = 380, gap = 20, top = 34, foot = 64, page = el("canvas");
    [page.width, page.height] = [2 * (planes.length * (side + gap) + gap), 2 * (top + side + foot)];
    const context = page.getContext("2d");
    context.scale(2, 2);
    context.fillStyle = theme.paper;
    context.fillRect(0, 0, page.width, page.height);
    planes.forEach(({ walker }, i) => {
      const canvas = el("canvas"), left = gap + i * (side + gap);
      drawPlane(canvas, side, 2, theme, spec, walker, step, REST);
      context.drawImage(canvas, left, top, side, side);
      context.fillStyle = theme.ink;
      context.font = `600 16px ${theme.font}`;
      context.fillText(walker.title, left, 24);
      context.font = `13px ${theme.font}`;
      context.fillText(tell(walker), left, top + side + 20, side);
    });
    context.fillText(`${readout.textContent}. ${hint.textContent}`, gap, top + side + 48);
    return page;
  }

  return {
    root,
    update(next) {
      const { at, ...rest } = next.data, showing = JSON.stringify(rest);
      component = next;
      theme = readColours();
      hint.textContent = next.data.hint;
      if (showing !== packed) {
        unpack(next.data);
        asked = null;
        step = Math.min(step, spec.steps);
      }
      packed = showing;
      if (shared.take(at)) {
        halt();
        [step, part] = [clamp(at, 0, spec.steps), 1];
      }
      draw();
    },
    destroy() {
      halt();
      draw.cancel();
      sizes.disconnect();
    },
  };
}

export default (component) => mountOnce(component, createPaths);
