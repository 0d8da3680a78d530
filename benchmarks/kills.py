"""A soak: workers are killed at random moments, and what they leave is held against a run that nobody disturbed.

    python -m benchmarks.kills [--kills N] [--epochs N] [--recipe NAME] [--seed N]

One run is trained to its end in peace. Then a second one of the same recipe is worked on by process after process,
each of which gets SIGKILL: two of three at a moment drawn evenly from the time that the whole run took, libraries'
loading and the final scores included; every third as soon as a file stands half-written in the folder. After every
kill all that the folder holds is read as the app reads it, and the snapshot must not be an older one than before.
A run that reaches its end must have the other's weights, lines and frames, bit for bit (but for the clock's), and
no leftovers; then the next run begins, until there were enough kills.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.trainings import facts
from vae_core.checkpoints import CONFIG, METRICS, WEIGHTS, read_model
from vae_core.folders import HALF_WRITTEN, PROJECT
from vae_core.recipes import RECIPES, Recipe
from vae_core.runs import Run
from vae_core.runs.worker import read_snapshot
from vae_core.training import pick_device

CLOCKS = ("seconds", "images_per_second")  # what a line tells of the clock


def half_written(folder: Path) -> list[str]:
    """Files under a temporary name."""
    return [path.name for path in folder.rglob(f".*{HALF_WRITTEN}")]


def live(run: Run, seconds: float, until_half_written: bool) -> tuple[float, str] | None:
    """Let a worker live so long: how long it lived and what stood half-written; None where it came to its end."""
    began = time.monotonic()
    worker = subprocess.Popen(
        [sys.executable, "-m", "vae_core", "resume", str(run.folder)], cwd=PROJECT, stdout=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    while worker.poll() is None:
        lived = time.monotonic() - began
        halves = half_written(run.folder) if until_half_written and lived > seconds / 2 else []
        if halves or lived > seconds:
            worker.kill()
            worker.wait()
            return lived, " ".join(half_written(run.folder))
        time.sleep(0.0005)
    assert worker.returncode == 0, f"the worker ended with {worker.returncode}"
    return None


def read_all(run: Run) -> int:
    """Read whatever the folder holds, as the app does, strictly; the snapshot's step, 0 where there is none."""
    run = Run.open(run.folder)
    state = run.status().state
    assert state in ("killed", "stopped", "finished"), f"a dead worker's run says {state}"
    steps = [event["step"] for event in run.events()]
    assert steps == sorted(set(steps)), "a line was logged twice"
    for step in run.frames():
        run.frame(step)
    if run.frames():
        run.sample()
    if (run.model_folder / CONFIG).exists():
        read_model(run.model_folder)
    snapshot = read_snapshot(run)
    return snapshot.facts["step"] if snapshot else 0


def result(run: Run) -> dict[str, Any]:
    """What a finished run must share with another one of the same recipe, and what it must not hold."""
    snapshot = read_snapshot(run)
    assert snapshot is not None
    return {
        "model": (run.model_folder / WEIGHTS).read_bytes(),
        "scores": (run.model_folder / METRICS).read_bytes(),
        "snapshot": {name: tensor.numpy().tobytes() for name, tensor in snapshot.tensors.items()},
        "lines": [{key: value for key, value in event.items() if key not in CLOCKS} for event in run.events()],
        "frames": {step: run.frame_file(step).read_bytes() for step in run.frames()},
        "leftovers": half_written(run.folder),
    }


def soak(folder: Path, recipe: Recipe, kills: int, seed: int) -> tuple[int, int]:
    """Runs that came to their end, and those of them that differ from the undisturbed one."""
    draw, wanted = random.Random(seed), Run.create(folder / "in-peace", recipe, "cpu")
    began = time.monotonic()
    assert live(wanted, 86_400, False) is None
    whole = time.monotonic() - began
    expected = result(wanted)
    print(f"in peace: {whole:.1f} s, {wanted.status().steps:,} steps, {len(wanted.frames())} frames")
    print(f"{'kill':>4} {'run':>4} {'after s':>8} {'step':>7} {'snapshot':>9}  half-written")
    killed = ended = different = 0
    while killed < kills:
        run, saved = Run.create(folder / f"run-{ended + 1}", recipe, "cpu"), 0
        while (
            death := live(run, draw.uniform(0, whole), killed % 3 == 2) if killed < kills else live(run, 86_400, False)
        ):
            killed += 1
            before, saved = saved, read_all(run)
            assert saved >= before, f"the snapshot went back from step {before} to {saved}"
            print(f"{killed:4} {ended + 1:4} {death[0]:8.2f} {run.status().step:7,} {saved:9,}  {death[1]}", flush=True)
        ended += 1
        wrong = [name for name, value in result(run).items() if value != expected[name]]
        different += bool(wrong)
        print(f"run {ended} finished; differs from the undisturbed one in: {', '.join(wrong) or 'nothing'}", flush=True)
    return ended, different


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--epochs", type=int, default=6, help="of every run")
    parser.add_argument("--recipe", choices=list(RECIPES), default="mnist-2d-vae-beta1")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    options = parser.parse_args()
    recipe = RECIPES[options.recipe]
    recipe = replace(recipe, training=replace(recipe.training, epochs=options.epochs))
    print(facts(pick_device("cpu")))
    with tempfile.TemporaryDirectory() as folder:
        ended, different = soak(Path(folder), recipe, options.kills, options.seed)
    print(f"{options.kills} kills, {ended} runs: none lost, no half-written file met, {different} with another end")


if __name__ == "__main__":
    main()
