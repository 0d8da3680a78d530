"""Pictures changed at random, anew at every step: what the model is to learn to overlook.

Everything happens on the device of the pictures, in shapes that depend on no value: nothing waits for the host, and
a recorded step (a CUDA graph) can hold it.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def augment(
    x: Tensor,
    uniform: Callable[[tuple[int, ...]], Tensor],
    *,
    binarise: bool = False,
    shift: int = 0,
    flip: bool = False,
) -> Tensor:
    """Pictures [B, C, H, W] in [0, 1], changed; each picture has draws of its own.

    `uniform(shape)` gives float32 noise from [0, 1) of a shape [B, ...] on the device of `x`. It is asked for
    [B, 2] where pictures shift, then for [B] where they flip, then for [B, C, H, W] where they are binarised; what
    is switched off draws nothing. The last comes last: each pixel is drawn as 1 with its grey value as probability
    (dynamic binarisation, Salakhutdinov and Murray 2008).
    """
    if shift or flip:
        x = _moved(x, uniform, shift, flip)
    return (uniform(tuple(x.shape)) < x).to(x.dtype) if binarise else x


def _moved(x: Tensor, uniform: Callable[[tuple[int, ...]], Tensor], shift: int, flip: bool) -> Tensor:
    """Each picture moved by up to `shift` whole pixels down and across, zeros coming in, then mirrored left to right
    or not; both in one gather."""
    batch, channels, height, width = x.shape
    by = torch.zeros(batch, 2, dtype=torch.long, device=x.device)  # down, to the right
    if shift:
        by = (uniform((batch, 2)) * (2 * shift + 1)).long() - shift
    columns = torch.arange(width, device=x.device).expand(batch, width)
    if flip:
        columns = torch.where(uniform((batch,))[:, None] < 0.5, width - 1 - columns, columns)
    rows, columns = torch.arange(height, device=x.device) - by[:, :1], columns - by[:, 1:]  # where a pixel comes from
    inside = ((rows >= 0) & (rows < height))[:, :, None] & ((columns >= 0) & (columns < width))[:, None]
    origin = rows.clamp(0, height - 1)[:, :, None] * width + columns.clamp(0, width - 1)[:, None]
    index = origin.view(batch, 1, height * width).expand(-1, channels, -1)
    return x.flatten(2).gather(2, index).view(x.shape) * inside[:, None]
