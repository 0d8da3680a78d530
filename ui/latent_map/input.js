// Hands on a plane: moving decodes, dragging pans, the wheel and two fingers zoom, a click pins,
// arrow keys do all of it without a pointer. Every listener ends with `signal`.

const DRAG_PIXELS = 5;

/**
 * `map` offers: view, pointTo(pane, px, py), panFrom(pane, start, px, py), zoomAround(pane, px, py, factor),
 * click(pane, px, py, reach), letGo(pane), step(pane, dx, dy), home(), pinHere(pane), unpin(), zoom(factor).
 */
function listenToHands(plane, map, signal) {
  const stage = plane.stage, pointers = new Map();
  let box = null, press = null, pinch = null, settle = null;

  const measure = () => (box = stage.getBoundingClientRect());
  const place = (event) => {
    if (!box) measure();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const on = (type, action, options = {}) => stage.addEventListener(type, action, { signal, ...options });
  const forget = () => (box = null);
  window.addEventListener("scroll", forget, { signal, capture: true, passive: true });
  window.addEventListener("resize", forget, { signal, passive: true });

  on("pointerenter", measure);
  on("pointerdown", (event) => {
    if (event.button !== 0 || !plane.ready) return;
    measure();
    stage.setPointerCapture(event.pointerId);
    const [x, y] = place(event);
    pointers.set(event.pointerId, [x, y]);
    if (pointers.size === 2) {
      pinch = spanOf(pointers);
      press = null;
    } else if (pointers.size === 1) {
      press = { x, y, touch: event.pointerType === "touch", moved: false, window: { x: map.view.x, y: map.view.y } };
      if (press.touch) map.pointTo(plane.index, x, y);
    }
  });

  on("pointermove", (event) => {
    if (!plane.ready) return;
    const [x, y] = place(event);
    if (pointers.has(event.pointerId)) pointers.set(event.pointerId, [x, y]);
    if (pinch && pointers.size === 2) {
      const now = spanOf(pointers);
      map.panFrom(plane.index, { ...pinch, window: { x: map.view.x, y: map.view.y } }, now.x, now.y);
      map.zoomAround(plane.index, now.x, now.y, now.span / pinch.span);
      pinch = now;
      return;
    }
    if (press && !press.moved && Math.hypot(x - press.x, y - press.y) > DRAG_PIXELS) {
      press.moved = true;
      if (!press.touch) stage.classList.add("panning");
    }
    if (press?.moved && !press.touch) map.panFrom(plane.index, press, x, y);
    else if (!press || press.moved) map.pointTo(plane.index, x, y);
  });

  const release = (event, cancelled) => {
    if (!pointers.delete(event.pointerId)) return;
    if (!cancelled && press && !pinch) {
      if (press.moved) map.letGo(plane.index);
      else map.click(plane.index, press.x, press.y, press.touch ? 18 : 9);
    }
    press = null;
    if (pointers.size === 0) pinch = null;
    stage.classList.remove("panning");
  };
  on("pointerup", (event) => release(event, false));
  on("pointercancel", (event) => release(event, true));
  on("lostpointercapture", (event) => release(event, true));

  on("wheel", (event) => {
    // Fully zoomed out, scrolling on belongs to the page again.
    if (!plane.ready || (event.deltaY > 0 && !event.ctrlKey && map.view.zoom <= 1.001)) return;
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 16 : 1;
    const factor = Math.exp(-event.deltaY * lines * (event.ctrlKey ? 0.01 : 0.0016));
    const floor = event.ctrlKey ? 0 : 1 / map.view.zoom; // the wheel alone stops at the whole cloud
    map.zoomAround(plane.index, ...place(event), event.deltaY > 0 ? Math.max(factor, floor) : factor);
  }, { passive: false });

  const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
  on("keydown", (event) => {
    if (event.target !== stage) return;
    event.stopPropagation(); // Streamlit takes r and c for itself
    if (!plane.ready || event.ctrlKey || event.metaKey || event.altKey) return;
    const arrow = arrows[event.key], keys = {
      Home: () => map.home(), Enter: () => map.pinHere(plane.index), Escape: () => map.unpin(),
      "+": () => map.zoom(1.5), "=": () => map.zoom(1.5), "-": () => map.zoom(1 / 1.5),
    };
    if (!arrow && !keys[event.key]) return;
    event.preventDefault();
    clearTimeout(settle);
    if (arrow) map.step(plane.index, ...arrow.map((d) => d * (event.shiftKey ? 0.2 : 0.025)));
    else keys[event.key]();
  });
  on("keyup", (event) => {
    event.stopPropagation();
    if (!arrows[event.key] && event.key !== "Home") return;
    clearTimeout(settle);
    settle = setTimeout(() => signal.aborted || map.letGo(plane.index), 300);
  });
}

/** Middle of two pointers and the distance between them. */
function spanOf(pointers) {
  const [[ax, ay], [bx, by]] = [...pointers.values()];
  return { x: (ax + bx) / 2, y: (ay + by) / 2, span: Math.max(20, Math.hypot(ax - bx, ay - by)) };
}
