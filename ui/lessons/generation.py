"""The lesson on generating: where codes are drawn from, what they decode to, and how far they lie from data."""

from __future__ import annotations

import html
import io
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import streamlit as st
import torch
from PIL import Image
from torch import Tensor

from ui import cache
from ui.addresses import png_address
from ui.cards import ModelCard
from ui.figures.generation import distance_picture, name_places, opinion_picture
from ui.hole_map import Patch
from ui.palette import ROLE_COLOURS
from ui.sheet import Axis
from ui.sheet.axes import minus, round_values
from vae_core.data import dataset
from vae_core.latent.browser import pack_id
from vae_core.latent.holes import (
    Box,
    Kinds,
    Share,
    Window,
    box_near_data,
    box_of,
    data_radius,
    kinds_of,
    nearest,
    share_of,
    window_grid,
    window_of,
)
from vae_core.latent.priors import fit_gaussian, standard_normal
from vae_core.metrics.continuity import THRESHOLD

BOX, GAUSSIAN, PRIOR = "the box", "a fitted Gaussian", "the prior"
SOURCES = (BOX, GAUSSIAN, PRIOR)
COPIES = "copies"  # no draws at all: reconstructions of held-out images
MANY = 1000  # draws measured for the chart
SIDE = 80  # cells along a side of the map
WIDE = 600  # pixels of a sheet, from which a laptop shows it smaller than it is
SLOW = 0.4  # seconds after which a bar appears
PART = 250  # pictures decoded at a time

T = TypeVar("T")


@dataclass(frozen=True)
class Met:
    """The codes of held-out images as the decoder met such codes in training, and what follows from them."""

    codes: Tensor  # [N, Z]
    box: Box
    radius: float  # the data radius


@st.cache_resource(show_spinner="Measuring the codes", max_entries=32)
def met(name: str) -> Met:
    """An autoencoder's codes themselves; of a VAE one draw from each image's posterior, for that is what its decoder
    was trained on: the posterior means alone lie closer together than what it knows."""
    cloud = cache.encoded(name)
    codes = cloud.codes
    if cloud.std is not None:
        codes = codes + cloud.std * torch.randn(codes.shape, generator=torch.Generator().manual_seed(0))
    return Met(codes, box_of(codes), data_radius(codes))


def draw_codes(name: str, source: str, count: int, seed: int) -> Tensor:
    """Codes [N, Z] from one of the SOURCES, in a model's own latent space."""
    noise = torch.Generator().manual_seed(seed)
    known = met(name)
    if source == BOX:
        return known.box.sample(count, noise)
    gaussian = fit_gaussian(known.codes) if source == GAUSSIAN else standard_normal(known.codes.shape[1])
    return gaussian.sample(count, noise)


@dataclass(frozen=True)
class Judged:
    """Decoded codes, how far they lie from data, and what the classifier makes of the pictures."""

    codes: Tensor  # [N, Z]
    images: Tensor  # [N, C, H, W] in [0, 1]
    radii: Tensor  # [N] distance to the nearest held-out code, in data radii
    confidence: Tensor | None  # [N], the largest class probability; None where the data have no classifier
    seen: Tensor | None  # [N], the class that has it

    @property
    def holes(self) -> Tensor:
        return self.radii > 1

    @property
    def unclear(self) -> Tensor | None:
        return None if self.confidence is None else self.confidence < THRESHOLD


def decode(name: str, codes: Tensor) -> Tensor:
    with torch.inference_mode():
        return torch.cat([cache.checkpoint(name).model.decode(part) for part in codes.split(PART)])  # type: ignore[operator]


def opinion(data: str, images: Tensor) -> tuple[Tensor | None, Tensor | None]:
    """The classifier's largest probability and the class that has it, [N] each."""
    if not cache.has_judge(data):
        return None, None
    judge = cache.classifier(data).model
    with torch.inference_mode():
        confidence, seen = torch.cat([judge(part).softmax(dim=-1) for part in images.split(PART)]).max(dim=-1)
    return confidence, seen


def judged(name: str, codes: Tensor) -> Judged:
    known, images = met(name), decode(name, codes)
    radii = nearest(codes, known.codes) / known.radius
    return Judged(codes, images, radii, *opinion(cache.checkpoint(name).dataset, images))


@st.cache_resource(show_spinner=False, max_entries=64)
def drawn(name: str, source: str, count: int, seed: int) -> Judged:
    """Draws for the screen; one seed means the same noise for every model."""
    return judged(name, draw_codes(name, source, count, seed))


