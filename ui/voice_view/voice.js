// Spectrograms and a strip of codes under one another, on one axis of time; speakers to choose from, all can be heard.

function createVoices() {
  const HIGHEST = 4, AROUND = 1; // kHz; codes that are played with a chosen one on either side
  let component, built = "", voice = 0, chosen = null, tracks = [], cells = [];
  const shared = makeShared();
  const player = makePlayer(moment);
  const recordings = el("div", { class: "recordings" });
  const strip = el("div", { class: "codes", role: "group", "aria-label": "Codes, in the order of time" });
  const spoken = makeTrack("spoken");
  const axis = el("div", { class: "axis", "aria-hidden": "true" });
  const told = el("output", { class: "told" });
  const speakers = el("div", { class: "speakers", role: "group", "aria-label": "Speakers" });
  const savePicture = el("button", { type: "button" }, "Save as PNG");
  const saveSound = el("button", { type: "button" }, "Save as WAV");
  const root = el("div", { class: "view voice-view" },
    el("div", { class: "pair" },
      el("div", { class: "tracks" }, recordings,
        el("div", { class: "lane" }, el("span", { class: "gutter" }, "codes"), strip), spoken.root, axis, told),
      el("div", { class: "side" }, el("p", { class: "note lead" }, "Spoken by"), speakers,
        el("div", { class: "controls" }, saveSound, savePicture))));

  function makeTrack(name) {
    const canvas = el("canvas", { role: "img", "data-testid": `track-${name}` });
    const head = el("span", { class: "name" });
    const play = el("button", { type: "button", class: "play", "data-testid": `play-${name}` }, "Play");
    const line = el("div", { class: "moment", hidden: "" });
    const gutter = el("span", { class: "gutter bands", "aria-hidden": "true" }, el("span", {}, `${HIGHEST} kHz`), el("span", {}, `${HIGHEST / 2}`), el("span", {}, "0"));
    const lane = el("div", { class: "lane" }, gutter, el("div", { class: "picture" }, canvas, line));
    const track = { root: el("div", { class: "track" }, el("div", { class: "head" }, head, play), lane), canvas, head, play, line, data: null };
    play.addEventListener("click", () => (track.playing ? player.stop() : player.play(track.data.sound, track)));
    return track;
  }

  function fill(track, data, title) {
    const fresh = track.data?.pixels !== data.pixels;
    track.data = data;
    track.head.textContent = title;
    track.canvas.setAttribute("aria-label", `Spectrogram: ${title}`);
    if (fresh) paintSpectrum(track.canvas, data);
  }

  /** While a sound plays: where it is. */
  function moment(track, seconds) {
    track.playing = seconds !== null;
    track.play.textContent = track.playing ? "Stop" : "Play";
    track.play.dataset.playing = String(track.playing);
    track.line.hidden = !track.playing;
    if (track.playing) track.line.style.left = `${clamp((100 * seconds) / component.data.seconds, 0, 100)}%`;
  }

  function show() {
    const { data } = component;
    fill(spoken, data.voices[voice], `the codes, spoken by ${data.voices[voice].name}`);
    [...speakers.children].forEach((button, place) => button.setAttribute("aria-pressed", String(place === voice)));
    point(chosen);
  }

  /** Tell of the code in a place, and mark wherever it occurs; null: none. */
  function point(place) {
    const { codes, uses } = component.data;
    cells.forEach((cell, other) => cell.classList.toggle("same", place !== null && codes[other] === codes[place]));
    told.textContent = place === null ? "Point at a code to see where it occurs; click to hear it." : uses[codes[place]];
  }

  function hear(place) {
    chosen = place;
    point(place);
    const each = component.data.seconds / cells.length;
    player.play(spoken.data.sound, spoken, Math.max(0, (place - AROUND) * each), (place + 1 + AROUND) * each);
  }

  function choose(next) {
    voice = next;
    show();
    player.play(spoken.data.sound, spoken);
    shared.sent([component.data.of, voice]);
    component.setStateValue("release", { of: component.data.of, voice, when: Date.now() });
  }

  function cellOf(code, place, count, cut) {
    const cell = el("button", { type: "button", class: "code", tabindex: place ? -1 : 0, "data-testid": `code-${place}`,
      "aria-label": `Code ${code}, place ${place + 1} of ${count}` }, String(code));
    cell.classList.toggle("second", cut !== null && place >= cut);
    cell.addEventListener("click", () => hear(place));
    cell.addEventListener("pointerenter", () => point(place));
    cell.addEventListener("focus", () => cell.matches(":focus-visible") && point(place));
    return cell;
  }

  onArrows(strip, ([right], event) => {
    const at = cells.indexOf(event.target), next = cells[clamp(at + right, 0, cells.length - 1)];
    if (at < 0) return;
    [cells[at].tabIndex, next.tabIndex] = [-1, 0];
    next.focus();
  }, () => {});
  strip.addEventListener("pointerleave", () => point(chosen));
  savePicture.addEventListener("click", () => savePng(spoken.canvas, "spoken"));
  saveSound.addEventListener("click", () => el("a", { href: player.addressOf(spoken.data.sound), download: "spoken.wav" }).click());

  function build({ sources, codes, voices, seconds, cut }) {
    player.stop();
    chosen = null;
    tracks = sources.map((source, place) => tracks[place] ?? makeTrack(`source-${place}`));
    tracks.forEach((track, place) => fill(track, sources[place], sources[place].name));
    recordings.replaceChildren(...tracks.map((track) => track.root));
    cells = codes.map((code, place) => cellOf(code, place, codes.length, cut));
    strip.classList.toggle("dense", codes.length > 30);
    strip.replaceChildren(...cells);
    speakers.replaceChildren(...voices.map(({ name }, place) =>
      el("button", { type: "button", "data-testid": `voice-${name}`, onclick: () => choose(place) }, name)));
    const step = seconds > 1 ? 0.5 : 0.2;
    const ticks = Array.from({ length: Math.floor(seconds / step + 1e-6) + 1 }, (_, k) => k * step);
    axis.replaceChildren(...ticks.map((tick) => {
      const mark = el("span", {}, `${rounded(tick, 1)} s`);
      mark.style.left = `${(100 * tick) / seconds}%`;
      return mark;
    }));
    player.keep([...sources, ...voices].map(({ sound }) => sound));
  }

  return {
    root,
    update(next) {
      component = next;
      const { data } = next;
      const wanted = JSON.stringify([data.of, data.codes, data.sources.map(({ name }) => name)]);
      const fresh = wanted !== built;
      if (fresh) build(data);
      built = wanted;
      if (shared.take([data.of, data.at]) || fresh) voice = data.at;
      show();
    },
    destroy: () => player.stop(),
  };
}

export default (component) => mountOnce(component, createVoices);
