"""The bank of the lesson on super-resolution."""

from __future__ import annotations

from dataclasses import replace

from vae_core.recipes.recipe import IMAGE, Recipe
from vae_core.training import TrainSettings


def bank() -> list[Recipe]:
    """Small pictures made large again, of two kinds and by two factors. Digits need fewer channels."""
    photographs, digits = TrainSettings(epochs=6, batch=32, lr=1e-3, flip=True), TrainSettings(batch=32, lr=1e-3)
    return [
        Recipe(
            f"{short}-{factor}x", data, "super_resolution",
            {"image": IMAGE[data], "factor": factor, "width": width}, replace(training, epochs=epochs),
        )
        for short, data, width, training, factor, epochs in (
            ("cifar", "cifar10", 48, photographs, 2, 4), ("cifar", "cifar10", 48, photographs, 4, 6),
            ("mnist", "mnist", 32, digits, 2, 3), ("mnist", "mnist", 32, digits, 4, 6),
        )
    ]  # fmt: skip
