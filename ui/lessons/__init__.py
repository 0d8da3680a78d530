"""What one lesson computes for itself: cached, and with a report of how far it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ui.cache import checkpoint
from vae_core.errors import InvalidInput


def read_results(path: Path, remedy: str) -> dict[str, Any]:
    """What a benchmark stored. Raises InvalidInput, which ends with the remedy, where it cannot be read."""
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{path} cannot be read ({error}). {remedy}") from error


def scores(name: str, *keys: str) -> dict[str, Any]:
    """What a bundled model scored on held-out images. Raises InvalidInput where one of the keys is missing."""
    found = checkpoint(name).metrics
    if missing := [key for key in keys if key not in found]:
        raise InvalidInput(
            f"The scores of {name} lack {', '.join(missing)}. Take them again: "
            f"`python -m vae_core evaluate {name} --write`."
        )
    return found
