"""One latent moved while the others rest, and which latent answers to what."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from vae_core.errors import InvalidInput

BINS = 20  # of the histogram that makes a latent discrete, as in Locatello et al. 2019


def traverse(base: Tensor, index: int, values: Tensor) -> Tensor:
    """Codes [T, Z]: the base [Z] with latent `index` set to each of the values [T] in turn."""
    if not 0 <= index < len(base):
        raise InvalidInput(f"There is no latent {index + 1}; this model has latents 1 to {len(base)}.")
    codes = base.repeat(len(values), 1)
    codes[:, index] = values.to(codes)
    return codes


def order_by_kl(kl_per_latent: Tensor) -> Tensor:
    """Latent indices [Z], the one that carries most nats first; equal ones keep their order."""
    return torch.argsort(torch.as_tensor(kl_per_latent), descending=True, stable=True)


class FactorInformation(NamedTuple):
    """What codes tell about known factors, in nats."""

    information: Tensor  # [Z, F], mutual information
    entropy: Tensor  # [F], of the factors

    @property
    def share(self) -> Tensor:
        """The part of a factor's entropy that a latent explains, [Z, F] in [0, 1]."""
        return self.information / self.entropy


def factor_information(codes: Tensor, factors: Tensor, bins: int = BINS) -> FactorInformation:
    """Mutual information in nats between each latent of codes [N, Z] and each whole-numbered factor [N, F].

    Every latent is cut into `bins` intervals of equal width between its smallest and its largest value, as
    Locatello et al. 2019 do. The estimate is biased upwards by about (bins - 1)(values - 1) / 2N nats.
    """
    if codes.ndim != 2 or factors.ndim != 2 or len(codes) != len(factors) or len(codes) == 0:
        raise InvalidInput(
            f"Codes {tuple(codes.shape)} and factors {tuple(factors.shape)} do not belong together; "
            "give (N, Z) and (N, F) with the same N, at least 1."
        )
    if factors.is_floating_point() or factors.min() < 0:
        raise InvalidInput("The factors must be whole numbers from 0 upwards; number their values first.")
    if not codes.isfinite().all():
        raise InvalidInput("Some codes are not finite, so their histogram has no bins; check the model's weights.")
    binned = [into_bins(code, bins) for code in codes.cpu().double().T]
    values = list(factors.cpu().T)
    entropy = torch.stack([entropy_of(value) for value in values])
    if constant := [number for number, nats in enumerate(entropy.tolist(), start=1) if nats <= 0]:
        raise InvalidInput(f"Factor {constant[0]} never changes in these {len(codes)} points; give more of them.")
    information = [[entropy_of(c) + entropy_of(v) - entropy_of(c, v) for v in values] for c in binned]
    return FactorInformation(torch.tensor(information, dtype=torch.float32).clamp_min(0), entropy.float())


def into_bins(code: Tensor, bins: int) -> Tensor:
    """One latent [N] -> the numbers of its intervals [N], 0 ... bins - 1; without spread all are 0."""
    low, high = code.min(), code.max()
    if high <= low:
        return torch.zeros_like(code, dtype=torch.int64)
    return ((code - low) / (high - low) * bins).long().clamp_max(bins - 1)


def entropy_of(a: Tensor, b: Tensor | None = None) -> Tensor:
    """Entropy in nats of N whole numbers, or of N pairs of them: log N - sum of n log n / N over the counts n."""
    cells = torch.bincount(a if b is None else a * (int(b.max()) + 1) + b).double()
    return math.log(len(a)) - torch.special.xlogy(cells, cells).sum() / len(a)
