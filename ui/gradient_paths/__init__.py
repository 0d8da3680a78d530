"""Gaussians that look for a point, side by side in the browser: one plane for each estimate of the gradient.

The numbers come from Python; the browser only plays them, step by step or in slow motion. Python hears of a step when
the playing pauses or the slider is let go, and of a place on a plane when it is clicked: there the descent is to begin.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from ui.browser import bundle

_paths = st.components.v2.component("gradient_paths", **bundle(Path(__file__).parent, "plane", "paths"))

SHOWN = 16  # draws on a plane
ARROW = 0.05  # plane units for a gradient of length 1
HINT = (
    "Dots: draws. Arrows: the way down that each draw alone would take. Click a plane to start from there, or choose "
    "the place with arrow keys and Enter."
)


@dataclass(frozen=True)
class Walker:
    """One estimator's way; T steps, K draws, all in plane units."""

    name: str
    title: str
    words: str  # how its arrows are to be read
    colour: str
    from_draws: bool  # whether an arrow begins at its draw, or at the mean
    means: np.ndarray  # [T + 1, 2]
    sigmas: np.ndarray  # [T + 1, 2]
    gradients: np.ndarray  # [T + 1, K, 2]
    lost: int | None  # the step at which it was given up
    cause: str | None  # for its "mean" or its "width"

    def data(self) -> dict[str, Any]:
        """What the browser is told."""
        return {
            "name": self.name, "title": self.title, "words": self.words, "colour": self.colour,
            "fromDraws": self.from_draws, "lost": self.lost, "cause": self.cause,
            "means": _packed(self.means), "sigmas": _packed(self.sigmas),
            "gradients": _packed(self.gradients[:, :SHOWN]),
        }  # fmt: skip


@dataclass(frozen=True)
class Plane:
    """What all the planes share."""

    target: tuple[float, float]
    window: tuple[float, float]  # of both coordinates
    rings: Sequence[float]  # losses of a point whose contours are drawn
    target_colour: str
    limit: float  # a mean or a width beyond it, or a width below one over it, was given up
    prior: bool = False  # whether the mean is also drawn to 0


def gradient_paths(
    walkers: Sequence[Walker],
    noise: np.ndarray,
    plane: Plane,
    *,
    key: str,
    at: int = 0,
    on_release: Callable[[], None] | None = None,
) -> dict[str, Any] | None:
    """Show the ways of several estimators on the same noise [T + 1, K, 2], at step `at`.

    Returns what a hand chose last: {"at": step, "start": the clicked place [2] or None}; None before the first time.
    """
    data = {
        "walkers": [walker.data() for walker in walkers],
        "noise": _packed(noise[:, :SHOWN]),
        "shown": min(SHOWN, noise.shape[1]),
        "steps": len(noise) - 1,
        "target": list(plane.target),
        "targetColour": plane.target_colour,
        "window": list(plane.window),
        "rings": list(plane.rings),
        "limit": plane.limit,
        "prior": plane.prior,
        "arrow": ARROW,
        "hint": HINT,
        "at": at,
    }
    return _paths(key=key, data=data, on_release_change=on_release or (lambda: None)).get("release")


def _packed(values: np.ndarray) -> str:
    """Numbers as base64 of float32, row by row."""
    return base64.b64encode(np.ascontiguousarray(values, dtype="<f4").tobytes()).decode("ascii")
