"""What a discrete VAE scores with true letters, and how much its relaxed training flattered it."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from vae_core.losses import kl_to_uniform
from vae_core.metrics.trial import Trial


class Discrete(NamedTuple):
    """Nats per image, averaged over the held-out images."""

    recon: float
    kl: float
    kl_per_latent: Tensor  # [N]
    elbo: float  # of true letters
    relaxed_recon: float  # with letters as soft as in training: no bound
    used: float  # effective number of letters per place: exp of the entropy of the mean letter, averaged over places


@torch.no_grad()
def discrete(trial: Trial) -> Discrete:
    """ELBO with one draw of true letters per image, the reconstruction with relaxed ones from the same noise (Jang, Gu
    and Poole 2017), and how many letters are in use."""
    generator, model = trial.generator(), trial.model
    recon, relaxed, kl = [], [], []
    usage = torch.zeros(model.config.latents, model.config.categories, dtype=torch.float64)
    for index in trial.batches():
        x = trial.images(index)
        logits = model.letter_logits(x)
        uniform = torch.rand(logits.shape, generator=generator).to(logits)
        recon.append(model.recon_per_image(x, model.drawn(logits, uniform, relaxed=False)).double().cpu())
        relaxed.append(model.recon_per_image(x, model.drawn(logits, uniform, relaxed=True)).double().cpu())
        kl.append(kl_to_uniform(logits).double().cpu())
        usage += torch.softmax(logits, -1).double().sum(0).cpu()
    mean_letter = usage / len(trial)  # [N, K]
    entropy = -torch.special.xlogy(mean_letter, mean_letter).sum(-1)
    per_latent = torch.cat(kl).mean(0)
    total_recon, total_kl = torch.cat(recon).mean().item(), per_latent.sum().item()
    return Discrete(
        recon=total_recon,
        kl=total_kl,
        kl_per_latent=per_latent,
        elbo=-(total_recon + total_kl),
        relaxed_recon=torch.cat(relaxed).mean().item(),
        used=entropy.exp().mean().item(),
    )
