"""What the lesson on disentanglement keeps: which models there are, what their latents know, and scores over seeds."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import streamlit as st
import torch
from torch import Tensor

from ui import cache
from ui.lessons import read_results, scores
from vae_core.data.sprites import FACTORS, SIZES, centred_sprites
from vae_core.errors import InvalidInput
from vae_core.folders import ASSETS
from vae_core.latent import traverse
from vae_core.latent.traversals import order_by_kl
from vae_core.metrics.active_latents import THRESHOLD
from vae_core.metrics.disentanglement import Drift, drift
from vae_core.recipes import RECIPES
from vae_core.recipes.disentanglement import longer

DATA, LONGER = "sprites", "β-VAE, longer"
RESULTS = ASSETS / "results" / "disentanglement.json"
REMEDY = "Make it again: `python -m benchmarks.disentanglement RUNS --train --write`."
STEPS, REACH = 11, 2.0  # pictures of a row, and how far it goes from 0 to each side


class Method(NamedTuple):
    """One objective: the bundled model that it led to (of seed 0), and what it adds up."""

    model: str
    objective: str  # in KaTeX


def _weights(name: str) -> tuple[float, float]:
    """beta, or what stands for it, and the extra weight of the total correlation."""
    settings = RECIPES[name].settings
    return settings.get("beta", 1.0), settings.get("tc", 0.0)


def methods() -> dict[str, Method]:
    """Every objective, in the order of the lesson."""
    beta, gamma = _weights("sprites-apart-beta")[0], _weights("sprites-apart-capacity")[0]
    tc, factor = _weights("sprites-apart-tc")[1], _weights("sprites-apart-factor")[1]
    target = RECIPES["sprites-apart-capacity"].training.capacity
    return {
        "VAE": Method("sprites-plain", r"R + \mathrm{KL}"),
        "β-VAE": Method("sprites-apart-beta", rf"R + {beta:g}\,\mathrm{{KL}}"),
        LONGER: Method(longer().name, rf"R + {beta:g}\,\mathrm{{KL}}"),
        "β-TCVAE": Method("sprites-apart-tc", rf"R + I + {1 + tc:g}\,\mathrm{{TC}} + D"),
        "FactorVAE": Method("sprites-apart-factor", rf"R + \mathrm{{KL}} + {factor:g}\,\mathrm{{TC}}"),
        "Capacity": Method(
            "sprites-apart-capacity", rf"R + {gamma:g}\,\lvert\mathrm{{KL}} - C\rvert,\; C\colon 0 \to {target:g}"
        ),
    }


class Known(NamedTuple):
    """What the latents of a model know of the factors."""

    share: np.ndarray  # [Z, F], of each factor's entropy
    order: list[int]  # latents, the one that carries most nats first
    kl: list[float]  # [Z]
    active: list[bool]  # [Z]
    mig: float

    @property
    def awake(self) -> list[int]:
        """The active ones, in order."""
        return [latent for latent in self.order if self.active[latent]]

    def favourite(self, latent: int) -> tuple[str, float]:
        """The factor that a latent knows most of, and how much of it."""
        factor = int(self.share[latent].argmax())
        return FACTORS[factor], float(self.share[latent, factor])

    def best(self, factor: int) -> tuple[int, float, float]:
        """The active latent that knows most of a factor, its share, and that of the next one."""
        ranked = sorted(self.awake, key=lambda latent: -self.share[latent, factor])
        shares = [float(self.share[latent, factor]) for latent in ranked]
        return ranked[0], shares[0], [*shares, 0.0][1]


def known(name: str) -> Known:
    """As it was scored on all held-out images."""
    found = scores(name, "kl_per_latent", "activity", "factor_information", "mig")
    kl = found["kl_per_latent"]
    return Known(
        np.array(found["factor_information"]),
        order_by_kl(torch.tensor(kl)).tolist(),
        kl,
        [activity > THRESHOLD for activity in found["activity"]],
        found["mig"],
    )


class Turned(NamedTuple):
    """One latent from -2 to 2, the others at an image's code."""

    pictures: Tensor  # [T, 1, H, W]
    drift: Drift


@st.cache_resource(show_spinner=False, max_entries=256)
def turned(name: str, image: int, latent: int) -> Turned:
    model = cache.checkpoint(name).model
    base = torch.tensor(cache.code_of(name, image))
    with torch.inference_mode():
        pictures = model.decode(traverse(base, latent, torch.linspace(-REACH, REACH, STEPS)))  # type: ignore[operator]
    return Turned(pictures, drift(pictures))


@st.cache_data(show_spinner=False, max_entries=1)
def results() -> dict[str, Any]:
    """What the benchmark measured: by method, a list over seeds for each score."""
    found = read_results(RESULTS, REMEDY)
    if lacking := [method.model for method in methods().values() if method.model not in found.get("methods", {})]:
        raise InvalidInput(f"{RESULTS} lacks {', '.join(lacking)}. {REMEDY}")
    return found


def scored() -> dict[str, dict[str, Any]]:
    """The same by the methods' titles."""
    found = results()["methods"]
    return {title: found[method.model] for title, method in methods().items()}


@st.cache_data(show_spinner=False, max_entries=1)
def hearts() -> list[int]:
    """Held-out images of large hearts near the middle: shapes that look another way at every turn."""
    source = cache.held_out(DATA)
    assert source.factors is not None
    shape, scale, _, x, y = source.factors.T
    return ((shape == 2) & (scale >= 4) & ((x - 16).abs() < 6) & ((y - 16).abs() < 6)).nonzero()[:, 0].tolist()


@st.cache_data(show_spinner=False, max_entries=1)
def most_of_rotation() -> float:
    """The share of the rotation's entropy that a picture tells: shapes that look alike after a part of a turn keep the
    rest to themselves."""
    shapes, scales, turns = SIZES[:3]
    largest = centred_sprites().view(shapes, scales, turns, -1)[:, -1]
    distinct = [len(views.unique(dim=0)) for views in largest]
    return sum(map(math.log, distinct)) / shapes / math.log(turns)
