// What every scrubbed view needs: one instance per element, one drawing per frame, plain DOM helpers.

/**
 * Keep one view per mounted element. Streamlit calls a component's function again on the same element
 * whenever its data or the theme change, without cleaning up first; only the newest call may clean up.
 * `create(host)` returns {root, update(component), destroy()}.
 */
function mountOnce(component, create) {
  const host = component.parentElement;
  if (!host.__view) {
    host.__view = create(host);
    host.append(host.__view.root);
    keepKeys(host.__view.root);
  }
  const view = host.__view;
  const token = (view.token = {});
  view.update(component);
  return () => {
    if (view.token !== token) return;
    view.destroy();
    view.root.remove();
    delete host.__view;
  };
}

/** Streamlit takes the bare keys r and c for itself; a focused view does not let them out. */
function keepKeys(root) {
  root.addEventListener("keydown", (event) => {
    if (["r", "c"].includes(event.key.toLowerCase()) && !event.ctrlKey && !event.metaKey) event.stopPropagation();
  });
}

/** A DOM element: `on...` properties become listeners, the others attributes; null ones are left out. */
function el(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

/** Ask as often as you like: `draw` runs at most once per animation frame, with the newest state. */
function oncePerFrame(draw) {
  let asked = 0;
  const request = () => {
    asked ||= requestAnimationFrame(() => {
      asked = 0;
      draw();
    });
  };
  request.cancel = () => {
    cancelAnimationFrame(asked);
    asked = 0;
  };
  return request;
}

/**
 * The picture under the hand first, the film frames with the time that is left: `live()` runs once per
 * frame when asked for, queued jobs follow until `budget` milliseconds of the frame are spent.
 */
function makeStage(live, budget = 9) {
  let jobs = [];
  let wanted = false;
  const request = oncePerFrame(() => {
    const end = performance.now() + budget;
    const waited = wanted;
    if (wanted) {
      wanted = false;
      live();
    }
    if (!waited && jobs.length) jobs.shift()();
    while (jobs.length && performance.now() < end) jobs.shift()();
    if (jobs.length) request();
  });
  return {
    show() {
      wanted = true;
      request();
    },
    replaceJobs(next) {
      jobs = next;
      if (jobs.length) request();
    },
    stop: request.cancel,
  };
}

/** Decode `z`, paint it, and write on the canvas what it shows and how long the decode took. */
function showDecoded(canvas, decoder, z) {
  const start = performance.now();
  const pixels = decoder.decode(z);
  const took = performance.now() - start;
  paintPixels(canvas, pixels, decoder.image);
  canvas.dataset.z = JSON.stringify(Array.from(z));
  canvas.dataset.ms = took.toFixed(3);
}

/**
 * A value that both sides own: the hand moves it, Python may set it. `take(value)` says whether Python's
 * value is news; a value that merely comes back from us (an echo, perhaps late) is not.
 */
function makeShared() {
  let last;
  let sent = [];
  return {
    sent(value) {
      sent = [...sent.slice(-15), JSON.stringify(value)];
    },
    take(value) {
      const text = JSON.stringify(value);
      if (text === last) return false;
      last = text;
      const echo = sent.indexOf(text);
      if (echo >= 0) sent = sent.slice(echo + 1);
      return echo < 0;
    },
  };
}

/**
 * A hand on `node`: `start()` and `follow(event)` when it goes down, `follow` as it drags (with `hover` also while a
 * mouse moves over it, no button down), `release()` when it lets go, `cancel()` when the finger scrolls the page instead.
 */
function onDrag(node, { start = () => {}, follow, release, cancel, hover = false }) {
  let pointer = null;
  node.addEventListener("pointerdown", (event) => {
    if (pointer !== null || event.button !== 0) return;
    pointer = event.pointerId;
    node.setPointerCapture(pointer);
    start();
    follow(event);
  });
  node.addEventListener("pointermove", (event) => {
    const hovers = hover && event.pointerType === "mouse" && event.buttons === 0;
    if (pointer === null ? hovers : event.pointerId === pointer) follow(event);
  });
  for (const [type, end] of [["pointerup", release], ["pointercancel", cancel]]) {
    node.addEventListener(type, (event) => {
      if (event.pointerId !== pointer) return;
      pointer = null;
      end();
    });
  }
}

/** Arrow keys on `node`: `step([right, down], event)` for each press, `release()` when the key comes up. */
function onArrows(node, step, release) {
  node.addEventListener("keydown", (event) => {
    const arrow = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!arrow) return;
    event.preventDefault();
    step(arrow, event);
  });
  node.addEventListener("keyup", (event) => event.key.startsWith("Arrow") && release());
}

/** Where the pointer is on a strip of `count` frames: 0 at the first frame's centre, 1 at the last's. */
function alongFrames(element, count, clientPosition, vertical = false) {
  const box = element.getBoundingClientRect();
  const [start, length] = vertical ? [box.top, box.height] : [box.left, box.width];
  const frame = (length - (count - 1) * GAP) / count;
  return clamp((clientPosition - start - frame / 2) / (length - frame), 0, 1);
}

/** Pixels between two frames of a strip; the same number stands in common.css. */
const GAP = 3;

const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

/** Round to `digits` decimals, as a number. */
const rounded = (value, digits) => Number(value.toFixed(digits));

/** "+1.40", with a true minus sign, so that columns of numbers stay in line; nothing is "\u22120.00". */
const signed = (value, digits = 2) =>
  (rounded(value, digits) < 0 ? "\u2212" : "+") + Math.abs(value).toFixed(digits);

/** A code as text: "z = (0.42, −1.10)"; long codes are left to `data-z`. */
const codeText = (z) =>
  z.length > 3 ? "" : `z = (${Array.from(z, (v) => v.toFixed(2).replace("-", "\u2212")).join(", ")})`;

/** Film strips as one picture, titles included, on the page's own paper; strips: [{title, frames}]. */
function filmPicture(root, strips) {
  const style = getComputedStyle(root);
  const [frame, margin, line] = [112, 24, 36];
  const canvas = el("canvas");
  const tall = Math.round((frame * strips[0].frames[0].height) / strips[0].frames[0].width);
  canvas.width = 2 * margin + strips[0].frames.length * (frame + GAP) - GAP;
  canvas.height = margin + strips.length * (line + tall + margin);
  const page = canvas.getContext("2d");
  page.imageSmoothingEnabled = false;
  page.fillStyle = style.getPropertyValue("--st-background-color") || "#fff";
  page.fillRect(0, 0, canvas.width, canvas.height);
  page.fillStyle = style.color;
  page.font = `20px ${style.fontFamily}`;
  strips.forEach(({ title, frames }, i) => {
    const top = margin + i * (line + tall + margin);
    page.fillText(title, margin, top + 20);
    frames.forEach((each, k) => page.drawImage(each, margin + k * (frame + GAP), top + line, frame, tall));
  });
  return canvas;
}

/** Offer a canvas as a PNG file. */
function savePng(canvas, name) {
  canvas.toBlob((blob) => {
    const link = el("a", { href: URL.createObjectURL(blob), download: `${name}.png` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
}

/** base64 -> bytes. */
const fromBase64 = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
