"""Codes as a file: a uniform quantiser, one table of frequencies for each latent, and a range coder that uses it.

Quantised codes are whole numbers ("symbols") [N, Z]. A table is fitted on the codes of training images, so whoever
decodes may have it beforehand; what it has not seen is written as an escape and 16 plain bits. Each latent is coded as
if it were independent of the others: what they tell of each other is not used.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vae_core.errors import InvalidInput

PRECISION = 16  # bits of a frequency: those of a table sum to 2 ** PRECISION
TOTAL = 1 << PRECISION
FARTHEST = TOTAL // 2 - 1  # the largest symbol, so that an escaped one fits into PRECISION bits
STATE, WORD = 64, 32  # bits of the coder's interval, and of what leaves it at a time
MASK = (1 << STATE) - 1


@dataclass(frozen=True)
class Quantiser:
    """Cells of equal width along each latent; a code becomes the number of its cell and comes back as its middle."""

    centre: Tensor  # [Z] the middle of cell 0
    step: Tensor  # [Z] the width of a cell, above 0

    def __post_init__(self) -> None:
        if not (self.centre.isfinite().all() and self.step.isfinite().all() and (self.step > 0).all()):
            raise InvalidInput("The step of a quantiser is no ordinary number above 0; choose one, for example 0.5.")

    def symbols(self, codes: Tensor) -> np.ndarray:
        """Codes [N, Z] -> whole numbers [N, Z], int64. InvalidInput where a code is no number or 32,768 cells away."""
        cells = ((codes - self.centre) / self.step).round()
        if not (cells.abs() <= FARTHEST).all():  # also where one is NaN
            raise InvalidInput(f"A code lies more than {FARTHEST:,} steps from the centre; choose a larger step.")
        return cells.long().numpy()

    def codes(self, symbols: np.ndarray) -> Tensor:
        """Symbols [N, Z] -> the middles of their cells [N, Z]. For a code spread evenly over a cell the squared error
        of one latent is step ** 2 / 12."""
        return self.centre + torch.from_numpy(symbols).to(self.step.dtype) * self.step


@dataclass(frozen=True)
class Table:
    """How often each symbol of one latent is expected: frequencies that sum to TOTAL, the last one for the escape."""

    lowest: int  # the symbol of frequencies[0]
    frequencies: np.ndarray  # [S + 1] int64, each at least 1

    def __post_init__(self) -> None:
        whole = self.frequencies.ndim == 1 and self.frequencies.dtype == np.int64 and len(self.frequencies) > 1
        if not whole or self.frequencies.min() < 1 or self.frequencies.sum() != TOTAL:
            raise InvalidInput(f"A table of frequencies has whole numbers above 0 that sum to {TOTAL}; this one not.")

    @property
    def starts(self) -> np.ndarray:
        """Where each symbol's share of TOTAL begins: [S + 1]."""
        return np.cumsum(self.frequencies) - self.frequencies

    def places(self, symbols: np.ndarray) -> np.ndarray:
        """Symbols [N] -> where they stand in the table; those that it does not know stand at the escape."""
        last = len(self.frequencies) - 1
        inside = (symbols >= self.lowest) & (symbols < self.lowest + last)
        return np.where(inside, symbols - self.lowest, last)

    def escaped(self, symbols: np.ndarray) -> np.ndarray:
        """Which symbols [N] the table does not know."""
        return self.places(symbols) == len(self.frequencies) - 1

    def bits(self, symbols: np.ndarray) -> np.ndarray:
        """What each symbol [N] costs under this table, in bits; an escape costs PRECISION bits more."""
        return PRECISION - np.log2(self.frequencies[self.places(symbols)]) + PRECISION * self.escaped(symbols)


def fit_table(symbols: np.ndarray) -> Table:
    """The table of one latent from training symbols [N]: their counts scaled to TOTAL, with at least 1 for every
    symbol between the lowest and the highest, and for the escape."""
    lowest, highest = int(symbols.min()), int(symbols.max())
    if highest - lowest + 2 > TOTAL // 4:
        raise InvalidInput(
            f"The codes fall into {highest - lowest + 1:,} cells, more than a table has; widen the step."
        )
    counts = np.append(np.bincount(symbols - lowest), 0).astype(np.int64)
    frequencies = 1 + counts * (TOTAL - len(counts)) // len(symbols)
    frequencies[counts.argmax()] += TOTAL - frequencies.sum()  # what rounding left over
    return Table(lowest, frequencies)


