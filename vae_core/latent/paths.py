"""Paths between latent codes, and how much the picture changes along them.

A path has T points, both ends included, so T - 1 steps. Codes may carry leading dimensions: codes [..., Z]
give paths [..., T, Z].
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from vae_core.errors import InvalidInput

NEARLY_PARALLEL = 1e-6  # sine of the angle below which two directions count as one line
MOST_POINTS = 10_000


def straight(a: Tensor, b: Tensor, points: int) -> Tensor:
    """The straight line (1 - t) a + t b, t from 0 to 1 in equal steps: [..., Z], [..., Z] -> [..., T, Z]."""
    a, b, t = ends(a, b, points)
    return (1 - t) * a + t * b


def spherical(a: Tensor, b: Tensor, points: int) -> Tensor:
    """The arc from a to b: [..., Z], [..., Z] -> [..., T, Z].

    The direction turns at a constant rate along the great circle (Shoemake 1985; for latent spaces White
    2016): with w the angle between the unit vectors u of a and v of b, it is

        sin((1 - t) w) / sin w * u + sin(t w) / sin w * v.

    The length goes linearly from |a| to |b|. For ends of equal length that is White's formula
    on a and b themselves; for unequal ones it is not, because that formula shoots far beyond both ends as w
    nears 180 degrees.

    Parallel ends, and an end at the origin (it has no direction): the straight line. Opposite ends: every
    great circle is as short as any other; ours passes through the axis on which a is smallest. With a single
    latent there is no way around the origin: the straight line.
    """
    start, end = a, b
    a, b, t = ends(a.double(), b.double(), points)
    length_a, length_b = a.norm(dim=-1, keepdim=True), b.norm(dim=-1, keepdim=True)  # [..., 1, 1]
    u, v = a / length_a.clamp_min(1e-30), b / length_b.clamp_min(1e-30)
    cosine = (u * v).sum(dim=-1, keepdim=True)
    across = v - cosine * u  # the part of v at right angles to u; its length is sin w
    sine = across.norm(dim=-1, keepdim=True)
    opposite = (sine < NEARLY_PARALLEL) & (cosine < 0)
    across = torch.where(opposite, right_angle(u), across)
    angle = torch.atan2(sine, cosine)  # exact also near 0 and 180 degrees, where arccos is not
    # cos(tw) u + sin(tw) across / |across| equals the formula above and never divides by sin w alone.
    across = across / across.norm(dim=-1, keepdim=True).clamp_min(1e-30)
    arc = (torch.cos(t * angle) * u + torch.sin(t * angle) * across) * ((1 - t) * length_a + t * length_b)
    one_line = (sine < NEARLY_PARALLEL) & ~opposite | (length_a == 0) | (length_b == 0)
    if a.shape[-1] == 1:
        one_line = torch.ones_like(one_line)
    path = torch.where(one_line, (1 - t) * a + t * b, arc).to(start)
    path[..., 0, :], path[..., -1, :] = start, end  # the ends are the ends, to the last bit
    return path


def right_angle(u: Tensor) -> Tensor:
    """The axis on which unit vectors u [..., Z] are smallest, less its part along u: at right angles to u."""
    axis = torch.nn.functional.one_hot(u.abs().argmin(dim=-1), u.shape[-1]).to(u)
    return axis - (axis * u).sum(dim=-1, keepdim=True) * u


def ends(a: Tensor, b: Tensor, points: int) -> tuple[Tensor, Tensor, Tensor]:
    """Checked ends [..., 1, Z] and the positions t [T, 1] along the path, all of one type on one device."""
    if a.shape != b.shape or a.ndim == 0:
        raise InvalidInput(f"A path cannot lead from shape {tuple(a.shape)} to {tuple(b.shape)}; both must be (Z,).")
    if not (a.isfinite().all() and b.isfinite().all()):
        raise InvalidInput("An end of the path is not finite; give two codes of ordinary numbers.")
    if not 2 <= points <= MOST_POINTS:
        raise InvalidInput(f"A path of {points} points was asked for; choose from 2 to {MOST_POINTS}.")
    return (
        a.unsqueeze(-2),
        b.unsqueeze(-2),
        torch.linspace(0, 1, points, dtype=a.dtype, device=a.device)[:, None],
    )


PATHS: dict[str, Callable[[Tensor, Tensor, int], Tensor]] = {"straight": straight, "spherical": spherical}


def blend(a: Tensor, b: Tensor, points: int) -> Tensor:
    """The pixel blend, which no model is needed for: images [C, H, W] -> [T, C, H, W]."""
    return straight(a.flatten(), b.flatten(), points).unflatten(-1, a.shape)


def corners_grid(top_left: Tensor, top_right: Tensor, bottom_left: Tensor, bottom_right: Tensor, n: int) -> Tensor:
    """Bilinear mixtures of four codes [Z]: [n * n, Z] in reading order, the four in the corners."""
    left, right = straight(top_left, bottom_left, n), straight(top_right, bottom_right, n)  # [n, Z] each
    return straight(left, right, n).flatten(0, 1)


def step_sizes(images: Tensor) -> Tensor:
    """The L2 change of the pixels at each step of a film: [..., T, C, H, W] -> [..., T - 1]."""
    if images.ndim < 4 or images.shape[-4] < 2:
        raise InvalidInput(f"Images of shape {tuple(images.shape)} have no steps; give (T, C, H, W) with T at least 2.")
    return images.diff(dim=-4).flatten(-3).norm(dim=-1)
