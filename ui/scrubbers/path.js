// A path between two codes, scrubbed by hand: one big picture a strip, the film strips under one another.

/** A strip whose frames are decoded from the model's own weights; `decoder` is null until they arrive. */
function decodedStrip(spec, path, decoder) {
  const { at, note } = PATHS[path](spec.a, spec.b);
  return {
    ready: decoder !== null,
    side: decoder?.image[1] ?? 0,
    paint(canvas, t) {
      showDecoded(canvas, decoder, at(t));
    },
    text: (t) => codeText(at(t)),
    note,
  };
}

/** The strip that shows what a latent path is not: pixels faded into pixels. */
function blendedStrip(spec) {
  const [start, end] = [fromBase64(spec.start), fromBase64(spec.end)];
  const pixels = new Float32Array(start.length);
  return {
    ready: true,
    side: spec.image[1],
    paint(canvas, t) {
      for (let i = 0; i < pixels.length; i += 1) pixels[i] = ((1 - t) * start[i] + t * end[i]) / 255;
      paintPixels(canvas, pixels, spec.image);
    },
    text: () => "no latent code",
    note: "",
  };
}

function createPath() {
  let component;
  let strips = []; // {spec, painter, big, readout, note, frames}
  const decoders = makeDecoders();
  let t = 0.5;
  let shape = "";
  let film = "";
  let player = null;
  const sharedT = makeShared();
  const stage = makeStage(showNow);

  const hint = el("p", { class: "hint" });
  const bigs = el("div", { class: "bigs" });
  const slider = el("input", { type: "range", min: 0, max: 1, step: 0.001, class: "along",
    "aria-label": "Position on the path from A to B, t" });
  const readout = el("output", { class: "t" });
  const play = el("button", { type: "button" }, "Play");
  const save = el("button", { type: "button" }, "Save as PNG");
  const films = el("div", { class: "films" });
  const ends = el("div", { class: "ends" }, el("span"), el("span"));
  const root = el("div", { class: "view path-view" }, hint,
    el("div", { class: "now" }, bigs, el("div", { class: "controls" }, play, readout, save)),
    el("div", { class: "film scale" }, ends, el("div", { class: "slot" }, slider)), films);

  /** The picture at t in every strip, the slider, the gates. */
  function showNow() {
    root.style.setProperty("--t", t);
    slider.value = t;
    slider.setAttribute("aria-valuetext", `t = ${t.toFixed(2)}`);
    readout.textContent = `t = ${t.toFixed(2)}`;
    for (const strip of strips) {
      if (!strip.painter.ready) continue;
      strip.painter.paint(strip.big, t);
      strip.readout.textContent = strip.painter.text(t);
    }
  }

  /** The film frames, one job each, so that they never hold up the hand. */
  function fillFilms() {
    const steps = component.data.steps;
    stage.replaceJobs(strips.filter((strip) => strip.painter.ready).flatMap((strip) =>
      strip.frames.map((canvas, k) => () => strip.painter.paint(canvas, k / (steps - 1)))));
  }

  function move(next) {
    t = rounded(clamp(next, 0, 1), 3);
    stage.show();
  }

  function report() {
    sharedT.sent(t);
    component.setStateValue("release", { at: t, when: Date.now() });
  }

  /** Build the canvases; only when the number of strips or frames changes. */
  function build({ strips: specs, steps }) {
    root.style.setProperty("--n", steps);
    root.style.setProperty("--strips", specs.length);
    strips = specs.map((spec, i) => ({
      big: el("canvas", { "data-testid": `decoded-${i}`, role: "img" }),
      frames: Array.from({ length: steps }, () => el("canvas", { "aria-hidden": "true" })),
      readout: el("span", { class: "note" }),
      title: el("span"),
      filmTitle: el("span"),
      note: el("p", { class: "note" }),
    }));
    bigs.replaceChildren(...strips.map((strip) => el("figure", {}, strip.big,
      el("figcaption", {}, el("span", { class: "name" }, el("i", { class: "swatch" }), strip.title), strip.readout))));
    films.replaceChildren(...strips.map((strip) => el("div", { class: "film" },
      el("div", { class: "tag" }, el("p", {}, el("i", { class: "swatch" }), strip.filmTitle), strip.note),
      el("div", { class: "frames" }, ...strip.frames, el("div", { class: "gate" })))));
    for (const frames of films.querySelectorAll(".frames")) scrubOn(frames);
  }

  function scrubOn(frames) {
    let before = t;
    const follow = (event) => move(alongFrames(frames, component.data.steps, event.clientX));
    const start = () => {
      before = t;
      stopPlaying();
    };
    onDrag(frames, { start, follow, release: report, cancel: () => move(before) });
  }

  /** Walk from t to B in up to 8 seconds; frame by frame for those who asked for less motion. */
  function startPlaying() {
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const from = t >= 1 ? 0 : t;
    const began = performance.now();
    const last = component.data.steps - 1;
    const tick = (now) => {
      const smooth = Math.min(1, from + Math.max(0, now - began) / 8000);
      move(calm && smooth < 1 ? Math.floor(smooth * last) / last : smooth);
      if (smooth < 1) player = requestAnimationFrame(tick);
      else stopPlaying(true);
    };
    player = requestAnimationFrame(tick);
    play.textContent = "Stop";
  }

  function stopPlaying(andReport = false) {
    if (player === null) return;
    cancelAnimationFrame(player);
    player = null;
    play.textContent = "Play";
    if (andReport) report();
  }

  play.addEventListener("click", () => (player === null ? startPlaying() : stopPlaying(true)));
  save.addEventListener("click", () => savePng(filmPicture(root,
    strips.map(({ spec, frames }) => ({ title: spec.title, frames }))), "interpolation"));
  slider.addEventListener("input", () => {
    stopPlaying();
    move(Number(slider.value));
  });
  slider.addEventListener("change", report);
  slider.addEventListener("keydown", (event) => {
    const stride = { ArrowRight: 0.01, ArrowUp: 0.01, ArrowLeft: -0.01, ArrowDown: -0.01, PageUp: 0.1, PageDown: -0.1 };
    if (!(event.key in stride)) return;
    event.preventDefault();
    stopPlaying();
    move(t + stride[event.key] * (event.shiftKey ? 10 : 1));
  });
  slider.addEventListener("keyup", (event) => /^(Arrow|Page)/.test(event.key) && report());

  /** Take over what Python says; decode the films anew only when what they show has changed. */
  function refresh() {
    const { data } = component;
    strips.forEach((strip, i) => {
      const spec = data.strips[i];
      Object.assign(strip, { spec, painter: spec.decoder
        ? decodedStrip(spec, data.path, decoders.get(spec.decoder)) : blendedStrip(spec) });
      strip.title.textContent = strip.filmTitle.textContent = spec.title;
      strip.note.textContent = strip.painter.note;
      strip.big.setAttribute("aria-label", `${spec.title} at the chosen position`);
      for (const place of [bigs, films]) place.children[i].style.setProperty("--role", spec.colour);
    });
    root.classList.toggle("fine", strips.some((strip) => strip.painter.side > 40));
    const showing = JSON.stringify([data.strips, data.path, strips.map((strip) => strip.painter.ready)]);
    if (showing !== film) fillFilms();
    film = showing;
    stage.show();
  }

  return {
    root,
    update(next) {
      component = next;
      const { data } = next;
      const wanted = JSON.stringify([data.strips.length, data.steps]);
      if (wanted !== shape) [shape, film] = [wanted, ""], build(data);
      hint.textContent = data.hint;
      [ends.children[0].textContent, ends.children[1].textContent] = data.ends;
      if (sharedT.take(data.t)) t = clamp(data.t, 0, 1);
      refresh();
      decoders.want(data.strips.map((strip) => strip.decoder), () => component === next && refresh(),
        (sentence) => (hint.textContent = sentence));
    },
    destroy() {
      stopPlaying();
      stage.stop();
    },
  };
}

export default (component) => mountOnce(component, createPath);
