"""The bank of the lesson on denoising."""

from __future__ import annotations

from vae_core.recipes.recipe import IMAGE, Recipe
from vae_core.training import TrainSettings


def bank() -> list[Recipe]:
    """An autoencoder that is shown damaged digits; its code is wide, for it is not to lose what is no noise."""
    settings = {"image": IMAGE["mnist"], "latent": 128, "hidden": (512,)}
    return [Recipe("mnist-denoising-ae", "mnist", "denoising", settings, TrainSettings(epochs=50, batch=256, lr=2e-3))]
