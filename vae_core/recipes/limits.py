"""The bank of the lesson on limits: small VAEs over beta and latent size, and some on few images."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from vae_core.recipes.recipe import IMAGE, Recipe
from vae_core.training import TrainSettings

BETAS_LIMITS = (0.1, 0.3, 1.0, 3.0, 10.0)
LATENTS_LIMITS = (2, 4, 8, 16, 32)
FEW_LIMITS = (  # training images, and the cure; "": none
    (100, ""), (100, "dropout"), (100, "decay"), (100, "stopped"), (1000, ""), (1000, "dropout"),
)  # fmt: skip
BETA_FEW, LATENT_FEW = 1.0, 16  # of the models on few images


def bank() -> list[Recipe]:
    """One small network (64-64) for all. On 100 and 1,000 images: as it is, with 20% of its hidden units dropped, with
    weight decay, and stopped where the held-out ELBO was best; 6,000 steps each, or until it was stopped."""
    shared = {"image": IMAGE["mnist"], "hidden": (64, 64), "activation": "relu"}
    whole = TrainSettings(epochs=16, batch=256, lr=4e-3)
    few = TrainSettings(batch=50, lr=3e-3, lr_schedule="constant", evaluate_every=100)

    def cured(images: int, cure: str) -> Recipe:
        training = replace(few, images=images, epochs=6000 * few.batch // images)
        model, settings = "vae", {**shared, "latent": LATENT_FEW, "beta": BETA_FEW}
        if cure == "dropout":
            model, settings = "dropout_vae", {**settings, "dropout": 0.2}
        changes: dict[str, dict[str, Any]] = {"decay": {"weight_decay": 1.0}, "stopped": {"patience": 5}}
        return Recipe(few_name(images, cure), "mnist", model, settings, replace(training, **changes.get(cure, {})))

    return [
        *(
            Recipe(limits_name(beta, latent), "mnist", "vae", {**shared, "latent": latent, "beta": beta}, whole)
            for beta in BETAS_LIMITS
            for latent in LATENTS_LIMITS
        ),
        *(cured(images, cure) for images, cure in FEW_LIMITS),
    ]


def limits_name(beta: float, latent: int) -> str:
    """What the model of a cell of the map is called."""
    return f"limits-beta{beta:g}-{latent}d"


def few_name(images: int, cure: str = "") -> str:
    """What the model on few images is called."""
    return f"limits-images{images}" + (f"-{cure}" if cure else "")
