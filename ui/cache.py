"""Every cached load: models and packs as shared resources, arrays as copies, each bounded.

What comes from here is shared by all sessions. Never change it in place. Names of models are those of their cards
(ui.cards): that of a run carries a hash of its files, so nothing kept here ever shows an older training.
"""

from __future__ import annotations

import atexit
import gc
import json
import math
import os
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np
import streamlit as st
import torch
from torch import Tensor
from torch.nn.functional import pad

from ui.cards import RUN, run_folder
from vae_core.checkpoints import Checkpoint, read_bundled, read_model, round_weights
from vae_core.data import ImageSource, dataset
from vae_core.errors import InvalidInput
from vae_core.folders import ASSETS
from vae_core.latent.browser import pack_decoder, pack_points, pack_thumbnails
from vae_core.latent.grids import embed, linear_grid, prior_quantile_grid, tile
from vae_core.latent.paths import PATHS, blend, step_sizes
from vae_core.latent.pictures import to_bytes
from vae_core.latent.priors import Gaussian, fit_gaussian, standard_normal
from vae_core.losses import kl_to_standard_normal
from vae_core.recipes import judge_of
from vae_core.runs.queue import usable_cores

THUMBNAIL_SIDE = 28  # pixels
MOST_NUMBERS = 2_000_000  # in a cloud of codes, for the browser gets all of it: 10,000 images of up to 200 latents

Kind = TypeVar("Kind")  # of model


@st.cache_resource(show_spinner="Loading the model", max_entries=32)
def checkpoint(name: str) -> Checkpoint:
    """A bundled model or a run's. Weights are rounded as they are for the browser, so that both decode alike."""
    if not name.startswith(RUN):
        return read_bundled(name)
    loaded = read_model(run_folder(name))
    run_folder(name)  # still the same: it was not written to while it was read
    round_weights(loaded.model, "float16")
    if not all(parameter.isfinite().all() for parameter in loaded.model.parameters()):
        raise InvalidInput(f"The weights of {loaded.name} are too large for the browser; train it again, slower.")
    return loaded


def model_of(name: str, kind: type[Kind]) -> Kind:
    """The model of a checkpoint that a lesson knows the kind of."""
    found = checkpoint(name).model
    assert isinstance(found, kind)
    return found


def has_judge(data: str) -> bool:
    """Whether there is a classifier that judges pictures of a dataset."""
    return judge_of(data) is not None


def classifier(data: str) -> Checkpoint:
    """The classifier that judges pictures of a dataset. Raises InvalidInput where there is none."""
    name = judge_of(data)
    if name is None:
        raise InvalidInput(f"No classifier judges pictures of {dataset(data).title}; add a recipe for one.")
    return checkpoint(name)


def held_out(data: str) -> ImageSource:
    """The images on which nothing here was trained; never older ones than those that now have this name."""
    return _held_out(data, dataset(data).stamp)


@st.cache_resource(show_spinner="Opening the held-out images", max_entries=8)
def _held_out(data: str, stamp: str) -> ImageSource:
    return dataset(data).load("test")


@dataclass(frozen=True)
class Encoded:
    """Held-out images of a dataset, the first N, as one model encodes them."""

    codes: Tensor  # [N, Z] posterior means, or the codes of an autoencoder
    std: Tensor | None  # [N, Z]
    labels: Tensor  # [N] uint8


