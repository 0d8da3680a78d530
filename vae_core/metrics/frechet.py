"""The Frechet distance between two sets of features: how far samples, as a crowd, are from the data."""

from __future__ import annotations

import torch
from torch import Tensor

from vae_core.errors import InvalidInput


def frechet_distance(real: Tensor, fake: Tensor) -> float:
    """Squared Wasserstein-2 distance between Gaussians fitted to features [N, F] and [M, F] (Heusel et al. 2017, "FID",
    who take an Inception network's; ours are those of a classifier named beside the number).

    It is biased upwards for few images, so compare only what was measured with the same numbers of them.
    Raises InvalidInput for features of different widths, or fewer than two of either.
    """
    if real.ndim != 2 or real.shape[1:] != fake.shape[1:] or min(len(real), len(fake)) < 2:
        raise InvalidInput(
            f"Features {tuple(real.shape)} and {tuple(fake.shape)} cannot be compared; give (N, F) and (M, F), two or "
            "more of each."
        )
    apart = ((real.double().mean(0) - fake.double().mean(0)) ** 2).sum()
    first, second = covariance(real), covariance(fake)
    # tr (AB)^(1/2) by the symmetric A^(1/2) B A^(1/2), which has the same eigenvalues as AB, none of them below 0
    root = half_power(first)
    cross = torch.linalg.eigvalsh(root @ second @ root).clamp_min(0).sqrt().sum()
    return (apart + first.trace() + second.trace() - 2 * cross).clamp_min(0).item()


def covariance(features: Tensor) -> Tensor:
    """[F, F], of features [N, F]."""
    return torch.atleast_2d(torch.cov(features.double().T))


def half_power(matrix: Tensor) -> Tensor:
    """The symmetric square root [F, F] of a symmetric matrix without negative eigenvalues."""
    values, vectors = torch.linalg.eigh(matrix)
    return (vectors * values.clamp_min(0).sqrt()) @ vectors.T
