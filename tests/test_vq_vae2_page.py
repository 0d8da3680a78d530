"""The lesson on VQ-VAE-2: its page, its board and what it computes."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from playwright.sync_api import Browser, expect

from tests.lessons import opened, rows, text
from ui import cache
from ui import code_map as view
from ui.figures.vq_vae2 import by_size
from ui.lessons import vq_vae2 as lesson


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the component is handed, instead of the component."""
    found: list[dict[str, Any]] = []
    monkeypatch.setattr(view, "code_map", lambda *pictures, **named: found.append({"pictures": pictures, **named}))
    return found


def first_picture() -> torch.Tensor:
    return cache.held_out(lesson.DATA).images(torch.tensor([0]))


def link_of(codes: lesson.Map) -> str:
    return ",".join(str(code) for line in codes for code in line)


def test_both_levels_and_all_numbers_are_shown(told: list[dict[str, Any]]) -> None:
    page = opened("vq_vae2", level="bottom")
    assert not page.exception and not page.warning and not page.error
    said = text(page)
    assert "trained on" in said and "held-out" in said and "144 bits" in said and "576 bits" in said
    top, bottom = lesson.maps_of(first_picture())
    assert (len(top), len(bottom)) == (4, 8) and told[-1]["own"] == told[-1]["at"] == bottom
    found = lesson.results()
    assert all(f"FID {found[key]:.0f}" in rows(page) for key in ("priors", "chance_below", "chance", "copies"))
    assert all(text in rows(page) for column in lesson.columns().values() for text in column)


@pytest.mark.parametrize(
    "link", [{"level": "x"}, {"image": "-1"}, {"top": "1,2"}, {"bottom": "x"}, {"first": "z"}, {"seed": "-3"}]
)
def test_a_link_that_asks_for_nonsense_gets_a_sentence(link: dict[str, str]) -> None:
    page = opened("vq_vae2", **link)
    assert not page.exception and any("The link asks for" in warning.value for warning in page.warning)


def test_codes_of_both_levels_in_the_link_belong_to_their_image(told: list[dict[str, Any]]) -> None:
    own = lesson.maps_of(first_picture())
    other = [[[(code + 1) % 100 for code in line] for line in level] for level in own]
    page = opened("vq_vae2", top=link_of(other[0]), bottom=link_of(other[1]))
    assert not page.exception and not page.warning
    assert told[-1]["at"] == other[0] and told[-1]["own"] == own[0]
    both, alone = lesson.decoded(*other)
    assert torch.equal(told[-1]["pictures"][1], both) and torch.equal(told[-1]["also"]["top alone"], alone)
    assert "16 of the top, 64 of the bottom" in text(page)
    next(button for button in page.button if button.label == "Another image").click().run()
    assert told[-1]["at"] == told[-1]["own"] != own[0]
    assert not {"top", "bottom"} & set(page.query_params)


def test_a_swapped_bottom_leaves_the_top_alone_as_it_was() -> None:
    top, bottom = lesson.maps_of(first_picture())
    other = [list(line) for line in bottom]
    other[0][0] = (other[0][0] + 1) % 100
    before, after = lesson.decoded(top, bottom), lesson.decoded(top, other)
    assert torch.equal(before[1], after[1])
    change = (before[0] - after[0]).abs().sum(0)
    assert change[:4, :4].max() > 0 and change[-4:, -4:].max() < 1e-6


def test_a_swap_with_itself_is_the_copy() -> None:
    found = lesson.swapped(2, 3)
    copies = lesson.copies(found.pictures)
    for place in range(3):
        torch.testing.assert_close(found.mixed[place, place], copies[place], rtol=0, atol=1e-5)
    first, second = lesson.maps_of(found.pictures[:1]), lesson.maps_of(found.pictures[1:2])
    both, alone = lesson.decoded(first[0], second[1])
    torch.testing.assert_close(found.mixed[0, 1], both, rtol=0, atol=1e-5)
    torch.testing.assert_close(found.alone[0], alone, rtol=0, atol=1e-5)
    source = cache.held_out(lesson.DATA)
    around = lesson.swapped(len(source) - 1, 2)
    assert torch.equal(around.pictures[1], source.images(torch.tensor([0]))[0])


