// The page-wide store of packs: `ship` puts them in, the views take them out.

const STORE_LIMIT = 24;
const STORE_EVENT = "latent-pack";

function packStore() {
  window.__latentPacks ??= new Map();
  return window.__latentPacks;
}

/**
 * Keep a parsed pack, newest last, at most STORE_LIMIT of them, and wake those who wait for it. A pack with a slot
 * takes the place of the older one there: a training's last frames come again and again, each time one longer, and
 * would otherwise drive its first ones out.
 */
function keepPack(pack) {
  const store = packStore();
  store.delete(pack.id);
  for (const [id, other] of store) if (pack.slot && other.slot === pack.slot) store.delete(id);
  store.set(pack.id, pack);
  while (store.size > STORE_LIMIT) store.delete(store.keys().next().value);
  window.dispatchEvent(new CustomEvent(STORE_EVENT, { detail: pack.id }));
}

/**
 * Promise of the pack with this id (null gives null). Rejects with a readable sentence when it has
 * not come after `patience` milliseconds; an AbortSignal ends the waiting silently.
 */
function awaitPack(id, { patience = 30000, signal = null } = {}) {
  if (id === null || id === undefined) return Promise.resolve(null);
  return new Promise((resolve, reject) => {
    const settle = (done, value) => {
      window.removeEventListener(STORE_EVENT, look);
      clearTimeout(timer);
      done(value);
    };
    const look = () => {
      const pack = packStore().get(id);
      if (pack) settle(resolve, pack);
    };
    const timer = setTimeout(
      () => settle(reject, new Error("The model did not arrive in the browser. Reload the page.")), patience);
    signal?.addEventListener("abort", () => settle(() => {}), { once: true });
    window.addEventListener(STORE_EVENT, look);
    look();
  });
}

/** The atlas of a thumbnails pack as an ImageBitmap, decoded once. */
function thumbnailAtlas(pack) {
  pack.atlas ??= createImageBitmap(new Blob([pack.png], { type: "image/png" }));
  return pack.atlas;
}

/** Draw thumbnail `index` of a decoded atlas into a canvas of its own size. */
function paintThumbnail(canvas, pack, atlas, index) {
  const { side, columns } = pack;
  if (canvas.width !== side) canvas.width = canvas.height = side;
  const x = (index % columns) * side, y = Math.floor(index / columns) * side;
  canvas.getContext("2d").drawImage(atlas, x, y, side, side, 0, 0, side, side);
}

/** The invisible component behind `ship`: its data are the bytes of one pack. */
function shipPack({ data, parentElement }) {
  const box = (parentElement.host ?? parentElement).closest('[data-testid="stElementContainer"]');
  if (box) box.style.display = "none"; // nothing to see: leave no gap in the column
  const { header } = readHeader(data);
  keepPack(packStore().get(header.id) ?? parsePack(data));
  return () => box?.style.removeProperty("display"); // the place may be given to another element
}
