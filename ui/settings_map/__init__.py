"""A heat map of trained models over two settings: point at a cell to see what its model makes, click to keep it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from ui.browser import bundle

_map = st.components.v2.component("settings_map", **bundle(Path(__file__).parent, "map"))


@dataclass(frozen=True)
class Score:
    """One number of every model."""

    name: str
    unit: str
    words: str  # what it says, in a sentence
    better: str  # "lower", "higher" or "neither"
    digits: int  # behind the point
    values: Sequence[Sequence[float]]  # [rows][columns]


@dataclass(frozen=True)
class Axes:
    """The two settings, and the values that were trained."""

    rows: tuple[str, Sequence[str]]
    columns: tuple[str, Sequence[str]]


def settings_map(
    axes: Axes,
    scores: Sequence[Score],
    pictures: Sequence[Sequence[str]],
    originals: str,
    *,
    key: str,
    sheet: tuple[int, int],
    score: str,
    at: tuple[int, int],
    on_release: Callable[[], None] | None = None,
) -> None:
    """Show the map. `pictures` [rows][columns] and `originals` are data addresses of sheets: of as many pictures beside
    one another as `sheet` has columns; the first of its rows rebuilds the originals, the others are samples.

    `score` is the name of the one that is shown, `at` the row and the column of the cell that is kept. A hand that
    chooses others makes st.session_state[key]["release"] = {"score", "at", "when"}.
    """
    data: dict[str, Any] = {
        "rows": [axes.rows[0], list(axes.rows[1])],
        "columns": [axes.columns[0], list(axes.columns[1])],
        "scores": [asdict(each) for each in scores],
        "pictures": [list(row) for row in pictures],
        "originals": originals,
        "sheet": list(sheet),
        **news(key, {"score": score, "at": list(at)}),
    }
    _map(key=key, data=data, on_release_change=on_release or (lambda: None))


def news(key: str, now: dict[str, Any]) -> dict[str, Any]:
    """What to send of the choice, with a number that grows with each one that is not from the hand. What the hand has
    just chosen is no news: the data stay as they were, and so the sheets, by far the most of them, are not sent again.
    """
    told = (st.session_state.get(key) or {}).get("release") or {"when": None}
    memory = st.session_state.setdefault(f"{key} memory", {"sent": {"turn": 0, **now}, "shown": now, "when": None})
    is_new = told["when"] is None and memory["when"] is not None  # another view, after the page was left
    is_of_hand = told["when"] != memory["when"] and all(told.get(name) == value for name, value in now.items())
    if is_new or (memory["shown"] != now and not is_of_hand):
        memory["sent"] = {"turn": memory["sent"]["turn"] + 1, **now}
    memory |= {"shown": now, "when": told["when"]}
    return memory["sent"]