@pytest.mark.parametrize("level", lesson.LEVELS)
def test_a_book_shows_the_cells_that_have_a_code(level: str) -> None:
    """What stands in a picture is nearer to what the book says of its codes than to what it says of others."""
    book = lesson.book(level)
    assert book.shape == (512, 3, 4, 4) and book.min() >= 0 and book.max() <= 1
    top, bottom = lesson.maps_of(first_picture())
    both, alone = lesson.decoded(top, bottom)
    numbers, picture = (top, alone) if level == "top" else (bottom, both - alone + 0.5)
    side = 32 // len(numbers)
    means = picture.unflatten(2, (-1, side)).unflatten(1, (-1, side)).mean((2, 4))  # [C, h, w]
    shown = book[torch.tensor(numbers)].mean((3, 4)).movedim(-1, 0)
    assert (means - shown).abs().mean() < 0.5 * (means - shown.flip(1, 2)).abs().mean()


def test_draws_follow_the_seed_and_the_class() -> None:
    first, again = (lesson.drawn(2, 2, 5, 1) for _ in range(2))
    assert len(first.whole) == 2 and first.whole[0].shape == first.tops.shape == (2, 3, 32, 32)
    assert torch.equal(first.whole[1], again.whole[1]) and not torch.equal(first.whole[0], first.whole[1])
    assert not torch.equal(first.tops, lesson.drawn(2, 2, 6, 1).tops)
    assert not torch.equal(first.tops, lesson.drawn(2, 2, 5, 8).tops)
    near = [(each - first.tops).square().mean() for each in first.whole]
    far = (first.chance - first.tops).square().mean()
    assert max(near) < far, "what is drawn given a top looks like it"


def test_learned_priors_beat_codes_by_chance_at_either_level() -> None:
    found = lesson.results()
    assert found["copies"] < found["priors"] < found["chance_below"] < found["chance"]
    large, *_, small = found["nearer_to_top"]
    assert large == pytest.approx(1, abs=0.02) and small < 0.5, "layout and colours move with the top, texture less"


def test_what_the_page_says_of_one_level_and_two_is_so() -> None:
    """Fewer errors for more bits, and samples that are no nearer."""
    columns = {title: dict(zip(lesson.COMPARED, column, strict=True)) for title, column in lesson.columns().items()}
    one, two = columns["one level"], columns["two levels"]
    assert float(two["MSE / variance"]) < float(one["MSE / variance"])
    assert sum(map(int, two["bits under the priors"].split("+"))) > int(one["bits under the priors"])
    assert float(two["FID of samples"]) >= float(one["FID of samples"])


def test_the_figure_shows_what_it_is_given() -> None:
    figure = by_size(["8", "1"], [0.9, 0.2], [1.0, 0.5], [1.0, 0.25])
    assert [list(trace.y) for trace in figure.data] == [[90.0, 20.0], [100.0, 50.0], [100.0, 25.0]]
    assert figure.layout.xaxis.title.text and figure.layout.yaxis.title.text


@pytest.mark.browser
def test_main_path(browser: Browser, app: str) -> None:
    """Swap a code of the top, then one of the bottom: both stay, in the picture and in the link."""
    page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
    page.goto(f"{app}/vq_vae2")
    expect(page.get_by_test_id("decoded-map")).to_be_visible(timeout=90_000)
    top, bottom = lesson.maps_of(first_picture())
    code = (top[1][2] + 5) % 100
    page.get_by_test_id("cell-1-2").click()
    page.get_by_test_id(f"code-{code}").click()
    page.wait_for_url(re.compile("top="))
    expect(page.get_by_text("Swapped: 1 of the top, 0 of the bottom")).to_be_visible()
    page.get_by_role("radio", name="bottom", exact=True).click()
    expect(page.get_by_test_id("cell-7-7")).to_be_visible()
    page.get_by_test_id("cell-7-7").click()
    page.get_by_test_id(f"code-{(bottom[7][7] + 5) % 100}").click()
    expect(page.get_by_text("Swapped: 1 of the top, 1 of the bottom")).to_be_visible()
    page.reload()
    expect(page.get_by_test_id("decoded-map")).to_be_visible(timeout=90_000)
    expect(page.get_by_text("Swapped: 1 of the top, 1 of the bottom")).to_be_visible()
    page.get_by_role("button", name="The encoder's codes").click()
    expect(page.get_by_text("Swapped: 1 of the top, 0 of the bottom")).to_be_visible()
