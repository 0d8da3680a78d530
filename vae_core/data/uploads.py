"""A picture of somebody's own, prepared so that a model trained on a dataset can take it."""

from __future__ import annotations

import io
import warnings
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, interpolate

from vae_core.errors import InvalidInput

MOST_PIXELS = 40_000_000
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")  # no format that runs a program to be read
INK = 0.2  # a pixel above this share of full white counts as drawn


class Upload(NamedTuple):
    picture: Tensor  # [C, H, W] in [0, 1]; of a drawing light ink on black, as the datasets have it
    notes: tuple[str, ...]  # what was changed to make it fit, in sentences


def read_picture(content: bytes, side: int, box: int | None) -> Upload:
    """Turn the bytes of an image file into a grey square picture of `side` pixels.

    Dark ink on light paper is inverted. With `box`, what is drawn is cut out, scaled into that many pixels
    and centred by its centre of mass, as MNIST's makers did (LeCun et al. 1998); without, the whole picture
    is used. Raises InvalidInput for anything that is no still picture, too large, or blank.
    """
    grey, notes = _read_grey(content)
    border = torch.cat([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    if border.median() > 0.5:
        grey = 1 - grey
        notes.append("It has light paper, so it was inverted: the model knows light shapes on black.")
    if grey.max() < INK:
        raise InvalidInput("The picture is blank; draw or choose one with a clear shape on a plain ground.")
    picture = _centred(grey, side, box) if box else _squared(grey, side)
    return Upload(picture.clamp(0, 1)[None], tuple(notes))


def read_photograph(content: bytes, side: int) -> Upload:
    """Turn the bytes of an image file into a square colour picture [3, side, side]: its middle, averaged over areas.

    Raises InvalidInput for anything that is no still picture, too large, or smaller than `side`.
    """
    image, notes = _opened(content)
    if min(image.size) < side:
        raise InvalidInput(
            f"The picture is {image.width} x {image.height} pixels; it must be at least {side} x {side}, or there is "
            "nothing to make small."
        )
    if image.width != image.height:
        notes.append(f"The middle square of its {image.width} x {image.height} pixels was taken.")
    notes.append(f"It was made {side} x {side} pixels large, as the model's own data are.")
    if image.mode == "F":
        image = Image.fromarray(np.uint8(255 * np.asarray(image)))
    square = ImageOps.fit(image.convert("RGB"), (side, side), Image.Resampling.BOX)
    pixels = torch.from_numpy(np.array(square)).permute(2, 0, 1)
    return Upload(pixels.float() / 255, tuple(notes))


def _read_grey(content: bytes) -> tuple[Tensor, list[str]]:
    """The pixels [H, W] in [0, 1], and what had to be done for that."""
    image, notes = _opened(content)
    if image.mode == "F":
        return torch.from_numpy(np.array(image)), notes
    pixels = torch.from_numpy(np.array(image.convert("L")))
    return pixels.float() / 255, notes


def _opened(content: bytes) -> tuple[Image.Image, list[str]]:
    """A still picture of 8 bits, or one of mode F in [0, 1], and what had to be done for that."""
    notes: list[str] = []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit comes next
            image: Image.Image = Image.open(io.BytesIO(content), formats=FORMATS)
        if image.width * image.height > MOST_PIXELS:
            raise InvalidInput(
                f"The picture has {image.width * image.height / 1e6:.0f} megapixels; at most "
                f"{MOST_PIXELS // 1_000_000} are read. Scale it down first."
            )
        # MPO is how some phones save a photo: a JPEG whose further frames are previews.
        if (frames := getattr(image, "n_frames", 1)) > 1 and image.format != "MPO":
            raise InvalidInput(f"The file has {frames} frames; choose a still picture.")
        image = ImageOps.exif_transpose(image)  # phones save photos lying down, and a note which way is up
        if image.mode.startswith("I") or image.mode == "F":
            notes.append("Its grey levels (more than 8 bits) were scaled from darkest to lightest.")
            return _stretched(image), notes
        if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
            notes.append("Its transparent parts were taken for white paper.")
            image = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        image.load()
    except InvalidInput:
        raise
    except Exception as error:  # decoders meet a damaged file with whatever error comes first
        raise InvalidInput(
            "The file is no picture that can be read (or it is damaged); choose a PNG, JPEG or WebP."
        ) from error
    return image, notes


def _stretched(image: Image.Image) -> Image.Image:
    """A picture of whole or real numbers, scaled from its darkest to its lightest, 0 to 1; a flat one is all 0."""
    values = np.array(image, dtype=np.float64)  # in which no difference of two is too large or too small
    if not np.isfinite(values).all():
        raise InvalidInput("Some pixels of the picture are no numbers (NaN or infinite); save it as PNG and try again.")
    values -= values.min()
    values /= values.max() or 1.0
    return Image.fromarray(values.astype(np.float32))


def _squared(grey: Tensor, side: int) -> Tensor:
    """All of [H, W], its longer side scaled to `side`, on black [side, side]."""
    longer = max(grey.shape)
    height, width = (max(1, round(length * side / longer)) for length in grey.shape)
    square = grey.new_zeros(side, side)
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width] = adaptive_avg_pool2d(grey[None], (height, width))[0]
    return square


def _centred(grey: Tensor, side: int, box: int) -> Tensor:
    """What is drawn in [H, W], scaled into box x box, its centre of mass in the middle of [side, side]."""
    rows, columns = (grey > INK).any(1).nonzero(), (grey > INK).any(0).nonzero()
    ink = grey[rows[0, 0] : rows[-1, 0] + 1, columns[0, 0] : columns[-1, 0] + 1]
    scale = box / max(ink.shape)
    size = (max(1, round(ink.shape[0] * scale)), max(1, round(ink.shape[1] * scale)))
    if scale < 1:
        small = adaptive_avg_pool2d(ink[None], size)[0]
    else:
        small = interpolate(ink[None, None], size=size, mode="bilinear", align_corners=False)[0, 0]
    small = small / small.max()
    across = torch.arange(size[1]) + 0.5
    down = torch.arange(size[0]) + 0.5
    top = round(side / 2 - float((small.sum(1) * down).sum() / small.sum()))
    left = round(side / 2 - float((small.sum(0) * across).sum() / small.sum()))
    top, left = min(max(top, 0), side - size[0]), min(max(left, 0), side - size[1])
    placed = grey.new_zeros(side, side)
    placed[top : top + size[0], left : left + size[1]] = small
    return placed
