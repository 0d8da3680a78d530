"""What the lesson on the parts of an autoencoder keeps: which models there are, what they score, and their insides."""

from __future__ import annotations

from typing import Any, NamedTuple

import streamlit as st
import torch
from torch import Tensor

from ui.cache import checkpoint
from ui.lessons import read_results, usable
from vae_core.data import dataset
from vae_core.errors import InvalidInput
from vae_core.folders import ASSETS
from vae_core.latent.anatomy import Anatomy, anatomy
from vae_core.recipes import BANKS
from vae_core.recipes.parts import (
    ACTIVATIONS_PARTS,
    DEPTHS_PARTS,
    HIDDEN_PARTS,
    IMAGES_PARTS,
    LATENTS_PARTS,
    WIDTHS_PARTS,
    parts_name,
)

DATA = "mnist"
RESULTS = ASSETS / "results" / "parts.json"
REMEDY = "Make it again: `python -m benchmarks.parts --write`."
KNOWN = min(IMAGES_PARTS)  # training images that every model of the bank was trained on
MEASURES = ("squared", "cross", "sharpness")


class Change(NamedTuple):
    """What may be another than usual."""

    label: str
    values: dict[str, str]  # as the screen and the link call them -> as the models' names do
    usual: str
    latents: tuple[int, ...] = LATENTS_PARTS  # sizes at which it was trained


def _sizes(word: str, sizes: tuple[int, ...], usual: int) -> dict[str, str]:
    return {f"{size:,}": "" if size == usual else f"{word}{size}" for size in sizes}


ALL = 60_000  # training images of MNIST
FEW = f"images{KNOWN}"
TITLES = {"relu": "ReLU", "gelu": "GELU", "tanh": "tanh"}
LARGEST = LATENTS_PARTS[-1:]
CHANGES = {
    "Depth": Change("Hidden layers, each half", _sizes("depth", DEPTHS_PARTS, len(HIDDEN_PARTS)), "2"),
    "Width": Change("Units in a hidden layer", _sizes("width", WIDTHS_PARTS, HIDDEN_PARTS[0]), "64"),
    "Data": Change("Training images", _sizes("images", (*IMAGES_PARTS, ALL), ALL), f"{ALL:,}"),
    "Loss": Change("Trained with", {"squared error": "", "cross-entropy": "bce"}, "squared error"),
    "Activation": Change(
        "Activation (trained with cross-entropy)",
        {TITLES[name]: "bce" if name == ACTIVATIONS_PARTS[0] else f"bce-{name}" for name in ACTIVATIONS_PARTS},
        TITLES[ACTIVATIONS_PARTS[0]], LARGEST,
    ),
    "Regularisation": Change(
        f"Trained on {KNOWN} images with",
        {"none": FEW, "weight decay": f"{FEW}-decay", "dropout": f"{FEW}-dropout", "early stopping": f"{FEW}-stopped"},
        "none", LARGEST,
    ),
}  # fmt: skip


def model_name(change: str, value: str, latent: int) -> str:
    """The bundled model with this changed."""
    return parts_name(latent, CHANGES[change].values[value])


def trainings(change: str, latent: int) -> dict[tuple[int, int, float], list[str]]:
    """How the models of a change were trained: (steps, images a step, highest learning rate) -> its values."""
    found: dict[tuple[int, int, float], list[str]] = {}
    for value in CHANGES[change].values:
        told = checkpoint(model_name(change, value, latent)).training
        found.setdefault((told["steps"], told["batch"], told["lr"]), []).append(value)
    return found


class Score(NamedTuple):
    """Means over the images of one split."""

    squared: float  # error per pixel
    cross: float  # grey BCE, nats per image
    sharpness: float  # edge energy of what is rebuilt, as a share of the originals'


class Scores(NamedTuple):
    """What one model scored."""

    train: Score
    held_out: Score
    trained_on: int  # images
    measured_on: int  # of these images, for `train`
    reach: float  # three standard deviations of its codes


class Results(NamedTuple):
    """What benchmarks/parts.py measured."""

    models: dict[str, Scores]
    held_out: int  # images
    mean_picture: float  # squared error per pixel of the mean training image, on the held-out ones
    least_cross: float  # grey BCE of the held-out images themselves: below that nothing comes


@st.cache_resource(show_spinner=False)
def results() -> Results:
    """The stored measurements. InvalidInput where the file is missing or damaged."""
    found = read_results(RESULTS, REMEDY)
    with usable(RESULTS, REMEDY):
        models = {name: _scores(row) for name, row in found["models"].items()}
        if missing := {recipe.name for recipe in BANKS["parts"]} - models.keys():
            raise InvalidInput(f"{RESULTS} lacks {', '.join(sorted(missing))}. {REMEDY}")
        return Results(models, int(found["held_out"]), float(found["mean_picture"]), float(found["least_cross"]))


def _scores(row: dict[str, Any]) -> Scores:
    train, held_out = (Score(*(float(row[split][key]) for key in MEASURES)) for split in ("train", "held_out"))
    return Scores(train, held_out, int(row["trained_on"]), int(row["measured_on"]), float(row["reach"]))


@st.cache_resource(show_spinner="Opening the training images")
def known_images() -> Tensor:
    """The training images [N, C, H, W] that every model of the bank has seen."""
    return dataset(DATA).load("train").images(torch.arange(KNOWN))


def inside(name: str, x: Tensor) -> Anatomy:
    """Pictures [B, C, H, W] on their way through a bundled model."""
    model: Any = checkpoint(name).model
    return anatomy(model, x)


def squared_error(x: Tensor, rebuilt: Tensor) -> float:
    """Mean squared error per pixel of pictures [B, C, H, W]."""
    return (x - rebuilt).square().mean().item()
