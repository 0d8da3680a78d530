// One picture in many colourings: the frames were made by the model, each at a value of one latent; a hand runs through.

function createStrip() {
  const SHOWN = 7; // frames in the film
  let component;
  let known = "";
  let frames = [];
  let place = 0;
  const shared = makeShared();
  const stage = makeStage(showNow);

  const large = el("canvas", { role: "img", class: "large" });
  large.dataset.testid = "coloured";
  const reading = el("output", { class: "reading" });
  const film = el("div", { class: "frames", "aria-hidden": "true" });
  const slider = el("input", { type: "range", min: 0, step: 1, class: "along" });
  const ends = el("div", { class: "ends" }, el("span"), el("span"), el("span"));
  const root = el("div", { class: "view strip-view" }, large, reading, film, slider, ends);

  const places = () => Array.from({ length: SHOWN }, (_, k) => Math.round((k * (frames.length - 1)) / (SHOWN - 1)));

  function showNow() {
    const { data } = component;
    paintPixels(large, frames[place], data.image);
    const text = `${data.axis} = ${signed(data.values[place])}`;
    reading.textContent = text;
    slider.value = place;
    slider.setAttribute("aria-valuetext", text);
    large.setAttribute("aria-label", `${data.about}, ${text}`);
    large.dataset.place = place;
  }

  function move(next) {
    place = clamp(Math.round(next), 0, frames.length - 1);
    stage.show();
  }

  function report() {
    shared.sent(place);
    component.setStateValue("release", { frame: place, when: Date.now() });
  }

  slider.addEventListener("input", () => move(Number(slider.value)));
  slider.addEventListener("change", report);
  onDrag(film, {
    follow(event) {
      const box = film.getBoundingClientRect();
      move(clamp((event.clientX - box.left) / box.width, 0, 1) * (frames.length - 1));
    },
    release: report,
    cancel: () => {},
  });

  /** Cut the bytes into frames; paint the film. */
  function build(data) {
    const bytes = fromBase64(data.frames);
    const each = data.image.reduce((a, b) => a * b, 1);
    frames = data.values.map((_, i) => bytes.subarray(i * each, (i + 1) * each));
    root.style.setProperty("--n", SHOWN);
    slider.max = frames.length - 1;
    film.replaceChildren(...places().map((k) => {
      const canvas = el("canvas");
      paintPixels(canvas, frames[k], data.image);
      return canvas;
    }));
    const [low, high] = [data.values[0], data.values[data.values.length - 1]];
    [ends.children[0].textContent, ends.children[1].textContent, ends.children[2].textContent] = [signed(low, 0), data.axis, signed(high, 0)];
    slider.setAttribute("aria-label", data.axis);
  }

  return {
    root,
    update(next) {
      component = next;
      const { data } = next;
      const wanted = JSON.stringify([data.frames, data.values, data.axis]);
      if (wanted !== known) {
        known = wanted;
        build(data);
        place = data.at;
        shared.take(data.at);
      } else if (shared.take(data.at)) {
        place = data.at;
      }
      stage.show();
    },
    destroy: () => stage.stop(),
  };
}

export default (component) => mountOnce(component, createStrip);
