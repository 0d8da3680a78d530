"""How well a model of words gives names back, and what a letter costs it."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch

from vae_core.latent.spelling import greedy
from vae_core.losses import kl_to_standard_normal
from vae_core.metrics.trial import Trial


class Names(NamedTuple):
    """Over all held-out names."""

    exact: float  # share that come back letter for letter from the mean of their posterior, by the likeliest letters
    letters_right: float  # share of the letters, the end included, that stand in their place
    bits_per_letter: float  # -ELBO over the number of letters, the end included


@torch.no_grad()
def names(trial: Trial) -> Names:
    """Every held-out name by way of its code. Bits per letter are those of Bowman et al. (2016), per letter instead of
    per word: the code's own bits are paid for."""
    mean, logvar = trial.posterior
    assert logvar is not None
    generator, nats, letters, exact, right = trial.generator(), 0.0, 0.0, 0, 0.0
    for index in trial.batches():
        x = trial.images(index)  # [B, 1, T, A]
        there = x[:, 0].sum(-1) > 0  # [B, T]
        same = (greedy(trial.model, mean[index].to(x.device)).numbers == x[:, 0].argmax(-1)) | ~there
        exact += int(same.all(1).sum())
        right += float((same & there).sum())
        noise = torch.randn(mean[index].shape, generator=generator)
        z = mean[index] + torch.exp(0.5 * logvar[index]) * noise
        nats += float(trial.model.recon_per_image(x, z.to(x.device)).double().sum())
        letters += float(there.sum())
    nats += float(kl_to_standard_normal(mean.double(), logvar.double()).sum())
    return Names(exact / len(trial), right / letters, nats / letters / math.log(2))
