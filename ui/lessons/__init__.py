"""What one lesson computes for itself: cached, and with a report of how far it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from vae_core.errors import InvalidInput


def read_results(path: Path, remedy: str) -> dict[str, Any]:
    """What a benchmark stored. Raises InvalidInput, which ends with the remedy, where it cannot be read."""
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{path} cannot be read ({error}). {remedy}") from error
