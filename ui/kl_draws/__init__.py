"""A Gaussian q under the hand, and its KL to the prior: by the formula, and from draws, all in the browser."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

import streamlit as st
from torch import Tensor

from ui.browser import bundle
from ui.figures import INACTIVE
from ui.palette import RUN_COLOURS
from vae_core.exact.kl import ESTIMATORS

MEAN, WIDTH = 3.0, (0.05, 2.0)  # how far the mean of q may go, and its narrowest and widest
COLOURS = dict(zip(ESTIMATORS, RUN_COLOURS, strict=False))

_view = st.components.v2.component(
    "kl_draws", **bundle(Path(__file__).parent, "estimates", "draws", shared=("panels",))
)


def kl_draws(
    noise: Tensor, draws: int, q: tuple[float, float], *, key: str, on_release: Callable[[], None] | None = None
) -> None:
    """Show q (mean, width) over the prior with its first `draws` draws, and every estimator's running mean over all
    standard normal draws `noise` [N].

    Where a hand let go, st.session_state[key]["release"] holds "q" (mean, width).
    """
    data = {
        "noise": base64.b64encode(noise.float().numpy().astype("<f4").tobytes()).decode("ascii"),
        "draws": draws,
        "q": list(q),
        "bounds": {"mean": MEAN, "width": list(WIDTH)},
        "names": list(ESTIMATORS),
        "colours": [*COLOURS.values()],
        "quiet": INACTIVE,
    }
    _view(key=key, data=data, on_release_change=on_release or (lambda: None))
