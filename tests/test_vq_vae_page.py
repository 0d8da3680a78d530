"""The lesson on VQ-VAEs: its page, its component and its small problem."""

from __future__ import annotations

import base64
import io
import re
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from playwright.sync_api import Browser, expect

from tests.lessons import opened, rows, text
from ui import cache
from ui import code_map as view
from ui.figures.vq_vae import pulls, usage_lines
from ui.lessons import vq_vae as lesson

TITLE = next(iter(lesson.EXPLORED))


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the component is handed, instead of the component."""
    found: list[dict[str, Any]] = []
    monkeypatch.setattr(view, "code_map", lambda *_, **named: found.append(named))
    return found


@pytest.mark.parametrize("title", lesson.EXPLORED)
def test_every_model_can_be_chosen(title: str) -> None:
    page = opened("vq_vae", model=title)
    assert not page.exception and not page.warning and not page.error
    said = text(page)
    assert "trained on" in said and "held-out" in said and lesson.EXPLORED[title].learned in said


@pytest.mark.parametrize(
    "link",
    [{"model": "x"}, {"image": "-1"}, {"codes": "1,2"}, {"codes": "x"}, {"term": "love"}, {"x": "9"}, {"beta": "-1"}],
)
def test_a_link_that_asks_for_nonsense_gets_a_sentence(link: dict[str, str]) -> None:
    page = opened("vq_vae", **link)
    assert not page.exception and any("The link asks for" in warning.value for warning in page.warning)


def test_codes_in_the_link_belong_to_their_image(told: list[dict[str, Any]]) -> None:
    own = lesson.numbers(lesson.EXPLORED[TITLE].name, first_picture())
    other = [[(code + 1) % 100 for code in line] for line in own]
    page = opened("vq_vae", model=TITLE, codes=",".join(str(code) for line in other for code in line))
    assert not page.exception and not page.warning
    assert told[-1]["at"] == other and told[-1]["own"] == own
    next(button for button in page.button if button.label == "Another image").click().run()
    assert told[-1]["at"] == told[-1]["own"] != own and "codes" not in page.query_params


def first_picture() -> torch.Tensor:
    return cache.held_out(lesson.EXPLORED[TITLE].data).images(torch.tensor([0]))


def test_a_swapped_code_changes_the_picture_around_its_cell_alone() -> None:
    name = lesson.EXPLORED[TITLE].name
    own = lesson.numbers(name, first_picture())
    other = [list(line) for line in own]
    other[0][0] = (other[0][0] + 1) % 100
    change = (lesson.decoded(name, own) - lesson.decoded(name, other)).abs().sum(0)
    assert change[:4, :4].max() > 0 and change[-4:, -4:].max() < 1e-6


def test_the_atlas_holds_every_code_in_its_place() -> None:
    pictures = torch.rand(70, 3, 4, 4)
    atlas = view.tile(pictures, 32)
    assert atlas.shape == (3, 12, 128)
    for place in (0, 31, 32, 69):
        row, column = divmod(place, 32)
        assert torch.equal(atlas[:, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4], pictures[place])
    assert view.brightest_last(torch.tensor([0.9, 0.1, 0.5]).view(3, 1, 1, 1), [0.5, 0.0, 0.5]) == [2, 0, 1]


def test_the_small_problem_has_the_gradients_that_it_claims() -> None:
    z, beta = (0.7, 0.1), 0.5
    away = [-2 * (z[axis] - lesson.GOAL[axis]) for axis in range(2)]
    found = {term: lesson.pulled(z, term, beta) for term in lesson.TERMS}
    code = lesson.BOOK[found["codebook"].chosen]
    nearest = min(lesson.BOOK, key=lambda each: (each[0] - z[0]) ** 2 + (each[1] - z[1]) ** 2)
    assert code == nearest
    seen = [-2 * lesson.PULL * (code[axis] - lesson.GOAL[axis]) for axis in range(2)]
    assert found["reconstruction"].on_vector == pytest.approx(seen) and away != seen
    assert found["reconstruction"].on_code == (0, 0)
    towards = [2 * (z[axis] - code[axis]) for axis in range(2)]
    assert found["codebook"].on_code == pytest.approx(towards) and found["codebook"].on_vector == (0, 0)
    assert found["commitment"].on_vector == pytest.approx([-beta * each for each in towards])
    assert found["commitment"].on_code == (0, 0)
    assert found["all three"].on_code == pytest.approx(towards)
    blocked = lesson.pulled(z, "reconstruction", beta, straight=False)
    assert blocked.on_vector == (0, 0) and blocked.on_code == pytest.approx(seen)
    assert blocked.on_input == found["reconstruction"].on_input == pytest.approx(seen)


def test_figures_show_what_they_are_given() -> None:
    shares = {"alive": [0.25] * 4, "dying": [0.9, 0.1, 0.0, 0.0]}
    figure = usage_lines(shares)
    assert list(figure.data[0].y) == [25.0] * 4 and list(figure.data[1].y) == [90.0, 10.0]
    found = lesson.pulled((0.7, 0.1), "all three", 0.25)
    drawn = pulls(lesson.BOOK, (0.7, 0.1), lesson.GOAL, *found, step=0.5)
    assert sum(bool(each.showarrow) for each in drawn.layout.annotations) == 3
    nothing = pulls(lesson.BOOK, (0.7, 0.1), lesson.GOAL, found.chosen, (0, 0), (0, 0), found.on_code, step=0.5)
    assert sum(bool(each.showarrow) for each in nothing.layout.annotations) == 1


@pytest.mark.parametrize("title", lesson.PRIORS)
def test_a_learned_prior_beats_codes_by_chance(title: str) -> None:
    found = lesson.results(title)
    assert found["copies"] < found["prior"] < 0.8 * found["chance"]
    name = lesson.PRIORS[title]
    first, again = (lesson.drawn(name, 3, 5, 1) for _ in range(2))
    assert torch.equal(first, again) and not torch.equal(first, lesson.drawn(name, 3, 6, 1))
    page = opened("vq_vae", maps=title)
    assert not page.exception and not page.warning and f"FID {found['prior']:.0f}" in rows(page)


@pytest.mark.browser
def test_main_path(browser: Browser, app: str) -> None:
    """Choose a cell, put a code into it: the server's picture of the new map arrives, and the link keeps it."""
    page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
    page.goto(f"{app}/vq_vae?model={TITLE}")
    large = page.get_by_test_id("decoded-map")
    expect(large).to_be_visible(timeout=90_000)
    name = lesson.EXPLORED[TITLE].name
    own = lesson.numbers(name, first_picture())

    def shown() -> np.ndarray:
        file = (large.get_attribute("src") or "").partition("base64,")[2]
        return np.asarray(Image.open(io.BytesIO(base64.b64decode(file))).convert("RGB"), float)

    def expected(at: list[list[int]]) -> np.ndarray:
        return (lesson.decoded(name, at) * 255).expand(3, -1, -1).movedim(0, -1).numpy()

    assert np.abs(shown() - expected(own)).max() <= 1
    code = (own[1][2] + 5) % 100
    page.get_by_test_id("cell-1-2").click()
    page.get_by_test_id(f"code-{code}").click()
    page.wait_for_url(re.compile("codes="))
    expect(large).not_to_have_class(re.compile("old"))
    other = [list(line) for line in own]
    other[1][2] = code
    expect(page.get_by_text("Codes swapped: 1.")).to_be_visible()
    assert np.abs(shown() - expected(other)).max() <= 1
    page.reload()
    expect(page.get_by_test_id("cell-1-2")).to_have_attribute("aria-label", re.compile(f"code {code}$"), timeout=90_000)
    page.get_by_role("button", name="The encoder's codes").click()
    expect(page.get_by_text("Codes swapped: 0.")).to_be_visible()
    page.get_by_role("button", name="Show the numbers").click()
    expect(page.get_by_test_id("cell-0-0").locator("span")).to_have_text(str(own[0][0]))
