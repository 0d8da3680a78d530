// The pictures of a frame: held-out images above their reconstructions, and samples; cut out of one row of a PNG.

const TILE = 64, LARGE = 84; // CSS pixels that a picture may take beside the plane, and below it on a phone
const BITMAPS = 24; // rows of pictures that stay decoded; a hand moves among neighbours

/** A frame's pictures as small canvases: `build(pairs, draws)` makes them, `show(frame)` fills them. */
function makePictures() {
  const tile = (text) => el("canvas", { role: "img", "aria-label": text, width: 28, height: 28 });
  const [sampleTitle, couples, samples] = [el("figcaption"), el("div", { class: "tiles" }), el("div", { class: "tiles" })];
  const root = el("div", { class: "strips", "data-testid": "strips" },
    el("figure", {}, el("figcaption", {}, "Held-out images, and below each its reconstruction"), couples),
    el("figure", {}, sampleTitle, samples));
  let tiles = []; // as in a row: images, their reconstructions, samples
  const bitmaps = new Map(); // frame -> promise, the one used last at the end
  let wanted = null;

  function decoded(frame) {
    const bitmap = bitmaps.get(frame) ?? createImageBitmap(new Blob([frame.strip], { type: "image/png" }));
    bitmaps.delete(frame);
    bitmaps.set(frame, bitmap);
    if (bitmaps.size > BITMAPS) {
      const [oldest, unused] = bitmaps.entries().next().value;
      bitmaps.delete(oldest);
      unused.then((each) => each.close()).catch(() => {});
    }
    return bitmap;
  }

  return {
    root,
    tiles: () => tiles,
    build(pairs, draws) {
      const row = (count, name) => Array.from({ length: count }, (_, i) => tile(`${name} ${i + 1}`));
      const [originals, returned, drawn] = [row(pairs, "Held-out image"), row(pairs, "Reconstruction of held-out image"), row(draws, "Sample")];
      delete root.dataset.step;
      couples.replaceChildren(...originals.map((canvas, i) => el("div", { class: "pair" }, canvas, returned[i])));
      samples.replaceChildren(...drawn);
      tiles = [...originals, ...returned, ...drawn];
    },
    entitle: (text) => (sampleTitle.textContent = text),
    /** Fill all tiles from a frame's row; the newest frame asked for wins. */
    async show(frame) {
      wanted = frame;
      if (!frame) return;
      const row = await decoded(frame).catch(() => null);
      if (wanted !== frame || !row) return;
      const width = row.width / tiles.length;
      tiles.forEach((canvas, i) => {
        if (canvas.width !== width || canvas.height !== row.height) [canvas.width, canvas.height] = [width, row.height];
        canvas.getContext("2d").drawImage(row, i * width, 0, width, row.height, 0, 0, width, row.height);
      });
      root.style.setProperty("--shape", `${width} / ${row.height}`);
      for (const [name, room] of [["--tile", TILE], ["--large", LARGE]]) {
        root.style.setProperty(name, `${width * Math.max(1, Math.floor(room / width))}px`); // whole multiples stay crisp
      }
      root.dataset.step = frame.step;
    },
  };
}
