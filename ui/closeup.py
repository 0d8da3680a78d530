"""A few pictures large beside one another, each with its name and what is to be said of it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

import streamlit as st
from torch import Tensor

from ui.addresses import png_address
from vae_core.latent.pictures import png, to_bytes


class Close(NamedTuple):
    """One picture [C, H, W] in [0, 1], its name, a few words, and the colour that it has elsewhere."""

    name: str
    words: str
    picture: Tensor
    colour: str | None = None


def closeup(pictures: Sequence[Close], columns: int, narrow: int = 2) -> None:
    """Show the pictures in so many columns, on a phone in fewer."""
    widest = f"calc((100% - {narrow - 1} * 12px) / {narrow})"  # never more than these many beside one another there
    st.html(
        f'<div style="display:grid;gap:12px;grid-template-columns:repeat({columns},minmax(0,1fr))">'
        f"{''.join(map(_figure, pictures))}</div>"
        if columns <= narrow
        else f'<div style="display:grid;gap:12px;grid-template-columns:repeat(auto-fit,minmax(min({widest},'
        f'max(130px,(100% - {columns - 1} * 12px) / {columns})),1fr))">{"".join(map(_figure, pictures))}</div>'
    )


def _figure(each: Close) -> str:
    address = png_address(png(to_bytes(each.picture)))  # as it is: the browser draws crisp pixels
    edge = f"border-bottom:4px solid {each.colour}" if each.colour else "border-bottom:4px solid transparent"
    return (
        '<figure style="margin:0"><figcaption style="line-height:1.3;font-size:clamp(0.82rem,3.6vw,1rem);'
        "font-variant-numeric:tabular-nums;"
        f'padding-bottom:4px"><b>{escape(each.name)}</b><br><span style="opacity:.85">{escape(each.words)}</span>'
        f'</figcaption><img src="{address}" alt="{escape(each.name)}, enlarged" '
        f'style="display:block;width:100%;image-rendering:pixelated;{edge}"></figure>'
    )
