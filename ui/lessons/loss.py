"""What the lesson on the loss keeps: a bank of models along one dial, draws for a KL, and two trainings looked into."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import streamlit as st
import torch
from safetensors.torch import load_file
from torch import Tensor

from ui import cache
from ui.lessons import expect, read_results, usable
from ui.sheet.axes import minus
from vae_core.exact.kl import closed_form, single_draws
from vae_core.folders import ASSETS
from vae_core.metrics.decoder_scale import DecoderScale
from vae_core.models import VAE
from vae_core.recipes.loss import PAIR, PIXELS, WEIGHTS_LOSS, sigma_of, weight_name

DATA = "mnist"
LEARNED, BCE = "loss-learned", "loss-bce"
RESULTS, POSTERIORS = ASSETS / "results" / "loss.json", ASSETS / "results" / "loss.safetensors"
REMEDY = "Make it again: `python -m benchmarks.loss --write`."
FIXED = 50.0  # C of the Gaussian with a small fixed scale, where likelihoods are compared
MOST_DRAWS = 10_000
IMAGES = 300  # held-out images whose KL is estimated


class Stop(NamedTuple):
    """A place on the dial: one number under three names, and the model trained with it."""

    name: str  # of the bundled model
    learned: bool
    c: float  # weight of the squared error

    @property
    def beta(self) -> float:
        """Weight of the KL beside a plain sum of squares."""
        return 1 / self.c

    @property
    def sigma(self) -> float:
        """Scale of the decoder's Gaussian."""
        return sigma_of(self.c)

    @property
    def words(self) -> str:
        """C, which is a share of a pixel where the error is averaged."""
        return f"1/{PIXELS}" if math.isclose(self.c, 1 / PIXELS) else short(self.c)

    @property
    def ticks(self) -> tuple[str, str, str]:
        """C, beta and sigma for an axis on which there is little room."""
        beta, sigma = (f"{value:.1g}" if value < 1 else short(value) for value in (self.beta, self.sigma))
        return self.words.removeprefix("0"), beta.removeprefix("0"), sigma.removeprefix("0")

    @property
    def title(self) -> str:
        c, beta, sigma = self.words, short(self.beta), short(self.sigma)
        return f"{'learned: ' if self.learned else ''}C = {c}, β = {beta}, \u03c3 = {sigma}"


def short(value: float) -> str:
    """Two digits that count."""
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"


def model(name: str) -> VAE:
    return cache.model_of(name, VAE)


def learned_sigma() -> float:
    """The scale at which the model that learns it has arrived."""
    return model(LEARNED).log_sigma.exp().item()


def epochs() -> int:
    """How long each model of the bank was trained."""
    return int(cache.checkpoint(LEARNED).training["epochs"])


@st.cache_data(show_spinner=False, max_entries=1)
def dial() -> list[Stop]:
    """All models along the dial, from a KL that hardly counts to one that is all that counts."""
    stops = [Stop(weight_name(c), False, c) for c in WEIGHTS_LOSS]
    stops.append(Stop(LEARNED, True, 1 / (2 * learned_sigma() ** 2)))
    return sorted(stops, key=lambda stop: -stop.c)


@st.cache_resource(show_spinner=False)
def results() -> dict[str, Any]:
    """What benchmarks/loss.py measured. InvalidInput where the file is missing or damaged."""
    found = read_results(RESULTS, REMEDY)
    with usable(RESULTS, REMEDY):
        for name in [*(weight_name(c) for c in WEIGHTS_LOSS), LEARNED, BCE, *PAIR]:
            scale_of(found, name)
        expect(found["least_bce"] > 0 and found["held_out"] > 0)
        expect(all({"step", "squared_error", "kl"} <= row.keys() for name in PAIR for row in found["history"][name]))
    return found


def scale_of(found: dict[str, Any], name: str) -> DecoderScale:
    row = found["models"][name]
    scale = DecoderScale(float(row["squared_error"]), float(row["kl"]), PIXELS)
    expect(scale.squared_error > 0 and scale.kl >= 0)
    return scale


def scale(name: str) -> DecoderScale:
    """What a model's decoder misses and its code costs."""
    return scale_of(results(), name)


def verdict(today: Stop) -> str:
    """A model of the dial in numbers, and what its own error says of its scale."""
    found = scale(today.name)
    bound = found.elbo(today.sigma)
    words = (
        f"ELBO **{minus(f'{bound:.0f}')}** nats = \u2212({minus(f'{-bound - found.kl:.0f}')} reconstruction + "
        f"{found.kl:.2f} KL). The error of a pixel is {found.rmse:.3f} (root mean square), \u03c3 is "
        f"{today.sigma:.3g}, {'found by training' if today.learned else 'fixed'}"
    )
    if today.learned:
        return f"{words}: all but the same, as it must be where the ELBO is largest."
    gained = found.elbo(found.rmse) - bound
    return (
        f"{words}. With \u03c3 = {found.rmse:.3f} its ELBO would gain {gained:,.0f} nats, and no picture would change."
    )


