"""A board of pictures that mix two things each: a row takes one of them from its head, a column the other."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st
from torch import Tensor

from ui.addresses import png_address
from vae_core.latent.pictures import png, to_bytes


def swap_board(
    row_heads: Sequence[Tensor], row_words: Sequence[str], column_heads: Tensor, column_words: str, mixed: Tensor
) -> None:
    """Show mixed pictures [N, M, C, H, W]. Each row has several heads, pictures [N, C, H, W], named by `row_words`;
    each column one, of [M, C, H, W]. The diagonal, which mixes an image with itself, is framed."""
    heads, columns = len(row_heads), len(column_heads)
    cells = [
        f'<b style="grid-column:{heads + 1}/-1">{column_words}</b>',
        *(
            f'<b style="align-self:end;text-align:center;line-height:1.2;font-size:min(1rem,3.5vw)">{words}</b>'
            for words in row_words
        ),
        *(_picture(picture, f"{column_words} {place + 1}") for place, picture in enumerate(column_heads)),
    ]
    for row, pictures in enumerate(mixed):
        for words, head in zip(row_words, row_heads, strict=True):
            cells.append(_picture(head[row], f"{words} {row + 1}"))
        for column, picture in enumerate(pictures):
            words = f"top of image {row + 1}, bottom of image {column + 1}"
            cells.append(_picture(picture, words, framed=row == column))
    st.html(
        '<div role="group" aria-label="Every top with every bottom" style="display:grid;gap:5px;min-width:260px;'
        f"max-width:min(100%,calc(100vh - 250px));grid-template-columns:repeat({heads + columns},minmax(0,1fr))"
        f'">{"".join(cells)}</div>'
    )


def _picture(picture: Tensor, words: str, framed: bool = False) -> str:
    """In its own size: the browser enlarges it crisply."""
    address = png_address(png(to_bytes(picture)))
    frame = ";outline:3px solid #e5007d;outline-offset:-1px" if framed else ""
    return (
        f'<img src="{address}" alt="{words}" title="{words}" '
        f'style="width:100%;image-rendering:pixelated;display:block{frame}">'
    )
