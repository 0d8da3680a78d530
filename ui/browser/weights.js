// A view's own decoders, by pack id, made once each from the page's store of weights.

function makeDecoders() {
  let made = new Map();
  let turn = 0; // of the newest call of `want`: what an older one waits for is wanted no more, or waited for anew
  return {
    /** The decoder of this pack, or null while its weights are on their way. */
    get: (id) => made.get(id) ?? null,
    /** Call `changed()` whenever a missing decoder arrives, `failed(sentence)` when one does not. */
    want(ids, changed, failed) {
      const asked = (turn += 1);
      made = new Map([...made].filter(([id]) => ids.includes(id)));
      for (const id of new Set(ids)) {
        if (id === null || made.has(id)) continue;
        awaitPack(id).then((pack) => {
          if (asked !== turn) return;
          made.set(id, makeDecoder(pack));
          changed();
        }).catch((error) => asked === turn && failed(error.message));
      }
    },
  };
}
