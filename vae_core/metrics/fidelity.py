"""How near one picture is to another: PSNR in decibels, and SSIM (Wang, Bovik, Sheikh and Simoncelli 2004)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from vae_core.errors import InvalidInput

WINDOW = 7  # pixels, the side of the square in which SSIM compares
C1, C2 = 0.01**2, 0.03**2  # keep SSIM's quotients away from 0 / 0; for pixels of range 1


def _require_pairs(x: Tensor, y: Tensor) -> None:
    if x.shape != y.shape or x.ndim != 4:
        raise InvalidInput(
            f"Pictures of shape {tuple(x.shape)} cannot be compared with {tuple(y.shape)}; both must be [B, C, H, W]."
        )


def psnr(x: Tensor, y: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of each pair of pictures [B, C, H, W]: [B], decibels; infinite for equal pictures.

    The peak is 1, so this is -10 log10 of the mean squared error over C, H and W. Nothing is clipped here: what
    leaves [0, 1] counts as it is.
    """
    _require_pairs(x, y)
    return -10 * (x.double() - y.double()).square().mean((1, 2, 3)).log10()


def ssim(x: Tensor, y: Tensor, window: int = WINDOW) -> Tensor:
    """Structural similarity of each pair of pictures [B, C, H, W] of range 1: [B], 1 for equal pictures.

    Means, variances and covariances (unbiased) are taken in every square of `window` pixels that lies within the
    picture, all alike; the index is averaged over these squares, then over channels. That is what scikit-image's
    `structural_similarity` does by default with data_range=1.
    """
    _require_pairs(x, y)
    if window % 2 == 0 or not 3 <= window <= min(x.shape[-2:]):
        raise InvalidInput(f"A window of {window} pixels; allowed: odd, from 3 to the picture's shorter side.")
    a, b = x.double(), y.double()
    unbiased = window**2 / (window**2 - 1)
    moments = avg_pool2d(torch.cat([a, b, a * a, b * b, a * b]), window, stride=1)
    mean_a, mean_b, square_a, square_b, product = moments.chunk(5)
    var_a, var_b = unbiased * (square_a - mean_a**2), unbiased * (square_b - mean_b**2)
    covariance = unbiased * (product - mean_a * mean_b)
    alike = (2 * mean_a * mean_b + C1) * (2 * covariance + C2)
    return (alike / ((mean_a**2 + mean_b**2 + C1) * (var_a + var_b + C2))).mean((1, 2, 3))
