"""KL(N(mean, std^2) || N(0, 1)) by its formula, and estimated from draws of the first."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from vae_core.errors import InvalidInput
from vae_core.losses import kl_to_standard_normal

RATIO, ENTROPY, POSITIVE = "log-ratio", "entropy known", "never negative"
ESTIMATORS = (RATIO, ENTROPY, POSITIVE)
LEAST_WIDTH = math.sqrt(0.5)  # at and below this width of q one draw of POSITIVE has no finite variance


def closed_form(mean: Tensor, std: Tensor) -> Tensor:
    """KL(N(mean, std^2) || N(0, 1)) for every latent: [..., Z], nats (Kingma and Welling 2014, appendix B)."""
    return kl_to_standard_normal(mean, 2 * std.log())


def single_draws(kind: str, mean: Tensor, std: Tensor, noise: Tensor) -> Tensor:
    """What one draw z = mean + std * noise says of the KL: as `noise`, [K, ..., Z], nats. Its mean over draws is the
    KL for each kind, with r = p(z) / q(z):

    log-ratio: -log r, the definition itself (J. Schulman, Approximating KL Divergence, 2020, calls it k1);
    entropy known: E[-log p(z)] alone is drawn, the entropy of q has a formula (Kingma and Welling 2014, equation 7,
    go a step further and draw none of it);
    never negative: (r - 1) - log r (Schulman's k3); r - 1 is 0 on average.
    """
    z = mean + std * noise
    if kind == ENTROPY:
        return 0.5 * (z**2 - 1) - std.log()  # the two log sqrt(2 pi) cancel
    log_ratio = 0.5 * (noise**2 - z**2) + std.log()
    if kind == RATIO:
        return -log_ratio
    if kind == POSITIVE:
        return torch.expm1(log_ratio) - log_ratio
    raise InvalidInput(f"There is no estimator {kind!r}; choose one of {', '.join(ESTIMATORS)}.")


def deviation(kind: str, mean: float, std: float) -> float:
    """Standard deviation of one draw's estimate, in closed form, nats; infinite for "never negative" where q is so
    narrow that E_q[r^2] diverges."""
    a, b = mean * std, std**2  # z^2 / 2 = mean^2 / 2 + a noise + b noise^2 / 2
    if kind == RATIO:
        return math.sqrt(a**2 + 0.5 * (b - 1) ** 2)
    if kind == ENTROPY:
        return math.sqrt(a**2 + 0.5 * b**2)
    if kind == POSITIVE:
        return math.inf if std <= LEAST_WIDTH else math.sqrt(_variance_of_positive(mean, std))
    raise InvalidInput(f"There is no estimator {kind!r}; choose one of {', '.join(ESTIMATORS)}.")


def _variance_of_positive(mean: float, std: float) -> float:
    """Var(r) + Var(log r) - 2 Cov(r, log r): moments of Gaussians. E_q[r log r] = KL(p || q)."""
    forward = math.log(std) + (1 + mean**2) / (2 * std**2) - 0.5  # KL(N(0, 1) || q)
    reverse = 0.5 * (mean**2 + std**2 - 1) - math.log(std)
    tail = 2 * std**2 - 1  # E_q[r^2] = E_p[r] = std^2 / sqrt(tail) * exp(mean^2 / tail)
    of_ratio = std**2 / math.sqrt(tail) * math.exp(min(mean**2 / tail, 700.0)) - 1
    return of_ratio + deviation(RATIO, mean, std) ** 2 - 2 * (forward + reverse)
