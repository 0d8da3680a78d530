"""Who holds what: a worker holds its run while it lives, and whoever changes what waits holds the queue."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from vae_core.errors import InvalidInput
from vae_core.folders import runs_folder

QUEUE = ".queue.lock"
PATIENCE = 20.0  # seconds to wait for the queue


@contextmanager
def queue_lock() -> Iterator[None]:
    """Hold the queue, for a moment. Raises InvalidInput where somebody else does for too long, and for whatever
    cannot be written there meanwhile: a full disk, a folder that is somebody else's."""
    home = runs_folder()
    try:
        home.mkdir(parents=True, exist_ok=True)
        with FileLock(home / QUEUE, timeout=PATIENCE):
            yield
    except Timeout as error:
        raise InvalidInput(f"The queue in {home} is held by another process; try again in a minute.") from error
    except OSError as error:
        raise InvalidInput(f"The runs in {home} cannot be changed ({error}); mend that, then try again.") from error


def is_locked(path: Path, patience: float) -> bool | None:
    """Whether a lock file is held; None where one may not ask, as of another user's. Never makes a file or a folder:
    whoever looks at a run that was deleted meanwhile must not bring it back."""
    try:
        if not path.exists():
            return False
        with FileLock(path, timeout=patience, poll_interval=0.02):
            return False
    except Timeout:
        return True
    except OSError:
        return None
