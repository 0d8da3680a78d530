// Planes coloured cell by cell, with drawn codes on them; the spot under the pointer is decoded and described.

const SVG = "http://www.w3.org/2000/svg";

/** The planes as one picture on the page's own paper, with their draws, their boxes and the spots. */
function mapPicture(root, patches, views, spots) {
  const [side, margin] = [640, 64];
  const style = getComputedStyle(root);
  const canvas = el("canvas");
  canvas.width = margin + patches.length * (side + margin);
  canvas.height = side + 2 * margin;
  const page = canvas.getContext("2d");
  page.fillStyle = style.getPropertyValue("--st-background-color") || "#fff";
  page.fillRect(0, 0, canvas.width, canvas.height);
  page.imageSmoothingEnabled = false;
  patches.forEach((told, i) => {
    const [left, top] = [margin + i * (side + margin), margin];
    const at = (z) => [0, 1].map((axis) => (side * (z[axis] - told.low[axis])) / (told.high[axis] - told.low[axis]));
    const place = (z) => [left + at(z)[0], top + side - at(z)[1]];
    const ring = (z, radius, width, line, fill) => {
      page.beginPath();
      page.arc(...place(z), radius, 0, 2 * Math.PI);
      [page.lineWidth, page.strokeStyle, page.fillStyle] = [width, line, fill ?? "transparent"];
      page.fill();
      page.stroke();
    };
    page.drawImage(views[i].picture, left, top, side, side);
    const [[x, y], [right, up]] = told.box.map(place);
    [page.lineWidth, page.strokeStyle] = [2, "#fff"];
    page.strokeRect(x, up, right - x, y - up);
    for (const z of told.draws) ring(z, 5, 2, "#111", "#fff");
    ring(spots[i], 13, 4, "#e5007d");
    page.fillStyle = style.color;
    page.font = `20px ${style.fontFamily}`;
    page.fillText(told.title, left, top - 20);
    page.fillText(`${told.axes[0].name}: ${told.low[0].toPrecision(3)} to ${told.high[0].toPrecision(3)}, ` +
      `${told.axes[1].name}: ${told.low[1].toPrecision(3)} to ${told.high[1].toPrecision(3)}`, left, top + side + 32);
  });
  return canvas;
}

