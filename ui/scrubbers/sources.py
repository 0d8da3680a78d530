"""Put a component together: its JavaScript and CSS files, joined into one inline module each."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypedDict

import streamlit as st

from ui.latent_map.library import LIBRARY_JS, source

SHARED = Path(__file__).parent


class Sources(TypedDict):
    js: str
    css: str


def bundle(folder: Path, *names: str, decoder: bool = False) -> Sources:
    """The `js` and `css` arguments of a component made of `folder/<name>.js` and `folder/<name>.css`.

    The files are joined into one module, so they neither import nor export; only the last has the default
    export. What the views share comes first, and with `decoder` the in-browser decoder and its weights' store.
    """
    library = [LIBRARY_JS, source("weights.js", folder=SHARED)] if decoder else []
    scripts = [*library, source("common.js", folder=SHARED), source(*(f"{name}.js" for name in names), folder=folder)]
    styles = [f"{name}.css" for name in names if (folder / f"{name}.css").exists()]
    return {
        "js": "\n".join(scripts),
        "css": "\n".join([source("common.css", folder=SHARED), source(*styles, folder=folder)]),
    }


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
