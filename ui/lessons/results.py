"""What the lesson on results keeps: three VAEs on three datasets, their pictures, and what was measured of them."""

from __future__ import annotations

from typing import Any, NamedTuple

import streamlit as st
import torch
from torch import Tensor

from ui.cache import checkpoint, held_out
from ui.lessons import read_results, usable
from vae_core.checkpoints import bundled
from vae_core.data import dataset
from vae_core.errors import InvalidInput
from vae_core.folders import ASSETS
from vae_core.models import PerceptualVAE
from vae_core.recipes.results import DATA_RESULTS, KINDS_RESULTS, result_name

FILE = ASSETS / "results" / "results.json"
REMEDY = "Make it again: `python -m benchmarks.results --write`."
COLUMNS = 8  # pictures in a row
KINDS = {"conv": "Convolutional", "residual": "Residual", "perceptual": "Perceptual loss"}
WORDS = {"conv": "compares pixels", "residual": "deeper, pixels too", "perceptual": "compares features"}
NUMBERS = (
    "elbo", "kl", "sigma", "bits", "mse", "psnr", "sharp_copies", "sharp_samples", "fid_judge", "fid_eyes", "weights",
    "epochs", "seconds",
)  # fmt: skip


def choices() -> dict[str, str]:
    """The datasets whose models are all here and measured, by title: their short names. InvalidInput without any."""
    here, known = bundled(), measured()
    found = {
        dataset(data).title: short
        for short, data in DATA_RESULTS.items()
        if short in known and all(result_name(short, kind) in here for kind in KINDS_RESULTS)
    }
    if not found:
        raise InvalidInput(
            f"The models of this lesson are not here. Make the first: `python -m vae_core train "
            f"{result_name('mnist', 'conv')}`."
        )
    return found


@st.cache_resource(show_spinner=False)
def measured() -> dict[str, dict[str, Any]]:
    """What benchmarks/results.py found, by the data's short name. InvalidInput where the file is missing or damaged."""
    found = read_results(FILE, REMEDY)
    with usable(FILE, REMEDY):
        for entry in found.values():
            numbers = [entry["held_out"], entry["samples"], *entry["floor"].values(), *entry["variance"]]
            for kind in KINDS_RESULTS:
                row = entry["models"][kind]
                numbers += [row[key] for key in NUMBERS]
                if len(row["missed"]) != len(entry["variance"]):
                    raise ValueError("missed and variance differ in length")
            if not all(isinstance(each, int | float) for each in numbers) or min(entry["variance"]) <= 0:
                raise ValueError("something is no number, or no variance")
            _ = entry["floor"]["judge"], entry["floor"]["eyes"]
    return found


@st.cache_resource(show_spinner=False, max_entries=64)
def originals(short: str, page: int) -> Tensor:
    """Held-out images [COLUMNS, C, H, W]: the next so many for every page."""
    source = held_out(DATA_RESULTS[short])
    return source.images((page * COLUMNS + torch.arange(COLUMNS)) % len(source))


def pages(short: str) -> int:
    """How many rows of held-out images there are."""
    return len(held_out(DATA_RESULTS[short])) // COLUMNS


@st.cache_resource(show_spinner=False, max_entries=128)
@torch.inference_mode()
def copies(short: str, kind: str, page: int) -> Tensor:
    """What a model gives back of them, [COLUMNS, C, H, W], from the means of their codes."""
    model: Any = checkpoint(result_name(short, kind)).model
    return model.decode(model.encode(originals(short, page)).mean)


@st.cache_resource(show_spinner=False, max_entries=128)
@torch.inference_mode()
def samples(short: str, kind: str, seed: int, temperature: float) -> Tensor:
    """Pictures [COLUMNS, C, H, W] of codes from the prior, which a temperature widens or narrows; the same codes for
    every model of the data."""
    model: Any = checkpoint(result_name(short, kind)).model
    generator = torch.Generator().manual_seed(seed)
    return model.decode(temperature * torch.randn(COLUMNS, model.config.latent, generator=generator))


class Errors(NamedTuple):
    """One copy, and where it is wrong: to the pixels, and to the eyes at every depth."""

    copy: Tensor  # [C, H, W]
    maps: list[Tensor]  # of pixels, then by depth: [1, h, w], squared errors averaged over channels
    missed: list[float]  # the same order: the map's mean, as a share of what varies between images


@st.cache_resource(show_spinner=False, max_entries=128)
@torch.inference_mode()
def errors(short: str, page: int, place: int) -> dict[str, Errors]:
    """What every model's loss sees of one picture, by the model's kind."""
    looking: Any = checkpoint(result_name(short, "perceptual")).model
    assert isinstance(looking, PerceptualVAE)
    x = originals(short, page)[place : place + 1]
    units = [pixel_variance(short), *measured()[short]["variance"]]
    found = {}
    for kind in KINDS_RESULTS:
        again = copies(short, kind, page)[place : place + 1]
        pairs = [(x, again), *zip(looking.eyes(x), looking.eyes(again), strict=True)]
        maps = [(one - other).square().mean(1) for one, other in pairs]
        shares = [(each.mean() / unit).item() for each, unit in zip(maps, units, strict=True)]
        found[kind] = Errors(again[0], maps, shares)
    return found


@st.cache_resource(show_spinner=False, max_entries=8)
def pixel_variance(short: str) -> float:
    """The variance of a pixel between the held-out images that are here, averaged over pixels."""
    source = held_out(DATA_RESULTS[short])
    return source.images(torch.arange(min(len(source), 2000))).var(0).mean().item()


def in_common(found: dict[str, Errors]) -> dict[str, list[Tensor]]:
    """The maps of all models as pictures [1, h, w] in [0, 1], each depth on one scale: white is the largest error of
    any model."""
    depths = len(next(iter(found.values())).maps)
    largest = [max(each.maps[depth].max().item() for each in found.values()) for depth in range(depths)]
    return {
        kind: [(each.maps[depth] / max(largest[depth], 1e-12)).sqrt() for depth in range(depths)]
        for kind, each in found.items()
    }
