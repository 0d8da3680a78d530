"""How near a network's pictures come to the whole ones of which it was shown a part."""

from __future__ import annotations

from typing import NamedTuple

import torch

from vae_core.metrics.fidelity import psnr, ssim
from vae_core.metrics.trial import Trial


class Restoration(NamedTuple):
    """Means over the held-out images; the baseline is made of the same parts without a network."""

    psnr: float  # decibels
    ssim: float
    baseline_psnr: float
    baseline_ssim: float


@torch.no_grad()
def restoration(trial: Trial) -> Restoration:
    """PSNR and SSIM of what the model, and its baseline, make of every held-out image once it is degraded."""
    sums = torch.zeros(4, dtype=torch.float64)
    for index in trial.batches():
        x = trial.images(index)
        shown = trial.model.degraded(x)
        for place, made in enumerate((trial.model.restored(shown), trial.model.baseline(shown))):
            sums[2 * place] += psnr(made, x).sum().cpu()
            sums[2 * place + 1] += ssim(made, x).sum().cpu()
    return Restoration(*(sums / len(trial)).tolist())
