"""JSON from files that may come from anywhere: small, UTF-8, and without what only Python takes for JSON."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from vae_core.errors import InvalidInput

LARGEST = 2**20  # bytes; a file beyond is none of ours


def read_object(path: Path, missing: str, remedy: str) -> dict[str, Any]:
    """The object that a JSON file holds.

    Raises InvalidInput for a file that is not there (`missing` is what to say then) and, ending with the sentence
    `remedy`, for one that cannot be read, is too large, is no JSON or holds anything but an object.
    """
    try:
        size = path.stat().st_size
        data = path.read_bytes() if size <= LARGEST else b""
    except FileNotFoundError as error:
        raise InvalidInput(missing) from error
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read ({error}). {remedy}") from error
    if size > LARGEST:
        raise InvalidInput(f"{path} is {size:,} bytes; ours stay below {LARGEST:,}. {remedy}")
    try:
        content = parsed(data)
    except ValueError as error:
        raise InvalidInput(f"{path} cannot be read as JSON ({error}). {remedy}") from error
    if not isinstance(content, dict):
        raise InvalidInput(f"{path} holds a {type(content).__name__}; it must hold an object. {remedy}")
    return content


def parsed(data: bytes) -> Any:
    """A JSON text. Raises ValueError for anything else: NaN, numbers too large for a float, objects nested too deep."""
    try:
        return json.loads(data.decode("utf-8"), parse_constant=_refuse, parse_float=_finite)
    except RecursionError as error:
        raise ValueError("nested too deep") from error


def json_bytes(content: dict[str, Any]) -> bytes:
    """An object as a file of ours holds it. Raises ValueError for numbers that are not finite."""
    return (json.dumps(content, indent=2, allow_nan=False) + "\n").encode()


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{text[:20]} is too large")
    return value
