"""Equal-length signals as one-channel images of height 1, and the scale that leads from their own units into [0, 1]."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from vae_core.errors import InvalidInput

LENGTHS = (8, 4096)  # samples of a signal
ROWS = (20, 100_000)  # signals
LARGEST = 1e30  # of a value; its square must still fit into float64 sums of float32 numbers
MARGIN = 0.1  # of the range, left free at both ends of [0, 1]: a sigmoid never reaches its ends


@dataclass(frozen=True)
class Signals:
    """N signals of L samples in their own units."""

    title: str
    values: np.ndarray  # [N, L] float32
    labels: np.ndarray | None = None  # [N], places in class_names
    class_names: tuple[str, ...] = ()
    unit: str = "value"  # of the samples
    lines: np.ndarray | None = None  # [N], where each stands in its file, for who looks it up there
    notes: tuple[str, ...] = ()  # what was recognised, left out or changed, in sentences

    def __len__(self) -> int:
        return len(self.values)

    @property
    def length(self) -> int:
        return self.values.shape[1]

    def called(self, row: int) -> str:
        """How a person finds one of the signals again."""
        return f"line {self.lines[row]}" if self.lines is not None else f"signal {row + 1}"


class Scale(NamedTuple):
    """What stands for 0 and for 1, in the signals' own units."""

    low: float
    high: float

    def to_unit(self, values: np.ndarray) -> Tensor:
        """Signals [N, L] as images [N, 1, 1, L]. Those that the scale was made for come to lie in [0, 1]; others may
        leave it, and are not cut off: how far they leave it is part of their strangeness."""
        unit = (np.asarray(values, np.float64) - self.low) / (self.high - self.low)
        return torch.from_numpy(unit.astype(np.float32))[:, None, None, :]

    def from_unit(self, images: Tensor) -> np.ndarray:
        """Images [N, 1, 1, L] as signals [N, L] in their own units."""
        return images[:, 0, 0].double().numpy() * (self.high - self.low) + self.low


def scale_of(values: np.ndarray) -> Scale:
    """The scale of signals [N, L]: their range, and a margin at both ends. Raises InvalidInput where all are flat."""
    low, high = float(values.min()), float(values.max())
    if not high > low:
        raise InvalidInput(f"All samples of all signals are {low:g}; there is nothing to learn from them.")
    room = MARGIN * (high - low)
    return Scale(low - room, high + room)


class SignalSource:
    """Signals [N, L] as a source of images [B, 1, 1, L] in [0, 1], for the models of the registry."""

    factors: Tensor | None = None
    is_resident = True

    def __init__(self, values: np.ndarray, scale: Scale, device: torch.device | str = "cpu") -> None:
        self.scale = scale
        self.pictures = scale.to_unit(values).to(device)  # [N, 1, 1, L]
        self.shape: tuple[int, int, int] = (1, 1, values.shape[1])
        self.labels = torch.zeros(len(values), dtype=torch.uint8)

    def __len__(self) -> int:
        return len(self.pictures)

    def images(self, index: Tensor) -> Tensor:
        return self.pictures[index]


def standardised(signals: Signals) -> Signals:
    """Every signal with mean 0 and standard deviation 1 of its own: shape counts, height and offset do not.

    Raises InvalidInput, which names it, for a signal that is flat.
    """
    values = signals.values.astype(np.float64)
    spread = values.std(axis=1, keepdims=True)
    flat = np.flatnonzero(values.max(axis=1) == values.min(axis=1))
    if len(flat):
        raise InvalidInput(
            f"The signal in {signals.called(flat[0])} is flat: all of its {signals.length} samples are "
            f"{values[flat[0], 0]:g}, so it cannot be brought to a standard deviation of 1; remove it, or keep the "
            "file's own scale."
        )
    values = (values - values.mean(axis=1, keepdims=True)) / spread
    return Signals(
        signals.title, values.astype(np.float32), signals.labels, signals.class_names, "standard deviations",
        signals.lines, signals.notes,
    )  # fmt: skip


class Split(NamedTuple):
    """Places of the signals to train on, and of those to be scored."""

    train: np.ndarray
    scored: np.ndarray
    held_out: bool  # whether none of the scored was trained on


def split_by_label(signals: Signals, normal: int, share: float = 0.5, seed: int = 0) -> Split:
    """A share of the normal signals, drawn by chance, to train on; all others, normal and strange, to be scored."""
    assert signals.labels is not None, "the signals have labels"
    own = np.flatnonzero(signals.labels == normal)
    count = round(share * len(own))
    least = ROWS[0] // 2
    if count < least or len(own) - count < 1 or len(own) == len(signals):
        name = signals.class_names[normal]
        raise InvalidInput(
            f"{len(own)} of {len(signals)} signals are {name!r}; needed are at least {2 * least}, half of them to "
            "train on, and at least one of another label. Choose another label as normal, or no label."
        )
    drawn = np.random.default_rng(seed).permutation(own)
    train = np.sort(drawn[:count])
    return Split(train, np.setdiff1d(np.arange(len(signals)), train), held_out=True)


def split_by_place(signals: Signals, share: float = 1.0) -> Split:
    """The first share of the signals to train on and the others to be scored; with a share of 1 all are both."""
    everything = np.arange(len(signals))
    if share >= 1:
        return Split(everything, everything, held_out=False)
    count = max(1, round(share * len(signals)))
    return Split(everything[:count], everything[count:], held_out=True)
