"""The classifiers that judge decoded pictures."""

from __future__ import annotations

from vae_core.recipes.recipe import IMAGE, Recipe
from vae_core.training import TrainSettings

OF_PHOTOGRAPHS = TrainSettings(epochs=10, batch=128, lr=2e-3, weight_decay=0.01, shift=3, flip=True)


def classifier(short: str, data: str, classes: int, channels: tuple[int, ...], training: TrainSettings) -> Recipe:
    settings = {"image": IMAGE[data], "classes": classes, "channels": channels}
    return Recipe(f"{short}-classifier", data, "classifier", settings, training)


def classifiers() -> list[Recipe]:
    """One judge for each dataset."""
    return [
        classifier("mnist", "mnist", 10, (16, 32), TrainSettings(epochs=8, batch=128, lr=2e-3)),
        classifier("fashion", "fashion_mnist", 10, (16, 32), TrainSettings(epochs=12, batch=128, lr=2e-3)),
        classifier("sprites", "sprites", 3, (8, 16, 32), TrainSettings(epochs=1, batch=128, lr=2e-3)),
        classifier("cifar", "cifar10", 10, (48, 96, 192), OF_PHOTOGRAPHS),
    ]
