"""Which device to compute on."""

from __future__ import annotations

import platform

import torch

from vae_core.errors import InvalidInput

DEVICES = ("auto", "cuda", "mps", "cpu")


def available() -> list[str]:
    """The devices that this machine has, best first."""
    found = ["cuda"] if torch.cuda.is_available() else []
    found += ["mps"] if torch.backends.mps.is_available() else []
    return [*found, "cpu"]


def pick_device(name: str = "auto") -> torch.device:
    """A device by name, or the best there is. Raises InvalidInput for one that is unknown or not here."""
    here = available()
    if name == "auto":
        return torch.device(here[0])
    if name not in DEVICES:
        raise InvalidInput(f"There is no device {name!r}; choose one of {', '.join(DEVICES)}.")
    if name not in here:
        raise InvalidInput(f"This machine has no {name} device; choose auto or one of {', '.join(here)}.")
    return torch.device(name)


def device_title(device: torch.device, threads: int | None = None) -> str:
    """What a person calls the device; a CPU with so many threads, or with those that PyTorch has now."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type == "mps":
        return "Apple GPU"
    threads = threads or torch.get_num_threads()
    return f"CPU, {threads} thread{'s' * (threads > 1)} ({platform.machine()})"
