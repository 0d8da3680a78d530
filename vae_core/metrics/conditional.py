"""What a conditional VAE knows of images whose class it is told, and whether it draws the class asked for."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from vae_core.losses import kl_to_standard_normal
from vae_core.metrics.trial import Trial


class Conditional(NamedTuple):
    """Nats per image, averaged over the held-out images, and a share of draws."""

    recon: float
    kl: float
    kl_per_latent: Tensor  # [Z]
    elbo: float  # of log p(x | y), at beta 1
    obeyed: float | None  # share of draws from the prior that the judge takes for the class that was asked for


DRAWS = 1000  # of each class


@torch.no_grad()
def conditional(trial: Trial) -> Conditional:
    """The ELBO of log p(x | y) with one draw of z per image (Sohn, Lee and Yan 2015), and, where there is a judge,
    how many of 1,000 draws of each class it takes for that class."""
    generator, model = trial.generator(), trial.model
    recon, kl = torch.zeros(len(trial), dtype=torch.float64), []
    for index in trial.batches():
        x, labels = trial.images(index), trial.source.labels[index]
        posterior = model.encode_as(x, labels)
        z = posterior.mean + posterior.std * torch.randn(posterior.mean.shape, generator=generator).to(x.device)
        recon[index] = model.recon_per_image(x, z, labels).cpu().double()
        kl.append(kl_to_standard_normal(posterior.mean.double(), posterior.logvar.double()).cpu())
    per_latent = torch.cat(kl).mean(0)
    total_recon, total_kl = recon.mean().item(), per_latent.sum().item()
    return Conditional(total_recon, total_kl, per_latent, -(total_recon + total_kl), _obeyed(trial, generator))


def _obeyed(trial: Trial, generator: torch.Generator) -> float | None:
    if trial.classifier is None:
        return None
    known, right = trial.source.labels.unique().tolist(), 0  # a class of which there is no image was never learned
    for label in known:
        asked = torch.full((DRAWS,), label)
        pictures = trial.model.decode_as(torch.randn(DRAWS, trial.model.config.latent, generator=generator), asked)
        right += int((trial.classifier(pictures).argmax(1).cpu() == asked).sum())
    return right / (DRAWS * len(known))
