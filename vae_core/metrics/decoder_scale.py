"""A decoder taken as a Gaussian: what its ELBO is at any scale, and at which it is largest."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from vae_core.errors import InvalidInput
from vae_core.losses import kl_to_standard_normal
from vae_core.metrics.trial import Trial


class DecoderScale(NamedTuple):
    """What a VAE's decoder misses and its code costs, averaged over the held-out images."""

    squared_error: float  # summed over the pixels of an image, one draw of z
    kl: float  # nats
    pixels: int

    @property
    def rmse(self) -> float:
        """Root mean squared error of a pixel: the scale at which the ELBO is largest."""
        return math.sqrt(self.squared_error / self.pixels)

    def elbo(self, sigma: float) -> float:
        """The ELBO of these means and codes with a Gaussian of this scale around every pixel, nats per image, with its
        constants. Raises InvalidInput for a scale that is none."""
        if not (math.isfinite(sigma) and sigma > 0):
            raise InvalidInput(f"The decoder's scale is {sigma!r}; allowed: a number above 0.")
        constants = self.pixels * (math.log(sigma) + 0.5 * math.log(2 * math.pi))
        return -(self.squared_error / (2 * sigma**2) + constants + self.kl)


@torch.inference_mode()
def decoder_scale(trial: Trial) -> DecoderScale:
    """Squared error and KL of a VAE, whatever likelihood it was trained with (Rybkin, Daniilidis and Levine 2021: for
    given means the best sigma^2 is the mean squared error)."""
    mean, logvar = trial.posterior
    if logvar is None:
        raise InvalidInput("An autoencoder has no posterior; choose a VAE.")
    generator = trial.generator()
    errors: list[Tensor] = []
    for index in trial.batches():
        noise = torch.randn(len(index), mean.shape[1], generator=generator)
        decoded = trial.decode(mean[index] + torch.exp(0.5 * logvar[index]) * noise)
        errors.append((decoded - trial.images(index)).double().square().sum((1, 2, 3)).cpu())
    kl = kl_to_standard_normal(mean.double(), logvar.double()).sum(1).mean().item()
    pixels = math.prod(trial.images(torch.tensor([0])).shape[1:])
    return DecoderScale(torch.cat(errors).mean().item(), kl, pixels)
