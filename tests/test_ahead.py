"""What a next press will show is made beforehand, and only that."""

from __future__ import annotations

import threading
import time

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from tests.running import wait_for
from ui import ahead

MADE: list[int] = []  # what the script below had to make, in this process


def script() -> None:
    import streamlit as st

    from tests.test_ahead import made
    from ui import controls, frame

    @frame.part
    def draw() -> None:
        seed = controls.index_from_link("seed", 10, 0, "draw")
        controls.another("Other draws", "seed", seed, 10, by=3, ahead=made)
        st.write(f"drawn: {made(seed)}")

    draw()


@st.cache_data(show_spinner=False)
def made(seed: int) -> int:
    MADE.append(seed)
    return 100 * seed


@pytest.fixture(autouse=True)
def nothing_waits() -> None:
    """What an earlier test asked for is made; nothing of it is left."""
    done = threading.Event()
    ahead.prepare("last", done.set)
    ahead.begin()
    assert done.wait(60)
    st.cache_data.clear()
    MADE.clear()


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


def test_the_part_itself_comes_first() -> None:
    ahead.prepare("seed", lambda: MADE.append(1))
    time.sleep(3 * ahead.REST)
    assert not MADE, "it is still being drawn"
    ahead.begin()
    wait_for(lambda: MADE == [1])


def test_of_a_crowd_the_newest_wishes_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "REST", 0.0)
    gate, entered = threading.Event(), threading.Event()
    ahead.prepare("first", lambda: (entered.set(), gate.wait(30)))
    ahead.begin()
    assert entered.wait(30)
    for turn in range(3 * ahead.MOST_WAITING):
        ahead.prepare(f"button {turn}", lambda turn=turn: MADE.append(turn))
        ahead.begin()
    for turn in (100, 101):  # pressed twice: only the second is looked at
        ahead.prepare("twice", lambda turn=turn: MADE.append(turn))
        ahead.begin()
    gate.set()
    wait_for(lambda: 101 in MADE)
    assert [*range(2 * ahead.MOST_WAITING + 1, 3 * ahead.MOST_WAITING), 101] == MADE


def test_what_goes_wrong_ahead_does_not_stop_what_follows() -> None:
    done = threading.Event()
    ahead.prepare("one", lambda: 1 / 0)
    ahead.prepare("two", done.set)
    ahead.begin()
    assert done.wait(30)
