"""What the lesson on collapse, holes and missing modes keeps: stored measurements, fitted priors, pictures of codes."""

from __future__ import annotations

from typing import Any, NamedTuple

import streamlit as st
import torch
from safetensors.torch import load_file
from torch import Tensor

from ui import cache
from ui.latent_rows import Strip
from ui.lessons import expect, read_results, scores, usable
from vae_core.data.binarise import Binarised
from vae_core.errors import InvalidInput
from vae_core.folders import ASSETS
from vae_core.latent.flow import Flow
from vae_core.latent.grids import tile
from vae_core.latent.holes import Window, window_grid
from vae_core.latent.pictures import to_bytes
from vae_core.latent.priors import Gaussian, Mixture, standard_normal
from vae_core.latent.traversals import order_by_kl, traverse
from vae_core.models import AutoregressiveVAE
from vae_core.runs.scores import BINARISED

DATA = "mnist"
RESULTS, FITS = ASSETS / "results" / "collapse.json", ASSETS / "results" / "collapse.safetensors"
REMEDY = "Make it again: `python -m benchmarks.collapse --write`."
WAYS = {"the whole KL from the first step": "whole", "a KL that is faded in": "warm-up", "free bits": "free-bits"}
SHORT = ("whole\N{NO-BREAK SPACE}KL", "faded\N{NO-BREAK SPACE}in", "free\N{NO-BREAK SPACE}bits")  # the same in tables
CLEAR = 0.8  # probability of a class, from which on a picture counts as clear; so it did in the benchmark
AWAKE = 0.1  # nats that a latent tells at least
REACHES = torch.linspace(-2.5, 2.5, 15)  # where a latent is moved to
PRIORS = {"N(0, I)": "normal", "Gaussian": "gaussian", "mixture": "mixture", "flow": "flow"}
PLANES = {
    "beta 0.1": "mnist-2d-vae-beta0.1", "beta 1": "mnist-2d-vae-beta1", "beta 8": "mnist-2d-vae-beta8",
}  # fmt: skip
DEEP = {"the VAE, beta 1": "mnist-10d-vae-beta1", "the autoencoder": "mnist-10d-ae"}
SAMPLERS = {  # whose samples may miss something: a model, and where its codes come from
    "2 latents, beta 8": ("mnist-2d-vae-beta8", "normal"),
    "2 latents, beta 1": ("mnist-2d-vae-beta1", "normal"),
    "2 latents, beta 0.1": ("mnist-2d-vae-beta0.1", "normal"),
    "2 latents, beta 0.1, a mixture": ("mnist-2d-vae-beta0.1", "mixture"),
    "2 latents, told the class": ("mnist-2d-cvae", "normal"),
    "8 latents, told the class": ("mnist-8d-cvae", "normal"),
    "10 latents, beta 1": ("mnist-10d-vae-beta1", "normal"),
    "10 latents, beta 1, a mixture": ("mnist-10d-vae-beta1", "mixture"),
}
REACH = 6.0  # nats at the ends of the map's colours
FAINT = -9.0  # log density below which neither prior nor codes count


@st.cache_resource(show_spinner=False)
def results() -> dict[str, Any]:
    """What benchmarks/collapse.py measured. InvalidInput where the file is missing or damaged."""
    found = read_results(RESULTS, REMEDY)
    with usable(RESULTS, REMEDY):
        for told in found["models"].values():
            for each in told.values() if "kept_class" not in told else ():
                expect(len(each["classes"]) == len(each["class_coverage"]) == 10)
                expect(all(isinstance(each[key], float) for key in ("precision", "recall", "coverage", "frechet")))
        expect(len(found["classes"]) == 10 and found["samples"] > 0 and found["draws"] > 0 and found["fitted"] > 0)
        expect(found["of_data"]["coverage"] > 0)
    return found


@st.cache_resource(show_spinner=False)
def tensors() -> dict[str, Tensor]:
    with usable(FITS, REMEDY):
        return load_file(FITS)


def stored(name: str, key: str) -> Tensor:
    """A tensor of one model, as the benchmark kept it."""
    found = tensors().get(f"{name}/{key}")
    if found is None:
        raise InvalidInput(f"{FITS} lacks {key} of {name}. {REMEDY}")
    return found


def measured(name: str, prior: str) -> dict[str, Any]:
    """The scores of samples from a model and a prior."""
    try:
        return results()["models"][name][prior]
    except KeyError as error:
        raise InvalidInput(f"{RESULTS} lacks {prior} of {name}. {REMEDY}") from error


def samplers() -> dict[str, tuple[str, str]]:
    """Those of the SAMPLERS that were measured."""
    models = results()["models"]
    return {title: each for title, each in SAMPLERS.items() if each[1] in models.get(each[0], {})}


def offered(names: dict[str, str]) -> dict[str, str]:
    """Those of some models, by title, that were measured."""
    return {title: name for title, name in names.items() if name in results()["models"]}


# A code that sleeps.


def deep_name(way: str) -> str:
    """The deep VAE that was trained in one of the WAYS."""
    return f"mnist-deep-{way}"


def before_name(way: str) -> str:
    """The VAE whose decoder sees the pixels before, trained in one of the WAYS."""
    return f"mnist-before-{way}"


