"""What the lesson on voices keeps: recordings with their codes, and these codes as every speaker says them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import streamlit as st
import torch
from torch import Tensor

from ui import cache
from ui.lessons import read_results
from vae_core.audio.spectra import FRAMES, aligned, cut, loud_part, seconds, sound_of, spectrogram
from vae_core.audio.wav import Sound, read_wav, write_wav
from vae_core.data.spoken_digits import DIGITS, HELD_OUT_TAKES, SPEAKERS, held_out_recordings
from vae_core.folders import ASSETS
from vae_core.models import VoiceVQVAE

NAME = "voices-vq"
RESULTS = ASSETS / "results" / "voice.json"
SHORTEST, LONGEST = 32, 252  # columns of a recording of one's own: a quarter of a second, and two seconds
MEASURE = "`python -m benchmarks.voice --write` measures them again."
MOST_NAMED = 3  # digits that are named as where a code occurs


class Utterance(NamedTuple):
    """A recording as the model hears it."""

    sound: bytes  # WAV, as long as the spectrogram
    spectrum: Tensor  # [BANDS, T]
    codes: tuple[int, ...]  # [t]
    note: str = ""  # what was done to a recording of one's own


class Voiced(NamedTuple):
    """Codes as one speaker says them."""

    sound: bytes
    spectrum: Tensor  # [BANDS, T]


def model() -> VoiceVQVAE:
    return cache.model_of(NAME, VoiceVQVAE)


def code_seconds() -> float:
    """How long a code lasts."""
    return seconds(2 ** model().config.halvings)


@torch.inference_mode()
def _utterance(samples: np.ndarray, frames: int, note: str = "") -> Utterance:
    spectrum, first = cut(spectrogram(samples), frames)
    codes = model().heard(spectrum[None, None])[0]
    return Utterance(write_wav(aligned(samples, first, frames)), spectrum, tuple(codes.tolist()), note)


@st.cache_resource(show_spinner=False, max_entries=64)
def recorded(digit: int, speaker: int, take: int) -> Utterance:
    """A held-out recording."""
    found = held_out_recordings()
    return _utterance(found.samples[(digit * len(SPEAKERS) + speaker) * HELD_OUT_TAKES + take], FRAMES)


@st.cache_resource(show_spinner=False, max_entries=8)
def own(content: bytes) -> Utterance:
    """A recording of one's own from a WAV file. Raises InvalidInput where it cannot be used."""
    sound = read_wav(content)
    part = loud_part(spectrogram(sound.samples))
    every = 2 ** model().config.halvings
    frames = min(max(-(-(part.stop - part.start) // every) * every, SHORTEST), LONGEST)
    return _utterance(sound.samples, frames, told_of(sound, part, frames))


def told_of(sound: Sound, part: slice, frames: int) -> str:
    """What became of a recording, in a sentence."""
    loud = seconds(part.stop - part.start)
    shown = f"its loud part, {loud:.2f} s" if part.stop - part.start <= frames else (
        f"the middle {seconds(frames):.1f} s of its loud part, {loud:.1f} s"
    )  # fmt: skip
    return f"Your recording: {sound.told}; shown is {shown}, as mono at 8,000 samples a second."


@st.cache_resource(show_spinner=False, max_entries=64)
@torch.inference_mode()
def said(codes: tuple[int, ...]) -> list[Voiced]:
    """The codes as each speaker says them, in the order of SPEAKERS."""
    spectra = model().spoken(torch.tensor([codes] * len(SPEAKERS)), torch.arange(len(SPEAKERS)))[:, 0]
    sounds = sound_of(spectra)
    return [Voiced(write_wav(sound), spectrum) for sound, spectrum in zip(sounds, spectra, strict=True)]


def said_again(digit: int, speaker: int, take: int) -> list[Voiced]:
    """A held-out recording as each speaker says it."""
    return said(recorded(digit, speaker, take).codes)


def spliced(first: tuple[int, ...], second: tuple[int, ...], at: int) -> tuple[int, ...]:
    """The first `at` codes of one recording, and of another one as large a part of its end as is missing."""
    return first[:at] + second[round(at / len(first) * len(second)) :]


def results() -> dict[str, Any]:
    """What `benchmarks.voice` measured."""
    return read_results(RESULTS, MEASURE)


@st.cache_data(show_spinner=False, max_entries=1)
def uses() -> list[str]:
    """For each code where it occurs in the held-out recordings, in a sentence."""
    counts = results()["uses"]["digit"]
    every = sum(map(sum, counts))
    return [use(code, row, every) for code, row in enumerate(counts)]


def use(code: int, row: list[int], every: int) -> str:
    """Where a code occurs, from how often it does in each digit, and how many codes there are in all."""
    total = sum(row)
    if not total:
        return f"Code {code}: in no held-out recording."
    order = sorted(range(len(row)), key=lambda digit: -row[digit])[:MOST_NAMED]
    named = ", ".join(f"{DIGITS[digit]} {row[digit] / total:.0%}" for digit in order if row[digit])
    return f"Code {code}: {total / every:.1%} of all in the held-out recordings; most in {named}."
