"""What the lesson on limits keeps: stored measurements, sheets of pictures for the map, codes of training images."""

from __future__ import annotations

from typing import Any, NamedTuple

import streamlit as st
import torch
from torch import Tensor

from ui import cache
from ui.addresses import png_address
from ui.lessons import read_results, usable
from ui.settings_map import Axes, Score
from vae_core.checkpoints import read_bundled
from vae_core.data import ImageSource, dataset
from vae_core.errors import InvalidInput
from vae_core.folders import ASSETS
from vae_core.latent.blur import best_picture, effective_images, shares
from vae_core.latent.pictures import png, to_bytes
from vae_core.latent.sample_sets import BETAS, LEARNED, MIXED, PLAIN, sample_sets, seeded
from vae_core.recipes.limits import BETAS_LIMITS, FEW_LIMITS, LATENTS_LIMITS, few_name, limits_name

DATA = "mnist"
RESULTS = ASSETS / "results" / "limits.json"
REMEDY = "Measure again: `python -m benchmarks.limits --write`."
COLUMNS, SAMPLE_ROWS = 8, 3  # of the sheet that a cell shows
SHOWN = (3, 2, 1, 18, 4, 8, 11, 0)  # held-out images of the map, of eight classes
KNOWN = 10_000  # training images whose mean is taken
LIKELIEST = 8  # of them that are shown
WHOLE = limits_name(1.0, 16)  # the model on all images that those on few are compared with


class Cell(NamedTuple):
    """A score of the models on the map: its key, how to call it, and what it says."""

    key: str
    name: str
    unit: str
    words: str
    better: str
    digits: int
    sign: float = 1.0
    scale: float = 1.0


CELLS = (
    Cell("elbo", "\u2212ELBO", "nats", "What the bound costs an image, in nats at beta 1, whatever a model was "
         "trained with.", "lower", 0, sign=-1.0),
    Cell("recon", "reconstruction", "nats", "Its first term, grey BCE in nats: how far what is rebuilt is off.",
         "lower", 0),
    Cell("kl", "KL", "nats", "Its second term in nats: what the code tells of the image, and at most so much.",
         "neither", 1),
    Cell("active_latents", "latents in use", "latents", "Latents whose mean moves with the image; the others sleep.",
         "neither", 0),
    Cell("fid", "FID", "", "Distance of the crowd of samples from that of held-out images, in features of our "
         "classifier.", "lower", 1),
    Cell("precision", "precision", "%", "Samples that lie among held-out images, in per cent.", "higher", 0, scale=100),
    Cell("coverage", "coverage", "%", "Held-out images with a sample nearby, in per cent.", "higher", 0, scale=100),
    Cell("sharp_samples", "edges", "%", "Strength of the samples' edges, in per cent of the held-out images'.",
         "neither", 0, scale=100),
)  # fmt: skip


@st.cache_resource(show_spinner=False)
def results() -> dict[str, Any]:
    """The stored measurements. InvalidInput where the file is missing or lacks something."""
    found = read_results(RESULTS, REMEDY)
    with usable(RESULTS, REMEDY):
        wanted = {limits_name(beta, latent) for beta in BETAS_LIMITS for latent in LATENTS_LIMITS}
        lacking = wanted - found["map"]["cells"].keys()
        lacking |= {name for name in few_models().values() if name not in found["few"]["models"]}
        for cell in found["map"]["cells"].values():
            lacking |= {each.key for each in CELLS} - cell.keys()
        if lacking:
            raise InvalidInput(f"{RESULTS} lacks {', '.join(sorted(lacking)[:5])}. {REMEDY}")
        _ = found["cost"]["side"], found["cost"]["latent"], found["cost"]["ours"], found["sets"]["sets"]
    return found


# The map.

AXES = Axes(("beta", [f"{beta:g}" for beta in BETAS_LIMITS]), ("latents", [str(latent) for latent in LATENTS_LIMITS]))


