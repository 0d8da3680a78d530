"""The page on names: ladders, whatever is typed, the collapse that it is about, and a list of somebody's own."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import torch
from playwright.sync_api import Browser, expect

from tests.lessons import opened, rows, text
from ui import cache
from ui.figures import spread_out
from ui.figures.names import chosen
from ui.lessons import names as lesson
from ui.lessons.names import CURES, KNOWN, OFFERED, PLAIN, READ_BY, START
from vae_core.data.names import read_word
from vae_core.errors import InvalidInput


def said(page: Any) -> str:
    return " ".join(each.value for each in [*page.warning, *page.error])


def test_the_plain_model_says_the_same_whatever_the_code_and_the_others_do_not() -> None:
    plain = lesson.ladder(PLAIN, "emma", "oliver", READ_BY[0])
    assert len(plain.words) == lesson.RUNGS and len(set(plain.words)) == 1
    for title in (START, "free bits"):
        assert len(set(lesson.ladder(title, "emma", "oliver", READ_BY[0]).words)) >= 4


def test_the_scores_say_collapse_and_its_cure() -> None:
    found = {title: cache.checkpoint(name).metrics for title, name in OFFERED.items()}
    assert found[PLAIN]["kl"] < 0.5 and found[PLAIN]["exact"] < 0.01
    assert found[START]["kl"] > 4 and found["free bits"]["kl"] > 4
    assert found[START]["exact"] > 0.2 and found[START]["active_latents"] > 8
    assert -found[PLAIN]["elbo"] < -found[START]["elbo"], "a code costs"
    measured = lesson.results()["models"]
    for name in OFFERED.values():
        row = measured[name]
        assert row["in_training"] + row["in_held_out"] + row["new"] == pytest.approx(1, abs=1e-3)
        assert cache.checkpoint(name).metrics["kl"] == pytest.approx(row["kl"][-1], rel=0.02, abs=0.02), name
        assert row["epoch"][-1] == pytest.approx(cache.checkpoint(name).training["epochs"], abs=0.01)


def test_the_names_of_the_page_are_names() -> None:
    assert [read_word(word) for word in KNOWN] == list(KNOWN) and len(set(KNOWN)) == len(KNOWN)


def test_the_ends_of_the_way_are_the_codes_of_the_names() -> None:
    found, codes = lesson.ladder(START, "anna", "leo", READ_BY[0]), lesson.codes_of(START, ["anna", "leo"])
    torch.testing.assert_close(found.codes[[0, -1]], codes)
    assert all(0 < chance <= 1 for chance in found.chances)
    beam = lesson.ladder(START, "anna", "leo", READ_BY[1])
    assert sum(np.log(beam.chances)) >= sum(np.log(found.chances)) - 1e-6, "the search finds no worse words"


def test_the_plane_is_that_of_the_widest_directions() -> None:
    known = lesson.plane(START)
    codes = lesson.codes_of(START, KNOWN)
    np.testing.assert_allclose(known.place(codes), known.points, atol=1e-5)
    share = codes.double().var(0).max() / codes.double().var(0).sum()
    assert known.shares[0] >= share - 1e-6 and known.shares[0] >= known.shares[1]


def test_written_words_do_not_touch() -> None:
    points = np.array([[0.0, 0.0], [0.01, 0.0], [1.0, 1.0]])
    window = (np.zeros(2) - 1, np.ones(2) + 1)
    assert chosen(points, ["anna", "ben", "leo"], np.empty((0, 2)), window) == [True, False, True]
    heights = spread_out([1.0, 1.0, 0.0], 0.65)
    assert heights[2] < heights[0] < heights[1] and sum(heights) == pytest.approx(2)
    assert min(abs(a - b) for n, a in enumerate(heights) for b in heights[:n]) >= 0.65 - 1e-9


# The page.


def test_every_cure_can_be_chosen() -> None:
    page = opened("names")
    assert not page.exception and not said(page)
    for title in CURES:
        page.segmented_control(key="model").set_value(title).run()
        assert not page.exception and not said(page)
        assert f"VAE, {title}" in rows(page)
        assert lesson.ladder(title, "emma", "oliver", READ_BY[0]).words[4] in rows(page)


def test_the_page_needs_no_list_of_names(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LATENT_DATA", str(tmp_path))
    page = opened("names", **{"from": "Sophia", "to": "max"})
    assert not page.exception and not said(page)
    assert lesson.ladder(START, "sophia", "max", READ_BY[0]).words[4] in rows(page)
    assert "trained on" in text(page) and "held-out" in text(page)


@pytest.mark.parametrize(
    ("typed", "told"),
    [("", "no name yet"), ("José", "try 'jose'"), ("r2d2", "a to z"), ("x" * 40, "has 40 letters"),
     ("<script>", "a to z"), ("anna maria", "a blank"), ("**b**", "a to z")],
)  # fmt: skip
def test_whatever_is_typed_gets_a_ladder_and_a_sentence(typed: str, told: str) -> None:
    page = opened("names")
    page.text_input(key="from").set_value(typed).run()
    assert not page.exception
    assert told in said(page) and "Shown meanwhile: emma" in said(page)
    assert "word-ladder" in rows(page)
    page.text_input(key="from").set_value("nora").run()
    assert not said(page)


@pytest.mark.parametrize("link", [{"model": "x"}, {"read": "x"}, {"temperature": "9"}, {"seed": "-1"}, {"term": "x"}])
def test_a_link_that_asks_for_nonsense_gets_a_sentence(link: dict[str, str]) -> None:
    page = opened("names", **link)
    assert not page.exception and "The link asks for" in said(page)


def test_other_draws_are_others_and_stay_in_the_link() -> None:
    page = opened("names")
    before = rows(page)
    next(button for button in page.button if button.label == "Other draws").click().run()
    assert page.query_params["seed"] in ("1", ["1"]) and rows(page) != before
    assert lesson.from_prior(START, 0.7, 1) != lesson.from_prior(START, 0.7, 0)
    around = lesson.from_one_code(START, "anna", 0.3, 0)
    assert len(set(around)) < len(set(lesson.from_prior(START, 0.3, 0))) or around.count("anna") > 6


def test_own_words_are_read_and_what_cannot_be_is_told() -> None:
    page = opened("names")
    page.file_uploader[0].set_value(("mine.txt", b"Anna\nanna\nr2d2\nqxzv\n", "text/plain")).run()
    assert not page.exception and not page.error
    shown = page.dataframe[-1].value
    assert list(shown["word"]) == ["anna", "qxzv"] and shown["-ELBO, nats"][1] > shown["-ELBO, nats"][0]
    assert "1 line repeated" in text(page) and "1 line of no use" in text(page)


@pytest.mark.parametrize("content", [b"", b"12\n", b"\xff\xfe\x00\x01"])
def test_a_list_of_no_use_gets_a_sentence(content: bytes) -> None:
    page = opened("names")
    page.file_uploader[0].set_value(("mine.txt", content, "text/plain")).run()
    assert not page.exception and page.error


def test_too_long_a_list_is_refused() -> None:
    letters = "abcdefghijkl"
    content = "\n".join(a + b + c + d for a in letters for b in letters for c in letters for d in letters[:2])
    with pytest.raises(InvalidInput, match="the page takes"):
        lesson.own_list(content.encode())


@pytest.mark.browser
def test_main_path(browser: Browser, app: str) -> None:
    """Type another name: the ladder of both models follows, and the link brings it back."""
    page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
    page.set_default_timeout(90_000)  # milliseconds: a busy machine is slow, not wrong
    page.goto(f"{app}/names")
    ladder = page.get_by_test_id("word-ladder")
    expect(ladder).to_contain_text("VAE, plain", timeout=90_000)
    field = page.get_by_role("textbox", name="From")
    field.fill("nora")
    field.press("Enter")
    for title in (PLAIN, START):
        for word in lesson.ladder(title, "nora", "oliver", READ_BY[0]).words:
            expect(ladder).to_contain_text(word)
    page.wait_for_url(re.compile("from=nora"))
    page.reload()
    expect(page.get_by_role("textbox", name="From")).to_have_value("nora")
    field = page.get_by_role("textbox", name="To")
    field.fill("Zoë 2")
    field.press("Enter")
    expect(page.get_by_text("Shown meanwhile: oliver.")).to_be_visible()
