"""The lesson on disentanglement: its page, its figures, and its main path in a browser."""

from __future__ import annotations

import re
import statistics
from typing import Any

import pytest
import torch
from playwright.sync_api import Browser, expect

from tests.lessons import opened, rows, text
from ui.figures.disentanglement import PARTS, kl_made_of, over_seeds
from ui.lessons import disentanglement as lesson
from vae_core.data.sprites import FACTORS
from vae_core.errors import InvalidInput
from vae_core.metrics.disentanglement import drift
from vae_core.models import VAE
from vae_core.recipes import BANKS
from vae_core.recipes.disentanglement import TRAINING


def test_the_page_turns_one_factor_in_every_model() -> None:
    page = opened("disentanglement")
    assert not page.exception and not page.error and not page.warning
    for title in lesson.methods():
        assert f">{title}<" in re.sub(r"</span>", ">", rows(page)), title
    assert "most of **rotation**" in text(page)
    assert "81%" in text(page), "a square and an ellipse look alike after a part of a turn"
    other = opened("disentanglement", factor="scale")
    assert "most of **scale**" in text(other) and rows(other) != rows(page)


def test_another_image_is_another_start() -> None:
    page = opened("disentanglement")
    before = rows(page)
    page.button[0].click().run()
    assert page.query_params["image"] in ("1", ["1"]) and rows(page) != before


@pytest.mark.parametrize(
    ("key", "value"),
    [("factor", "colour"), ("left", "GAN"), ("right", "nan"), ("image", "100000"), ("image", "-1"), ("z", "1,2"),
     ("z2", "nan")],
)  # fmt: skip
def test_a_link_that_asks_for_nonsense_gets_a_sentence(key: str, value: str) -> None:
    page = opened("disentanglement", **{key: value})
    assert not page.exception and not page.error
    assert any("The link asks for" in warning.value for warning in page.warning)


@pytest.mark.parametrize("content", ["{", '{"methods": {}}', "{}"])
def test_scores_that_cannot_be_used_are_named(content: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "disentanglement.json"
    path.write_text(content)
    monkeypatch.setattr(lesson, "RESULTS", path)
    lesson.results.clear()  # type: ignore[attr-defined]
    with pytest.raises(InvalidInput, match=r"disentanglement\.json.*benchmarks\.disentanglement"):
        lesson.results()
    lesson.results.clear()  # type: ignore[attr-defined]


def test_what_the_page_says_of_the_scores_was_measured() -> None:
    scored = lesson.scored()
    assert list(scored) == list(lesson.methods()) and len(scored) == 6
    assert {len(found["mig"]) for found in scored.values()} == {3}, "seeds"
    median = {title: {key: statistics.median(found[key]) for key in ("mig", "vote")} for title, found in scored.items()}
    plain = median.pop("VAE")
    assert all(plain["mig"] < other["mig"] and plain["vote"] > other["vote"] for other in median.values())
    assert max(max(found["mig"]) / min(found["mig"]) for found in scored.values()) > 2
    for title in (lesson.LONGER, "β-TCVAE", "FactorVAE"):
        assert len(lesson.known(lesson.methods()[title].model).awake) == 3
        assert scored[title]["vote"] == pytest.approx([0.6] * 3, abs=1e-3)


def test_all_are_trained_alike_but_for_their_objective() -> None:
    bank = BANKS["disentanglement"]
    assert {recipe.model for recipe in bank} == {"vae", "tcvae", "factor_vae"}
    assert (
        len(
            {
                str(VAE.Config(**{key: recipe.settings[key] for key in bank[0].settings if key != "beta"}))
                for recipe in bank
            }
        )
        == 1
    )
    for recipe in bank:
        training = recipe.training
        assert (training.images, training.epochs, training.batch) == (TRAINING.images, TRAINING.epochs, TRAINING.batch)


def test_a_shape_that_wanders_and_grows() -> None:
    film = torch.zeros(3, 1, 8, 8)
    film[0, 0, 1, 1] = film[1, 0, 1, 4] = film[2, 0, 5, 4] = 1
    found = drift(film)
    assert (found.centre, found.area) == (5.0, 1.0), "3 across and 4 down"
    film[2, 0, 5, 3] = film[2, 0, 5, 5] = 1
    assert drift(film) == (5.0, 3.0)


SCORED = {"VAE": {"mig": [0.1, 0.3, 0.2]}, "other": {"mig": [0.5]}}


def test_a_dot_for_each_seed_and_a_bar_at_the_median() -> None:
    figure = over_seeds(SCORED, {"mig": "MIG"})
    line, median, dots = figure.data[:3]
    assert list(dots.x) == [0.1, 0.3, 0.2] and dots.name == "VAE"
    assert list(median.x) == [0.2] and list(line.x)[:2] == [0.1, 0.3]
    assert len({trace.y[0] for trace in figure.data}) == 2, "each method in a place of its own"


def test_the_parts_of_a_kl_stand_end_to_end() -> None:
    figure = kl_made_of({"VAE": {"information": 7.0, "total_correlation": 2.0, "dimension_wise": -0.01, "kl": 9.0}})
    assert [bar.x[0] for bar in figure.data] == [7.0, 2.0, 0.0], "an estimate below 0 is none"
    assert [bar.name for bar in figure.data] == [name for name, *_ in PARTS.values()]
    assert figure.layout.annotations[0].text == "9.0"


@pytest.mark.browser
def test_in_a_browser_a_factor_and_a_row_under_the_hand(app: str, browser: Browser) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(f"{app}/disentanglement")
    row = page.get_by_role("img", name=re.compile(f"^{next(iter(lesson.methods()))}: 11 pictures"))
    expect(row).to_be_visible(timeout=60_000)
    before = row.locator("img").first.get_attribute("src")
    page.get_by_role("radio", name=FACTORS[1]).click()
    expect(row.locator("img").first).not_to_have_attribute("src", before or "")
    assert "factor=scale" in page.url
    slider = page.get_by_role("slider").first
    slider.scroll_into_view_if_needed()
    slider.press("ArrowRight")
    expect(page).to_have_url(re.compile(r"[?&]z="))
    page.close()
