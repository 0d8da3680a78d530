"""The worker's life: start, stop, kill, resume, lock; and one sentence for whatever goes wrong."""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from filelock import FileLock

from tests.running import ENDLESS, IMAGE, PATIENCE, TRAINING, VAE, add_blobs, command, wait_for, without_time, worker
from vae_core.checkpoints import CONFIG, METRICS, WEIGHTS, Checkpoint, read_model, round_weights
from vae_core.data import dataset
from vae_core.data.binarise import Binarised
from vae_core.errors import InvalidInput
from vae_core.models import MODELS
from vae_core.models.vae import VAE as VAEModel
from vae_core.recipes import Recipe
from vae_core.runs import Run, Status, frame_steps, trained, work
from vae_core.runs import worker as worker_module
from vae_core.runs.folder import HEARTBEAT, LOCK, SNAPSHOT, STOP
from vae_core.runs.scores import evaluate, held_out_source
from vae_core.runs.worker import read_snapshot
from vae_core.training import Progress, train
from vae_core.training.device import DEVICES, available

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LATENT_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("LATENT_DATA", str(tmp_path / "data"))
    add_blobs()
    return tmp_path / "runs"


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """A snapshot at every line."""
    monkeypatch.setattr(worker_module, "SNAPSHOT_EVERY", 0.0)
    monkeypatch.setattr(worker_module, "SNAPSHOT_SHARE", 0)


def new(folder: Path, recipe: Recipe = VAE, device: str = "cpu", **changes: Any) -> Run:
    return Run.create(folder, replace(recipe, training=replace(recipe.training, **changes)), device)


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


def asks_at(step: int, ask: Callable[[], object]) -> Callable[[Progress], None]:
    return lambda progress: ask() if progress.step == step else None  # type: ignore[func-returns-value]


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
    stray = parted.folder / f".{SNAPSHOT}.half"
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
    assert (
        last < 600
        and max(event["held_out"]["elbo"] for event in whole.events() if "held_out" in event)
        > (whole.events()[-1]["held_out"]["elbo"])
    )
    status = work(parted, progress=asks_at(last, lambda: os.kill(os.getpid(), signal.SIGTERM)))
    assert (status.state, status.step) == ("stopped", last)
    assert work(parted).state == "finished"
    same_end(parted, whole)


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


def test_two_processes_under_torchrun_make_the_run_of_one(own_folder: Path) -> None:
    settings = ("--set", "precision=float32", "--set", "hidden=[16]", "--set", "batch=32", "--set", "epochs=2")
    arguments = ("train", "mnist-2d-vae-beta1", "--data", "own-blobs", *settings, "--device", "cpu")
    alone = command(*arguments, "--out", own_folder / "alone")
    out, problems = alone.communicate(timeout=PATIENCE)
    assert alone.returncode == 0, out + problems
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    together = command(*arguments, "--out", own_folder / "two", launcher=launcher)
    out, problems = together.communicate(timeout=PATIENCE)
    assert together.returncode == 0, out + problems
    one, two = Run.find("alone"), Run.find("two")
    assert two.status().state == "finished" and out.count("written to") == 1
    assert two.frames() == one.frames() and (two.model_folder / METRICS).exists()
    assert [event["step"] for event in two.events()] == [event["step"] for event in one.events()]
    for mine, other in zip(two.events(), one.events(), strict=True):
        assert mine["total"] == pytest.approx(other["total"], rel=1e-4)


# What can go wrong


def never_enough(*arguments: Any) -> None:
    torch.empty(2**60)  # whose refusal is the CPU allocator's own


def no_room(*arguments: Any) -> None:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")


@pytest.mark.parametrize("trouble", [never_enough, no_room])
def test_out_of_memory_suggests_a_smaller_batch(
    own_folder: Path, monkeypatch: pytest.MonkeyPatch, trouble: Callable[..., None]
) -> None:
    monkeypatch.setattr(VAEModel, "loss", trouble)
    status = work(run := new(own_folder / "demo"))
    assert status.state == "failed" and "batch of 32; choose a smaller batch" in status.message
    assert run.status() == status


