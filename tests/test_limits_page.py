"""The page on limits: what it shows is what was measured, and its map answers in the browser."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from playwright.sync_api import Browser, expect

from benchmarks import limits as benchmark
from tests.lessons import opened, rows, text
from ui import cache
from ui.figures.limits import learning_curves, rank_lines
from ui.lessons import limits as lesson
from ui.settings_map import news
from vae_core.checkpoints import read_bundled
from vae_core.errors import InvalidInput
from vae_core.latent.sample_sets import DRAWN, LEARNED, MIXED, PLAIN
from vae_core.metrics.cost import cost
from vae_core.metrics.sharpness import sharpness
from vae_core.recipes.limits import BETAS_LIMITS, LATENTS_LIMITS, limits_name

CELLS = [limits_name(beta, latent) for beta in BETAS_LIMITS for latent in LATENTS_LIMITS]


def test_the_stored_scores_are_those_of_the_bundled_models() -> None:
    found = lesson.results()
    for name in CELLS:
        cell, told = found["map"]["cells"][name], read_bundled(name).metrics
        assert cell["elbo"] == pytest.approx(told["elbo"], abs=1e-3) == -(cell["recon"] + cell["kl"])
        assert told["held_out"] == found["map"]["held_out"] == 10_000
    x = lesson.held_out(tuple(range(10_000)))
    name = limits_name(1.0, 8)
    stored = found["map"]["cells"][name]["sharp_rebuilt"]
    assert sharpness(lesson.rebuild(name, x), x) == pytest.approx(stored, rel=1e-3)
    for row in found["cost"]["ours"]:
        model: Any = read_bundled(row["name"]).model
        counted = cost(model.requires_grad_(True), found["cost"]["batch"])
        assert (counted.parameters, counted.multiplications) == (row["parameters"], row["multiplications"])
        assert counted.memory == row["memory"]


def test_the_map_shows_what_settings_do() -> None:
    """KL falls with beta, latents fall asleep, and a larger code never rebuilds much worse."""
    scores = {score.name: np.array(score.values) for score in lesson.map_scores()}
    assert scores["KL"].shape == (len(BETAS_LIMITS), len(LATENTS_LIMITS))
    assert (np.diff(scores["KL"], axis=0) < 0).all()
    assert scores["latents in use"][-1, -1] < scores["latents in use"][0, -1]
    assert scores["\u2212ELBO"][2].argmin() > 0 and scores["\u2212ELBO"][2, -1] < scores["\u2212ELBO"][2, 0]
    assert (scores["precision"] <= 100).all() and (scores["FID"] > 0).all()


def test_few_images_are_learned_by_heart_and_stopping_helps() -> None:
    plain, stopped = lesson.few(100, "no cure"), lesson.few(100, "early stopping")
    assert plain["held_out"] - plain["train"] > 50 and stopped["held_out"] < plain["held_out"]
    assert stopped["held_out"] == pytest.approx(min(stopped["curve"]["held_out"]), abs=1.0)
    thousand = lesson.few(1000, "no cure")
    assert plain["held_out"] > thousand["held_out"]
    whole = lesson.results()["few"]["models"][lesson.WHOLE]
    assert thousand["held_out"] - thousand["train"] > whole["held_out"] - whole["train"]


def test_the_scores_of_the_sets_disagree() -> None:
    found = lesson.sets()
    assert 4 < found[PLAIN]["density"] - found[MIXED]["density"] < 4.61, "ln 100, but for what the noise adds"
    assert found[DRAWN]["density"] == found[PLAIN]["density"] and found[DRAWN]["fid"] > found[PLAIN]["fid"]
    assert found[LEARNED]["fid"] < found[PLAIN]["fid"] and found[LEARNED]["density"] < found[PLAIN]["density"] - 20
    ranks = lesson.ranks()
    assert lesson.REFERENCE not in ranks and all(1 <= rank <= 6 for row in ranks.values() for rank in row)
    assert ranks[DRAWN][0] == ranks[PLAIN][0], "equals share a rank"
    assert max(max(row) - min(row) for row in ranks.values()) >= 4


def test_the_pictures_are_of_the_models() -> None:
    sheets = lesson.map_pictures()
    assert len({sheet for row in sheets for sheet in row}) == len(CELLS)
    assert sum(len(sheet) for row in sheets for sheet in row) < 1_000_000, "characters that the browser gets"
    found = lesson.blur(limits_name(1.0, 2), 0)
    assert torch.equal(found.image, lesson.held_out((0,))[0])
    assert found.images > lesson.blur(limits_name(1.0, 16), 0).images
    off = (found.decoded - found.mean).square().mean(), (found.decoded - found.image).square().mean()
    assert off[0] < off[1], "what is decoded is nearer to the mean than to the image"
    assert set(found.drawn.unique().tolist()) <= {0.0, 1.0}


def test_the_page_says_what_was_measured() -> None:
    page = opened("limits", images="1,000", cure="dropout", latents="8", beta="3", set=MIXED)
    assert not page.exception and not page.error and not page.warning
    said = text(page)
    assert "Model limits-beta3-8d, trained on MNIST" in said and "10,000 held-out images" in said
    assert "Model limits-images1000-dropout, trained on the first 1,000 images" in said
    assert f"E  {MIXED}<" in rows(page)
    for value in lesson.written(MIXED):
        assert value in rows(page)
    assert f"{lesson.few(1000, 'dropout')['held_out']:.1f}" in rows(page)


def test_cures_that_were_not_tried_cannot_be_chosen() -> None:
    page = opened("limits", images="1,000", cure="early stopping")
    assert not page.exception
    assert any("Cure = 'early stopping'; there are: no cure, dropout" in warning.value for warning in page.warning)


@pytest.mark.parametrize(
    "link",
    [{"cell": "25"}, {"cell": "x"}, {"score": "beauty"}, {"latents": "3"}, {"beta": "nan"}, {"image": "10000"},
     {"images": "60"}, {"cure": "x"}, {"cost": "x"}, {"over": "x"}, {"set": "x"}],
)  # fmt: skip
def test_a_link_that_asks_for_nonsense_gets_a_sentence(link: dict[str, str]) -> None:
    page = opened("limits", **link)
    assert not page.exception and not page.error
    assert any("The link asks for" in warning.value for warning in page.warning)


@pytest.mark.parametrize("content", ["{}", "[]", "no json", '{"map": {"cells": {}}}', '{"map": {"cells": {"x": 1}}}'])
def test_damaged_results_are_named(content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "limits.json"
    path.write_text(content)
    monkeypatch.setattr(lesson, "RESULTS", path)
    lesson.results.clear()  # type: ignore[attr-defined]
    with pytest.raises(InvalidInput, match=r"limits\.json.*benchmarks\.limits"):
        lesson.results()
    lesson.results.clear()  # type: ignore[attr-defined]


def test_what_the_benchmark_scores_is_what_the_page_shows() -> None:
    shown = lesson.of_set(PLAIN, 4)
    model = cache.checkpoint(limits_name(1.0, 16)).model
    torch.testing.assert_close(shown, benchmark.from_prior(model, benchmark.SET)[:4])


def test_the_figures_name_what_they_show() -> None:
    curve = {"step": [100, 200, 300], "train": [200, 150, 100], "held_out": [210, 180, 220]}
    figure = learning_curves({"a": curve, "b": curve}, "b", 110.0, "all", 400.0)
    assert [line.name for line in figure.data if line.line.color][-2:] == ["b, held-out images", "b, training images"]
    assert figure.data[-1].text == ("best: 180",) and list(figure.data[-1].x) == [200]
    stopped = {key: values[:2] for key, values in curve.items()}
    named = learning_curves({"a": stopped, "b": curve}, "b", 110.0, "all", 400.0).layout.annotations
    assert {each.text for each in named} == {"<b>b</b>", "all"}, "what lies under another line has no name in it"
    ranks, values = {"a": [1, 2], "b": [2, 1]}, {"a": ["x", "y"], "b": ["u", "v"]}
    ranked = rank_lines(["s", "t"], ranks, values, {"a": "A", "b": "B"}, "a")
    assert ranked.data[-1].name == "a" and ranked.data[-1].text == ("<b>A</b>",) * 2
    assert ranked.data[-1].customdata[1] == ["t", "y"]
    assert ranked.layout.yaxis.range[0] > ranked.layout.yaxis.range[1], "the first rank on top"
    json.loads(ranked.to_json())


@pytest.mark.browser
def test_main_path(browser: Browser, app: str) -> None:
    """Point at a cell, and its model's pictures are there; click, and the link keeps it."""
    page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
    page.goto(f"{app}/limits")
    title, samples = page.get_by_test_id("settings-of"), page.get_by_role("img", name="Samples from the prior")
    expect(title).to_have_text("beta 1, 16 latents", timeout=90_000)
    box = page.get_by_test_id("cell-4-4").bounding_box()
    assert box and box["y"] + box["height"] < 800, "the map is on the screen at once"

    def drawn() -> str:
        return page.evaluate("(node) => node.toDataURL()", samples.element_handle())

    page.wait_for_timeout(200)
    before = drawn()
    page.get_by_test_id("cell-4-0").hover()
    expect(title).to_have_text("beta 10, 2 latents")
    page.wait_for_timeout(200)
    assert drawn() != before
    page.get_by_test_id("cell-0-4").click()
    page.mouse.move(5, 5)
    expect(title).to_have_text("beta 0.1, 32 latents")
    page.get_by_role("radio", name="FID").click()
    shown = lesson.results()["map"]["cells"][limits_name(0.1, 32)]["fid"]
    expect(page.get_by_test_id("cell-0-4")).to_have_text(f"{shown:.1f}")
    page.wait_for_url(re.compile("cell=4.*score=FID|score=FID.*cell=4"))
    page.reload()
    expect(title).to_have_text("beta 0.1, 32 latents", timeout=60_000)
    expect(page.get_by_test_id("cell-0-4")).to_have_text(f"{shown:.1f}")
    page.get_by_test_id("cell-2-2").click()
    page.mouse.move(5, 5)
    page.wait_for_url(re.compile("cell=12"))
    page.go_back()
    expect(title).to_have_text("beta 0.1, 32 latents", timeout=60_000)


def test_what_the_hand_chose_is_not_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A choice of the hand leaves the data as they were; any other one is news, the hand's last one among them."""
    state: dict[str, Any] = {}
    monkeypatch.setattr("ui.settings_map.st.session_state", state)
    a, b = {"score": "FID", "at": [0, 0]}, {"score": "FID", "at": [1, 2]}
    first = news("map", a)
    assert first == {"turn": 0, **a} == news("map", a)
    state["map"] = {"release": {**b, "when": 1}}
    assert news("map", b) == first == news("map", b)
    back = news("map", a)
    assert back == {"turn": 1, **a}
    assert news("map", b) == {"turn": 2, **b}, "forward again, by the browser's button: the hand did not move"
    state["map"] = {"release": {**a, "when": 2}}
    assert news("map", a) == {"turn": 2, **b}
    del state["map"]
    assert news("map", a) == {"turn": 3, **a}, "the page was left: another view stands where the server says"
