"""What a VQ-VAE scores on held-out images, how much of its codebook is in use, and what a prior over its maps costs."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from vae_core.metrics.trial import Trial


class VectorQuantised(NamedTuple):
    recon: float  # -log p(x | codes), nats per image
    distance: float  # squared, of the vectors to their codes, summed over a map
    unexplained: float  # mean squared error of the pictures over the variance of the pixels
    perplexity: float  # effective number of codes over all held-out images
    used: int  # codes that at least one held-out image has
    usage: Tensor  # [K]: share of each code


@torch.no_grad()
def vector_quantised(trial: Trial) -> VectorQuantised:
    """Every held-out image by way of its codes (van den Oord et al. 2017). The variance is that of all pixels of all
    channels around their one mean."""
    model = trial.model
    recon = distance = error = first = second = 0.0
    counts = torch.zeros(model.config.codes, dtype=torch.float64)
    for index in trial.batches():
        x = trial.images(index)
        said = model.quantised(x)
        recon += model.recon_per_image(x, said.vectors).double().sum().item()
        distance += said.commitment.item() * len(index)
        error += (x - model.decode_numbers(said.numbers)).double().square().sum().item()
        first, second = first + x.double().sum().item(), second + x.double().square().sum().item()
        counts += torch.bincount(said.numbers.flatten().cpu(), minlength=len(counts))
    images, pixels = len(trial), len(trial) * math.prod(model.config.image)
    variance = second / pixels - (first / pixels) ** 2
    shares = counts / counts.sum()
    return VectorQuantised(
        recon=recon / images,
        distance=distance / images,
        unexplained=error / pixels / variance,
        perplexity=torch.exp(-torch.special.xlogy(shares, shares).sum()).item(),
        used=int((counts > 0).sum()),
        usage=shares,
    )


class CodePrior(NamedTuple):
    map_nats: float  # -log p(map), nats per map
    code_nats: float  # nats per code; log K for uniform ones
    saved: float  # share of the nats of uniform codes that the prior saves


@torch.no_grad()
def code_prior(trial: Trial) -> CodePrior:
    """What the code maps of held-out images cost under a prior that knows what it was told of their labels."""
    total = 0.0
    for index in trial.batches():
        labels = trial.source.labels[index]
        total += trial.model.loss(trial.images(index), labels).total.double().item() * len(index)
    config = trial.model.config
    per_map = total / len(trial)
    per_code = per_map / math.prod(config.image[1:])
    return CodePrior(per_map, per_code, 1 - per_code / math.log(config.codes))
