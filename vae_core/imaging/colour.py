"""Colours as eyes see them: sRGB to CIE L*a*b* and back (CIE 15:2004; sRGB by IEC 61966-2-1, white D65), in PyTorch.

L runs from 0, black, to 100, white. a is green below 0 and red above, b blue below and yellow above; both are 0 for
every grey, and on a screen neither goes beyond about 110.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from vae_core.errors import InvalidInput

TO_XYZ = ((0.412453, 0.357580, 0.180423), (0.212671, 0.715160, 0.072169), (0.019334, 0.119193, 0.950227))
WHITE = (0.95047, 1.0, 1.08883)  # X, Y, Z of the light D65, seen under 2 degrees
EPSILON, KAPPA = 0.008856, 7.787  # where the cube root gives way to a line, and how steep that is


def srgb_to_lab(x: Tensor) -> Tensor:
    """Pictures [B, 3, H, W] of sRGB in [0, 1] -> L, a and b [B, 3, H, W]."""
    _require_colours(x)
    x = x.float()
    linear = torch.where(x > 0.04045, ((x + 0.055) / 1.055).clamp_min(0) ** 2.4, x / 12.92)
    kept = _constants(str(x.device))
    xyz = _mixed(linear, kept.to_xyz) / kept.white
    f = torch.where(xyz > EPSILON, xyz.clamp_min(EPSILON) ** (1 / 3), KAPPA * xyz + 16 / 116)
    fx, fy, fz = f.unbind(1)
    return torch.stack([116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)], dim=1)


def lab_to_srgb(lab: Tensor) -> Tensor:
    """L, a and b [B, 3, H, W] -> pictures [B, 3, H, W] of sRGB; what no screen can show is cut off at [0, 1]."""
    _require_colours(lab)
    light, a, b = lab.float().unbind(1)
    fy = (light + 16) / 116
    f = torch.stack([fy + a / 500, fy, (fy - b / 200).clamp_min(0)], dim=1)
    kept = _constants(str(f.device))
    xyz = torch.where(f > 0.2068966, f**3, (f - 16 / 116) / KAPPA) * kept.white
    linear = _mixed(xyz, kept.from_xyz)
    bent = 1.055 * linear.clamp_min(0.0031308) ** (1 / 2.4) - 0.055
    return torch.where(linear > 0.0031308, bent, 12.92 * linear).clamp(0, 1)


def delta_e(one: Tensor, other: Tensor) -> Tensor:
    """How far two colours are apart, in each pixel of L, a, b [B, 3, H, W]: [B, H, W], CIE 1976, where about 2.3 is
    just noticed (Mahy, Van Eycken and Oosterlinck 1994)."""
    return (one - other).square().sum(1).sqrt()


def chroma(lab: Tensor) -> Tensor:
    """How far each pixel of L, a, b [B, 3, H, W] is from grey: [B, H, W]."""
    return lab[:, 1:].square().sum(1).sqrt()


class ColourError(NamedTuple):
    """How the colours of pictures miss those of the true ones, and how lively they are; means over pixels."""

    delta_e: Tensor  # [B], CIE 1976
    ab: Tensor  # [B], mean absolute difference of a and b
    chroma: Tensor  # [B], of the pictures themselves


def colour_error(made: Tensor, truth: Tensor) -> ColourError:
    """Pictures [B, 3, H, W] of sRGB against the true ones, in L, a, b."""
    one, other = srgb_to_lab(made), srgb_to_lab(truth)
    return ColourError(
        delta_e(one, other).mean((1, 2)), (one - other)[:, 1:].abs().mean((1, 2, 3)), chroma(one).mean((1, 2))
    )


class _Constants(NamedTuple):
    to_xyz: Tensor  # [3, 3]
    from_xyz: Tensor  # [3, 3]
    white: Tensor  # [3, 1, 1]


@cache
def _constants(device: str) -> _Constants:
    """What both ways need, in float32, kept on its device, for a recorded step must not copy from the host."""
    with torch.inference_mode(False):  # else whoever is first decides that no gradient ever passes through it
        matrix = torch.tensor(TO_XYZ, dtype=torch.float64)
        found = (matrix, torch.linalg.inv(matrix), torch.tensor(WHITE).view(3, 1, 1))
        return _Constants(*(each.float().to(device) for each in found))


def _mixed(x: Tensor, matrix: Tensor) -> Tensor:
    """Each pixel of [B, 3, H, W] times a matrix [3, 3]."""
    with torch.autocast(x.device.type, enabled=False):  # bfloat16 would move every colour by a visible bit
        return torch.einsum("ij,bjhw->bihw", matrix, x)


def _require_colours(x: Tensor) -> None:
    if x.ndim != 4 or x.shape[1] != 3:
        raise InvalidInput(f"Pictures of shape {tuple(x.shape)} have no three colours; they must be [B, 3, H, W].")
