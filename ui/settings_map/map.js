// Trained models over two settings, as a table of buttons coloured by one score. Pointing at a cell shows what its model
// makes; a click keeps it. All of it came with the page: nothing here asks the server.

const CIVIDIS = [[0, 34, 78], [18, 53, 112], [59, 73, 108], [87, 93, 109], [112, 113, 115], [138, 134, 120],
  [165, 156, 116], [195, 179, 105], [225, 204, 85], [254, 232, 56]];

/** The colour at a share from 0 to 1 of the scale, and ink that can be read on it. */
function shade(share) {
  const place = clamp(share, 0, 1) * (CIVIDIS.length - 1), low = Math.min(Math.floor(place), CIVIDIS.length - 2);
  const colour = CIVIDIS[low].map((value, i) => Math.round(value + (place - low) * (CIVIDIS[low + 1][i] - value)));
  return [`rgb(${colour})`, share > 0.47 ? "#000" : "#fff"];
}

function createSettingsMap() {
  let component;
  let at = [0, 0];
  let tried = null; // the cell under the pointer
  let score = "";
  let built = "";
  let turn = -1; // of the choice that was taken from the server
  let cells = [];
  const show = oncePerFrame(showNow);
  const choices = el("div", { class: "choices", role: "radiogroup", "aria-label": "Score" });
  const words = el("p", { class: "words" });
  const table = el("div", { class: "cells", role: "group" });
  const title = el("h3", { role: "status", "data-testid": "settings-of" });
  const numbers = el("p", { class: "numbers", "data-testid": "settings-scores" });
  const sheets = ["Held-out images", "Rebuilt", "Samples from the prior"].map((name) => {
    const canvas = el("canvas", { role: "img", "aria-label": name });
    return { name, canvas, figure: el("figure", {}, el("figcaption", {}, name), canvas) };
  });
  const root = el("div", { class: "view settings-view" }, choices, el("div", { class: "pair" },
    el("div", {}, words, table), el("div", { class: "out" }, title, ...sheets.map((sheet) => sheet.figure), numbers)));
  const loaded = new Map(); // address -> picture

  function picture(address) {
    if (!loaded.has(address)) {
      const image = new Image();
      image.onload = show;
      image.src = address;
      loaded.set(address, image);
    }
    return loaded.get(address);
  }

  /** Draw the rows of a sheet from `first`, `count` of them, as they are: the browser enlarges them crisply. */
  function draw(canvas, address, rows, first, count) {
    const image = picture(address);
    if (!image.naturalWidth) return;
    const height = image.naturalHeight / rows;
    canvas.width = image.naturalWidth;
    canvas.height = count * height;
    canvas.style.aspectRatio = `${canvas.width} / ${canvas.height}`;
    canvas.getContext("2d").drawImage(image, 0, -first * height);
  }

  const told = (each, [row, column]) => each.values[row][column].toFixed(each.digits) + (each.unit === "%" ? "%" : "");
  const name = (data, [row, column]) => `${data.rows[0]} ${data.rows[1][row]}, ${data.columns[1][column]} ${data.columns[0]}`;

  function paint({ scores }) {
    const chosen = scores.find((each) => each.name === score), all = chosen.values.flat();
    const low = Math.min(...all), reach = Math.max(...all) - low || 1;
    words.textContent = `${chosen.words} ${{ lower: "Lower is better.", higher: "Higher is better.", neither: "" }[chosen.better]}`;
    cells.forEach((line, row) => line.forEach((cell, column) => {
      const [colour, ink] = shade((chosen.values[row][column] - low) / reach);
      cell.textContent = told(chosen, [row, column]);
      cell.style.background = colour;
      cell.style.color = ink;
      cell.setAttribute("aria-label", `${name(component.data, [row, column])}: ${score} ${cell.textContent}`);
    }));
    [...choices.children].forEach((choice) => {
      choice.setAttribute("aria-checked", String(choice.textContent === score));
      choice.tabIndex = choice.textContent === score ? 0 : -1;
    });
  }

  function showNow() {
    const { data } = component, here = tried || at, [row, column] = here;
    cells.forEach((line, i) => line.forEach((cell, j) => {
      const kept = at[0] === i && at[1] === j;
      cell.setAttribute("aria-pressed", String(kept));
      cell.tabIndex = kept ? 0 : -1;
      cell.classList.toggle("tried", Boolean(tried) && row === i && column === j);
    }));
    title.textContent = name(data, here);
    numbers.replaceChildren(...data.scores.map((each) => el("span", {}, `${each.name} `, el("b", {}, told(each, here)))));
    const [, rows] = data.sheet, own = data.pictures[row][column];
    draw(sheets[0].canvas, data.originals, 1, 0, 1);
    draw(sheets[1].canvas, own, rows, 0, 1);
    draw(sheets[2].canvas, own, rows, 1, rows - 1);
  }

  function report() {
    component.setStateValue("release", { score, at, when: Date.now() });
  }

  function cellAt(row, column) {
    const cell = el("button", { type: "button", class: "cell", "data-testid": `cell-${row}-${column}` });
    const tries = (next) => { tried = next; show(); };
    cell.addEventListener("click", () => { at = [row, column]; tried = null; show(); report(); });
    cell.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && tries([row, column]));
    cell.addEventListener("focus", () => cell.matches(":focus-visible") && tries([row, column]));
    cell.addEventListener("blur", () => tries(null));
    return cell;
  }

  function choose(next) {
    score = next;
    paint(component.data);
    report();
  }

  table.addEventListener("pointerleave", () => { tried = null; show(); });
  onArrows(table, ([right, down], event) => {
    const row = cells.findIndex((line) => line.includes(event.target)), column = cells[row]?.indexOf(event.target);
    if (row < 0) return;
    cells[clamp(row + down, 0, cells.length - 1)][clamp(column + right, 0, cells[0].length - 1)].focus();
  }, () => {});
  onArrows(choices, ([right, down], event) => {
    const all = [...choices.children], next = all[(all.indexOf(event.target) + right + down + all.length) % all.length];
    next.focus();
    choose(next.textContent);
  }, () => {});

  function build(data) {
    const [[rowName, rows], [columnName, columns]] = [data.rows, data.columns];
    cells = rows.map((_, row) => columns.map((__, column) => cellAt(row, column)));
    table.style.setProperty("--k", columns.length);
    table.setAttribute("aria-label", `Trained models over ${rowName} and ${columnName}`);
    const line = (head, ...rest) => el("div", { class: "line" }, el("span", {}, head), ...rest);
    table.replaceChildren(line(rowName), ...cells.map((row, i) => line(rows[i], ...row)),
      line("", ...columns.map((value) => el("span", {}, value))), el("div", { class: "below" }, columnName));
    choices.replaceChildren(...data.scores.map((each) => el("button",
      { type: "button", role: "radio", onclick: () => choose(each.name) }, each.name)));
    data.pictures.flat().forEach(picture);
  }

  return {
    root,
    update(next) {
      component = next;
      const { data } = next, wanted = JSON.stringify([data.rows, data.columns, data.scores]);
      const anew = wanted !== built;
      if (anew) build(data);
      built = wanted;
      if (data.turn !== turn) [turn, score, at, tried] = [data.turn, data.score, [...data.at], null];
      paint(data);
      show();
    },
    destroy: show.cancel,
  };
}

export default (component) => mountOnce(component, createSettingsMap);
