"""A table as narrow as its numbers: names in front, a column of numbers under each head."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

import streamlit as st

MOST_LETTERS = 40  # side by side on a phone, a column's gap counted as one of them


def small_table(names: Sequence[str], columns: Mapping[str, Sequence[str]], strong: int | None = None) -> None:
    """Show a row for each name, with its texts from each column; the row `strong` in bold.

    On a phone heads and names are broken between words, and where even that leaves too many columns, the numbers of
    each row stand under its name (assets/page.css).
    """
    heads = [html.escape(head) for head in columns]
    rows = []
    for row, name in enumerate(names):
        cells = "".join(
            f'<td data-head="{head}">{html.escape(values[row])}</td>'
            for head, values in zip(heads, columns.values(), strict=True)
        )
        kind = ' class="strong"' if row == strong else ""
        rows.append(f'<tr{kind}><th scope="row">{html.escape(name)}</th>{cells}</tr>')
    head = "".join(f'<th scope="col">{each}</th>' for each in heads)
    kind = "small-table wide" if narrowest(names, columns) > MOST_LETTERS else "small-table"
    st.html(
        f'<div class="{kind}" style="overflow-x:auto"><table><thead><tr><td></td>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def narrowest(names: Sequence[str], columns: Mapping[str, Sequence[str]]) -> int:
    """How many letters side by side a table needs, whose names and heads are broken between words."""
    return _longest_word(names) + sum(
        max(_longest_word([head]), *map(len, values)) + 1 for head, values in columns.items()
    )


def _longest_word(texts: Sequence[str]) -> int:
    return max(len(word) for text in texts for word in text.split(" "))
