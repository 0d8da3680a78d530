"""One letter out of K, and a loss on it: three ways to estimate the gradient for its logits, beside the true one."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from vae_core.errors import InvalidInput

SMALLEST = 1e-20
SCORE, RELAXED, STRAIGHT = "score function", "Gumbel-softmax", "straight-through"


class Estimate(NamedTuple):
    """What estimates of the gradient [K] are like, one draw each."""

    mean: Tensor  # [K]
    variance: float  # summed over K
    bias: float  # distance of the mean from the truth


def loss_of(letters: Tensor, costs: Tensor) -> Tensor:
    """The squared distance between what letters [..., K] stand for and a target of 0: (sum_k c_k letter_k)^2, [...].
    It bends between the letters, as a decoder does; a straight line would forgive every relaxation."""
    return (letters * costs).sum(-1).square()


def true_gradient(logits: Tensor, costs: Tensor) -> Tensor:
    """The gradient [K] of E[loss] for logits [K]: a sum over all K letters."""
    logits = logits.double().clone().requires_grad_()
    each = loss_of(torch.eye(len(costs), dtype=torch.float64), costs.double())
    (gradient,) = torch.autograd.grad((logits.softmax(0) * each).sum(), logits)
    return gradient


def estimated(kind: str, logits: Tensor, costs: Tensor, temperature: float, uniform: Tensor) -> Estimate:
    """Estimates of that gradient from draws [N, K] in [0, 1), one for each row.

    The score function (Williams 1992) is right on average, whatever the temperature. The Gumbel-softmax (Jang, Gu and
    Poole 2017) follows a soft letter, so it is biased, and less so, but noisier, as the temperature falls. Straight-
    through takes the loss at the true letter and the soft one's slope. Raises InvalidInput for another kind.
    """
    logits, costs = logits.double(), costs.double()
    noise = -torch.log(-torch.log(uniform.double().clamp_min(SMALLEST)))
    free = logits.expand(len(noise), -1).clone().requires_grad_()  # a copy for each draw, so that each has a gradient
    hard = one_hot((logits + noise).argmax(-1), len(logits)).double()
    soft = torch.softmax((free + noise) / temperature, dim=-1)
    surrogates = {
        SCORE: lambda: loss_of(hard, costs) * (hard * torch.log_softmax(free, -1)).sum(-1),
        RELAXED: lambda: loss_of(soft, costs),
        STRAIGHT: lambda: loss_of(hard + soft - soft.detach(), costs),
    }
    if kind not in surrogates:
        raise InvalidInput(f"There is no estimator {kind!r}; choose one of {', '.join(surrogates)}.")
    (gradients,) = torch.autograd.grad(surrogates[kind]().sum(), free)  # [N, K]
    mean = gradients.mean(0)
    bias = (mean - true_gradient(logits, costs)).norm().item()
    return Estimate(mean, gradients.var(0).sum().item(), bias)