@st.cache_resource(show_spinner=False, max_entries=64)
def copies(name: str, images: tuple[int, ...]) -> Tensor:
    """Held-out images as a model gives them back: decoded from their codes (of a VAE, the posterior's mean)."""
    loaded = cache.checkpoint(name)
    with torch.inference_mode():
        posterior = loaded.model.encode(cache.held_out(loaded.dataset).images(torch.tensor(images)))  # type: ignore[operator]
    return decode(name, posterior.mean)


@dataclass(frozen=True)
class Measured:
    """What many draws from one place are like."""

    unclear: Share | None  # without a clear class; None where no classifier knows the data
    holes: Share | None  # None for copies, whose codes are data
    kinds: Kinds | None


@st.cache_resource(show_spinner=False, max_entries=256)
def measured(name: str, source: str) -> Measured:
    """MANY draws from a source (another seed than any on the screen), or as many copies of held-out images."""
    data = cache.checkpoint(name).dataset
    made = judged_copies(name) if source == COPIES else judged(name, draw_codes(name, source, MANY, seed=-1))
    unclear = None if made.unclear is None else share_of(made.unclear)
    kinds = None if made.seen is None else kinds_of(made.seen, len(dataset(data).class_names))
    return Measured(unclear, None if source == COPIES else share_of(made.holes), kinds)


def judged_copies(name: str) -> Judged:
    codes = cache.encoded(name).codes[:MANY]
    images = decode(name, codes)
    return Judged(codes, images, torch.zeros(len(codes)), *opinion(cache.checkpoint(name).dataset, images))


def specimens(data: str, count: int) -> tuple[int, ...]:
    """Numbers of held-out images to copy: the first of each class, then the second of each, and so on."""
    labels = cache.held_out(data).labels
    by_class = [(labels == label).nonzero().flatten().tolist() for label in labels.unique().tolist()]
    ordered = [own[turn] for turn in range(count) for own in by_class if turn < len(own)]
    return tuple(ordered[:count])


def as_png(picture: np.ndarray) -> bytes:
    """uint8 [H, W, 3 or 4] as a PNG file."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "png", compress_level=3)
    return file.getvalue()


@dataclass(frozen=True)
class Plane:
    """A window of a plane in SIDE x SIDE cells, and at the middle of each how far data are."""

    window: Window
    codes: Tensor  # [SIDE * SIDE, 2], in reading order
    radii: Tensor  # [SIDE, SIDE] distance to the nearest held-out code, in data radii


@st.cache_resource(show_spinner="Measuring the plane", max_entries=32)
def plane(name: str) -> Plane:
    """The map of a model with two latents, around the box that holds all its codes."""
    known = met(name)
    window = window_of(known.box)
    codes = window_grid(window, SIDE)
    return Plane(window, codes, (nearest(codes, known.codes) / known.radius).view(SIDE, SIDE))


@dataclass(frozen=True)
class Opinions:
    """What the classifier says in each cell of a piece of a map."""

    confidence: Tensor  # [rows, SIDE]
    seen: Tensor  # [rows, SIDE]


PARTS = 8  # of a map, told one by one


@st.cache_resource(show_spinner=False, max_entries=32 * PARTS)
def opinions(name: str, part: int) -> Opinions:
    """One of the PARTS of a map, from the top."""
    codes = plane(name).codes.chunk(PARTS)[part]
    confidence, seen = opinion(cache.checkpoint(name).dataset, decode(name, codes))
    assert confidence is not None and seen is not None, "asked only where there is a classifier"
    return Opinions(confidence.view(-1, SIDE), seen.view(-1, SIDE))


FEW = 3000  # held-out images in the count over dimensions, the same for every point of it
DIMENSIONS = (1, 2, 3, 4, 6, 8, 10, 12, 16)


def principal_codes(points: Tensor, most: int, rounds: int = 12) -> Tensor:
    """Points [N, D] in their `most` largest principal components, by subspace iteration with a fixed start: far faster
    than an exact decomposition, and the same to the eye."""
    centred = points - points.mean(dim=0)
    start = torch.randn(points.shape[1], min(most + 8, *points.shape), generator=torch.Generator().manual_seed(0))
    directions, _ = torch.linalg.qr(start)
    for _ in range(rounds):
        directions, _ = torch.linalg.qr(centred.T @ (centred @ directions))
    codes = centred @ directions
    _, turn = torch.linalg.eigh(codes.T @ codes)  # columns, by rising variance
    return codes @ turn.flip(1)[:, :most]


@st.cache_resource(show_spinner=False, max_entries=8)
def principal(data: str, stamp: str) -> Tensor:
    """The first FEW held-out images in their largest principal components: the codes [N, 16] of the best linear
    autoencoder of each size at once, for those of a smaller one are its first columns."""
    source = cache.held_out(data)
    count = min(FEW, len(source))
    pixels = torch.cat([source.images(index).flatten(1) for index in torch.arange(count).split(500)])
    return principal_codes(pixels, min(DIMENSIONS[-1], count, pixels.shape[1]))


@st.cache_resource(show_spinner=False, max_entries=128)
def near_data_linear(data: str, stamp: str, latent: int) -> Share:
    """The share of the box near data for the first principal components."""
    return box_near_data(principal(data, stamp)[:, :latent], MANY, torch.Generator().manual_seed(0))


@st.cache_resource(show_spinner=False, max_entries=64)
def near_data(name: str) -> Share:
    """The same for a model's codes of as many images."""
    return box_near_data(met(name).codes[:FEW], MANY, torch.Generator().manual_seed(0))


