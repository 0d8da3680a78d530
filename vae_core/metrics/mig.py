"""The mutual information gap: does each known factor have one latent of its own?"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from vae_core.latent.traversals import factor_information
from vae_core.metrics.trial import Trial


class Mig(NamedTuple):
    mig: float  # mean over factors, in [0, 1]
    mig_per_factor: Tensor  # [F]
    factor_information: Tensor  # [Z, F], share of each factor's entropy that each latent explains


def mig(trial: Trial) -> Mig:
    """MIG (Chen et al. 2018) of the posterior means against the known factors of all held-out images.

    Latents are made discrete by histograms of 20 bins, as Locatello et al. 2019 do, who use 10,000 points.
    """
    assert trial.source.factors is not None
    return mig_of(trial.posterior[0], trial.source.factors)


def mig_of(codes: Tensor, factors: Tensor) -> Mig:
    """For each factor of [N, F], the lead of the latent of codes [N, Z] that knows most over the next one.

    The lead is measured as a share of the factor's entropy; a model with one latent has no runner-up: 0. A factor that
    never changes, as among images of one class, is told by nobody (0) and left out of the mean.
    """
    changes = (factors != factors[:1]).any(0)  # [F]
    share = torch.zeros(codes.shape[1], factors.shape[1])
    if changes.any():
        share[:, changes] = factor_information(codes, factors[:, changes]).share  # [Z, F]
    best = torch.cat([share, torch.zeros_like(share[:1])]).topk(2, dim=0).values  # [2, F]
    gap = best[0] - best[1]
    return Mig(gap.sum().item() / max(1, int(changes.sum())), gap, share)
