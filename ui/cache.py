"""Every cached load: models and packs as shared resources, arrays as copies, each bounded.

What comes from here is shared by all sessions. Never change it in place.
"""

from __future__ import annotations

import atexit
import gc
import json
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st
import torch
from torch import Tensor

from vae_core.checkpoints import Checkpoint, Description, bundled, read_bundled, read_description
from vae_core.data import DATASETS, ImageSource
from vae_core.errors import InvalidInput
from vae_core.folders import ASSETS
from vae_core.latent.browser import pack_decoder, pack_points, pack_thumbnails
from vae_core.latent.grids import embed, linear_grid, prior_quantile_grid, tile
from vae_core.latent.paths import PATHS, blend, step_sizes
from vae_core.latent.pictures import to_bytes
from vae_core.latent.priors import Gaussian, fit_gaussian, standard_normal
from vae_core.latent.traversals import order_by_kl
from vae_core.metrics import METRICS, Spread
from vae_core.recipes import RECIPES, judge_of

THUMBNAIL_SIDE = 28  # pixels
FAMILY_TITLES = {"fashion_mnist": "Fashion"}  # where the dataset's own title is too long for a picker


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
        return f"{FAMILY_TITLES.get(self.dataset, DATASETS[self.dataset].title)} {self.latent}-D"

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
        words = f"{self.title}, {latents}, {network}, trained on {DATASETS[self.dataset].title}"
        first_weight = self.training.get("kl_start", 1.0) * (self.beta or 0.0)
        if self.beta is None or first_weight == self.beta:
            return words
        return f"{words} with a KL whose weight fell from {first_weight:g} to {self.beta:g}"

    @property
    def by_kl(self) -> list[int]:
        """The latents, the one with the largest KL first; in their own order where no KL was measured."""
        per_latent = self.metrics.get("kl_per_latent")
        return order_by_kl(torch.tensor(per_latent)).tolist() if per_latent else list(range(self.latent))


@st.cache_resource(show_spinner=False)
def _read_cards() -> tuple[dict[str, ModelCard], list[str]]:
    """The bundled models that can be used, and a sentence on each that cannot."""
    folders = bundled()
    cards, damaged = {}, []
    for name in [name for name in RECIPES if name in folders and RECIPES[name].model != "classifier"]:
        try:
            told = read_description(folders[name])
            require_recipe(told, name)
        except InvalidInput as error:  # one damaged folder does not take the others along
            damaged.append(str(error))
            continue
        if wrong := wrong_scores(told.metrics, told.settings.latent):
            damaged.append(
                f"The scores of {name} are damaged ({', '.join(wrong)}), so none is shown. "
                f"Measure them again: `python -m vae_core evaluate {name} --write`."
            )
        cards[name] = ModelCard(
            name=name,
            dataset=told.dataset,
            model_name=told.model_name,
            latent=told.settings.latent,
            beta=getattr(told.settings, "beta", None),
            network=told.settings.network,
            likelihood=told.settings.likelihood,
            metrics={} if wrong else told.metrics,
            training=told.training,
        )
    return cards, damaged


def wrong_scores(metrics: dict[str, Any], latent: int) -> list[str]:
    """The keys of a metrics.json that are not what pages rely on; a score that was not measured is simply absent."""

    def numbers(values: Any, count: int) -> bool:
        good = isinstance(values, list) and len(values) == count
        return good and all(isinstance(value, int | float) and math.isfinite(value) for value in values)

    lists, singles = ("kl_per_latent", "activity"), ("recon", "kl", "elbo", "mig")
    wrong: list[str] = [key for key in lists if key in metrics and not numbers(metrics[key], latent)]
    wrong += [key for key in singles if key in metrics and not numbers([metrics[key]], 1)]
    for name, entry in METRICS.items():
        if entry.nested and name in metrics:
            group = metrics[name] if isinstance(metrics[name], dict) else {}
            for number in entry.numbers:
                spread = group.get(number)
                if not isinstance(spread, dict) or not numbers([spread.get(key) for key in Spread._fields], 3):
                    wrong.append(f"{name} {number}")
    return wrong


def require_recipe(told: Description, name: str) -> None:
    """A folder whose config is another model's would show its pictures under a wrong name."""
    recipe = RECIPES[name]
    if (told.model_name, told.dataset) != (recipe.model, recipe.data):
        raise InvalidInput(
            f"The model folder {name} holds the model {told.model_name[:60]!r} of the data {told.dataset[:60]!r}; "
            f"it must be {recipe.model!r} of {recipe.data!r}. Make it again: `python -m vae_core train {name}`."
        )


def model_cards() -> dict[str, ModelCard]:
    """The bundled latent variable models by name, in the order of the recipes."""
    return _read_cards()[0]


def damaged_models() -> list[str]:
    """What is wrong with bundled models that cannot be used, a sentence each."""
    return _read_cards()[1]


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
    """The classifier that judges pictures of a dataset. Raises InvalidInput where there is none."""
    name = judge_of(dataset)
    if name is None:
        raise InvalidInput(f"No classifier judges pictures of {DATASETS[dataset].title}; add a recipe for one.")
    return checkpoint(name)


@st.cache_resource(show_spinner="Opening the held-out images", max_entries=8)
def held_out(dataset: str) -> ImageSource:
    return DATASETS[dataset].load("test")


@dataclass(frozen=True)
class Encoded:
    """The held-out images of a dataset as one model encodes them."""

    codes: Tensor  # [N, Z] posterior means, or the codes of an autoencoder
    std: Tensor | None  # [N, Z]
    labels: Tensor  # [N] uint8


