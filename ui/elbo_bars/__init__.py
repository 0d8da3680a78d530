"""q(z) under the hand: the Gaussian, the exact posterior, and log p(x) as ELBO plus KL, all computed in the browser."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

import streamlit as st
import torch

from ui.browser import bundle
from ui.figures import INACTIVE
from ui.palette import ACCENT, RUN_COLOURS
from vae_core.exact.curve import CurveModel, Gaussian1D

_bars = st.components.v2.component("elbo_bars", **bundle(Path(__file__).parent, "exact", "bars", shared=("panels",)))

REACH, NODES = 14.0, 2801  # of the grid, 0.01 apart: the narrowest q is six times as wide, the widest ends within it
MEAN, STD = 3.0, (0.06, 1.5)  # how far the mean of q may go, and its narrowest and widest
DATA = 4.0  # the data plane is shown, and x may go, from -4 to 4
COLOURS = {"q": ACCENT, "kl": RUN_COLOURS[1], "prior": RUN_COLOURS[3], "quiet": INACTIVE}


def elbo_bars(
    model: CurveModel,
    x: tuple[float, float],
    q: Gaussian1D,
    *,
    key: str,
    on_release: Callable[[], None] | None = None,
) -> None:
    """Show a model with one latent, a point x of its data plane and a Gaussian q over z, to be moved by hand or by
    gradient descent.

    Where a hand let go, st.session_state[key]["release"] holds "x" [2] and "q" (mean, std).
    """
    z = torch.linspace(-REACH, REACH, NODES, dtype=torch.float64)
    curve = model.decode(z).float().numpy()  # [N, 2]
    data = {
        "curve": base64.b64encode(curve.astype("<f4").tobytes()).decode("ascii"),
        "reach": REACH,
        "sigma": model.sigma,
        "x": [float(value) for value in x],
        "q": [q.mean, q.std],
        "bounds": {"mean": MEAN, "std": list(STD), "data": DATA},
        "colours": COLOURS,
    }
    _bars(key=key, data=data, on_release_change=on_release or (lambda: None))
