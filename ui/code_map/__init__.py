"""A code map over its picture: click a cell, then a code of the book; the server decodes the new map."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import streamlit as st
import torch
from torch import Tensor

from ui.addresses import png_address
from ui.browser import bundle
from vae_core.latent.pictures import png, to_bytes

ATLAS = 32  # codes in a row of the one picture that brings them all

_view = st.components.v2.component("code_map", **bundle(Path(__file__).parent, "map"))


def code_map(
    picture: Tensor,
    decoded: Tensor,
    book: Tensor,
    usage: Sequence[float],
    *,
    key: str,
    of: str,
    own: Sequence[Sequence[int]],
    at: Sequence[Sequence[int]],
    also: Mapping[str, Tensor] | None = None,
    on_release: Callable[[], None] | None = None,
) -> None:
    """Show a picture [C, H, W], what its codes decode to [C, H, W], and the codebook as small pictures [K, C, s, s],
    each with its share [K] of the choices.

    `also`: more pictures [C, H, W] beside the encoded one, by what they are. `own` [h][w] are the encoder's codes, `at`
    [h][w] those that stand there. A hand that chooses others makes st.session_state[key]["release"] = {"of", "at",
    "when"}; `of` names the model and picture that `at` belongs to.
    """
    order = brightest_last(book, usage)
    data: dict[str, Any] = {
        "picture": address(picture),
        "decoded": address(decoded),
        "also": [[words, address(each)] for words, each in (also or {}).items()],
        "book": address(tile(book[order], ATLAS)),
        "across": ATLAS,
        "order": order,
        "usage": [float(f"{share:.3g}") for share in usage],
        "of": of,
        "own": [list(map(int, row)) for row in own],
        "at": [list(map(int, row)) for row in at],
    }
    _view(key=key, data=data, on_release_change=on_release or (lambda: None))


def tile(pictures: Tensor, across: int) -> Tensor:
    """Pictures [K, C, s, s] as one [C, H, W], so many beside one another; the last row may be black at its end."""
    rows = -(-len(pictures) // across)
    spare = pictures.new_zeros(rows * across - len(pictures), *pictures.shape[1:])
    whole = torch.cat([pictures, spare]).unflatten(0, (rows, across))  # [rows, across, C, s, s]
    return whole.permute(2, 0, 3, 1, 4).flatten(3, 4).flatten(1, 2)


def brightest_last(book: Tensor, usage: Sequence[float]) -> list[int]:
    """The codes that are in use from dark to bright, then those that are not."""
    brightness = book.flatten(1).mean(1).tolist()
    return sorted(range(len(book)), key=lambda code: (usage[code] == 0, brightness[code]))


def address(picture: Tensor) -> str:
    return png_address(png(to_bytes(picture)))