@st.cache_resource(show_spinner="Encoding the held-out images", max_entries=32)
def encoded(name: str) -> Encoded:
    """All held-out images, encoded by a bundled model."""
    loaded = checkpoint(name)
    model, source = loaded.model, held_out(loaded.dataset)
    with torch.inference_mode():
        posteriors = [model.encode(source.images(index)) for index in torch.arange(len(source)).split(500)]  # type: ignore[operator]
    codes = torch.cat([posterior.mean for posterior in posteriors])
    deterministic = posteriors[0].is_deterministic
    std = None if deterministic else torch.cat([posterior.std for posterior in posteriors])
    return Encoded(codes, std, source.labels)


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
    parts = [to_bytes(source.images(index)) for index in torch.arange(len(source)).split(1000)]
    return pack_thumbnails(torch.cat(parts), THUMBNAIL_SIDE)


@st.cache_resource(show_spinner=False, max_entries=16)
def decoded_plane(name: str, side: int) -> np.ndarray:
    """The plane of a model with two latents as one sheet of side x side pictures, decoded at the quantiles of
    its Gaussian: uint8 [H, W, C]."""
    codes = source_of_codes(name).place(prior_quantile_grid(side))
    return _decoded(name, codes).sheet.permute(1, 2, 0).numpy()


@st.cache_data(show_spinner=False, max_entries=256)
def code_of(name: str, image: int) -> list[float]:
    """The code [Z] of one held-out image: the mean of its posterior, or the autoencoder's code."""
    loaded = checkpoint(name)
    with torch.inference_mode():
        posterior = loaded.model.encode(held_out(loaded.dataset).images(torch.tensor([image])))  # type: ignore[operator]
    return posterior.mean[0].tolist()


@dataclass(frozen=True)
class Decoded:
    """n x n decoded pictures, and the codes that they were decoded from."""

    sheet: Tensor  # [C, n H, n W] uint8
    codes: Tensor  # [n n, Z], in reading order


@st.cache_resource(show_spinner=False, max_entries=32)
def source_of_codes(name: str) -> Gaussian:
    """Where a model's new codes come from: its prior, or the Gaussian fitted to an autoencoder's held-out codes."""
    model = checkpoint(name).model
    return standard_normal(model.config.latent) if model.is_generative else fit_gaussian(encoded(name).codes)  # type: ignore[arg-type, union-attr]


@st.cache_resource(show_spinner="Decoding", max_entries=48)
def decoded_grid(name: str, axes: tuple[int, int], spacing: str, reach: float, n: int) -> Decoded:
    """The plane of two latents, `reach` standard deviations each way about the centre; the other latents stay
    there. Spacing "linear", or "prior quantiles": pictures that each stand for the same share of the Gaussian."""
    cloud = source_of_codes(name)
    grid = linear_grid(n, reach) if spacing == "linear" else prior_quantile_grid(n, math.erf(reach / math.sqrt(2)))
    points = cloud.mean[list(axes)] + cloud.std[list(axes)] * grid
    return _decoded(name, embed(points, cloud.mean, axes))


@st.cache_resource(show_spinner="Decoding", max_entries=48)
def decoded_draws(name: str, seed: int, temperature: float, n: int) -> Decoded:
    """Codes drawn at random; one seed means the same standard normal draws for every model."""
    noise = torch.Generator().manual_seed(seed)
    return _decoded(name, source_of_codes(name).sample(n * n, noise, temperature))


def _decoded(name: str, codes: Tensor) -> Decoded:
    """Decode codes [n n, Z], a hundred at a time: the wide layers of a convolutional decoder take much memory."""
    model = checkpoint(name).model
    with torch.inference_mode():
        images = torch.cat([to_bytes(model.decode(part)) for part in codes.split(100)])  # type: ignore[operator]
    return Decoded(tile(images, math.isqrt(len(codes))), codes)


@st.cache_data(show_spinner=False)
def scores_over_seeds() -> dict[str, dict[str, dict[str, list[float]]]]:
    """What models trained again with other seeds scored: family -> variant -> score -> a value for each seed."""
    path = ASSETS / "results" / "seeds.json"
    return json.loads(path.read_text("utf-8")) if path.exists() else {}


@dataclass(frozen=True)
class Film:
    """What a path shows in T frames, and what the classifier of the data makes of them."""

    frames: Tensor  # [T, C, H, W] in [0, 1]
    changes: Tensor  # [T - 1], L2 of the pixels
    confidence: Tensor  # [T], the largest class probability
    seen: Tensor  # [T], the class that has it


@st.cache_resource(show_spinner=False, max_entries=64)
def film(dataset: str, name: str | None, a: int, b: int, path: str, points: int) -> Film:
    """The way from held-out image a to b: in the latent space of a model, or with None the blend of their pixels."""
    judge = classifier(dataset).model
    with torch.inference_mode():
        if name is None:
            start, end = held_out(dataset).images(torch.tensor([a, b]))
            frames = blend(start, end, points)
        else:
            codes = PATHS[path](torch.tensor(code_of(name, a)), torch.tensor(code_of(name, b)), points)
            frames = checkpoint(name).model.decode(codes)  # type: ignore[operator]
        confidence, seen = judge(frames).softmax(dim=-1).max(dim=-1)
    return Film(frames, step_sizes(frames), confidence, seen)


@st.cache_resource(show_spinner=False)
def spare_the_collector(page: str) -> None:
    """Take what the libraries of a page have built out of the garbage collector's sight, once a page.

    Streamlit collects garbage after every run. PyTorch's objects, which are here to stay, make that last 0.15 s,
    in which no message leaves the server; without them a control answers three times as fast.
    """
    gc.collect()
    gc.freeze()
    atexit.register(gc.unfreeze)  # they go in order when the server stops
