"""What the lesson on VQ-VAEs keeps: code maps, codes as pictures, samples of priors, three gradients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import streamlit as st
import torch
from torch import Tensor

from ui import cache
from ui.lessons import read_results, scores
from ui.sheet.axes import minus
from vae_core.errors import InvalidInput
from vae_core.folders import ASSETS
from vae_core.models import VQVAE, PixelCNN
from vae_core.models.quantiser import Quantiser
from vae_core.models.vq_vae import FACTOR

RESULTS = ASSETS / "results" / "vq_vae.json"
BEHIND_BOOK = 300  # held-out images whose cells show what a code stands for
REMEDY = "Measure again: `python -m benchmarks.vq_vae`."


@dataclass(frozen=True)
class Offered:
    """A bundled VQ-VAE, the data that it knows, and how its codebook learned."""

    name: str
    data: str
    learned: str


EXPLORED = {
    "photographs": Offered("cifar-vq", "cifar10", "moving means, dead codes restarted"),
    "digits": Offered("mnist-vq", "mnist", "moving means, dead codes restarted"),
    "digits, dying codebook": Offered("mnist-vq-dead", "mnist", "gradient, no restarts"),
}
COMPARED = {  # on the same data, with the same networks
    "moving means": "mnist-vq",
    "gradient": "mnist-vq-gradient",
    "gradient, no restarts": "mnist-vq-dead",
}
PRIORS = {"photographs": "cifar-vq-prior", "digits": "mnist-vq-prior"}


def model(name: str) -> VQVAE:
    return cache.model_of(name, VQVAE)


def prior(name: str) -> PixelCNN:
    return cache.model_of(name, PixelCNN)


@torch.inference_mode()
def numbers(name: str, picture: Tensor) -> list[list[int]]:
    """The encoder's code map [h][w] of a picture [1, C, H, W]."""
    return model(name).numbers(picture)[0].tolist()


@torch.inference_mode()
def decoded(name: str, at: list[list[int]]) -> Tensor:
    """The picture [C, H, W] of a code map [h][w]."""
    return model(name).decode_numbers(torch.tensor([at]))[0]


@st.cache_resource(show_spinner=False, max_entries=64)
@torch.inference_mode()
def copies(name: str, data: str, images: tuple[int, ...]) -> Tensor:
    """Held-out images, each by way of its codes: [len(images), C, H, W]."""
    x = cache.held_out(data).images(torch.tensor(images))
    return model(name).decode_numbers(model(name).numbers(x))


@st.cache_resource(show_spinner="Looking at the codebook", max_entries=8)
@torch.inference_mode()
def book(name: str, data: str) -> Tensor:
    """Every code as a small picture [K, C, 4, 4]: the mean of what the decoder puts into its cells over the first
    held-out images; for one that none of these has, the middle of a picture made of nothing else."""
    vq = model(name)
    maps = vq.numbers(cache.held_out(data).images(torch.arange(BEHIND_BOOK)))  # [N, h, w]
    cells = vq.decode_numbers(maps).unflatten(3, (-1, FACTOR)).unflatten(2, (-1, FACTOR))  # [N, C, h, 4, w, 4]
    cells = cells.permute(0, 2, 4, 1, 3, 5).flatten(0, 2)  # [N h w, C, 4, 4]
    count = torch.bincount(maps.flatten(), minlength=vq.config.codes).view(-1, 1, 1, 1)
    sums = cells.new_zeros(vq.config.codes, *cells.shape[1:]).index_add_(0, maps.flatten(), cells)
    rare = (count.flatten() == 0).nonzero()[:, 0]
    if len(rare):
        alone = vq.decode_numbers(rare[:, None, None].expand(-1, 3, 3))
        sums[rare] = alone[..., FACTOR : 2 * FACTOR, FACTOR : 2 * FACTOR]
    return sums / count.clamp_min(1)


