"""What surrounds a worker's training: the lock, the wish to stop, the signs of life, the words for what went wrong."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from types import FrameType
from typing import Any, TypeVar

import torch
from filelock import FileLock, Timeout
from torch import distributed

from vae_core.errors import InvalidInput
from vae_core.folders import HALF_WRITTEN, runs_folder
from vae_core.runs.config import write_json
from vae_core.runs.folder import HEARTBEAT, LOCK, STOP, Run
from vae_core.runs.locks import queue_lock
from vae_core.training import Training
from vae_core.training.distributed import Shard, any_of
from vae_core.training.memory import out_of_memory

LOOK_EVERY = 0.25  # seconds between two looks for a request to stop
BEAT_EVERY = 1.0  # seconds between two signs of life
PATIENCE = 1.0  # seconds to wait for the lock: whoever looks at the run holds it for an instant


T = TypeVar("T")


class Stopped(Exception):
    """The worker was asked to stop."""


class Session:
    """One worker's time with a run: whether it is to stop, and that it lives."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.stopping = False
        self.training: Training | None = None
        self._beaten = 0.0  # when, and at which step
        self._step = -1

    def stop(self) -> None:
        """From a signal handler or a thread: stop at the next safe place."""
        self.stopping = True
        if self.training and self.training.shard.world == 1:  # several processes have to agree on a step first
            self.training.interrupt()

    def check(self) -> None:
        """A safe place to stop."""
        if self.stopping:
            raise Stopped

    def beat(self) -> None:
        """A sign of life, at most one a second."""
        if time.time() - self._beaten < BEAT_EVERY:
            return
        self._beaten, self._step = time.time(), self.training.step if self.training else 0
        who = {"pid": os.getpid(), "host": socket.gethostname(), "time": self._beaten}
        steps = self.training.steps if self.training else 0
        write_json(self.run.folder / HEARTBEAT, {**who, "step": self._step, "steps": steps})

    def watch(self) -> None:
        """What the worker does beside the training: see a request to stop, and beat while steps are done."""
        if (self.run.folder / STOP).exists():
            self.stop()
        if self.training and self.training.shard.is_first and self.training.step != self._step:
            with suppress(OSError):  # a full disk is found by the next line that is logged
                self.beat()


@contextmanager
def held(run: Run) -> Iterator[None]:
    """Hold the run's lock. Raises InvalidInput where another worker does, or where the folder cannot be written."""
    lock = FileLock(run.folder / LOCK, timeout=PATIENCE)
    try:
        lock.acquire()
    except Timeout as error:
        raise InvalidInput(
            f"Another worker trains {run.name} already; watch it, or stop it with "
            f"`python -m vae_core stop {run.folder}`."
        ) from error
    except OSError as error:
        raise InvalidInput(f"The run folder {run.folder} cannot be written ({error}).") from error
    try:
        yield
    finally:
        lock.release()


def tidy(run: Run) -> None:
    """Remove what a killed worker left half-written under a temporary name; whoever calls holds the run's lock, and
    the queue is held here, for it writes the state of its runs as well."""
    is_queued = run.folder.parent == runs_folder().absolute()
    with suppress(InvalidInput), queue_lock() if is_queued else nullcontext():  # a queue that cannot be held: later
        for path in run.folder.rglob(f".*{HALF_WRITTEN}"):
            with suppress(OSError):  # a folder of that name, or somebody else's: nothing that training needs gone
                path.unlink()


@contextmanager
def listening(session: Session) -> Iterator[None]:
    """Listen for Ctrl-C, SIGTERM and the file `stop`, and give signs of life while the training advances."""
    asked: list[float] = []

    def on_signal(number: int, frame: FrameType | None) -> None:
        # torchrun passes on a Ctrl-C that the terminal has sent to everyone already: the same wish, told twice.
        if asked and number == signal.SIGINT and time.monotonic() - asked[0] > 2:
            raise KeyboardInterrupt
        asked.append(time.monotonic())
        session.stop()

    def watch() -> None:
        while not over.wait(LOOK_EVERY):
            session.watch()

    over, watcher = threading.Event(), threading.Thread(target=watch, daemon=True)
    in_main = threading.current_thread() is threading.main_thread()  # only there can signals be caught
    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM) if in_main}
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()
        for number, handler in before.items():
            signal.signal(number, handler)


def sentence(error: BaseException, run: Run) -> str | None:
    """What to tell a person of an error; None for one that is a mistake of ours."""
    batch = run.config.recipe.training.batch
    if isinstance(error, InvalidInput | FloatingPointError):
        return str(error)
    if told := out_of_memory(error, batch):
        return told
    if isinstance(error, distributed.DistError) or (isinstance(error, RuntimeError) and "by peer" in str(error)):
        return (
            "Another process of this training ended before its time; its own words tell why. To go on from the last "
            "snapshot, resume the run."
        )
    if isinstance(error, OSError):
        return (
            f"The run cannot be written or read ({error}); make room or mend it, then go on from the last snapshot: "
            f"`python -m vae_core resume {run.folder}`."
        )
    return None


def from_first(shard: Shard, make: Callable[[], T]) -> T:
    """What the first of several processes makes, for all of them. Where it fails all do, so that none waits in vain:
    the first with its own error, the others with InvalidInput."""
    if shard.world == 1:
        return make()
    made: list[Any] = [None, ""]  # and why not
    failure: Exception | None = None
    if shard.is_first:
        try:
            made[0] = make()
        except Exception as error:
            failure, made[1] = error, str(error) or type(error).__name__
    distributed.broadcast_object_list(made)
    if failure:
        raise failure
    if made[1]:
        raise InvalidInput(f"The first process failed: {made[1]}")
    return made[0]


def by_first(shard: Shard, device: torch.device, do: Callable[[], object]) -> None:
    """Let the first of several processes do something and all know whether it could, as in `from_first`, at the price
    of one number: for every line of a training."""
    failure: Exception | None = None
    if shard.is_first:
        try:
            do()
        except Exception as error:
            failure = error
    failed = failure is not None if shard.world == 1 else any_of(failure is not None, device)
    if failure:
        raise failure
    if failed:
        raise InvalidInput("The first process failed; its own words tell why.")