def map_scores() -> list[Score]:
    """Every score of all models, as the map shows it."""
    cells = results()["map"]["cells"]

    def values(cell: Cell) -> list[list[float]]:
        return [
            [cell.sign * cell.scale * cells[limits_name(beta, latent)][cell.key] for latent in LATENTS_LIMITS]
            for beta in BETAS_LIMITS
        ]

    return [Score(each.name, each.unit, each.words, each.better, each.digits, values(each)) for each in CELLS]


def model(name: str) -> Any:
    return cache.checkpoint(name).model


@st.cache_data(show_spinner=False, max_entries=1)
@torch.inference_mode()
def map_pictures() -> list[list[str]]:
    """What each model of the map makes: [beta][latents] data addresses of sheets."""
    return [[png_address(png(_sheet(limits_name(beta, latent)))) for latent in LATENTS_LIMITS] for beta in BETAS_LIMITS]


def originals() -> str:
    return png_address(png(tile_row(to_bytes(held_out(SHOWN)))))


def held_out(numbers: tuple[int, ...]) -> Tensor:
    return cache.held_out(DATA).images(torch.tensor(numbers))


def _sheet(name: str) -> Tensor:
    """[1, H, W] uint8: a row of what is rebuilt, and rows of samples; the same codes for models of the same size."""
    own: Any = read_bundled(name).model  # not kept: it would drive other pages' models out
    codes = own.encode(held_out(SHOWN)).mean, torch.randn(COLUMNS * SAMPLE_ROWS, own.config.latent, generator=seeded(5))
    pictures = own.decode(torch.cat(codes))
    rows = [tile_row(row) for row in to_bytes(pictures).split(COLUMNS)]
    return torch.cat(rows, dim=1)


def tile_row(pictures: Tensor) -> Tensor:
    """Pictures [B, C, H, W] beside one another: [C, H, B W]."""
    return torch.cat(list(pictures), dim=2)


@torch.inference_mode()
def rebuild(name: str, x: Tensor) -> Tensor:
    return model(name).decode(model(name).encode(x).mean)


# Blur.


@st.cache_resource(show_spinner="Opening the training images", max_entries=1)
def known_images() -> ImageSource:
    return dataset(DATA).load("train")


@st.cache_resource(show_spinner="Encoding training images", max_entries=8)
@torch.inference_mode()
def known_codes(name: str) -> tuple[Tensor, Tensor]:
    """Posterior mean and standard deviation [KNOWN, Z] of the first training images."""
    source = known_images()
    found = [model(name).encode(source.images(index)) for index in torch.arange(KNOWN).split(1000)]
    return torch.cat([each.mean for each in found]), torch.cat([each.std for each in found])


class Blur(NamedTuple):
    """One held-out image, and what can be said of its code."""

    image: Tensor  # [C, H, W], as the others
    decoded: Tensor  # from the mean of its posterior
    mean: Tensor  # of the training images that share the code
    drawn: Tensor  # every pixel a draw from p(x | z)
    images: float  # effective number of training images behind `mean`
    likeliest: Tensor  # [LIKELIEST, C, H, W] of them


@torch.inference_mode()
def blur(name: str, number: int) -> Blur:
    x = cache.held_out(DATA).images(torch.tensor([number]))
    z = model(name).encode(x).mean
    decoded = model(name).decode(z)[0]
    share = shares(z[0], *known_codes(name))
    top = share.topk(LIKELIEST).indices
    noise = torch.rand(decoded.shape, generator=torch.Generator().manual_seed(number))
    return Blur(
        x[0], decoded, best_picture(share, known_images().images), (noise < decoded).float(), effective_images(share),
        known_images().images(top),
    )  # fmt: skip


# Few images.

CURES = {"no cure": "", "dropout": "dropout", "weight decay": "decay", "early stopping": "stopped"}
FEW = {f"{images:,}": images for images, _ in FEW_LIMITS}


def few_models() -> dict[tuple[int, str], str]:
    """(images, cure) -> the name of its model; not every cure was tried on 1,000 images."""
    return {(images, cure): few_name(images, cure) for images, cure in FEW_LIMITS}


def cures_of(images: int) -> list[str]:
    return [title for title, cure in CURES.items() if (images, cure) in few_models()]


