"""Voices: what is said as a strip of codes, and the same codes spoken by another."""

from __future__ import annotations

import streamlit as st

from ui import controls, frame
from ui.lessons import voice as lesson
from ui.small_table import small_table
from ui.voice_view import Track, voice_view
from vae_core.audio.spectra import sound_of, spectrogram
from vae_core.data.spoken_digits import DIGITS, HELD_OUT_TAKES, SPEAKERS
from vae_core.models import VoiceVQVAE
from vae_core.models.quantiser import Quantiser

RECORDED, MICROPHONE, FILE = "a held-out recording", "your microphone", "a WAV file"
VIEW, SPLICED = "voices", "spliced voices"
MOST_MEGABYTES = 16  # of a WAV file
START = ("seven", "theo", "jackson")  # digit, speaker of the recording, speaker of the codes
OTHER = ("zero", "george")  # the recording whose codes follow


def pick() -> tuple[str, lesson.Utterance | None]:
    """What the recording is, in words, and the recording; None where there is none yet."""
    with st.container(key="controls", horizontal=True, vertical_alignment="bottom"):
        source = controls.choose("Listen to", (RECORDED, MICROPHONE, FILE), key="source")
        if source == RECORDED:
            return pick_recorded()
    if source == MICROPHONE:
        given = st.audio_input("Say a digit in English, or up to two seconds of anything", key="spoken")
    else:
        given = st.file_uploader(
            "A WAV file of up to a minute", type=["wav"], key="file", max_upload_size=MOST_MEGABYTES
        )
    if given is None:
        st.info("Nothing is recorded yet." if source == MICROPHONE else "No file is chosen yet.")
        return "", None
    return "your recording", lesson.own(given.getvalue())


def pick_recorded() -> tuple[str, lesson.Utterance]:
    digit = controls.choose("Digit", DIGITS, key="digit", default=START[0], style="select")
    speaker = controls.choose("Recorded by", SPEAKERS, key="by", default=START[1], style="select")
    take = controls.index_from_link("take", HELD_OUT_TAKES, 0, "take")
    who = DIGITS.index(digit), SPEAKERS.index(speaker)
    controls.another("Another take", "take", take, HELD_OUT_TAKES, ahead=lambda next: lesson.said_again(*who, next))
    return f"“{digit}” by {speaker}, take {take}", lesson.recorded(*who, take)


@frame.part
def explore() -> None:
    """A recording, its codes, and these spoken by another."""
    name, heard = pick()
    if heard is None:
        return
    show(VIEW, name, [Track(name, heard.sound, heard.spectrum)], heard.codes)
    told = lesson.results()
    rate = told["bits_per_second"]
    st.caption(
        (f"{heard.note} " if heard.note else "")
        + f"Voice VQ-VAE, {told['codes']} codes, trained on 2,700 recordings of the Free Spoken Digit Dataset "
        f"(Jakobovski et al., CC BY-SA 4.0), six men; the recordings offered here are among the {told['held_out']} "
        f"held-out ones. A code stands for {1000 * lesson.code_seconds():.0f} ms; all codes together take "
        f"**{rate['codes']:.0f} bits per second**, the recording {rate['sound']:,}. The codes' sound is approximate: "
        "a spectrogram tells no phases, these are guessed (Griffin-Lim)."
    )
    st.divider()
    splice(name, heard)
    st.divider()
    measured()


def show(key: str, of: str, sources: list[Track], codes: tuple[int, ...], cut: int | None = None) -> None:
    """The view of recordings, their codes, and what the chosen speaker makes of them; the choice goes to the link."""
    voices = [Track(name, each.sound, each.spectrum) for name, each in zip(SPEAKERS, lesson.said(codes), strict=True)]
    chosen = controls.option_from_link("voice", SPEAKERS, START[2])

    def keep() -> None:
        released = st.session_state[key].get("release")
        if released:
            controls.to_link("voice", SPEAKERS[int(released["voice"])])

    with st.container(key="figure" if key == VIEW else f"{key} figure"):
        voice_view(
            sources, codes, voices, key=key, of=of, at=SPEAKERS.index(chosen), uses=lesson.uses(), cut=cut,
            seconds=len(codes) * lesson.code_seconds(), on_release=keep,
        )  # fmt: skip


