"""Sets of samples on which scores disagree: of VAEs, of a mixture with noise, and of a memory that repeats itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

NOISE = 0.99  # share of coin tosses in the mixture (Theis, van den Oord and Bethge 2016, section 3.2)
BETAS = (0.1, 1.0, 3.0)  # of the VAEs whose samples are compared
PLAIN, DRAWN, LOOSE, TIGHT = "VAE, beta 1", "the same, every pixel drawn", "VAE, beta 0.1", "VAE, beta 3"
MIXED, LEARNED = "1% VAE, 99% noise", "training images by heart"


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@torch.inference_mode()
def from_prior(model: Any, count: int, seed: int = 0) -> Tensor:
    """Pictures [count, C, H, W] of codes from the prior: the means of p(x | z)."""
    codes = torch.randn(count, model.config.latent, generator=seeded(seed))
    return torch.cat([model.decode(part) for part in codes.split(1000)])


def bits(x: Tensor, seed: int = 0) -> Tensor:
    """Black or white for every pixel of pictures in [0, 1], drawn with its grey value as the probability."""
    return (torch.rand(x.shape, generator=seeded(seed)) < x).float()


def is_noise(count: int) -> Tensor:
    """Which samples of the mixture are coin tosses: [count]."""
    return torch.rand(count, generator=seeded(2)) < NOISE


def mixed(pictures: Tensor) -> Tensor:
    """Each of the pictures [N, C, H, W], pixels drawn, or far more often coin tosses in its place."""
    coins = bits(torch.full_like(pictures, 0.5), seed=1)
    return torch.where(is_noise(len(pictures))[:, None, None, None], coins, bits(pictures))


def sample_sets(
    models: Mapping[float, Any], images: Callable[[Tensor], Tensor], known: int, count: int
) -> dict[str, Callable[[], Tensor]]:
    """Ways to so many samples [count, C, H, W], by the name of the set. `models` holds a VAE for each of BETAS;
    `images` fetches [B, C, H, W] of the `known` training images by an index [B]."""
    return {
        PLAIN: lambda: from_prior(models[1.0], count),
        DRAWN: lambda: bits(from_prior(models[1.0], count)),
        LOOSE: lambda: from_prior(models[0.1], count),
        TIGHT: lambda: from_prior(models[3.0], count),
        MIXED: lambda: mixed(from_prior(models[1.0], count)),
        LEARNED: lambda: images(torch.randperm(known, generator=seeded(3))[:count]),
    }
