"""The bank of the lesson on posterior collapse."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from vae_core.recipes.recipe import IMAGE, Recipe
from vae_core.training import TrainSettings

DEPTH, WIDTH = 7, 128  # hidden layers of each half, and units in each


def bank() -> list[Recipe]:
    """A VAE so deep that its decoder hardly hears the code at first, and one whose decoder sees the pixels before: each
    with the whole KL from the first step, with a KL that is faded in, and with nats that a latent may use for nothing.
    """
    shared = {"image": IMAGE["mnist"], "latent": 10}
    ways: dict[str, dict[str, Any]] = {
        "whole": {}, "warm-up": {"kl_schedule": "warm-up"}, "free-bits": {"free_bits": 1.0},
    }  # fmt: skip
    deep = TrainSettings(epochs=20, batch=256, lr=1e-3, binarise=True)
    before = TrainSettings(epochs=3, batch=64, lr=2e-3, binarise=True)
    return [
        *(
            Recipe(
                f"mnist-deep-{way}", "mnist", "vae", {**shared, "hidden": (WIDTH,) * DEPTH}, replace(deep, **changes)
            )
            for way, changes in ways.items()
        ),
        *(
            Recipe(f"mnist-before-{way}", "mnist", "autoregressive", shared, replace(before, **changes))
            for way, changes in ways.items()
        ),
    ]