@st.cache_resource(show_spinner="Decoding", max_entries=8)
def strips(name: str) -> list[Strip]:
    """The latents of a model, the one with the largest KL first, each moved to the REACHES with the others at 0."""
    kl = scores(name, "kl_per_latent")["kl_per_latent"]
    found = []
    for place in order_by_kl(torch.tensor(kl)).tolist():
        with torch.inference_mode():
            codes = traverse(torch.zeros(len(kl)), place, REACHES)
            pictures = cache.checkpoint(name).model.decode(codes)  # type: ignore[operator]
        row = tile(to_bytes(pictures), len(REACHES))
        found.append(Strip(f"latent {place + 1}", kl[place], kl[place] > AWAKE, row))
    return found


def model(name: str) -> AutoregressiveVAE:
    return cache.model_of(name, AutoregressiveVAE)


@st.cache_resource(show_spinner=False, max_entries=16)
def specimens(turn: int) -> Tensor:
    """Numbers of held-out images, the `turn`-th of each class."""
    labels = cache.held_out(DATA).labels
    return torch.stack([(labels == label).nonzero()[turn, 0] for label in range(10)])


def black_and_white(index: Tensor) -> Tensor:
    """Held-out images [N, C, H, W], binarised as the models are scored."""
    return Binarised(cache.held_out(DATA), BINARISED).images(index)


@st.cache_resource(show_spinner=False, max_entries=64)
def drawn(name: str, turn: int, seed: int, throws: int) -> Tensor:
    """Pictures [throws, 10, C, H, W]: for each throw of the dice, one for the code of each of the specimens."""
    with torch.inference_mode():
        z = model(name).encode(black_and_white(specimens(turn))).mean
        dice = torch.rand(throws, *model(name).config.image, generator=torch.Generator().manual_seed(seed))
        shape = (throws, len(z), *dice.shape[1:])
        rolled = dice[:, None].expand(shape).flatten(0, 1)
        return model(name).draw(z.repeat(throws, 1), rolled).view(shape)


def compared(names: list[str]) -> dict[str, list[str]]:
    """What models that were trained in all the WAYS score on held-out images, as columns of texts."""
    found = [scores(name, "kl", "elbo", "kl_per_latent") for name in names]
    kept = [results()["models"].get(name, {}).get("kept_class") for name in names]
    return {
        "KL": [f"{each['kl']:.1f}" for each in found],
        "\N{MINUS SIGN}ELBO": [f"{-each['elbo']:.1f}" for each in found],
        "awake": [str(sum(kl > AWAKE for kl in each["kl_per_latent"])) for each in found],
        "class kept": ["not measured" if share is None else f"{share:.0%}" for share in kept],
    }


# Codes that no image has.


@st.cache_resource(show_spinner=False, max_entries=32)
def prior(name: str, kind: str) -> Gaussian | Mixture | Flow:
    """Where codes of a model are drawn from."""
    latent = int(cache.checkpoint(name).model.config.latent)  # type: ignore[arg-type, union-attr]
    if kind == "normal":
        return standard_normal(latent)
    if kind == "gaussian":
        return Gaussian(*(stored(name, f"gaussian.{key}") for key in Gaussian._fields))
    if kind == "mixture":
        return Mixture(*(stored(name, f"mixture.{key}") for key in Mixture._fields))
    flow = Flow(latent)
    flow.load_state_dict({key: stored(name, f"flow.{key}").float() for key in flow.state_dict()})
    return flow.requires_grad_(False)


class Drawn(NamedTuple):
    """Codes and the pictures that they decode to."""

    codes: Tensor  # [N, Z]
    pictures: Tensor  # [N, C, H, W]


@st.cache_resource(show_spinner=False, max_entries=64)
def draws(name: str, kind: str, count: int, seed: int) -> Drawn:
    """Codes from a prior of a model, decoded."""
    with torch.inference_mode():
        codes = prior(name, kind).sample(count, torch.Generator().manual_seed(seed))
        return Drawn(codes, cache.checkpoint(name).model.decode(codes))  # type: ignore[operator]


@st.cache_data(show_spinner=False, max_entries=64)
@torch.inference_mode()
def unclear(name: str, kind: str, count: int, seed: int) -> int:
    """In how many of these draws the classifier sees no class with confidence."""
    sure = cache.classifier(DATA).model(draws(name, kind, count, seed).pictures).softmax(-1).amax(-1)
    return int((sure < CLEAR).sum())


class Plane(NamedTuple):
    """How much more a prior promises than the codes of held-out images keep, on a square of the plane."""

    excess: Tensor  # [n, n] log p(z) - log q(z), nats, row 0 at the bottom; nan where both are next to nothing
    low: tuple[float, float]
    high: tuple[float, float]


@st.cache_resource(show_spinner=False, max_entries=16)
def plane(name: str, kind: str) -> Plane:
    """The map of a model with two latents before one of its priors."""
    aggregate = stored(name, "aggregate").float()
    side = round(len(aggregate) ** 0.5)
    low, high = (tuple(row) for row in stored(name, "window").tolist())
    with torch.inference_mode():
        promised = prior(name, kind).log_density(window_grid(Window(low, high), side))
    excess = torch.where(torch.maximum(promised, aggregate) < FAINT, torch.nan, promised - aggregate)
    return Plane(excess.view(side, side).flip(0), low, high)


# Pictures that never come.


def missed(name: str, kind: str) -> tuple[Tensor, Tensor, Tensor]:
    """The held-out images that samples came least near, the nearest sample to each, [N, C, H, W] both, and the
    numbers [N] of the images."""
    worst = stored(name, f"{kind}.worst")
    return cache.held_out(DATA).images(worst), stored(name, f"{kind}.twins").float() / 255, worst
