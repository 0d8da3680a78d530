"""One code through every class: a hand moves it over the plane of styles, and a decoder draws each class."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from ui.browser import bundle, floats, newest
from ui.palette import CLASS_COLOURS

_plane = st.components.v2.component("style_plane", **bundle(Path(__file__).parent, "styles", decoder=True))

REACH = 3.2  # latent units that the plane shows each way; 99.7% of the prior lie within
DECIMALS = 3  # of a place; the link keeps four digits, which below 10 are as many


@dataclass(frozen=True)
class Styles:
    """What the browser is told; the weights come in a pack of their own."""

    decoder: str  # id of the decoder's pack, whose input is a code [Z] with the class as a one-hot vector behind it
    classes: Sequence[str]
    anchor: Sequence[float] | np.ndarray  # [Z] where the latents stand that are not on the axes
    axes: tuple[int, int]  # the two latents that span the plane
    codes: np.ndarray  # [N, 2] codes of images along these axes, as dots
    labels: np.ndarray  # [N] uint8

    def data(self) -> dict[str, Any]:
        dots = np.ascontiguousarray(self.codes, "<f4").tobytes()
        return {
            "decoder": self.decoder,
            "classes": list(self.classes),
            "anchor": [round(value, 4) for value in floats(self.anchor)],
            "axes": list(self.axes),
            "dots": base64.b64encode(dots).decode("ascii"),
            "labels": base64.b64encode(np.ascontiguousarray(self.labels, "u1").tobytes()).decode("ascii"),
            "colours": list(CLASS_COLOURS),
            "reach": REACH,
        }


def style_plane(
    styles: Styles, *, key: str, at: Sequence[float], on_release: Callable[[], None] | None = None
) -> list[float]:
    """Show the plane; returns the place [2] on it, in latent units, where the hand let go last."""
    place = [round(value, DECIMALS) for value in floats(at)]
    told = _plane(key=key, data=styles.data() | {"at": place}, on_release_change=on_release or (lambda: None))
    return newest(key, told.get("release"), place)
