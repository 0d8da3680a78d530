"""What each latent of a model tells, and a strip of pictures of what it moves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import streamlit as st
from torch import Tensor

from ui.addresses import png_address
from ui.palette import ACCENT
from vae_core.latent.pictures import png


class Strip(NamedTuple):
    """One latent: its name, its KL in nats, whether it is awake, and its pictures side by side, [C, H, W] uint8."""

    name: str
    kl: float
    awake: bool
    pictures: Tensor


def latent_rows(strips: Sequence[Strip], reach: float, *, wide: int = 660) -> None:
    """Show a row for each latent; `reach` is the KL of the longest bar there may be, `wide` the most pixels of a strip.
    On a phone the strip stands under its bar."""
    st.html("".join(_row(strip, reach, wide) for strip in strips))


def _row(strip: Strip, reach: float, wide: int) -> str:
    told = f"{strip.kl:.2f} nats" + ("" if strip.awake else ", asleep")
    bar = (
        f'<span style="display:inline-block;height:14px;border-radius:2px;margin-right:8px;background:{ACCENT};'
        f'width:max(2px,{55 * strip.kl / reach:.1f}%)"></span>'
    )
    return (
        '<div style="display:flex;flex-wrap:wrap;gap:0 16px;align-items:center;margin-bottom:2px;'
        'font-variant-numeric:tabular-nums">'
        f'<b style="flex:0 0 5.6rem;white-space:nowrap">{strip.name}</b>'
        f'<span style="flex:0 0 13.4rem;white-space:nowrap">{bar}{told}</span>'
        f'<img src="{png_address(png(strip.pictures))}" alt="{strip.name}, moved: {told}" '
        f'style="flex:1 1 {wide}px;min-width:0;max-width:{wide}px;image-rendering:pixelated"></div>'
    )
