// One pane's plane: a still layer (axes, points, prior), a layer for what is pinned, and a crosshair
// made of plain elements, so that a moving hand repaints nothing but a few thin lines.

/** An element with a class, attributes and children. */
function element(tag, className, attributes = {}, ...children) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

function button(label, name, action) {
  const node = element("button", "button", { type: "button", "aria-label": name, title: name }, label);
  node.addEventListener("click", action);
  return node;
}

const MARGIN = { left: 54, right: 10, top: 10, bottom: 54 };

class Plane {
  constructor(index, actions) {
    this.index = index;
    this.title = element("span", "title");
    this.swatch = element("span", "swatch", { "aria-hidden": "true" });
    this.scatter = element("canvas", "layer", { "aria-hidden": "true" });
    this.marks = element("canvas", "layer", { "aria-hidden": "true" });
    this.hairs = [element("div", "hair across"), element("div", "hair down")];
    this.here = element("div", "here");
    this.near = element("div", "near");
    this.plotBox = element("div", "plot", { "aria-hidden": "true" }, ...this.hairs, this.near, this.here);
    this.notice = element("div", "notice", { role: "status" }, "Loading the model\u2026");
    this.stage = element("div", "stage", { tabindex: "0", role: "application", "aria-describedby": "hint" },
      this.scatter, this.marks, this.plotBox, this.notice);
    const zoom = element("div", "zoom", { role: "group", "aria-label": "Zoom" },
      button("+", "Zoom in", () => actions.zoom(1.5)),
      button("\u2212", "Zoom out", () => actions.zoom(1 / 1.5)),
      button("\u21ba", "Reset the view", () => actions.resetView()));
    this.caption = element("figcaption", "caption");
    this.root = element("figure", "pane", { "data-pane": index },
      element("div", "heading", {}, this.swatch, this.title, zoom), this.stage, this.caption);
    this.root.style.gridArea = `plane${index}`;
    this.ready = false;
  }

  /** Show a pane whose packs have come. */
  load(spec, decoderPack, points) {
    this.spec = spec;
    this.frame = { centre: spec.centre, scale: spec.scale };
    if (this.decoder?.id !== decoderPack.id) this.decoder = makeDecoder(decoderPack);
    this.points = points;
    this.colours = spec.colours;
    this.title.textContent = spec.title;
    this.swatch.style.background = spec.colour;
    this.stage.setAttribute("aria-label",
      `Latent plane of ${spec.title}, ${points.count} ${spec.noun}. Arrow keys move the point, Enter pins it.`);
    this.notice.hidden = true;
    this.ready = true;
    this.stage.classList.add("ready");
    this.axes = null; // the projection is stale
  }

  fail(sentence) {
    this.notice.hidden = false;
    this.notice.textContent = sentence;
  }

  /** Choose the two latents that span the plane. */
  project(axes) {
    const [a, b] = (this.axes = axes), cov = this.spec.covariance, { scale } = this.frame;
    const full = (i, j) => (Array.isArray(cov[i]) ? cov[i][j] : i === j ? cov[i] : 0) / scale ** 2;
    this.projected = projectCodes(this.points, this.frame, axes);
    const radius = 0.04 * homeWindow([this.projected]).half;
    this.places = namePlaces(this.projected, this.points.labels, this.points.classes.length, radius);
    this.shape = cov && ellipseOf(full(a, a), full(a, b), full(b, b));
    this.chosen = null;
  }

  resize(side) {
    const ratio = window.devicePixelRatio || 1;
    if (side === this.side && ratio === this.ratio) return false;
    this.side = side;
    this.ratio = ratio;
    this.plot = { left: MARGIN.left, top: MARGIN.top, size: side - MARGIN.left - MARGIN.right };
    this.stage.style.width = this.stage.style.height = `${side}px`;
    this.root.style.width = `${side}px`;
    for (const canvas of [this.scatter, this.marks]) {
      canvas.width = canvas.height = Math.round(side * ratio);
      canvas.style.width = canvas.style.height = `${side}px`;
    }
    const { left, top, size } = this.plot;
    Object.assign(this.plotBox.style, { left: `${left}px`, top: `${top}px`, width: `${size}px`, height: `${size}px` });
    this.chosen = null;
    return true;
  }

  /** Shared units -> pixels of the stage. */
  mapping(view) {
    const { left, top, size } = this.plot, unit = size / (2 * view.half);
    return {
      x: (u) => left + (u - view.x + view.half) * unit,
      y: (v) => top + (view.y + view.half - v) * unit,
      length: (d) => d * unit,
    };
  }

