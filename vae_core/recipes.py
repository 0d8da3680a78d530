"""How each bundled model is made: data, model, settings. `python -m vae_core train NAME` makes it again."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field, replace
from typing import Any

from vae_core.checkpoints import settings_from
from vae_core.errors import InvalidInput
from vae_core.models import MODELS
from vae_core.training import TrainSettings

BETAS_PLANE = (0.1, 0.5, 1, 2, 4, 8)  # trained for the two-dimensional models
BETAS_DIGITS = (1, 4)  # for those with ten latents
BETAS_SPRITES = (1, 2, 4, 8, 16)
LATENTS_REDUCTION = (1, 2, 4, 8, 16, 32, 64)
SPRITES_FIRST_WEIGHT = 200.0
IMAGE = {"mnist": (1, 28, 28), "fashion_mnist": (1, 28, 28), "sprites": (1, 64, 64)}


@dataclass(frozen=True)
class Recipe:
    name: str
    data: str
    model: str
    settings: dict[str, Any] = field(default_factory=dict)  # of the model's config
    training: TrainSettings = field(default_factory=TrainSettings)

    @property
    def config(self) -> Any:
        """The model's settings, checked: an instance of its class's Config."""
        return MODELS[self.model].Config(**self.settings)


def changed(recipe: Recipe, changes: dict[str, Any]) -> Recipe:
    """The recipe with some settings changed, of its model ("beta", "latent") or of its training ("epochs").

    Raises InvalidInput for a setting that neither has, a value of a wrong type, or one that is out of range.
    """
    of_model, of_training = dataclasses.asdict(recipe.config), dataclasses.asdict(recipe.training)
    for key, value in changes.items():
        if key not in of_model and key not in of_training:
            known = ", ".join([*of_model, *of_training])
            raise InvalidInput(f"There is no setting {key!r} of {recipe.model} or its training; there are: {known}.")
        (of_model if key in of_model else of_training)[key] = value
    config = settings_from(type(recipe.config), of_model, recipe.name)
    training = settings_from(TrainSettings, of_training, recipe.name)
    settings = {key: getattr(config, key) for key in of_model if key in changes or key in recipe.settings}
    return replace(recipe, settings=settings, training=training)


def _plane(short: str, data: str) -> list[Recipe]:
    """The autoencoder and the VAEs with two latents."""
    training = TrainSettings(epochs=60, batch=256, lr=2e-3)
    shared = {"image": IMAGE[data], "latent": 2}
    return [
        Recipe(f"{short}-2d-ae", data, "autoencoder", shared, training),
        *(
            Recipe(f"{short}-2d-vae-beta{beta}", data, "vae", {**shared, "beta": float(beta)}, training)
            for beta in BETAS_PLANE
        ),
    ]


def _digits_conv() -> list[Recipe]:
    """The autoencoder and the VAEs with ten latents."""
    shared = {"image": IMAGE["mnist"], "latent": 10, "network": "conv", "channels": (16, 32), "hidden": (256,)}
    training = TrainSettings(epochs=30, batch=256, lr=2e-3)
    return [
        Recipe("mnist-10d-ae", "mnist", "autoencoder", shared, training),
        *(
            Recipe(f"mnist-10d-vae-beta{beta}", "mnist", "vae", {**shared, "beta": float(beta)}, training)
            for beta in BETAS_DIGITS
        ),
    ]


def _sprites(beta: int) -> Recipe:
    settings = {
        "image": IMAGE["sprites"], "latent": 10, "network": "conv", "channels": (16, 16, 32, 64), "hidden": (256,),
        "activation": "relu", "beta": float(beta),
    }  # fmt: skip
    # From a KL that weighs 200 the two positions find a latent each before anything else, and keep it. At a small
    # beta the same start would leave most latents asleep for good.
    training = TrainSettings(epochs=2, batch=64, lr=1e-3, evaluate_every=5000)
    if beta >= 8:
        training = replace(training, kl_schedule="fall", kl_start=SPRITES_FIRST_WEIGHT / beta)
    return Recipe(f"sprites-10d-vae-beta{beta}", "sprites", "vae", settings, training)


def _bank_of_reduction() -> list[Recipe]:
    """Autoencoders that minimise the squared error, as PCA does, one for every latent size."""
    training = TrainSettings(epochs=25, batch=256, lr=2e-3)
    shared = {"image": IMAGE["mnist"], "hidden": (256, 128), "likelihood": "gaussian"}
    return [
        Recipe(f"mnist-{latent}d-ae-mse", "mnist", "autoencoder", {**shared, "latent": latent}, training)
        for latent in LATENTS_REDUCTION
    ]


def _bank_of_denoising() -> list[Recipe]:
    """An autoencoder that is shown damaged digits; its code is wide, for it is not to lose what is no noise."""
    settings = {"image": IMAGE["mnist"], "latent": 128, "hidden": (512,)}
    return [Recipe("mnist-denoising-ae", "mnist", "denoising", settings, TrainSettings(epochs=50, batch=256, lr=2e-3))]


def _classifier(short: str, data: str, classes: int, channels: tuple[int, ...], training: TrainSettings) -> Recipe:
    settings = {"image": IMAGE[data], "classes": classes, "channels": channels}
    return Recipe(f"{short}-classifier", data, "classifier", settings, training)


# Models that one lesson compares with each other: a bank of its own, which no other page offers.
BANKS: dict[str, tuple[Recipe, ...]] = {
    "reduction": tuple(_bank_of_reduction()),
    "denoising": tuple(_bank_of_denoising()),
}

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        *_plane("mnist", "mnist"),
        *_plane("fashion", "fashion_mnist"),
        *_digits_conv(),
        *(_sprites(beta) for beta in BETAS_SPRITES),
        _classifier("mnist", "mnist", 10, (16, 32), TrainSettings(epochs=8, batch=128, lr=2e-3)),
        _classifier("fashion", "fashion_mnist", 10, (16, 32), TrainSettings(epochs=12, batch=128, lr=2e-3)),
        _classifier("sprites", "sprites", 3, (8, 16, 32), TrainSettings(epochs=1, batch=128, lr=2e-3)),
        *(recipe for bank in BANKS.values() for recipe in bank),
    )
}


def in_bank(name: str) -> bool:
    """Whether a recipe's model belongs to one lesson, and stands in no other page's choice."""
    return any(recipe.name == name for bank in BANKS.values() for recipe in bank)


def judge_of(data: str) -> str | None:
    """The recipe of the classifier that judges pictures of a dataset, where there is one."""
    judges = (recipe.name for recipe in RECIPES.values() if recipe.data == data and recipe.model == "classifier")
    return next(judges, None)
