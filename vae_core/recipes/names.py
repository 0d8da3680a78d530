"""The bank of the lesson on names: one network that ignores its code, and what may be done about it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from vae_core.recipes.recipe import Recipe
from vae_core.training import TrainSettings

IMAGE = (1, 16, 27)  # 1, places, letters and the end


def bank() -> list[Recipe]:
    """Plain; the KL's weight rising over the first part of the training (Bowman et al. 2016); nats that a latent may
    use for nothing (Kingma et al. 2016); letters hidden from the decoder (Bowman et al.); all of these; and a beta so
    small that it is nearly an autoencoder."""
    plain = TrainSettings(epochs=20, batch=128, lr=2e-3)
    annealed = replace(plain, kl_schedule="warm-up", kl_share=0.6)

    def named(name: str, training: TrainSettings, **settings: Any) -> Recipe:
        return Recipe(f"names-{name}", "names", "names", {"image": IMAGE, **settings}, training)

    return [
        named("plain", plain),
        named("annealed", annealed),
        named("free-bits", replace(plain, free_bits=0.5)),
        named("word-dropout", annealed, word_dropout=0.4),
        named("together", replace(annealed, free_bits=0.5), word_dropout=0.4),
        named("beta0.1", plain, beta=0.1),
    ]
