"""The line that a decoder with one latent makes: a hand moves along it, and sees what was memorised on either side."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import streamlit as st

from ui.browser import bundle, floats

_line = st.components.v2.component("latent_line", **bundle(Path(__file__).parent, "line", decoder=True))

HINT = "Move along the line. A mark is a memorised image; the one on either side is shown beside the decoded picture."
MARGIN = 0.04  # of the line, beyond its first and last mark
FRAMES = 24


def line_view(
    decoder: str,
    codes: Sequence[float] | np.ndarray,
    pictures: np.ndarray,
    *,
    key: str,
    at: float | None = None,
    hint: str = HINT,
    on_release: Callable[[], None] | None = None,
) -> float | None:
    """Show the line of a decoder pack, with marks at the codes [N] of the memorised pictures uint8 [N, C, H, W].

    `at` is the code where the view starts; by default halfway between the first two marks. Returns the code where a
    hand let go, None before that.
    """
    order = np.argsort(np.asarray(codes, float))
    marks = np.asarray(codes, float)[order]
    room = MARGIN * max(float(marks[-1] - marks[0]), 1e-6)
    data = {
        "decoder": decoder,
        "marks": floats(marks),
        "numbers": [int(number) + 1 for number in order],
        "pictures": base64.b64encode(np.ascontiguousarray(pictures[order]).tobytes()).decode("ascii"),
        "image": list(pictures.shape[1:]),
        "ends": [float(marks[0]) - room, float(marks[-1]) + room],
        "at": float(marks[:2].mean()) if at is None else float(at),
        "frames": FRAMES,
        "hint": hint,
    }
    told = _line(key=key, data=data, on_release_change=on_release or (lambda: None)).get("release")
    return None if not told else float(told["at"])
