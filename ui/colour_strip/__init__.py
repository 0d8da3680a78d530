"""One picture, large, in all the colours that a slider runs through; the frames lie ready, so it follows the hand."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from pathlib import Path

import streamlit as st
from torch import Tensor

from ui.scrubbers.sources import bundle, floats
from vae_core.latent.pictures import to_bytes

_strip = st.components.v2.component("colour_strip", **bundle(Path(__file__).parent, "strip", decoder=True))


def colour_strip(
    frames: Tensor,
    values: Sequence[float],
    *,
    key: str,
    axis: str,
    about: str,
    at: int,
    on_release: Callable[[], None] | None = None,
) -> int | None:
    """Show the frame of pictures [N, 3, H, W] in [0, 1] where the hand is on an axis through the values [N], rising.

    It starts at frame `at`. Returns the number of the frame where a hand let go, None before that; a caller whose
    pictures or values have changed gives the view another key.
    """
    data = {
        "frames": base64.b64encode(to_bytes(frames).numpy().tobytes()).decode("ascii"),
        "image": list(frames.shape[1:]),
        "values": floats(values),
        "axis": axis,
        "about": about,
        "at": at,
    }
    told = _strip(key=key, data=data, on_release_change=on_release or (lambda: None)).get("release")
    return int(told["frame"]) if told and 0 <= told["frame"] < len(values) else None
