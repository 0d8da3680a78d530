"""Several processes that train one run under torchrun: they write once, stop together and fail together."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.running import ENDLESS, PATIENCE, command, new, wait_for
from vae_core.checkpoints import METRICS
from vae_core.runs import Run
from vae_core.runs.folder import HEARTBEAT
from vae_core.runs.session import Session
from vae_core.runs.worker import read_snapshot
from vae_core.training import Training
from vae_core.training.distributed import Shard

LAUNCHER = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


pytestmark = pytest.mark.usefixtures("own_folder", "own_blobs")


@contextmanager
def two_processes(*arguments: str | Path, **program: Any) -> Iterator[subprocess.Popen[str]]:
    """torchrun with two processes, which are gone afterwards."""
    launched = command(*arguments, launcher=LAUNCHER, **program)
    try:
        yield launched
    finally:
        launched.terminate()  # so that it ends the others, too
        launched.communicate()


def test_two_processes_under_torchrun_make_the_run_of_one(own_folder: Path) -> None:
    settings = ("--set", "precision=float32", "--set", "hidden=[16]", "--set", "batch=32", "--set", "epochs=2")
    arguments = ("train", "mnist-2d-vae-beta1", "--data", "own-blobs", *settings, "--device", "cpu")
    alone = command(*arguments, "--out", own_folder / "alone")
    out, problems = alone.communicate(timeout=PATIENCE)
    assert alone.returncode == 0, out + problems
    with two_processes(*arguments, "--out", own_folder / "two") as together:
        out, problems = together.communicate(timeout=PATIENCE)
    assert together.returncode == 0, out + problems
    one, two = Run.find("alone"), Run.find("two")
    assert two.status().state == "finished" and out.count("written to") == 1
    assert two.frames() == one.frames() and (two.model_folder / METRICS).exists()
    assert [event["step"] for event in two.events()] == [event["step"] for event in one.events()]
    for mine, other in zip(two.events(), one.events(), strict=True):
        assert mine["total"] == pytest.approx(other["total"], rel=1e-4)


def test_processes_stop_together(own_folder: Path) -> None:
    run = new(own_folder / "demo", ENDLESS)
    with two_processes("resume", run.folder) as together:
        wait_for(lambda: run.status().step)
        run.request_stop()
        out, _ = together.communicate(timeout=PATIENCE)
    saved = read_snapshot(run)
    assert run.status().state == "stopped" and "was stopped at step" in out
    assert saved is not None and saved.facts["step"] == run.status().step


# By the time that the first process writes what went wrong, torchrun has long asked it to end.
FAILING = """
import os, sys, time
sys.path.insert(0, os.getcwd())
from vae_core.__main__ import main
from vae_core.models.vae import VAE
from vae_core.runs import Run

def write_state(*arguments, honest=Run.write_state):
    if "failed" in arguments:
        time.sleep(1)
    honest(*arguments)

def loss(self, *arguments, honest=VAE.loss, calls=[]):
    calls.append(1)
    if len(calls) == 20 and os.environ["RANK"] == "1":
        raise MemoryError
    return honest(self, *arguments)

VAE.loss, Run.write_state = loss, write_state
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize(
    ("rank", "words", "told"),
    [(0, "cannot be written or read", "cannot be written or read"), (1, "Another process", "choose a smaller batch")],
)
def test_where_one_process_fails_none_waits_for_it(
    own_folder: Path, tmp_path: Path, rank: int, words: str, told: str
) -> None:
    run, script = new(own_folder / "demo", ENDLESS), tmp_path / "failing.py"
    script.write_text(FAILING)
    if rank == 0:
        (run.folder / "frames").touch()  # where the first process wants a folder
    with two_processes("resume", run.folder, program=(str(script),)) as together:
        _, problems = together.communicate(timeout=PATIENCE)
    assert together.returncode != 0 and told in problems and "mistake of ours" not in problems
    status = run.status()
    assert status.state == "failed" and words in status.message


def test_of_several_processes_only_the_first_gives_signs_of_life(own_folder: Path) -> None:
    for rank in (1, 0):
        run = new(own_folder / f"rank-{rank}")
        session = Session(run)
        session.training = cast(Training, SimpleNamespace(step=3, steps=9, shard=Shard(rank, 2)))
        session.watch()
        assert (run.folder / HEARTBEAT).exists() == (rank == 0)
