"""The bank of the lesson on VQ-VAE-2."""

from __future__ import annotations

from vae_core.recipes.recipe import IMAGE, Recipe
from vae_core.training import TrainSettings

PHOTOGRAPHS = TrainSettings(epochs=8, batch=64, lr=1e-3, flip=True, evaluate_every=1562)


def bank() -> list[Recipe]:
    """Two levels of code maps of photographs."""
    levels = {"image": IMAGE["cifar10"], "codes": 512, "dimensions": 64, "width": 80}
    return [Recipe("cifar-vq2", "cifar10", "vq_vae2", levels, PHOTOGRAPHS)]
