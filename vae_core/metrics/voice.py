"""What the codes of a voice VQ-VAE cost, and how well they are said again by the same speaker."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch

from vae_core.audio.spectra import seconds
from vae_core.metrics.trial import Trial


class Voice(NamedTuple):
    """Over all held-out recordings, each said again by the speaker whose it is."""

    recon: float  # -log p(x | codes, speaker), nats per image
    mse_over_variance: float  # of the spectrograms' points
    perplexity: float  # effective number of codes in use
    bits_per_second: float  # log2 K for each code
    bits_used: float  # the entropy of how often each is used, instead of log2 K


@torch.no_grad()
def voice(trial: Trial) -> Voice:
    """Reconstruction, and the rate of the codes (van den Oord, Vinyals and Kavukcuoglu 2017, section 4.3)."""
    model, config = trial.model, trial.model.config
    recon = squared = total = square = torch.zeros((), dtype=torch.float64)
    counts = torch.zeros(config.codes, dtype=torch.float64)
    for index in trial.batches():
        x, speakers = trial.images(index), trial.source.labels[index]
        numbers = model.heard(x)
        vectors = model.quantiser.lookup(numbers[:, None])
        recon = recon + model.recon_per_image(x, vectors, speakers).double().sum().cpu()
        squared = squared + ((model.spoken(numbers, speakers) - x).double() ** 2).sum().cpu()
        total, square = total + x.double().sum().cpu(), square + (x.double() ** 2).sum().cpu()
        counts += torch.bincount(numbers.flatten().cpu(), minlength=config.codes)
    points = len(trial) * math.prod(config.image)
    variance = square / points - (total / points) ** 2
    shares = counts / counts.sum()
    entropy = -torch.special.xlogy(shares, shares).sum().item()  # nats
    rate = 1 / seconds(2**config.halvings)
    return Voice(
        recon=(recon / len(trial)).item(),
        mse_over_variance=(squared / points / variance).item(),
        perplexity=math.exp(entropy),
        bits_per_second=math.log2(config.codes) * rate,
        bits_used=entropy / math.log(2) * rate,
    )
