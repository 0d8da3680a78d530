// A pad to draw a digit on, and beside it the small picture that the model will see.

const PAD = 280; // canvas pixels a side; the screen scales it
const PEN = [1, 2, 3, 4, 5, 6].map((k) => [32 - 2 * k, k / 6]); // widths, strengths: a round brush, soft rim

function createPad() {
  let component = {};
  let strokes = []; // each a list of [x, y] in canvas pixels
  let pointer = null;
  let side = 28;
  let reported = null;

  const pad = el("canvas", { width: PAD, height: PAD, tabindex: 0, role: "img", class: "pad",
    "aria-label": "Drawing canvas. Control Z takes the last stroke back, Delete clears." });
  const preview = el("canvas", { class: "preview", "data-testid": "drawn", role: "img" });
  const undo = el("button", { type: "button", onclick: () => change(() => strokes.pop()) }, "Undo");
  const clear = el("button", { type: "button", onclick: () => change(() => (strokes = [])) }, "Clear");
  const label = el("p", { class: "label" });
  const empty = el("p", { class: "empty" }, "Draw here");
  const caption = el("p", { class: "note" });
  const root = el("div", { class: "view draw-pad" },
    label,
    el("div", { class: "desk" },
      el("div", { class: "sheet" }, pad, empty),
      el("div", { class: "seen" }, preview, caption)),
    el("div", { class: "controls" }, undo, clear));
  const ink = pad.getContext("2d", { willReadFrequently: true });
  const request = oncePerFrame(draw);

  /** Ink as bytes [PAD * PAD]; the strokes are white on black, so the red channel is the ink. */
  function readInk() {
    const rgba = ink.getImageData(0, 0, PAD, PAD).data;
    return Uint8Array.from({ length: PAD * PAD }, (_, i) => rgba[4 * i]);
  }

  /** The small picture, or null while nothing is drawn. */
  function seen() {
    const shape = component.data.centre === "mnist" ? centreLikeMnist : shrink;
    return shape(readInk(), PAD, side);
  }

  function drawInk() {
    ink.globalCompositeOperation = "source-over";
    ink.fillStyle = "#000";
    ink.fillRect(0, 0, PAD, PAD);
    ink.globalCompositeOperation = "lighten"; // crossing rims do not add up
    ink.lineCap = ink.lineJoin = "round";
    for (const stroke of strokes) {
      for (const [width, strength] of PEN) {
        const grey = Math.round(255 * strength);
        ink.strokeStyle = `rgb(${grey} ${grey} ${grey})`;
        ink.lineWidth = width;
        ink.beginPath();
        ink.moveTo(...stroke[0]);
        if (stroke.length === 1) ink.lineTo(stroke[0][0] + 0.01, stroke[0][1]);
        for (const point of stroke.slice(1)) ink.lineTo(...point);
        ink.stroke();
      }
    }
  }

  function draw() {
    drawInk();
    paintBytes(preview, seen() ?? new Uint8Array(side * side), side);
    undo.disabled = clear.disabled = strokes.length === 0;
    empty.hidden = strokes.length > 0;
  }

  /** Tell Python, once a stroke is finished; nothing when nothing changed. */
  function report() {
    drawInk();
    const pixels = seen();
    const value = pixels && btoa(String.fromCharCode(...pixels));
    if (value === reported) return;
    reported = value;
    component.setStateValue("drawing", value);
  }

  function change(edit) {
    edit();
    request();
    report();
  }

  function at(event) {
    const box = pad.getBoundingClientRect();
    return [((event.clientX - box.left) * PAD) / box.width, ((event.clientY - box.top) * PAD) / box.height];
  }

  function start(event) {
    if (pointer !== null || event.button !== 0) return;
    pointer = event.pointerId;
    pad.setPointerCapture(pointer);
    strokes.push([at(event)]);
    request();
  }

  function move(event) {
    if (event.pointerId !== pointer) return;
    const events = event.getCoalescedEvents?.() ?? [];
    for (const each of events.length ? events : [event]) strokes.at(-1).push(at(each));
    request();
  }

  function stop(event) {
    if (event.pointerId !== pointer) return;
    pointer = null;
    request();
    report();
  }

  pad.addEventListener("pointerdown", start);
  pad.addEventListener("pointermove", move);
  for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) pad.addEventListener(end, stop);
  pad.addEventListener("keydown", (event) => {
    if (strokes.length === 0) return;
    if (event.key.toLowerCase() === "z" && (event.ctrlKey || event.metaKey)) change(() => strokes.pop());
    else if (event.key === "Delete") change(() => (strokes = []));
    else return;
    event.preventDefault();
  });

  return {
    root,
    update(next) {
      component = next;
      side = next.data.size;
      label.textContent = next.data.label;
      caption.textContent = `What the model sees: ${side} x ${side}`
        + (next.data.centre === "mnist" ? ", centred as MNIST is." : ".");
      request();
    },
    destroy: request.cancel,
  };
}

/** Grey bytes [side * side] onto a canvas of that size. */
function paintBytes(canvas, bytes, side) {
  if (canvas.width !== side) canvas.width = canvas.height = side;
  const image = new ImageData(side, side);
  bytes.forEach((value, i) => image.data.set([value, value, value, 255], 4 * i));
  canvas.getContext("2d").putImageData(image, 0, 0);
}

export default (component) => mountOnce(component, createPad);