@st.cache_data(show_spinner=False, max_entries=64)
@torch.inference_mode()
def drawn(name: str, count: int, seed: int, label: int | None) -> Tensor:
    """Pictures [count, C, H, W] of maps from a prior, all of one label, or of each in turn."""
    told, noise = prior(name).config, torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % told.classes if label is None else torch.full((count,), label)
    maps = prior(name).sample(torch.rand(count, *told.image[1:], generator=noise), labels)
    return model(told.codes_of).decode_numbers(maps)


@torch.inference_mode()
def by_chance(name: str, count: int, seed: int) -> Tensor:
    """Pictures [count, C, H, W] of maps whose codes are all alike likely: a VQ-VAE without a prior."""
    config, noise = model(name).config, torch.Generator().manual_seed(seed)
    sides = [side // FACTOR for side in config.image[1:]]
    return model(name).decode_numbers(torch.randint(config.codes, (count, *sides), generator=noise))


def usage(name: str) -> list[float]:
    """The share [K] of each code in all choices for held-out images."""
    return scores(name, "usage")["usage"]


SCORED = ("MSE / variance", "perplexity", "codes in use", "recon, nats", "codebook", "\u03b2 commitment")


def column(name: str) -> list[str]:
    """What a codebook scores on held-out images, as texts in the order of SCORED."""
    config, found = model(name).config, scores(name, "recon", "distance", "unexplained", "perplexity", "used")
    return [
        f"{found['unexplained']:.3f}", f"{found['perplexity']:.0f}", f"{found['used']}",
        minus(f"{found['recon']:.0f}"), f"{found['distance']:.1f}", f"{config.beta * found['distance']:.1f}",
    ]  # fmt: skip


def results(title: str) -> dict[str, Any]:
    """FIDs of a prior, as the benchmark stored them. Raises InvalidInput where it did not."""
    found = read_results(RESULTS, REMEDY)
    if title not in found:
        raise InvalidInput(f"The maps of {title} have not been measured. {REMEDY}")
    return found[title]


# Three terms and what they move, in a plane.
BOOK = ((-1.3, 0.9), (1.5, 1.2), (0.2, -1.2), (1.9, -0.9), (-1.6, -1.0))  # five codes of two dimensions
GOAL = (0.9, 2.1)  # where the decoder would rather have its input
TERMS = ("reconstruction", "codebook", "commitment", "all three")
PULL = 0.6  # weight of the small problem's reconstruction


class Pulled(NamedTuple):
    """One vector, the code that it gets, and where gradient descent moves both: minus the gradients, each [2]."""

    chosen: int
    on_input: tuple[float, float]  # of the decoder, for the reconstruction's sake
    on_vector: tuple[float, float]
    on_code: tuple[float, float]


def pulled(vector: tuple[float, float], term: str, beta: float, straight: bool = True) -> Pulled:
    """The gradients of one term of the loss, by the quantiser of the models above. Without straight-through the decoder
    sees the code itself, and the encoder nothing of the reconstruction."""
    quantiser = Quantiser(len(BOOK), 2, update="gradient", restart=0.0).eval()
    with torch.no_grad():
        quantiser.codes.copy_(torch.tensor(BOOK))
    z = torch.tensor(vector).view(1, 2, 1, 1).requires_grad_()
    said = quantiser(z)
    seen = said.vectors if straight else quantiser.lookup(said.numbers)
    recon = PULL * ((seen - torch.tensor(GOAL).view(1, 2, 1, 1)) ** 2).sum()
    terms = {"reconstruction": recon, "codebook": said.codebook, "commitment": beta * said.commitment}
    total = sum(terms.values(), torch.zeros(())) if term == TERMS[-1] else terms[term]
    slopes = torch.autograd.grad(total, [z, quantiser.codes, seen], allow_unused=True)
    chosen = int(said.numbers)
    on_vector, on_codes, on_input = (None if slope is None else -slope for slope in slopes)
    return Pulled(chosen, pair(on_input), pair(on_vector), pair(None if on_codes is None else on_codes[chosen]))


def pair(value: Tensor | None) -> tuple[float, float]:
    """Two numbers of a tensor of two; none is nothing."""
    if value is None:
        return 0.0, 0.0
    first, second = value.flatten().tolist()
    return first, second