def few(images: int, title: str) -> dict[str, Any]:
    """What one of these models scored, and its curve."""
    return results()["few"]["models"][few_name(images, CURES[title])]


# Cost.

MEASURES = {
    "multiplications": ("multiplications", "multiplications an image, there and back"),
    "weights": ("parameters", "weights"),
    "time of an epoch": ("epoch", "seconds an epoch of 60,000 images"),
    "memory of a step": ("memory", "bytes"),
}
AGAINST = {"image side": ("side", "image side, pixels"), "latent size": ("latent", "latents")}


OURS = {  # models of this app whose cost was measured: name -> what to call them
    "limits-beta1-16d": "of the map, 16-D",
    "mnist-2d-vae-beta1": "digits, 2-D",
    "mnist-10d-vae-beta1": "digits, 10-D, conv.",
    "sprites-10d-vae-beta1": "sprites, 10-D, conv.",
}
Line = tuple[list[float], list[float]]  # sizes, costs


def cost_of(measure: str, against: str) -> tuple[dict[str, Line], dict[str, tuple[float, float]]]:
    """Lines by network, and points by model: (size, cost)."""
    found, (key, _), (axis, _) = results()["cost"], MEASURES[measure], AGAINST[against]
    lines: dict[str, Line] = {}
    for row in found[axis]:
        sizes, costs = lines.setdefault(row["network"], ([], []))
        sizes.append(row[axis])
        costs.append(row[key])
    return lines, {OURS[row["name"]]: (row[axis], row[key]) for row in found["ours"]}


# Scores that disagree.

REFERENCE = "held-out images"
JUDGED = {
    "log-likelihood": ("density", lambda value: value, "{:.0f} nats"),
    "FID": ("fid", lambda value: -value, "{:.1f}"),
    "precision": ("precision", lambda value: value, "{:.0%}"),
    "coverage": ("coverage", lambda value: value, "{:.0%}"),
    "edges": ("edges", lambda value: -abs(value - 1), "{:.0%}"),  # the nearer to those of the images, the better
    "sure of a class": ("sure", lambda value: value, "{:.0%}"),
}  # fmt: skip


def sets() -> dict[str, dict[str, float]]:
    """The scores of each set of samples; the last one is of held-out images themselves."""
    return results()["sets"]["sets"]


def ranks() -> dict[str, list[int]]:
    """The rank of each set under each score, 1 is best; equals share the better one."""
    found = {name: row for name, row in sets().items() if name != REFERENCE}
    columns = []
    for key, worth, _ in JUDGED.values():
        worths = {name: worth(row[key]) for name, row in found.items()}
        columns.append({name: 1 + sum(other > own for other in worths.values()) for name, own in worths.items()})
    return {name: [column[name] for column in columns] for name in found}


def written(name: str) -> list[str]:
    """The scores of a set as texts."""
    row = sets()[name]
    return ["\u2013" if row[key] is None else form.format(row[key]) for key, _, form in JUDGED.values()]


@st.cache_data(show_spinner="Drawing samples", max_entries=16)
def of_set(name: str, count: int) -> Tensor:
    """The first pictures [count, C, H, W] of a set of samples, the same that were scored."""
    models = {beta: model(limits_name(beta, 16)) for beta in BETAS}
    train, samples = known_images(), int(results()["sets"]["samples"])
    return sample_sets(models, train.images, len(train), samples)[name]()[:count].clone()


def told_of_sets() -> str:
    """What the likelihoods of the mixture and of the memory are worth beside those of the VAE."""
    found = sets()
    lost = found[PLAIN]["density"] - found[MIXED]["density"]
    behind = found[PLAIN]["density"] - found[LEARNED]["density"]
    return (
        f"Noise in 99 of 100 samples costs **{lost:.1f} nats** of {-found[PLAIN]['density']:.0f}; the FID rises from "
        f"{found[PLAIN]['fid']:.1f} to **{found[MIXED]['fid']:.0f}**. The memory has an FID of "
        f"**{found[LEARNED]['fid']:.1f}** and is **{behind:.0f} nats** behind."
    )
