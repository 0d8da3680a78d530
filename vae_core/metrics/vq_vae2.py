"""What a VQ-VAE-2 scores on held-out images, from both levels and from the top alone."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from vae_core.metrics.trial import Trial

PATCHES = (8, 4, 2)  # pixels across the patches whose means tell what is large in a picture from what is small


class TwoLevels(NamedTuple):
    """Errors are mean squares over the variance of the pixels, or of that part of them."""

    recon: float  # -log p(x | both maps), nats per image
    unexplained: float
    top_unexplained: float  # from the top alone
    bands: Tensor  # [4]: of what is large to what is small (see `bands`)
    top_bands: Tensor  # [4]: the same from the top alone
    perplexity_top: float  # effective number of codes over all held-out images
    perplexity_bottom: float
    usage_top: Tensor  # [K]: share of each code
    usage_bottom: Tensor


@torch.no_grad()
def two_levels(trial: Trial) -> TwoLevels:
    """Every held-out image by way of its codes (Razavi, van den Oord and Vinyals 2019). The variance is that of all
    pixels of all channels around their one mean."""
    model, config = trial.model, trial.model.config
    recon = total = 0.0
    squares = torch.zeros(3, len(PATCHES) + 1, dtype=torch.float64)  # of the pictures, of both errors
    usage = torch.zeros(2, config.codes, dtype=torch.float64)
    for index in trial.batches():
        x = trial.images(index)
        top, bottom, unfolded = model.quantised(x)
        recon += model.recon_per_image(x, unfolded, bottom.vectors).double().sum().item()
        total += x.double().sum().item()
        both, alone = model.decode_levels(top.numbers, bottom.numbers), model.decode_levels(top.numbers)
        for row, part in zip(squares, (x, x - both, x - alone), strict=True):
            row += bands(part).double().square().flatten(1).sum(1).cpu()
        for counts, said in zip(usage, (top, bottom), strict=True):
            counts += torch.bincount(said.numbers.flatten().cpu(), minlength=config.codes)
    shares = usage / usage.sum(1, keepdim=True)
    effective = torch.exp(-torch.special.xlogy(shares, shares).sum(1))  # [2]
    squares[0, 0] -= total**2 / (len(trial) * math.prod(config.image))  # the mean of all pixels is no variance
    return TwoLevels(
        recon=recon / len(trial),
        unexplained=(squares[1].sum() / squares[0].sum()).item(),
        top_unexplained=(squares[2].sum() / squares[0].sum()).item(),
        bands=squares[1] / squares[0],
        top_bands=squares[2] / squares[0],
        perplexity_top=effective[0].item(),
        perplexity_bottom=effective[1].item(),
        usage_top=shares[0],
        usage_bottom=shares[1],
    )


def bands(x: Tensor) -> Tensor:
    """Pictures [B, C, H, W] taken apart by size, [4, B, C, H, W]: the means of patches of 8 pixels, what those of 4 add
    to them, what those of 2 add, and the rest. They add up to the picture, and so do their squares."""
    means = [coarse(x, side) for side in PATCHES] + [x]
    return torch.stack([means[0], *(finer - wider for wider, finer in pairwise(means))])


def coarse(x: Tensor, side: int) -> Tensor:
    """Pictures [B, C, H, W], every patch of them its mean; patches at the edge may be smaller."""
    means = avg_pool2d(x, side, ceil_mode=True)
    return means.repeat_interleave(side, 2).repeat_interleave(side, 3)[..., : x.shape[2], : x.shape[3]]
