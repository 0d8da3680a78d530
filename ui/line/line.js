// A decoder with one latent: its line under a slider, the memorised pictures as marks on it.

function createLine() {
  let component;
  let z = 0;
  let shape = "";
  let film = "";
  let frames = [];
  let pictures = [];
  const decoders = makeDecoders();
  const shared = makeShared();
  const stage = makeStage(showNow);

  const side = (word) => ({ word, canvas: el("canvas", { role: "img" }), text: el("span") });
  const [left, here, right] = [side("Left mark"), side("Decoded here"), side("Right mark")];
  here.canvas.dataset.testid = "decoded-line";
  const hint = el("p", { class: "hint" });
  const trio = el("div", { class: "trio" }, ...[left, here, right].map((one) =>
    el("figure", {}, one.canvas, el("figcaption", {}, el("strong", {}, one.word), one.text))));
  const slider = el("input", { type: "range", step: "any", class: "along", "aria-label": "Place on the line, z" });
  const marks = el("div", { class: "marks", "aria-hidden": "true" });
  const strip = el("div", { class: "frames" });
  const ends = el("div", { class: "ends" }, el("span"), el("span", {}, "the only latent, z"), el("span"));
  const back = el("button", { type: "button" }, "To the mark on the left");
  const forth = el("button", { type: "button" }, "To the mark on the right");
  const half = el("button", { type: "button" }, "Halfway between");
  const root = el("div", { class: "view line-view" }, hint, trio,
    el("div", { class: "track" }, strip, slider, marks, ends), el("div", { class: "controls" }, back, half, forth));

  const share = (value) => {
    const [low, high] = component.data.ends;
    return (value - low) / (high - low);
  };
  const number = (value) => value.toFixed(2).replace("-", "\u2212");

  /** The marks on both sides of z, by their place in order; -1 and N where there is none. */
  function sides() {
    const { marks: all } = component.data;
    const after = all.findIndex((mark) => mark > z + 1e-9);
    const next = after < 0 ? all.length : after;
    return [next - 1, next];
  }

  function showSide(one, place) {
    const there = place >= 0 && place < pictures.length;
    one.canvas.classList.toggle("none", !there);
    paintPixels(one.canvas, there ? pictures[place] : new Uint8Array(pictures[0].length), component.data.image);
    const text = there ? `image ${component.data.numbers[place]}: z = ${number(component.data.marks[place])}` : "no more marks";
    one.text.textContent = text;
    one.canvas.setAttribute("aria-label", `${one.word}: ${text}`);
  }

  function showNow() {
    const decoder = decoders.get(component.data.decoder);
    const [before, after] = sides();
    root.style.setProperty("--t", share(z));
    slider.value = z;
    slider.setAttribute("aria-valuetext", `z = ${number(z)}`);
    showSide(left, before);
    showSide(right, after);
    back.disabled = before < 0;
    forth.disabled = after >= pictures.length;
    half.disabled = before < 0 || forth.disabled;
    if (!decoder) return;
    showDecoded(here.canvas, decoder, [z]);
    here.text.textContent = `z = ${number(z)}`;
    here.canvas.setAttribute("aria-label", `The picture decoded at z = ${number(z)}`);
  }

  function fillFilm() {
    const decoder = decoders.get(component.data.decoder);
    const [low, high] = component.data.ends;
    if (!decoder) return;
    stage.replaceJobs(frames.map((canvas, k) => () =>
      paintPixels(canvas, decoder.decode([low + ((high - low) * (k + 0.5)) / frames.length]), decoder.image)));
  }

  function move(next) {
    const [low, high] = component.data.ends;
    z = clamp(next, low, high);
    stage.show();
  }

  function report() {
    shared.sent(rounded(z, 6));
    component.setStateValue("release", { at: rounded(z, 6), when: Date.now() });
  }

  const jump = (where) => {
    const [before, after] = sides();
    const all = component.data.marks;
    const onMark = before >= 0 && Math.abs(all[before] - z) < 1e-9;
    if (where === "left") move(all[onMark ? Math.max(0, before - 1) : before]);
    else if (where === "right") move(all[after]);
    else move((all[before] + all[after]) / 2);
    report();
  };
  back.addEventListener("click", () => jump("left"));
  forth.addEventListener("click", () => jump("right"));
  half.addEventListener("click", () => jump("half"));
  slider.addEventListener("input", () => move(Number(slider.value)));
  slider.addEventListener("change", report);
  onDrag(strip, {
    follow(event) {
      const box = strip.getBoundingClientRect();
      const [low, high] = component.data.ends;
      move(low + clamp((event.clientX - box.left) / box.width, 0, 1) * (high - low));
    },
    release: report,
    cancel: () => {},
  });

  /** Canvases and marks; only when the pictures change. */
  function build(data) {
    const bytes = fromBase64(data.pictures);
    const each = data.image.reduce((a, b) => a * b, 1);
    pictures = data.marks.map((_, i) => bytes.subarray(i * each, (i + 1) * each));
    frames = Array.from({ length: data.frames }, () => el("canvas", { "aria-hidden": "true" }));
    root.style.setProperty("--n", data.frames);
    strip.replaceChildren(...frames);
    marks.replaceChildren(...data.marks.map((mark) => el("i", { style: `left: ${100 * share(mark)}%` })));
    [slider.min, slider.max] = data.ends;
    [ends.children[0].textContent, ends.children[2].textContent] = data.ends.map(number);
  }

  return {
    root,
    update(next) {
      component = next;
      const { data } = next;
      const wanted = JSON.stringify([data.marks, data.pictures]);
      if (wanted !== shape) [shape, film] = [wanted, ""], build(data);
      hint.textContent = data.hint;
      if (shared.take(rounded(data.at, 6))) move(data.at);
      const refresh = () => {
        const showing = `${shape} ${data.decoder} ${decoders.get(data.decoder) !== null}`;
        if (showing !== film) fillFilm();
        film = showing;
        stage.show();
      };
      refresh();
      decoders.want([data.decoder], () => component === next && refresh(), (sentence) => (hint.textContent = sentence));
    },
    destroy: () => stage.stop(),
  };
}

export default (component) => mountOnce(component, createLine);
