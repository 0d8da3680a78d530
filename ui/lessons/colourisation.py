"""What the lesson on colourisation keeps: the measured errors, and the colours that both networks give to pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import streamlit as st
import torch
from torch import Tensor

from ui.cache import checkpoint, held_out
from ui.figures import INACTIVE
from ui.lessons import expect, read_results, usable
from ui.palette import ROLE_COLOURS, RUN_COLOURS
from vae_core.data import dataset
from vae_core.data.base import StoredImages, read_split
from vae_core.data.cifar10 import BUNDLED, CLASSES, SHAPE
from vae_core.errors import InvalidInput
from vae_core.folders import ASSETS
from vae_core.imaging.colour import ColourError, colour_error
from vae_core.models import Colouriser, VariationalColouriser

DATA, MEAN, DRAWN = "cifar10", "cifar-colouriser", "cifar-colouriser-vae"
RESULTS = ASSETS / "results" / "colourisation.json"
REMEDY = "Make it again: `python -m benchmarks.colourisation --write`."
DRAWS = 3  # of each photograph, in the rows
REACH, STEP = 3.0, 0.25  # of a latent, each way, in standard deviations of the prior


class Method(NamedTuple):
    title: str
    colour: str


METHODS = {
    "grey": Method("No colour", INACTIVE),
    "mean colour": Method("Mean colour of the training set", RUN_COLOURS[3]),
    "average": Method("Average answer", RUN_COLOURS[1]),
    "draw": Method("Draw", ROLE_COLOURS["vae"]),
    "best": Method("Best of n draws", RUN_COLOURS[2]),
}


@st.cache_resource(show_spinner=False)
def results() -> dict[str, Any]:
    """What benchmarks/colourisation.py measured. InvalidInput where the file is missing or damaged."""
    found = read_results(RESULTS, REMEDY)
    with usable(RESULTS, REMEDY):
        rows = [*found["methods"].values(), *found["temperatures"], *found["best_of"]]
        numbers = [float(row[key]) for row in rows for key in ("delta_e", "ab", "chroma")]
        numbers += [float(value) for value in [*found["mean_ab"], *found["kl_per_latent"], *found["nats"].values()]]
        expect({"truth", "grey", "mean colour", "average"} == found["methods"].keys() and found["best_of"])
        expect({row["temperature"] for row in found["temperatures"]} >= {0, 1} and found["nats"].keys() >= {"kl"})
        expect(found["held_out"] and found["trained_on"] and found["between_two_draws"] and len(found["missed"]) > 0)
    return found


def mean_model() -> Colouriser:
    """The network with one answer."""
    return checkpoint(MEAN).model  # type: ignore[return-value]


def drawing_model() -> VariationalColouriser:
    """The network with an answer for each draw."""
    return checkpoint(DRAWN).model  # type: ignore[return-value]


def passes() -> str:
    """How often the networks saw each training image, in words."""
    epochs = {int(checkpoint(name).training["epochs"]) for name in (MEAN, DRAWN)}
    return " and ".join("one pass" if count == 1 else f"{count} passes" for count in sorted(epochs))


def noise(seed: int, pictures: int, draws: int) -> Tensor:
    """Standard normal numbers [B, N, Z]; one seed means the same ones for every photograph and temperature."""
    shape = (pictures, draws, drawing_model().config.latents)
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


class Colourings(NamedTuple):
    """One set of pictures as both networks colour it; every error is a mean over the pictures."""

    truth: Tensor  # [B, 3, H, W]
    grey: Tensor  # [B, 3, H, W]
    average: Tensor  # [B, 3, H, W]
    draws: Tensor  # [B, N, 3, H, W]

    def told(self, made: Tensor) -> ColourError:
        """Means over pictures [B, 3, H, W] that were made of these."""
        return ColourError(*(values.mean() for values in colour_error(made, self.truth)))


@torch.inference_mode()
def coloured(truth: Tensor, z: Tensor) -> Colourings:
    """Pictures [B, 3, H, W] made grey, and coloured again: once by the average, once for each z [B, N, Z]."""
    shown = mean_model().degraded(truth)
    return Colourings(
        truth, mean_model().baseline(shown), mean_model().restored(shown), drawing_model().drawn(shown, z)
    )


@st.cache_resource(show_spinner=False, max_entries=64)
def photographs(place: int, count: int, seed: int, temperature: float) -> Colourings:
    """The `place`-th `count` held-out photographs, coloured."""
    truth = held_out(DATA).images(torch.arange(place * count, (place + 1) * count))
    return coloured(truth, temperature * noise(seed, count, DRAWS))


def by_use() -> list[int]:
    """The latents, the one with the largest KL over all held-out images first."""
    kl = results()["kl_per_latent"]
    return sorted(range(len(kl)), key=lambda latent: -kl[latent])


class Strip(NamedTuple):
    """One photograph along one latent, the others held."""

    frames: Tensor  # [N, 3, H, W]
    values: list[float]  # [N], rising
    own: int  # which of them is the draw's own


@torch.inference_mode()
def strip(truth: Tensor, z: Tensor, latent: int) -> Strip:
    """The colourings of one picture [3, H, W] with one number of its z [Z] moved through its reach."""
    own = float(z[latent])
    grid = torch.arange(-REACH, REACH + STEP / 2, STEP).tolist()
    values = sorted({*grid, own})
    codes = z.repeat(len(values), 1)
    codes[:, latent] = torch.tensor(values)
    shown = drawing_model().degraded(truth[None])
    return Strip(drawing_model().drawn(shown, codes[None])[0], values, values.index(own))


class Missed(NamedTuple):
    """The bundled held-out photographs whose true colours the average answer misses most."""

    made: Colourings
    errors: Tensor  # [B] delta E of the average answer
    names: tuple[str, ...]  # what is on each
    searched: int  # bundled photographs


@st.cache_resource(show_spinner=False, max_entries=4)
def missed(count: int) -> Missed:
    """The first `count` that the benchmark named. The bundled images are held out, whatever else is here."""
    bundled = StoredImages(*read_split(BUNDLED, "test", SHAPE, len(CLASSES)))
    places: Sequence[int] = results()["missed"][:count]
    if not all(isinstance(place, int) and 0 <= place < len(bundled) for place in places):
        raise InvalidInput(f"{RESULTS} names bundled images that there are not. {REMEDY}")
    index = torch.tensor(places)
    made = coloured(bundled.images(index), noise(0, len(index), 1))
    names = tuple(dataset(DATA).class_names[int(label)] for label in bundled.labels[index])
    return Missed(made, colour_error(made.average, made.truth).delta_e, names, len(bundled))
