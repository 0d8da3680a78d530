"""Where files live: what the project brings along, and what it may write."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

HALF_WRITTEN = ".half-written"  # how the temporary names of `write_whole` end; they begin with a dot

PROJECT = Path(__file__).resolve().parent.parent
ASSETS = PROJECT / "assets"
BUNDLED_DATA = ASSETS / "data"
BUNDLED_CHECKPOINTS = ASSETS / "checkpoints"


def user_cache(purpose: str, variable: str) -> Path:
    """The folder for one purpose: the environment variable where it is set, else the user's cache directory."""
    if chosen := os.environ.get(variable):
        return Path(chosen).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "latent-space-explorer" / purpose


def data_cache() -> Path:
    """Converted datasets (LATENT_DATA)."""
    return user_cache("data", "LATENT_DATA")


def projection_cache() -> Path:
    """Projections of latent clouds (LATENT_CACHE)."""
    return user_cache("projections", "LATENT_CACHE")


def runs_folder() -> Path:
    """Trainings and what they made (LATENT_RUNS, else runs/ in the project)."""
    chosen = os.environ.get("LATENT_RUNS")
    return Path(chosen).expanduser() if chosen else PROJECT / "runs"


def write_whole(path: Path, write: Callable[[IO[bytes]], object], durable: bool = False) -> None:
    """Write a file under a temporary name, then rename it, so that no reader ever meets half a file.

    After a power cut the name may still stand for an empty file, unless the content was made `durable`: forced onto
    the disk before the renaming, which takes a few milliseconds.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=HALF_WRITTEN)
    try:
        with os.fdopen(handle, "wb") as file:
            write(file)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
