"""Denoising without learning, on scikit-image: the median filter and non-local means (Buades, Coll and Morel 2005)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import conv2d

from vae_core.errors import InvalidInput

REACH = 6  # pixels each way in which non-local means looks for patches alike
SIZES = (3, 5, 7)  # of the median's window, to choose from
PATCHES = (3, 5, 7)  # of the patches' sides
STRENGTHS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.7)  # the cut-off distance h, in units of a pixel's range


def noise_level(x: Tensor) -> Tensor:
    """The standard deviation of Gaussian noise in pictures [B, C, H, W], estimated from themselves: [B].

    Differences of second differences (Immerkaer 1996) take the picture out and leave 6 sigma of noise; the median of
    their size, in place of the mean, hears little of edges. What was clipped at a black ground seems less noisy.
    """
    mask = torch.tensor([[1.0, -2, 1], [-2, 4, -2], [1, -2, 1]], dtype=x.dtype, device=x.device)
    left = conv2d(x.flatten(0, 1)[:, None], mask[None, None]).view(len(x), -1)
    return left.abs().median(1).values / (6 * 0.67449)  # the median of |n| for standard normal n


def median(x: Tensor, size: int) -> Tensor:
    """Every pixel of [B, C, H, W] replaced by the median of the `size` x `size` pixels around it, clipped to [0, 1]."""
    from skimage.filters import median as filtered

    if size not in SIZES:
        raise InvalidInput(f"A median of {size} pixels; allowed: {', '.join(map(str, SIZES))}.")
    window = np.ones((1, 1, size, size), dtype=bool)
    return torch.from_numpy(filtered(x.numpy(), window, behavior="ndimage")).clamp(0, 1)


def non_local_means(x: Tensor, patch: int, strength: float) -> Tensor:
    """Every pixel of [B, C, H, W] replaced by a mean over pixels whose surroundings look alike, clipped to [0, 1].

    Patches of `patch` pixels, looked for `REACH` pixels each way; scikit-image's fast mode, in which all pixels of a
    patch count alike. The noise, whose share in the distance of two patches is taken off, is estimated from each
    picture; `strength` is the cut-off distance h.
    """
    from skimage.restoration import denoise_nl_means

    alone = x.shape[1] == 1
    cleaned = [
        denoise_nl_means(
            picture[0] if alone else picture, patch_size=patch, patch_distance=REACH, h=strength, sigma=sigma,
            fast_mode=True, channel_axis=None if alone else 0,
        )
        for picture, sigma in zip(x.numpy(), noise_level(x).tolist(), strict=True)
    ]  # fmt: skip
    return torch.from_numpy(np.stack(cleaned)).to(x).view(x.shape).clamp(0, 1)
