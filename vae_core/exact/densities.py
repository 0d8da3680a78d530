"""Densities over black and white pictures that are known in closed form: a coin for every pixel, a memory of pictures,
and a mixture of two (Theis, van den Oord and Bethge 2016, section 3.2)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from vae_core.errors import InvalidInput

ROWS = 250  # pictures that are compared with all of the memory at once


def coin_log_density(x: Tensor) -> Tensor:
    """log q(x) where every pixel is a fair coin, for pictures [B, ...]: [B], nats."""
    return torch.full((len(x),), -math.log(2) * x[0].numel(), dtype=torch.float64)


def mixed_log_density(first: Tensor, second: Tensor, share: float) -> Tensor:
    """log(share p + (1 - share) q) from log p and log q, [B] each. It is never lower than log p by more than
    -log(share), however bad q is."""
    if not 0 < share < 1:
        raise InvalidInput(f"The share is {share!r}; allowed: above 0, below 1.")
    return torch.logaddexp(first.double() + math.log(share), second.double() + math.log1p(-share))


def memory_log_density(x: Tensor, memory: Tensor, flip: float) -> Tensor:
    """log p(x) of a model that draws a picture of its memory [N, D] and turns over each pixel with probability
    `flip`: [B] for pictures [B, D] of zeros and ones. Exact: a kernel density."""
    if not 0 < flip < 0.5:
        raise InvalidInput(f"The probability of a flip is {flip!r}; allowed: above 0, below 0.5.")
    if not ((x == 0) | (x == 1)).all():
        raise InvalidInput("The pictures are not black and white; draw black or white for each grey pixel first.")
    pixels, rows = x.shape[1], []
    for part in x.split(ROWS):
        unlike = part.sum(1, keepdim=True) + memory.sum(1) - 2 * part @ memory.T  # [B, N] pixels that differ
        log_p = unlike.double() * math.log(flip) + (pixels - unlike).double() * math.log1p(-flip)
        rows.append(log_p.logsumexp(1) - math.log(len(memory)))
    return torch.cat(rows)
