"""What the lesson on VQ-VAE-2 keeps: two levels of code maps, tops swapped between images, samples of two priors."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import streamlit as st
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from ui import cache
from ui.lessons import read_results, scores
from vae_core.data import dataset
from vae_core.folders import ASSETS
from vae_core.models import VQVAE2, PixelCNN
from vae_core.models.vq_vae import FACTOR

NAME, TOP_PRIOR, BOTTOM_PRIOR = "cifar-vq2", "cifar-vq2-top", "cifar-vq2-bottom"
ONE_LEVEL, ONE_PRIOR = "cifar-vq", "cifar-vq-prior"
DATA = "cifar10"
LEVELS = ("top", "bottom")
RESULTS, RESULTS_ONE = ASSETS / "results" / "vq_vae2.json", ASSETS / "results" / "vq_vae.json"
REMEDY = "Measure again: `python -m benchmarks.vq_vae2 --write`."
REMEDY_ONE = "Measure again: `python -m benchmarks.vq_vae`."
BEHIND_BOOK = 300  # held-out images whose cells show what a code stands for
Map = list[list[int]]  # [h][w] code numbers


def model() -> VQVAE2:
    return cache.model_of(NAME, VQVAE2)


def prior(name: str) -> PixelCNN:
    return cache.model_of(name, PixelCNN)


@torch.inference_mode()
def maps_of(picture: Tensor) -> tuple[Map, Map]:
    """The encoder's code maps of a picture [1, C, H, W], the top one first."""
    found = model().numbers(picture)
    return found.top[0].tolist(), found.bottom[0].tolist()


@torch.inference_mode()
def decoded(top: Map, bottom: Map) -> tuple[Tensor, Tensor]:
    """The pictures [C, H, W] of two code maps, and of the top one alone."""
    numbers = torch.tensor([top])
    return model().decode_levels(numbers, torch.tensor([bottom]))[0], model().decode_levels(numbers)[0]


