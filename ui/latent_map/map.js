// The explorer: one shared cursor over one or two planes, decoded in every frame in which it moved.

// CSS pixels: between columns; the column of pictures for one pane and for two; the largest plane of two; the
// width below which all stands in one column; the smallest plane that may stand beside its picture; a plane's
// caption; the narrowest strip of what is pinned.
const LAYOUT = { gap: 24, column: 288, pair: 236, pairPlane: 440, narrow: 600, least: 290, caption: 48, strip: 250 };

const round5 = (value) => Math.round(value * 1e5) / 1e5;

class LatentMap {
  constructor(parent) {
    this.view = new PlaneView();
    this.cursor = [0, 0]; // shared units, on the two axes
    this.life = new AbortController();
    this.root = element("div", "latent-map", { "data-testid": "latent-map" });
    this.live = element("div", "unseen", { "aria-live": "polite" });
    this.dirty = { still: true, marks: true, cursor: true };
    this.told = {}; // what Python last asked for, as text
    this.reported = []; // pinned images (or null) last told to Python
    parent.append(this.root);
    this.observer = new ResizeObserver(() => this.layout());
    this.observer.observe(this.root);
    window.addEventListener("resize", () => this.layout(), { signal: this.life.signal });
  }

  destroy() {
    this.life.abort();
    this.hands?.abort();
    this.observer.disconnect();
    cancelAnimationFrame(this.request);
    this.root.remove();
  }

  // ------------------------------------------------------------ what Python asks for

  update({ data, setStateValue }) {
    this.data = data;
    this.tell = setStateValue;
    if (this.planes?.length !== data.panes.length) this.build();
    this.theme = readTheme(this.root);
    const first = this.told.panes === undefined;
    if (first && data.cursor) this.cursor = [...data.cursor];
    if (this.news("show", data.show)) this.setShow(data.show);
    if (this.news("panes", data.panes)) this.load();
    else if (this.ready) this.adopt();
    this.layout();
    this.mark("still", "marks");
  }

  /** Whether Python asks for something else than the last time. */
  news(name, value) {
    const text = JSON.stringify(value ?? null);
    if (this.told[name] === text) return false;
    this.told[name] = text;
    return true;
  }

  async load() {
    const panes = this.data.panes, turn = (this.turn = Symbol("load")), signal = this.life.signal;
    try {
      const packs = await Promise.all(panes.map((p) => Promise.all([awaitPack(p.decoder, { signal }), awaitPack(p.points, { signal })])));
      if (this.turn !== turn) return;
      packs.forEach(([decoder, points], i) => {
        const spec = { ...panes[i], colours: this.data.colours };
        this.planes[i].load(spec, decoder, points);
        this.pictures[i].load(spec);
      });
      this.ready = true;
      this.atlases = panes.map((pane, i) => (this.atlases[i]?.pack.id === pane.thumbnails ? this.atlases[i] : null));
      this.adopt(true);
      this.layout();
    } catch (error) {
      if (this.turn === turn) for (const plane of this.planes) plane.fail(error.message);
      return;
    }
    panes.forEach(async (pane, i) => {
      const pack = await awaitPack(pane.thumbnails, { signal }).catch(() => null);
      const atlas = pack && (await thumbnailAtlas(pack));
      if (this.turn !== turn || !atlas) return;
      if (this.atlases[i]) return;
      this.atlases[i] = { pack, atlas };
      this.pictures[i].shown = null;
      this.choice.hidden = false;
      this.fillStrips();
      this.mark("still", "cursor");
    });
  }

  /** Take over axes, anchor and pin where Python changed them; `fresh` after a model arrived. */
  adopt(fresh = false) {
    const { axes, anchor, pin } = this.data, mounting = this.told.pin === undefined;
    const turned = this.news("axes", axes) && this.axes?.join() !== axes.join();
    const moved = this.news("anchor", anchor);
    const pinned = this.news("pin", pin) && !this.isEcho(pin);
    if (!fresh && !turned && !moved && !pinned) return;
    if (turned) this.axes = [...axes];
    if (pinned) {
      this.pin = pin === null ? null : typeof pin === "number" ? { kind: "image", index: pin } : { kind: "outside", ...pin };
      this.reported = []; // a later return to an image that was clicked before is news, not an echo
    }
    if (fresh || turned) this.span();
    this.anchorAt();
    if (pinned && this.pin && !(mounting && this.data.cursor)) this.goToPin();
    this.fillTools();
    this.fillStrips();
    this.mark("still", "marks", "cursor");
  }

