"""Spectrograms of sound at 8,000 samples a second, as pictures in [0, 1], and the way back by Griffin and Lim."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from vae_core.audio.wav import RATE

WINDOW, HOP = 256, 64  # samples: 32 ms of sound a column, 8 ms from one to the next
BANDS = WINDOW // 2  # rows, from 31 to 4,000 Hz in steps of 31; the constant part is left out
RANGE = 70.0  # decibels below the loudest point that are told apart; all below is 0
FRAMES = 96  # columns of a picture that a model is trained on: 0.77 s
ROUNDS, MOMENTUM = 48, 0.9  # of Griffin-Lim
MARGIN, FLOOR = 6, 40.0  # columns kept around what is loud; decibels below the loudest column that still are


def spectrogram(samples: np.ndarray) -> Tensor:
    """Samples [S] as a spectrogram [BANDS, S // HOP + 1] in [0, 1]: decibels from -RANGE (0) to the loudest (1)."""
    sound = torch.from_numpy(np.array(samples, np.float32))
    magnitude = _stft(sound - sound.mean()).abs()[1:]
    decibels = 20 * torch.log10(magnitude / magnitude.max().clamp_min(1e-12) + 1e-12)
    return (decibels / RANGE + 1).clamp(0, 1)


def loud_part(spectrum: Tensor, margin: int = MARGIN) -> slice:
    """The columns of a spectrogram [BANDS, T] between the first and the last that are loud, and a margin."""
    power = (10 ** ((spectrum - 1) * RANGE / 10)).sum(0)
    loud = (power >= power.max() * 10 ** (-FLOOR / 10)).nonzero()[:, 0]
    return slice(max(0, int(loud[0]) - margin), min(spectrum.shape[1], int(loud[-1]) + 1 + margin))


def cut(spectrum: Tensor, frames: int = FRAMES) -> tuple[Tensor, int]:
    """The loud part of a spectrogram [BANDS, T] in the middle of [BANDS, frames], silence on both sides; of a longer
    one its middle. And the column of the spectrogram that became the first one; negative where silence was added."""
    part = loud_part(spectrum)
    length = part.stop - part.start
    if length > frames:
        first = part.start + (length - frames) // 2
        return spectrum[:, first : first + frames], first
    before = (frames - length) // 2
    return torch.nn.functional.pad(spectrum[:, part], (before, frames - length - before)), part.start - before


def aligned(samples: np.ndarray, first: int, frames: int) -> np.ndarray:
    """The samples [frames * HOP] that belong to columns from `first` on, zeros where there are none."""
    start, length = first * HOP, frames * HOP
    inside = samples[max(0, start) : max(0, start + length)]
    before = max(0, -start)
    return np.pad(inside, (before, max(0, length - before - len(inside))))[:length]


def sound_of(spectra: Tensor, rounds: int = ROUNDS) -> np.ndarray:
    """Samples [N, (T - 1) * HOP] whose spectrograms are near [N, BANDS, T]; the phases, which these do not tell, are
    found by Griffin and Lim (1984), accelerated as by Perraudin, Balazs and Sondergaard (2013)."""
    magnitude = 10 ** ((spectra.float().clamp(0, 1) - 1) * RANGE / 20) * (spectra > 0)
    magnitude = torch.nn.functional.pad(magnitude, (0, 0, 1, 0))  # no constant part
    phase = torch.rand(magnitude.shape[1:], generator=torch.Generator().manual_seed(0)) * 2 * torch.pi
    angles = torch.polar(torch.ones_like(phase), phase).expand(magnitude.shape)
    length, before = (spectra.shape[-1] - 1) * HOP, torch.zeros_like(angles)
    for _ in range(rounds):
        consistent = _stft(_istft(magnitude * angles, length))
        ahead = consistent + MOMENTUM * (consistent - before)
        angles, before = ahead / ahead.abs().clamp_min(1e-9), consistent
    return _istft(magnitude * angles, length).numpy()


def _stft(samples: Tensor) -> Tensor:
    """[..., S] -> complex [..., BANDS + 1, S // HOP + 1]."""
    window = torch.hann_window(WINDOW)
    return torch.stft(samples, WINDOW, HOP, window=window, pad_mode="constant", return_complex=True)


def _istft(spectrum: Tensor, length: int) -> Tensor:
    return torch.istft(spectrum, WINDOW, HOP, window=torch.hann_window(WINDOW), length=length)


def seconds(frames: int) -> float:
    """How long so many columns last."""
    return frames * HOP / RATE
