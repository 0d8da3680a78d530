// A code of letters as a board of buttons. The picture of the chosen letters is decoded here; a cell that is pointed at
// is tried out before it is chosen.

function createBoard() {
  let component;
  let letters = [];
  let tried = null; // [place, letter] under the pointer
  let built = "";
  let cells = [];
  const decoders = makeDecoders();
  const shared = makeShared();
  const show = oncePerFrame(showNow);
  const hint = el("p", { class: "hint", role: "status" });
  const table = el("div", { class: "board", role: "group", "aria-label": "The letters of the code" });
  const original = el("img", { alt: "The picture that was encoded", class: "original" });
  const large = el("canvas", { role: "img", "data-testid": "decoded-letters", "aria-label": "The code's picture" });
  const said = el("output", { class: "said" });
  const likeliest = el("button", { type: "button" }, "The encoder's letters");
  const random = el("button", { type: "button" }, "Random letters");
  const save = el("button", { type: "button" }, "Save as PNG");
  const root = el("div", { class: "view board-view" }, hint, el("div", { class: "pair" },
    table, el("div", { class: "out" },
      el("div", { class: "pictures" },
        el("figure", {}, el("figcaption", {}, "encoded"), original),
        el("figure", {}, el("figcaption", {}, "decoded"), large)),
      said, el("div", { class: "controls" }, likeliest, random, save))));

  const now = () => letters.map((letter, place) => (tried && tried[0] === place ? tried[1] : letter));

  function showNow() {
    const { data } = component, count = data.chances[0].length;
    const word = now();
    cells.forEach((row, place) => row.forEach((cell, letter) => {
      cell.setAttribute("aria-pressed", String(letters[place] === letter));
      cell.tabIndex = letters[place] === letter ? 0 : -1; // a row is one stop of the tabulator; arrows go on from there
      cell.classList.toggle("tried", Boolean(tried) && tried[0] === place && tried[1] === letter);
    }));
    const changed = tried && letters[tried[0]] !== tried[1];
    said.textContent = changed ? `trying letter ${tried[1] + 1} in place ${tried[0] + 1}`
      : `code: ${letters.map((letter) => letter + 1).join(" ")}`;
    const decoder = decoders.get(data.decoder);
    if (decoder) showDecoded(large, decoder, word.flatMap((letter) => Array.from({ length: count }, (_, k) => Number(k === letter))));
  }

  function report() {
    const { of } = component.data;
    shared.sent([of, letters]);
    component.setStateValue("release", { of, at: letters, when: Date.now() });
  }

  function choose(next) {
    letters = next;
    show();
    report();
  }

  likeliest.addEventListener("click", () => choose(component.data.chances.map((row) => row.indexOf(Math.max(...row)))));
  random.addEventListener("click", () => choose(component.data.chances.map((row) => Math.floor(Math.random() * row.length))));
  save.addEventListener("click", () => savePng(large, "letters"));
  const tries = (next) => { tried = next; show(); };
  table.addEventListener("pointerleave", () => tries(null));
  onArrows(table, ([right, down], event) => {
    const at = cells.map((row) => row.indexOf(event.target)), place = at.findIndex((letter) => letter >= 0);
    if (place >= 0) cells[clamp(place + down, 0, cells.length - 1)][clamp(at[place] + right, 0, cells[0].length - 1)].focus();
  }, () => {});

  function cellOf(place, letter, chance) {
    const cell = el("button", { type: "button", class: "cell", "data-testid": `letter-${place}-${letter}`,
      "aria-label": `Place ${place + 1}, letter ${letter + 1}, probability ${(100 * chance).toFixed(0)}%` });
    cell.style.setProperty("--chance", chance);
    cell.addEventListener("click", () => choose(letters.map((old, i) => (i === place ? letter : old))));
    cell.addEventListener("pointerenter", (event) => {
      if (event.pointerType === "mouse") tries([place, letter]);
    });
    cell.addEventListener("focus", () => cell.matches(":focus-visible") && tries([place, letter]));
    cell.addEventListener("blur", () => tries(null));
    return cell;
  }

  function build({ chances, kl }) {
    const count = chances[0].length;
    cells = chances.map((row, place) => row.map((chance, letter) => cellOf(place, letter, chance)));
    table.style.setProperty("--k", count);
    const over = el("div", { class: "line head" }, el("span", { class: "over" }, "letter"));
    const head = el("div", { class: "line head" }, el("span", { class: "place" }, "place"),
      ...Array.from({ length: count }, (_, k) => el("span", {}, String(k + 1))), el("span", { class: "kl" }, "nats"));
    table.replaceChildren(over, head, ...cells.map((row, place) =>
      el("div", { class: "line" }, el("span", { class: "place" }, String(place + 1)), ...row,
        el("span", { class: "kl" }, kl[place].toFixed(1)))));
  }

  return {
    root,
    update(next) {
      component = next;
      const { data } = next;
      const wanted = JSON.stringify([data.chances, data.kl]);
      if (wanted !== built) build(data);
      built = wanted;
      hint.textContent = "";
      original.src = data.picture;
      if (shared.take([data.of, data.at])) [letters, tried] = [[...data.at], null];
      show();
      decoders.want([data.decoder], () => component === next && show(), (sentence) => (hint.textContent = sentence));
    },
    destroy: show.cancel,
  };
}

export default (component) => mountOnce(component, createBoard);
