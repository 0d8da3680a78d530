"""The bank of the lesson beyond the Gaussian posterior: one network, trained by other bounds and other games."""

from __future__ import annotations

from dataclasses import replace

from vae_core.recipes.recipe import IMAGE, Recipe
from vae_core.training import TrainSettings

TANH = {"image": IMAGE["mnist"], "hidden": (200, 200), "activation": "tanh"}  # the IWAE paper's, Burda et al. 2016


def bank() -> list[Recipe]:
    """Long trainings of the paper's VAE and IWAE (one stochastic layer) on binarised digits, and short ones of what
    changes the posterior, the prior's enforcement or the judge, with a plain VAE of equal length beside them."""
    shared = {**TANH, "latent": 50}
    training = TrainSettings(epochs=600, batch=100, lr=1.5e-3, binarise=True)
    short = replace(training, epochs=60, evaluate_every=3000)
    games = replace(short, lr=1e-3)
    faded_in = replace(games, kl_schedule="warm-up", kl_share=0.7)  # else the lower code is given up at once
    return [
        Recipe("mnist-bound1", "mnist", "vae", shared, training),
        Recipe("mnist-bound5", "mnist", "iwae", {**shared, "samples": 5}, replace(training, epochs=500)),
        Recipe("mnist-short", "mnist", "vae", shared, short),
        Recipe("mnist-flow", "mnist", "inverse_flow", {**shared, "steps": 2}, short),
        Recipe("mnist-ladder", "mnist", "ladder", {**TANH, "activation": "gelu"}, faded_in),
        Recipe("mnist-adversarial", "mnist", "adversarial", {**TANH, "latent": 10}, games),
        Recipe("mnist-adversarial-2d", "mnist", "adversarial", _plane(), replace(games, epochs=10, binarise=False)),
        Recipe("mnist-vae-gan", "mnist", "vae_gan", _pictures(), replace(games, epochs=40, binarise=False)),
    ]


def _plane() -> dict[str, object]:
    """Two latents, in the network of the bundled VAEs with as many: to be seen beside them, on grey digits."""
    return {"image": IMAGE["mnist"], "latent": 2}


def _pictures() -> dict[str, object]:
    """On grey digits: a critic would know binarised ones by their lack of grey, which a decoder's means cannot have."""
    return {"image": IMAGE["mnist"], "latent": 20, "hidden": (400, 400), "sigma": 0.5}
