"""One latent and a plane of data, solved in the browser while a hand moves the code or the observation."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import streamlit as st

from ui.addresses import png_address
from ui.browser import bundle, newest
from ui.sheet import Axis

_plane = st.components.v2.component("curve_plane", **bundle(Path(__file__).parent, "drawing", "plane"))


@dataclass(frozen=True)
class Scene:
    """One model z -> f(z) -> x. Places in the units of z and of the plane; an axis holds places in [0, 1]."""

    sigma: float  # of x about f(z)
    grid: np.ndarray  # [N] evenly spaced z, over which the browser integrates
    curve: np.ndarray  # [N, 2] f(z)
    shown: tuple[float, float]  # ends of the z axis
    low: tuple[float, float]  # ends of the plane
    high: tuple[float, float]
    density: bytes  # PNG of p(x) over the plane
    tops: tuple[float, float]  # upper ends of both charts: densities over z, and prior times likelihood
    axes: Sequence[Axis]  # of the plane: across, up; of the charts: across, up, up


def curve_plane(
    scene: Scene, z: float, x: Sequence[float], *, key: str, on_release: Callable[[], None] | None = None
) -> tuple[float, list[float]]:
    """Show the scene with a code z and an observation x [2]; returns both as the hand left them."""
    start = [float(z), *(float(value) for value in x)]
    data = {
        "sigma": scene.sigma,
        "grid": _packed(scene.grid),
        "curve": _packed(scene.curve),
        "shown": list(scene.shown),
        "low": list(scene.low),
        "high": list(scene.high),
        "density": png_address(scene.density),
        "tops": list(scene.tops),
        "axes": [asdict(axis) for axis in scene.axes],
        "at": start,
    }
    told = _plane(key=key, data=data, on_release_change=on_release or (lambda: None)).get("release")
    at = newest(key, told, start)
    return float(at[0]), [float(value) for value in at[1:]]


def _packed(values: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(values, dtype="<f8").tobytes()).decode("ascii")
