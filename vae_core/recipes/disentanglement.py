"""The bank of the lesson on disentanglement: five objectives, one network, one number of steps."""

from __future__ import annotations

from dataclasses import replace

from vae_core.recipes.explorers import SPRITES_FIRST_WEIGHT, sprites
from vae_core.recipes.recipe import Recipe
from vae_core.training import TrainSettings

IMAGES = 384_000  # of 727,280 that there are, each seen once: 6,000 steps
SEEDS = (0, 1, 2)  # each recipe is trained with each; the models of the first are bundled
TRAINING = TrainSettings(epochs=1, batch=64, lr=1e-3, images=IMAGES, evaluate_every=3000)
BETA, GAMMA = 8.0, 100.0
CATEGORIES = (0,)  # of the sprites' factors: the shape has no order, the others have one


def longer() -> Recipe:
    """The beta-VAE of the explorers, of the same network and start: every image of the data set seen twice."""
    return sprites(int(BETA))


def falling(to: float) -> TrainSettings:
    """From a KL that weighs so much that the two positions find a latent each, and nothing else does."""
    return replace(TRAINING, kl_schedule="fall", kl_start=SPRITES_FIRST_WEIGHT / to)


def bank() -> list[Recipe]:
    shared = sprites(1).settings
    capacity = replace(TRAINING, kl_schedule="capacity", capacity=12.0, kl_share=0.8)
    tc = {**shared, "tc": 9.0, "population": IMAGES}
    return [
        Recipe("sprites-plain", "sprites", "vae", shared, TRAINING),
        Recipe("sprites-apart-beta", "sprites", "vae", {**shared, "beta": BETA}, falling(BETA)),
        Recipe("sprites-apart-tc", "sprites", "tcvae", tc, falling(1.0)),
        Recipe("sprites-apart-factor", "sprites", "factor_vae", {**shared, "tc": 20.0}, falling(1.0)),
        Recipe("sprites-apart-capacity", "sprites", "vae", {**shared, "beta": GAMMA}, capacity),
    ]
