"""Rows of small pictures, each with its name beside it: the same pictures as several methods make them."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

import streamlit as st
from torch import Tensor

from ui.addresses import png_address
from vae_core.latent.pictures import png, to_bytes

UNDER = "text-align:center;font-size:0.82rem;line-height:1.2"


class Row(NamedTuple):
    """One row: its name, what is to be said of it, pictures [B, C, H, W], the colour that it has elsewhere, and a few
    letters for each picture, to stand under it."""

    name: str
    words: str
    pictures: Tensor
    colour: str | None = None
    under: Sequence[str] = ()


def picture_rows(rows: Sequence[Row]) -> None:
    """Show the rows under one another; on a phone the names stand above the pictures, as wide as these: beside them
    they grow by a thousandth of the room that is left."""
    columns = max(len(row.pictures) for row in rows)
    st.html("".join(_row(row, columns) for row in rows))


def _row(row: Row, columns: int) -> str:
    swatch = (
        '<span style="display:inline-block;width:12px;height:12px;border-radius:3px;margin-right:7px;'
        f'background:{row.colour}"></span>'
    )
    pictures = "".join(
        f'<img src="{_address(picture)}" alt="" style="width:100%;image-rendering:pixelated">'
        for picture in to_bytes(row.pictures)
    ) + "".join(f'<span style="{UNDER}">{escape(text)}</span>' for text in row.under)
    told = f"{row.name}: {len(row.pictures)} pictures" + (f": {escape(', '.join(row.under))}" if row.under else "")
    return (
        '<div style="display:flex;flex-wrap:wrap;gap:2px 16px;align-items:center;margin-bottom:10px">'
        '<div style="flex:1 0 10.8rem;min-width:min-content;line-height:1.3;font-variant-numeric:tabular-nums">'
        f'<b>{swatch if row.colour else ""}{row.name}</b><br><span style="opacity:.85">{row.words}</span></div>'
        f'<div role="img" aria-label="{told}" style="flex:999 1 300px;display:grid;'
        f'grid-template-columns:repeat({columns},minmax(0,1fr));gap:4px">{pictures}</div></div>'
    )


def _address(picture: Tensor) -> str:
    """In its own size: the browser enlarges it crisply, and less is sent."""
    return png_address(png(picture))
