"""A pad on which a student draws a digit; the browser turns the ink into the picture that a model sees."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import streamlit as st

from ui.browser import bundle

HERE = Path(__file__).parent
_pad = st.components.v2.component("latent_draw_pad", **bundle(HERE, "raster", "draw_pad"))


def draw_pad(
    *,
    key: str,
    size: int = 28,
    centre: Literal["mnist", "none"] = "mnist",
    label: str = "Draw a digit with the mouse, a pen or a finger.",
    on_change: Callable[[], None] | None = None,
) -> np.ndarray | None:
    """Show the pad and return the drawing, white ink on black, as uint8 [size, size]; None while it is empty.

    `centre="mnist"` prepares the ink as MNIST's makers did (LeCun et al. 1998): cropped, scaled with
    anti-aliasing into a 20 x 20 box, its centre of mass put in the middle of 28 x 28; `"none"` only shrinks
    the pad. Python hears of a drawing when a stroke ends, never when the page is shown.
    """
    state = _pad(
        key=key,
        data={"size": size, "centre": centre, "label": label},
        on_drawing_change=on_change or (lambda: None),
    )
    return read_drawing(state.get("drawing"), size)


def read_drawing(value: object, size: int) -> np.ndarray | None:
    """Base64 of size * size bytes -> uint8 [size, size]; None for an empty drawing or anything else."""
    if not isinstance(value, str):
        return None
    try:
        pixels = np.frombuffer(base64.b64decode(value, validate=True), dtype=np.uint8)
    except (binascii.Error, ValueError):
        return None
    return pixels.reshape(size, size) if pixels.size == size * size and pixels.any() else None
