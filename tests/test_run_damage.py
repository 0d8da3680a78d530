"""What a power cut, a full disk or a foreign hand leaves in a run's folder takes nothing else down."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch
from filelock import FileLock

from tests.running import VAE
from tests.test_pages import opened
from tests.test_runs import log
from vae_core.checkpoints import METRICS, WEIGHTS, write_metrics, write_model
from vae_core.errors import InvalidInput
from vae_core.models import MODELS
from vae_core.recipes import RECIPES
from vae_core.runs import Run, enqueue, runs
from vae_core.runs.folder import EVENTS, HEARTBEAT, LOCK, SNAPSHOT, STATE
from vae_core.runs.locks import queue_lock
from vae_core.runs.worker import write_snapshot
from vae_core.training import State

pytestmark = pytest.mark.usefixtures("own_folder")


@pytest.fixture
def run(own_folder: Path) -> Run:
    return Run.create(own_folder / "demo", VAE)


DAMAGED_STATES = [
    b"", b"\x00" * 80, b"{", b'{"state": "queued"}', b'{"state": "queued", "message": "", "time": "now"}', b"[]",
    b'{"state": "queued", "message": null, "time": 1}', b'{"state": "dreaming", "message": "", "time": 1}',
    b'{"state": "queued", "message": "", "time": 1' + b"0" * 400 + b"}",
]  # fmt: skip


@pytest.mark.parametrize("content", DAMAGED_STATES, ids=range(len(DAMAGED_STATES)))
def test_a_damaged_state_is_a_run_that_failed_and_hides_no_other(own_folder: Path, run: Run, content: bytes) -> None:
    other = Run.create(own_folder / "other", VAE)
    other.write_state("queued")
    (run.folder / STATE).write_bytes(content)
    assert {found.name: found.status().state for found in runs()} == {"demo": "failed", "other": "queued"}
    assert STATE in run.status().message and "damaged" in run.status().message and not run.is_finished
    assert other.status().place == 1
    run.write_state("queued")
    assert run.status().state == "queued", "whoever goes on with it writes it anew"


@pytest.mark.parametrize(
    "line", ["", "{", "\0" * 40, "[]", "5", '{"a": 1}', '{"step": "2", "steps": 24, "seconds": 1}']
)
def test_a_damaged_line_takes_no_other_along(run: Run, line: str) -> None:
    log(run, 2)
    with (run.folder / EVENTS).open("a") as file:
        file.write(line + "\n")
    assert [event["step"] for event in run.events()] == [2] and run.last_event()["step"] == run.status().step == 2
    log(run, 4)
    assert [event["step"] for event in run.events()] == [2, 4]
    run.cut(4)
    assert len((run.folder / EVENTS).read_text().splitlines()) == 2


@pytest.mark.parametrize("content", [b"", b"[]", b'{"time": null}', b'{"time": 1, "step": "9"}', b'{"step": 9}'])
def test_a_damaged_heartbeat_is_none(run: Run, content: bytes) -> None:
    run.write_state("running")
    log(run, 4)
    (run.folder / HEARTBEAT).write_bytes(content)
    with FileLock(run.folder / LOCK):
        assert run.status()[:3] == ("slow", 4, 24)


def test_what_must_survive_a_power_cut_is_on_the_disk_before_it_has_its_name(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    fsync, rename = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda file: (done.append("forced"), fsync(file))[1])
    monkeypatch.setattr(os, "replace", lambda old, new: (done.append(Path(new).name), rename(old, new))[1])
    run.write_state("running")
    write_snapshot(run, State({"model:x": torch.zeros(1)}, {"step": 1}))
    model = MODELS["vae"](VAE.config)
    write_model(run.model_folder, model, name="x", model_name="vae", dataset="mnist", training={})
    write_metrics(run.model_folder, {})
    assert done[::2] == ["forced"] * 5
    assert done[1::2] == [STATE, SNAPSHOT, WEIGHTS, "config.json", METRICS]


def test_a_queue_that_cannot_be_used_is_one_sentence(
    own_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vae_core.runs.locks.PATIENCE", 0.05)
    run = Run.create(tmp_path / "elsewhere", VAE)
    with queue_lock(), pytest.raises(InvalidInput, match="held by another process"):
        run.request_stop()
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("LATENT_RUNS", str(tmp_path / "file"))
    with pytest.raises(InvalidInput, match="cannot be changed"):
        run.request_stop()
    with pytest.raises(InvalidInput, match="cannot be changed"):
        enqueue(run)


def test_a_name_is_free_again_where_its_run_could_not_be_written(
    own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InvalidInput, match="No space left"):
        Run.create_named("demo", VAE)
    assert list(own_folder.iterdir()) == []


@pytest.mark.parametrize("lesson", ["runs", "train"])
def test_a_page_says_why_no_worker_can_be_made_and_shows_the_rest(
    own_folder: Path, monkeypatch: pytest.MonkeyPatch, lesson: str
) -> None:
    def refuse(*arguments: Any, **named: Any) -> None:
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    Run.create(own_folder / "waits", RECIPES["mnist-2d-vae-beta1"]).write_state("queued")
    page = opened(lesson, **({"run": "waits"} if lesson == "train" else {}))
    assert not page.exception and any("Cannot allocate memory" in said.value for said in page.error)
    if lesson == "runs":
        assert list(page.dataframe[0].value["run"]) == ["waits"]
    else:
        assert any("number 1 in the queue" in said.value for said in page.markdown)


def test_pages_show_the_other_runs_beside_damaged_ones(own_folder: Path) -> None:
    recipe = RECIPES["mnist-2d-vae-beta1"]
    for name in ("good", "state", "events"):
        Run.create(own_folder / name, recipe)
    (own_folder / "state" / STATE).write_bytes(b"")
    (own_folder / "events" / EVENTS).write_bytes(b'{"a": 1}\n')
    for name in ("![x](http://y.org)", "config"):
        (own_folder / name.replace("/", "_")).mkdir()
        (own_folder / name.replace("/", "_") / "config.json").write_bytes(b"[]")
    page = opened("runs")
    assert not page.exception and not page.error
    assert sorted(page.dataframe[0].value["run"]) == ["events", "good", "state"]
    told = [said.value for said in page.warning]
    assert len(told) == 2 and all("is no run that can be read" in said for said in told)
    assert any(r"!\[x\](http\:" in said for said in told)
