"""In which precision matrix products are faster here."""

from __future__ import annotations

import statistics
import time
from dataclasses import replace
from functools import lru_cache

import torch

from vae_core.training.settings import TrainSettings

ROUNDS = 5


def resolved(settings: TrainSettings, device: torch.device) -> TrainSettings:
    """The settings with precision "auto" decided for a device, so that a run can say in what it was trained."""
    if settings.precision != "auto":
        return settings
    return replace(settings, precision="bfloat16" if bfloat16_pays(device.type) else "float32")


@lru_cache
def bfloat16_pays(kind: str) -> bool:
    """Whether bfloat16 products are the faster ones on a kind of device. CUDA devices tell; a CPU is tried out on
    products of a training's size (some 20 ms), for those without instructions for it are ten times slower."""
    if kind == "cuda":
        return torch.cuda.is_bf16_supported()
    if kind != "cpu":
        return False
    times: dict[torch.dtype, list[float]] = {torch.float32: [], torch.bfloat16: []}
    for _ in range(ROUNDS + 1):  # in turns, so that whatever else the machine does meets both
        for dtype, taken in times.items():
            x, weight = torch.ones(256, 784, dtype=dtype), torch.ones(784, 512, dtype=dtype)
            began = time.perf_counter()
            x @ weight
            taken.append(time.perf_counter() - began)
    single, half = (statistics.median(taken[1:]) for taken in times.values())
    return half < single