function createHoles() {
  let component;
  let views = [];
  let spots = []; // [latent 1, latent 2] in each plane
  let filled = "";
  const shared = makeShared();
  const decoders = makeDecoders();
  const show = oncePerFrame(() => views.forEach(showSpot));
  const body = el("div", { class: "planes" });
  const legend = el("div", { class: "legend" });
  const notice = el("p", { class: "note", role: "status" });
  const save = el("button", { type: "button" }, "Save as PNG");
  const root = el("div", { class: "view hole-view" }, body, legend, notice, el("div", { class: "controls" }, save));
  save.addEventListener("click", () => savePng(mapPicture(root, component.data.patches, views, spots), "holes"));

  const patch = (i) => component.data.patches[i];
  const fractionOf = ({ low, high }, z, axis) => (z[axis] - low[axis]) / (high[axis] - low[axis]);
  const plain = (value, digits = 2) => value.toFixed(digits).replace("-", "\u2212");

  /** What is known of the cell under a spot. */
  function cellOf({ side, low, high }, z) {
    const [right, up] = [0, 1].map((axis) => clamp(fractionOf({ low, high }, z, axis), 0, 0.999999));
    return Math.floor((1 - up) * side) * side + Math.floor(right * side);
  }

  function showSpot(view, i) {
    const told = patch(i), z = spots[i];
    const [right, up] = [0, 1].map((axis) => fractionOf(told, z, axis));
    view.square.style.setProperty("--x", right);
    view.square.style.setProperty("--y", 1 - up);
    const cell = cellOf(told, z), radii = view.radii[cell];
    view.code.textContent = `z = (${plain(z[0])}, ${plain(z[1])})`;
    view.far.textContent = `${radii < 10 ? plain(radii) : plain(radii, 0)} data radii from data: ${radii > 1 ? "a hole" : "no hole"}`;
    view.says.textContent = view.confidence
      ? `classifier: ${told.classes[view.seen[cell]]}, ${plain(view.confidence[cell])}` : "";
    view.square.setAttribute("aria-label", `Plane of ${told.title}. ${view.code.textContent}, ${view.far.textContent}. Arrow keys move.`);
    const decoder = decoders.get(told.decoder);
    if (decoder) showDecoded(view.large, decoder, z);
  }

  function move(i, right, down) {
    const { low, high } = patch(i);
    const at = [clamp(right, 0, 1), 1 - clamp(down, 0, 1)];
    spots[i] = at.map((place, axis) => rounded(low[axis] + place * (high[axis] - low[axis]), 4));
    show();
  }

  function report() {
    shared.sent(spots);
    component.setStateValue("release", { at: spots, when: Date.now() });
  }

  function makeView(_, i) {
    const overlay = document.createElementNS(SVG, "svg");
    overlay.setAttribute("viewBox", "0 0 400 400");
    overlay.setAttribute("aria-hidden", "true");
    const view = {
      overlay,
      picture: el("img", { alt: "", draggable: "false" }),
      names: el("div", { class: "names", "aria-hidden": "true" }),
      title: el("span"),
      large: el("canvas", { "data-testid": `spot-${i}`, role: "img", "aria-label": "The decoded spot" }),
      code: el("output", { class: "code" }),
      far: el("p"),
      says: el("p"),
      axes: [0, 1].map(() => ({ ticks: el("div", { class: "ticks" }), name: el("span", { class: "axis-name" }) })),
    };
    const [across, up] = view.axes;
    view.square = el("div", { class: "square", tabindex: 0, role: "application", "data-testid": `plane-${i}`,
      "aria-roledescription": "map of a latent plane" }, view.picture, overlay, view.names, el("div", { class: "here" }));
    view.root = el("figure", { class: "patch" },
      el("figcaption", { class: "name" }, el("i", { class: "swatch" }), view.title),
      el("div", { class: "plot" }, el("div", { class: "axis up" }, up.name, up.ticks), view.square,
        el("div", { class: "axis across" }, across.ticks, across.name)),
      el("div", { class: "close" }, view.large, el("div", { class: "told" }, view.code, view.far, view.says)));
    listen(view.square, i);
    return view;
  }

  function listen(square, i) {
    const follow = (event) => {
      const box = square.getBoundingClientRect();
      move(i, (event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
    };
    let before = null;
    onDrag(square, { start: () => (before = spots[i]), follow, release: report, hover: true,
      cancel: () => { spots[i] = before; show(); } });
    onArrows(square, ([right, down], event) => {
      const stride = event.shiftKey ? 0.1 : 1 / patch(i).side;
      move(i, fractionOf(patch(i), spots[i], 0) + right * stride, 1 - fractionOf(patch(i), spots[i], 1) + down * stride);
    }, report);
  }

  function fill(view, i) {
    const told = patch(i);
    const x = (z) => 400 * fractionOf(told, z, 0), y = (z) => 400 * (1 - fractionOf(told, z, 1));
    const shape = (name, attributes) => {
      const node = document.createElementNS(SVG, name);
      for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
      return node;
    };
    const [low, high] = told.box;
    const box = { x: x(low), y: y(high), width: x(high) - x(low), height: y(low) - y(high) };
    view.overlay.replaceChildren(
      shape("rect", { ...box, class: "box under" }), shape("rect", { ...box, class: "box" }),
      ...told.draws.map((z) => shape("circle", { cx: x(z), cy: y(z), r: 3.6, class: "draw" })));
    view.names.replaceChildren(...told.names.map(([right, down, text]) =>
      el("span", { style: `left: ${100 * right}%; top: ${100 * down}%` }, text)));
    view.root.style.setProperty("--role", told.colour);
    view.title.textContent = told.title;
    view.picture.src = told.picture;
    told.axes.forEach(({ name, ticks }, axis) => {
      view.axes[axis].name.textContent = name;
      view.axes[axis].ticks.replaceChildren(...ticks.map(([place, text]) =>
        el("span", { style: `${axis ? "bottom" : "left"}: ${100 * place}%` }, text)));
    });
    view.radii = new Float32Array(fromBase64(told.radii).buffer);
    view.confidence = told.confidence && new Float32Array(fromBase64(told.confidence).buffer);
    view.seen = told.seen && fromBase64(told.seen);
  }

  function explain({ name, colours, ticks }) {
    const bar = el("div", { class: "bar", style: `background: linear-gradient(to right, ${colours.join(", ")})` });
    const marks = el("div", { class: "ticks" }, ...ticks.map(([place, text]) =>
      el("span", { style: `left: ${100 * place}%` }, text)));
    legend.replaceChildren(el("span", { class: "legend-name" }, name),
      ...(colours.length ? [el("div", { class: "scale" }, bar, marks)] : []));
  }

  return {
    root,
    update(next) {
      component = next;
      const { patches, spots: given, legend: words } = next.data;
      if (views.length !== patches.length) {
        views = patches.map(makeView);
        body.replaceChildren(...views.map((view) => view.root));
        root.classList.toggle("two", patches.length > 1);
        filled = "";
      }
      const showing = JSON.stringify([patches, words]);
      if (showing !== filled) {
        views.forEach(fill);
        explain(words);
      }
      filled = showing;
      if (shared.take(given) || spots.length !== given.length) spots = given.map((spot) => [...spot]);
      show();
      notice.textContent = "";
      decoders.want(patches.map((each) => each.decoder), () => component === next && show(),
        (sentence) => (notice.textContent = sentence));
    },
    destroy: show.cancel,
  };
}

export default (component) => mountOnce(component, createHoles);
