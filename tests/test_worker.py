"""The worker's life: start, stop, kill, resume, lock."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.running import (
    ENDLESS,
    IMAGE,
    PATIENCE,
    TRAINING,
    VAE,
    asks_at,
    command,
    new,
    wait_for,
    without_time,
    worker,
)
from vae_core.checkpoints import CONFIG, METRICS, WEIGHTS, Checkpoint, read_model, round_weights
from vae_core.data import dataset
from vae_core.data.binarise import Binarised
from vae_core.errors import InvalidInput
from vae_core.folders import HALF_WRITTEN
from vae_core.models import MODELS
from vae_core.recipes import Recipe
from vae_core.runs import Run, Status, frame_steps, trained, work
from vae_core.runs import worker as worker_module
from vae_core.runs.folder import HEARTBEAT, LOCK, SNAPSHOT, STOP
from vae_core.runs.scores import evaluate, held_out_source
from vae_core.runs.worker import read_snapshot
from vae_core.training import Progress, train
from vae_core.training.state import part

CPU = torch.device("cpu")


pytestmark = pytest.mark.usefixtures("own_folder", "own_blobs")


def weights(run: Run) -> bytes:
    return (run.model_folder / WEIGHTS).read_bytes()


def same_end(run: Run, other: Run) -> None:
    """Both runs ended alike: weights bit for bit, every line, every frame, every score."""
    first, second = read_snapshot(run), read_snapshot(other)
    assert first is not None and second is not None and first.tensors.keys() == second.tensors.keys()
    assert all(torch.equal(first.tensors[name], second.tensors[name]) for name in first.tensors)
    assert weights(run) == weights(other)
    assert (run.model_folder / METRICS).read_bytes() == (other.model_folder / METRICS).read_bytes()
    assert without_time(run.events()) == without_time(other.events())
    assert run.frames() == other.frames()
    assert all(run.frame_file(step).read_bytes() == other.frame_file(step).read_bytes() for step in run.frames())


# What it writes


def test_a_run_from_start_to_end(own_folder: Path) -> None:
    run = new(own_folder / "demo")
    lines: list[Progress] = []
    status = work(run, progress=lines.append)
    assert (status.state, status.step, status.steps, status.message) == ("finished", 24, 24, "")
    assert run.status() == status and run.is_finished and not run.is_held()
    events = run.events()
    assert [event["step"] for event in events] == [line.step for line in lines] == list(range(1, 25))
    last = events[-1]
    assert (last["steps"], last["epoch"], last["total"]) == (24, 8.0, lines[-1].terms["total"])
    assert len(last["kl_per_latent"]) == 2 and last["kl_per_latent"] == lines[-1].terms["kl_per_latent"]
    assert [event["step"] for event in events if "held_out" in event] == list(range(3, 25, 3)), "once an epoch"
    assert last["held_out"]["elbo"] == pytest.approx(-last["held_out"]["recon"] - last["held_out"]["kl"])
    assert run.frames() == frame_steps(24)
    assert json.loads((run.folder / HEARTBEAT).read_text())["pid"] == os.getpid()
    checkpoint = read_model(run.model_folder)
    assert (checkpoint.name, checkpoint.dataset, checkpoint.metrics["held_out"]) == ("blob-vae", "own-blobs", 30)
    assert {"epochs": 8, "batch": 32, "steps": 24}.items() <= checkpoint.training.items()
    assert {path.name for path in run.model_folder.iterdir()} == {CONFIG, WEIGHTS, METRICS}


def test_watching_changes_no_weight(own_folder: Path) -> None:
    """The model of a run, with its lines, frames and snapshots, is the one that the bare loop makes."""
    run = new(own_folder / "demo")
    work(run)
    torch.manual_seed(VAE.training.seed)
    model = MODELS["vae"](VAE.config)
    for _ in train(model, dataset("own-blobs").load("train"), VAE.training, CPU):
        pass
    round_weights(model, "float16")
    found = read_model(run.model_folder).model.state_dict()
    assert all(torch.equal(found[name], tensor) for name, tensor in model.state_dict().items())


def test_a_deterministic_model_and_a_classifier(own_folder: Path) -> None:
    plain = new(
        own_folder / "ae", Recipe("ae", "own-blobs", "autoencoder", {"image": IMAGE, "hidden": (16,)}, TRAINING)
    )
    assert work(plain).state == "finished" and plain.frames() == frame_steps(24)
    settings = {"image": IMAGE, "classes": 3, "channels": (4, 8), "features": 8}
    judge = new(own_folder / "judge", Recipe("judge", "own-blobs", "classifier", settings, TRAINING))
    assert work(judge).state == "finished"
    assert judge.frames() == [] and "accuracy" in judge.events()[-1]["held_out"]
    assert read_model(judge.model_folder).metrics["accuracy"] > 0


def test_binarised_data_are_scored_as_binarised(own_folder: Path) -> None:
    run = new(own_folder / "demo", binarise=True)
    assert work(run).state == "finished"
    assert set(run.sample().images.unique().tolist()) == {0, 255}
    checkpoint = read_model(run.model_folder)
    assert isinstance(held_out_source("own-blobs", checkpoint.training), Binarised)
    grey = evaluate(replace(checkpoint, training={**checkpoint.training, "binarise": False}))
    assert checkpoint.metrics["recon"] != grey["recon"]


def test_a_finished_run_is_left_alone(own_folder: Path) -> None:
    first = trained(VAE, own_folder / "demo", "cpu")
    before = {path: path.stat().st_mtime_ns for path in (own_folder / "demo").rglob("*") if path.name != LOCK}
    again = trained(VAE, own_folder / "demo", "cpu")
    assert first.metrics == again.metrics
    assert before == {path: path.stat().st_mtime_ns for path in before}


def test_it_tells_that_only_the_scores_are_missing(own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = new(own_folder / "demo")
    told: list[Status] = []

    def slowly(checkpoint: Checkpoint, progress: Callable[[float, str], None]) -> dict[str, Any]:
        progress(0.5, "Continuity")
        told.append(run.status())
        return evaluate(checkpoint)

    monkeypatch.setattr(worker_module, "evaluate", slowly)
    assert work(run).state == "finished"
    assert [(status.state, status.step) for status in told] == [("running", 24)] and "continuity" in told[0].message


def test_a_folder_with_another_run_is_no_stored_model(own_folder: Path) -> None:
    open_precision = replace(VAE, training=replace(TRAINING, precision="auto"))
    trained(open_precision, own_folder / "demo", "cpu")
    assert trained(open_precision, own_folder / "demo").name == "blob-vae"
    others = replace(VAE, settings=VAE.settings | {"beta": 3.0}), replace(VAE, training=replace(TRAINING, seed=1))
    for other in others:
        with pytest.raises(InvalidInput, match="another recipe"):
            trained(other, own_folder / "demo", "cpu")


# Stopped, killed, and gone on with


@pytest.mark.parametrize("step", [1, 7, 23])
def test_a_run_that_was_stopped_ends_as_if_it_had_not_been(own_folder: Path, step: int) -> None:
    whole, parted = new(own_folder / "whole"), new(own_folder / "parted")
    work(whole)
    status = work(parted, progress=asks_at(step, lambda: os.kill(os.getpid(), signal.SIGTERM)))
    assert (status.state, status.step) == ("stopped", step) and parted.status() == status
    assert not parted.model_folder.exists()
    assert work(parted).state == "finished"
    same_end(parted, whole)


def test_what_came_after_the_last_snapshot_comes_once(own_folder: Path, often: None) -> None:
    """A worker dies between a snapshot and the next: the lines and frames beyond it are written anew."""
    whole, parted = new(own_folder / "whole"), new(own_folder / "parted")
    work(whole)
    kept: dict[str, bytes] = {}
    work(parted, progress=asks_at(9, lambda: kept.update(at=(parted.folder / SNAPSHOT).read_bytes())))
    (parted.folder / SNAPSHOT).write_bytes(kept["at"])  # of step 8, while the lines and frames go on to 24
    stray = parted.folder / f".{SNAPSHOT}.k3v_x0a1{HALF_WRITTEN}"
    stray.touch()
    parted.write_state("running")
    assert parted.status().state == "killed"
    assert work(parted).state == "finished"
    same_end(parted, whole)
    assert not stray.exists()


def test_a_run_stopped_when_all_but_its_scores_was_done(own_folder: Path) -> None:
    """With early stopping, whose best weights have to survive."""
    settings = {"epochs": 200, "lr": 0.05, "lr_schedule": "constant", "patience": 3}
    whole, parted = new(own_folder / "whole", **settings), new(own_folder / "parted", **settings)
    assert work(whole).state == "finished"
    last = whole.status().step
    measured = [event for event in whole.events() if "held_out" in event]
    best = max(measured, key=lambda event: event["held_out"]["elbo"])
    assert last < 600 and measured.index(best) == len(measured) - 4
    assert [event for event in measured if event.get("best")][-1] == best and measured[0]["best"]
    assert whole.held_out() == best["held_out"], "those of the weights that were kept"
    kept, sample = read_snapshot(whole), whole.sample()
    assert kept is not None
    model = MODELS["vae"](VAE.config)
    model.load_state_dict(part(kept.tensors, "best"))
    codes = model.eval().encode(dataset("own-blobs").load("test").images(sample.index)).mean  # type: ignore[operator]
    assert torch.allclose(whole.frame(last).latents, codes.half(), atol=1e-3), "the last frame shows them, too"
    status = work(parted, progress=asks_at(last, lambda: os.kill(os.getpid(), signal.SIGTERM)))
    assert (status.state, status.step) == ("stopped", last)
    assert work(parted).state == "finished"
    same_end(parted, whole)


def test_it_goes_on_with_as_many_threads_as_it_began(own_folder: Path) -> None:
    run = new(own_folder / "demo")
    torch.set_num_threads(1)
    work(run, progress=asks_at(5, lambda: os.kill(os.getpid(), signal.SIGTERM)))
    seen: set[int] = set()
    torch.set_num_threads(2)
    try:
        work(run, progress=lambda line: seen.add(torch.get_num_threads()))
        assert seen == {1} and torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)


def test_only_what_was_left_half_written_is_tidied_away(own_folder: Path) -> None:
    run = new(own_folder / "demo")
    mine = [run.folder / ".gitignore", run.folder / ".notes" / "one", run.folder / f".folder{HALF_WRITTEN}" / "two"]
    for path in mine:
        path.parent.mkdir(exist_ok=True)
        path.touch()
    half = run.model_folder / f".{WEIGHTS}.k3v_x0a1{HALF_WRITTEN}"
    half.parent.mkdir()
    half.touch()
    assert work(run).state == "finished"
    assert all(path.exists() for path in mine) and not half.exists()


def test_a_killed_worker_loses_nothing(own_folder: Path) -> None:
    """In real processes: while one worker trains, a second is refused; SIGKILL; the next goes on to the same end."""
    changes = {"epochs": 400, "evaluate_every": 300}
    whole, parted = new(own_folder / "whole", **changes), new(own_folder / "parted", **changes)
    work(whole)
    work(parted, progress=asks_at(50, lambda: os.kill(os.getpid(), signal.SIGTERM)))
    with worker(parted) as process:
        wait_for(lambda: parted.status().step > 100)
        assert json.loads((parted.folder / HEARTBEAT).read_text())["pid"] == process.pid
        process.send_signal(signal.SIGSTOP)  # a worker that is slow still holds its lock
        with pytest.raises(InvalidInput, match="Another worker trains parted already"):
            work(parted)
        assert parted.status().state == "running"
        process.send_signal(signal.SIGKILL)
        assert process.wait(PATIENCE) == -signal.SIGKILL
    assert parted.status().state == "killed"
    with worker(parted) as process:
        out, problems = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, problems
    assert parted.status().state == "finished" and f"written to {parted.model_folder}" in out
    same_end(parted, whole)


@pytest.mark.parametrize("way", ["Ctrl-C", "SIGTERM", "the command stop"])
def test_a_worker_that_is_asked_to_stop_saves_and_says_how_to_go_on(own_folder: Path, way: str) -> None:
    run = new(own_folder / "long", ENDLESS)
    with worker(run) as process:
        wait_for(lambda: run.status().step)
        if way == "the command stop":
            told, _ = command("stop", "long").communicate(timeout=PATIENCE)
            assert told == "long was asked to stop.\n"
        else:
            process.send_signal(signal.SIGINT if way == "Ctrl-C" else signal.SIGTERM)
        out, problems = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130 and problems == ""
    assert f"python -m vae_core resume {run.folder}" in out
    status = run.status()
    saved = read_snapshot(run)
    assert status.state == "stopped" and saved is not None and saved.facts["step"] == status.step > 0
    assert not (run.folder / STOP).exists() and not run.is_held()


# TensorBoard


def test_lines_for_tensorboard(own_folder: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = new(own_folder / "demo")
    work(run, tensorboard=True)
    board = EventAccumulator(str(run.folder / "tensorboard")).Reload()
    assert {"train/recon", "train/kl_per_latent/2", "held_out/elbo"} <= set(board.Tags()["scalars"])
    points = board.Scalars("held_out/elbo")
    expected = [(event["step"], event["held_out"]["elbo"]) for event in run.events() if "held_out" in event]
    assert [(point.step, point.value) for point in points] == [(step, pytest.approx(v)) for step, v in expected]


def test_without_tensorboard_there_is_a_sentence(own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    status = work(new(own_folder / "demo"), tensorboard=True)
    assert status.state == "failed" and "pip install tensorboard" in status.message
