// Traversals: a row for each latent, scrubbed by hand; the others rest at the base code.

/** A row's label and its note, on a line each where the label ends with one. */
const titleOf = ({ label, note }) => (label.endsWith("\n") ? label + note : `${label}  ${note}`);

/** One model's rows and its large picture. `view` offers {stage, data(), report(pane), number}. */
function createPane(view) {
  let spec;
  let decoder = null;
  let base = [];
  let hand = null; // {row, value}: what the large picture shows instead of the base
  let rows = []; // {spec, node, frames, value, painted}
  let shape = "";
  let film = "";
  const shared = makeShared();

  const name = el("p", { class: "name" });
  const big = el("canvas", { role: "img" });
  const caption = el("p", { class: "caption" });
  const advice = el("p", { class: "note" });
  const reset = el("button", { type: "button" }, "Reset");
  const save = el("button", { type: "button" }, "Save as PNG");
  const list = el("div", { class: "rows" });
  const node = el("section", { class: "pane" }, name, el("div", { class: "body" },
    el("div", { class: "side" }, big,
      el("div", { class: "told" }, caption, advice, el("div", { class: "controls" }, reset, save))), list));

  const span = () => view.data().span;
  const steps = () => view.data().steps;
  const valueAt = (k) => span() * ((2 * k) / (steps() - 1) - 1);

  /** The base code with latent `index` at `value`. */
  function code(index, value) {
    const z = Float32Array.from(base);
    if (index !== undefined) z[index] = value;
    return z;
  }

  /** The large picture, and each row's number and gate. */
  function show() {
    if (!decoder) return;
    const index = hand?.row.spec.index;
    const z = code(index, hand?.value);
    showDecoded(big, decoder, z);
    caption.textContent = codeText(z) || (hand ? `${hand.row.spec.label} = ${signed(hand.value)}` : "The base code");
    advice.textContent = hand ? "Click to keep this value." : "Move along a row to change one latent.";
    for (const row of rows) {
      const value = row === hand?.row ? hand.value : base[row.spec.index];
      row.value.textContent = signed(value);
      row.node.style.setProperty("--t", clamp(value / span(), -1, 1) / 2 + 0.5);
      row.node.classList.toggle("held", row === hand?.row);
      row.node.setAttribute("aria-valuenow", rounded(value, 2));
      row.node.setAttribute("aria-valuetext", `${row.spec.label} = ${value.toFixed(2)}`);
    }
  }

  /** Decode the next frame of a row: the base with this row's latent from -span to +span. */
  function paintNext(row) {
    const k = row.painted;
    row.painted += 1;
    paintPixels(row.frames[k], decoder.decode(code(row.spec.index, valueAt(k))), decoder.image);
    row.node.classList.toggle("stale", row.painted < steps());
  }

  /** All rows but `except` show another base now. */
  function invalidate(except) {
    for (const row of rows) {
      if (row === except && row.painted === steps()) continue;
      row.painted = 0;
      row.node.classList.add("stale");
    }
    view.refill();
  }

  function take(row, value) {
    hand = { row, value: rounded(clamp(value, -span(), span()), 2) };
    view.stage.show();
  }

  /** The hand lets go: its value becomes part of the base. */
  function fix() {
    if (!hand) return;
    const { row, value } = hand;
    hand = null;
    if (base[row.spec.index] !== value) {
      base[row.spec.index] = value;
      invalidate(row);
      report();
    }
    view.stage.show();
  }

  function report() {
    shared.sent(base);
    view.report(base);
  }

  function build() {
    rows = spec.rows.map((rowSpec) => {
      const row = { spec: rowSpec, painted: 0, value: el("output", { class: "value" }) };
      row.frames = Array.from({ length: steps() }, () => el("canvas", { "aria-hidden": "true" }));
      const strip = el("div", { class: "frames" }, ...row.frames, el("div", { class: "mark" }));
      row.title = el("span", { class: "title" });
      row.state = el("span", { class: "state" }, "inactive");
      row.node = el("div", { class: "row stale", role: "slider", tabindex: 0 },
        el("div", { class: "tag" }, row.title, row.value, row.state), strip);
      scrubOn(strip, row);
      row.node.addEventListener("keydown", (event) => pressKey(event, row));
      row.node.addEventListener("keyup", () => hand?.byKey && fix()); // not the key that brought the focus here
      row.node.addEventListener("blur", () => hand?.byKey && fix());
      return row;
    });
    list.replaceChildren(...rows.map((row) => row.node));
  }

  function scrubOn(strip, row) {
    const follow = (event) => take(row, span() * (2 * alongFrames(strip, steps(), event.clientX) - 1));
    const cancel = () => {
      hand = null;
      view.stage.show();
    };
    onDrag(strip, { follow, release: fix, cancel, hover: true });
  }

  function pressKey(event, row) {
    const stride = { ArrowRight: 0.1, ArrowUp: 0.1, ArrowLeft: -0.1, ArrowDown: -0.1, PageUp: 1, PageDown: -1,
      Home: -Infinity, End: Infinity }[event.key];
    if (stride === undefined) return;
    event.preventDefault();
    const now = hand?.row === row ? hand.value : base[row.spec.index];
    take(row, now + stride * (event.shiftKey ? 5 : 1));
    hand.byKey = true;
  }

  reset.addEventListener("click", () => {
    [base, hand] = [[...spec.home], null];
    invalidate();
    report();
    view.stage.show();
  });
  save.addEventListener("click", () => savePng(filmPicture(node,
    rows.map((row) => ({ title: titleOf(row.spec), frames: row.frames }))), "traversals"));

  return {
    node,
    show,
    /** The frames still to be decoded, as jobs. */
    jobs: () => (decoder ? rows.flatMap((row) => Array.from({ length: steps() - row.painted }, () => () => paintNext(row))) : []),
    update(next, found) {
      const otherModel = next.decoder !== spec?.decoder;
      spec = next;
      decoder = found;
      const wanted = JSON.stringify([spec.rows.length, steps()]);
      if (wanted !== shape) [shape, film, hand] = [wanted, "", null], build();
      const news = shared.take(spec.base) || otherModel;
      if (news) [base, hand] = [[...spec.base], null];
      big.setAttribute("data-testid", view.number === null ? "decoded" : `decoded-${view.number}`);
      big.setAttribute("aria-label", `${spec.title}: the decoded picture`);
      node.classList.toggle("fine", decoder?.image[1] > 40);
      node.style.setProperty("--n", steps());
      node.style.setProperty("--role", spec.colour);
      name.replaceChildren(el("i", { class: "swatch" }), spec.title);
      name.hidden = !spec.title;
      rows.forEach((row, i) => {
        row.spec = spec.rows[i];
        row.title.textContent = titleOf(row.spec);
        row.state.hidden = row.spec.active;
        row.node.classList.toggle("quiet", !row.spec.active);
        row.node.setAttribute("aria-label", `${row.spec.label}, ${row.spec.note}${row.spec.active ? "" : ", inactive"}`);
        row.node.setAttribute("aria-valuemin", -span());
        row.node.setAttribute("aria-valuemax", span());
      });
      const showing = JSON.stringify([spec.decoder, decoder !== null, spec.rows.map((row) => row.index), span()]);
      if (news || showing !== film) invalidate();
      film = showing;
    },
  };
}

