"""The bank of the lesson on conditional VAEs."""

from __future__ import annotations

from vae_core.recipes.recipe import IMAGE, Recipe
from vae_core.training import TrainSettings


def bank() -> list[Recipe]:
    """Conditional VAEs: with two latents for a plane of styles, with eight for styles that are worth transferring."""
    training = TrainSettings(epochs=40, batch=256, lr=2e-3)
    return [
        Recipe(f"{short}-{latent}d-cvae", data, "conditional", {"image": IMAGE[data], "latent": latent}, training)
        for short, data, latent in (("mnist", "mnist", 2), ("mnist", "mnist", 8), ("fashion", "fashion_mnist", 2))
    ]
