// Two heaps of scores under a threshold that a hand drags; what it catches, what it misses, and what that costs.

const SVG_NS = "http://www.w3.org/2000/svg";
const STEPS = 200; // of the arrow keys along the axis

function createThreshold() {
  let component;
  let filled = "";
  let at = 0;
  let thresholds = new Float32Array();
  let hits = new Uint32Array();
  let alarms = new Uint32Array();
  const shared = makeShared();
  const show = oncePerFrame(showNow);

  const svg = (name, attributes) => {
    const node = document.createElementNS(SVG_NS, name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    return node;
  };
  const plot = () => svg("svg", { viewBox: "0 0 100 100", preserveAspectRatio: "none", "aria-hidden": "true" });

  const bars = plot();
  const best = el("div", { class: "best" }, el("span"));
  const flag = el("output", { class: "flag" });
  const line = el("div", { class: "line" }, flag);
  const field = el("div", { class: "field", tabindex: 0, role: "slider", "aria-label": "Threshold",
    "data-testid": "threshold" },
    el("span", { class: "up" }, "share of its kind"), bars, best, line);
  const keys = [0, 1].map(() => el("span"));
  const legend = el("div", { class: "keys" }, ...keys.map((text, i) => el("span", { class: `key kind-${i}` }, el("i", { class: "swatch" }), text)));
  const ticks = el("div", { class: "ticks" });
  const name = el("div", { class: "axis-name" });
  const left = el("div", { class: "heaps" }, legend, field, ticks, name);

  const curve = (title, x, y) => {
    const parts = { svg: plot(), dot: el("div", { class: "dot" }), title: el("strong"), word: title };
    parts.root = el("figure", { class: "curve" }, el("figcaption", {}, parts.title),
      el("div", { class: "frame" }, el("span", { class: "up" }, y),
        el("div", { class: "square" }, parts.svg, parts.dot,
          el("span", { class: "end top" }, "1"), el("span", { class: "end zero" }, "0"), el("span", { class: "end one" }, "1")), el("span", { class: "across" }, x)));
    return parts;
  };
  const roc = curve("AUROC", "false alarm rate", "hit rate");
  const pr = curve("Average precision", "recall (hit rate)", "precision");

  const cells = Array.from({ length: 4 }, () => el("td"));
  const rows = [0, 1].map((kind) => el("th", { scope: "row" }));
  const table = el("table", {},
    el("thead", {}, el("tr", {}, el("th"), el("th", { scope: "col" }, "alarm"), el("th", { scope: "col" }, "no alarm"))),
    el("tbody", {}, el("tr", {}, rows[1], cells[0], cells[1]), el("tr", {}, rows[0], cells[2], cells[3])));
  const cost = el("p", { class: "cost", "data-testid": "cost" });
  const jump = el("button", { type: "button" }, "To the cheapest");
  const right = el("div", { class: "told" }, el("div", { class: "curves" }, roc.root, pr.root), table,
    el("div", { class: "foot" }, cost, jump));
  const root = el("div", { class: "view threshold-view" }, left, right);

  const number = (value, digits = 3) => {
    const shown = Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(digits);
    return shown.replace("-", "\u2212");
  };
  const grouped = (value) => value.toLocaleString("en-GB");
  const percent = (value) => `${(100 * value).toFixed(1)}%`;
  const along = (value) => {
    const [low, high] = component.data.ends;
    return clamp((value - low) / (high - low), 0, 1);
  };

  /** Hits and false alarms at a threshold: those of the last score that is not below it. */
  function alarmsAt(value) {
    let [from, to] = [0, thresholds.length]; // thresholds fall
    while (from < to) {
      const middle = (from + to) >> 1;
      if (thresholds[middle] >= value) from = middle + 1;
      else to = middle;
    }
    return from ? [hits[from - 1], alarms[from - 1]] : [0, 0];
  }

  const costOf = (missed, alarmed) => {
    const { share, miss } = component.data;
    return [share * miss * missed, (1 - share) * alarmed];
  };

  function showNow() {
    const { sizes, share, best: cheapest, least, things } = component.data;
    const [hit, alarm] = alarmsAt(at);
    const [hitRate, alarmRate] = [hit / sizes[1], alarm / sizes[0]];
    root.style.setProperty("--t", along(at));
    line.classList.toggle("late", along(at) > 0.6);
    const place = cheapest === null ? 1 : along(cheapest);
    best.classList.toggle("late", place > 0.85 || (place > 0.15 && along(at) >= place)); // away from the line
    flag.textContent = `threshold ${number(at)}`;
    field.setAttribute("aria-valuenow", at);
    field.setAttribute("aria-valuetext", `${number(at)}: ${percent(hitRate)} of the anomalous caught, ${percent(alarmRate)} false alarms`);
    const precision = share * hitRate + (1 - share) * alarmRate > 0
      ? (share * hitRate) / (share * hitRate + (1 - share) * alarmRate) : 1;
    for (const [{ dot }, x, y] of [[roc, alarmRate, hitRate], [pr, hitRate, precision]]) {
      dot.style.left = `${100 * x}%`;
      dot.style.top = `${100 * (1 - y)}%`;
    }
    const counts = [[hit, sizes[1], "caught"], [sizes[1] - hit, sizes[1], "missed"], [alarm, sizes[0], "false alarms"],
      [sizes[0] - alarm, sizes[0], "left alone"]];
    counts.forEach(([count, of, word], i) => {
      cells[i].replaceChildren(el("b", {}, grouped(count)), el("span", {}, `${word}, ${percent(count / of)}`));
    });
    const [missing, alarming] = costOf(1 - hitRate, alarmRate).map((each) => 1000 * each);
    cost.textContent = `Cost per 1,000 ${things}: ${number(missing + alarming)} (misses ${number(missing)}, false alarms ` +
      `${number(alarming)}). Cheapest: ${number(1000 * least)}${cheapest === null ? ", without any alarm" : ` at ${number(cheapest)}`}.`;
  }

  function drawHeaps({ bars: heaps, ends, kinds, score, colours, best: cheapest }) {
    const most = Math.max(...heaps.flat());
    const width = 100 / heaps[0].length;
    const corners = (heap) => heap.flatMap((share, i) => {
      const y = 100 - (87 * share) / most; // the word at the cheapest threshold stands above
      return [`${i * width},${y}`, `${(i + 1) * width},${y}`];
    });
    bars.replaceChildren(...heaps.map((heap, i) =>
      svg("polygon", { points: `0,100 ${corners(heap).join(" ")} 100,100`, class: `heap kind-${i}` })));
    keys.forEach((key, i) => (key.textContent = kinds[i]));
    colours.forEach((colour, i) => root.style.setProperty(`--kind-${i}`, colour));
    const place = cheapest === null ? 1 : along(cheapest);
    best.style.left = `${100 * place}%`;
    best.firstChild.textContent = cheapest === null ? "cheapest: no alarm" : "cheapest";
    const [low, high] = ends;
    const step = niceStep((high - low) / 5);
    const marks = [];
    for (let value = Math.ceil(low / step) * step; value <= high; value += step) marks.push(value);
    // The last one is kept inside the window of a phone.
    ticks.replaceChildren(...marks.map((value) => el("span", { style: `left: min(${100 * along(value)}%, 100% - 0.6em)` },
      String(Number(value.toPrecision(6))).replace("-", "\u2212"))));
    name.textContent = `${score[0]} (${score[1]})`;
  }

  const niceStep = (rough) => {
    const power = 10 ** Math.floor(Math.log10(rough));
    return power * [1, 2, 5, 10].find((factor) => factor * power >= rough);
  };

  /** A line through the unit square, without points that fall on the one before. */
  function path(xs, ys) {
    const points = [];
    let last = "";
    xs.forEach((x, i) => {
      const point = `${(100 * x).toFixed(1)},${(100 * (1 - ys[i])).toFixed(1)}`;
      if (point !== last) points.push(point);
      last = point;
    });
    return points.join(" ");
  }

  function drawCurves({ sizes, share, areas }) {
    const hitRates = [0, ...Array.from(hits, (count) => count / sizes[1])];
    const alarmRates = [0, ...Array.from(alarms, (count) => count / sizes[0])];
    const precisions = hitRates.map((rate, i) => {
      const [right, wrong] = [share * rate, (1 - share) * alarmRates[i]];
      return right + wrong > 0 ? right / (right + wrong) : 1;
    });
    const chance = [[[0, 1], [0, 1]], [[0, 1], [share, share]]];
    [[roc, alarmRates, hitRates], [pr, hitRates, precisions]].forEach(([each, xs, ys], i) => {
      each.svg.replaceChildren(svg("polyline", { points: path(...chance[i]), class: "chance" }),
        svg("polyline", { points: path(xs, ys), class: "curve-line" }));
      each.title.textContent = `${each.word} ${areas[i].toFixed(3)}`;
    });
  }

  function fill(data) {
    thresholds = new Float32Array(fromBase64(data.thresholds).buffer);
    hits = new Uint32Array(fromBase64(data.hits).buffer);
    alarms = new Uint32Array(fromBase64(data.alarms).buffer);
    drawHeaps(data);
    drawCurves(data);
    rows.forEach((row, i) => row.replaceChildren(el("i", { class: `swatch kind-${i}` }), data.kinds[i]));
    field.setAttribute("aria-valuemin", data.ends[0]);
    field.setAttribute("aria-valuemax", data.ends[1]);
    jump.disabled = data.best === null;
  }

  function move(value) {
    const [low, high] = component.data.ends;
    at = Number(clamp(value, low, high).toPrecision(6));
    show();
  }

  function report() {
    shared.sent(at);
    component.setStateValue("release", { at, when: Date.now() });
  }

  let before = null;
  onDrag(field, {
    start: () => (before = at),
    follow(event) {
      const box = field.getBoundingClientRect();
      const [low, high] = component.data.ends;
      move(low + clamp((event.clientX - box.left) / box.width, 0, 1) * (high - low));
    },
    release: report,
    cancel: () => { at = before; show(); },
  });
  onArrows(field, ([right_, down], event) => {
    const [low, high] = component.data.ends;
    move(at + ((right_ - down) * (event.shiftKey ? 10 : 1) * (high - low)) / STEPS);
  }, report);
  jump.addEventListener("click", () => { at = component.data.best; show(); report(); });

  return {
    root,
    update(next) {
      component = next;
      const { at: given, ...rest } = next.data;
      const showing = JSON.stringify(rest);
      if (showing !== filled) fill(next.data);
      filled = showing;
      if (shared.take(given)) at = given;
      show();
    },
    destroy: show.cancel,
  };
}

export default (component) => mountOnce(component, createThreshold);
