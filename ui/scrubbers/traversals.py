"""Traversals: one latent moved while the others rest at a base code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import streamlit as st

from ui.browser import bundle, floats
from ui.palette import ACCENT

HERE = Path(__file__).parent
_traversal = st.components.v2.component("latent_traversal", **bundle(HERE, "traversal", decoder=True))

HINT = "Move along a row to change one latent; click to keep the value."


@dataclass(frozen=True)
class Row:
    """One latent: its index from 0, its KL in nats, and whether it is active; `label` is drawn, "z3" say."""

    index: int
    kl: float
    active: bool = True
    label: str | None = None

    def data(self) -> dict[str, Any]:
        """What the browser is told."""
        label = self.label or f"z{self.index + 1}"
        return {"index": self.index, "label": label, "note": f"{self.kl:.1f} nats", "active": self.active}


@dataclass(frozen=True)
class Pane:
    """One model's traversals: the id of its decoder pack, the base code [Z], its rows from top to bottom.

    Reset returns to `home` [Z], by default the base.
    """

    decoder: str
    base: Sequence[float] | np.ndarray
    rows: Sequence[Row]
    title: str = ""
    home: Sequence[float] | np.ndarray | None = None
    colour: str = ACCENT

    def data(self) -> dict[str, Any]:
        """What the browser is told."""
        return {
            "decoder": self.decoder,
            "base": floats(self.base),
            "home": floats(self.base if self.home is None else self.home),
            "rows": [row.data() for row in self.rows],
            "title": self.title,
            "colour": self.colour,
        }


class Release(NamedTuple):
    """The pane that a hand changed last, and its base code [Z] since then."""

    pane: int
    z: list[float]


def traversal_view(
    panes: Sequence[Pane],
    *,
    key: str,
    span: float = 3.0,
    steps: int = 9,
    hint: str = HINT,
    on_release: Callable[[], None] | None = None,
) -> Release | None:
    """Show one or two panes of rows, each latent from -span to +span (in the prior's sigmas).

    Returns what the hand fixed last, None before that. A `base` that differs from the last run's replaces the
    one on the screen, unless it is only what the view itself reported.
    """
    data = {"panes": [pane.data() for pane in panes], "span": span, "steps": steps, "hint": hint}
    state = _traversal(key=key, data=data, on_release_change=on_release or (lambda: None))
    told = state.get("release")
    if not told or told["pane"] >= len(panes) or len(told["z"]) != len(panes[told["pane"]].base):
        return None
    return Release(told["pane"], floats(told["z"]))
