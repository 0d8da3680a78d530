"""The queue: runs start in processes of their own, one after the other, and leave nothing behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from tests.own_images import npz
from tests.running import ENDLESS, VAE, add_blobs, wait_for
from vae_core.data import own
from vae_core.errors import InvalidInput
from vae_core.runs import Run, dispatch, enqueue, runs, submit
from vae_core.runs.folder import HEARTBEAT, LOCK, LOG, STOP
from vae_core.runs.queue import MOST_RUNS, most_runs, worker_threads


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("LATENT_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("LATENT_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    add_blobs()
    yield tmp_path / "runs"
    monkeypatch.setenv(MOST_RUNS, "0")
    for run in runs():
        if run.status().state == "queued":
            run.request_stop()
    for run in runs():
        if run.is_held():
            os.kill(pid_of(run), signal.SIGKILL)
    wait_for(lambda: not attendants())


def pid_of(run: Run) -> int:
    return json.loads((run.folder / HEARTBEAT).read_text())["pid"]


def attendants() -> list[threading.Thread]:
    """The threads that wait for the workers which this process has started."""
    return [thread for thread in threading.enumerate() if thread.name.startswith("worker of")]


def states() -> dict[str, tuple[str, int | None]]:
    return {run.name: run.status()[::6] for run in runs()}  # type: ignore[misc]


def test_one_runs_and_the_others_wait_for_their_turn() -> None:
    """The life of a queue in real processes: wait, start, stop, and the next one starts by itself."""
    first, second, third = submit(ENDLESS, "first"), submit(VAE, "second", "cpu", "ben"), submit(VAE, "third")
    assert states() == {"first": ("running", None), "second": ("queued", 1), "third": ("queued", 2)}
    third.request_stop()
    wait_for(lambda: first.status().step)
    assert len(attendants()) == 1
    assert dispatch() == [] and second.status().state == "queued"
    with pytest.raises(InvalidInput, match="first is running"):
        enqueue(first)
    assert os.getpgid(pid_of(first)) == pid_of(first) != os.getpgid(0), "a Ctrl-C in our terminal does not reach it"
    first.request_stop()
    wait_for(lambda: second.is_finished)
    assert states() == {"first": ("stopped", None), "second": ("finished", None), "third": ("stopped", None)}
    assert second.config.owner == "ben" and (second.model_folder / "metrics.json").exists()
    assert f"resume {first.folder}" in (first.folder / LOG).read_text()
    wait_for(lambda: not attendants())
    with pytest.raises(ProcessLookupError):  # a zombie would still be found
        os.kill(pid_of(first), 0)
    with pytest.raises(InvalidInput, match="second is finished"):
        enqueue(second)


def test_a_run_that_was_killed_goes_on_through_the_queue() -> None:
    run = submit(replace(VAE, training=replace(VAE.training, epochs=500, evaluate_every=1000)), "demo")
    wait_for(lambda: run.status().step > 20)
    os.kill(pid_of(run), signal.SIGKILL)
    wait_for(lambda: run.status().state == "killed")
    (run.folder / STOP).touch()  # a wish that nobody heard, from before
    enqueue(run)
    wait_for(lambda: run.is_finished)
    steps = [event["step"] for event in run.events()]
    assert steps == sorted(set(steps)) and steps[-1] == 1500


def test_a_wish_to_stop_is_heard_while_the_worker_starts() -> None:
    run = submit(ENDLESS, "demo")
    assert run.status().state == "running" and not run.is_held()
    run.request_stop()
    wait_for(lambda: run.status().state == "stopped")
    assert not (run.folder / STOP).exists()


def test_the_limit_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MOST_RUNS, "0")
    submit(VAE, "a")
    submit(VAE, "b")
    assert states() == {"a": ("queued", 1), "b": ("queued", 2)}
    assert dispatch() == []
    with FileLock(Run.find("a").folder / LOCK):  # somebody else trains it, from a command line
        Run.find("a").write_state("running")
        (Run.find("a").folder / HEARTBEAT).write_text(json.dumps({"time": 9e9}))
        assert dispatch(1) == [] and states()["b"] == ("queued", 1)


@pytest.mark.parametrize(("most", "threads"), [("0", 8), ("1", 8), ("2", 4), ("3", 2), ("99", 1)])
def test_workers_share_all_cores_but_one(monkeypatch: pytest.MonkeyPatch, most: str, threads: int) -> None:
    monkeypatch.setenv(MOST_RUNS, most)
    assert worker_threads() == 1, "as OMP_NUM_THREADS says"
    monkeypatch.delenv("OMP_NUM_THREADS")
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(9)), raising=False)
    assert worker_threads() == threads
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert worker_threads() == 1


@pytest.mark.parametrize("value", ["-1", "two", "1.5", "", "99999"])
def test_a_limit_that_is_none(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv(MOST_RUNS, value)
    with pytest.raises(InvalidInput, match=MOST_RUNS):
        most_runs()


def test_names_that_are_taken_and_names_that_are_none(monkeypatch: pytest.MonkeyPatch, own_folder: Path) -> None:
    monkeypatch.setenv(MOST_RUNS, "0")
    assert [submit(VAE, "demo").name for _ in range(2)] == ["demo", "demo-2"]
    before = set(own_folder.iterdir())
    with pytest.raises(InvalidInput, match="run name"):
        submit(VAE, "../demo")
    assert set(own_folder.iterdir()) == before


def test_a_worker_that_cannot_start_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    refuses: Any = tmp_path / "python"
    refuses.write_text("#!/bin/sh\necho no such luck\nexit 3\n")
    refuses.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(refuses))
    run = submit(VAE, "demo")
    wait_for(lambda: run.status().state == "failed")
    assert "exit status 3" in run.status().message and "no such luck" in (run.folder / LOG).read_text()


def test_a_run_whose_worker_cannot_be_made_waits_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """No memory for another process, no room for its log: one sentence, and the run keeps its place."""
    monkeypatch.setenv(MOST_RUNS, "0")
    first, second = submit(VAE, "first"), submit(VAE, "second")
    monkeypatch.setenv(MOST_RUNS, "1")
    with monkeypatch.context() as short:

        def refuse(*arguments: Any, **named: Any) -> None:
            raise OSError(12, "Cannot allocate memory")

        short.setattr(subprocess, "Popen", refuse)
        with pytest.raises(InvalidInput, match="Cannot allocate memory"):
            dispatch()
    assert states() == {"first": ("queued", 1), "second": ("queued", 2)} and not attendants()
    assert dispatch() == [first]
    wait_for(lambda: second.is_finished)


def test_a_full_disk_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MOST_RUNS, "0")
    run = submit(VAE, "first")
    run.write_state("stopped")

    def full(*arguments: Any, **named: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as short, pytest.raises(InvalidInput, match="No space left"):
        short.setattr("vae_core.folders.tempfile.mkstemp", full)
        enqueue(run)
    assert run.status().state == "stopped"


def test_a_run_that_was_deleted_does_not_come_back(monkeypatch: pytest.MonkeyPatch, own_folder: Path) -> None:
    monkeypatch.setenv(MOST_RUNS, "0")
    run = submit(VAE, "first")
    run.write_state("stopped")
    shutil.rmtree(run.folder)
    with pytest.raises(InvalidInput, match="no run in"):
        enqueue(run)
    run.request_stop()
    assert not run.folder.exists()


def test_a_run_does_not_go_on_with_other_images(monkeypatch: pytest.MonkeyPatch, own_folder: Path) -> None:
    monkeypatch.setenv(MOST_RUNS, "0")
    run = submit(VAE, "first")
    run.write_state("stopped")
    own.remove("blobs")
    with pytest.raises(InvalidInput, match="no data 'own-blobs'"):
        submit(VAE, "second")
    own.add_npz("blobs", npz())
    with pytest.raises(InvalidInput, match="other images"):
        enqueue(run)
    assert run.status().state == "stopped" and [found.name for found in runs()] == ["first"]


def test_a_training_that_fails_is_told_and_the_next_one_starts() -> None:
    bad = submit(replace(VAE, training=replace(VAE.training, batch=1000)), "bad")
    good = submit(VAE, "good")
    wait_for(lambda: good.is_finished)
    assert bad.status().state == "failed" and "batch of 1000 is larger" in bad.status().message
    assert "batch of 1000 is larger" in (bad.folder / LOG).read_text()