@st.cache_resource(show_spinner="Looking at the codebooks", max_entries=4)
@torch.inference_mode()
def book(level: str) -> Tensor:
    """Every code of a level as a small picture [K, C, 4, 4]: the mean of its cells over the first held-out images. For
    the top, from the top alone, in half of its size; for the bottom, what it adds to the top alone, on middle grey. A
    code that none of these images has is seen in a map that has no other, the top of the first image above it."""
    vq, is_top = model(), level == "top"
    found = vq.numbers(cache.held_out(DATA).images(torch.arange(BEHIND_BOOK)))
    numbers, cell = getattr(found, level), FACTOR * (1 + is_top)

    def cells(top: Tensor, bottom: Tensor) -> Tensor:
        """What is shown of maps [N, h, w], by cell: [N, h, w, C, cell, cell]."""
        alone = vq.decode_levels(top)
        shown = alone if is_top else vq.decode_levels(top, bottom) - alone + 0.5
        return shown.unflatten(3, (-1, cell)).unflatten(2, (-1, cell)).permute(0, 2, 4, 1, 3, 5)

    each = cells(*found).flatten(0, 2)
    count = torch.bincount(numbers.flatten(), minlength=vq.config.codes).view(-1, 1, 1, 1)
    sums = each.new_zeros(vq.config.codes, *each.shape[1:]).index_add_(0, numbers.flatten(), each)
    if len(rare := (count.flatten() == 0).nonzero()[:, 0]):
        same = rare[:, None, None].expand(-1, *numbers.shape[1:])
        top = same if is_top else found.top[:1].expand(len(rare), -1, -1)
        sums[rare] = cells(top, same)[:, 2, 2]
    return avg_pool2d(sums / count.clamp_min(1), cell // FACTOR).clamp(0, 1)


def scored_on() -> str:
    """On how many images the stored scores were measured: all, whatever is here."""
    return f"{cache.checkpoint(NAME).metrics['held_out']:,} held-out images of {dataset(DATA).title}."


def usage(level: str) -> list[float]:
    """The share [K] of each code of a level in all choices for held-out images."""
    return scores(NAME, f"usage_{level}")[f"usage_{level}"]


class Swapped(NamedTuple):
    """Pictures and their codes mixed."""

    pictures: Tensor  # [N, C, H, W]
    alone: Tensor  # [N, C, H, W]: each from its top alone
    mixed: Tensor  # [N, N, C, H, W]: row i has the top of i, column j the bottom of j


@torch.inference_mode()
def swapped(first: int, count: int) -> Swapped:
    """So many held-out images from one on, the last ones followed by the first."""
    source = cache.held_out(DATA)
    pictures = source.images((first + torch.arange(count)) % len(source))
    top, bottom = model().numbers(pictures)
    mixed = model().decode_levels(top.repeat_interleave(count, 0), bottom.repeat(count, 1, 1))
    return Swapped(pictures, model().decode_levels(top), mixed.unflatten(0, (count, count)))


class Drawn(NamedTuple):
    """Pictures [N, C, H, W] of maps that were drawn."""

    tops: Tensor  # from the top alone
    whole: list[Tensor]  # the same tops, each time with other bottoms drawn given them
    chance_below: Tensor  # the same tops, with bottoms by chance
    chance: Tensor  # both levels by chance


@st.cache_data(show_spinner=False, max_entries=64)
@torch.inference_mode()
def drawn(count: int, times: int, seed: int, label: int | None) -> Drawn:
    """Tops from their prior, all of one label or of each in turn, and bottoms given them, several for each top."""
    top_prior, bottom_prior, vq = prior(TOP_PRIOR), prior(BOTTOM_PRIOR), model()
    noise = torch.Generator().manual_seed(seed)
    above, below = top_prior.config.image[1:], bottom_prior.config.image[1:]
    labels = torch.arange(count) % top_prior.config.classes if label is None else torch.full((count,), label)
    tops = top_prior.sample(torch.rand(count, *above, generator=noise), labels)
    many = tops.repeat(times, 1, 1)
    bottoms = bottom_prior.sample(torch.rand(len(many), *below, generator=noise), labels.repeat(times), given=many)
    other = torch.randint(vq.config.codes, (count, *below), generator=noise)
    chance = torch.randint(vq.config.codes, (count, *above), generator=noise)
    whole = list(vq.decode_levels(many, bottoms).split(count))
    return Drawn(vq.decode_levels(tops), whole, vq.decode_levels(tops, other), vq.decode_levels(chance, other))


@torch.inference_mode()
def copies(pictures: Tensor) -> Tensor:
    """Pictures [B, C, H, W], each by way of its codes."""
    return model().decode_levels(*model().numbers(pictures))


def results() -> dict[str, Any]:
    """What the benchmark stored: Frechet distances, and what a swapped picture has of either side."""
    return read_results(RESULTS, REMEDY)


SIZES = ("8 and more", "4", "2", "1")  # pixels: the parts of a picture in vae_core.metrics.vq_vae2


class BySize(NamedTuple):
    """Shares [4] for parts of a picture from large to small, in the order of SIZES."""

    top: list[float]  # of the variance, explained by the top alone
    both: list[float]
    nearer: list[float]  # mixed pictures that are nearer to the one that gave the top


def by_size() -> BySize:
    told = scores(NAME, "bands", "top_bands")
    top, both = ([1 - share for share in told[key]] for key in ("top_bands", "bands"))
    return BySize(top, both, results()["nearer_to_top"])


COMPARED = (
    "codes an image", "bits, all codes alike", "bits under the priors", "MSE / variance",
    "MSE / variance, top alone", "perplexity of a codebook", "FID of copies", "FID of samples", "FID, codes by chance",
)  # fmt: skip


def columns() -> dict[str, list[str]]:
    """What one level and two levels score on held-out images, as texts in the order of COMPARED."""
    one, two = scores(ONE_LEVEL, "unexplained", "perplexity"), cache.checkpoint(NAME).metrics
    fid_one, fid_two = read_results(RESULTS_ONE, REMEDY_ONE)["photographs"], results()
    nats = [scores(name, "map_nats")["map_nats"] for name in (ONE_PRIOR, TOP_PRIOR, BOTTOM_PRIOR)]
    cells = [math.prod(prior(name).config.image[1:]) for name in (ONE_PRIOR, TOP_PRIOR, BOTTOM_PRIOR)]
    bits = [count * math.log2(prior(name).config.codes) for count, name in zip(
        cells, (ONE_PRIOR, TOP_PRIOR, BOTTOM_PRIOR), strict=True
    )]  # fmt: skip
    told = [each / math.log(2) for each in nats]
    return {
        "one level": [
            f"{cells[0]}", f"{bits[0]:.0f}", f"{told[0]:.0f}", f"{one['unexplained']:.3f}", "\N{EN DASH}",
            f"{one['perplexity']:.0f}", f"{fid_one['copies']:.0f}", f"{fid_one['prior']:.0f}",
            f"{fid_one['chance']:.0f}",
        ],
        "two levels": [
            f"{cells[1]} + {cells[2]}", f"{bits[1]:.0f} + {bits[2]:.0f}", f"{told[1]:.0f} + {told[2]:.0f}",
            f"{two['unexplained']:.3f}", f"{two['top_unexplained']:.3f}",
            f"{two['perplexity_top']:.0f}, {two['perplexity_bottom']:.0f}", f"{fid_two['copies']:.0f}",
            f"{fid_two['priors']:.0f}", f"{fid_two['chance']:.0f}",
        ],
    }  # fmt: skip
