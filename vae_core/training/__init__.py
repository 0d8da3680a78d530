"""The training loop and the device it runs on. It is handed a model and a source of images."""

from __future__ import annotations

from vae_core.training.device import device_title, pick_device
from vae_core.training.loop import Progress, TrainSettings, train

__all__ = ["Progress", "TrainSettings", "device_title", "pick_device", "train"]
