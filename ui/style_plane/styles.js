// The plane of two latents of a conditional VAE, with dots and the prior's rings; the code under the hand is decoded
// once for every class.

const MARGIN = { left: 50, bottom: 46, top: 8, right: 8 };

function createStyles() {
  let component;
  let at = [0, 0];
  let built = "";
  let drawn = "";
  let pictures = [];
  const decoders = makeDecoders();
  const shared = makeShared();
  const show = oncePerFrame(showNow);
  const still = el("canvas", { class: "still", "aria-hidden": "true" });
  const here = el("div", { class: "here" });
  const square = el("div", { class: "square", tabindex: 0, role: "application", "data-testid": "style-plane",
    "aria-roledescription": "plane of styles" }, still, here);
  const code = el("output", { class: "code" });
  const grid = el("div", { class: "classes" });
  const hint = el("p", { class: "hint", role: "status" });
  const back = el("button", { type: "button" }, "To the middle");
  const save = el("button", { type: "button" }, "Save as PNG");
  const root = el("div", { class: "view style-view" }, hint, el("div", { class: "pair" }, square,
    el("div", { class: "out" }, grid, code, el("div", { class: "controls" }, back, save))));

  const plain = (value) => value.toFixed(2).replace("-", "\u2212");
  const side = () => square.clientWidth;
  const plot = () => ({ left: MARGIN.left, top: MARGIN.top, size: side() - MARGIN.left - MARGIN.right,
    tall: side() - MARGIN.top - MARGIN.bottom });
  const x = (z) => plot().left + ((z + component.data.reach) / (2 * component.data.reach)) * plot().size;
  const y = (z) => plot().top + ((component.data.reach - z) / (2 * component.data.reach)) * plot().tall;

  /** The whole code with a class behind it, as the decoder takes it. */
  function input(label) {
    const { anchor, axes, classes } = component.data;
    const z = [...anchor];
    axes.forEach((axis, i) => (z[axis] = at[i]));
    return [...z, ...classes.map((_, each) => (each === label ? 1 : 0))];
  }

  function showNow() {
    const { data } = component;
    here.style.transform = `translate(${x(at[0])}px, ${y(at[1])}px)`;
    const [a, b] = data.axes.map((axis) => axis + 1);
    code.textContent = `latent ${a} = ${plain(at[0])}, latent ${b} = ${plain(at[1])}`;
    square.setAttribute("aria-label", `Plane of styles. ${code.textContent}. Arrow keys move.`);
    const decoder = decoders.get(data.decoder);
    if (decoder) pictures.forEach((canvas, label) => showDecoded(canvas, decoder, input(label)));
  }

  function move(right, up) {
    const { reach } = component.data;
    at = [clamp(right, -reach, reach), clamp(up, -reach, reach)];
    show();
  }

  function report() {
    at = at.map((value) => rounded(value, 3)); // as many decimals as Python and the link keep
    show();
    shared.sent(at);
    component.setStateValue("release", { at, when: Date.now() });
  }

  /** Dots, rings and axes, in the theme's own ink. */
  function drawStill() {
    const { data } = component, ratio = window.devicePixelRatio || 1, style = getComputedStyle(root);
    const ink = style.color, wide = side();
    const showing = JSON.stringify([wide, ratio, ink, built]);
    if (!wide || showing === drawn) return;
    drawn = showing;
    still.width = still.height = Math.round(wide * ratio);
    const page = still.getContext("2d"), { left, top, size, tall } = plot();
    page.setTransform(ratio, 0, 0, ratio, 0, 0);
    page.clearRect(0, 0, wide, wide);
    page.font = `14px ${style.fontFamily}`;
    page.save();
    page.beginPath();
    page.rect(left, top, size, tall);
    page.clip();
    const codes = new Float32Array(fromBase64(data.dots).buffer), labels = fromBase64(data.labels);
    page.globalAlpha = 0.55;
    for (let i = 0; i < labels.length; i++) {
      page.fillStyle = data.colours[labels[i] % data.colours.length];
      page.fillRect(x(codes[2 * i]) - 1.5, y(codes[2 * i + 1]) - 1.5, 3, 3);
    }
    page.globalAlpha = 1;
    page.strokeStyle = ink;
    page.textAlign = "center";
    for (const radius of [1, 2, 3]) {
      page.lineWidth = 1.5;
      page.beginPath();
      page.ellipse(x(0), y(0), x(radius) - x(0), y(0) - y(radius), 0, 0, 2 * Math.PI);
      page.stroke();
      page.lineWidth = 4;
      page.strokeStyle = style.getPropertyValue("--paper");
      page.strokeText(`${radius} sigma`, x(0), y(radius) + 17);
      page.fillStyle = page.strokeStyle = ink;
      page.fillText(`${radius} sigma`, x(0), y(radius) + 17);
    }
    page.restore();
    page.fillStyle = page.strokeStyle = ink;
    page.lineWidth = 1;
    page.strokeRect(left + 0.5, top + 0.5, size - 1, tall - 1);
    const across = Math.floor(data.reach);
    for (let value = -across; value <= across; value++) {
      page.textAlign = "center";
      page.fillText(String(value).replace("-", "\u2212"), x(value), top + tall + 18);
      page.textAlign = "right";
      page.fillText(String(value).replace("-", "\u2212"), left - 7, y(value) + 5);
    }
    page.textAlign = "center";
    page.fillText(`latent ${data.axes[0] + 1}`, left + size / 2, top + tall + 38);
    page.save();
    page.translate(14, top + tall / 2);
    page.rotate(-Math.PI / 2);
    page.fillText(`latent ${data.axes[1] + 1}`, 0, 0);
    page.restore();
  }

  const place = (event) => {
    const box = square.getBoundingClientRect(), { left, top, size, tall } = plot(), { reach } = component.data;
    return [((event.clientX - box.left - left) / size) * 2 * reach - reach,
      reach - ((event.clientY - box.top - top) / tall) * 2 * reach];
  };
  let before = at;
  onDrag(square, { start: () => (before = at), follow: (event) => move(...place(event)), release: report, hover: true,
    cancel: () => { at = before; show(); } });
  onArrows(square, ([right, down], event) => {
    const stride = event.shiftKey ? 0.5 : 0.1;
    move(at[0] + right * stride, at[1] - down * stride);
  }, report);
  back.addEventListener("click", () => { move(0, 0); report(); });
  save.addEventListener("click", () => savePng(filmPicture(root, [{ title: code.textContent, frames: pictures }]), "styles"));
  const watcher = new ResizeObserver(() => component && (drawStill(), show()));
  watcher.observe(square);

  function build({ classes, colours }) {
    pictures = classes.map((name, label) =>
      el("canvas", { role: "img", "data-testid": `class-${label}`, "aria-label": `The code drawn as ${name}` }));
    grid.replaceChildren(...pictures.map((canvas, label) => el("figure", {}, canvas,
      el("figcaption", {}, el("i", { class: "swatch", style: `background: ${colours[label % colours.length]}` }), classes[label]))));
  }

  return {
    root,
    update(next) {
      component = next;
      const { data } = next;
      const wanted = JSON.stringify([data.classes, data.dots, data.axes]);
      if (wanted !== built) build(data);
      built = wanted;
      hint.textContent = "";
      if (shared.take(data.at)) at = [...data.at];
      drawStill();
      show();
      decoders.want([data.decoder], () => component === next && show(), (sentence) => (hint.textContent = sentence));
    },
    destroy() {
      watcher.disconnect();
      show.cancel();
    },
  };
}

export default (component) => mountOnce(component, createStyles);
