"""What a VQ-VAE-2 scores on held-out images, from both levels and from the top alone."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from vae_core.metrics.trial import Trial
from vae_core.models.quantiser import perplexity

COARSE = 8  # pixels across a patch whose mean is the coarse part of a picture; the rest is the fine part


class TwoLevels(NamedTuple):
    """Errors are mean squares over the variance of the pixels, or of that part of them."""

    recon: float  # -log p(x | both maps), nats per image
    unexplained: float
    top_unexplained: float  # from the top alone
    top_coarse: float  # of the means of patches, from the top alone
    top_fine: float  # of what is left beside these means, from the top alone
    perplexity_top: float  # effective number of codes over all held-out images
    perplexity_bottom: float
    usage_top: Tensor  # [K]: share of each code
    usage_bottom: Tensor


@torch.no_grad()
def two_levels(trial: Trial) -> TwoLevels:
    """Every held-out image by way of its codes (Razavi, van den Oord and Vinyals 2019). The variance is that of all
    pixels of all channels around their one mean."""
    model, config = trial.model, trial.model.config
    recon, sums = 0.0, torch.zeros(7, dtype=torch.float64)
    usage = torch.zeros(2, config.codes, dtype=torch.float64)
    for index in trial.batches():
        x = trial.images(index)
        top, bottom, unfolded = model.quantised(x)
        recon += model.recon_per_image(x, unfolded, bottom.vectors).double().sum().item()
        alone = x - model.decode_levels(top.numbers)
        parts = (x, x - model.decode_levels(top.numbers, bottom.numbers), alone, coarse(alone), coarse(x))
        squares = [part.double().square().sum().item() for part in parts]
        sums += torch.tensor([x.double().sum().item(), *squares, float(len(x))], dtype=torch.float64)
        for counts, said in zip(usage, (top, bottom), strict=True):
            counts += torch.bincount(said.numbers.flatten().cpu(), minlength=config.codes)
    first, second, both, top_alone, top_coarse, of_coarse, images = sums.tolist()
    mean = first**2 / images / math.prod(config.image)  # what is no variance in a sum of squares
    return TwoLevels(
        recon=recon / images,
        unexplained=both / (second - mean),
        top_unexplained=top_alone / (second - mean),
        top_coarse=top_coarse / (of_coarse - mean),
        top_fine=(top_alone - top_coarse) / (second - of_coarse),
        perplexity_top=perplexity(usage[0]).item(),
        perplexity_bottom=perplexity(usage[1]).item(),
        usage_top=usage[0] / usage[0].sum(),
        usage_bottom=usage[1] / usage[1].sum(),
    )


def coarse(x: Tensor) -> Tensor:
    """Pictures [B, C, H, W], every patch of them its mean; patches at the edge may be smaller."""
    means = avg_pool2d(x, COARSE, ceil_mode=True)
    return means.repeat_interleave(COARSE, 2).repeat_interleave(COARSE, 3)[..., : x.shape[2], : x.shape[3]]
