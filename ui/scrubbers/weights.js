// A view's own decoders, by pack id, made once each from the page's store of weights.

function makeDecoders() {
  let made = new Map();
  return {
    /** The decoder of this pack, or null while its weights are on their way. */
    get: (id) => made.get(id) ?? null,
    /** Call `changed()` whenever a missing decoder arrives, `failed(sentence)` when one does not. */
    want(ids, changed, failed) {
      made = new Map([...made].filter(([id]) => ids.includes(id)));
      for (const id of new Set(ids)) {
        if (id === null || made.has(id)) continue;
        awaitPack(id).then((pack) => {
          if (!made.has(id)) made.set(id, makeDecoder(pack));
          changed();
        }).catch((error) => failed(error.message));
      }
    },
  };
}
