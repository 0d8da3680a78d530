"""What can go wrong with a worker: one sentence for each, and nothing is lost that was saved."""

from __future__ import annotations

import json
import os
import resource
import signal
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from filelock import FileLock

from tests.running import VAE, add_blobs, asks_at, new
from vae_core.checkpoints import CONFIG
from vae_core.data import own
from vae_core.errors import InvalidInput
from vae_core.models.vae import VAE as VAEModel
from vae_core.runs import Run, work
from vae_core.runs.folder import LOCK, SNAPSHOT
from vae_core.runs.worker import read_snapshot
from vae_core.training.device import DEVICES, available

MISSING = next(name for name in DEVICES if name not in ("auto", *available()))


pytestmark = pytest.mark.usefixtures("own_folder", "own_blobs")


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


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"batch": 97}, "batch of 97 is larger than the data"),
        ({"recipe": replace(VAE, data="own-others")}, "own-others"),
        ({"recipe": replace(VAE, settings={"image": (1, 16, 16), "hidden": (16,)})}, "has (1, 12, 12)"),
    ],
)
def test_what_cannot_be_trained_is_one_sentence(own_folder: Path, changes: dict[str, Any], named: str) -> None:
    run = new(own_folder / "demo", **changes)
    status = work(run)
    assert status.state == "failed" and named in status.message and "mistake of ours" not in status.message
    assert run.status() == status


def test_a_device_that_is_gone(own_folder: Path) -> None:
    """A run that was made on another machine."""
    run = new(own_folder / "demo")
    config = json.loads((run.folder / CONFIG).read_text())
    (run.folder / CONFIG).write_text(json.dumps({**config, "device": MISSING}))
    status = work(Run.open(run.folder))
    assert status.state == "failed" and f"no {MISSING} device" in status.message


def test_data_that_were_exchanged(own_folder: Path) -> None:
    run = new(own_folder / "demo")
    work(run, progress=asks_at(5, lambda: os.kill(os.getpid(), signal.SIGTERM)))
    own.remove("blobs")
    add_blobs(99)
    status = work(run)
    assert status.state == "failed" and "other images" in status.message


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
