"""The Gaussian nearest to a distribution that is none: it depends on the direction of the KL, and on what q may be."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from vae_core.errors import InvalidInput
from vae_core.exact.curve import CurveModel, Gaussian1D, Posterior1D

SAME = 1e-2  # two ends of a descent that are this near, in mean and log width, are one minimum
STEPS, AT_MOST = 25, 400  # of a descent: so many at a time, until it stands still, and altogether
STILL = 1e-4  # a move in these steps, in mean and log width, that counts as none


class Fit(NamedTuple):
    """One Gaussian, and how far it is from the posterior in either direction, in nats."""

    q: Gaussian1D
    reverse: float  # KL(q || p(z | x)): what variational inference makes small
    forward: float  # KL(p(z | x) || q)


class Fits(NamedTuple):
    """The best Gaussians for one posterior."""

    posterior: Posterior1D
    covering: Fit  # the least forward KL
    seeking: tuple[Fit, ...]  # the minima of the reverse KL, the least one first


def gaussian_fits(model: CurveModel, x: Tensor) -> Fits:
    """Gaussians nearest to p(z | x), for x [2], under both directions of the KL (Bishop 2006, section 10.1.2).

    The forward KL has one minimum: the posterior's own mean and standard deviation. The reverse KL may have several; a
    descent starts at each peak of the posterior.
    """
    posterior = model.posterior(x)

    def measured(q: Gaussian1D) -> Fit:
        return Fit(q, model.kl(x, q), model.kl_from_posterior(x, q))

    found: list[Fit] = []
    for mode in posterior.modes:
        end = _descended(model, x, Gaussian1D(float(mode), min(posterior.std, model.sigma / 2)))
        if not any(_is_near(end, other.q) for other in found):
            found.append(measured(end))
    covering = measured(Gaussian1D(posterior.mean, posterior.std))
    return Fits(posterior, covering, tuple(sorted(found, key=lambda fit: fit.reverse)))


def _descended(model: CurveModel, x: Tensor, q: Gaussian1D) -> Gaussian1D:
    """Where the reverse KL is least, downhill from q."""
    for _ in range(0, AT_MOST, STEPS):
        before, q = q, model.ascend(x, q, steps=STEPS)[-1]
        if abs(q.mean - before.mean) < STILL and abs(math.log(q.std / before.std)) < STILL:
            break
    return q


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
