// A code map over the picture that it decodes to, and the codebook beside it. A cell is chosen here; a code for it goes to
// the server, which decodes.

function createMap() {
  let component;
  let map = []; // [h][w], the codes that stand there
  let at = [0, 0]; // the chosen cell
  let built = "";
  let cells = [];
  let codes = []; // by number
  const shared = makeShared();
  const original = el("img", { class: "small", alt: "The picture that was encoded" });
  const large = el("img", { class: "large", alt: "What the code map decodes to", "data-testid": "decoded-map" });
  const small = el("div", { class: "smalls" });
  const grid = el("div", { class: "grid", role: "group", "aria-label": "The code map" });
  const book = el("div", { class: "book", role: "group", "aria-label": "The codebook" });
  const said = el("output", { class: "said" });
  const count = el("figcaption", {});
  const numbers = el("button", { type: "button", "aria-pressed": "false" }, "Show the numbers");
  const back = el("button", { type: "button" }, "The encoder's codes");
  const random = el("button", { type: "button" }, "Every code by chance");
  const root = el("div", { class: "view map-view" },
    el("div", { class: "halves" },
      el("figure", {}, el("figcaption", {}, "the code map, decoded: choose a cell"), el("div", { class: "stack" }, large, grid)),
      el("div", { class: "out" },
        el("div", { class: "top" }, small,
          el("div", {}, said, el("div", { class: "controls" }, back, random, numbers))),
        el("figure", {}, count, book))));

  const changed = (row, cell) => map[row][cell] !== component.data.own[row][cell];

  function show() {
    const here = map[at[0]]?.[at[1]];
    cells.forEach((line, row) => line.forEach((node, cell) => {
      const isHere = row === at[0] && cell === at[1];
      node.setAttribute("aria-pressed", String(isHere));
      node.tabIndex = isHere ? 0 : -1;
      node.classList.toggle("changed", changed(row, cell));
      node.firstChild.textContent = map[row][cell];
      node.setAttribute("aria-label", `Row ${row + 1}, column ${cell + 1}, code ${map[row][cell]}`);
    }));
    codes.forEach((node, code) => {
      node.setAttribute("aria-pressed", String(code === here));
      node.tabIndex = code === here ? 0 : -1;
    });
    const share = component.data.usage[here];
    const others = map.flat().filter((code) => code === here).length - 1;
    said.textContent = `row ${at[0] + 1}, column ${at[1] + 1}: code ${here}; `
      + (share ? `${(100 * share).toFixed(share < 0.01 ? 2 : 1)}% of all choices` : "dead: no held-out image has it")
      + (others > 0 ? `; ${others} more here` : "");
  }

  function change(next) {
    map = next;
    show();
    large.classList.add("old"); // until the server has decoded the new map
    const { of } = component.data;
    shared.sent([of, map]);
    component.setStateValue("release", { of, at: map, when: Date.now() });
  }

  const put = (code) => change(map.map((line, row) => line.map((old, cell) => (row === at[0] && cell === at[1] ? code : old))));
  back.addEventListener("click", () => change(component.data.own.map((line) => [...line])));
  random.addEventListener("click", () => {
    const { length } = component.data.usage;
    change(map.map((line) => line.map(() => Math.floor(Math.random() * length))));
  });
  numbers.addEventListener("click", () => {
    const on = grid.classList.toggle("numbered");
    numbers.setAttribute("aria-pressed", String(on));
  });
  onArrows(grid, ([right, down]) => {
    at = [clamp(at[0] + down, 0, map.length - 1), clamp(at[1] + right, 0, map[0].length - 1)];
    show();
    cells[at[0]][at[1]].focus();
  }, () => {});
  onArrows(book, ([right, down], event) => {
    const shown = [...book.children], columns = getComputedStyle(book).gridTemplateColumns.split(" ").length;
    const place = shown.indexOf(event.target);
    if (place >= 0) shown[clamp(place + right + down * columns, 0, shown.length - 1)].focus();
  }, () => {});

  function build({ own, book: atlas, across, order, usage }) {
    cells = own.map((line, row) => line.map((_, cell) => {
      const node = el("button", { type: "button", class: "cell", "data-testid": `cell-${row}-${cell}` }, el("span"));
      node.addEventListener("click", () => {
        at = [row, cell];
        show();
      });
      return node;
    }));
    grid.style.setProperty("--w", own[0].length);
    grid.replaceChildren(...cells.flat());
    codes = [];
    const rows = Math.ceil(order.length / across);
    book.style.setProperty("--atlas", `url(${atlas})`);
    book.style.setProperty("--size", `${100 * across}% ${100 * rows}%`);
    const nodes = order.map((code, place) => {
      const share = usage[code] ? `${(100 * usage[code]).toPrecision(2)}% of all choices` : "dead";
      const node = el("button", { type: "button", class: usage[code] ? "code" : "code dead", title: `code ${code}, ${share}`,
        "aria-label": `Code ${code}, ${share}`, "data-testid": `code-${code}` });
      node.style.backgroundPosition = `${(100 * (place % across)) / (across - 1)}% ${(100 * Math.floor(place / across)) / Math.max(1, rows - 1)}%`;
      node.addEventListener("click", () => put(code));
      codes[code] = node;
      return node;
    });
    const dead = usage.filter((share) => !share).length;
    count.textContent = `the codebook: ${usage.length} codes, ${dead ? `${dead} dead (crossed out)` : "all in use"}; a click puts one into the cell`;
    book.style.setProperty("--columns", usage.length > 200 ? 32 : 16);
    book.replaceChildren(...nodes);
  }

  return {
    root,
    update(next) {
      component = next;
      const { data } = next;
      const wanted = JSON.stringify([data.of, data.order]);
      if (shared.take([data.of, data.at]) || wanted !== built) map = data.at.map((line) => [...line]);
      if (wanted !== built) {
        at = [data.own.length >> 1, data.own[0].length >> 1];
        build(data);
      }
      built = wanted;
      original.src = data.picture;
      small.replaceChildren(el("figure", {}, el("figcaption", {}, "encoded"), original),
        ...data.also.map(([words, src]) => el("figure", {}, el("figcaption", {}, words), el("img", { src, alt: words }))));
      if (JSON.stringify(map) === JSON.stringify(data.at)) { // else a newer map is on its way
        large.src = data.decoded;
        large.classList.remove("old");
      }
      show();
    },
    destroy() {},
  };
}

export default (component) => mountOnce(component, createMap);
