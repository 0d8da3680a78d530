"""Probabilistic PCA: the one VAE whose maximum, evidence and posterior are known, because everything in it is linear.

    z ~ N(0, I),   x | z ~ N(W z + mu, sigma^2 I)

Tipping and Bishop (1999) give the maximum of its likelihood in closed form. `LinearVAE` is the same model with an
encoder q(z | x) = N(V (x - mu), D) beside it, D diagonal; Lucas, Tucker, Grosse and Norouzi (2019) show that its ELBO
has no other maxima than pPCA's, and that there the bound is tight.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from vae_core.errors import InvalidInput

LOG_2PI = math.log(2 * math.pi)


class PPCA(NamedTuple):
    """The parameters of the model, float64."""

    weights: Tensor  # W [P, Z]
    mean: Tensor  # mu [P]
    variance: float  # sigma^2

    @property
    def precision_part(self) -> Tensor:
        """M = W^T W + sigma^2 I: [Z, Z]."""
        return self.weights.T @ self.weights + self.variance * torch.eye(self.weights.shape[1], dtype=torch.float64)

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """p(z | x) of images [B, P]: means [B, Z], and the covariance [Z, Z] that all of them share."""
        inner = self.precision_part
        means = torch.linalg.solve(inner, self.weights.T @ (x.double() - self.mean).T).T
        return means, self.variance * torch.linalg.inv(inner)

    def log_evidence(self, x: Tensor) -> Tensor:
        """log p(x) = log N(x; mu, W W^T + sigma^2 I) of images [B, P]: [B], nats per image."""
        away = x.double() - self.mean
        return -0.5 * (self._log_determinant + self._distances(away @ self.weights, away.square().sum(1)))

    def mean_log_evidence(self, mean: Tensor, covariance: Tensor) -> float:
        """log p(x) averaged over images with this mean [P] and covariance [P, P]."""
        about = covariance + torch.outer(mean - self.mean, mean - self.mean)
        inner = torch.linalg.solve(self.precision_part, self.weights.T @ about @ self.weights)
        return -0.5 * float(self._log_determinant + (about.trace() - inner.trace()) / self.variance)

    def _distances(self, along: Tensor, squared: Tensor) -> Tensor:
        """x^T C^-1 x by Woodbury, from W^T x [B, Z] and |x|^2 [B]."""
        inner = (along * torch.linalg.solve(self.precision_part, along.T).T).sum(1)
        return (squared - inner) / self.variance

    @property
    def _log_determinant(self) -> Tensor:
        """log |2 pi C| of C = W W^T + sigma^2 I."""
        pixels, latent = self.weights.shape
        return (
            torch.linalg.slogdet(self.precision_part)[1]
            + (pixels - latent) * math.log(self.variance)
            + pixels * LOG_2PI
        )


def fit_ppca(mean: Tensor, covariance: Tensor, latent: int) -> PPCA:
    """The maximum likelihood for images with this mean [P] and covariance [P, P] (Tipping and Bishop 1999, equations 7
    and 8): sigma^2 is the mean variance that is left over, W the scaled principal directions."""
    pixels = len(mean)
    if not 1 <= latent < pixels:
        raise InvalidInput(f"{latent} latents were asked for; {pixels} pixels allow 1 to {pixels - 1}.")
    values, vectors = torch.linalg.eigh(covariance.double())  # ascending
    variance = float(values[: pixels - latent].mean())
    if not variance > 0:
        raise InvalidInput(f"Nothing is left over after {latent} latents, so sigma is 0; take fewer latents.")
    lengths = (values[pixels - latent :] - variance).clamp_min(0).sqrt()
    return PPCA((vectors[:, pixels - latent :] * lengths).flip(1), mean.double(), variance)


class LinearVAE(nn.Module):
    """A VAE with one matrix each way and one width per latent, the same for every image; float64.

    The mean of the images is taken away before, as pPCA's maximum does.
    """

    def __init__(self, pixels: int, latent: int, generator: torch.Generator | None = None) -> None:
        super().__init__()
        scale = pixels**-0.5

        def matrix(rows: int, columns: int) -> nn.Parameter:
            return nn.Parameter(scale * torch.randn(rows, columns, generator=generator, dtype=torch.float64))

        self.decoder = matrix(pixels, latent)  # W
        self.encoder = matrix(latent, pixels)  # V
        self.log_std = nn.Parameter(torch.zeros(latent, dtype=torch.float64))  # D = exp(2 log_std)
        self.log_sigma = nn.Parameter(torch.zeros((), dtype=torch.float64))

    def negative_elbo(self, covariance: Tensor) -> Tensor:
        """-ELBO averaged over all images with mean 0 and this covariance C [P, P], nats per image.

        No draw of z is needed: with all maps linear, both terms are known.
        E|x - W z|^2 = tr((I - W V) C (I - W V)^T) + tr(W D W^T).
        """
        pixels, latent = self.decoder.shape
        coded = self.encoder @ covariance  # [Z, P]
        gram, spread = self.decoder.T @ self.decoder, coded @ self.encoder.T  # [Z, Z] each
        variances = (2 * self.log_std).exp()
        missed = covariance.trace() - 2 * (coded * self.decoder.T).sum() + (gram * spread).sum()
        missed = missed + (gram.diagonal() * variances).sum()
        recon = 0.5 * (missed * (-2 * self.log_sigma).exp() + pixels * (2 * self.log_sigma + LOG_2PI))
        kl = 0.5 * (spread.trace() + variances.sum() - latent) - self.log_std.sum()
        return recon + kl

    def as_ppca(self, mean: Tensor) -> PPCA:
        """Its decoder as a pPCA about a mean [P]: what evidence and posterior it really has."""
        return PPCA(self.decoder.detach().clone(), mean.double(), math.exp(2 * self.log_sigma.item()))

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """q(z | x) of images [B, P] whose mean was taken away: means [B, Z], and the covariance [Z, Z]."""
        with torch.no_grad():
            return x.double() @ self.encoder.T, torch.diag((2 * self.log_std).exp())
