"""Who may train when: runs wait in a queue, and start in processes of their own while fewer than a limit run.

There is no server. Whoever looks at the queue, or leaves it, starts what may start (`dispatch`).
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import suppress
from typing import Any

from vae_core.data import dataset
from vae_core.errors import InvalidInput
from vae_core.folders import PROJECT
from vae_core.recipes import Recipe
from vae_core.runs.config import write_json
from vae_core.runs.folder import LOG, STATE, STOP, Run, runs
from vae_core.runs.locks import queue_lock

MOST_RUNS = "LATENT_MOST_RUNS"


def most_runs() -> int:
    """How many runs may train at a time (LATENT_MOST_RUNS, else 1). Raises InvalidInput for anything but a number."""
    given = os.environ.get(MOST_RUNS, "1")
    if not (given.isdecimal() and len(given) < 5):
        raise InvalidInput(f"{MOST_RUNS} is {given[:60]!r}; allowed: a whole number, 0 to 9999.")
    return int(given)


def worker_threads() -> int:
    """How many threads a worker of the queue computes with: OMP_NUM_THREADS, else its share of all cores but one. The
    app and the browser beside it need a core, and threads that wait for a core that is taken are slower than fewer."""
    given = os.environ.get("OMP_NUM_THREADS", "")
    if given.isdecimal() and int(given):
        return int(given)
    return max(1, (usable_cores() - 1) // max(1, most_runs()))


def usable_cores() -> int:
    """The cores that this process may use, where the system tells; else all that there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def submit(recipe: Recipe, name: str, device: str = "auto", owner: str = "") -> Run:
    """A new run, under the name or the next free one, that trains as soon as its turn comes.

    Raises InvalidInput for a name, data, settings or a folder that cannot be used.
    """
    dataset(recipe.data)  # whether they are here
    return enqueue(Run.create_named(name, recipe, device, owner))


def enqueue(run: Run) -> Run:
    """Let a run train, or go on, as soon as its turn comes. Raises InvalidInput where it waits, runs or is done, where
    it or its data are gone, and where its folder cannot be written."""
    with queue_lock():
        run = Run.open(run.folder)  # somebody may have deleted it
        run.data()
        state = run.status().state
        if state in ("queued", "running", "slow", "finished"):
            raise InvalidInput(f"{run.name} is {state}; there is nothing to start.")
        (run.folder / STOP).unlink(missing_ok=True)
        run.write_state("queued")
    dispatch()
    return run


def dispatch(limit: int | None = None) -> list[Run]:
    """Start the runs whose turn it is, and return them. Raises InvalidInput where one cannot be started; it goes on
    waiting."""
    if not any(run.told().get("state") == "queued" for run in runs()):
        return []
    limit = most_runs() if limit is None else limit
    with queue_lock():
        found = [(run, run.status()) for run in runs()]
        free = limit - sum(status.is_alive for _, status in found)
        waiting = sorted((status.place or 0, run.name, run) for run, status in found if status.state == "queued")
        chosen = [run for _, _, run in waiting[: max(0, free)]]
        for run in chosen:
            _start(run)
    return chosen


def _start(run: Run) -> None:
    """Let a worker begin. Raises OSError, and leaves the run where it waits, where none can be made."""
    before = run.told()
    run.write_state("starting")
    try:
        worker = _new_worker(run)
    except OSError:
        with suppress(OSError):  # else it is seen that nobody came to its work
            write_json(run.folder / STATE, before, durable=True)
        raise
    waiting = (worker, run, run.told())
    threading.Thread(target=_attend, args=waiting, daemon=True, name=f"worker of {run.name}").start()


def _new_worker(run: Run) -> subprocess.Popen[bytes]:
    """A worker in a process of its own: no Ctrl-C in our terminal reaches it, and it survives us."""
    path = os.pathsep.join(filter(None, [str(PROJECT), os.environ.get("PYTHONPATH")]))
    with (run.folder / LOG).open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "vae_core", "resume", str(run.folder)],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": str(worker_threads())},
            start_new_session=True,
        )  # fmt: skip


def _attend(worker: subprocess.Popen[bytes], run: Run, starting: dict[str, Any]) -> None:
    """Wait for a worker, so that none stays behind as a zombie; and say so if it never came to its work. That the run
    is `starting` counts only as it was told for this worker: the next one may be on its way already."""
    code = worker.wait()
    with suppress(InvalidInput), queue_lock():  # so that nobody deletes or starts it between the look and the word
        if run.told() == starting:
            run.write_state("failed", f"The worker ended at once (exit status {code}); its words: {run.folder / LOG}.")
