"""The latent map in a real browser: it decodes under the hand, equals PyTorch, and comes back from its link."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
import torch
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, expect

from vae_core.checkpoints import read_bundled

pytestmark = pytest.mark.browser

PIXELS = """(canvas) => {
  const { width, height } = canvas;
  const data = canvas.getContext("2d").getImageData(0, 0, width, height).data;
  return [width, height, Array.from(data)];
}"""
TWO_FRAMES = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


@pytest.fixture
def page(browser: Browser) -> Page:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(60_000)
    return context.new_page()


def open_map(page: Page, address: str, test_id: str = "decoded") -> tuple[Locator, Locator]:
    """The plane and the decoded picture, once it is there."""
    page.goto(address)
    picture = page.get_by_test_id(test_id)
    expect(picture).to_have_attribute("data-z", json_numbers(), timeout=90_000)
    return page.get_by_test_id("latent-map").locator("[tabindex='0']").first, picture


def json_numbers() -> re.Pattern[str]:
    return re.compile(r"^\[[-0-9.e, ]+\]$")


def move_to(page: Page, plane: Locator, across: float, down: float) -> None:
    box = plane.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + across * box["width"], box["y"] + down * box["height"])
    page.evaluate(TWO_FRAMES)


def latent(picture: Locator) -> list[float]:
    return json.loads(picture.get_attribute("data-z") or "")


def drawn(picture: Locator) -> np.ndarray:
    width, height, rgba = picture.evaluate(PIXELS)
    return np.array(rgba, dtype=np.float32).reshape(height, width, 4)[..., 0]


@pytest.mark.parametrize(
    ("link", "name"),
    [
        ("", "mnist-2d-vae-beta1"),
        ("?model=autoencoder", "mnist-2d-ae"),
        ("?data=MNIST+10-D", "mnist-10d-vae-beta1"),
        ("?data=Sprites+10-D&model=beta+4", "sprites-10d-vae-beta4"),
    ],
)
def test_picture_follows_the_hand_and_equals_pytorch(page: Page, app: str, link: str, name: str) -> None:
    plane, picture = open_map(page, f"{app}/latent_map{link}")
    model = read_bundled(name).model
    seen = []
    for across, down in ((0.3, 0.3), (0.5, 0.55), (0.7, 0.4), (0.45, 0.7), (0.2, 0.8)):
        move_to(page, plane, across, down)
        z = latent(picture)
        seen.append(tuple(z))
        with torch.inference_mode():
            expected = model.decode(torch.tensor([z]))[0, 0].numpy() * 255  # type: ignore[operator]
        assert drawn(picture).shape == expected.shape
        assert np.abs(drawn(picture) - expected).max() <= 1.0
    assert len(set(seen)) == 5
    assert float(picture.get_attribute("data-ms") or "nan") > 0


def test_two_panes_share_one_cursor(page: Page, app: str) -> None:
    plane, first = open_map(page, f"{app}/latent_map?model=beta+1&beside=beta+4", "decoded-0")
    second = page.get_by_test_id("decoded-1")
    expect(second).to_have_attribute("data-z", json_numbers())
    move_to(page, plane, 0.6, 0.4)
    assert latent(first) == pytest.approx(latent(second))
    before = drawn(first)
    move_to(page, plane, 0.4, 0.6)
    assert latent(first) == pytest.approx(latent(second))
    assert not np.array_equal(before, drawn(first))


def test_leaving_the_plane_keeps_the_last_point(page: Page, app: str) -> None:
    plane, picture = open_map(page, f"{app}/latent_map")
    move_to(page, plane, 0.35, 0.35)
    kept = latent(picture)
    page.mouse.move(5, 5)
    page.evaluate(TWO_FRAMES)
    assert latent(picture) == kept


def test_arrow_keys_move_and_streamlit_does_not_take_our_keys(page: Page, app: str) -> None:
    plane, picture = open_map(page, f"{app}/latent_map")
    plane.focus()
    start = latent(picture)
    page.keyboard.press("ArrowRight")
    page.evaluate(TWO_FRAMES)
    assert latent(picture)[0] > start[0]
    page.evaluate("""() => {
      window.__heard = [];
      document.addEventListener("keydown", (event) => window.__heard.push(event.key));
    }""")
    for key in ("c", "r"):  # "clear the cache" and "rerun" for Streamlit, which listens on the document
        page.keyboard.press(key)
    assert page.evaluate("() => window.__heard") == []


def test_a_copied_link_brings_the_screen_back(page: Page, app: str, browser: Browser) -> None:
    plane, picture = open_map(page, f"{app}/latent_map?model=beta+4")
    box = plane.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 0.62 * box["width"], box["y"] + 0.37 * box["height"])
    page.wait_for_url("**at=*")
    link, kept = page.url, latent(picture)
    other = browser.new_page(viewport={"width": 1280, "height": 900})
    _, restored = open_map(other, link)
    assert "model=beta+4" in other.url
    assert latent(restored) == pytest.approx(kept, abs=2e-3)
    other.close()


QUESTIONS = {
    "Home": "See what a latent space is",
    "Latent map": "Does every point of the plane decode to a picture?",
    "Sampling grid": "What does the whole plane decode to?",
    "Interpolation": "What lies on the way from one picture to another?",
    "Continuity and completeness": "Which plane is meaningful everywhere?",
    "Traversals": "What does each latent change?",
    "Train": "How does a latent space come to be?",
}
SETTLED = """() => !document.querySelector("[data-testid=stSkeleton], [data-testid=stStatusWidget]")
  && [...document.images].every((image) => image.complete)"""


def settle(page: Page, title: str) -> None:
    """Wait until a page is there with its pictures; one that is left earlier asks for what the server has dropped."""
    expect(page.get_by_role("heading", level=1, name=QUESTIONS[title])).to_be_visible(timeout=90_000)
    page.wait_for_function(SETTLED, timeout=90_000)


def go_to(page: Page, title: str) -> None:
    """Through the navigation: a page stands there by itself, or in the menu of its section."""
    navigation = page.get_by_role("navigation", name="App pages")
    if title == "Home":
        navigation.get_by_role("link", name=title).click()
        return
    navigation.get_by_role("button", name="Training" if title == "Train" else "Latent spaces").click()
    page.get_by_role("menuitem", name=title, exact=True).click()


def test_pages_change_without_a_word_on_the_console(page: Page, app: str) -> None:
    complaints: list[str] = []

    def heard(message: ConsoleMessage) -> None:
        if message.type == "error":
            complaints.append(message.text)

    page.on("console", heard)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(app)
    settle(page, "Home")
    for title in (*QUESTIONS, "Latent map", "Home", "Latent map"):
        go_to(page, title)
        settle(page, title)
    expect(page.get_by_test_id("decoded")).to_have_attribute("data-z", json_numbers(), timeout=90_000)
    assert complaints == []


def test_the_very_first_visitor_may_come_through_a_link(browser: Browser) -> None:
    """Streamlit takes a folder `pages` for its older kind of app until the router has run once."""
    from benchmarks.harness import APP, served

    with served(APP) as fresh:
        page = browser.new_page()
        page.goto(f"{fresh}/latent_map")
        expect(page.get_by_role("button", name="Latent spaces", exact=True)).to_be_visible(timeout=60_000)
        expect(page.get_by_test_id("decoded")).to_have_attribute("data-z", json_numbers(), timeout=90_000)
        assert page.get_by_role("dialog").count() == 0
        page.close()
