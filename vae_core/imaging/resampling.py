"""Pictures made smaller and larger, without a network: the filters of Pillow and PyTorch, as matrices.

Such a filter weighs rows and columns apart, and each in the same way for every picture: so what it makes of a picture
X is A X A^T, and A is what it makes of the unit matrix. In this form a whole batch is resampled at once, on any
device, without rounding in between.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from vae_core.errors import InvalidInput

NEAREST, BICUBIC, SHARP_BICUBIC, LANCZOS, AREA = "nearest", "bicubic", "sharp bicubic", "lanczos", "area"
OF_PILLOW = {
    NEAREST: Image.Resampling.NEAREST,
    BICUBIC: Image.Resampling.BICUBIC,  # Keys (1981), a = -0.5
    LANCZOS: Image.Resampling.LANCZOS,  # three lobes each way (Duchon 1979)
    AREA: Image.Resampling.BOX,  # the mean of the pixels that a larger one covers
}
FILTERS = (*OF_PILLOW, SHARP_BICUBIC)  # the last from PyTorch: Keys (1981), a = -0.75; it does not smooth
INTERPOLATORS = {"nearest": NEAREST, "bicubic": SHARP_BICUBIC, "lanczos": LANCZOS}  # what a network stands beside


@lru_cache(maxsize=256)
def weights(name: str, before: int, after: int, device: str = "cpu") -> Tensor:
    """The matrix [after, before] that takes a line of pixels to one of another length; every row adds up to 1. Kept
    on its device, for a recorded step must not copy from the host.

    Raises InvalidInput for a filter that is not in FILTERS, or for a length below 1.
    """
    if name not in FILTERS or before < 1 or after < 1:
        raise InvalidInput(
            f"{before} pixels cannot become {after} by {name!r}; lengths are from 1, filters: {', '.join(FILTERS)}."
        )
    with torch.inference_mode(False):  # else whoever is first decides that no gradient ever passes through it
        if name == SHARP_BICUBIC:
            unit = torch.eye(before)[None, None]
            return interpolate(unit, size=(after, before), mode="bicubic")[0, 0].to(device)
        image = Image.fromarray(np.eye(before, dtype=np.float32))  # [before, before]
        return torch.from_numpy(np.array(image.resize((before, after), OF_PILLOW[name]))).to(device)


def resized(x: Tensor, height: int, width: int, name: str) -> Tensor:
    """Pictures [B, C, H, W] resampled to [B, C, height, width], in float32; a filter with negative weights may leave
    [0, 1]. A picture that is made smaller is smoothed by as much (antialiased), except by "nearest"
    and "sharp bicubic"."""
    rows, columns = (weights(name, *sides, str(x.device)) for sides in zip(x.shape[-2:], (height, width), strict=True))
    with torch.autocast(x.device.type, enabled=False):  # bfloat16 would keep 8 bits of it
        return rows @ x.float() @ columns.T


def eight_bits(x: Tensor) -> Tensor:
    """Pixels cut off at [0, 1] and rounded as in a file of 8 bits a channel: multiples of 1/255."""
    return (x.clamp(0, 1) * 255).round() / 255


def reduced(x: Tensor, factor: int, name: str = AREA) -> Tensor:
    """Pictures [B, C, H, W] made `factor` times smaller each way, of 8 bits: what one would find in a file.

    Raises InvalidInput where the sides are no multiples of the factor.
    """
    height, width = x.shape[-2:]
    if factor < 1 or height % factor or width % factor:
        raise InvalidInput(
            f"A picture of {height} x {width} cannot be made {factor} times smaller; choose a factor that divides both."
        )
    return eight_bits(resized(x, height // factor, width // factor, name))


def enlarged(small: Tensor, factor: int, name: str) -> Tensor:
    """Pictures [B, C, h, w] made `factor` times larger each way by a filter: [B, C, h factor, w factor] in [0, 1]."""
    return resized(small, small.shape[-2] * factor, small.shape[-1] * factor, name).clamp(0, 1)


def interpolated(small: Tensor, factor: int) -> dict[str, Tensor]:
    """Small pictures [B, C, h, w] enlarged by every filter of INTERPOLATORS: [B, C, h factor, w factor], 8 bits."""
    return {name: eight_bits(enlarged(small, factor, filter)) for name, filter in INTERPOLATORS.items()}
