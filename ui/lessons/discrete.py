"""What the lesson on discrete VAEs keeps: words of held-out images, weights for the browser, estimates of gradients."""

from __future__ import annotations

from typing import NamedTuple

import streamlit as st
import torch
from torch import Tensor

from ui import cache
from ui.lessons import scores
from vae_core.exact.letters import RELAXED, SCORE, STRAIGHT, estimated, true_gradient
from vae_core.latent.browser import pack_decoder
from vae_core.models import DiscreteVAE
from vae_core.models.discrete import gumbel, gumbel_softmax

OFFERED = {
    "temperature 0.5": "mnist-discrete",
    "temperature 2": "mnist-discrete-warm",
    "straight-through": "mnist-discrete-straight",
}
TEMPERATURES = (0.1, 0.15, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0)
KINDS = (SCORE, RELAXED, STRAIGHT)
LOGITS, COSTS = torch.tensor([0.5, 0.0, -0.5]), torch.tensor([-1.0, 0.2, 1.2])  # of the small problem
DRAWS = 20_000  # estimates behind a mean and a variance
SHOWN = 14  # soft letters on the screen
SEED = 20_171


def model(name: str) -> DiscreteVAE:
    return cache.model_of(name, DiscreteVAE)


@st.cache_resource(show_spinner=False, max_entries=8)
def pack(name: str) -> bytes:
    """The decoder for the browser; it takes N one-hot letters in a row."""
    config = model(name).config
    return pack_decoder(model(name).decoder, config.image, config.latents * config.categories)


@torch.inference_mode()
def logits_of(name: str, picture: Tensor) -> Tensor:
    """The encoder's logits [N, K] for a picture [1, C, H, W]."""
    return model(name).letter_logits(picture)[0]


@torch.inference_mode()
def samples(name: str, count: int, seed: int) -> Tensor:
    """Pictures [count, C, H, W] of words whose letters are all equally likely: draws from the prior."""
    config = model(name).config
    words = torch.randint(config.categories, (count, config.latents), generator=torch.Generator().manual_seed(seed))
    return model(name).decode_words(words)


@torch.inference_mode()
def copies(name: str, pictures: Tensor) -> Tensor:
    """Pictures [B, C, H, W], each by way of its likeliest letters."""
    return model(name).decode_words(model(name).letter_logits(pictures).argmax(-1))


@torch.inference_mode()
def soft_letters(logits: Tensor, temperature: float) -> Tensor:
    """Relaxed draws [n, K] for logits [K]; the same noise at every temperature."""
    noise = gumbel(torch.rand(SHOWN, len(logits), generator=torch.Generator().manual_seed(SEED)))
    return gumbel_softmax(logits, noise, temperature)


class Curves(NamedTuple):
    """Bias and standard deviation of single estimates over the temperature, by estimator; the length of the truth."""

    bias: dict[str, list[float]]
    deviation: dict[str, list[float]]
    truth: float


@st.cache_data(show_spinner="Estimating gradients", max_entries=1)
def curves() -> Curves:
    """Every estimator at every temperature, from the same draws."""
    uniform = torch.rand(DRAWS, len(LOGITS), generator=torch.Generator().manual_seed(SEED))
    found = {kind: [estimated(kind, LOGITS, COSTS, each, uniform) for each in TEMPERATURES] for kind in KINDS}
    return Curves(
        {kind: [each.bias for each in row] for kind, row in found.items()},
        {kind: [each.variance**0.5 for each in row] for kind, row in found.items()},
        true_gradient(LOGITS, COSTS).norm().item(),
    )


def compared() -> dict[str, list[str]]:
    """What the trained models score on held-out images, nats per image, in the order in which they are offered."""
    found = [scores(name, "relaxed_recon", "recon", "kl", "elbo", "used") for name in OFFERED.values()]
    return {
        "soft letters": [f"{each['relaxed_recon']:.1f}" for each in found],
        "true letters": [f"{each['recon']:.1f}" for each in found],
        "KL": [f"{each['kl']:.1f}" for each in found],
        "\u2212ELBO": [f"{-each['elbo']:.1f}" for each in found],
        "letters in use": [f"{each['used']:.1f}" for each in found],
    }
