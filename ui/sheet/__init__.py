"""Sheets of decoded pictures: pointed at with the mouse, one picture of each is shown large."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from ui.addresses import png_address
from ui.browser import bundle, fraction, newest

_sheet = st.components.v2.component("latent_sheet", **bundle(Path(__file__).parent, "sheet"))


@dataclass(frozen=True)
class Axis:
    """One axis of a plane: its name, and its ticks as (place in [0, 1] along the axis, text)."""

    name: str
    ticks: Sequence[tuple[float, str]] = ()


@dataclass(frozen=True)
class Sheet:
    """n x n pictures as one PNG, what code each was decoded from [n * n], and the axes if they are a plane."""

    title: str
    colour: str
    png: bytes
    codes: Sequence[str]
    across: Axis | None = None
    up: Axis | None = None

    def data(self) -> dict[str, Any]:
        """What the browser is told."""
        axes = None
        if self.across and self.up:
            axes = [
                {"name": axis.name, "ticks": [list(tick) for tick in axis.ticks]} for axis in (self.across, self.up)
            ]
        return {
            "title": self.title,
            "colour": self.colour,
            "picture": png_address(self.png),
            "codes": list(self.codes),
            "axes": axes,
        }


def sheet_view(
    sheets: Sequence[Sheet],
    n: int,
    *,
    key: str,
    at: tuple[float, float] = (0.5, 0.5),
    on_release: Callable[[], None] | None = None,
) -> tuple[float, float]:
    """Show one or two sheets under one pointer; returns the kept place (right, down) in [0, 1]."""
    place = [fraction(at[0]), fraction(at[1])]
    data = {"sheets": [sheet.data() for sheet in sheets], "n": n, "at": place}
    told = _sheet(key=key, data=data, on_release_change=on_release or (lambda: None)).get("release")
    right, down = newest(key, told, place)
    return fraction(right), fraction(down)
