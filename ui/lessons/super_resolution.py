"""What the lesson on super-resolution keeps: measured numbers, every way of enlarging, and the network's failures."""

from __future__ import annotations

from typing import Any, NamedTuple

import streamlit as st
import torch
from torch import Tensor

from ui.cache import checkpoint, classifier, held_out
from ui.lessons import expect, read_results, usable
from ui.palette import RUN_COLOURS
from vae_core.folders import ASSETS
from vae_core.imaging.resampling import eight_bits, interpolated, reduced
from vae_core.metrics.fidelity import psnr, ssim

RESULTS = ASSETS / "results" / "super_resolution.json"
REMEDY = "Make it again: `python -m benchmarks.super_resolution --write`."
FACTORS = {"2x": 2, "4x": 4}
NETWORK = "network"
BATCH = 500
CLEAREST = 0.8  # the least probability with which the classifier reads a class


class Kind(NamedTuple):
    """A kind of pictures as the page offers it."""

    data: str
    short: str  # of its models' names
    searched: int  # the first so many held-out pictures are searched for failures
    judged: bool  # whether a classifier reads what was made


KINDS = {"photographs": Kind("cifar10", "cifar", 500, False), "digits": Kind("mnist", "mnist", 1000, True)}


class Method(NamedTuple):
    title: str
    colour: str


METHODS = {
    "nearest": Method("Nearest", RUN_COLOURS[2]),
    "bicubic": Method("Bicubic", RUN_COLOURS[3]),
    "lanczos": Method("Lanczos", RUN_COLOURS[1]),
    NETWORK: Method("Network", RUN_COLOURS[0]),
}


@st.cache_resource(show_spinner=False)
def results() -> dict[str, Any]:
    """What benchmarks/super_resolution.py measured. InvalidInput where the file is missing or damaged."""
    found = read_results(RESULTS, REMEDY)
    with usable(RESULTS, REMEDY):
        expected = {(kind.data, factor) for kind in KINDS.values() for factor in FACTORS.values()}
        expect({(row["data"], row["factor"]) for row in found["rows"]} == expected)
        for row in found["rows"]:
            for name in ("psnr", "ssim", "again", "otherwise"):
                expect(set(METHODS) <= row[name].keys())
            expect(row["held_out"] > 0)
            expect(row["data"] != KINDS["digits"].data or {*METHODS, "original"} <= row["read"].keys())
        expect(found["tuned_on"] > 0)
    return found


def measured(kind: Kind, factor: int) -> dict[str, Any]:
    """The row of one kind of pictures and one factor."""
    return next(row for row in results()["rows"] if (row["data"], row["factor"]) == (kind.data, factor))


def model_name(kind: Kind, factor: int) -> str:
    return f"{kind.short}-{factor}x"


class Made(NamedTuple):
    """One method's pictures [B, C, H, W], and how near each is to its original."""

    pictures: Tensor
    decibels: Tensor  # [B]
    alike: Tensor  # [B], SSIM


class Enlarged(NamedTuple):
    small: Tensor  # [B, C, H / factor, W / factor], 8 bits
    made: dict[str, Made]  # by the names in METHODS


@torch.inference_mode()
def by_every_method(kind: Kind, factor: int, small: Tensor) -> dict[str, Tensor]:
    """Small pictures [B, C, h, w] made large by every method: [B, C, H, W] of 8 bits a channel."""
    network: Any = checkpoint(model_name(kind, factor)).model
    return {**interpolated(small, factor), NETWORK: eight_bits(network.restored(small))}


def enlarged(kind: Kind, factor: int, clean: Tensor) -> Enlarged:
    """Pictures [B, C, H, W] made small, made large again, and compared with what they were."""
    small = reduced(clean, factor)
    pictures = by_every_method(kind, factor, small)
    return Enlarged(small, {name: Made(each, psnr(each, clean), ssim(each, clean)) for name, each in pictures.items()})


@st.cache_resource(show_spinner=False, max_entries=64)
@torch.inference_mode()
def held_out_enlarged(kind: Kind, factor: int, numbers: tuple[int, ...]) -> tuple[Tensor, Enlarged]:
    """Held-out pictures by their numbers, [B, C, H, W], and what every method makes of them."""
    clean = held_out(kind.data).images(torch.tensor(numbers))
    return clean, enlarged(kind, factor, clean)


class Failures(NamedTuple):
    """Held-out pictures by their number: those on which least is gained, and those that are read as another class."""

    searched: int
    least: Tensor  # [N], the worst first
    gains: Tensor  # [N] decibels of the network above Lanczos, of the worst
    lost: int  # how many of those searched gain nothing
    changed: Tensor  # [N], the clearest first; none where nothing is judged
    of_class: int  # how many of those searched change their class


@st.cache_resource(show_spinner="Looking for what the network gets wrong", max_entries=8)
@torch.inference_mode()
def failures(kind: Kind, factor: int, most: int = 40) -> Failures:
    """Where the network fails among the first held-out pictures, judged by the classifier and by PSNR."""
    source = held_out(kind.data)
    count = min(kind.searched, len(source))
    gains, clear = [], []
    for index in torch.arange(count).split(BATCH):
        x, labels = source.images(index), source.labels[index].long()
        made = by_every_method(kind, factor, reduced(x, factor))
        gains.append(psnr(made[NETWORK], x) - psnr(made["lanczos"], x))
        if kind.judged:
            before, seen = read(kind, x), read(kind, made[NETWORK])
            right = (before.classes == labels) & (before.sure >= CLEAREST)
            clear.append(torch.where(right & (seen.classes != labels), seen.sure, -1.0))
    gain, sure = torch.cat(gains), torch.cat([torch.zeros(0), *clear])
    of_class = int((sure > 0).sum())
    changed = sure.argsort(descending=True, stable=True)[:of_class][:most]
    least = gain.argsort(stable=True)[:most]
    return Failures(count, least, gain[least], int((gain <= 0).sum()), changed, of_class)


class Reading(NamedTuple):
    sure: Tensor  # [B], the largest probability
    classes: Tensor  # [B], the class that has it


@torch.inference_mode()
def read(kind: Kind, pictures: Tensor) -> Reading:
    """What the classifier of the data sees in pictures [B, C, H, W]."""
    judge: Any = classifier(kind.data).model
    return Reading(*judge(pictures).softmax(1).max(1))
