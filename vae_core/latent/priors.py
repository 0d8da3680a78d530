"""Where new codes are drawn from: the prior of a VAE, or what was fitted to codes: a Gaussian, or a mixture of some."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from vae_core.errors import InvalidInput

POINTS = 256  # at which densities are computed at once


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

    def log_density(self, points: Tensor) -> Tensor:
        """log N(z) of points [N, Z]: [N], nats."""
        return multivariate_log_density(points, self.mean[None], self.cholesky[None])[:, 0]

    def sample(self, count: int, generator: torch.Generator | None = None, temperature: float = 1.0) -> Tensor:
        """Draws [N, Z]; the temperature multiplies the standard deviation, 0 gives the mean alone.

        The noise is drawn on the CPU, so a seed means the same draws on every device.
        """
        if count < 1:
            raise InvalidInput(f"{count} samples were asked for; choose at least 1.")
        if not (math.isfinite(temperature) and temperature >= 0):
            raise InvalidInput(f"The temperature is {temperature}; choose a number from 0 upwards, usually up to 2.")
        return self.place(temperature * torch.randn(count, len(self.mean), generator=generator))


class Mixture(NamedTuple):
    """A mixture of K normal distributions over Z latents."""

    weights: Tensor  # [K], positive, sum 1
    means: Tensor  # [K, Z]
    choleskys: Tensor  # [K, Z, Z], lower triangular

    def log_density(self, points: Tensor) -> Tensor:
        """log p(z) of points [N, Z]: [N], nats."""
        each = multivariate_log_density(points, self.means, self.choleskys)
        return (each + self.weights.log()).logsumexp(1)

    def sample(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """Draws [N, Z]: first which Gaussian, then where in it."""
        if count < 1:
            raise InvalidInput(f"{count} samples were asked for; choose at least 1.")
        which = torch.multinomial(self.weights, count, replacement=True, generator=generator)
        noise = torch.randn(count, self.means.shape[1], 1, generator=generator)
        return self.means[which] + (self.choleskys[which] @ noise)[:, :, 0]


def multivariate_log_density(points: Tensor, means: Tensor, choleskys: Tensor) -> Tensor:
    """log N(z; mean, L L^T) of points [N, Z] under K Gaussians with means [K, Z] and factors [K, Z, Z]: [N, K]."""
    inverse = torch.linalg.inv(choleskys)  # of small triangular matrices
    away = torch.einsum("kij,nj->nki", inverse, points) - torch.einsum("kij,kj->ki", inverse, means)
    width = choleskys.diagonal(dim1=1, dim2=2).log().sum(1)
    return -0.5 * (away.square().sum(2) + points.shape[1] * math.log(2 * math.pi)) - width


def aggregate_log_density(points: Tensor, means: Tensor, stds: Tensor) -> Tensor:
    """log q(z) of points [M, Z], q(z) the mean of the posteriors N(mean, std^2) [N, Z] of N images: [M], nats. It is
    the aggregate posterior of these images, exactly."""
    found = []
    for part in points.split(POINTS):
        away = (part[:, None] - means) / stds  # [m, N, Z]
        found.append((-0.5 * away.square() - stds.log()).sum(2).logsumexp(1))
    return torch.cat(found) - math.log(len(means)) - 0.5 * points.shape[1] * math.log(2 * math.pi)


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


def fit_mixture(codes: Tensor, components: int, seed: int = 0) -> Mixture:
    """The mixture of so many Gaussians with full covariances that expectation maximisation finds for codes [N, Z], by
    scikit-learn, started from k-means.

    Raises InvalidInput for fewer codes than twice the components, or codes that are not finite.
    """
    if components < 1 or len(codes) < 2 * components or not codes.isfinite().all():
        raise InvalidInput(
            f"A mixture of {components} Gaussians cannot be fitted to {len(codes)} codes; give one Gaussian or more, "
            "and for each at least two codes, all finite."
        )
    from sklearn.mixture import GaussianMixture

    found = GaussianMixture(components, reg_covar=1e-5, random_state=seed, max_iter=200).fit(codes.double().numpy())
    covariances = torch.from_numpy(found.covariances_)
    return Mixture(
        torch.from_numpy(found.weights_).float(),
        torch.from_numpy(found.means_).float(),
        torch.linalg.cholesky(covariances).float(),
    )
