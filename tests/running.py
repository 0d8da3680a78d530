"""Runs that take no time: own data of 96 + 30 small pictures, a small model, and workers as real processes."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tests.conftest import blobs
from vae_core.data import own
from vae_core.folders import PROJECT
from vae_core.recipes import Recipe
from vae_core.runs import Run
from vae_core.training import Progress, TrainSettings

IMAGE = (1, 12, 12)
TRAINING = TrainSettings(epochs=8, batch=32, warmup=0, precision="float32")  # 24 steps
VAE = Recipe("blob-vae", "own-blobs", "vae", {"image": IMAGE, "hidden": (16,), "beta": 2.0}, TRAINING)
ENDLESS = replace(VAE, training=replace(TRAINING, epochs=100_000, evaluate_every=10_000))
PATIENCE = 120.0  # seconds until a test gives up on a process


def add_blobs(count: int = 96) -> None:
    """The data own-blobs, so many to train on, in whatever folder LATENT_DATA names."""
    (train, train_labels), (test, test_labels) = blobs(count, IMAGE), blobs(30, IMAGE)
    arrays = {
        "train_images": train, "train_labels": train_labels, "test_images": test.flip(0), "test_labels": test_labels,
    }  # fmt: skip
    file = io.BytesIO()
    np.savez(file, **{name: array.numpy() for name, array in arrays.items()})  # type: ignore[arg-type]
    own.add_npz("blobs", file.getvalue())


def new(folder: Path, recipe: Recipe = VAE, device: str = "cpu", **changes: Any) -> Run:
    """A run, with other settings of its training."""
    return Run.create(folder, replace(recipe, training=replace(recipe.training, **changes)), device)


def asks_at(step: int, ask: Callable[[], object]) -> Callable[[Progress], None]:
    """What to watch a worker with, to do something at one step."""
    return lambda progress: ask() if progress.step == step else None  # type: ignore[func-returns-value]


def command(
    *arguments: str | Path, launcher: tuple[str, ...] = (), program: tuple[str, ...] = ("-m", "vae_core")
) -> subprocess.Popen[str]:
    """`python -m vae_core ...` as a process of its own, or as those that a launcher starts."""
    return subprocess.Popen(
        [sys.executable, *launcher, *program, *map(str, arguments)], cwd=PROJECT, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


@contextmanager
def worker(run: Run) -> Iterator[subprocess.Popen[str]]:
    """A process that works on a run, and that is gone afterwards."""
    process = command("resume", run.folder)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_for(what: Callable[[], Any]) -> Any:
    """The first true value of `what`; an error where it takes too long."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if found := what():
            return found
        time.sleep(0.01)
    raise AssertionError("waited in vain")


def without_time(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the lines of a run say, but for how long it took."""
    return [
        {key: value for key, value in event.items() if key not in ("seconds", "images_per_second")} for event in events
    ]
