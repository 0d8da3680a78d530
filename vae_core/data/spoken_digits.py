"""Spoken digits: 3,000 recordings of ten English digits by six speakers, as spectrograms.

Free Spoken Digit Dataset (Jakobovski et al.), https://github.com/Jakobovski/free-spoken-digit-dataset, CC BY-SA 4.0:
50 takes of each digit by each speaker, 8,000 samples a second. Takes 0 to 4 are held out, as its authors have it; these
300 recordings are bundled as sound. The others are read from an archive in the data cache. Each is cut to its loud part
and put into the middle of FRAMES columns; of the few that are longer, the middle is kept.
"""

from __future__ import annotations

import io
import re
import tarfile
from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from scipy.io import wavfile
from torch import Tensor

from vae_core.audio.spectra import BANDS, FRAMES, cut, spectrogram
from vae_core.audio.wav import RATE
from vae_core.data.base import Dataset, ImageSource, Split, StoredImages
from vae_core.errors import InvalidInput
from vae_core.folders import BUNDLED_DATA, data_cache

SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
HELD_OUT_TAKES = 5  # of each digit by each speaker
SHAPE = (1, BANDS, FRAMES)
ARCHIVE, NAMED = "free-spoken-digit-dataset*.tar*", re.compile(r"(\d)_([a-z]+)_(\d+)\.wav")
BUNDLED = BUNDLED_DATA / "spoken_digits_test.npz"
HOME = "https://github.com/Jakobovski/free-spoken-digit-dataset"


class Recordings(NamedTuple):
    """Sound, and what is said by whom."""

    samples: list[np.ndarray]  # each [S] int16, 8,000 a second
    digits: np.ndarray  # [N] uint8
    speakers: np.ndarray  # [N] uint8, places in SPEAKERS
    takes: np.ndarray  # [N] uint8, the number that the data set gives it


@cache
def held_out_recordings() -> Recordings:
    """The 300 held-out recordings, ordered by digit, speaker and take. Raises InvalidInput where they are damaged."""
    try:
        with np.load(BUNDLED, allow_pickle=False) as arrays:
            samples = np.split(arrays["samples"], arrays["ends"][:-1])
            found = Recordings(samples, arrays["digits"], arrays["speakers"], arrays["takes"])
    except Exception as error:
        raise InvalidInput(
            f"{BUNDLED} cannot be read ({type(error).__name__}: {error}); a fresh copy of the project brings it along."
        ) from error
    return found


def read_archive() -> Recordings:
    """All recordings of the archive in the data cache. Raises InvalidInput where there is none, or a damaged one."""
    path = next(iter(sorted(data_cache().glob(ARCHIVE))), None)
    if path is None:
        raise InvalidInput(
            f"The recordings to train on are not on this machine. Get the archive (.tar or .tar.gz) of {HOME} and put "
            f"it into {data_cache()} as {ARCHIVE.replace('*.tar*', '.tar')}."
        )
    rows = []
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                named = NAMED.fullmatch(member.name.rpartition("/")[2])
                file = archive.extractfile(member) if named and named[2] in SPEAKERS else None
                if named and file:
                    rate, samples = wavfile.read(io.BytesIO(file.read()))
                    if (rate, samples.dtype, samples.ndim) != (RATE, np.int16, 1):
                        raise ValueError(f"{named[0]} is not mono of 16 bits at {RATE:,} a second")
                    rows.append((int(named[1]), SPEAKERS.index(named[2]), int(named[3]), samples))
    except (tarfile.TarError, OSError, EOFError, ValueError) as error:
        raise InvalidInput(f"{path} cannot be read ({error}). Get it anew from {HOME}, or delete it.") from error
    rows.sort(key=lambda row: row[:3])
    if not rows:
        raise InvalidInput(f"{path} holds no recording that is named as 7_theo_12.wav. Get it anew from {HOME}.")
    digits, speakers, takes = (np.array([row[place] for row in rows], np.uint8) for place in range(3))
    return Recordings([row[3] for row in rows], digits, speakers, takes)


def chosen(found: Recordings, where: np.ndarray) -> Recordings:
    """Those of the recordings for which `where` [N] is true."""
    return Recordings([found.samples[row] for row in np.flatnonzero(where)], *(each[where] for each in found[1:]))


def picture(samples: np.ndarray) -> Tensor:
    """The spectrogram of a recording [S] as a model is shown it: [1, BANDS, FRAMES] in [0, 1]."""
    return cut(spectrogram(samples))[0][None]


class Spectrograms(StoredImages):
    """Recordings as pictures; the factors are the digit and the speaker, and one of them is the label."""

    def __init__(self, found: Recordings, label: str, device: torch.device | str = "cpu") -> None:
        pictures = torch.stack([picture(samples) for samples in found.samples])
        labels = found.speakers if label == "speaker" else found.digits
        super().__init__((pictures * 255).round().byte().numpy(), labels, device)
        self.factors = torch.from_numpy(np.stack([found.digits, found.speakers], axis=1).astype(np.int64))


def open_split(split: Split, device: torch.device | str, label: str) -> ImageSource:
    if split == "test":
        return Spectrograms(held_out_recordings(), label, device)
    found = read_archive()
    return Spectrograms(chosen(found, found.takes >= HELD_OUT_TAKES), label, device)


def described(name: str, title: str, class_names: tuple[str, ...], label: str) -> Dataset:
    return Dataset(
        name=name,
        title=title,
        shape=SHAPE,
        class_names=class_names,
        origin=f"Jakobovski et al.: Free Spoken Digit Dataset, {HOME}",
        licence="CC BY-SA 4.0",
        open_split=lambda split, device: open_split(split, device, label),
        factor_names=("digit", "speaker"),
        factor_sizes=(len(DIGITS), len(SPEAKERS)),
    )


VOICES = described("voices", "Spoken digits, by voice", SPEAKERS, "speaker")
SPOKEN_DIGITS = described("spoken_digits", "Spoken digits", DIGITS, "digit")
