"""What the page on compression loads and computes once: tables, files of codes, sheets as JPEG and WebP, results."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import streamlit as st
import torch
from safetensors.torch import load_file
from torch import Tensor

from ui.cache import checkpoint, held_out
from ui.lessons import read_results, usable
from vae_core.folders import ASSETS
from vae_core.latent.codecs import FORMATS, Setting, sheet_file, sheet_images
from vae_core.latent.coding import Quantiser, Table, cross_entropy, read, write
from vae_core.latent.pictures import to_bytes

DATA = "mnist"
WEIGHT_BITS = 16  # of a weight, and of a frequency, as they are stored here
RESULTS, TABLES = ASSETS / "results" / "compression.json", ASSETS / "results" / "mnist-tables.safetensors"
REMEDY = "Make it again: `python -m benchmarks.compression --write`."


@st.cache_resource(show_spinner=False)
def results() -> dict[str, Any]:
    """What benchmarks/compression.py measured on all held-out images. InvalidInput without it."""
    return read_results(RESULTS, REMEDY)


def row_of(latent: int) -> dict[str, Any]:
    """The results of one latent size."""
    return next(row for row in results()["rows"] if row["latent"] == latent)


class Coder(NamedTuple):
    """What both ends of the wire have beforehand, besides the network."""

    quantiser: Quantiser
    tables: tuple[Table, ...]  # of each latent


@st.cache_resource(show_spinner=False)
def coder(latent: int, place: int) -> Coder:
    """The coder of a latent size at the step of results()["steps"][place]. InvalidInput where its file is no good."""
    with usable(TABLES, REMEDY):
        tensors = load_file(TABLES)
        spread = tensors[f"{latent}.spread"] * results()["steps"][place]
        frequencies = tensors[f"{latent}.{place}.frequencies"].numpy().astype(np.int64)
        lowest, sizes = (tensors[f"{latent}.{place}.{name}"].tolist() for name in ("lowest", "sizes"))
        parts = np.split(frequencies, np.cumsum(sizes)[:-1])
        quantiser = Quantiser(tensors[f"{latent}.centre"], spread.expand(latent))
        return Coder(quantiser, tuple(Table(low, part) for low, part in zip(lowest, parts, strict=True)))


def images_in_a_file() -> int:
    return int(results()["file"])


def pixels() -> Tensor:
    """The images that are written into files here: the first of the held-out ones, uint8 [B, C, H, W]."""
    return to_bytes(held_out(DATA).images(torch.arange(images_in_a_file())))


class Written(NamedTuple):
    """A file of images, and what comes out of it."""

    size: int  # bytes
    pictures: Tensor  # [B, C, H, W] uint8
    error: float  # mean squared error per pixel, pixels from 0 to 1

    @property
    def bits(self) -> float:
        """Per image."""
        return 8 * self.size / len(self.pictures)


class Coded(NamedTuple):
    """A file of codes, opened again."""

    written: Written
    exact: bool  # whether every symbol came back
    expected: float  # bits per image, by the cross-entropy
    symbols: np.ndarray  # [B, Z]


@st.cache_resource(show_spinner="Writing the codes", max_entries=64)
def coded(latent: int, place: int) -> Coded:
    """The images' quantised codes through the range coder and the decoder."""
    name, (quantiser, tables) = f"mnist-{latent}d-ae-mse", coder(latent, place)
    model: Any = checkpoint(name).model
    with torch.inference_mode():
        symbols = quantiser.symbols(model.encode(pixels().float() / 255).mean)
        data = write(symbols, tables)
        back = read(data, tables, len(symbols))
        pictures = to_bytes(model.decode(quantiser.codes(back)))
    expected = float(cross_entropy(symbols, tables).sum())
    return Coded(_written(data, pictures), bool((back == symbols).all()), expected, symbols)


@st.cache_resource(show_spinner="Writing JPEG and WebP", max_entries=64)
def sheet(setting: Setting) -> Written:
    """The same images on one sheet, as a file."""
    images = pixels()
    data = sheet_file(images, setting)
    return _written(data, sheet_images(data, len(images), *images.shape[-2:]))


def _written(data: bytes, pictures: Tensor) -> Written:
    error = ((pictures.float() - pixels().float()) / 255).square().mean().item()
    return Written(len(data), pictures, error)


def best(format: str) -> list[dict[str, Any]]:
    """Points of a format that no other of its points beats in both bits and error, by rising bits."""
    kept: list[dict[str, Any]] = []
    for point in sorted(results()["formats"][format]["points"], key=lambda point: (point["bits"], point["error"])):
        if not kept or point["error"] < kept[-1]["error"]:
            kept.append(point)
    return kept


def hull(format: str) -> list[dict[str, Any]]:
    """Those of the best points that no mixture of two others beats: the lower convex hull of error over bits."""
    kept: list[dict[str, Any]] = []
    for point in best(format):
        while len(kept) > 1 and _slope(kept[-2], point) <= _slope(kept[-2], kept[-1]):
            kept.pop()
        kept.append(point)
    return kept


def _slope(a: dict[str, Any], b: dict[str, Any]) -> float:
    return (b["error"] - a["error"]) / (b["bits"] - a["bits"])


def nearest(format: str, bits: float) -> Setting:
    """The setting of a format whose files are nearest to so many bits per image, by ratio."""
    point = min(best(format), key=lambda point: abs(math.log(point["bits"] / bits)))
    return Setting(format, point["quality"], point["side"])


def bits_for(format: str, error: float) -> float | None:
    """Bits per image that a format needs for at most this mean squared error, where between two settings some of the
    images take the one and some the other; None where no setting is as good."""
    points = hull(format)
    if error >= points[0]["error"]:
        return float(points[0]["bits"])
    for worse, better in pairwise(points):
        if better["error"] <= error:
            return float(worse["bits"] + (error - worse["error"]) / _slope(worse, better))
    return None


class Price(NamedTuple):
    """What the bits of an image leave out, and when it is paid for."""

    bits: int  # of the decoder's weights and of the tables
    rival: str  # the format that needs the fewest bits for the same error
    rival_bits: float  # per image
    images: int | None  # after which the weights are paid for; None where the rival needs fewer bits


def price(latent: int, place: int) -> Price:
    """The size of what both ends have beforehand against what it saves on each image."""
    row, tables = row_of(latent), coder(latent, place).tables
    bits = WEIGHT_BITS * (row["weights"] + sum(len(table.frequencies) for table in tables))
    point = row["points"][place]
    needed = {format: bits_for(format, point["error"]) for format in FORMATS}
    rival, rival_bits = min(((name, each) for name, each in needed.items() if each), key=lambda pair: pair[1])
    saved = rival_bits - point["bits"]
    return Price(bits, rival, rival_bits, math.ceil(bits / saved) if saved > 0 else None)
