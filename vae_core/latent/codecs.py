"""JPEG and WebP of many small pictures: all on one sheet, so that a file's headers weigh next to nothing for each."""

from __future__ import annotations

import io
import math
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from vae_core.errors import InvalidInput
from vae_core.latent.grids import tile

FORMATS = ("JPEG", "WebP")
LOWEST = {"JPEG": 1, "WebP": 0}  # the coarsest quality that each knows
SMALLEST: dict[str, dict[str, Any]] = {  # what makes the smallest files of each
    "JPEG": {"optimize": True, "progressive": True},
    "WebP": {"method": 6},
}


class Setting(NamedTuple):
    """How a sheet becomes a file."""

    format: str  # one of FORMATS
    quality: int  # LOWEST to 100
    side: int | None = None  # height in pixels to which a picture is shrunk before; it is enlarged again afterwards


def sheet_file(images: Tensor, setting: Setting) -> bytes:
    """Grey pictures uint8 [N, 1, H, W] on one sheet, about as wide as high, as a file."""
    format, quality, side = setting
    if format not in FORMATS or not LOWEST[format] <= quality <= 100 or not (side is None or side > 0):
        allowed = "JPEG (quality 1 to 100) or WebP (0 to 100), pictures of 1 pixel or more"
        raise InvalidInput(f"A sheet was asked for as {tuple(setting)}; allowed: {allowed}.")
    sheet = Image.fromarray(tile(images, _columns(len(images)))[0].numpy())
    if side is not None:
        share = side / images.shape[-2]
        width, height = (max(1, round(share * length)) for length in sheet.size)
        sheet = sheet.resize((width, height), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    sheet.save(file, format, quality=quality, **SMALLEST[format])
    return file.getvalue()


def sheet_images(data: bytes, count: int, height: int, width: int) -> Tensor:
    """The pictures uint8 [count, 1, H, W] of such a file."""
    columns = _columns(count)
    rows = -(-count // columns)
    with Image.open(io.BytesIO(data)) as file:
        sheet = file.convert("L")
    if sheet.size != (columns * width, rows * height):
        sheet = sheet.resize((columns * width, rows * height), Image.Resampling.BICUBIC)
    pixels = torch.from_numpy(np.array(sheet)).reshape(rows, height, columns, width)
    return pixels.transpose(1, 2).reshape(-1, 1, height, width)[:count]


def jpeg_overhead(data: bytes) -> int:
    """The bytes of a JPEG file that are not image: markers, headers, and tables."""
    place, overhead = 0, 0
    while place < len(data):
        marker = data[place + 1]
        length = 2 if marker in (0xD8, 0xD9) else 2 + int.from_bytes(data[place + 2 : place + 4], "big")
        overhead += length
        place += length
        if marker == 0xDA:  # the image itself follows, until a marker that is neither stuffing nor a restart
            while data[place] != 0xFF or data[place + 1] == 0 or 0xD0 <= data[place + 1] <= 0xD7:
                place += 1
    return overhead


def _columns(count: int) -> int:
    return math.ceil(math.sqrt(count))
