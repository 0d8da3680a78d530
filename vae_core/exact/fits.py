"""The Gaussian nearest to a distribution that is none: it depends on the direction of the KL, and on what q may be."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from vae_core.errors import InvalidInput
from vae_core.exact.curve import CurveModel, Gaussian1D, Posterior1D

SAME = 1e-2  # two ends of an ascent that are this near, in mean and log width, are one minimum
STEPS, RATE = 600, 0.1  # of an ascent; at a higher rate a q as wide as the posterior swings about its minimum
STILL = 1e-5  # a step, in mean and log width, that counts as none


class Fit(NamedTuple):
    """One Gaussian, and how far it is from the posterior in either direction, in nats."""

    q: Gaussian1D
    reverse: float  # KL(q || p(z | x)): what variational inference makes small
    forward: float  # KL(p(z | x) || q)


class Fits(NamedTuple):
    """The best Gaussians for one posterior."""

    posterior: Posterior1D
    covering: Fit  # the least forward KL
    nearest: tuple[Fit, ...]  # the minima of the reverse KL, the least one first

    def seeks(self, fit: Fit) -> bool:
        """Whether q leaves out a peak: it is narrower than what covers, and a peak lies beyond two of its widths."""
        away = (self.posterior.modes - fit.q.mean).abs().max()
        return fit.q.std < self.covering.q.std and bool(away > 2 * fit.q.std)


def gaussian_fits(model: CurveModel, x: Tensor) -> Fits:
    """Gaussians nearest to p(z | x), for x [2], under both directions of the KL (Bishop 2006, section 10.1.2).

    The forward KL has one minimum: the posterior's own mean and standard deviation. The reverse KL may have several: an
    ascent on the ELBO starts at each peak of the posterior, and one as wide as all of it. Where that one does not
    settle, there is no wide minimum.
    """
    posterior = model.posterior(x)

    def measured(q: Gaussian1D) -> Fit:
        return Fit(q, model.kl(x, q), model.kl_from_posterior(x, q))

    whole = Gaussian1D(posterior.mean, posterior.std)
    narrow = min(posterior.std, model.sigma)
    found: list[Fit] = []
    for start in (*(Gaussian1D(float(mode), narrow) for mode in posterior.modes), whole):
        path = model.ascend(x, start, steps=STEPS, rate=RATE, enough=STILL)
        settled = len(path) <= STEPS
        if settled and not any(_is_near(path[-1], other.q) for other in found):
            found.append(measured(path[-1]))
    return Fits(posterior, measured(whole), tuple(sorted(found, key=lambda fit: fit.reverse)))


def _is_near(a: Gaussian1D, b: Gaussian1D) -> bool:
    return abs(a.mean - b.mean) < SAME * max(a.std, b.std) + SAME and abs(math.log(a.std / b.std)) < 5 * SAME


def kl_between(mean: Tensor, covariance: Tensor, other_mean: Tensor, other_covariance: Tensor) -> float:
    """KL(N(mean, covariance) || N(other_mean, other_covariance)) in nats, for means [Z] and covariances [Z, Z]."""
    first, second = _cholesky(covariance), _cholesky(other_covariance)
    spread = torch.linalg.solve_triangular(second, first, upper=False).square().sum()
    away = torch.linalg.solve_triangular(second, (other_mean - mean)[:, None], upper=False).square().sum()
    logs = 2 * (second.diagonal().log().sum() - first.diagonal().log().sum())
    return 0.5 * float(spread + away + logs - len(mean))


def diagonal_fit(covariance: Tensor, reverse: bool) -> Tensor:
    """The diagonal covariance [Z, Z] of the Gaussian q nearest to N(0, covariance), covariance [Z, Z].

    Under the reverse KL(q || p) it takes over the diagonal of the precision, and is too narrow; under the forward
    KL(p || q) that of the covariance (Bishop 2006, equations 10.12 to 10.17).
    """
    _cholesky(covariance)
    wanted = 1 / torch.linalg.inv(covariance).diagonal() if reverse else covariance.diagonal()
    return torch.diag(wanted)


def _cholesky(covariance: Tensor) -> Tensor:
    factor, trouble = torch.linalg.cholesky_ex(covariance)
    if trouble.any() or not covariance.isfinite().all():
        raise InvalidInput(
            f"{covariance.tolist()} is no covariance; give a symmetric matrix all of whose variances are above 0."
        )
    return factor
