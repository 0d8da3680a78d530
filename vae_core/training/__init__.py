"""The training loop and the device it runs on. It is handed a model and sources of images."""

from __future__ import annotations

from vae_core.training.device import device_title, pick_device
from vae_core.training.loop import Progress, Training, train
from vae_core.training.precision import resolved
from vae_core.training.settings import TrainSettings
from vae_core.training.state import State
from vae_core.training.trial import Estimate, estimate

__all__ = [
    "Estimate", "Progress", "State", "TrainSettings", "Training", "device_title", "estimate", "pick_device", "resolved",
    "train",
]  # fmt: skip
