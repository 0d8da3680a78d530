"""What the page on dimensionality reduction loads once: PCA and the linear models, the bank of deep ones, results."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import streamlit as st
import torch
from safetensors.torch import load_file
from torch import Tensor

from ui.cache import checkpoint, encoded, held_out
from ui.jobs import Work
from ui.lessons import read_results, usable
from vae_core.data import ImageSource, dataset
from vae_core.folders import ASSETS
from vae_core.latent.pca import PCA, Moments, principal_angles, summing
from vae_core.models import Autoencoder, LinearAutoencoder
from vae_core.training.full_batch import curve_down, glide

DATA = "mnist"
MEMORY = {"latent": 1, "hidden": (256, 128)}
STEPS, EVERY, ENOUGH = 2500, 25, 1e-6  # of the linear one; it ends where 25 steps gain less than this share
MEMORY_STEPS, PACE = 600, 3e-3  # of the memorising
SPREAD = 8.0  # how much steeper the memory's decoder begins than usual
METHODS = ("pca", "linear", "deep")
TITLES = {"pca": "PCA", "linear": "Linear autoencoder", "deep": "Deep autoencoder"}
RESULTS, WEIGHTS = ASSETS / "results" / "reduction.json", ASSETS / "results" / "mnist-linear.safetensors"
REMEDY = "Make it again: `python -m benchmarks.linear --write`."


@st.cache_resource(show_spinner=False)
def results() -> dict[str, Any]:
    """What benchmarks/linear.py measured: errors of every method at every latent size. InvalidInput without it."""
    return read_results(RESULTS, REMEDY)


class Linear(NamedTuple):
    """PCA of the training images, and the linear autoencoders by their latent size."""

    pca: PCA
    models: dict[int, LinearAutoencoder]


@st.cache_resource(show_spinner="Loading the linear models")
def linear() -> Linear:
    """What benchmarks/linear.py kept. InvalidInput where the file is missing or damaged."""
    with usable(WEIGHTS, REMEDY):
        tensors = load_file(WEIGHTS)
        mean, directions, variances = (
            tensors[f"pca.{name}"].double().numpy() for name in ("mean", "directions", "variances")
        )
        found = PCA(mean, directions, variances, tensors["pca.total"].item())
        sizes = sorted({int(name.split(".")[1]) for name in tensors if name.startswith("linear.")})
        models = {}
        for size in sizes:
            model = LinearAutoencoder(LinearAutoencoder.Config(dataset(DATA).shape, size))
            start = f"linear.{size}."
            state = {name.removeprefix(start): value.float() for name, value in tensors.items() if start in name}
            model.load_state_dict(state)
            models[size] = model.requires_grad_(False).eval()
    return Linear(found, models)


def deep(latent: int) -> Autoencoder:
    """The deep autoencoder of a latent size."""
    return checkpoint(f"mnist-{latent}d-ae-mse").model  # type: ignore[return-value]


def reconstructed(method: str, latent: int, x: Tensor) -> Tensor:
    """Images [B, C, H, W] through a method's bottleneck and back; nothing is clipped."""
    if method == "pca":
        found = linear().pca
        return torch.from_numpy(found.decode(found.encode(x.flatten(1).double().numpy(), latent))).float().view_as(x)
    model = linear().models[latent] if method == "linear" else deep(latent)
    with torch.inference_mode():
        z = model.encode(x).mean
        return model.mean(z) if isinstance(model, LinearAutoencoder) else model.decode(z)


@st.cache_resource(show_spinner="Encoding the held-out images")
def planes() -> dict[str, np.ndarray]:
    """The held-out images as two numbers each, by every method: [N, 2]."""
    source = held_out(DATA)
    x = source.images(torch.arange(len(source)))
    with torch.inference_mode():
        by_linear = linear().models[2].encode(x).mean.numpy()
    return {
        "pca": linear().pca.encode(x.flatten(1).numpy(), 2),
        "linear": by_linear,
        "deep": encoded("mnist-2d-ae-mse").codes.numpy(),
    }


@st.cache_resource(show_spinner=False)
def training_images() -> ImageSource:
    return dataset(DATA).load("train")


