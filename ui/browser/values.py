"""What goes to a view in the browser and comes back from it, as plain numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import streamlit as st


def newest(key: str, told: dict[str, Any] | None, given: Any) -> Any:
    """Where the hand let go last ("at" in what the view told), unless Python gave another value since then."""
    memory = st.session_state.setdefault(f"{key} given", {"value": given, "settled": None})
    when = told["when"] if told else None
    if memory["value"] != given:
        memory |= {"value": given, "settled": when}
    return given if told is None or when == memory["settled"] else told["at"]


def floats(values: Iterable[Any]) -> list[float]:
    """Numbers of any kind (a tensor, an array, JSON) as plain floats."""
    return [float(value) for value in values]


def fraction(value: Any, default: float = 0.5) -> float:
    """A number in [0, 1]; `default` for anything that is not a finite number."""
    if not isinstance(value, (int, float)) or not math.isfinite(value):
        return default
    return min(1.0, max(0.0, float(value)))
