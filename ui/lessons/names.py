"""What the lesson on names keeps: codes of known names, ladders between two, draws, and what the benchmark measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import streamlit as st
import torch
from torch import Tensor

from ui.cache import checkpoint, model_of
from ui.lessons import expect, read_results, scores, usable
from ui.palette import CLASS_COLOURS, RUN_COLOURS
from vae_core.data.names import WordList, pictures_of, read_list, spelled
from vae_core.errors import InvalidInput
from vae_core.folders import ASSETS
from vae_core.latent.paths import straight
from vae_core.latent.pca import PCA, Moments, pca
from vae_core.latent.spelling import Written, beam, drawn, greedy
from vae_core.losses import kl_to_standard_normal
from vae_core.models import NameVAE

PLAIN, START = "plain", "all three"
OFFERED = {  # how the page calls the models
    PLAIN: "names-plain",
    "annealing": "names-annealed",
    "free bits": "names-free-bits",
    "annealing + word dropout": "names-word-dropout",
    START: "names-together",
    "beta 0.1": "names-beta0.1",
}
COLOURS = {
    name: colour
    for name, colour in zip(OFFERED, ("#868d97", *RUN_COLOURS, CLASS_COLOURS[1]), strict=True)
}  # fmt: skip
CURES = tuple(name for name in OFFERED if name != PLAIN)
READ_BY = ("likeliest letters", "beam search")
BEAM, RUNGS, DRAWS = 8, 9, 12
RESULTS = ASSETS / "results" / "names.json"
REMEDY = "Make it again: `python -m benchmarks.names --write`, with the names in the folder LATENT_DATA."
MOST_WORDS = 2000  # of somebody's own list, on the page
# Given names that many people know, written down for this page; whether one of them was trained on is measured.
_KNOWN = """
    emma oliver anna james maria david sarah john laura peter alice henry julia martin clara thomas sophia lucas elena
    daniel grace oscar nora samuel eva felix ruby leo ida hugo mia paul zoe max lily ben amy jack ella adam
    charlotte alexander isabella sebastian elizabeth christopher katherine benjamin margaret nathaniel victoria william
    amelia theodore josephine frederick penelope jonathan gabriella dominic annabelle maximilian evangeline zachary
    marianne michael johanna michelle joanna stephen susanna robert roberta edward edith george georgia frank frances
    carl carla eric erica louis louise simon simone andrew andrea victor vivian walter wendy aaron aria caleb chloe
    dylan daisy ethan esther gavin gemma isaac iris jacob jade kevin kate liam lena mason molly noah naomi owen olive
    quinn rachel ryan rose tyler tara vincent violet xavier yara yusuf fatima ahmed aisha omar leila mohammed ali kenji
    yuki hiro akira chen mei ravi priya arjun anika diego sofia carlos lucia mateo valentina ivan natasha boris olga
