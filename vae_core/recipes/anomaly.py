"""The bank of the lesson on anomalies."""

from __future__ import annotations

from vae_core.recipes.recipe import IMAGE, Recipe
from vae_core.training import TrainSettings


def bank() -> list[Recipe]:
    """VAEs that know one class each, and one that knows every digit but 1: what else there is, is an anomaly to it.
    The noise of the pixels is learned, so that the ELBO weighs an error as the training images deserve."""
    alone: list[tuple[int, ...]] = [(label,) for label in range(10)]
    known = {"mnist": [*alone, (0, 2, 3, 4, 5, 6, 7, 8, 9)], "fashion_mnist": alone}
    return [
        Recipe(
            name_with_classes(data, classes), data, "vae",
            {"image": IMAGE[data], "latent": 16, "hidden": (128,), "likelihood": "gaussian_learned", "sigma": 0.15},
            TrainSettings(epochs=20, batch=128, lr=2e-3, labels=classes),
        )
        for data, choices in known.items() for classes in choices
    ]  # fmt: skip


def name_with_classes(data: str, classes: tuple[int, ...]) -> str:
    """What a model is called that was trained on these classes of a dataset alone."""
    return f"{data.partition('_')[0]}-only-{''.join(map(str, sorted(classes)))}"
