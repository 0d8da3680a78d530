"""An id for a browser: kept over a reload, another in another browser, never anything that a cookie makes up."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, BrowserContext, expect
from streamlit.testing.v1 import AppTest

from ui.visitor import COOKIE, ID

SCRIPT = """
import streamlit as st
from ui.visitor import visitor

st.text("before")
st.text(f"visitor {visitor()}")
st.button("Again")
"""


def test_without_a_cookie_the_session_keeps_an_id() -> None:
    page = AppTest.from_string(SCRIPT).run()
    first = page.text[1].value
    assert ID.fullmatch(first.removeprefix("visitor "))
    assert page.button[0].click().run().text[1].value == first
    assert AppTest.from_string(SCRIPT).run().text[1].value != first


@pytest.fixture(scope="module")
def address() -> object:
    from benchmarks.harness import served

    with served(SCRIPT.replace("import streamlit", "import sys; sys.path.insert(0, '.')\nimport streamlit", 1)) as url:
        yield url


def shown(context: BrowserContext, address: str) -> str:
    page = context.new_page()
    page.goto(address)
    line = page.get_by_text("visitor ")
    expect(line).to_have_text(re.compile(r"^visitor [0-9a-f]{32}$"), timeout=60_000)
    text = line.inner_text()
    assert page.locator("[data-testid=stHtml]:visible").count() == 0, "the script takes no room"
    page.wait_for_function(f"() => document.cookie.includes('{COOKIE}=')")
    return text.removeprefix("visitor ")


@pytest.mark.browser
def test_a_browser_keeps_its_id_and_another_has_another(browser: Browser, address: str) -> None:
    one, other = browser.new_context(), browser.new_context()
    first = shown(one, address)
    (cookie,) = [cookie for cookie in one.cookies() if cookie["name"] == COOKIE]
    assert cookie["value"] == first and cookie["sameSite"] == "Lax"
    assert cookie["expires"] > 0 and cookie["path"] == "/", "it outlives the browser"
    assert shown(one, address) == first, "after a reload"
    assert shown(other, address) != first
    one.close()
    other.close()


@pytest.mark.browser
@pytest.mark.parametrize("made_up", ["", "me", "<script>", "0" * 31, "A" * 32])
def test_a_cookie_that_is_none_of_ours_is_replaced(browser: Browser, address: str, made_up: str) -> None:
    context = browser.new_context()
    context.add_cookies([{"name": COOKIE, "value": made_up, "url": address}])
    first = shown(context, address)
    assert first != made_up and ID.fullmatch(first)
    context.close()