def splice(name: str, heard: lesson.Utterance) -> None:
    """The codes of two recordings, cut together."""
    st.subheader("Codes can be cut and put together", anchor=False)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        digit = controls.choose("Go on with", DIGITS, key="next", default=OTHER[0], style="select")
        speaker = controls.choose("by", SPEAKERS, key="nextby", default=OTHER[1], style="select")
        most = len(heard.codes)
        at = int(controls.number("From code", 0, most, most // 2, 1, key="cut"))
    other = lesson.recorded(DIGITS.index(digit), SPEAKERS.index(speaker), 0)
    codes = lesson.spliced(heard.codes, other.codes, at)
    show(SPLICED, f"{name} {digit} {speaker} {at}", [], codes, cut=at)
    st.caption(
        f"The first {at} codes are those of {name}; the others, on orange, come from “{digit}” by {speaker}, held out "
        "as well. One speaker says them all, so both halves have one voice."
    )


def measured() -> None:
    """What two judges hear."""
    told = lesson.results()
    st.subheader("Does the digit survive, and does the voice change?", anchor=False)
    rows = {
        "recordings": told["original"], "said again by their own speaker": told["rebuilt"],
        "said by each of the five others": told["converted"],
        "recordings, by way of their spectrogram": told["original_heard"],
        "said by the others, as it sounds": told["converted_heard"],
    }  # fmt: skip
    small_table(
        list(rows),
        {
            "right digit": [f"{row['digit']:.0%}" for row in rows.values()],
            "voice asked for": [f"{row['target']:.0%}" for row in rows.values()],
            "voice recorded": [f"{row['source']:.0%}" for row in rows.values()],
        },
    )
    known, rate = told["from_codes"], told["bits_per_second"]
    st.caption(
        f"Judged by two classifiers of ours, trained on the same 2,700 recordings, on all {told['held_out']} held-out "
        f"ones: shares of them whose digit is recognised, and that are taken for the speaker asked for, or for the one "
        f"recorded. The VQ-VAE had {told['steps']:,} steps of training. As it sounds: through Griffin-Lim. From "
        f"nothing but how often each code occurs, naive Bayes guesses the digit of **{known['digit']:.0%}** of the "
        f"recordings (chance {1 / len(DIGITS):.0%}) and the speaker of **{known['speaker']:.0%}** (chance "
        f"{1 / len(SPEAKERS):.0%}): that much of the voice is left in the codes. By how often each is used, they would "
        f"fit into {rate['entropy']:.0f} bits per second."
    )


SEEN = """
- **A recording becomes a short word of codes.** Each code stands for a few hundredths of a second of sound; the decoder
  is told who speaks, so the codes are free to tell only what is said.
- **Another speaker, the same word.** Told another name, the decoder says the same codes in another voice. Nobody ever
  showed it the same recording by two people: it learned each voice from that person's own recordings.
- **Codes are shared.** Point at one: it occurs in several digits, wherever there is a similar sound.
- **Separation is not complete.** The table says how much of the voice can still be guessed from the codes. A larger
  codebook leaves more room for it, a smaller one less room for words.
- **What it has not heard, it cannot say.** Six men and ten words: another voice or word is put together from sounds
  of these, and may come out as something else.
- **It sounds rough.** Pitch is hardly in the codes, so the decoder answers with a mean of many pitches; and the phases
  are guessed. The paper's decoder is a WaveNet, a far larger network that writes the samples of the sound themselves.
"""
LECTURE = r"""
**7.10 Variants**, the VQ-VAE and its voice style transfer (van den Oord, Vinyals and Kavukcuoglu 2017): for speech the
codes are a sequence in time, and the decoder is told the speaker.

$$L = -\log p(x \mid e_{k_1}, \dots, e_{k_t}, s) + \sum_{i=1}^{t} \lVert \mathrm{sg}[z_i] - e_{k_i} \rVert^2 +
\beta \sum_{i=1}^{t} \lVert z_i - \mathrm{sg}[e_{k_i}] \rVert^2, \qquad
k_i = \arg\min_j \lVert z_i - e_j \rVert$$

with $x$ the spectrogram, $z_i$ the encoder's vector at time $i$, $e_j$ the codebook's vectors, $s$ the speaker,
$\mathrm{sg}$ the stop of the gradient, $\beta$ the commitment's weight. To convert a voice, keep the $k_i$, change
$s$.
"""

frame.opening(
    "Who is speaking, once a voice is a row of codes?",
    "Choose a speaker: the codes of the recording are spoken in that voice. Point at a code to see where it occurs.",
)
explore()
frame.closing(SEEN, [VoiceVQVAE, Quantiser, spectrogram, sound_of], LECTURE)
