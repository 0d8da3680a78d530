"""Every cached load: models and packs as shared resources, arrays as copies, each bounded.

What comes from here is shared by all sessions. Never change it in place.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import streamlit as st
import torch
from torch import Tensor

from vae_core.checkpoints import CONFIG, METRICS, Checkpoint, bundled, read_bundled
from vae_core.data import DATASETS, ImageSource
from vae_core.latent.browser import pack_decoder, pack_points, pack_thumbnails
from vae_core.recipes import RECIPES

THUMBNAIL_SIDE = 28  # pixels
FAMILY_TITLES = {"mnist": "MNIST", "fashion_mnist": "Fashion", "sprites": "Sprites"}


@dataclass(frozen=True)
class ModelCard:
    """What the pickers and captions need to know of a bundled model, read without its weights."""

    name: str
    dataset: str  # key in DATASETS
    model_name: str  # key in MODELS
    latent: int
    beta: float | None  # None for an autoencoder
    network: str
    likelihood: str
    metrics: dict[str, Any]
    training: dict[str, Any]

    @property
    def family(self) -> str:
        """Models that may be compared: same data, same number of latents."""
        return f"{FAMILY_TITLES[self.dataset]} {self.latent}-D"

    @property
    def variant(self) -> str:
        """What tells the members of a family apart."""
        return "autoencoder" if self.beta is None else f"beta {self.beta:g}"

    @property
    def role(self) -> str:
        """Which of the compared kinds it is, for its colour."""
        return "autoencoder" if self.beta is None else "vae"

    @property
    def title(self) -> str:
        return "Autoencoder" if self.beta is None else f"VAE, β = {self.beta:g}"

    @property
    def caption(self) -> str:
        latents = f"{self.latent} latents"
        network = {"mlp": "MLP", "conv": "convolutional"}[self.network]
        return f"{self.title}, {latents}, {network}, trained on {DATASETS[self.dataset].title}"


@st.cache_resource(show_spinner=False)
def model_cards() -> dict[str, ModelCard]:
    """The bundled latent variable models by name, in the order of the recipes."""
    folders = bundled()
    cards = {}
    for name in [name for name in RECIPES if name in folders and RECIPES[name].model != "classifier"]:
        config = json.loads((folders[name] / CONFIG).read_text("utf-8"))
        metrics = folders[name] / METRICS
        settings = config["model_config"]
        cards[name] = ModelCard(
            name=name,
            dataset=config["dataset"],
            model_name=config["model"],
            latent=settings["latent"],
            beta=settings.get("beta"),
            network=settings["network"],
            likelihood=settings["likelihood"],
            metrics=json.loads(metrics.read_text("utf-8")) if metrics.exists() else {},
            training=config["training"],
        )
    return cards


def families() -> dict[str, list[ModelCard]]:
    """The bundled models, grouped by what may be compared."""
    groups: dict[str, list[ModelCard]] = {}
    for card in model_cards().values():
        groups.setdefault(card.family, []).append(card)
    return groups


@st.cache_resource(show_spinner="Loading the model", max_entries=32)
def checkpoint(name: str) -> Checkpoint:
    return read_bundled(name)


def classifier(dataset: str) -> Checkpoint:
    """The classifier that judges pictures of a dataset."""
    return checkpoint(next(r.name for r in RECIPES.values() if r.data == dataset and r.model == "classifier"))


@st.cache_resource(show_spinner="Opening the held-out images", max_entries=8)
def held_out(dataset: str) -> ImageSource:
    return DATASETS[dataset].load("test")


@dataclass(frozen=True)
class Encoded:
    """The held-out images of a dataset as one model encodes them."""

    codes: Tensor  # [N, Z] posterior means, or the codes of an autoencoder
    std: Tensor | None  # [N, Z]
    labels: Tensor  # [N] uint8
    centre: Tensor  # [Z] of the prior, or of the Gaussian fitted to the codes
    covariance: Tensor  # [Z, Z] likewise

    @property
    def scale(self) -> float:
        """One number for the width of the cloud's Gaussian: 1 for a prior."""
        return float(self.covariance.diagonal().mean().sqrt())


@st.cache_resource(show_spinner="Encoding the held-out images", max_entries=32)
def encoded(name: str) -> Encoded:
    """All held-out images, encoded by a bundled model."""
    loaded = checkpoint(name)
    model, source = loaded.model, held_out(loaded.dataset)
    with torch.inference_mode():
        posteriors = [model.encode(source.images(index)) for index in torch.arange(len(source)).split(500)]  # type: ignore[operator]
    codes = torch.cat([posterior.mean for posterior in posteriors])
    if posteriors[0].is_deterministic:
        return Encoded(codes, None, source.labels, codes.mean(0), torch.cov(codes.T))
    std = torch.cat([posterior.std for posterior in posteriors])
    latent = codes.shape[1]
    return Encoded(codes, std, source.labels, torch.zeros(latent), torch.eye(latent))


@st.cache_resource(show_spinner=False, max_entries=32)
def decoder_pack(name: str) -> bytes:
    model = checkpoint(name).model
    return pack_decoder(model.decoder, model.config.image, model.config.latent)  # type: ignore[arg-type, union-attr]


@st.cache_resource(show_spinner=False, max_entries=32)
def points_pack(name: str) -> bytes:
    cloud = encoded(name)
    return pack_points(cloud.codes, cloud.std, cloud.labels, DATASETS[checkpoint(name).dataset].class_names)


@st.cache_resource(show_spinner="Preparing the thumbnails", max_entries=4)
def thumbnails_pack(dataset: str) -> bytes:
    """All held-out images as one atlas of small pictures."""
    source = held_out(dataset)
    shrink = torch.nn.functional.adaptive_avg_pool2d
    parts = [shrink(source.images(i), THUMBNAIL_SIDE) for i in torch.arange(len(source)).split(1000)]
    return pack_thumbnails((torch.cat(parts) * 255).round().to(torch.uint8))
