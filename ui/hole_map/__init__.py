"""Maps of latent planes, coloured cell by cell: pointed at with the mouse, the spot is decoded in the browser."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from ui.addresses import png_address
from ui.browser import bundle, newest
from ui.sheet import Axis

_map = st.components.v2.component("hole_map", **bundle(Path(__file__).parent, "holes", decoder=True))


@dataclass(frozen=True)
class Legend:
    """What the colours mean: a bar of CSS colours from left to right with ticks as on an axis, or words alone."""

    name: str
    colours: Sequence[str] = ()
    ticks: Sequence[tuple[float, str]] = ()


@dataclass(frozen=True)
class Patch:
    """One plane: its cells as a PNG, what to say of each, and the codes drawn on it. All places in latent units."""

    title: str
    colour: str
    decoder: str  # id of a decoder pack
    png: bytes
    low: tuple[float, float]
    high: tuple[float, float]
    box: tuple[Sequence[float], Sequence[float]]  # low and high corner of the box around all codes
    draws: Sequence[Sequence[float]]
    radii: np.ndarray  # [n, n] distance to the nearest held-out code, in data radii
    confidence: np.ndarray | None  # [n, n] the classifier's largest probability
    seen: np.ndarray | None  # [n, n] the class that has it
    classes: Sequence[str]
    names: Sequence[tuple[float, float, str]]  # places in [0, 1] from the left and the top, and what to write there
    across: Axis
    up: Axis
    start: tuple[float, float]  # the spot to begin with

    def data(self) -> dict[str, Any]:
        """What the browser is told."""
        return {
            "title": self.title,
            "colour": self.colour,
            "decoder": self.decoder,
            "picture": png_address(self.png),
            "low": list(self.low),
            "high": list(self.high),
            "box": [[float(value) for value in corner] for corner in self.box],
            "draws": [[round(float(value), 4) for value in draw] for draw in self.draws],
            "side": len(self.radii),
            "radii": _packed(self.radii, "<f4"),
            "confidence": None if self.confidence is None else _packed(self.confidence, "<f4"),
            "seen": None if self.seen is None else _packed(self.seen, "u1"),
            "classes": list(self.classes),
            "names": [list(name) for name in self.names],
            "axes": [asdict(self.across), asdict(self.up)],
        }


def hole_map(
    patches: Sequence[Patch],
    legend: Legend,
    *,
    key: str,
    on_release: Callable[[], None] | None = None,
) -> list[list[float]]:
    """Show one or two planes; returns the spot [2] of each, in latent units, where the hand let go last."""
    spots = [[float(value) for value in patch.start] for patch in patches]
    data = {"patches": [patch.data() for patch in patches], "legend": asdict(legend), "spots": spots}
    told = _map(key=key, data=data, on_release_change=on_release or (lambda: None)).get("release")
    return newest(key, told, spots)


def _packed(values: np.ndarray, dtype: str) -> str:
    return base64.b64encode(np.ascontiguousarray(values, dtype=dtype).tobytes()).decode("ascii")