function createTraversals() {
  let component;
  let panes = [];
  const stage = makeStage(() => panes.forEach((pane) => pane.show()));
  const decoders = makeDecoders();
  const hint = el("p", { class: "hint" });
  const grid = el("div", { class: "panes" });
  const root = el("div", { class: "view traversal-view" }, hint, grid);

  function build(count) {
    panes = Array.from({ length: count }, (_, i) => createPane({
      stage,
      number: count === 1 ? null : i,
      data: () => component.data,
      refill: () => stage.replaceJobs(panes.flatMap((pane) => pane.jobs())),
      report: (z) => component.setStateValue("release", { pane: i, z }),
    }));
    grid.replaceChildren(...panes.map((pane) => pane.node));
  }

  return {
    root,
    update(next) {
      component = next;
      const specs = next.data.panes;
      hint.textContent = next.data.hint;
      if (specs.length !== panes.length) build(specs.length);
      const refresh = () => {
        if (component !== next) return;
        panes.forEach((pane, i) => pane.update(specs[i], decoders.get(specs[i].decoder)));
        stage.show();
      };
      refresh();
      decoders.want(specs.map((spec) => spec.decoder), refresh, (sentence) => (hint.textContent = sentence));
    },
    destroy: stage.stop,
  };
}

export default (component) => mountOnce(component, createTraversals);