"""
KNOWN = tuple(_KNOWN.split())


def model(title: str) -> NameVAE:
    return model_of(OFFERED[title], NameVAE)


def trained(title: str) -> str:
    """How a model was trained, for captions."""
    return f"{checkpoint(OFFERED[title]).training['epochs']} epochs"


@torch.inference_mode()
def codes_of(title: str, words: Sequence[str]) -> Tensor:
    """Posterior means [N, Z]."""
    return model(title).encode(pictures_of(words)).mean


class Ladder(NamedTuple):
    """Words on the way between two, and how likely each is for its code."""

    codes: Tensor  # [T, Z]
    words: list[str]
    chances: list[float]


@st.cache_data(show_spinner=False, max_entries=512)
def ladder(title: str, a: str, b: str, read_by: str) -> Ladder:
    """The straight way between the codes of two names, decoded at equal steps."""
    first, last = codes_of(title, [a, b])
    codes = straight(first, last, RUNGS)
    return Ladder(codes, *_words(read(model(title), codes, read_by)))


def read(found: NameVAE, codes: Tensor, read_by: str) -> Written:
    return beam(found, codes, BEAM) if read_by == READ_BY[1] else greedy(found, codes)


def _words(written: Written) -> tuple[list[str], list[float]]:
    return spelled(written.numbers), written.log_prob.exp().tolist()


class Plane(NamedTuple):
    """Known names along the two directions in which their codes differ most."""

    axes: PCA
    points: np.ndarray  # [N, 2]
    shares: tuple[float, float]  # of the variance

    def place(self, codes: Tensor) -> np.ndarray:
        return self.axes.encode(codes.double().numpy(), 2)


@st.cache_resource(show_spinner=False, max_entries=8)
def plane(title: str) -> Plane:
    codes = codes_of(title, KNOWN).double()
    middle = codes - codes.mean(0)
    axes = pca(Moments(codes.mean(0), middle.T @ middle / len(codes), len(codes)), 2)
    first, second = (axes.variances / axes.total).tolist()
    return Plane(axes, axes.encode(codes.numpy(), 2), (first, second))


@st.cache_data(show_spinner=False, max_entries=256)
def from_prior(title: str, temperature: float, seed: int) -> list[str]:
    """Names from codes drawn from the prior; the same codes for every model of a size."""
    generator = torch.Generator().manual_seed(seed)
    found = model(title)
    codes = torch.randn(DRAWS, found.config.latent, generator=generator)
    return spelled(drawn(found, codes, temperature, generator).numbers)


@st.cache_data(show_spinner=False, max_entries=256)
def from_one_code(title: str, word: str, temperature: float, seed: int) -> list[str]:
    """Names all drawn from the code of one: what the code leaves to chance."""
    codes = codes_of(title, [word]).expand(DRAWS, -1)
    return spelled(drawn(model(title), codes, temperature, torch.Generator().manual_seed(seed)).numbers)


@st.cache_resource(show_spinner=False)
def results() -> dict[str, Any]:
    """What benchmarks/names.py measured. InvalidInput where the file is missing or damaged."""
    found = read_results(RESULTS, REMEDY)
    with usable(RESULTS, REMEDY):
        expect(found["training"] > 0 and found["held_out"] > 0 and found["samples"] > 0)
        for name in OFFERED.values():
            row = found["models"][name]
            expect(len(row["epoch"]) == len(row["kl"]) == len(row["recon"]) > 0)
            expect({"in_training", "in_held_out", "new", "distinct", "bound"} <= row.keys())
    return found


def compared() -> dict[str, list[str]]:
    """What every model of OFFERED scores on held-out names, and what its samples are, as columns of texts."""
    wanted = ("recon", "kl", "elbo", "active_latents", "exact", "bits_per_letter")
    found = [scores(name, *wanted) for name in OFFERED.values()]
    made = [results()["models"][name] for name in OFFERED.values()]
    return {
        "KL": [f"{each['kl']:.2f}" for each in found],
        "reconstruction": [f"{each['recon']:.2f}" for each in found],
        "\u2212ELBO": [f"{-each['elbo']:.2f}" for each in found],
        "\u2212bound": [f"{-each['bound']:.2f}" for each in made],
        "bits per letter": [f"{each['bits_per_letter']:.2f}" for each in found],
        "active latents": [f"{each['active_latents']:.0f}" for each in found],
        "come back": [f"{each['exact']:.0%}" for each in found],
        "listed": [f"{each['in_training']:.0%}" for each in made],
        "new": [f"{each['new']:.0%}" for each in made],
    }


def curves(term: str) -> dict[str, tuple[list[float], list[float]]]:
    """A held-out term over the epochs, by model."""
    measured = results()["models"]
    return {title: (measured[name]["epoch"], measured[name][term]) for title, name in OFFERED.items()}


@st.cache_data(show_spinner="Reading the list", max_entries=8)
def own_list(content: bytes) -> WordList:
    """Somebody's own words. InvalidInput where none can be used, or where there are more than the page shows."""
    found = read_list(content)
    if len(found.words) > MOST_WORDS:
        raise InvalidInput(
            f"The list has {len(found.words):,} words; the page takes {MOST_WORDS:,}. Give a part of it."
        )
    return found


@st.cache_data(show_spinner="Encoding the words", max_entries=32)
def looked_at(title: str, words: tuple[str, ...]) -> list[dict[str, Any]]:
    """Every word, what comes back by way of its code, and its -ELBO with one draw of the code, nats."""
    found = model(title)
    generator = torch.Generator().manual_seed(0)
    rows: list[dict[str, Any]] = []
    with torch.inference_mode():
        for start in range(0, len(words), 500):
            part = words[start : start + 500]
            x = pictures_of(part)
            posterior = found.encode(x)
            assert posterior.logvar is not None
            z = posterior.mean + posterior.std * torch.randn(posterior.mean.shape, generator=generator)
            kl = kl_to_standard_normal(posterior.mean, posterior.logvar).sum(1)
            nats = (found.recon_per_image(x, z) + kl).tolist()
            back = spelled(greedy(found, posterior.mean).numbers)
            rows += [
                {"word": word, "comes back as": copy, "-ELBO, nats": value}
                for word, copy, value in zip(part, back, nats, strict=True)
            ]
    return rows
