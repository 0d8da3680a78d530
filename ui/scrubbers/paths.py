"""Paths between codes: the film strips of two ends, and the square of four corners."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import streamlit as st

from ui.browser import bundle, floats, fraction, newest
from vae_core.errors import InvalidInput

HERE = Path(__file__).parent
_path = st.components.v2.component("latent_path", **bundle(HERE, "walks", "path", decoder=True))
_corners = st.components.v2.component("latent_corners", **bundle(HERE, "walks", "corners", decoder=True))

PATH_HINT = "Drag the slider or the strips to walk from A to B."
CORNERS_HINT = "Move over the square; click to keep a place."


@dataclass(frozen=True)
class Strip:
    """One film strip, from `a` to `b`.

    With a `decoder` (the id of a pack that was shipped) the ends are codes [Z] and every frame is a real
    decode. Without one the ends are images, uint8 [C, H, W], and the strip is their pixel blend.
    """

    title: str
    colour: str
    a: Sequence[float] | np.ndarray
    b: Sequence[float] | np.ndarray
    decoder: str | None = None

    def data(self) -> dict[str, Any]:
        """What the browser is told."""
        ends: dict[str, Any] = {"title": self.title, "colour": self.colour, "decoder": self.decoder}
        if self.decoder is not None:
            return {**ends, "a": floats(self.a), "b": floats(self.b)}
        start, end = np.asarray(self.a), np.asarray(self.b)
        if start.dtype != np.uint8 or end.dtype != np.uint8 or start.ndim != 3 or start.shape != end.shape:
            raise InvalidInput(
                f"A pixel blend got {start.dtype} {start.shape} and {end.dtype} {end.shape}; "
                "give two uint8 images of one shape (C, H, W)."
            )
        return {**ends, "image": list(start.shape), "start": _base64(start), "end": _base64(end)}


def path_view(
    strips: Sequence[Strip],
    *,
    key: str,
    steps: int = 11,
    t: float = 0.5,
    path: Literal["straight", "spherical"] = "straight",
    ends: tuple[str, str] = ("A", "B"),
    hint: str = PATH_HINT,
    on_release: Callable[[], None] | None = None,
) -> float:
    """Show the strips under one slider and return the position t in [0, 1] where the hand let go.

    `t` is where the view starts; another value than on the last run moves it there, and counts from then on.
    The spherical path is that of `vae_core.latent.paths`, which the browser repeats within float32's rounding.
    """
    data = {
        "strips": [strip.data() for strip in strips],
        "steps": steps,
        "t": fraction(t),
        "path": path,
        "ends": list(ends),
        "hint": hint,
    }
    told = _path(key=key, data=data, on_release_change=on_release or (lambda: None)).get("release")
    return fraction(newest(key, told, data["t"]))


def corner_grid(
    decoder: str,
    corners: Sequence[Sequence[float]] | np.ndarray,
    *,
    key: str,
    n: int = 9,
    at: tuple[float, float] = (0.5, 0.5),
    names: Sequence[str] = ("A", "B", "C", "D"),
    hint: str = CORNERS_HINT,
    on_release: Callable[[], None] | None = None,
) -> tuple[float, float]:
    """Show the n x n bilinear grid of four codes [4, Z] and return (right, down) in [0, 1] where the hand let go.

    The corners, and their names, go in reading order: top left, top right, bottom left, bottom right.
    """
    data = {
        "decoder": decoder,
        "corners": [floats(corner) for corner in corners],
        "n": n,
        "at": [fraction(at[0]), fraction(at[1])],
        "names": list(names),
        "hint": hint,
    }
    told = _corners(key=key, data=data, on_release_change=on_release or (lambda: None)).get("release")
    right, down = newest(key, told, data["at"])
    return fraction(right), fraction(down)


def _base64(pixels: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(pixels).tobytes()).decode("ascii")
