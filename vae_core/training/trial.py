"""How long a training will take here, from a second of it."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import nn

from vae_core.errors import InvalidInput
from vae_core.training.held_out import BATCH, held_out_terms
from vae_core.training.loop import Training
from vae_core.training.memory import out_of_memory
from vae_core.training.settings import TrainSettings
from vae_core.training.sources import Source

WARM_UP = 3  # steps that do not count where more fit: libraries choose their kernels, memory is allocated
PROBE = 64  # images of the first steps, which tell how large a batch can be tried


class Estimate(NamedTuple):
    seconds_per_step: float
    steps: int
    seconds: float  # of the whole training, evaluations included
    images_per_second: float
    tried: int  # images in a step of the trial; where that is less than the batch, the time was scaled up


def estimate(
    model: nn.Module, source: Source, settings: TrainSettings, device: torch.device, held_out: Source | None = None,
    seconds: float = 1.0,
) -> Estimate:  # fmt: skip
    """Train a copy for about `seconds` and reckon the whole. The model and the random state stay as they are.

    A batch of which a step would take more than half of that is not tried: the time of as many images as can be
    is scaled up, so a trial's time is bounded, and on a CPU its memory too. Raises InvalidInput for a batch that is
    larger than the data, and where memory runs out.
    """
    settings = replace(settings, patience=0)
    try:
        return _estimate(model, source, settings, device, held_out, seconds)
    except (RuntimeError, MemoryError) as error:
        told = out_of_memory(error, settings.batch)
        if told is None:
            raise
    raise InvalidInput(told)  # outside: the error's traceback would keep the tensors


def _estimate(
    model: nn.Module, source: Source, settings: TrainSettings, device: torch.device, held_out: Source | None,
    seconds: float,
) -> Estimate:  # fmt: skip
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        whole = Training(copy.deepcopy(model), source, settings, device)

        def part(batch: int) -> Training:
            return Training(copy.deepcopy(model), source, replace(settings, batch=batch), device)

        trial, per_step = _speed(whole, part, seconds)
        evaluation = _seconds_per_evaluation(trial, held_out) if held_out is not None else 0.0
    evaluations = -(-whole.steps // (settings.evaluate_every or whole.per_epoch))  # the last step's included
    total = whole.steps * per_step + evaluations * evaluation
    return Estimate(per_step, whole.steps, total, settings.batch / per_step, trial.settings.batch)


def _speed(whole: Training, part: Callable[[int], Training], seconds: float) -> tuple[Training, float]:
    """The training that was tried, with as large a `part` of the batch as time allows, and seconds per whole step."""
    batch = whole.settings.batch
    if batch <= PROBE:
        return whole, _seconds_per_step(whole, seconds)
    trial = part(PROBE)
    taken = _seconds_per_step(trial, 0.0, least=2)
    fits = min(batch, int(PROBE * seconds / 2 / taken))
    if fits == batch or fits >= 2 * PROBE:
        trial = whole if fits == batch else part(fits)
        taken = _seconds_per_step(trial, seconds)
    return trial, taken * batch / trial.settings.batch


def _seconds_per_step(training: Training, seconds: float, least: int = 1) -> float:
    """From as many steps as fit into `seconds`, but from `least` in any case."""
    began = mark = time.perf_counter()
    first, per_step = 0, 0.0
    looks = {1}  # steps at which to wait for the device and look at the clock; looked up while training goes on
    for progress in training.run(log_every=training.steps, also_at=looks):
        now = time.perf_counter()
        per_step = max(now - mark, 1e-9) / (progress.step - first)
        left = began + seconds - now
        if left <= 0 and progress.step >= least:
            break
        ahead = max(1, int(left / 2 / per_step))
        if progress.step <= WARM_UP:
            first, mark, ahead = progress.step, now, 1
        looks.add(progress.step + ahead)
    return per_step


def _seconds_per_evaluation(trial: Training, held_out: Source) -> float:
    """Of all held-out images, from some of them: looked at twice, for the first time is slower."""
    part = _Part(held_out, min(len(held_out), max(PROBE, trial.settings.batch), BATCH))
    for _ in range(2):
        began = time.perf_counter()
        held_out_terms(trial.model, part, trial.device, trial.settings.precision)  # type: ignore[arg-type]
        taken = time.perf_counter() - began
    return taken * len(held_out) / len(part)


class _Part:
    """The first images of a source."""

    def __init__(self, source: Source, count: int) -> None:
        self.source, self.count, self.labels = source, count, source.labels[:count]
        self.is_resident = source.is_resident

    def __len__(self) -> int:
        return self.count

    def images(self, index: torch.Tensor) -> torch.Tensor:
        return self.source.images(index)
