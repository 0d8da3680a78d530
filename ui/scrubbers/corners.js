// Four codes in the corners, everything between them decoded: a square to be scrubbed by hand.

function createCorners() {
  let component;
  let decoder = null;
  let at = [0.5, 0.5]; // u to the right, v downwards
  let filled = "";
  const shared = makeShared();
  const decoders = makeDecoders();
  const stage = makeStage(show);

  const hint = el("p", { class: "hint" });
  const grid = el("canvas", { "aria-hidden": "true" });
  const gate = el("div", { class: "spot" });
  const square = el("div", { class: "square", tabindex: 0, role: "application", "data-testid": "corner-grid",
    "aria-roledescription": "square of decoded pictures" }, grid, gate);
  const edges = [0, 1].map(() => el("div", { class: "edge note" }, el("span"), el("span")));
  const big = el("canvas", { "data-testid": "decoded", role: "img", "aria-label": "The decoded picture" });
  const caption = el("output", { class: "caption" });
  const text = el("p", { class: "note" });
  const reset = el("button", { type: "button" }, "Reset");
  const save = el("button", { type: "button" }, "Save as PNG");
  const root = el("div", { class: "view corner-view" }, hint, el("div", { class: "body" },
    el("div", { class: "map" }, edges[0], square, edges[1]),
    el("div", { class: "side" }, big, el("div", { class: "told" }, caption, text,
      el("div", { class: "controls" }, reset, save)))));
  const cell = el("canvas");

  function show() {
    const [u, v] = at;
    square.style.setProperty("--u", u);
    square.style.setProperty("--v", v);
    caption.textContent = `right ${u.toFixed(2)}, down ${v.toFixed(2)}`;
    square.setAttribute("aria-label", `Between the four corners; ${caption.textContent}. Arrow keys move.`);
    if (!decoder) return;
    const z = bilinear(component.data.corners, u, v);
    showDecoded(big, decoder, z);
    text.textContent = codeText(z);
  }

  function fill() {
    const { n, corners } = component.data;
    const [, height, width] = decoder.image;
    [grid.width, grid.height] = [n * width, n * height];
    grid.style.aspectRatio = `${width} / ${height}`;
    const page = grid.getContext("2d");
    stage.replaceJobs(Array.from({ length: n * n }, (_, i) => () => {
      const [row, column] = [Math.floor(i / n), i % n];
      paintPixels(cell, decoder.decode(bilinear(corners, column / (n - 1), row / (n - 1))), decoder.image);
      page.drawImage(cell, column * width, row * height);
    }));
  }

  function move(u, v) {
    at = [rounded(clamp(u, 0, 1), 3), rounded(clamp(v, 0, 1), 3)];
    stage.show();
  }

  function follow(event) {
    const { n } = component.data;
    const box = square.getBoundingClientRect();
    const along = (position, start, length) => ((position - start) / length - 0.5 / n) / (1 - 1 / n);
    move(along(event.clientX, box.left, box.width), along(event.clientY, box.top, box.height));
  }

  function report() {
    shared.sent(at);
    component.setStateValue("release", { at, when: Date.now() });
  }

  let before = at;
  onDrag(square, { start: () => (before = at), follow, release: report, cancel: () => move(...before), hover: true });
  onArrows(square, ([right, down], event) => {
    const stride = event.shiftKey ? 0.1 : 0.02;
    move(at[0] + right * stride, at[1] + down * stride);
  }, report);
  reset.addEventListener("click", () => {
    move(0.5, 0.5);
    report();
  });
  save.addEventListener("click", () => savePng(grid, "four-corners"));

  function refresh() {
    const { data } = component;
    decoder = decoders.get(data.decoder);
    const showing = JSON.stringify([data.decoder, data.corners, data.n, decoder !== null]);
    if (decoder && showing !== filled) fill();
    filled = showing;
    stage.show();
  }

  return {
    root,
    update(next) {
      component = next;
      const { data } = next;
      hint.textContent = data.hint;
      root.style.setProperty("--n", data.n);
      edges.forEach((edge, row) => [0, 1].forEach((i) => (edge.children[i].textContent = data.names[2 * row + i])));
      if (shared.take(data.at)) at = data.at.map((value) => clamp(value, 0, 1));
      refresh();
      decoders.want([data.decoder], () => component === next && refresh(), (sentence) => (hint.textContent = sentence));
    },
    destroy: stage.stop,
  };
}

export default (component) => mountOnce(component, createCorners);
