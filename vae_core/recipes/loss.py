"""The bank of the lesson on the loss."""

from __future__ import annotations

import math
from typing import Any

from vae_core.recipes.recipe import IMAGE, Recipe
from vae_core.training import TrainSettings

PIXELS = math.prod(IMAGE["mnist"])
WEIGHTS_LOSS = (300.0, 50.0, 10.0, 3.0, 1.0, 0.25, 1 / PIXELS)  # C; the last: the squared error averaged over pixels
WEIGHT_PAIR = 10.0  # C of the pair that differs in the KL alone
PAIR = ("loss-c10", "loss-no-kl")


def bank() -> list[Recipe]:
    """One small VAE with its loss changed: the weight C of the squared error, which is a decoder of variance 1 / (2 C);
    that variance learned; grey BCE; and no KL at all."""
    training = TrainSettings(epochs=12, batch=256, lr=2e-3)

    def made(name: str, **settings: Any) -> Recipe:
        shared = {"image": IMAGE["mnist"], "latent": 2, "hidden": (64, 64)}
        return Recipe(name, "mnist", "vae", {**shared, **settings}, training)

    return [
        *(made(weight_name(c), likelihood="gaussian", sigma=sigma_of(c)) for c in WEIGHTS_LOSS),
        made("loss-learned", likelihood="gaussian_learned", sigma=0.5),
        made("loss-bce"),
        made("loss-no-kl", likelihood="gaussian", sigma=sigma_of(WEIGHT_PAIR), beta=0.0),
    ]


def sigma_of(c: float) -> float:
    """The scale of the Gaussian decoder to which C times the squared error belongs: C = 1 / (2 sigma^2)."""
    return math.sqrt(1 / (2 * c))


def weight_name(c: float) -> str:
    """What the model trained with a weight C is called."""
    return "loss-mean" if c < 0.01 else f"loss-c{c:g}"
