"""WAV files, read strictly and brought to one rate, and written."""

from __future__ import annotations

import io
import math
import warnings
from typing import NamedTuple

import numpy as np
from scipy.io import wavfile
from scipy.signal import resample_poly

from vae_core.errors import InvalidInput

RATE = 8000  # samples a second, as the recordings that the models learn from
RATES = (4000, 192_000)  # that a file may have
SECONDS = (0.1, 60.0)  # shortest and longest recording
QUIET = 1e-3  # of full scale: a recording whose loudest sample is below that holds no sound
NEEDED = f"Needed is a WAV file of {SECONDS[0]:g} to {SECONDS[1]:g} seconds: 8 to 32 bits or float, any rate."


class Sound(NamedTuple):
    """A recording as it is used here, and how it arrived."""

    samples: np.ndarray  # [S] float32 in [-1, 1], mono, RATE a second
    told: str  # "2.10 s, 44,100 Hz, 2 channels"

    @property
    def seconds(self) -> float:
        return len(self.samples) / RATE


def read_wav(content: bytes) -> Sound:
    """Any WAV file of up to a minute, its channels mixed, at RATE. Raises InvalidInput for anything else."""
    rate, raw = _read(content)
    seconds, channels = len(raw) / rate, raw.shape[1]
    told = f"{seconds:,.2f} s, {rate:,} Hz, {channels} channel{'s' * (channels > 1)}"
    if not SECONDS[0] <= seconds <= SECONDS[1]:
        shortened = "Speak for longer." if seconds < SECONDS[0] else "Cut out the part that you want."
        raise InvalidInput(f"The recording lasts {seconds:,.2f} s; allowed are {SECONDS[0]:g} to {SECONDS[1]:g}. "
                           f"{shortened}")  # fmt: skip
    samples = _unit(raw).mean(axis=1)
    if not np.isfinite(samples).all():
        raise InvalidInput("The recording holds samples that are no numbers (NaN or infinity); save it anew.")
    samples -= samples.mean()
    shared = math.gcd(rate, RATE)
    samples = resample_poly(samples, RATE // shared, rate // shared)
    loudest = np.abs(samples).max()
    if loudest < QUIET:
        raise InvalidInput(
            f"The recording is silent: its loudest sample is {loudest:.4f} of full scale, needed is {QUIET:g}. Check "
            "the microphone, or speak up."
        )
    return Sound((samples / max(1.0, loudest)).astype(np.float32), told)


def _read(content: bytes) -> tuple[int, np.ndarray]:
    """The rate, and samples [S, channels] as they are stored."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", wavfile.WavFileWarning)  # of chunks that are no sound
            rate, raw = wavfile.read(io.BytesIO(content))
    except Exception as error:  # cut short, another format, a false header: all mean one thing to people
        raise InvalidInput(
            f"This is no WAV file that can be read ({type(error).__name__}: {error}). {NEEDED}"
        ) from error
    if not (RATES[0] <= rate <= RATES[1] and raw.ndim <= 2 and raw.size):
        raise InvalidInput(
            f"The WAV file has {rate:,} samples a second and {raw.size:,} samples; allowed are {RATES[0]:,} to "
            f"{RATES[1]:,} a second, and at least one. {NEEDED}"
        )
    return rate, raw.reshape(len(raw), -1)


def _unit(raw: np.ndarray) -> np.ndarray:
    """Samples of any kind as float64, full scale at 1."""
    if raw.dtype.kind == "f":
        return raw.astype(np.float64)
    middle = 128 if raw.dtype == np.uint8 else 0  # 8 bits are stored without a sign
    full = 128 if raw.dtype == np.uint8 else float(np.iinfo(raw.dtype).max) + 1
    return (raw.astype(np.float64) - middle) / full


def write_wav(samples: np.ndarray, peak: float = 0.8) -> bytes:
    """A WAV file of 16 bits at RATE of samples [S], made as loud as `peak`."""
    loudest = float(np.abs(samples).max(initial=0)) or 1.0
    file = io.BytesIO()
    wavfile.write(file, RATE, np.round(32767 * peak / loudest * np.asarray(samples, np.float64)).astype(np.int16))
    return file.getvalue()
