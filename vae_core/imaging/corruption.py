"""Noise on pictures: the three kinds that a denoising autoencoder is trained to take away (Vincent et al. 2008, 2010).

Pure functions of the pictures and of draws that are handed in, so that whoever trains decides where the draws come
from. Pixels are in [0, 1]; noise is added to that scale, and nothing is clipped unless somebody asks for it.
"""

from __future__ import annotations

import math
from typing import Protocol

import torch
from torch import Tensor

from vae_core.errors import InvalidInput

GAUSSIAN, SALT_AND_PEPPER, MASKING = "gaussian", "salt-and-pepper", "masking"
KINDS = (GAUSSIAN, SALT_AND_PEPPER, MASKING)


class Draws(Protocol):
    """Where noise comes from: a Context (vae_core.objective)."""

    def normal(self, like: Tensor) -> Tensor: ...

    def uniform(self, shape: tuple[int, ...], like: Tensor) -> Tensor: ...


def add_gaussian(x: Tensor, sigma: float | Tensor, normal: Tensor) -> Tensor:
    """x + sigma n for standard normal n of the shape of x [B, C, H, W]; the result may leave [0, 1]."""
    return x + sigma * normal


def salt_and_pepper(x: Tensor, share: float | Tensor, uniform: Tensor) -> Tensor:
    """A share of the pixels of x [B, C, H, W] replaced, half of them by 1 and half by 0, all channels alike.

    `uniform` [B, 1, H, W] or [B, C, H, W] is from [0, 1).
    """
    replaced = (uniform < share / 2).to(x.dtype)  # 1 for salt
    return torch.where(uniform < share, replaced, x)


def masked(x: Tensor, share: float | Tensor, uniform: Tensor) -> Tensor:
    """A share of the pixels of x [B, C, H, W] set to 0, as `salt_and_pepper` takes them."""
    return x * (uniform >= share)


def corrupt(x: Tensor, kind: str, level: float | Tensor, draws: Draws, clip: bool = False) -> Tensor:
    """Pictures [B, C, H, W] in [0, 1] with one kind of noise; `level` is the standard deviation for "gaussian", else
    the share of pixels that are lost: one number, or a tensor [B, 1, 1, 1]. `clip` cuts the result off at [0, 1].

    Raises InvalidInput for an unknown kind, and for a level that is a number out of range.
    """
    if kind not in KINDS:
        raise InvalidInput(f"The kind of noise is {kind!r}; there are: {', '.join(KINDS)}.")
    if isinstance(level, float | int):
        top = math.inf if kind == GAUSSIAN else 1
        if not (math.isfinite(level) and 0 <= level <= top):
            allowed = "a finite number from 0" if kind == GAUSSIAN else "a share from 0 to 1"
            raise InvalidInput(f"The level of {kind} noise is {level!r}; allowed: {allowed}.")
    if kind == GAUSSIAN:
        noisy = add_gaussian(x, level, draws.normal(x))
    else:
        uniform = draws.uniform((len(x), 1, *x.shape[2:]), x)
        noisy = salt_and_pepper(x, level, uniform) if kind == SALT_AND_PEPPER else masked(x, level, uniform)
    return noisy.clamp(0, 1) if clip else noisy


def corrupt_each(
    x: Tensor, kinds: tuple[str, ...], levels: tuple[float, float], clipped: float, draws: Draws
) -> Tensor:  # fmt: skip
    """Each picture of [B, C, H, W] with a kind of noise of its own, drawn from `kinds`, and a level of its own, drawn
    from the range `levels`; a share `clipped` of them is cut off at [0, 1].

    The draws' shapes depend on no value, and nothing waits for the host: a recorded step can hold it.
    """
    kind, level, cut = draws.uniform((len(x), 3, 1, 1, 1), x).unbind(1)  # [B, 1, 1, 1] each
    level = levels[0] + (levels[1] - levels[0]) * level
    noisy = x
    for place, name in enumerate(kinds):
        noisy = torch.where(kind * len(kinds) >= place, corrupt(x, name, level, draws), noisy)
    return torch.where(cut < clipped, noisy.clamp(0, 1), noisy)