  /** Whether a pin from Python only repeats what a hand here did before (perhaps several clicks ago). */
  isEcho(pin) {
    const known = this.reported.lastIndexOf(pin);
    if (known >= 0) this.reported.splice(0, known);
    return known >= 0;
  }

  /** Project every pane onto the chosen axes and fit the window. */
  span() {
    for (const plane of this.planes) plane.project(this.axes);
    this.view.home = homeWindow(this.planes.map((plane) => plane.projected));
    this.view.reset();
  }

  // ------------------------------------------------------------ anchor and cursor

  /** The latent of the pinned image in pane p, or null. */
  codeOf(p) {
    const { points } = this.planes[p], pin = this.pin;
    if (pin?.kind === "outside") return pin.posteriors[p]?.mean ?? null;
    if (pin?.kind !== "image" || pin.index >= points.count) return null;
    return points.codes.subarray(pin.index * points.latent, (pin.index + 1) * points.latent);
  }

  stdOf(p) {
    const { points } = this.planes[p], pin = this.pin;
    if (pin?.kind === "outside") return pin.posteriors[p]?.std ?? null;
    if (pin?.kind !== "image" || !points.std) return null;
    return points.std.subarray(pin.index * points.latent, (pin.index + 1) * points.latent);
  }

  /** Hold the coordinates off the plane at the pinned code, else at Python's anchor, else at the centre. */
  anchorAt() {
    const given = this.data.anchor;
    this.anchors = this.planes.map((plane, p) => Float64Array.from(this.codeOf(p) ?? given ?? plane.frame.centre, round5));
    this.held = this.planes.map((plane, p) => (this.codeOf(p) ? "the pinned image's code" : given ? "the anchor"
      : plane.frame.centre.some((c) => c !== 0) ? "the mean code" : "zero"));
  }

  /** The full latent under the cursor in pane p, to five decimals. */
  latent(p) {
    const z = Float64Array.from(this.anchors[p]), { centre, scale } = this.planes[p].frame;
    this.axes.forEach((a, i) => (z[a] = round5(centre[a] + scale * this.cursor[i])));
    return z;
  }

  toShared(p, z) {
    const { centre, scale } = this.planes[p].frame;
    return this.axes.map((a) => (z[a] - centre[a]) / scale);
  }

  moveTo(u, v) {
    if (this.cursor[0] === u && this.cursor[1] === v) return;
    this.cursor = [u, v];
    this.mark("cursor");
  }

  goToPin(p = 0) {
    const code = this.pin.kind === "spot" ? null : this.codeOf(p);
    const [u, v] = code ? this.toShared(p, code) : this.pin.cursor ?? [0, 0];
    this.moveTo(u, v);
    this.view.follow(u, v);
  }

  // ------------------------------------------------------------ what hands do (see input.js)

  pointTo(p, px, py) {
    this.aim = [p, px, py];
    this.mark();
  }

  panFrom(p, start, px, py) {
    const unit = this.planes[p].plot.size / (2 * this.view.half);
    this.view.x = start.window.x - (px - start.x) / unit;
    this.view.y = start.window.y + (py - start.y) / unit;
    this.mark("still", "marks");
  }

  zoomAround(p, px, py, factor) {
    this.view.zoomAt(...this.planes[p].toShared(this.view, px, py), factor);
    this.mark("still", "marks");
  }

  zoom(factor) {
    if (!this.ready) return;
    this.view.zoomAt(...this.cursor, factor);
    this.mark("still", "marks");
  }

  resetView() {
    this.view.reset();
    this.mark("still", "marks");
  }

  step(p, dx, dy) {
    this.moveTo(this.cursor[0] + dx * this.view.half, this.cursor[1] + dy * this.view.half);
    const { x, y } = this.view;
    this.view.follow(...this.cursor);
    if (x !== this.view.x || y !== this.view.y) this.mark("still", "marks");
  }

