"""How long a training will take here, from a second of it."""

from __future__ import annotations

import copy
import time
from typing import NamedTuple

import torch
from torch import nn

from vae_core.training.held_out import BATCH, held_out_terms
from vae_core.training.loop import Training
from vae_core.training.settings import TrainSettings
from vae_core.training.sources import Source

WARM_UP = 3  # steps that do not count: libraries choose their kernels, memory is allocated


class Estimate(NamedTuple):
    seconds_per_step: float
    steps: int
    seconds: float  # of the whole training, evaluations included
    images_per_second: float


def estimate(
    model: nn.Module, source: Source, settings: TrainSettings, device: torch.device, held_out: Source | None = None,
    seconds: float = 1.0,
) -> Estimate:  # fmt: skip
    """Train a copy for about `seconds` and reckon the whole. The model and the random state stay as they are."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        trial = Training(copy.deepcopy(model), source, settings, device)
        began, counted = time.perf_counter(), 0
        for progress in trial.run(log_every=WARM_UP):  # which waits for the device at every line
            if progress.step <= WARM_UP:
                began = time.perf_counter()
                continue
            counted = progress.step - WARM_UP
            if time.perf_counter() - began >= seconds:
                break
        per_step = (time.perf_counter() - began) / counted if counted else trial.seconds / max(trial.step, 1)
        evaluation = 0.0
        if held_out is not None:
            part = _Part(held_out, min(len(held_out), 2 * BATCH))
            clock = time.perf_counter()
            held_out_terms(trial.model, part, device, settings.precision)  # type: ignore[arg-type]
            evaluation = (time.perf_counter() - clock) * len(held_out) / len(part)
    evaluations = trial.steps // (settings.evaluate_every or trial.per_epoch)
    whole = trial.steps * per_step + evaluations * evaluation
    return Estimate(per_step, trial.steps, whole, settings.batch / per_step)


class _Part:
    """The first images of a source."""

    def __init__(self, source: Source, count: int) -> None:
        self.source, self.count, self.labels = source, count, source.labels[:count]
        self.is_resident = source.is_resident

    def __len__(self) -> int:
        return self.count

    def images(self, index: torch.Tensor) -> torch.Tensor:
        return self.source.images(index)
