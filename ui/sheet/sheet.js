// Sheets of n x n decoded pictures. The one under the pointer is shown large, cut out of the sheet as it is.

function createSheet() {
  let component;
  let at = [0.5, 0.5]; // to the right and down, in [0, 1]
  let views = [];
  const shared = makeShared();
  const show = oncePerFrame(showNow);
  const body = el("div", { class: "sheets" });
  const root = el("div", { class: "view sheet-view" }, body);
  const sizes = new ResizeObserver(() => views.forEach(sharpen));

  const cell = (place) => Math.min(component.data.n - 1, Math.floor(place * component.data.n));

  /** The cell's centre, so that the same cell is found again from the link. */
  const centre = (place) => rounded((cell(place) + 0.5) / component.data.n, 4);

  function showNow() {
    const { n, sheets } = component.data;
    const [column, row] = at.map(cell);
    root.style.setProperty("--column", column);
    root.style.setProperty("--row", row);
    views.forEach((view, i) => {
      const code = sheets[i].codes[row * n + column];
      view.code.textContent = code;
      view.square.setAttribute("aria-label",
        `${sheets[i].title}: ${n} by ${n} decoded pictures. Column ${column + 1}, row ${row + 1}: ${code}. Arrow keys move.`);
      const { picture, large } = view;
      if (!picture.naturalWidth) return;
      const [width, height] = [picture.naturalWidth / n, picture.naturalHeight / n];
      if (large.width !== width || large.height !== height) [large.width, large.height] = [width, height];
      large.getContext("2d").drawImage(picture, column * width, row * height, width, height, 0, 0, width, height);
    });
  }

  /** Crisp while a pixel of the sheet covers at least one of the screen; below, pixels would be dropped. */
  function sharpen({ picture, square }) {
    const finer = picture.naturalWidth > square.clientWidth * devicePixelRatio * 1.05;
    picture.style.imageRendering = finer ? "auto" : "pixelated";
  }

  function move(right, down) {
    at = [right, down].map((place) => centre(clamp(place, 0, 1)));
    show();
  }

  function report() {
    shared.sent(at);
    component.setStateValue("release", { at, when: Date.now() });
  }

  function makeView() {
    const picture = el("img", { alt: "", draggable: "false" });
    const square = el("div", { class: "square", tabindex: 0, role: "application", "data-testid": "sheet",
      "aria-roledescription": "sheet of decoded pictures" }, picture, el("div", { class: "spot" }));
    const view = {
      picture, square,
      title: el("span"),
      code: el("output", { class: "code" }),
      large: el("canvas", { role: "img", "aria-label": "The picture pointed at, enlarged", "data-testid": "enlarged" }),
      axes: [0, 1].map(() => ({ ticks: el("div", { class: "ticks" }), name: el("span", { class: "axis-name" }) })),
    };
    const [across, up] = view.axes;
    view.root = el("figure", { class: "sheet" },
      el("figcaption", { class: "name" }, el("i", { class: "swatch" }), view.title),
      el("div", { class: "plot" },
        el("div", { class: "axis up" }, up.name, up.ticks), square,
        el("div", { class: "axis across" }, across.ticks, across.name)),
      el("div", { class: "close" }, view.large, view.code));
    picture.addEventListener("load", () => {
      sharpen(view);
      show();
    });
    listen(square);
    sizes.observe(square);
    return view;
  }

  function listen(square) {
    const follow = (event) => {
      const box = square.getBoundingClientRect();
      move((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
    };
    let before = at;
    onDrag(square, { start: () => (before = at), follow, release: report, cancel: () => move(...before), hover: true });
    onArrows(square, (arrow) => move(...at.map((place, i) => (cell(place) + 0.5 + arrow[i]) / component.data.n)), report);
  }

  function label(axis, { name, ticks }, side) {
    axis.name.textContent = name;
    axis.ticks.replaceChildren(...ticks.map(([place, text]) =>
      el("span", { style: `${side}: ${(100 * place).toFixed(2)}%` }, text)));
  }

  return {
    root,
    update(next) {
      component = next;
      const { sheets, n, at: given } = next.data;
      root.style.setProperty("--n", n);
      root.style.setProperty("--sheets", sheets.length);
      root.classList.toggle("two", sheets.length > 1);
      if (views.length !== sheets.length) {
        sizes.disconnect();
        views = sheets.map(makeView);
        body.replaceChildren(...views.map((view) => view.root));
      }
      sheets.forEach((sheet, i) => {
        const view = views[i];
        view.root.style.setProperty("--role", sheet.colour);
        view.title.textContent = sheet.title;
        view.root.classList.toggle("plane", sheet.axes !== null);
        if (sheet.axes) [label(view.axes[0], sheet.axes[0], "left"), label(view.axes[1], sheet.axes[1], "bottom")];
        if (view.picture.getAttribute("src") !== sheet.picture) view.picture.src = sheet.picture;
      });
      if (shared.take(given)) at = given;
      at = at.map(centre);
      show();
    },
    destroy() {
      show.cancel();
      sizes.disconnect();
    },
  };
}

export default (component) => mountOnce(component, createSheet);
