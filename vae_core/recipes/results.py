"""The bank of the lesson on results: three VAEs on three datasets, and the eyes of one of them."""

from __future__ import annotations

from typing import Any

from vae_core.recipes.recipe import IMAGE, Recipe
from vae_core.training import TrainSettings

DATA_RESULTS = {"mnist": "mnist", "fashion": "fashion_mnist", "cifar": "cifar10"}  # as the names of recipes call them
KINDS_RESULTS = ("conv", "residual", "perceptual")
GREY = {"latent": 16, "channels": (16, 32), "hidden": (64,)}
PHOTOGRAPHS = {"latent": 128, "channels": (32, 64, 64), "hidden": (256,)}
SEEN = {"mnist": (8, 16), "fashion": (8, 16), "cifar": (16, 32, 64)}
# So much at each depth that the codes of the three models cost about as many nats.
WEIGHTS = {"mnist": (10.0, 18.0), "fashion": (10.0, 18.0), "cifar": (30.0, 12.0, 4.0)}
PIXEL_WEIGHTS = {"mnist": 2.0, "fashion": 2.0, "cifar": 8.0}


def bank() -> list[Recipe]:
    """A convolutional VAE, a residual one, and the convolutional one trained to copy what a small classifier sees. That
    classifier is none of those that judge: it has another size and another seed."""
    return [recipe for short in reversed(DATA_RESULTS) for recipe in of_data(short)]


def of_data(short: str) -> list[Recipe]:
    data = DATA_RESULTS[short]
    colour = data == "cifar10"
    settings: dict[str, Any] = {
        "image": IMAGE[data], "network": "conv", "activation": "relu", "likelihood": "gaussian_learned", "sigma": 0.2,
        **(PHOTOGRAPHS if colour else GREY),
    }  # fmt: skip
    training = TrainSettings(epochs=8, batch=128, lr=1.5e-3, flip=colour, evaluate_every=780)
    eyes = {"image": IMAGE[data], "classes": 10, "channels": SEEN[short], "features": 64, "dropout": 0.2}
    looking = TrainSettings(epochs=5 if colour else 3, batch=128, lr=2e-3, seed=1, flip=colour)
    perceived = {
        "eyes_of": eyes_name(short), "seen": SEEN[short], "depth_weights": WEIGHTS[short],
        "pixel_weight": PIXEL_WEIGHTS[short],
    }  # fmt: skip
    return [
        Recipe(eyes_name(short), data, "classifier", eyes, looking),
        Recipe(result_name(short, "perceptual"), data, "perceptual", settings | perceived, training),
        Recipe(result_name(short, "conv"), data, "vae", settings, training),
        Recipe(result_name(short, "residual"), data, "vae", settings | {"network": "residual"}, training),
    ]


def eyes_name(short: str) -> str:
    """What the classifier is called through which the perceptual VAE looks."""
    return f"results-{short}-eyes"


def result_name(short: str, kind: str) -> str:
    """What a model of the lesson is called."""
    return f"results-{short}-{kind}"
