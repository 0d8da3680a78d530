// Beside the plane: the decoded picture with its numbers, and what is known of the pinned place.

const HELD = 30; // latents whose values are told beside a slice
const DRAWS = 8, DRAW_ROOM = 56; // fresh draws of a posterior, and the CSS pixels that each may take

/** CSS side of a picture of `pixels`: the largest whole multiple that fits `room`, but at least one. */
function crispSide(pixels, room) {
  return pixels * Math.max(1, Math.floor(room / pixels));
}

/** The large decoded picture of one pane. */
class Picture {
  constructor(index, count) {
    const testid = count > 1 ? `decoded-${index}` : "decoded";
    this.swatch = element("span", "swatch", { "aria-hidden": "true" });
    this.title = element("span", "title");
    this.canvas = element("canvas", "pixels", { "data-testid": testid, role: "img", width: 28, height: 28 });
    this.reading = element("div", "reading");
    this.held = element("div", "held");
    this.thumbnail = element("canvas", "pixels thumbnail", { role: "img", "aria-label": "Nearest image", width: 28, height: 28 });
    this.nearest = element("span", "nearest-text");
    this.row = element("div", "nearest", {}, this.thumbnail, this.nearest);
    this.root = element("figure", "picture", {},
      element("div", "heading", {}, this.swatch, this.title), this.canvas,
      element("figcaption", "numbers", {}, this.reading, this.row, this.held));
    this.shown = null;
    this.thumbnail.hidden = true;
  }

  load(spec) {
    this.spec = spec;
    this.title.textContent = spec.title;
    this.swatch.style.background = spec.colour;
    this.canvas.setAttribute("aria-label", `Picture decoded by ${spec.title}`);
    this.row.classList.toggle("pictured", Boolean(spec.thumbnails));
    this.shown = null;
  }

  resize(room, image) {
    const side = crispSide(image[2], room);
    this.canvas.style.width = `${side}px`;
    this.canvas.style.height = `${(side * image[1]) / image[2]}px`;
  }

  /** Decode z and show it with its numbers. */
  show(decoder, z, axes) {
    const start = performance.now();
    const pixels = decoder.decode(z);
    const ms = performance.now() - start;
    paintPixels(this.canvas, pixels, decoder.image);
    this.canvas.dataset.z = `[${z.join(",")}]`;
    this.canvas.dataset.ms = ms.toFixed(3);
    const numbers = axes.map((a) => formatNumber(z[a]));
    this.reading.textContent = z.length === 2 ? `z = (${numbers.join(", ")})`
      : axes.map((a, i) => `latent ${a + 1} = ${numbers[i]}`).join(", ");
  }

  /** Name the coordinates off the plane, which stay where they are. */
  hold(z, axes, where) {
    const rest = [...z.keys()].filter((d) => !axes.includes(d)), told = rest.length <= HELD && rest.some((d) => z[d]);
    const list = () => rest.map((d) => `${d + 1}:\u00a0${formatNumber(z[d])}`).join(", ");
    const text = `The other latents are held at ${where}${told ? ` (${list()})` : ""}.`;
    if (rest.length && this.held.textContent !== text) this.held.textContent = text;
  }

  /** The nearest point among those known, by its distance in all latents. */
  name(points, z, pictures) {
    const { index, distance } = nearestRow(points.codes, points.latent, z);
    const label = points.classes[points.labels[index]];
    this.nearest.textContent = `nearest: ${label}, ${formatNumber(distance)} away`;
    if (pictures && index !== this.shown) paintThumbnail(this.thumbnail, pictures.pack, pictures.atlas, index);
    this.thumbnail.hidden = !pictures;
    this.shown = index;
    return label;
  }
}

/** The pinned place of one pane: the image itself, what its code decodes to, fresh draws from its posterior. */
class PinStrip {
  constructor(index, redraw) {
    this.title = element("div", "strip-title");
    this.again = button("Draw again", "Draw again from the posterior", redraw);
    this.images = element("div", "strip-images");
    this.draws = element("div", "draws");
    this.note = element("p", "note");
    this.root = element("section", "strip", { "aria-label": "Pinned place" },
      element("div", "strip-head", {}, this.title, this.again),
      element("div", "strip-row", {}, this.images, this.draws), this.note);
    this.root.style.gridArea = `pin${index}`;
    this.empty();
  }

  empty() {
    this.title.textContent = "Nothing pinned yet";
    this.note.textContent = "Click a point: its image, what its code decodes to and, of a VAE, fresh draws from its posterior appear here.";
    this.images.replaceChildren();
    this.draws.replaceChildren();
    this.again.hidden = true;
  }

  /** Show a pin {title, note, z [Z], std [Z] | null, original(canvas) | null}; pictures fit `room` pixels. */
  fill(decoder, pin, room) {
    const side = crispSide(decoder.image[2], room);
    const cell = (text, paint) => {
      const canvas = pictureCanvas(text, side);
      paint(canvas);
      return element("figure", "cell", {}, canvas, element("figcaption", "", {}, text));
    };
    const decoded = (canvas) => paintPixels(canvas, decoder.decode(pin.z), decoder.image);
    this.title.textContent = pin.title;
    this.note.textContent = pin.note;
    this.images.replaceChildren(...(pin.original ? [cell("image", pin.original)] : []), cell("decoded", decoded));
    this.draws.replaceChildren();
    this.again.hidden = !pin.std;
  }

  /** Sample the pin's posterior anew, decode every draw, and return their latents. */
  draw(decoder, pin) {
    const side = crispSide(decoder.image[2], DRAW_ROOM);
    const latents = Array.from({ length: DRAWS }, () => Float64Array.from(pin.z, (m, d) => m + pin.std[d] * normal()));
    this.draws.replaceChildren(...latents.map((z, i) => {
      const canvas = pictureCanvas(`Fresh draw ${i + 1} of ${DRAWS}`, side);
      paintPixels(canvas, decoder.decode(z), decoder.image);
      return canvas;
    }));
    return latents;
  }
}

function pictureCanvas(label, side) {
  const canvas = element("canvas", "pixels", { role: "img", "aria-label": label });
  canvas.style.width = canvas.style.height = `${side}px`;
  return canvas;
}
