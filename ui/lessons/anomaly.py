"""What the lesson on anomalies keeps: models that know some classes alone, and how strange they find other images."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import streamlit as st
import torch
from safetensors.torch import load_file
from torch import Tensor

from ui.cache import checkpoint, held_out
from ui.jobs import Work
from ui.lessons import expect, read_results, usable
from vae_core.data import dataset
from vae_core.data.subset import subset
from vae_core.folders import ASSETS
from vae_core.latent.priors import Gaussian, fit_gaussian
from vae_core.metrics.anomaly import (
    SCORES,
    Strangeness,
    codes_of_all,
    error_map,
    outlines_of_all,
    strangeness,
    strangeness_of_all,
)  # fmt: skip
from vae_core.metrics.ranking import Ranking, rank
from vae_core.models import VAE
from vae_core.recipes import RECIPES
from vae_core.recipes.anomaly import name_with_classes
from vae_core.training import Training

DATA = {"MNIST": "mnist", "Fashion-MNIST": "fashion_mnist"}
RESULTS, CODES = ASSETS / "results" / "anomaly.json", ASSETS / "results" / "anomaly.safetensors"
REMEDY = "Make it again: `python -m benchmarks.anomaly --write`."
CONFIG = RECIPES["mnist-only-0"].config  # one for all models of the bank
STEPS = 900  # of a training on the page, as many as that of one class takes
EVERY = 20  # steps between two looks
MOST_KEPT = 24  # models trained on the page, for all visitors

Classes = tuple[int, ...]


def read_classes(text: str) -> Classes | None:
    """One to nine different digits with commas between them, in order; None for anything else."""
    parts = text.split(",")
    known = {part for part in parts if len(part) == 1 and part in "0123456789"}
    return tuple(sorted(map(int, known))) if len(known) == len(parts) < 10 else None


@st.cache_resource(show_spinner=False)
def results() -> dict[str, Any]:
    """What benchmarks/anomaly.py measured. InvalidInput where the file is missing or damaged."""
    found = read_results(RESULTS, REMEDY)
    with usable(RESULTS, REMEDY):
        for data in DATA.values():
            expect(all(np.shape(found[data]["pairs"][score]) == (10, 10) for score in SCORES))
            expect(all(len(found[data]["auroc"][score]) == 10 for score in SCORES))
        expect(set(found["all_but_one"]["auroc"]) == set(SCORES))
        expect(set(found["all_but_one"]["outline"]) == {"alone", "error_per_unit"})
        expect(set(by_size(found)[CONFIG.latent]) == set(SCORES))
    return found


def by_size(found: dict[str, Any]) -> dict[int, dict[str, float]]:
    """The sizes of the code that were tried on training images kept back, and the AUROC of each score with them."""
    tried = found["choice"]["candidates"]
    return {each["latent"]: each["auroc"] for each in tried if each["likelihood"] == CONFIG.likelihood}


def told_of_distance() -> str:
    """What another size of the code does for the latent distance, in words: it was chosen for another score."""
    areas = by_size(results())
    own, best = areas[CONFIG.latent], max(areas, key=lambda size: areas[size]["distance"])
    other = areas[best]
    return (
        f"Nor is the comparison quite fair to it: labelled anomalies, among training images kept back, and the AUROC "
        f"of one score, the reconstruction error, chose the size of the code. There the distance reached "
        f"{own['distance']:.3f} with the {CONFIG.latent} latents taken and {other['distance']:.3f} with {best}; the "
        f"error {own['error']:.3f} and {other['error']:.3f}."
    )


@dataclass(frozen=True)
class Detector:
    """A model that was trained on some classes alone, and where it puts their training images."""

    model: VAE
    normal: Gaussian
    images: int  # it was trained on
    on_the_page: bool


@st.cache_resource(show_spinner=False)
def kept() -> dict[tuple[str, Classes], Detector]:
    """What was trained on the page, by any visitor: the seed is fixed, so it is the same for all of them."""
    return {}


@st.cache_resource(show_spinner="Loading the model", max_entries=32)
def bundled_detector(data: str, classes: Classes) -> Detector:
    """A bundled model. InvalidInput where its codes are missing."""
    name = name_with_classes(data, classes)
    loaded = checkpoint(name)
    with usable(CODES, REMEDY):
        tensors = load_file(CODES)
        normal = Gaussian(tensors[f"{name}.mean"], tensors[f"{name}.cholesky"])
        images = int(tensors[f"{name}.images"])
    return Detector(loaded.model, normal, images, False)  # type: ignore[arg-type]


def detector(data: str, classes: Classes) -> Detector | None:
    """The model that knows these classes alone; None where it has yet to be trained."""
    if name_with_classes(data, classes) in RECIPES:
        return bundled_detector(data, classes)
    return kept().get((data, classes))


def learn(data: str, classes: Classes) -> Work:
    """Train a model on some classes, as the bundled ones were trained on one, and keep it."""
    return _learning(data, classes, kept())


def _learning(data: str, classes: Classes, models: dict[tuple[str, Classes], Detector]) -> Work:
    yield 0.0, "Opening the training images"
    device = torch.device("cpu")
    recipe = RECIPES[name_with_classes(data, (0,))]
    source = subset(dataset(data).load("train"), device, classes)
    epochs = max(1, round(STEPS * recipe.training.batch / len(source)))
    torch.manual_seed(recipe.training.seed)
    model = VAE(recipe.config)
    training = Training(model, source, replace(recipe.training, labels=classes, epochs=epochs), device)
    began = time.monotonic()
    for told in training.run(EVERY):
        left = (time.monotonic() - began) / told.step * (told.steps - told.step)
        yield told.step / told.steps, f"Step {told.step} of {told.steps}, about {left:.0f} s more"
    yield 1.0, "Encoding the training images"
    model.requires_grad_(False)
    while len(models) >= MOST_KEPT:
        models.pop(next(iter(models)))
    models[data, classes] = Detector(model, fit_gaussian(codes_of_all(model, source)), len(source), True)


class Scored(NamedTuple):
    """How strange each held-out image is, by each score, and which of them are anomalous."""

    scores: dict[str, np.ndarray]  # [N] float32
    anomalous: np.ndarray  # [N] bool
    rankings: dict[str, Ranking]


@st.cache_resource(show_spinner="Scoring the held-out images", max_entries=32)
def scored(data: str, classes: Classes, on_the_page: bool) -> Scored:
    """All held-out images, before the model that knows these classes alone."""
    found, source = detector(data, classes), held_out(data)
    assert found is not None
    parts = [part for _, part in strangeness_of_all(found.model, source, found.normal)]
    anomalous = ~np.isin(source.labels.numpy(), classes)
    # Float32, as the browser gets them: then both count the same alarms.
    scores = {name: torch.cat([getattr(part, name) for part in parts]).float().numpy() for name in Strangeness._fields}
    return Scored(scores, anomalous, {name: rank(values, anomalous) for name, values in scores.items()})


class Seen(NamedTuple):
    """Pictures, what a model makes of them, and where both differ: [B, C, H, W] each."""

    pictures: Tensor
    rebuilt: Tensor
    errors: Tensor  # squared, of each pixel


@torch.inference_mode()
def seen(found: Detector, x: Tensor) -> Seen:
    """Pictures [B, C, H, W] as the model rebuilds them from the mean of their posterior."""
    return Seen(x, found.model.decode(found.model.encode(x).mean), error_map(found.model, x))


@torch.inference_mode()
def scores_of(found: Detector, x: Tensor) -> dict[str, float]:
    """The scores of one picture [1, C, H, W]."""
    told = strangeness(found.model, x, found.normal, torch.Generator().manual_seed(0))
    return {name: float(getattr(told, name)) for name in Strangeness._fields}


def in_order(made: Scored, score: str, anomalous: bool, highest: bool) -> np.ndarray:
    """The numbers of the held-out images of one kind, the highest or the lowest score first."""
    own = np.nonzero(made.anomalous == anomalous)[0]
    order = np.argsort(made.scores[score][own], kind="stable")
    return own[order[::-1] if highest else order]


@st.cache_resource(show_spinner=False, max_entries=2)
def outlines(data: str) -> np.ndarray:
    """The length of the outline of every held-out image [N]."""
    return outlines_of_all(held_out(data))
