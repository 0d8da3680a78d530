"""The bank of the lesson on VQ-VAE-2."""

from __future__ import annotations

from vae_core.recipes.recipe import IMAGE, Recipe
from vae_core.training import TrainSettings

PHOTOGRAPHS = TrainSettings(epochs=8, batch=64, lr=1e-3, flip=True, evaluate_every=1562)


CODES = 512
PRIOR = TrainSettings(epochs=4, batch=64, lr=2e-3, evaluate_every=1562)


def bank() -> list[Recipe]:
    """Two levels of code maps of photographs; and a prior over each, to be trained once the bundled model is there:
    over the top maps given the class, over the bottom maps given the top map and the class."""
    levels = {"image": IMAGE["cifar10"], "codes": CODES, "dimensions": 64, "width": 80}
    return [
        Recipe("cifar-vq2", "cifar10", "vq_vae2", levels, PHOTOGRAPHS),
        Recipe("cifar-vq2-top", "cifar10", "pixelcnn", {"image": (1, 4, 4), **prior(0, 0)}, PRIOR),
        Recipe("cifar-vq2-bottom", "cifar10", "pixelcnn", {"image": (2, 8, 8), **prior(1, CODES)}, PRIOR),
    ]


def prior(level: int, given: int) -> dict[str, object]:
    """Settings of a PixelCNN over one level of the maps."""
    of = {"codes_of": "cifar-vq2", "level": level, "given": given, "codes": CODES}
    return {**of, "width": 64, "layers": 6, "classes": 10}
