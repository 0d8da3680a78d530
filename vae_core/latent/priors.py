"""Where new codes are drawn from: the prior of a VAE, or a Gaussian fitted to an autoencoder's codes."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from vae_core.errors import InvalidInput


class Gaussian(NamedTuple):
    """A normal distribution over Z latents: its mean, and the Cholesky factor of its covariance."""

    mean: Tensor  # [Z]
    cholesky: Tensor  # [Z, Z], lower triangular

    @property
    def std(self) -> Tensor:
        """The standard deviation of each latent [Z]."""
        return self.cholesky.norm(dim=1)

    @property
    def covariance(self) -> Tensor:
        """[Z, Z]."""
        return self.cholesky @ self.cholesky.T

    @property
    def is_diagonal(self) -> bool:
        """Whether the latents are independent, as in a prior."""
        return torch.equal(self.cholesky, self.cholesky.diagonal().diag())

    @property
    def scale(self) -> float:
        """One number for the width: the root of the latents' mean variance, 1 for a prior."""
        return float(self.std.square().mean().sqrt())

    def place(self, standard: Tensor) -> Tensor:
        """Standard normal points [N, Z] (draws, or a quantile grid) -> the same points of this Gaussian."""
        return self.mean + standard.to(self.mean) @ self.cholesky.T

    def sample(self, count: int, generator: torch.Generator | None = None, temperature: float = 1.0) -> Tensor:
        """Draws [N, Z]; the temperature multiplies the standard deviation, 0 gives the mean alone.

        The noise is drawn on the CPU, so a seed means the same draws on every device.
        """
        if count < 1:
            raise InvalidInput(f"{count} samples were asked for; choose at least 1.")
        if not (math.isfinite(temperature) and temperature >= 0):
            raise InvalidInput(f"The temperature is {temperature}; choose a number from 0 upwards, usually up to 2.")
        return self.place(temperature * torch.randn(count, len(self.mean), generator=generator))


def standard_normal(latent: int) -> Gaussian:
    """The prior of our VAEs over Z latents."""
    return Gaussian(torch.zeros(latent), torch.eye(latent))


def fit_gaussian(codes: Tensor) -> Gaussian:
    """The Gaussian with the mean and the full covariance of codes [N, Z].

    An autoencoder has no prior, so this is the fairest place to draw its codes from; whoever shows such draws
    says so. Dead latents (no variance at all) are allowed: a jitter of 1e-6 of the mean variance is added.
    """
    count, latent = codes.shape
    if count < 2 or not codes.isfinite().all():
        raise InvalidInput(f"A Gaussian cannot be fitted to {count} codes; give two or more, all finite.")
    codes = codes.double()
    mean = codes.mean(dim=0)
    covariance = (codes - mean).T @ (codes - mean) / (count - 1)
    jitter = 1e-6 * covariance.diagonal().mean() + 1e-12
    cholesky = torch.linalg.cholesky(covariance + jitter * torch.eye(latent).to(covariance))
    return Gaussian(mean.float(), cholesky.float())
