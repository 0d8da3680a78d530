"""The bank of the lesson on posterior collapse."""

from __future__ import annotations

from dataclasses import replace

from vae_core.recipes.recipe import IMAGE, Recipe
from vae_core.training import TrainSettings


def bank() -> list[Recipe]:
    """A VAE whose decoder sees the pixels before: with the whole KL from the first step, with a KL that is faded in,
    and with nats that each latent may use for nothing."""
    settings = {"image": IMAGE["mnist"], "latent": 10}
    whole = TrainSettings(epochs=3, batch=64, lr=2e-3, binarise=True)
    return [
        Recipe("mnist-before-whole", "mnist", "autoregressive", settings, whole),
        Recipe("mnist-before-free-bits", "mnist", "autoregressive", settings, replace(whole, free_bits=1.0)),
        Recipe("mnist-before-warm-up", "mnist", "autoregressive", settings, replace(whole, kl_schedule="warm-up")),
    ]
