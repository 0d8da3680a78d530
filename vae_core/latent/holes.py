"""Holes of a latent space: how far a code lies from data, and how much of the box around all codes is empty.

The unit of distance is a model's own data radius, so that two models may be compared whatever the scale of their
codes: within it 99 of 100 held-out codes have another one. What lies farther from every held-out code is a hole.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from vae_core.errors import InvalidInput
from vae_core.latent.grids import linear_grid

WITHIN = 0.99  # share of the held-out codes that have another one within the data radius
SMALLEST = 1e-30  # a radius by which one may divide
ROWS = 500  # of a distance matrix held in memory at once


class Box(NamedTuple):
    """The smallest box, its sides along the latents, that holds all codes."""

    low: Tensor  # [Z]
    high: Tensor  # [Z]

    def sample(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """Draws [N, Z], uniform in the box."""
        return self.low + (self.high - self.low) * torch.rand(count, len(self.low), generator=generator)


class Share(NamedTuple):
    """A share of draws, with the standard deviation of what is known of it (flat prior), which is never 0."""

    value: float
    standard_error: float
    draws: int
    hits: int


class Kinds(NamedTuple):
    """How many equally frequent classes the draws are worth, with its standard error."""

    value: float
    standard_error: float


class Window(NamedTuple):
    """A square piece of a plane: low and high ends [2] of both axes."""

    low: tuple[float, float]
    high: tuple[float, float]


def box_of(codes: Tensor) -> Box:
    """The box around codes [N, Z]."""
    require_codes(codes)
    return Box(codes.amin(dim=0), codes.amax(dim=0))


def nearest(points: Tensor, codes: Tensor) -> Tensor:
    """Euclidean distance from each of the points [M, Z] to the nearest of the codes [N, Z]: [M], exact."""
    return torch.cat([distances(part, codes).amin(dim=1) for part in points.split(ROWS)])


def gaps(codes: Tensor) -> Tensor:
    """Distance from each of the codes [N, Z] to the nearest other one: [N]."""
    require_codes(codes)
    found = []
    for block, part in enumerate(codes.split(ROWS)):
        apart, rows = distances(part, codes), torch.arange(len(part))
        apart[rows, rows + block * ROWS] = torch.inf  # a code is not its own neighbour
        found.append(apart.amin(dim=1))
    return torch.cat(found)


def distances(a: Tensor, b: Tensor) -> Tensor:
    """Euclidean distances [A, B]; not by a matrix product, which loses small ones to rounding."""
    return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")


def data_radius(codes: Tensor, within: float = WITHIN) -> float:
    """The distance within which a share of the codes [N, Z] have another code; a little above 0 where all are one."""
    return max(float(gaps(codes).double().quantile(within)), SMALLEST)


def box_near_data(codes: Tensor, draws: int, generator: torch.Generator | None = None) -> Share:
    """The share of the box's volume within the data radius of some code, estimated from uniform draws."""
    radius = data_radius(codes)
    return share_of(nearest(box_of(codes).sample(draws, generator), codes) <= radius)


def share_of(flags: Tensor) -> Share:
    """The share of true ones among flags [N], and its uncertainty: the standard deviation of Beta(k + 1, N - k + 1),
    which stays above 0 when all N draws agree."""
    count, hits = len(flags), int(flags.sum())
    if count == 0:
        raise InvalidInput("A share of no draws was asked for; draw one or more.")
    middle = (hits + 1) / (count + 2)
    return Share(hits / count, math.sqrt(middle * (1 - middle) / (count + 3)), count, hits)


def kinds_of(labels: Tensor, classes: int) -> Kinds:
    """The perplexity of the class frequencies of labels [N]: exp of their entropy H, from 1 (always the same class) to
    the number of classes (all equally often). Standard error by the delta method."""
    share = labels.long().bincount(minlength=classes).double() / len(labels)
    surprise = -share.clamp_min(1e-300).log()  # nats
    entropy = float((share * surprise).sum())
    variance = float((share * surprise.square()).sum()) - entropy**2
    return Kinds(math.exp(entropy), math.exp(entropy) * math.sqrt(max(0.0, variance) / len(labels)))


def window_of(box: Box, margin: float = 0.05) -> Window:
    """The square around a box [2] of a plane, so that both axes have one scale."""
    middle = ((box.low + box.high) / 2).tolist()
    half = float((box.high - box.low).amax()) / 2 * (1 + margin) or 1.0
    return Window((middle[0] - half, middle[1] - half), (middle[0] + half, middle[1] + half))


def window_grid(window: Window, side: int) -> Tensor:
    """The middles [side * side, 2] of the cells that a window is cut into, in reading order, row 0 on top."""
    half = (window.high[0] - window.low[0]) / 2
    middle = [(low + high) / 2 for low, high in zip(window.low, window.high, strict=True)]
    return linear_grid(side, half * (1 - 1 / side), middle)


def require_codes(codes: Tensor) -> None:
    if codes.ndim != 2 or len(codes) < 2 or not codes.isfinite().all():
        raise InvalidInput(f"Codes of shape {tuple(codes.shape)} say nothing of holes; give two or more, all finite.")