  /** Pixels of the stage -> shared units, held inside the plot. */
  toShared(view, px, py) {
    const { left, top, size } = this.plot, unit = (2 * view.half) / size;
    const x = Math.min(Math.max(px - left, 0), size), y = Math.min(Math.max(py - top, 0), size);
    return [view.x - view.half + x * unit, view.y + view.half - y * unit];
  }

  clear(canvas) {
    const context = canvas.getContext("2d");
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    context.clearRect(0, 0, this.side, this.side);
    return context;
  }

  clip(context) {
    const { left, top, size } = this.plot;
    context.beginPath();
    context.rect(left, top, size, size);
    context.clip();
  }

  /** The still layer. `pictures` is null for dots, else {pack, atlas}. */
  drawStill(view, theme, pictures) {
    const context = this.clear(this.scatter), at = this.mapping(view), { plot, ratio } = this;
    const { labels, count } = this.points;
    const radius = Math.min(5, 1.9 * Math.max(1, plot.size / 420) * view.zoom ** 0.3);
    const alpha = pictures ? 0.22 : Math.min(0.9, 0.62 * view.zoom ** 0.12);
    const seen = drawDots(context, theme, plot, at, this.projected, labels, this.colours, { radius, alpha, ratio });
    drawAxes(context, theme, plot, view, this.frame, this.axes);
    context.save();
    this.clip(context);
    let shown = 0;
    if (pictures) {
      const side = Math.min(36, Math.max(28, pictures.pack.side));
      const tiles = { ...pictures, side, chosen: this.choose(at, side), coloured: this.decoder.image[0] === 3 };
      shown = drawPictures(context, theme, plot, at, this.projected, labels, this.colours, tiles, ratio);
    }
    this.label(context, theme, at, this.shape ? drawGaussian(context, theme, at, this.shape) : []);
    context.restore();
    this.caption.textContent = this.describe(seen, count, pictures ? shown : null);
  }

  /** Which points are pictures depends on the zoom alone, so that panning changes none. */
  choose(at, side) {
    const unit = at.length(1);
    if (this.chosen?.unit !== unit) {
      this.chosen = { unit, indices: spacedPoints(this.projected.map((value) => value * unit), side) };
    }
    return this.chosen.indices;
  }

  /** Write sigma at the rings, and each class's name on its cloud or, where that is full, on a line beside it. */
  label(context, theme, at, rings) {
    const { classes } = this.points;
    drawLabels(context, theme, arrangeLabels(context, this.plot, [
      ...rings.map(({ text, x, y }) => ({ text, font: `13px ${theme.font}`, places: [[x, y]] })),
      ...nameLabels(theme, at, this.projected, this.places, classes),
    ]));
  }

  describe(seen, count, shown) {
    const of = (n) => n.toLocaleString("en"), { noun, gaussian } = this.spec;
    const crowd = shown === null ? `${of(seen)} of ${of(count)} ${noun} in view.`
      : `${of(shown)} of ${of(count)} ${noun} shown as pictures, the others as dots; zoom in for more.`;
    return this.shape ? `${crowd} Rings: ${gaussian}, at 1 and 2 sigma.` : crowd;
  }

  /** The layer of what is pinned: [{place [2], spread [2] | null, draws [[u, v]]}]. */
  drawMarks(view, theme, pins) {
    const context = this.clear(this.marks), at = this.mapping(view);
    context.save();
    this.clip(context);
    for (const pin of pins) drawPin(context, theme, at, pin.place, pin.spread, pin.draws);
    context.restore();
  }

  /** Put the crosshair at (u, v) and a ring on the nearest point when it is near on the screen. */
  moveCursor(view, u, v) {
    const { left, top, size } = this.plot, unit = size / (2 * view.half);
    const x = (u - view.x + view.half) * unit, y = (view.y + view.half - v) * unit;
    this.hairs[0].style.transform = `translateY(${y}px)`;
    this.hairs[1].style.transform = `translateX(${x}px)`;
    this.here.style.transform = `translate(${x}px, ${y}px)`;
    const { index } = nearestRow(this.projected, 2, [u, v]);
    const nx = (this.projected[2 * index] - view.x + view.half) * unit;
    const ny = (view.y + view.half - this.projected[2 * index + 1]) * unit;
    const gap = Math.hypot(nx - x, ny - y);
    this.near.style.transform = gap < 12 ? `translate(${nx}px, ${ny}px)` : "translate(-99px, -99px)";
    return { index, gap };
  }
}
