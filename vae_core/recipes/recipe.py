"""What a recipe is: data, a model, its settings and its training."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field, replace
from typing import Any

from vae_core.checkpoints import settings_from
from vae_core.errors import InvalidInput
from vae_core.models import MODELS
from vae_core.training import TrainSettings

IMAGE = {"mnist": (1, 28, 28), "fashion_mnist": (1, 28, 28), "sprites": (1, 64, 64), "cifar10": (3, 32, 32)}


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
