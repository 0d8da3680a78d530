"""The bank of the lesson on the parts of an autoencoder."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from vae_core.recipes.recipe import IMAGE, Recipe
from vae_core.training import TrainSettings

LATENTS_PARTS = (2, 8, 32)
HIDDEN_PARTS = (64, 64)  # widths of each half, where they are not what is changed
ACTIVATIONS_PARTS = ("relu", "gelu", "tanh")  # the first where it is not what is changed
DEPTHS_PARTS, WIDTHS_PARTS, IMAGES_PARTS = (1, 2, 4), (16, 64, 256), (100, 1000, 10_000)


def bank() -> list[Recipe]:
    """One small autoencoder at three latent sizes, and the same with one thing changed: its depth, its width, its loss;
    and at 32 latents its activation. On 10,000 images it takes the same steps as on all; on 1,000 and on 100 more and
    smaller ones, at a higher rate. What keeps it from learning by heart is compared on 100 images."""
    whole = TrainSettings(epochs=6, batch=256, lr=3e-3)
    fewer = replace(whole, lr=5e-3, evaluate_every=400)  # an epoch is only a few steps
    few = {
        100: replace(fewer, images=100, epochs=1000, batch=25),
        1000: replace(fewer, images=1000, epochs=200, batch=100),
        10_000: replace(whole, images=10_000, epochs=36, evaluate_every=400),
    }
    shared = {"image": IMAGE["mnist"], "hidden": HIDDEN_PARTS, "activation": "relu", "likelihood": "gaussian"}

    def made(latent: int, change: str = "", training: TrainSettings = whole, model: str = "autoencoder",
             **settings: Any) -> Recipe:  # fmt: skip
        return Recipe(parts_name(latent, change), "mnist", model, {**shared, "latent": latent, **settings}, training)

    of_each_size = [
        recipe
        for latent in LATENTS_PARTS
        for recipe in (
            made(latent),
            *(made(latent, f"depth{n}", hidden=HIDDEN_PARTS[:1] * n) for n in DEPTHS_PARTS if n != len(HIDDEN_PARTS)),
            *(made(latent, f"width{n}", hidden=(n, n)) for n in WIDTHS_PARTS if n != HIDDEN_PARTS[0]),
            *(made(latent, f"images{count}", training) for count, training in few.items()),
            made(latent, "bce", likelihood="bernoulli"),
        )
    ]
    largest, fewest = LATENTS_PARTS[-1], few[100]
    masked = {"kinds": ("masking",), "lowest": 0.25, "highest": 0.25}
    return [
        *of_each_size,
        *(made(largest, f"bce-{name}", activation=name, likelihood="bernoulli") for name in ACTIVATIONS_PARTS[1:]),
        made(largest, "images100-decay", replace(fewest, weight_decay=1.0)),
        made(largest, "images100-dropout", fewest, "denoising", **masked),
        made(largest, "images100-stopped", replace(fewest, patience=3, evaluate_every=50)),
    ]


def parts_name(latent: int, change: str = "") -> str:
    """What the small autoencoder of a latent size is called, by what is changed: "" for nothing."""
    return f"parts-{latent}d" + (f"-{change}" if change else "")
