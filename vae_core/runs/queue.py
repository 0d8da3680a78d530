"""Who may train when: runs wait in a queue, and start in processes of their own while fewer than a limit run.

There is no server. Whoever looks at the queue, or leaves it, starts what may start (`dispatch`).
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import Any

from vae_core.errors import InvalidInput
from vae_core.folders import PROJECT
from vae_core.recipes import Recipe
from vae_core.runs.folder import LOG, STOP, Run, queue_lock, runs

MOST_RUNS = "LATENT_MOST_RUNS"


def most_runs() -> int:
    """How many runs may train at a time (LATENT_MOST_RUNS, else 1). Raises InvalidInput for anything but a number."""
    given = os.environ.get(MOST_RUNS, "1")
    if not (given.isdecimal() and len(given) < 5):
        raise InvalidInput(f"{MOST_RUNS} is {given[:60]!r}; allowed: a whole number, 0 to 9999.")
    return int(given)


def worker_threads() -> int:
    """How many threads a worker of the queue computes with (OMP_NUM_THREADS, else all cores but one): the app and
    the browser beside it need a core, and threads that wait for a core that is taken are slower than fewer."""
    given = os.environ.get("OMP_NUM_THREADS", "")
    return int(given) if given.isdecimal() and int(given) else max(1, (os.cpu_count() or 1) - 1)


def submit(recipe: Recipe, name: str, device: str = "auto", owner: str = "") -> Run:
    """A new run, under the name or the next free one, that trains as soon as its turn comes.

    Raises InvalidInput for a name, settings or a folder that cannot be used.
    """
    return enqueue(Run.create_named(name, recipe, device, owner))


def enqueue(run: Run) -> Run:
    """Let a run train, or go on, as soon as its turn comes. Raises InvalidInput where it waits, runs or is done."""
    with queue_lock():
        state = run.status().state
        if state in ("queued", "running", "slow", "finished"):
            raise InvalidInput(f"{run.name} is {state}; there is nothing to start.")
        (run.folder / STOP).unlink(missing_ok=True)
        run.write_state("queued")
    dispatch()
    return run


def dispatch(limit: int | None = None) -> list[Run]:
    """Start the runs whose turn it is, and return them."""
    if not any(run.told().get("state") == "queued" for run in runs()):
        return []
    limit = most_runs() if limit is None else limit
    with queue_lock():
        found = [(run, run.status()) for run in runs()]
        free = limit - sum(status.is_alive for _, status in found)
        waiting = sorted((status.place or 0, run.name, run) for run, status in found if status.state == "queued")
        chosen = [run for _, _, run in waiting[: max(0, free)]]
        for run in chosen:
            run.write_state("starting")
            _start(run)
    return chosen


def _start(run: Run) -> None:
    """A worker in a process of its own: no Ctrl-C in our terminal reaches it, and it survives us."""
    path = os.pathsep.join(filter(None, [str(PROJECT), os.environ.get("PYTHONPATH")]))
    with (run.folder / LOG).open("ab") as log:
        worker = subprocess.Popen(
            [sys.executable, "-m", "vae_core", "resume", str(run.folder)],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": str(worker_threads())},
            start_new_session=True,
        )  # fmt: skip
    waiting = (worker, run, run.told())
    threading.Thread(target=_attend, args=waiting, daemon=True, name=f"worker of {run.name}").start()


def _attend(worker: subprocess.Popen[bytes], run: Run, starting: dict[str, Any]) -> None:
    """Wait for a worker, so that none stays behind as a zombie; and say so if it never came to its work. That the run
    is `starting` counts only as it was told for this worker: the next one may be on its way already."""
    code = worker.wait()
    if run.told() == starting:
        run.write_state("failed", f"The worker ended at once (exit status {code}); its words: {run.folder / LOG}.")
