// A training as a film: the plane of the held-out codes, frame by frame, live while it trains, by hand afterwards.

const PLAY = 12000, CATCH_UP = 850; // ms: the whole film; to walk to the newest frame, before the next ones come

function createLive() {
  let component, theme;
  let packs = []; // in order; a place keeps its older pack until the newer one is here
  let film = ""; // which training, along which axes
  let words = ""; // what was last written around it
  let frames = []; // {step, codes, labels, strip}
  let shown = null;
  let live = false; // follow the newest frame
  let timer = null; // of Play, or of the walk to the newest frame
  let playing = false;
  const shared = makeShared();
  const draw = oncePerFrame(drawNow);
  const pictures = makePictures();

  const canvas = el("canvas", { class: "plane", role: "img", "data-testid": "plane" });
  const notice = el("div", { class: "notice", role: "status" });
  const stage = el("div", { class: "stage" }, canvas, notice);
  const play = el("button", { type: "button", onclick: () => (playing ? pause(true) : startPlaying()) }, "Play");
  const follow = el("button", { type: "button", class: "follow", onclick: goLive, title: "Follow the newest frame" }, "Live");
  const slider = el("input", { type: "range", min: 0, max: 0, step: 1, value: 0, class: "along", "aria-label": "Frame of the training" });
  const readout = el("output", { class: "readout" });
  const save = el("button", { type: "button", class: "save", onclick: () => savePng(poster(), "training") }, "Save picture");
  const legend = el("div", { class: "legend", "aria-label": "Colours of the classes" });
  const note = el("p", { class: "note" });
  const root = el("div", { class: "view", "data-testid": "live-plane" }, el("div", { class: "live-plane" },
    el("div", { class: "side" }, stage,
      el("div", { class: "controls film-controls" }, play, follow, slider, readout, save), legend, note),
    pictures.root));
  const sizes = new ResizeObserver(draw);
  sizes.observe(stage);

  // ------------------------------------------------------------ drawing

  const where = () => frames.indexOf(shown);

  function drawNow() {
    const side = Math.floor(stage.clientWidth);
    if (!side || !component) return;
    const { data } = component;
    drawCloud(canvas, side, window.devicePixelRatio || 1, theme, shown, data, windowOf(frames));
    canvas.setAttribute("aria-label", shown ? `Latent plane, ${positionText()}: ${shown.labels.length} held-out images` : "Empty latent plane");
    notice.textContent = frames.length ? "" : data.packs.length ? "Loading the frames\u2026" : data.notice;
    notice.hidden = frames.length > 0;
    readout.textContent = shown ? positionText() : "no frame yet";
    slider.max = Math.max(0, frames.length - 1);
    slider.value = Math.max(0, where());
    slider.disabled = play.disabled = save.disabled = frames.length < 1;
    slider.setAttribute("aria-valuetext", readout.textContent);
    root.style.setProperty("--done", frames.length > 1 ? where() / (frames.length - 1) : 0);
    follow.hidden = !data.running;
    follow.setAttribute("aria-pressed", String(live));
    play.textContent = playing ? "Pause" : "Play";
    root.dataset.step = shown?.step ?? "";
    root.dataset.frames = frames.length;
    pictures.show(shown);
  }

  /** "epoch 5.0 of 20, step 1,170". */
  function positionText() {
    const { steps, epochs } = component.data;
    return `epoch ${((shown.step / steps) * epochs).toFixed(1)} of ${epochs}, step ${shown.step.toLocaleString("en")}`;
  }

  function go(index) {
    shown = frames[clamp(index, 0, frames.length - 1)] ?? null;
    draw();
  }

  // ------------------------------------------------------------ hands and time

  function halt() {
    clearTimeout(timer);
    timer = null;
    playing = false;
  }

  function pause(andReport = false) {
    halt();
    draw();
    if (andReport) report();
  }

  function startPlaying() {
    halt();
    live = false;
    playing = true;
    if (where() >= frames.length - 1) go(0);
    const tick = () => {
      go(where() + 1);
      if (where() >= frames.length - 1) return component.data.running ? goLive() : pause(true);
      timer = setTimeout(tick, Math.max(60, PLAY / frames.length));
    };
    timer = setTimeout(tick, 300);
    draw();
  }

  function goLive() {
    halt();
    live = true;
    go(frames.length - 1);
    report();
  }

  /** Walk through the frames that are new, so that none is skipped and the plane moves rather than jumps. */
  function catchUp() {
    clearTimeout(timer);
    const behind = frames.length - 1 - where();
    if (behind < 1) return;
    if (behind > 12 || matchMedia("(prefers-reduced-motion: reduce)").matches) return go(frames.length - 1);
    const tick = () => {
      go(where() + 1);
      if (live && where() < frames.length - 1) timer = setTimeout(tick, CATCH_UP / behind);
    };
    tick();
  }

  function report() {
    const at = live || !shown ? null : shown.step;
    shared.sent(at);
    component.setStateValue("release", { at, when: Date.now() });
  }

  slider.addEventListener("input", () => {
    halt();
    live = false;
    go(Number(slider.value));
  });
  slider.addEventListener("change", report);

  // ------------------------------------------------------------ frames arrive

  function collect() {
    const step = shown?.step, first = frames.length === 0;
    frames = packs.flatMap((pack) => (pack ? pack.steps.map((each, i) => pack.frames[i]) : []));
    if (first) {
      const asked = component.data.at;
      go(asked === null ? frames.length - 1 : nearest(asked));
    } else {
      shown = frames[nearest(step)] ?? null;
      if (live && !playing) catchUp();
    }
    draw();
  }

  /** The number of the frame at a step, or of the one just before it. */
  const nearest = (step) => Math.max(0, frames.findLastIndex((frame) => frame.step <= step));

  function want(ids) {
    packs.length = Math.min(packs.length, ids.length);
    ids.forEach((id, i) => {
      if (packs[i]?.id === id) return;
      awaitPack(id).then((pack) => {
        if (component.data.packs[i] !== id) return;
        pack.frames ??= pack.steps.map((step, k) => ({ step, codes: pack.codes[k], labels: pack.labels, strip: pack.strips[k] }));
        const old = new Map((packs[i]?.frames ?? []).map((frame) => [frame.step, frame]));
        pack.frames = pack.frames.map((frame) => old.get(frame.step) ?? frame); // what was decoded stays decoded
        packs[i] = pack;
        if (component.data.packs.every((each, k) => packs[k])) collect();
      }).catch((error) => {
        if (component.data.packs[i] === id && !frames.length) notice.textContent = error.message;
      });
    });
  }

  function describe({ classes, colours, note: text, samples }) {
    const told = classes.length > 1 && classes.length <= 20;
    legend.replaceChildren(...(told ? classes.map((name, i) => el("span", {},
      el("i", { class: "swatch", style: `--role: ${colours[i % colours.length]}` }), name)) : []));
    note.textContent = text;
    pictures.entitle(samples);
  }

  // ------------------------------------------------------------ a picture to keep

  /** Plane and pictures side by side, twice the size, on the page's own paper. */
  function poster() {
    const side = 560, tile = 64, gap = 4, head = 32, right = side + 24, wide = 4 * tile + 3 * gap;
    const page = el("canvas");
    [page.width, page.height] = [2 * (right + wide + 16), 2 * (head + Math.max(side, 8 * (tile + gap) + 3 * head))];
    const context = page.getContext("2d"), plane = el("canvas");
    context.scale(2, 2);
    context.fillStyle = theme.paper;
    context.fillRect(0, 0, page.width, page.height);
    drawCloud(plane, side, 2, theme, shown, component.data, windowOf(frames));
    context.drawImage(plane, 0, head, side, side);
    context.fillStyle = theme.ink;
    context.textBaseline = "top";
    context.font = `600 16px ${theme.font}`;
    context.fillText(`${component.data.title}, ${positionText()}`, EDGE.left, 10, side + wide - EDGE.left);
    context.font = `13px ${theme.font}`;
    context.fillText("Images, reconstructions", right, head + 8);
    context.fillText("Samples", right, 2 * head + 4 * (tile + gap) + 8);
    context.fillText(`${shown.labels.length.toLocaleString("en")} held-out images. ${component.data.note}`, EDGE.left, head + side + 8);
    context.imageSmoothingEnabled = false;
    const { pairs } = component.data;
    pictures.tiles().forEach((canvas, i) => {
      const sample = i - 2 * pairs, [k, of] = [i % pairs, Math.floor(i / pairs)];
      const row = sample >= 0 ? 4 + Math.floor(sample / 4) : 2 * Math.floor(k / 4) + of, column = (sample >= 0 ? sample : k) % 4;
      const below = head + head + row * (tile + gap) + (sample >= 0 ? head : 0);
      context.drawImage(canvas, right + column * (tile + gap), below, tile, (tile * canvas.height) / canvas.width);
    });
    return page;
  }

  return {
    root,
    update(next) {
      const { data } = next, mounting = component === undefined, ran = component?.data.running;
      component = next;
      theme = readTheme(root);
      if (film !== data.film) {
        [film, packs, frames, shown] = [data.film, [], [], null];
        halt();
        pictures.build(data.pairs, data.draws);
        live = data.running && data.at === null;
      }
      if (data.running && ran === false && data.at === null) live = true; // it was resumed
      if (!data.running && !mounting && live) [live, timer] = [false, clearTimeout(timer) ?? null];
      if (shared.take(data.at) && frames.length && data.at !== null) {
        [live, playing] = [false, false];
        go(nearest(data.at));
      }
      if (words !== (words = JSON.stringify([data.classes, data.note, data.samples]))) describe(data);
      want(data.packs);
      if (!data.running && ran && frames.length && data.at === null) go(frames.length - 1);
      draw();
    },
    destroy() {
      halt();
      draw.cancel();
      sizes.disconnect();
    },
  };
}

export default (component) => mountOnce(component, createLive);
