"""Pictures to keep: decoded images as PNG files, films as GIF files."""

from __future__ import annotations

import io
from collections.abc import Sequence

import torch
from PIL import Image
from torch import Tensor

from vae_core.errors import InvalidInput

LARGEST_PIXELS = 2**24  # of one picture
MOST_FRAMES = 1000


def to_bytes(pixels: Tensor) -> Tensor:
    """Pixels in [0, 1] as uint8, rounded to the nearest; uint8 pixels stay what they are."""
    if pixels.dtype == torch.uint8:
        return pixels
    if not pixels.isfinite().all():
        raise InvalidInput("The picture holds pixels that are not finite; pixels must lie between 0 and 1.")
    return (pixels.clamp(0, 1) * 255).round().to(torch.uint8)


def enlarge(images: Tensor, factor: int) -> Tensor:
    """Every pixel as a square of factor x factor, nothing smoothed: [..., H, W] -> [..., factor H, factor W]."""
    return images.repeat_interleave(factor, dim=-2).repeat_interleave(factor, dim=-1)


def side_by_side(parts: Sequence[Tensor], gap: int, paper: float = 1.0) -> Tensor:
    """Pictures [..., H, W] of one shape in a row, `gap` columns of paper between them: [..., H, all W]."""
    first = parts[0]
    space = first.new_full((*first.shape[:-1], gap), 255 if first.dtype == torch.uint8 else paper)
    return torch.cat([piece for part in parts for piece in (space, part)][1:], dim=-1)


def png(image: Tensor) -> bytes:
    """One picture [C, H, W], grey or RGB, as a PNG file."""
    file = io.BytesIO()
    _picture(image).save(file, "png", compress_level=3)
    return file.getvalue()


def gif(frames: Tensor, seconds: float = 4.0, there_and_back: bool = True) -> bytes:
    """Frames [T, C, H, W] as a GIF film that repeats for ever; `seconds` is the way there.

    There and back, the film has no jump from the last frame to the first. GIF counts time in hundredths of a
    second, and browsers slow down frames of less than two.
    """
    if not 2 <= len(frames) <= MOST_FRAMES:
        raise InvalidInput(f"A film of {len(frames)} frames was asked for; give 2 to {MOST_FRAMES}.")
    if there_and_back:
        frames = torch.cat([frames, frames[1:-1].flip(0)])
        seconds = 2 * seconds
    first, *others = [_picture(frame) for frame in frames]
    duration = max(20, round(100 * seconds / len(frames)) * 10)  # milliseconds a frame
    file = io.BytesIO()
    first.save(file, "gif", save_all=True, append_images=others, duration=duration, loop=0)
    return file.getvalue()


def _picture(image: Tensor) -> Image.Image:
    if image.ndim != 3 or image.shape[0] not in (1, 3) or not 0 < image[0].numel() <= LARGEST_PIXELS:
        raise InvalidInput(
            f"A picture has the shape (1 or 3, height, width) and at most {LARGEST_PIXELS:,} pixels; "
            f"{tuple(image.shape)} arrived."
        )
    pixels = to_bytes(image).cpu()
    return Image.fromarray(pixels[0].numpy() if len(pixels) == 1 else pixels.permute(1, 2, 0).contiguous().numpy())