@st.cache_resource(show_spinner=False)
def kept_moments() -> dict[str, Moments]:
    """Mean and covariance of all training images, by the name of the data, once they have been summed up."""
    return {}


@dataclass
class Trace:
    """A training of the linear autoencoder as it goes."""

    latent: int
    start: int  # the seed of its first weights
    steps: list[int] = field(default_factory=list)
    angles: list[np.ndarray] = field(default_factory=list)  # [Z] degrees each
    excess: list[float] = field(default_factory=list)  # error on the training images over PCA's, minus 1
    model: LinearAutoencoder | None = None  # a copy of where it stands
    ended: bool = False

    def note(self, step: int, loss: float, model: LinearAutoencoder, found: PCA) -> None:
        """Look at where the model stands after so many steps."""
        self.model = model.about(torch.from_numpy(found.mean))
        self.steps.append(step)
        decoder = model.matrices[2].detach().numpy()
        self.angles.append(principal_angles(decoder, found.directions[: self.latent].T))
        self.excess.append(loss / (found.total - float(found.variances[: self.latent].sum())) - 1)

    @property
    def known(self) -> int:
        """How much is there to be drawn; what comes last is noted last."""
        return len(self.excess)


def train_linear(trace: Trace) -> Work:
    """Train until nothing more is gained. Images have the mean image taken from them, as PCA does."""
    torch.manual_seed(trace.start)
    model = LinearAutoencoder(LinearAutoencoder.Config(dataset(DATA).shape, trace.latent)).double()
    return _linear_steps(trace, model, linear().pca, training_images(), kept_moments())


def _linear_steps(
    trace: Trace, model: LinearAutoencoder, found: PCA, source: ImageSource, kept: dict[str, Moments]
) -> Work:
    if DATA not in kept:
        for seen, summed in summing(source):
            yield seen / len(source), "Summing up all training images"
            if summed is not None:
                kept[DATA] = summed
    covariance = kept[DATA].covariance
    centre = torch.zeros(len(covariance), dtype=torch.float64)
    with torch.no_grad():
        trace.note(0, float(model.squared_error(centre, covariance)), model, found)
    began = time.monotonic()
    for step, loss in curve_down(model, lambda: model.squared_error(centre, covariance), STEPS, EVERY, ENOUGH):
        trace.note(step, loss, model, found)
        yield step / STEPS, f"Step {step} of at most {STEPS}{_left(began, step, STEPS, 'at most')}"
    trace.ended = True


@dataclass
class Memory:
    """A training on a few images, until they are known by heart."""

    images: Tensor  # [N, C, H, W]
    model: Autoencoder
    steps: list[int] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)  # per pixel, on the N images
    ended: bool = False


def memorise(memory: Memory) -> Work:
    """Train on the few images until the steps are done."""
    x, model, began = memory.images, memory.model, time.monotonic()
    for step, _ in glide(model, lambda: model.loss(x).total, MEMORY_STEPS, PACE, EVERY):
        with torch.no_grad():
            known = error(x, model.decode(model.encode(x).mean))
        memory.steps.append(step)
        memory.errors.append(known)
        yield step / MEMORY_STEPS, f"Step {step} of {MEMORY_STEPS}{_left(began, step, MEMORY_STEPS, 'about')}"
    memory.ended = True


def _left(began: float, step: int, steps: int, word: str) -> str:
    return f", {word} {(time.monotonic() - began) / step * (steps - step):.0f} s more"


def error(x: Tensor, pictures: Tensor) -> float:
    """Mean squared error per pixel."""
    return (x - pictures).square().mean().item()


def new_memory(count: int, start: int) -> Memory:
    """A network with one latent and far more weights than the images have pixels, and the images, chosen by chance."""
    source = training_images()
    torch.manual_seed(start)
    images = source.images(torch.randperm(len(source))[:count])
    model = Autoencoder(Autoencoder.Config(image=dataset(DATA).shape, **MEMORY))  # type: ignore[arg-type]
    with torch.no_grad():  # a decoder that begins steep can bend quickly along its one latent
        for parameter in model.decoder[0].parameters():
            parameter.mul_(SPREAD)
    return Memory(images, model)
