"""Importance sampling: an integral as the mean of weights w = p(x, z) / q(z) over draws z ~ q, all in logarithms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from vae_core.errors import InvalidInput


class Estimates(NamedTuple):
    """log p(x) estimated R times with each of several numbers of draws. Within a repetition the first K draws of the
    longest run are used, so the columns share draws, the rows are independent."""

    counts: tuple[int, ...]  # of draws, [C]
    values: Tensor  # [R, C] log of the mean weight, nats
    effective: Tensor  # [R, C] effective sample size, 1 to K

    @property
    def mean(self) -> Tensor:
        """[C]. The mean weight is unbiased for p(x), but its logarithm is too low on average (Jensen)."""
        return self.values.mean(0)

    @property
    def standard_error(self) -> Tensor:
        """Of `mean`, over repetitions: [C]."""
        return self.values.std(0) / math.sqrt(len(self.values))

    def error(self, truth: float) -> Tensor:
        """|estimate - truth| of every repetition: [R, C], nats."""
        return (self.values - truth).abs()


def log_mean_exp(log_weights: Tensor) -> Tensor:
    """log of the mean of exp over the last axis, [..., K] -> [...]; no weight over- or underflows."""
    return torch.logsumexp(log_weights, -1) - math.log(log_weights.shape[-1])


def effective_sample_size(log_weights: Tensor) -> Tensor:
    """(sum w)^2 / sum w^2 over the last axis, [..., K] -> [...]: from 1 (one weight carries all) to K (Kong 1992)."""
    return torch.exp(2 * torch.logsumexp(log_weights, -1) - torch.logsumexp(2 * log_weights, -1))


def estimates(log_weights: Tensor, counts: Sequence[int]) -> Estimates:
    """What the first K of the log weights [R, most] give, for every K in counts."""
    most = log_weights.shape[-1]
    if not counts or not all(1 <= count <= most for count in counts):
        raise InvalidInput(f"Numbers of draws {tuple(counts)} were asked for; choose from 1 to the {most} there are.")
    parts = [log_weights[:, :count] for count in counts]
    values = torch.stack([log_mean_exp(part) for part in parts], dim=-1)
    return Estimates(tuple(counts), values, torch.stack([effective_sample_size(part) for part in parts], dim=-1))
