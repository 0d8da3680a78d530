"""What the benchmarks of training share: the networks, a clock that stands still while a score is taken, the score."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

import torch

from benchmarks.harness import machine
from vae_core.data import ImageSource
from vae_core.metrics.elbo import elbo
from vae_core.metrics.trial import Trial
from vae_core.models import VAE
from vae_core.recipes import RECIPES
from vae_core.training import Training, TrainSettings, device_title

PLANE = "the 2-D recipe"
NETWORKS: dict[str, dict[str, Any]] = {  # settings of a VAE
    "784-400-20": {"hidden": (400,), "latent": 20, "activation": "relu"},
    PLANE: RECIPES["mnist-2d-vae-beta1"].settings,
}


class Point(NamedTuple):
    """A place on a curve of learning."""

    epoch: float
    seconds: float  # of training, scores not counted
    loss: float  # -ELBO of all held-out images, nats per image


def fresh(network: str, seed: int = 0) -> VAE:
    """A new VAE with weights from a seed."""
    torch.manual_seed(seed)
    return VAE(VAE.Config(**NETWORKS[network]))


def score(model: VAE, held_out: ImageSource) -> float:
    """-ELBO in nats per image, the mean over all held-out images, at beta 1; on grey images: grey BCE + KL."""
    was_training = model.training
    found = elbo(Trial(model.eval(), held_out)).elbo
    model.train(was_training)
    assert found is not None
    return -found


def wait_for(device: torch.device) -> None:
    """Until the device has done what it was told; a CPU already has."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def laps(training: Training, device: torch.device, at: Collection[int]) -> Iterator[tuple[int, float]]:
    """Train up to each of the steps `at` in turn: the step, and the seconds of training since the first step.

    What the caller does between two laps is not counted.
    """
    progress = training.run(log_every=training.steps, also_at=at)
    seconds = 0.0
    while True:
        wait_for(device)
        began = time.perf_counter()
        line = next(progress, None)
        wait_for(device)
        if line is None:
            return
        seconds += time.perf_counter() - began
        yield line.step, seconds


def warm_up(network: str, settings: TrainSettings, source: ImageSource, device: torch.device) -> None:
    """A few steps that count nowhere: libraries are loaded, kernels chosen, memory is there."""
    next(laps(Training(fresh(network), source, settings, device), device, (20,)))


def curve(
    network: str, settings: TrainSettings, source: ImageSource, held_out: ImageSource, device: torch.device,
    points_an_epoch: int = 1,
) -> Iterator[Point]:  # fmt: skip
    """Train a new network and score it so many times an epoch, the end included."""
    model = fresh(network, settings.seed)
    training = Training(model, source, settings, device)
    count = settings.epochs * points_an_epoch
    at = sorted({round(training.steps * i / count) for i in range(1, count + 1)})
    for step, seconds in laps(training, device, at):
        yield Point(step / training.per_epoch, seconds, score(model, held_out))


def facts(device: torch.device) -> str:
    """What a figure of training depends on."""
    return f"{machine()}, {device_title(device)}"