def contestants() -> dict[str, tuple[str, float | None]]:
    """Likelihoods that are compared: title -> model and the scale of its Gaussian; None for the cross-entropy."""
    learned = learned_sigma()
    return {
        "sum of squares (\u03c3²\u00a0=\u00a0½)": (weight_name(1.0), sigma_of(1.0)),
        "mean over pixels": (weight_name(1 / PIXELS), sigma_of(1 / PIXELS)),
        "grey BCE": (BCE, None),
        f"Gaussian, \u03c3\u00a0=\u00a0{sigma_of(FIXED):g}": (weight_name(FIXED), sigma_of(FIXED)),
        f"learned \u03c3\u00a0=\u00a0{learned:.2f}": (LEARNED, learned),
    }


@st.cache_data(show_spinner=False, max_entries=2)
def codes_by_chance(count: int) -> Tensor:
    """Codes [count, 2] from the prior, the same for every model."""
    return torch.randn(count, 2, generator=torch.Generator().manual_seed(3))


@st.cache_data(show_spinner=False, max_entries=32)
def pictures(name: str, count: int) -> tuple[Tensor, Tensor]:
    """The first held-out images by way of one draw of their posterior, as in training; and codes drawn from the prior,
    decoded: [count, 1, 28, 28] each."""
    with torch.inference_mode():
        posterior = model(name).encode(cache.held_out(DATA).images(torch.arange(count)))
        noise = torch.randn(posterior.mean.shape, generator=torch.Generator().manual_seed(4))
        copies = model(name).decode(posterior.mean + posterior.std * noise)
        return copies, model(name).decode(codes_by_chance(count))


# ---------------------------------------------------------------- the KL by draws


@st.cache_data(show_spinner=False, max_entries=8)
def noise(seed: int) -> Tensor:
    """Standard normal draws [MOST_DRAWS]."""
    return torch.randn(MOST_DRAWS, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class PerImage(NamedTuple):
    """The KL of held-out images [N], nats: by the formula, and from K draws each."""

    exact: Tensor
    estimate: Tensor


@st.cache_data(show_spinner="Drawing", max_entries=64)
def per_image(kind: str, draws: int, seed: int) -> PerImage:
    """The KL of the first IMAGES held-out images by the model with the learned scale."""
    cloud = cache.encoded(LEARNED)
    assert cloud.std is not None
    mean, std = cloud.codes[:IMAGES], cloud.std[:IMAGES]
    generator = torch.Generator().manual_seed(seed)
    total = torch.zeros(IMAGES, dtype=torch.float64)
    for part in torch.arange(draws).split(1000):  # so that no 10,000 x 300 x 2 stand in memory at once
        each = single_draws(kind, mean, std, torch.randn(len(part), *mean.shape, generator=generator))
        total += each.double().sum((0, 2))
    return PerImage(closed_form(mean, std).sum(1), total / draws)


# ---------------------------------------------------------------- a pair of trainings


class Look(NamedTuple):
    """The posteriors of some held-out images at one step of a training."""

    mean: Tensor  # [N, 2]
    logvar: Tensor  # [N, 2]
    squared_error: float
    kl: float

    @property
    def width(self) -> float:
        """The median standard deviation of a posterior."""
        return self.logvar.median().mul(0.5).exp().item()

    @property
    def spread(self) -> float:
        """How far the means lie from their middle: root mean square, per latent."""
        return self.mean.var(0, correction=0).mean().sqrt().item()


@st.cache_resource(show_spinner=False)
def trainings() -> dict[str, dict[int, Look]]:
    """Every look into the pair of trainings, by model and step. InvalidInput where they cannot be read."""
    rows = results()["history"]
    with usable(POSTERIORS, REMEDY):
        tensors = load_file(POSTERIORS)
        found = {}
        for name in PAIR:
            means, logvars = tensors[f"{name}.mean"].float(), tensors[f"{name}.logvar"].float()
            expect(means.shape == logvars.shape == (len(rows[name]), means.shape[1], 2))
            found[name] = {
                int(row["step"]): Look(mean, logvar, float(row["squared_error"]), float(row["kl"]))
                for row, mean, logvar in zip(rows[name], means, logvars, strict=True)
            }
        expect(found[PAIR[0]].keys() == found[PAIR[1]].keys())
    return found


@st.cache_data(show_spinner=False, max_entries=1)
def reach() -> float:
    """Half the side of a square that holds the codes of both trainings at every step, but for one in a hundred."""
    return max(
        1.1 * look.mean.abs().amax(1).quantile(0.99).item() for steps in trainings().values() for look in steps.values()
    )
