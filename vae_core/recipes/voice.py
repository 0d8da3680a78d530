"""The bank of the lesson on voices."""

from __future__ import annotations

from vae_core.recipes.recipe import Recipe
from vae_core.training import TrainSettings

SPECTROGRAM = (1, 128, 96)  # 1, bands, columns


def bank() -> list[Recipe]:
    """The voice VQ-VAE, and the two judges of what it says: which digit, and whose voice."""
    judging = TrainSettings(epochs=14, batch=32, lr=1e-3, weight_decay=0.01, shift=3)
    shared = {"image": SPECTROGRAM, "channels": (12, 24, 48, 48)}
    return [
        Recipe("spoken-digits-classifier", "spoken_digits", "classifier", {**shared, "classes": 10}, judging),
        Recipe("voices-classifier", "voices", "classifier", {**shared, "classes": 6}, judging),
        Recipe(
            "voices-vq", "voices", "voice", {"image": SPECTROGRAM},
            TrainSettings(epochs=60, batch=32, lr=1e-3, evaluate_every=840),
        ),
    ]  # fmt: skip
