"""The bank of the lesson on dimensionality reduction."""

from __future__ import annotations

from vae_core.recipes.recipe import IMAGE, Recipe
from vae_core.training import TrainSettings

LATENTS_REDUCTION = (1, 2, 4, 8, 16, 32, 64)


def bank() -> list[Recipe]:
    """Autoencoders that minimise the squared error, as PCA does, one for every latent size."""
    training = TrainSettings(epochs=25, batch=256, lr=2e-3)
    shared = {"image": IMAGE["mnist"], "hidden": (256, 128), "likelihood": "gaussian"}
    return [
        Recipe(f"mnist-{latent}d-ae-mse", "mnist", "autoencoder", {**shared, "latent": latent}, training)
        for latent in LATENTS_REDUCTION
    ]
