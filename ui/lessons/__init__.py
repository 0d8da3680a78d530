"""What one lesson computes for itself: cached, and with a report of how far it is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from ui.cache import checkpoint
from vae_core.errors import InvalidInput

UNUSABLE = (OSError, ValueError, LookupError, TypeError, AttributeError, RuntimeError, SafetensorError)


@contextmanager
def usable(path: Path, remedy: str) -> Iterator[None]:
    """Whatever goes wrong inside with a stored file becomes InvalidInput, which names the file and the remedy."""
    try:
        yield
    except InvalidInput:
        raise
    except UNUSABLE as error:  # a missing file, a cut one, a foreign one: all mean one thing to people
        raise InvalidInput(f"{path} cannot be used ({type(error).__name__}: {error}). {remedy}") from error


def expect(holds: object) -> None:
    """For what a stored file must say of itself. Raises ValueError."""
    if not holds:
        raise ValueError("something in it is missing, or is not what was measured here")


def read_results(path: Path, remedy: str) -> dict[str, Any]:
    """What a benchmark stored. Raises InvalidInput where it cannot be read."""
    with usable(path, remedy):
        return json.loads(path.read_text("utf-8"))


def scores(name: str, *keys: str) -> dict[str, Any]:
    """What a bundled model scored on held-out images. Raises InvalidInput where one of the keys is missing."""
    found = checkpoint(name).metrics
    if missing := [key for key in keys if key not in found]:
        raise InvalidInput(
            f"The scores of {name} lack {', '.join(missing)}. Take them again: "
            f"`python -m vae_core evaluate {name} --write`."
        )
    return found
