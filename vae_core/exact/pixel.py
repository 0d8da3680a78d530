"""One grey pixel, and what each likelihood charges for a prediction of it."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from vae_core.errors import InvalidInput
from vae_core.losses import bernoulli_nll, gaussian_nll

EDGE = 1e-9  # nearer to black or white a logit is of no use


class Charge(NamedTuple):
    """For predictions [N] of one pixel: the cost in nats, and how fast it changes with the prediction, and with the
    logit before the sigmoid."""

    cost: Tensor
    by_prediction: Tensor
    by_logit: Tensor


def charge(prediction: Tensor, grey: float, sigma: float | None) -> Charge:
    """-log p(grey | prediction) of predictions [N] in (0, 1), by the very losses that the models are trained with:
    a Gaussian of scale sigma, or with None the cross-entropy of a Bernoulli. Raises InvalidInput for a grey value
    outside [0, 1]."""
    if not 0 <= grey <= 1:
        raise InvalidInput(f"The grey value is {grey!r}; allowed: 0 (black) to 1 (white).")
    logit = prediction.double().clamp(EDGE, 1 - EDGE).logit().requires_grad_()
    x = torch.full((len(logit), 1, 1, 1), grey)
    mean = torch.sigmoid(logit)
    if sigma is None:
        cost = bernoulli_nll(logit.view(-1, 1, 1, 1), x)
    else:
        cost = gaussian_nll(mean.view(-1, 1, 1, 1), x, torch.tensor(sigma).log().item())
    (by_logit,) = torch.autograd.grad(cost.sum(), logit)
    with torch.no_grad():
        return Charge(cost.detach().double(), by_logit / (mean * (1 - mean)), by_logit)


def mass(prediction: Tensor) -> Tensor:
    """What exp(-cross-entropy) adds up to over all grey values from 0 to 1, for predictions [...] in (0, 1): a density
    would add up to 1, this to at most 1/2 (Loaiza-Ganem and Cunningham 2019, whose normaliser is its inverse)."""
    u = 1 - 2 * prediction.double()
    near = u.abs() < 1e-4
    safe = torch.where(near, 0.5, u)
    return torch.where(near, 0.5 - u**2 / 6, safe / (2 * torch.atanh(safe)))


def least_cross_entropy(x: Tensor) -> Tensor:
    """The cross-entropy of images [B, C, H, W] with themselves: [B], nats. No copy can have less, not even a perfect
    one, and for grey pixels it is not 0."""
    x = x.double()
    return -(torch.special.xlogy(x, x) + torch.special.xlogy(1 - x, 1 - x)).sum((1, 2, 3))
