"""The evidence lower bound of models whose posterior is known by its draws."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from vae_core.metrics.importance import CpuNoise
from vae_core.metrics.trial import Trial


class Drawn(NamedTuple):
    """Nats per image, averaged over the held-out images."""

    recon: float
    kl: float
    kl_per_latent: Tensor  # [all latents]
    elbo: float  # -(recon + kl)
    elbo_standard_error: float  # over images


@torch.no_grad()
def drawn(trial: Trial) -> Drawn:
    """E_q[-log p(x | z)] and KL(q(z | x) || p(z)), with one draw of z per image behind both: a flow's KL has no closed
    form, a ladder's has one at each level."""
    noise, model = CpuNoise(trial.generator()), trial.model
    recon, kl = [], []
    for index in trial.batches():
        x = trial.images(index)
        condition = model.condition(x)
        draw = model.draw(condition, noise)
        recon.append(model.recon_per_image(x, draw.z).double().cpu())
        kl.append(model.kl_per_latent(condition, draw).double().cpu())
    all_recon, all_kl = torch.cat(recon), torch.cat(kl)
    per_image = all_recon + all_kl.sum(1)
    return Drawn(
        recon=all_recon.mean().item(),
        kl=all_kl.sum(1).mean().item(),
        kl_per_latent=all_kl.mean(0),
        elbo=-per_image.mean().item(),
        elbo_standard_error=(per_image.std() / len(trial) ** 0.5).item() if len(trial) > 1 else 0.0,
    )