def slowly(work: Sequence[Callable[[], T]], words: str) -> Iterator[T]:
    """The results of several pieces of work, with a bar where they take long."""
    place, start = st.empty(), time.monotonic()
    for done, piece in enumerate(work):
        took = time.monotonic() - start
        if took > SLOW:
            left = took / done * (len(work) - done)
            place.progress(done / len(work), f"{words}: about {left:.0f} s left")
        yield piece()
    place.empty()


def place_words(card: ModelCard, source: str) -> str:
    """Where this model's codes come from."""
    if source == BOX:
        return "uniform in the box around its codes"
    if source == GAUSSIAN:
        return "from the Gaussian fitted to its codes"
    if card.beta is None:
        return "from N(0, I), which it was never asked to fill"
    return "from its prior, N(0, I)"


def show_sheet(sheet: np.ndarray, words: str) -> None:
    """A sheet uint8 [H, W, 3] over the whole width, its pixels crisp; `words` are for whoever does not see it."""
    rendering = "pixelated" if sheet.shape[1] < WIDE else "auto"  # made smaller, pixels would be dropped
    st.html(
        f'<img alt="{html.escape(words)}" src="{png_address(as_png(sheet))}" '
        f'style="display:block;width:100%;border-radius:4px;image-rendering:{rendering}">'
    )


def axis(latent: int, low: float, high: float) -> Axis:
    ticks = [((value - low) / (high - low), minus(f"{value:g}")) for value in round_values(low, high)]
    return Axis(f"latent {latent + 1}", [tick for tick in ticks if 0.03 < tick[0] < 0.97])


def patch(card: ModelCard, made: Judged, says: Sequence[Opinions], spot: tuple[float, float]) -> Patch:
    """One model's map, coloured by distance, or by what the classifier says of its parts."""
    ground, box = plane(card.name), met(card.name).box
    classes = dataset(card.dataset).class_names
    radii, confidence, seen = ground.radii.numpy(), None, None
    coloured, names = distance_picture(radii), []
    if says:
        confidence, seen = (torch.cat(rows).numpy() for rows in ([s.confidence for s in says], [s.seen for s in says]))
        coloured, names = opinion_picture(confidence, seen, radii), name_places(confidence, seen, classes)
    low, high = ground.window
    return Patch(
        title=card.title,
        colour=ROLE_COLOURS[card.role],
        decoder=pack_id(cache.decoder_pack(card.name)),
        png=as_png(coloured),
        low=low,
        high=high,
        box=(box.low.tolist(), box.high.tolist()),
        draws=made.codes.tolist(),
        radii=radii,
        confidence=confidence,
        seen=seen,
        classes=classes,
        names=names,
        across=axis(0, low[0], high[0]),
        up=axis(1, low[1], high[1]),
        start=spot,
    )


def percent(share: Share) -> str:
    return f"{100 * share.value:.1f} ± {100 * share.standard_error:.1f}%"


def in_percent(share: Share | None) -> tuple[float, float] | None:
    return None if share is None else (100 * share.value, 100 * share.standard_error)


def compared(one: Share, two: Share) -> str:
    gap = one.value - two.value
    if abs(gap) < 2 * float(np.hypot(one.standard_error, two.standard_error)):
        return "no difference that these draws could tell"
    return f"{100 * abs(gap):.1f} points {'more' if gap > 0 else 'fewer'}"
