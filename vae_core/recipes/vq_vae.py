"""The bank of the lesson on VQ-VAEs."""

from __future__ import annotations

from vae_core.recipes.recipe import IMAGE, Recipe
from vae_core.training import TrainSettings

PHOTOGRAPHS = TrainSettings(epochs=10, batch=64, lr=1e-3, flip=True, evaluate_every=1562)
DIGITS = TrainSettings(epochs=4, batch=64, lr=1e-3)
PRIOR_OF_PHOTOGRAPHS = TrainSettings(epochs=4, batch=64, lr=2e-3, evaluate_every=1562)
PRIOR_OF_DIGITS = TrainSettings(epochs=4, batch=64, lr=2e-3)


def bank() -> list[Recipe]:
    """Code maps of photographs and of digits; on digits three ways to keep a codebook, of which one loses it; and a
    prior over the maps of either, to be trained once the bundled VQ-VAE that it names is there."""
    photographs = {"image": IMAGE["cifar10"], "codes": 512, "dimensions": 64, "width": 96}
    digits = {"image": IMAGE["mnist"], "codes": 128, "dimensions": 32, "width": 48, "narrow": 24}
    return [
        Recipe("cifar-vq", "cifar10", "vq_vae", photographs, PHOTOGRAPHS),
        Recipe("mnist-vq", "mnist", "vq_vae", digits, DIGITS),
        Recipe("mnist-vq-gradient", "mnist", "vq_vae", {**digits, "update": "gradient"}, DIGITS),
        Recipe("mnist-vq-dead", "mnist", "vq_vae", {**digits, "update": "gradient", "restart": 0.0}, DIGITS),
        prior("cifar-vq", "cifar10", photographs, PRIOR_OF_PHOTOGRAPHS, width=64),
        prior("mnist-vq", "mnist", digits, PRIOR_OF_DIGITS, width=40),
    ]


def prior(of: str, data: str, settings: dict[str, object], training: TrainSettings, width: int) -> Recipe:
    """A PixelCNN over the code maps of a bundled VQ-VAE, told the class."""
    side = IMAGE[data][1] // 4
    maps = {"image": (1, side, side), "codes": settings["codes"], "codes_of": of}
    return Recipe(f"{of}-prior", data, "pixelcnn", {**maps, "width": width, "layers": 6, "classes": 10}, training)