@st.cache_resource(show_spinner="Encoding the held-out images", max_entries=32)
def encoded(name: str) -> Encoded:
    """The held-out images, encoded: all of them, unless a model has so many latents that the browser could not
    hold their codes."""
    loaded = checkpoint(name)
    model, source = loaded.model, held_out(loaded.dataset)
    count = min(len(source), MOST_NUMBERS // int(model.config.latent))  # type: ignore[arg-type, union-attr]
    with torch.inference_mode():
        posteriors = [model.encode(source.images(index)) for index in torch.arange(count).split(500)]  # type: ignore[operator]
    codes = torch.cat([posterior.mean for posterior in posteriors])
    deterministic = posteriors[0].is_deterministic
    std = None if deterministic else torch.cat([posterior.std for posterior in posteriors])
    return Encoded(codes, std, source.labels[:count])


class Use(NamedTuple):
    """What a VAE does with each latent, and over how many held-out images that was measured."""

    kl: list[float]  # [Z] nats per image
    activity: list[float]  # [Z] variance of the posterior means
    images: int


@st.cache_data(show_spinner=False, max_entries=64)
def use_of_latents(name: str) -> Use:
    """KL and activity of each latent of a VAE, for one whose scores were not measured."""
    cloud = encoded(name)
    assert cloud.std is not None, "an autoencoder has no KL"
    kl = kl_to_standard_normal(cloud.codes.double(), 2 * cloud.std.double().log()).mean(0)
    return Use(kl.tolist(), cloud.codes.double().var(dim=0, correction=0).tolist(), len(cloud.codes))


@st.cache_resource(show_spinner=False, max_entries=32)
def decoder_pack(name: str) -> bytes:
    model = checkpoint(name).model
    return pack_decoder(model.decoder, model.config.image, model.config.latent, model.pixels)  # type: ignore[arg-type, union-attr]


@st.cache_resource(show_spinner=False, max_entries=32)
def points_pack(name: str) -> bytes:
    cloud = encoded(name)
    return pack_points(cloud.codes, cloud.std, cloud.labels, dataset(checkpoint(name).dataset).class_names)


def thumbnails_pack(data: str) -> bytes:
    """All held-out images as one atlas of small square pictures."""
    return _thumbnails_pack(data, dataset(data).stamp)


@st.cache_resource(show_spinner="Preparing the thumbnails", max_entries=4)
def _thumbnails_pack(data: str, stamp: str) -> bytes:
    source = held_out(data)
    _, height, width = source.shape
    across, down = max(0, height - width), max(0, width - height)  # what an oblong picture lacks of a square
    border = (across // 2, across - across // 2, down // 2, down - down // 2)
    parts = [to_bytes(pad(source.images(index), border)) for index in torch.arange(len(source)).split(1000)]
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
def decoded_line(name: str, spacing: str, reach: float, n: int) -> Decoded:
    """The only latent of a model with one: n n codes in reading order, `reach` standard deviations each way, spaced
    as in `decoded_grid`."""
    cloud = source_of_codes(name)
    if spacing == "linear":
        u = torch.linspace(-reach, reach, n * n)
    else:
        coverage = math.erf(reach / math.sqrt(2))
        middles = (torch.arange(n * n, dtype=torch.float64) + 0.5) / (n * n)
        u = torch.special.ndtri((1 - coverage) / 2 + coverage * middles).float()
    return _decoded(name, cloud.mean + cloud.std * u[:, None])


@st.cache_resource(show_spinner=False, max_entries=48)
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
    confidence: Tensor | None  # [T], the largest class probability; None where the data have no classifier
    seen: Tensor | None  # [T], the class that has it


def film(data: str, name: str | None, a: int, b: int, path: str, points: int) -> Film:
    """The way from held-out image a to b: in the latent space of a model, or with None the blend of their pixels."""
    return _film(data, dataset(data).stamp, name, a, b, path, points)


@st.cache_resource(show_spinner=False, max_entries=64)
def _film(data: str, stamp: str, name: str | None, a: int, b: int, path: str, points: int) -> Film:
    with torch.inference_mode():
        if name is None:
            start, end = held_out(data).images(torch.tensor([a, b]))
            frames = blend(start, end, points)
        else:
            codes = PATHS[path](torch.tensor(code_of(name, a)), torch.tensor(code_of(name, b)), points)
            frames = checkpoint(name).model.decode(codes)  # type: ignore[operator]
        if not has_judge(data):
            return Film(frames, step_sizes(frames), None, None)
        confidence, seen = classifier(data).model(frames).softmax(dim=-1).max(dim=-1)
    return Film(frames, step_sizes(frames), confidence, seen)


@st.cache_resource(show_spinner=False)
def share_the_cores() -> None:
    """Let each visitor's page compute with half of the cores.

    Threads of PyTorch wait for one another at the end of every layer. Where a browser or another visitor's page has
    one of their cores, all of them stand still: on a busy machine small networks took tens of times as long.
    """
    if not os.environ.get("OMP_NUM_THREADS"):  # else somebody has decided
        torch.set_num_threads(max(1, usable_cores() // 2))


@st.cache_resource(show_spinner=False)
def spare_the_collector(page: str) -> None:
    """Take what the libraries of a page have built out of the garbage collector's sight, once a page.

    Streamlit collects garbage after every run. PyTorch's objects, which are here to stay, make that last 0.15 s,
    in which no message leaves the server; without them a control answers three times as fast.
    """
    gc.collect()
    gc.freeze()
    atexit.register(gc.unfreeze)  # they go in order when the server stops
