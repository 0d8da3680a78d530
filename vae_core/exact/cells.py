"""The evidence and the posterior of one picture under a VAE with two latents, within a moment: the plane summed up in
cells that become finer where the posterior is.

With two latents this can be done, with ten it cannot: a grid as coarse as the first one here would have 10^17 cells.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

from vae_core.errors import InvalidInput

REACH, CELLS = 5.0, 60  # the prior has 1e-6 of its mass beyond 5; so many coarse cells along a side
FINER = ((60.0, 4), (20.0, 4))  # cells within so many nats of the best are cut into so many along a side, and again
AS_FINE = CELLS * math.prod(cut for _, cut in FINER)  # the finest cells that would fit along a side
CODES = 2500  # decoded at a time


class Summed(NamedTuple):
    """p(x, z) summed up over the plane of z."""

    evidence: float  # log p(x), nats per image
    mean: Tensor  # [2] of the posterior
    covariance: Tensor  # [2, 2] of the posterior
    codes: int  # at which the decoder was asked
    z: Tensor  # [N, 2] the middles of the cells, which cover the plane without a gap
    share: Tensor  # [N] of the posterior that lies in each cell, sums to 1
    side: Tensor  # [N] of each cell


def log_joint(model: Any, x: Tensor, z: Tensor) -> Tensor:
    """log p(x, z) = log p(x | z) + log N(z; 0, I) of one picture [1, C, H, W] at codes [N, Z]: [N], float64."""
    parts = [-model.recon_per_image(x.expand(len(part), *x.shape[1:]), part).double() for part in z.split(CODES)]
    prior = -0.5 * (z.double() ** 2).sum(1) - 0.5 * z.shape[1] * math.log(2 * math.pi)
    return torch.cat(parts) + prior


def square(low: tuple[float, float], side: float, cells: int) -> Tensor:
    """The middles of cells x cells squares that fill a square from its corner `low`: [cells^2, 2], the first
    coordinate running fastest."""
    steps = (torch.arange(cells) + 0.5) * (side / cells)
    up, right = torch.meshgrid(steps, steps, indexing="ij")
    return torch.stack([right.flatten() + low[0], up.flatten() + low[1]], dim=1)


@torch.inference_mode()
def integrate(model: Any, x: Tensor) -> Summed:
    """log p(x) = log of the integral of p(x | z) p(z) over the plane, for one picture [1, C, H, W].

    Midpoint rule on coarse cells, and on finer ones wherever the posterior is not negligible.
    """
    if int(model.config.latent) != 2:
        raise InvalidInput(f"The model has {model.config.latent} latents; the integral is summed up for 2 only.")
    side = 2 * REACH / CELLS
    z = square((-REACH, -REACH), 2 * REACH, CELLS)
    values = log_joint(model, x, z)
    leaves, asked = [], len(z)  # (codes, log p(x, z), side)
    for nats, cut in FINER:
        near = values > values.max() - nats
        leaves.append((z[~near], values[~near], side))
        within = square((-side / 2, -side / 2), side, cut)  # [cut^2, 2] about a cell's middle
        z = (z[near, None] + within).flatten(0, 1)
        side /= cut
        values = log_joint(model, x, z)
        asked += len(z)
    leaves.append((z, values, side))
    codes = torch.cat([leaf for leaf, _, _ in leaves]).double()
    sides = torch.cat([values.new_full((len(leaf),), side) for leaf, _, side in leaves])
    masses = torch.cat([values for _, values, _ in leaves]) + 2 * sides.log()  # p(x, z) times the cell's area
    evidence = masses.logsumexp(0)
    share = (masses - evidence).exp()
    mean = share @ codes
    apart = codes - mean
    covariance = (share[:, None] * apart).T @ apart
    return Summed(evidence.item(), mean, covariance, asked, codes, share, sides)
