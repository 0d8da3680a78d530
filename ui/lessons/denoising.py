"""What the lesson on denoising keeps: the measured curves, and every method applied to the pictures on the screen."""

from __future__ import annotations

from typing import Any, NamedTuple

import streamlit as st
import torch
from torch import Tensor

from ui.cache import checkpoint
from ui.figures import INACTIVE
from ui.lessons import expect, read_results, usable
from ui.palette import ROLE_COLOURS, RUN_COLOURS
from vae_core.folders import ASSETS
from vae_core.imaging.corruption import GAUSSIAN, MASKING, SALT_AND_PEPPER, corrupt
from vae_core.imaging.filters import median, non_local_means
from vae_core.metrics.fidelity import psnr, ssim
from vae_core.objective import Context

DATA, PLAIN, DENOISING = "mnist", "mnist-10d-ae", "mnist-denoising-ae"
RESULTS = ASSETS / "results" / "denoising.json"
REMEDY = "Make it again: `python -m benchmarks.denoising --write`."


class Noise(NamedTuple):
    """A kind of noise as the page offers it."""

    kind: str
    clip: bool
    unit: str  # of its level


NOISES = {
    "Gaussian": Noise(GAUSSIAN, False, "standard deviation, for pixels in [0, 1]"),
    "Gaussian, clipped": Noise(GAUSSIAN, True, "standard deviation, before clipping to [0, 1]"),
    "salt and pepper": Noise(SALT_AND_PEPPER, False, "share of pixels made white or black"),
    "masking": Noise(MASKING, False, "share of pixels made black"),
}


class Method(NamedTuple):
    title: str
    colour: str
    dash: str
    symbol: str


METHODS = {
    "noisy": Method("Noisy, as given", INACTIVE, "dot", "circle-open"),
    "median": Method("Median filter", RUN_COLOURS[2], "dash", "diamond"),
    "non-local means": Method("Non-local means", RUN_COLOURS[3], "dashdot", "x"),
    "autoencoder": Method("Plain autoencoder", ROLE_COLOURS["autoencoder"], "solid", "square"),
    "denoising": Method("Denoising autoencoder", RUN_COLOURS[0], "solid", "circle"),
}


@st.cache_resource(show_spinner=False)
def results() -> dict[str, Any]:
    """What benchmarks/denoising.py measured. InvalidInput where the file is missing or damaged."""
    found = read_results(RESULTS, REMEDY)
    with usable(RESULTS, REMEDY):
        for series in found["series"]:
            for row in series["rows"]:
                expect(row["psnr"].keys() == row["ssim"].keys() == METHODS.keys() and row["filters"])
        expect({(each["kind"], each["clip"]) for each in found["series"]} == {noise[:2] for noise in NOISES.values()})
    return found


def rows_of(noise: Noise) -> list[dict[str, Any]]:
    """The measured rows of a kind of noise, by rising level."""
    return next(each["rows"] for each in results()["series"] if (each["kind"], each["clip"]) == noise[:2])


def measured_at(noise: Noise, level: float) -> dict[str, Any]:
    """The row whose level is nearest; filters are set as there."""
    return min(rows_of(noise), key=lambda row: abs(row["level"] - level))


class Cleaned(NamedTuple):
    """One method's pictures [B, C, H, W], and how near they are to the clean ones on average."""

    pictures: Tensor
    decibels: float
    alike: float


def damaged(clean: Tensor, noise: Noise, level: float, seed: int) -> Tensor:
    """Pictures [B, C, H, W] with noise; one seed means the same draws at every level."""
    return corrupt(clean, noise.kind, level, Context(generator=torch.Generator().manual_seed(seed)), noise.clip)


@torch.inference_mode()
def cleaned(clean: Tensor, noisy: Tensor, filters: dict[str, Any]) -> dict[str, Cleaned]:
    """What each method makes of noisy pictures [B, C, H, W], by its name in METHODS."""
    made = {
        "noisy": noisy,
        "median": median(noisy, filters["size"]),
        "non-local means": non_local_means(noisy, filters["patch"], filters["strength"]),
        "autoencoder": through(PLAIN, noisy),
        "denoising": through(DENOISING, noisy),
    }
    return {
        name: Cleaned(pictures, psnr(pictures, clean).mean().item(), ssim(pictures, clean).mean().item())
        for name, pictures in made.items()
    }


def through(name: str, x: Tensor) -> Tensor:
    """Pictures [B, C, H, W] through the encoder and the decoder of a bundled model."""
    model: Any = checkpoint(name).model
    return model.decode(model.encode(x).mean)