def test_a_training_that_diverges_keeps_its_last_good_snapshot(
    own_folder: Path, monkeypatch: pytest.MonkeyPatch, often: None
) -> None:
    honest, calls = VAEModel.loss, []

    def loss(self: VAEModel, *arguments: Any) -> Any:
        terms = honest(self, *arguments)
        calls.append(1)
        return terms._replace(recon=terms.recon * float("nan")) if len(calls) == 20 else terms

    monkeypatch.setattr(VAEModel, "loss", loss)
    run = new(own_folder / "demo", evaluate_every=1000)
    assert work(run, progress=asks_at(9, lambda: os.kill(os.getpid(), signal.SIGTERM))).state == "stopped"
    status = work(run)
    assert status.state == "failed" and "step 20" in status.message and "recon" in status.message
    saved = read_snapshot(run)
    assert saved is not None and saved.facts["step"] == 19
    assert all(tensor.isfinite().all() for name, tensor in saved.tensors.items() if name.startswith("model"))


@pytest.mark.parametrize("room", [1000, 0], ids=["room for the state", "no room at all"])
def test_a_full_disk_keeps_what_was_saved(own_folder: Path, room: int) -> None:
    run = new(own_folder / "demo")
    work(run, progress=asks_at(9, lambda: os.kill(os.getpid(), signal.SIGTERM)))
    before = (run.folder / SNAPSHOT).read_bytes()
    allowed = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:  # a file may not grow beyond: an error of the system like that of a full disk
        fill = asks_at(12, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, allowed[1])))
        status = work(run, progress=fill)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, allowed)
    assert status.state == "failed" and "File too large" in status.message and "make room" in status.message
    assert run.status().state == ("failed" if room else "killed")
    assert (run.folder / SNAPSHOT).read_bytes() == before
    assert work(run).state == "finished"


def test_a_folder_that_cannot_be_written(own_folder: Path) -> None:
    run = new(own_folder / "demo")
    (run.folder / LOCK).mkdir()
    with pytest.raises(InvalidInput, match="cannot be written"):
        work(run)


MISSING = next(name for name in DEVICES if name not in ("auto", *available()))


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"batch": 97}, "batch of 97 is larger than the data"),
        ({"device": MISSING}, f"no {MISSING} device"),
        ({"recipe": replace(VAE, data="own-others")}, "own-others"),
        ({"recipe": replace(VAE, settings={"image": (1, 16, 16), "hidden": (16,)})}, "has (1, 12, 12)"),
    ],
)
def test_what_cannot_be_trained_is_one_sentence(own_folder: Path, changes: dict[str, Any], named: str) -> None:
    run = new(own_folder / "demo", **changes)
    status = work(run)
    assert status.state == "failed" and named in status.message and "mistake of ours" not in status.message
    assert run.status() == status


def test_a_snapshot_that_is_damaged(own_folder: Path) -> None:
    run = new(own_folder / "demo")
    (run.folder / SNAPSHOT).write_bytes(b"half of it")
    assert "is damaged" in work(run).message
    (run.folder / SNAPSHOT).unlink()
    assert work(run).state == "finished"


def test_a_mistake_of_ours_is_raised_and_told(own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(VAEModel, "loss", lambda *_: 1 / 0)
    run = new(own_folder / "demo")
    with pytest.raises(ZeroDivisionError):
        work(run)
    assert run.status().state == "failed" and "ZeroDivisionError" in run.status().message


def test_a_reader_is_no_worker(own_folder: Path) -> None:
    """Somebody who looks at the run holds its lock for an instant; a worker waits that long."""
    run = new(own_folder / "demo")
    reader = FileLock(run.folder / LOCK, thread_local=False)
    reader.acquire()
    threading.Timer(0.2, reader.release).start()
    assert work(run).state == "finished"


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