def entropy(symbols: np.ndarray) -> float:
    """Bits per symbol of symbols [N] under their own shares: what no code for them, one by one, can undercut."""
    shares = np.unique(symbols, return_counts=True)[1] / len(symbols)
    return float(-(shares * np.log2(shares)).sum())


def cross_entropy(symbols: np.ndarray, tables: Sequence[Table]) -> np.ndarray:
    """Bits that each latent of symbols [N, Z] costs on average under its table: [Z]."""
    return np.array([table.bits(column).mean() for table, column in zip(tables, symbols.T, strict=True)])


def write(symbols: np.ndarray, tables: Sequence[Table]) -> bytes:
    """Symbols [N, Z] as a file, by range coding: an interval of whole numbers is narrowed to each symbol's share, one
    after another, and its leading bits leave as soon as they are settled (Martin 1979)."""
    starts, widths = _shares(symbols, tables)
    words: list[int] = []
    low, width = 0, MASK
    for start, share in zip(starts.tolist(), widths.tolist(), strict=True):
        unit = width >> PRECISION
        low += unit * start
        width = unit * share
        while width >> WORD == 0:
            if low > MASK:  # a carry into what has left
                low &= MASK
                _carry(words)
            words.append(low >> WORD)
            low = low << WORD & MASK
            width <<= WORD
    return _ended(words, low, width)


def read(data: bytes, tables: Sequence[Table], count: int) -> np.ndarray:
    """The symbols [count, Z] of a file that `write` made with the same tables."""
    size = WORD // 8
    words = iter([int.from_bytes(data[at : at + size].ljust(size, b"\0"), "big") for at in range(0, len(data), size)])
    columns = [(table.lowest, table.starts.tolist(), table.frequencies.tolist()) for table in tables]
    value, width = next(words, 0) << WORD | next(words, 0), MASK
    found = []
    for _ in range(count):
        for lowest, starts, shares in columns:
            unit = width >> PRECISION
            place = bisect_right(starts, min(value // unit, TOTAL - 1)) - 1
            value -= unit * starts[place]
            width = unit * shares[place]
            while width >> WORD == 0:
                value, width = value << WORD | next(words, 0), width << WORD
            if place < len(starts) - 1:
                found.append(lowest + place)
                continue
            width >>= PRECISION  # escaped: a share of one in TOTAL for each possible number
            number, value = divmod(value, width)
            found.append(number - FARTHEST - 1)
            while width >> WORD == 0:
                value, width = value << WORD | next(words, 0), width << WORD
    return np.array(found, dtype=np.int64).reshape(count, len(tables))


def decibels(squared_error: float) -> float:
    """PSNR of pictures in [0, 1] from their mean squared error per pixel, in dB."""
    return -10 * math.log10(squared_error) if squared_error > 0 else math.inf


def _shares(symbols: np.ndarray, tables: Sequence[Table]) -> tuple[np.ndarray, np.ndarray]:
    """Where the share of each symbol begins and how wide it is, image after image; an escaped symbol gives two."""
    count, latents = symbols.shape
    starts, widths = np.zeros((2, count, latents, 2), dtype=np.int64)
    for latent, table in enumerate(tables):
        places, escaped = table.places(symbols[:, latent]), table.escaped(symbols[:, latent])
        starts[:, latent, 0], widths[:, latent, 0] = table.starts[places], table.frequencies[places]
        starts[escaped, latent, 1] = symbols[escaped, latent] + FARTHEST + 1
        widths[escaped, latent, 1] = 1
    there = widths > 0
    return starts[there], widths[there]


def _carry(words: list[int]) -> None:
    """Add 1 to the number that the words make."""
    place = len(words) - 1
    while words[place] == (1 << WORD) - 1:
        words[place] = 0
        place -= 1
    words[place] += 1


def _ended(words: list[int], low: int, width: int) -> bytes:
    """The file: the words, and of the last interval the number with the fewest bytes."""
    for size in range(STATE // 8 + 1):
        grain = 1 << (STATE - 8 * size)
        last = -(-low // grain) * grain
        if last < low + width:
            break
    if last > MASK:
        last &= MASK
        _carry(words)
    tail = last.to_bytes(STATE // 8, "big")[:size]
    return b"".join(word.to_bytes(WORD // 8, "big") for word in words) + tail
