"""Words in columns: the rungs of a way from one to another, and rows of words that belong together."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import NamedTuple

import streamlit as st

from ui.palette import ACCENT


class Column(NamedTuple):
    """What one model says at every rung."""

    title: str
    words: str  # of the model, in small
    rungs: Sequence[tuple[str, str]]  # word, and what is to be said of it
    colour: str


def word_ladder(places: Sequence[str], columns: Sequence[Column]) -> None:
    """Show a row for each place on the way and a column for each model; a word that is the one above is paler."""
    heads = "".join(
        f'<th scope="col" style="text-align:left;padding:0 12px 6px 0;border-bottom:3px solid {column.colour};'
        f'font-weight:650;line-height:1.25">{html.escape(column.title)}<br>'
        f'<span style="font-weight:400;font-size:14px">{html.escape(column.words)}</span></th>'
        for column in columns
    )
    rows = "".join(
        f'<tr><th scope="row" style="text-align:left;font-weight:400;font-size:14px;padding-right:14px;width:3.2rem">'
        f"{html.escape(place)}</th>{''.join(_rung(column.rungs, row) for column in columns)}</tr>"
        for row, place in enumerate(places)
    )
    st.html(
        '<table data-testid="word-ladder" style="width:100%;border-collapse:collapse;table-layout:auto;'
        f'font-variant-numeric:tabular-nums"><tr><td></td>{heads}</tr>{rows}</table>'
    )


def _rung(rungs: Sequence[tuple[str, str]], row: int) -> str:
    word, told = rungs[row]
    same = row > 0 and rungs[row - 1][0] == word
    return (
        f'<td style="padding:3px 12px 3px 0;line-height:1.3"><span style="font-size:25px;overflow-wrap:anywhere;'
        f'opacity:{0.7 if same else 1}">{html.escape(word)}</span> '
        f'<span style="font-size:14px;white-space:nowrap;opacity:.8">{html.escape(told)}</span></td>'
    )


def word_rows(rows: Sequence[tuple[str, str, Sequence[str]]], strong: str = "") -> None:
    """Show rows of words: a name, what is to be said of it, the words; the word `strong` stands out."""
    st.html("".join(_row(*row, strong) for row in rows))


def _row(name: str, told: str, words: Sequence[str], strong: str) -> str:
    shown = "".join(
        f'<span style="font-size:19px;overflow-wrap:anywhere;{_strong(word == strong)}">{html.escape(word)}</span>'
        for word in words
    )
    return (
        '<div style="display:flex;flex-wrap:wrap;gap:2px 16px;align-items:baseline;margin-bottom:14px">'
        f'<div style="flex:0 0 12.5rem;line-height:1.3"><b>{html.escape(name)}</b><br>'
        f'<span style="opacity:.85">{html.escape(told)}</span></div>'
        '<div style="flex:1 1 300px;display:grid;grid-template-columns:repeat(auto-fill,minmax(8.2rem,1fr));'
        f'gap:4px 12px">{shown}</div></div>'
    )


def _strong(is_strong: bool) -> str:
    return f"font-weight:700;color:{ACCENT}" if is_strong else ""
