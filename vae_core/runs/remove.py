"""Deleting a run with all that it holds."""

from __future__ import annotations

import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from vae_core.errors import InvalidInput
from vae_core.folders import runs_folder
from vae_core.runs.folder import LOCK, Run, check_name
from vae_core.runs.locks import is_locked, queue_lock

DELETED, UPLOADED = ".deleted-", ".upload-"  # how the folders begin in which a run is on its way out, or in
ABANDONED = 3600.0  # seconds after which nobody works on such a folder any more


def delete_run(name: str) -> None:
    """Delete a run or an uploaded model; one that waits leaves the queue.

    Raises InvalidInput where there is none, where a worker is on it, and where it cannot be deleted.
    """
    home = runs_folder() / check_name(name)
    if not home.is_dir():
        raise InvalidInput(f"There is no run {name}; it may have been deleted meanwhile.")
    with queue_lock():  # nobody starts it meanwhile
        if _is_worked_on(home):
            raise InvalidInput(f"The run {name} is being trained; stop it first.")
        try:
            with tempfile.TemporaryDirectory(dir=runs_folder(), prefix=DELETED, ignore_cleanup_errors=True) as away:
                home.rename(Path(away) / name)  # gone at once, for whoever looks
        except OSError as error:
            raise InvalidInput(f"The run {name} cannot be deleted ({error}).") from error
    sweep()


def sweep() -> None:
    """Remove what a process left behind that was killed while it deleted or unpacked something."""
    for prefix in (DELETED, UPLOADED):
        for path in runs_folder().glob(f"{prefix}*"):
            with suppress(OSError):
                if time.time() - path.stat().st_mtime > ABANDONED:
                    shutil.rmtree(path)


def _is_worked_on(home: Path) -> bool:
    """Whether a worker holds the run's lock, or is about to."""
    try:
        if Run.open(home).status().is_alive:
            return True
    except InvalidInput:
        pass  # an uploaded model, or something damaged: the lock alone tells
    return is_locked(home / LOCK, patience=0.1) is True
