"""What a next press will show is made beforehand, and only that."""

from __future__ import annotations

import threading

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from tests.running import wait_for
from ui import ahead

MADE: list[int] = []  # what the script below had to make, in this process


def script() -> None:
    import streamlit as st

    from tests.test_ahead import made
    from ui import controls

    seed = controls.index_from_link("seed", 10, 0, "draw")
    controls.another("Other draws", "seed", seed, 10, by=3, ahead=made)
    st.write(f"drawn: {made(seed)}")


@st.cache_data(show_spinner=False)
def made(seed: int) -> int:
    MADE.append(seed)
    return 100 * seed


@pytest.fixture(autouse=True)
def nothing_waits() -> None:
    st.cache_data.clear()
    MADE.clear()
    wait_for(lambda: not ahead._waiting)


def test_the_next_press_finds_its_answer_made() -> None:
    page = AppTest.from_function(script).run()
    assert page.markdown[0].value == "drawn: 0"
    wait_for(lambda: 3 in MADE)
    page.button[0].click().run()
    assert page.markdown[0].value == "drawn: 300" and page.query_params["seed"] == "3"
    assert MADE.count(3) == 1


def test_after_the_last_one_the_first_comes_again() -> None:
    page = AppTest.from_function(script)
    page.query_params["seed"] = "8"
    page.run().button[0].click().run()
    assert page.query_params["seed"] == "1"


def test_a_crowd_does_not_queue_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "REST", 0.0)
    gate, ran = threading.Event(), []
    for turn in range(3 * ahead.MOST_WAITING):
        ahead.prepare(lambda turn=turn: (gate.wait(30), ran.append(turn)))
    gate.set()
    wait_for(lambda: not ahead._waiting)
    assert ran == list(range(ahead.MOST_WAITING))


def test_what_goes_wrong_ahead_does_not_stop_what_follows() -> None:
    done = threading.Event()
    ahead.prepare(lambda: 1 / 0)
    ahead.prepare(done.set)
    assert done.wait(30)
