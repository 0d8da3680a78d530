"""A table as narrow as its numbers: names in front, a column of numbers under each head."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

import streamlit as st


def small_table(names: Sequence[str], columns: Mapping[str, Sequence[str]], strong: int | None = None) -> None:
    """Show a row for each name, with its texts from each column; the row `strong` in bold."""
    cell = "padding:2px 8px;text-align:right;white-space:nowrap"
    head = "".join(f'<th style="{cell};font-weight:600">{html.escape(name)}</th>' for name in columns)
    rows = []
    for row, name in enumerate(names):
        numbers = "".join(f'<td style="{cell}">{html.escape(values[row])}</td>' for values in columns.values())
        weight = ' style="font-weight:650"' if row == strong else ""
        rows.append(f'<tr{weight}><td style="padding:2px 0">{html.escape(name)}</td>{numbers}</tr>')
    table = f'<table style="font-variant-numeric:tabular-nums"><tr><th></th>{head}</tr>{"".join(rows)}</table>'
    st.html(f'<div style="overflow-x:auto">{table}</div>')
