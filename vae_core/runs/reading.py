"""What a run's worker has written, read by whoever looks: at any moment, and after any power cut."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from vae_core.errors import InvalidInput
from vae_core.strict_json import parsed

STATES = ("queued", "starting", "running", "stopped", "failed", "finished")
LARGEST = 1e300  # of a number; beyond, arithmetic with it fails
LONGEST_LINE = 2**17  # bytes; 1024 latents make about 2**15


def read_state(path: Path) -> dict[str, Any]:
    """What a worker or the queue wrote last: state, message, time; empty where nobody wrote anything.

    A file that is damaged reads as that of a run that failed, with the reason: to go on with it mends it.
    """
    try:
        told = parsed(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        return _damaged(path, str(error))
    good = (
        isinstance(told, dict)
        and told.get("state") in STATES
        and isinstance(told.get("message"), str)
        and _is_number(told.get("time"))
    )
    return told if good else _damaged(path, "it holds no state, message and time")


def read_heartbeat(path: Path) -> dict[str, Any]:
    """A worker's last sign of life: time, step, steps and who it is; empty, as before the first, where it is damaged,
    for the next one comes within a second."""
    try:
        told = parsed(path.read_bytes())
    except (OSError, ValueError):
        return {}
    good = isinstance(told, dict) and _is_number(told.get("time"))
    return told if good and all(_is_count(told.get(key, 0)) for key in ("step", "steps")) else {}


def read_events(path: Path) -> list[dict[str, Any]]:
    """The logged lines. One that is still being written is left for the next time, and one that a power cut has
    damaged is left out: a curve then lacks a point."""
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read ({error}).") from error
    return [event for line in lines[:-1] if (event := _event(line))]


def read_last_event(path: Path) -> dict[str, Any]:
    """The newest logged line, empty where there is none; the rest of the file is not read."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - LONGEST_LINE))
            lines = file.read().split(b"\n")
    except OSError:  # there is none yet, or `read_events` says why
        return {}
    return next((event for line in reversed(lines[:-1]) if (event := _event(line))), {})


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Raises InvalidInput for a file that is not there, or is damaged."""
    try:
        return load(path.read_bytes())
    except FileNotFoundError as error:
        raise InvalidInput(f"{path} is not there; nothing was written for that step yet.") from error
    except (OSError, SafetensorError) as error:
        raise InvalidInput(f"{path} is damaged ({error}).") from error


def _damaged(path: Path, reason: str) -> dict[str, Any]:
    return {"state": "failed", "message": f"{path.name} is damaged ({reason}); go on with the run.", "time": 0.0}


def _event(line: bytes) -> dict[str, Any]:
    """A line as an event, empty where it is none."""
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    good = isinstance(event, dict) and all(_is_count(event.get(key)) for key in ("step", "steps"))
    return event if good and _is_number(event.get("seconds")) else {}


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < LARGEST
