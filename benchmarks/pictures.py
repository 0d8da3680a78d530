"""What a watched training costs: frames, held-out scores, snapshots and log lines beside the bare training.

    python -m benchmarks.pictures [--recipe NAME] [--epochs N] [--rounds N] [--device NAME] [--threads N]

By turns in one process: the worker of the Train page with a run folder of its own, and the engine alone with the
same data, model and settings. Data and models are loaded outside the clock on both sides; so is what the worker
does once at the end, writing the model and scoring it with every metric, which has a line of its own. Short
trainings are the worst case: no run keeps more than 101 frames, so a long one keeps fewer an epoch.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch

from benchmarks.harness import median
from benchmarks.trainings import facts, laps
from vae_core.data import dataset
from vae_core.models import MODELS
from vae_core.recipes import RECIPES, Recipe
from vae_core.runs import worker
from vae_core.runs.folder import Run
from vae_core.runs.pictures import Pictures, frame_steps
from vae_core.runs.session import Session
from vae_core.training import Training, loop, pick_device
from vae_core.training.device import DEVICES

# Where the worker spends what the bare training does not; each may hold others, but never one of these.
PARTS: dict[str, tuple[Any, str]] = {
    "frames": (Pictures, "write"),
    "held-out scores": (loop, "held_out_terms"),
    "snapshots": (worker._Worker, "save"),
    "log lines": (worker._Worker, "log"),
    "signs of life": (Session, "beat"),
}
WHOLE: tuple[Any, str] = (worker._Worker, "train")
AFTERWARDS: tuple[Any, str] = (worker._Worker, "finish")


@contextmanager
def timed(place: tuple[Any, str], spent: dict[str, float], name: str) -> Iterator[None]:
    """Add up in `spent[name]` the seconds within a function or a method."""
    original: Callable[..., Any] = getattr(*place)

    def call(*arguments: Any, **named: Any) -> Any:
        began = time.perf_counter()
        try:
            return original(*arguments, **named)
        finally:
            spent[name] = spent.get(name, 0.0) + time.perf_counter() - began

    with patch.object(*place, call):
        yield


def watched(recipe: Recipe, device: str) -> dict[str, float]:
    """Seconds of the worker's training and of its parts."""
    spent: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        for name, place in {**PARTS, "whole": WHOLE, "afterwards": AFTERWARDS}.items():
            stack.enter_context(timed(place, spent, name))
        status = worker.work(Run.create(Path(folder) / "watched", recipe, device))
        assert status.state == "finished", status.message
        spent["MB written"] = sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file()) / 1e6
    return spent


def bare(recipe: Recipe, device: torch.device) -> float:
    """Seconds of the same training, of which nobody sees anything."""
    torch.manual_seed(recipe.training.seed)
    model = MODELS[recipe.model](recipe.config)
    training = Training(model, dataset(recipe.data).load("train", device), recipe.training, device)
    return list(laps(training, device, ()))[-1][1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", choices=list(RECIPES), default="mnist-2d-vae-beta1")
    parser.add_argument("--epochs", type=int, default=5, help="of every training")
    parser.add_argument("--rounds", type=int, default=3, help="trainings of each kind")
    parser.add_argument("--device", choices=DEVICES, default="auto")
    parser.add_argument("--threads", type=int, help="of the CPU; default: PyTorch's choice")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    device = pick_device(options.device)
    recipe = RECIPES[options.recipe]
    recipe = replace(recipe, training=replace(recipe.training, epochs=options.epochs))
    print(facts(device))
    alone, seen = [], []
    for _ in range(options.rounds):
        alone.append(bare(recipe, device))
        seen.append(watched(recipe, options.device))
        print(f"bare {alone[-1]:.2f} s, watched {seen[-1]['whole']:.2f} s", flush=True)
    floor = median(alone)
    steps = options.epochs * (len(dataset(recipe.data).load("train")) // recipe.training.batch)
    print(f"\n{recipe.name}, {options.epochs} epochs, {steps:,} steps, {len(frame_steps(steps))} frames")
    print(f"{'':24} {'seconds':>8} {'of bare':>8}   medians of {options.rounds}")
    print(f"{'bare training':24} {floor:8.2f} {1:8.1%}")
    for name in PARTS:
        part = median([spent.get(name, 0.0) for spent in seen])
        print(f"{name:24} {part:8.2f} {part / floor:8.1%}")
    parts = median([sum(spent.get(name, 0.0) for name in PARTS) for spent in seen])
    whole = median([spent["whole"] for spent in seen])
    print(f"{'all of these':24} {parts:8.2f} {parts / floor:8.1%}   (to reach: less than 10 %)")
    print(f"{'watched, beyond bare':24} {whole - floor:8.2f} {whole / floor - 1:8.1%}   by the clock outside")
    print(f"{'once, at the end':24} {median([spent['afterwards'] for spent in seen]):8.2f}            not counted")
    print(f"{median([spent['MB written'] for spent in seen]):.1f} MB in the run folder")


if __name__ == "__main__":
    main()
