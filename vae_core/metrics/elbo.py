"""The evidence lower bound and its two parts, over all held-out images."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from vae_core.losses import kl_to_standard_normal
from vae_core.metrics.trial import Trial


class Elbo(NamedTuple):
    """Nats per image, averaged over the held-out images; a deterministic model has a recon and no more."""

    recon: float
    kl: float | None
    kl_per_latent: Tensor | None  # [Z]
    elbo: float | None  # -(recon + kl): beta is 1 here, whatever the model was trained with
    elbo_standard_error: float | None  # over images
    noise_draws: int | None  # draws of z per image behind recon


@torch.no_grad()
def elbo(trial: Trial, draws: int = 1) -> Elbo:
    """E_q[-log p(x | z)] and KL(q(z | x) || p(z)) (Kingma and Welling 2014), summed over pixels and latents.

    The KL is in closed form. The reconstruction takes `draws` samples of z per image; with 10,000 images the
    noise of a single one is far below the difference between models. A deterministic model decodes its one
    code. On grey images a Bernoulli "likelihood" is a cross-entropy: call the numbers grey BCE.
    """
    mean, logvar = trial.posterior
    generator = trial.generator()
    recon = torch.zeros(len(trial), dtype=torch.float64)
    for index in trial.batches():
        x = trial.images(index)  # [B, C, H, W]
        for _ in range(draws if logvar is not None else 1):
            z = mean[index]
            if logvar is not None:
                z = z + torch.exp(0.5 * logvar[index]) * torch.randn(z.shape, generator=generator)
            recon[index] += trial.model.recon_per_image(x, z.to(x.device)).cpu().double()
    if logvar is None:
        return Elbo(recon.mean().item(), None, None, None, None, None)
    recon /= draws
    kl = kl_to_standard_normal(mean.double(), logvar.double())  # [N, Z]
    per_image = recon + kl.sum(dim=1)
    return Elbo(
        recon=recon.mean().item(),
        kl=kl.sum(dim=1).mean().item(),
        kl_per_latent=kl.mean(dim=0),
        elbo=-per_image.mean().item(),
        elbo_standard_error=(per_image.std() / len(trial) ** 0.5).item() if len(trial) > 1 else None,
        noise_draws=draws,
    )
