"""One picture, large, in all the colours that a slider runs through; the frames lie ready, so it follows the hand."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from pathlib import Path

import streamlit as st
from torch import Tensor

from ui.browser import bundle, floats
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
    on_release: Callable[[], None],
) -> None:
    """Show the frame of pictures [N, 3, H, W] in [0, 1] where the hand is on an axis through the values [N], rising.

    It starts at frame `at`, and again so when other pictures or values come under the same key. Where a hand lets go,
    `on_release` finds the number of the frame in `st.session_state[key]["release"]["frame"]`.
    """
    data = {
        "frames": base64.b64encode(to_bytes(frames).numpy().tobytes()).decode("ascii"),
        "image": list(frames.shape[1:]),
        "values": floats(values),
        "axis": axis,
        "about": about,
        "at": at,
    }
    _strip(key=key, data=data, on_release_change=on_release)
