"""What the lesson on conditional VAEs keeps: weights for the browser, codes of held-out images, styles taken over."""

from __future__ import annotations

from typing import Any, NamedTuple

import streamlit as st
import torch
from torch import Tensor

from ui import cache
from ui.lessons import scores
from vae_core.data import dataset
from vae_core.latent.browser import pack_decoder
from vae_core.latent.grids import embed, prior_quantile_grid, tile
from vae_core.models import ConditionalVAE

# By the name on the screen: the conditional VAE, and the VAE of the same networks that is not told the class.
OFFERED = {
    "MNIST 2-D": ("mnist-2d-cvae", "mnist-2d-vae-beta1"),
    "MNIST 8-D": ("mnist-8d-cvae", None),
    "Fashion 2-D": ("fashion-2d-cvae", "fashion-2d-vae-beta1"),
}
IDLE = 0.05  # nats, on average over held-out images: below, a latent says nothing
DOTS = 2000  # held-out images on the plane
COVERED = 0.98  # of the prior, by a sheet of decoded codes


def model(name: str) -> ConditionalVAE:
    return cache.model_of(name, ConditionalVAE)


@st.cache_resource(show_spinner=False, max_entries=8)
def pack(name: str) -> bytes:
    """The decoder for the browser; it takes a code [Z] with the class as a one-hot vector behind it."""
    found = model(name)
    return pack_decoder(found.decoder, found.config.image, found.config.latent + found.config.classes)


def strongest(name: str) -> list[int]:
    """The latents, from 0, by the nats that they carry, the most first."""
    kl = scores(name, "kl_per_latent")["kl_per_latent"]
    return sorted(range(len(kl)), key=lambda latent: -kl[latent])


def unused(name: str) -> str:
    """Which latents carry next to nothing, in a sentence, or nothing."""
    kl = scores(name, "kl_per_latent")["kl_per_latent"]
    idle = [str(latent + 1) for latent, nats in enumerate(kl) if nats < IDLE]
    if not idle:
        return ""
    return f" This model left {len(idle)} of its latents unused, with less than {IDLE:g} nats each: {', '.join(idle)}."


class Styles(NamedTuple):
    codes: Tensor  # [N, Z] posterior means
    labels: Tensor  # [N] uint8


@st.cache_resource(show_spinner="Encoding held-out images", max_entries=8)
@torch.inference_mode()
def styles(name: str) -> Styles:
    """The first held-out images, encoded by a model that is told their classes."""
    source = cache.held_out(cache.checkpoint(name).dataset)
    index = torch.arange(min(DOTS, len(source)))
    labels = source.labels[index]
    return Styles(model(name).encode_as(source.images(index), labels).mean, labels)


@torch.inference_mode()
def style_of(name: str, picture: Tensor, label: int) -> Tensor:
    """The code [Z] of a picture [1, C, H, W] that the model is told to be of a class."""
    return model(name).encode_as(picture, torch.tensor([label])).mean[0]


@torch.inference_mode()
def as_classes(name: str, codes: Tensor) -> Tensor:
    """Codes [N, Z], each decoded as every class: [N, classes, C, H, W]."""
    found = model(name)
    count, classes = len(codes), found.config.classes
    labels = torch.arange(classes).repeat(count)
    return found.decode_as(codes.repeat_interleave(classes, 0), labels).view(count, classes, *found.config.image)


@st.cache_data(show_spinner=False, max_entries=64)
@torch.inference_mode()
def sheet(name: str, label: int, axes: tuple[int, int], n: int) -> Tensor:
    """One class over the plane of two latents, n x n codes that share the prior equally, the other latents at 0:
    one picture [C, n H, n W]."""
    found = model(name)
    codes = embed(prior_quantile_grid(n, COVERED), torch.zeros(found.config.latent), axes)
    return tile(found.decode_as(codes, torch.full((len(codes),), label)), n)


@torch.inference_mode()
def opinion(data: str, picture: Tensor) -> tuple[int, float]:
    """The class that the bundled classifier gives to a picture [1, C, H, W], and its probability."""
    judge: Any = cache.classifier(data).model
    best = judge(picture).softmax(1)[0].max(0)
    return int(best.indices), float(best.values)


def compared(name: str, other: str | None) -> dict[str, dict[str, str]]:
    """What the models score on held-out images, by model, then by column; nats per image."""
    rows = {}
    for each, kind in ((name, "conditional VAE"), (other, "VAE")):
        if each is None:
            continue
        found = scores(each, "recon", "kl", "elbo")
        rows[f"{kind}, {cache.checkpoint(each).model.config.latent} latents"] = {  # type: ignore[union-attr]
            "reconstruction": f"{found['recon']:.1f}",
            "KL": f"{found['kl']:.1f}",
            "\u2212ELBO": f"{-found['elbo']:.1f}",
            "right class": f"{found['obeyed']:.1%}" if "obeyed" in found else "\u2013",
        }
    return rows


def class_names(name: str) -> tuple[str, ...]:
    return dataset(cache.checkpoint(name).dataset).class_names
