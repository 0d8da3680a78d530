// What surrounds the planes: the tools, the strips of what is pinned, the layout, the saved picture.
// These are methods of LatentMap, kept apart from its behaviour.

const HINTS = window.matchMedia("(pointer: coarse)").matches
  ? ["Slide a finger over the plane.", "A tap pins, two fingers zoom."]
  : ["Move over the plane \u2013 or focus it and use the arrow keys.", "Click pins, drag pans, the wheel zooms."];

const frameMethods = {
  /** Make the elements for as many panes as there are. */
  build() {
    this.hands?.abort();
    this.hands = new AbortController();
    this.ready = false;
    const count = this.data.panes.length;
    this.planes = Array.from({ length: count }, (_, i) => new Plane(i, this));
    this.pictures = Array.from({ length: count }, (_, i) => new Picture(i, count));
    this.strips = Array.from({ length: count }, (_, i) => new PinStrip(i, () => this.drawPosterior(i)));
    this.pinMarks = Array.from({ length: count }, () => []);
    this.atlases = Array.from({ length: count }, () => null);
    this.toggles = {
      dots: button("Dots", "Show the points as dots", () => this.chooseShow("dots")),
      thumbnails: button("Pictures", "Show the points as pictures", () => this.chooseShow("thumbnails")),
    };
    this.choice = element("div", "choice", { role: "group", "aria-label": "Points as" }, ...Object.values(this.toggles));
    this.choice.hidden = true;
    this.axisTools = element("div", "axis-tools");
    const hint = element("div", "hint", { id: "hint" }, HINTS[0], element("span", "more", {}, ` ${HINTS[1]}`));
    const tools = element("div", "tools", {}, this.axisTools, this.choice,
      button("Save picture", "Save the plane as a PNG", () => this.save()));
    const column = element("div", "pictures", {}, ...this.pictures.map((picture) => picture.root));
    this.root.replaceChildren(hint, tools, ...this.planes.map((plane) => plane.root), column,
      ...this.strips.map((strip) => strip.root), this.live);
    this.root.dataset.panes = count;
    for (const plane of this.planes) listenToHands(plane, this, this.hands.signal);
  },

  /** Two selects when there are more than two latents. */
  fillTools() {
    const { latent } = this.planes[0].points;
    if (latent <= 2) return this.axisTools.replaceChildren();
    const choose = (i, word) => {
      const select = element("select", "", { "aria-label": `Latent ${word}` });
      for (let d = 0; d < latent; d++) select.append(new Option(`latent ${d + 1}`, d, false, d === this.axes[i]));
      select.addEventListener("change", () => {
        const axes = [...this.axes], chosen = Number(select.value);
        if (axes[1 - i] === chosen) axes[1 - i] = axes[i]; // the same twice: exchange them
        axes[i] = chosen;
        this.setAxes(axes);
        this.fillTools();
      });
      return element("label", "axis", {}, word, select);
    };
    return this.axisTools.replaceChildren(choose(0, "across"), choose(1, "up"));
  },

  chooseShow(show) {
    if (show === this.show) return;
    this.setShow(show);
    if (this.ready) this.letGo(0);
  },

  // ------------------------------------------------------------ what is pinned

  fillStrips() {
    this.planes.forEach((plane, p) => {
      const pin = (this.pinned ??= [])[p] = this.describePin(p);
      this.pinMarks[p] = [];
      if (!pin) return this.strips[p].empty();
      this.strips[p].fill(plane.decoder, pin, this.planes.length > 1 ? 56 : 84);
      return this.drawPosterior(p);
    });
  },

  /** {title, note, z, std, place, original} of the pin in pane p, or null. */
  describePin(p) {
    const { pin, axes } = this, plane = this.planes[p], atlas = this.atlases[p];
    if (!pin) return null;
    if (pin.kind === "spot") {
      const { centre, scale } = plane.frame, z = Float64Array.from(this.anchors[p]);
      axes.forEach((a, i) => (z[a] = centre[a] + scale * pin.cursor[i]));
      return { title: "Pinned: an empty spot", note: `No image was encoded here; the decoder answers all the same.`, z, std: null, original: null };
    }
    const z = this.codeOf(p), std = this.stdOf(p);
    if (!z) return null;
    const note = std ? "Ellipses: its posterior, one and two sigma. Crosses: the draws."
      : "This encoder gives one code and no posterior: there is nothing to draw.";
    if (pin.kind === "outside") {
      const original = (canvas) => paintPixels(canvas, Uint8Array.from(pin.image), plane.decoder.image);
      return { title: `Pinned: ${pin.label}`, note, z, std, original: pin.image ? original : null };
    }
    const { labels, classes } = plane.points;
    const original = atlas && pin.index < atlas.pack.count ? (canvas) => paintThumbnail(canvas, atlas.pack, atlas.atlas, pin.index) : null;
    return { title: `Pinned: ${classes[labels[pin.index]]}, image ${pin.index.toLocaleString("en")}`, note, z, std, original };
  },

  /** Fresh draws from the posterior of the pin in pane p, as pictures and as crosses on the plane. */
  drawPosterior(p) {
    const pin = this.pinned?.[p], plane = this.planes[p], { scale } = plane.frame;
    if (!pin) return;
    const latents = pin.std ? this.strips[p].draw(plane.decoder, pin) : [];
    this.pinMarks[p] = [{
      place: this.toShared(p, pin.z),
      spread: pin.std && this.axes.map((a) => pin.std[a] / scale),
      draws: latents.map((z) => this.toShared(p, z)),
    }];
    this.mark("marks");
  },

  // ------------------------------------------------------------ layout

  /** Choose the arrangement and the plane's side from the width that there is. */
  layout() {
    const width = Math.floor(this.root.clientWidth), most = this.data?.side ?? 520, { gap } = LAYOUT;
    if (!width || !this.planes) return;
    const two = this.planes.length > 1, beside = two ? (width - 2 * gap - LAYOUT.pair) / 2 : width - gap - LAYOUT.column;
    const layout = beside >= LAYOUT.least ? "wide" : two && width >= LAYOUT.narrow ? "columns" : "narrow";
    const side = Math.floor(Math.min(two ? Math.min(most, LAYOUT.pairPlane) : most, layout === "wide" ? this.roomBelow() : most, layout === "wide" ? beside : layout === "columns" ? (width - gap) / 2 : width));
    const share = layout === "narrow" && two ? (width - 12) / 2 : two ? LAYOUT.pair : LAYOUT.column;
    this.root.dataset.layout = layout;
    this.root.dataset.roomy = !two && width - side - 2 * gap - LAYOUT.column >= LAYOUT.strip; // the pin beside the picture
    this.root.style.setProperty("--side", `${side}px`);
    let changed = false;
    this.planes.forEach((plane, i) => {
      changed = plane.resize(side) || changed;
      this.pictures[i].resize(Math.min(share, layout === "wide" ? share : side), plane.decoder?.image ?? [1, 28, 28]);
    });
    if (changed) this.mark("still", "marks", "cursor");
  },

  /** How tall a plane may be to stand on the first screen of its page or, far below it, on a screen at all. */
  roomBelow() {
    const scrolled = document.querySelector('[data-testid="stMain"]')?.scrollTop ?? window.scrollY;
    const top = this.planes[0].stage.getBoundingClientRect().top + scrolled;
    const first = window.innerHeight - top - LAYOUT.caption;
    return first >= LAYOUT.least + 50 ? first : window.innerHeight - 200;
  },

  // ------------------------------------------------------------ saving

  /** Planes with crosshair and decoded pictures, twice the size, as a PNG file. */
  save() {
    if (!this.ready) return;
    const { theme } = this, side = this.planes[0].side, picture = 224, gap = 24, top = 34, foot = 56;
    const width = this.planes.length * (side + gap + picture + gap) + gap;
    const canvas = element("canvas");
    canvas.width = width * 2;
    canvas.height = (top + side + foot) * 2;
    const context = canvas.getContext("2d");
    context.scale(2, 2);
    context.fillStyle = theme.paper;
    context.fillRect(0, 0, width, canvas.height);
    context.textBaseline = "top";
    this.planes.forEach((plane, p) => {
      const left = gap + p * (side + picture + 2 * gap), right = left + side + gap;
      const { ratio } = plane;
      plane.ratio = 2;
      const layers = [plane.scatter, plane.marks];
      const still = layers.map(() => element("canvas"));
      for (const layer of still) layer.width = layer.height = side * 2;
      [plane.scatter, plane.marks] = still;
      plane.drawStill(this.view, theme, this.show === "thumbnails" ? this.atlases[p] : null);
      plane.drawMarks(this.view, theme, this.pinMarks[p]);
      [plane.scatter, plane.marks] = layers;
      plane.ratio = ratio;
      for (const layer of still) context.drawImage(layer, left, top, side, side);
      const at = plane.mapping(this.view), x = left + at.x(this.cursor[0]), y = top + at.y(this.cursor[1]);
      context.strokeStyle = theme.accent;
      context.lineWidth = 2;
      context.beginPath();
      context.arc(x, y, 8, 0, 2 * Math.PI);
      context.stroke();
      context.fillStyle = theme.ink;
      context.font = `600 16px ${theme.font}`;
      context.fillText(plane.spec.title, left, 10);
      context.font = `13px ${theme.font}`;
      context.fillText(plane.caption.textContent, left, top + side + 6);
      context.imageSmoothingEnabled = false;
      const { canvas: decoded, reading, nearest } = this.pictures[p], [, h, w] = plane.decoder.image;
      context.drawImage(decoded, right, top + MARGIN.top, picture, (picture * h) / w);
      context.fillText(reading.textContent, right, top + MARGIN.top + picture + 10);
      context.fillText(nearest.textContent, right, top + MARGIN.top + picture + 30);
    });
    canvas.toBlob((blob) => {
      const link = element("a", "", { download: "latent-map.png", href: URL.createObjectURL(blob) });
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    });
  },
};

Object.assign(LatentMap.prototype, frameMethods);
