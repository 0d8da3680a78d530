"""Tables that fit a phone: which of them stay tables there, and what stands in them."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from ui.small_table import MOST_LETTERS, narrowest


def page() -> None:
    from ui.small_table import small_table

    small_table(["plain", "<b>bold</b>"], {"KL": ["1.0", "2.0"], "a & b": ["3", "4"]}, strong=1)
    small_table(["one"], {f"number {place}": ["10,000"] for place in range(9)})


def test_a_table_holds_its_texts_and_no_markup_of_theirs() -> None:
    run = AppTest.from_function(page).run()
    assert not run.exception
    narrow, wide = (element.proto.body for element in run.get("html"))
    assert '<td data-head="a &amp; b">4</td>' in narrow and "&lt;b&gt;bold" in narrow and "<b>" not in narrow
    plain, strong = narrow.split("<tr")[2:]
    assert "strong" in strong and "strong" not in plain
    assert 'class="small-table"' in narrow and 'class="small-table wide"' in wide


@pytest.mark.parametrize(
    ("heads", "letters"),
    [(["KL"], 9 + 5), (["right digit"], 9 + 6), (["a", "b"], 9 + 5 + 5), (["no\N{NO-BREAK SPACE}break"], 9 + 9)],
)
def test_heads_and_names_break_between_words_and_values_do_not(heads: list[str], letters: int) -> None:
    assert narrowest(["two words", "annealing"], {head: ["12.5"] for head in heads}) == letters <= MOST_LETTERS
