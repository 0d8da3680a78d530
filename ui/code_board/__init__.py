"""A code of letters as a board: a row for each place, a cell for each letter; a click flips one, and the browser
decodes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from ui.browser import bundle

_board = st.components.v2.component("code_board", **bundle(Path(__file__).parent, "board", decoder=True))


def code_board(
    decoder: str,
    chances: Sequence[Sequence[float]],
    picture: str,
    *,
    key: str,
    of: str,
    at: Sequence[int],
    kl: Sequence[float],
    on_release: Callable[[], None] | None = None,
) -> None:
    """Show the board of a decoder pack that takes one-hot letters [N * K].

    `chances` [N][K] are the encoder's probabilities for the picture, whose data address is `picture`; `at` [N] are the
    letters that stand there, `kl` [N] the nats that each place carries. A hand that chooses others makes
    st.session_state[key]["release"] = {"of", "at" [N], "when"}; `of` names the model and the picture that `at` belongs
    to, so that letters which were chosen for another picture can be told from this one's.
    """
    data: dict[str, Any] = {
        "decoder": decoder,
        "chances": [[round(float(chance), 4) for chance in row] for row in chances],
        "kl": [round(float(value), 3) for value in kl],
        "picture": picture,
        "of": of,
        "at": [int(letter) for letter in at],
    }
    _board(key=key, data=data, on_release_change=on_release or (lambda: None))
