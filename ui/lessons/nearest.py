"""The Gaussians nearest to a posterior, as the lesson on variational inference shows them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import streamlit as st
import torch

from vae_core.exact.curve import CurveModel
from vae_core.exact.fits import Fits, diagonal_fit, gaussian_fits, kl_between


@st.cache_data(show_spinner=False, max_entries=256)
def fits(curve: str, sigma: float, x: tuple[float, float]) -> Fits:
    """The Gaussians nearest to p(z | x) of a model on a curve, in both directions of the KL."""
    return gaussian_fits(CurveModel(curve, sigma), torch.tensor(x, dtype=torch.float64))


class Tilted(NamedTuple):
    """A Gaussian in the plane, about 0, and how far it is from a correlated one in either direction, nats."""

    name: str
    covariance: np.ndarray  # [2, 2]
    reverse: float  # KL(q || p)
    forward: float  # KL(p || q)


def tilted(correlation: float) -> list[Tilted]:
    """A correlated Gaussian with widths 1, and the nearest ones: diagonal in both directions of the KL, and full."""
    p = torch.tensor([[1.0, correlation], [correlation, 1.0]], dtype=torch.float64)
    zero = torch.zeros(2, dtype=torch.float64)
    shown = {
        "p(z|x)": p,
        "least KL(q \u2016 p), diagonal": diagonal_fit(p, reverse=True),
        "least KL(p \u2016 q), diagonal": diagonal_fit(p, reverse=False),
        "full covariance": p,
    }
    return [
        Tilted(name, q.numpy(), abs(kl_between(zero, q, zero, p)), abs(kl_between(zero, p, zero, q)))
        for name, q in shown.items()
    ]
