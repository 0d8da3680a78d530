"""Put a component together: its JavaScript and CSS files, joined into one inline module each."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypedDict

import streamlit as st

SHARED = Path(__file__).parent
DECODER = Path(__file__).parents[1] / "latent_map"


class Sources(TypedDict):
    js: str
    css: str


def bundle(folder: Path, *names: str, decoder: bool = False) -> Sources:
    """The `js` and `css` arguments of a component made of `folder/<name>.js` and `folder/<name>.css`.

    The files are joined into one module, so they neither import nor export; only the last has the default
    export. What the views share comes first, and with `decoder` the in-browser decoder and its weights' store.
    """
    shared = [DECODER / "decoder.js", DECODER / "store.js", SHARED / "weights.js"] if decoder else []
    scripts = [*shared, SHARED / "common.js", *(folder / f"{name}.js" for name in names)]
    styles = [SHARED / "common.css", *(folder / f"{name}.css" for name in names)]
    return {"js": _joined(scripts), "css": _joined([path for path in styles if path.exists()])}


def _joined(paths: Sequence[Path]) -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in paths)


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
