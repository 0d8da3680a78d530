// Sounds that arrive as base64, one at a time, with a call for every frame while one plays.

function makePlayer(onMoment) {
  const kept = new Map(); // base64 -> address
  let audio = null, frame = 0, until = Infinity, playing = null;

  function addressOf(sound) {
    if (!kept.has(sound)) kept.set(sound, URL.createObjectURL(new Blob([fromBase64(sound)], { type: "audio/wav" })));
    return kept.get(sound);
  }

  function stop() {
    cancelAnimationFrame(frame);
    if (audio) audio.pause();
    audio = null;
    if (playing) onMoment(playing, null);
    playing = null;
  }

  function follow() {
    if (!audio) return;
    if (audio.ended || audio.currentTime >= until) return stop();
    onMoment(playing, audio.currentTime);
    frame = requestAnimationFrame(follow);
  }

  return {
    addressOf,
    stop,
    /** Play from one moment to another, in seconds; `what` comes back with every call of onMoment. */
    play(sound, what, from = 0, to = Infinity) {
      stop();
      const own = (audio = new Audio(addressOf(sound)));
      [playing, until] = [what, to];
      own.currentTime = from;
      own.play().then(() => audio === own && follow(), () => audio === own && stop());
    },
    /** Let go of all sounds but these. */
    keep(sounds) {
      const wanted = new Set(sounds);
      for (const [sound, address] of kept) {
        if (wanted.has(sound)) continue;
        URL.revokeObjectURL(address);
        kept.delete(sound);
      }
    },
  };
}

// Viridis at nine places; what lies between is mixed.
const VIRIDIS = [[68, 1, 84], [71, 45, 123], [59, 82, 139], [44, 114, 142], [33, 145, 140], [40, 174, 128], [94, 201, 98], [173, 220, 48], [253, 231, 37]];
const COLOURS = Array.from({ length: 256 }, (_, value) => {
  const place = (value / 255) * (VIRIDIS.length - 1), low = Math.min(VIRIDIS.length - 2, Math.floor(place));
  return VIRIDIS[low].map((from, channel) => Math.round(from + (place - low) * (VIRIDIS[low + 1][channel] - from)));
});

/** Draw bytes [bands x columns] in colours, one canvas pixel each. */
function paintSpectrum(canvas, { pixels, size: [columns, bands] }) {
  const picture = new ImageData(columns, bands);
  fromBase64(pixels).forEach((value, place) => picture.data.set([...COLOURS[value], 255], 4 * place));
  [canvas.width, canvas.height] = [columns, bands];
  canvas.getContext("2d").putImageData(picture, 0, 0);
}
