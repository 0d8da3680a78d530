"""The models that every explorer offers: a family of autoencoder and VAEs for each kind of pictures."""

from __future__ import annotations

from dataclasses import replace

from vae_core.recipes.recipe import IMAGE, Recipe
from vae_core.training import TrainSettings

BETAS_PLANE = (0.1, 0.5, 1, 2, 4, 8)  # trained for the two-dimensional models
BETAS_DIGITS = (1, 4)  # for those with ten latents
BETAS_SPRITES = (1, 2, 4, 8, 16)
SPRITES_FIRST_WEIGHT = 200.0


def plane(short: str, data: str) -> list[Recipe]:
    """The autoencoder and the VAEs with two latents."""
    training = TrainSettings(epochs=60, batch=256, lr=2e-3)
    shared = {"image": IMAGE[data], "latent": 2}
    return [
        Recipe(f"{short}-2d-ae", data, "autoencoder", shared, training),
        *(
            Recipe(f"{short}-2d-vae-beta{beta}", data, "vae", {**shared, "beta": float(beta)}, training)
            for beta in BETAS_PLANE
        ),
    ]


def digits() -> list[Recipe]:
    """The autoencoder and the VAEs with ten latents."""
    shared = {"image": IMAGE["mnist"], "latent": 10, "network": "conv", "channels": (16, 32), "hidden": (256,)}
    training = TrainSettings(epochs=30, batch=256, lr=2e-3)
    return [
        Recipe("mnist-10d-ae", "mnist", "autoencoder", shared, training),
        *(
            Recipe(f"mnist-10d-vae-beta{beta}", "mnist", "vae", {**shared, "beta": float(beta)}, training)
            for beta in BETAS_DIGITS
        ),
    ]


def sprites(beta: int) -> Recipe:
    settings = {
        "image": IMAGE["sprites"], "latent": 10, "network": "conv", "channels": (16, 16, 32, 64), "hidden": (256,),
        "activation": "relu", "beta": float(beta),
    }  # fmt: skip
    # From a KL that weighs 200 the two positions find a latent each before anything else, and keep it. At a small
    # beta the same start would leave most latents asleep for good.
    training = TrainSettings(epochs=2, batch=64, lr=1e-3, evaluate_every=5000)
    if beta >= 8:
        training = replace(training, kl_schedule="fall", kl_start=SPRITES_FIRST_WEIGHT / beta)
    return Recipe(f"sprites-10d-vae-beta{beta}", "sprites", "vae", settings, training)
