"""Regular grids of latent points, and the pictures that they decode to.

A grid of n x n points is a tensor [n * n, 2] in reading order: row 0 comes first and holds the largest latent
2, and latent 1 grows from left to right, as on the axes of a plot.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from vae_core.errors import InvalidInput

LARGEST_SIDE = 100  # 10,000 decoded pictures
LARGEST_EXTENT = 1e6


def prior_quantile_grid(n: int, coverage: float = 1.0) -> Tensor:
    """Points [n * n, 2] that share the standard normal prior equally.

    Along each axis the central `coverage` of the prior's mass is cut into n intervals of equal mass, and
    every interval is represented by its median: the inverse normal CDF at its middle. So the points lie close
    where the prior is dense, and none is at infinity even when the whole prior is covered.
    """
    check_side(n)
    if not 0 < coverage <= 1:
        raise InvalidInput(f"The grid was asked to cover {coverage} of the prior; choose a share above 0, at most 1.")
    middles = (torch.arange(n, dtype=torch.float64) + 0.5) / n  # of the n intervals, as shares of the coverage
    axis = torch.special.ndtri((1 - coverage) / 2 + coverage * middles)
    return crossed(axis, axis)


def linear_grid(n: int, extent: float = 3.0, centre: Sequence[float] = (0.0, 0.0)) -> Tensor:
    """Points [n * n, 2], equally spaced from centre - extent to centre + extent on both axes."""
    check_side(n)
    if not 0 < extent <= LARGEST_EXTENT:
        raise InvalidInput(f"The grid's half width is {extent}; choose a number above 0, for example 3.")
    if len(centre) != 2 or not all(math.isfinite(value) for value in centre):
        raise InvalidInput(f"The grid's centre is {tuple(centre)}; give two ordinary numbers, for example 0 and 0.")
    axis = torch.linspace(-extent, extent, n, dtype=torch.float64) if n > 1 else torch.zeros(1, dtype=torch.float64)
    return crossed(axis + centre[0], axis + centre[1])


def crossed(latent_1: Tensor, latent_2: Tensor) -> Tensor:
    """Rising axes [n] and [m] -> float32 points [m * n, 2] in reading order, the largest latent 2 on top."""
    down, across = torch.meshgrid(latent_2.flip(0), latent_1, indexing="ij")
    return torch.stack([across, down], dim=-1).reshape(-1, 2).float()


def check_side(n: int) -> None:
    if isinstance(n, bool) or not isinstance(n, int) or not 1 <= n <= LARGEST_SIDE:
        raise InvalidInput(f"The grid's side is {n!r}; choose a whole number from 1 to {LARGEST_SIDE}.")


def embed(points: Tensor, anchor: Tensor, axes: tuple[int, int] = (0, 1)) -> Tensor:
    """Points [N, 2] of the plane of two latents -> codes [N, Z]; the other latents stay at the anchor [Z]."""
    latent = len(anchor)
    if points.ndim != 2 or points.shape[1] != 2:
        raise InvalidInput(f"The points have shape {tuple(points.shape)}; a plane has points of shape (N, 2).")
    if len(set(axes)) != 2 or not all(0 <= axis < latent for axis in axes):
        raise InvalidInput(
            f"Latents {axes[0] + 1} and {axes[1] + 1} cannot span a plane; choose two different ones "
            f"of latents 1 to {latent}."
        )
    codes = anchor.repeat(len(points), 1)  # [N, Z]
    codes[:, list(axes)] = points.to(codes)
    return codes


def tile(images: Tensor, columns: int) -> Tensor:
    """Images [N, C, H, W] in reading order -> one sheet [C, rows * H, columns * W]; empty places stay 0."""
    count, channels, height, width = images.shape
    if columns < 1 or count == 0:
        raise InvalidInput(f"A sheet of {count} images in {columns} columns is empty; give one or more of each.")
    rows = -(-count // columns)
    sheet = images.new_zeros(rows * columns, channels, height, width)
    sheet[:count] = images
    sheet = sheet.view(rows, columns, channels, height, width).permute(2, 0, 3, 1, 4)  # [C, rows, H, columns, W]
    return sheet.reshape(channels, rows * height, columns * width)
