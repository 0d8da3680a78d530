"""The bank of the lesson on discrete VAEs."""

from __future__ import annotations

from vae_core.recipes.recipe import IMAGE, Recipe
from vae_core.training import TrainSettings


def bank() -> list[Recipe]:
    """Discrete VAEs: well relaxed, too warm, and with true letters in the forward pass."""
    training = TrainSettings(epochs=40, batch=256, lr=2e-3)
    shared = {"image": IMAGE["mnist"]}
    return [
        Recipe("mnist-discrete-warm", "mnist", "discrete", {**shared, "temperature": 2.0}, training),
        Recipe("mnist-discrete", "mnist", "discrete", {**shared, "temperature": 0.5}, training),
        Recipe("mnist-discrete-straight", "mnist", "discrete", {**shared, "straight_through": True}, training),
    ]
