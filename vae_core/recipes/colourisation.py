"""The bank of the lesson on colourisation."""

from __future__ import annotations

from vae_core.recipes.recipe import IMAGE, Recipe
from vae_core.training import TrainSettings


def bank() -> list[Recipe]:
    """Two answers to one grey photograph: the mean of all colours, and as many as are drawn."""
    settings = {"image": IMAGE["cifar10"], "channels": (32, 64, 96)}
    training = TrainSettings(epochs=6, batch=32, lr=1.5e-3, clip=1000.0, flip=True)
    return [
        Recipe("cifar-colouriser", "cifar10", "colouriser", settings, training),
        Recipe("cifar-colouriser-vae", "cifar10", "variational_colouriser", {**settings, "latents": 8}, training),
    ]