  home() {
    this.moveTo(0, 0);
    this.resetView();
  }

  click(p, px, py, reach) {
    this.settleAim();
    this.pinAt(p, this.planes[p].toShared(this.view, px, py), reach);
  }

  pinHere(p) {
    this.pinAt(p, this.cursor, 9);
  }

  /** Pin the point nearest to (u, v) within `reach` pixels of pane p, else the spot itself. */
  pinAt(p, [u, v], reach) {
    const plane = this.planes[p], { index } = nearestRow(plane.projected, 2, [u, v]);
    const gap = Math.hypot(plane.projected[2 * index] - u, plane.projected[2 * index + 1] - v);
    const near = gap * plane.mapping(this.view).length(1) <= reach;
    this.pin = near ? { kind: "image", index } : { kind: "spot", cursor: [u, v] };
    if (near) this.anchorAt();
    this.moveTo(...(near ? this.toShared(p, this.codeOf(p)) : [u, v]));
    this.fillStrips();
    this.mark("marks", "cursor");
    this.letGo(p);
  }

  unpin() {
    this.pin = null;
    this.anchorAt();
    this.fillStrips();
    this.mark("marks", "cursor");
    this.letGo(0);
  }

  /** Tell Python where the hand stopped. */
  letGo(p) {
    this.settleAim();
    const index = this.pin?.kind === "image" ? this.pin.index : null;
    if (this.reported.at(-1) !== index) this.reported = [...this.reported.slice(-7), index];
    this.tell("pick", { pane: p, z: [...this.latent(p)], cursor: this.cursor.map(round5), axes: this.axes, index, show: this.show });
    this.live.textContent = this.planes.map((plane, i) => `${plane.spec.title}: ${this.pictures[i].reading.textContent}, `
      + this.pictures[i].nearest.textContent).join(". ");
  }

  setShow(show) {
    this.show = show;
    for (const [name, node] of Object.entries(this.toggles)) node.setAttribute("aria-pressed", String(name === show));
    this.mark("still");
  }

  /** Other axes, the same point: what the hand moved so far is held from now on. */
  setAxes(axes) {
    this.anchors = this.planes.map((_, p) => this.latent(p));
    this.held = this.planes.map(() => "their last values");
    this.axes = axes;
    this.cursor = this.toShared(0, this.anchors[0]);
    this.span();
    this.view.follow(...this.cursor);
    this.fillStrips();
    this.mark("still", "marks", "cursor");
    this.letGo(0);
  }

  // ------------------------------------------------------------ frames

  /** Something changed: draw it in the next frame. */
  mark(...parts) {
    for (const part of parts) this.dirty[part] = true;
    this.request ??= requestAnimationFrame(() => {
      this.request = undefined;
      if (this.ready) this.frame();
    });
  }

  /** Turn the newest pointer position into the cursor. */
  settleAim() {
    if (!this.aim) return;
    const [p, px, py] = this.aim;
    this.aim = null;
    this.moveTo(...this.planes[p].toShared(this.view, px, py));
  }

  frame() {
    this.settleAim();
    const { still, marks, cursor } = this.dirty;
    this.dirty = {};
    const { view, theme } = this;
    this.planes.forEach((plane, p) => {
      const picture = this.pictures[p], atlas = this.atlases[p];
      if (cursor) {
        const z = this.latent(p);
        picture.show(plane.decoder, z, this.axes);
        picture.name(plane.points, z, atlas);
        picture.hold(z, this.axes, this.held[p]);
      }
      if (still) plane.drawStill(view, theme, this.show === "thumbnails" ? atlas : null);
      if (still || marks) plane.drawMarks(view, theme, this.pinMarks[p]);
      if (still || cursor) plane.moveCursor(view, ...this.cursor);
    });
  }
}

/** The component's entry: runs again on the same parent whenever its data change. */
function latentMap(component) {
  const parent = component.parentElement;
  parent.__latentMap ??= new LatentMap(parent);
  parent.__latentMap.update(component);
  return () => {
    parent.__latentMap?.destroy();
    delete parent.__latentMap;
  };
}
