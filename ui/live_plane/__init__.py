"""A training as a film in the browser: the plane of the same held-out images, frame by frame, with its pictures.

The frames come in packs of ten (`vae_core.latent.browser.pack_frames`, sent by `ship`); while a training goes on,
only the last pack is sent again. Python hears of a frame when the hand lets go of the slider.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from ui.browser import bundle
from ui.palette import CLASS_COLOURS

_live = st.components.v2.component(
    "live_plane", **bundle(Path(__file__).parent, "cloud", "strip", "live", shared=("view", "draw"), decoder=True)
)


@dataclass(frozen=True)
class LiveFilm:
    """What the browser is told of a training; everything heavy is in the packs."""

    film: str  # which training, along which axes: another one starts from its own frames
    title: str
    packs: Sequence[str]  # ids of frames packs, in order
    steps: int  # of the whole training
    epochs: int
    axes: tuple[int, int]
    classes: Sequence[str]
    pairs: int  # held-out images in a frame, and as many reconstructions
    draws: int  # samples in a frame
    prior: bool  # whether there is a standard normal prior to draw the circles of
    samples: str  # what the samples are, in words
    note: str  # what is drawn on the plane, in words
    running: bool
    notice: str = ""  # instead of the dots, while there is no frame


def live_plane(
    film: LiveFilm, *, key: str, at: int | None = None, on_release: Callable[[], None] | None = None
) -> dict[str, Any] | None:
    """Show a training. `at` is the step to stand at, None for the newest; returns what the hand chose last, as
    {"at": step or None}, None before the first time."""
    data = asdict(film) | {"colours": list(CLASS_COLOURS), "at": at}
    return _live(key=key, data=data, on_release_change=on_release or (lambda: None)).get("release")
