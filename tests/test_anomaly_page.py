"""Anomaly detection: the numbers on the screen are those of the core, and a hand on the threshold counts alarms."""

from __future__ import annotations

import io
import re
from collections.abc import Callable

import numpy as np
import pytest
import streamlit as st
import torch
from PIL import Image
from playwright.sync_api import Browser, expect
from streamlit.testing.v1 import AppTest

from tests.lessons import opened, rows
from ui.cache import held_out
from ui.figures.anomaly import heat, heat_scale, outline_scatter, pair_heat
from ui.lessons import anomaly as lesson
from ui.threshold import axis, heaps
from vae_core.errors import InvalidInput
from vae_core.metrics.anomaly import SCORES
from vae_core.metrics.ranking import auroc, cheapest, confusion, rank
from vae_core.recipes import BANKS
from vae_core.recipes.anomaly import name_with_classes


def text(page: AppTest) -> str:
    return " ".join(element.value for element in [*page.markdown, *page.caption, *page.info])


def test_the_bundled_models_reach_what_they_must() -> None:
    """One setting for all: mean AUROC of 0.94 over the ten digits; each of them, and clothes, reported."""
    measured = lesson.results()
    assert measured["mnist"]["mean"]["error"] >= 0.94
    for data in lesson.DATA.values():
        of_data = measured[data]
        assert of_data["held_out"] == 10_000
        for score in SCORES:
            assert of_data["mean"][score] == pytest.approx(np.mean(of_data["auroc"][score]), abs=1e-4)
    bank = BANKS["anomaly"]
    assert [recipe.name for recipe in bank if recipe.data == "fashion_mnist"] == [
        f"fashion-only-{i}" for i in range(10)
    ]
    assert len({str(recipe.config) for recipe in bank}) == 1, "one setting for all classes"


@pytest.mark.parametrize(("data", "label"), [("mnist", 8), ("fashion_mnist", 3)])
def test_what_is_shown_is_what_was_measured(data: str, label: int) -> None:
    made, of_data = lesson.scored(data, (label,), False), lesson.results()[data]
    assert (~made.anomalous).sum() == (held_out(data).labels == label).sum()
    for score in SCORES:
        assert auroc(made.rankings[score]) == pytest.approx(of_data["auroc"][score][label], abs=2e-4), score
        other = 1 if data == "mnist" else 6
        among = np.isin(held_out(data).labels.numpy(), (label, other))
        pair = auroc(rank(made.scores[score][among], made.anomalous[among]))
        assert pair == pytest.approx(of_data["pairs"][score][label][other], abs=2e-4), score


def test_a_one_is_no_anomaly_to_who_knows_the_other_digits() -> None:
    """The failure that the page shows, and what it says of it."""
    of_one = lesson.results()["all_but_one"]
    assert of_one["auroc"]["error"] < 0.5 < 0.7 < of_one["outline"]["error_per_unit"]
    assert of_one["outline"]["alone"] < 0.05
    page = opened("anomaly")
    assert f"**{of_one['auroc']['error']:.2f}**" in text(page)
    assert "with no 1 among them" in text(page)


def test_what_chose_the_size_of_the_code_is_said() -> None:
    """The numbers are those of the results, and the score that fares best with another size is named."""
    areas = lesson.by_size(lesson.results())
    assert areas[32]["distance"] > areas[16]["distance"] + 0.1 and areas[32]["error"] < areas[16]["error"] + 0.001
    told = " ".join(text(opened("anomaly")).split())
    assert lesson.told_of_distance() in told and "labelled anomalies" in told
    assert f"{areas[16]['distance']:.3f} with the 16 latents taken and {areas[32]['distance']:.3f} with 32" in told
    for score in SCORES.values():
        assert score.source in text(opened("anomaly", score=score.title)), "under the figure"


def test_the_page_shows_the_most_and_the_least_anomalous() -> None:
    page = opened("anomaly", normal="8", set="1")
    assert not page.exception and not page.error and not page.warning
    assert page.title[0].value.endswith("?")
    assert "5,851 training images" in text(page) and "974 of them are normal" in text(page)
    before = rows(page)
    made = lesson.scored("mnist", (8,), False)
    lowest = np.sort(made.scores["error"][made.anomalous])[8:16]
    assert f"scores {lowest[0]:.3g} to {lowest[-1]:.3g}, 0 alarms" in before
    page = page.segmented_control(key="group").set_value("normal, highest").run()
    assert not page.exception and rows(page) != before
    highest = np.sort(made.scores["error"][~made.anomalous])[::-1][8:16]
    assert f"scores {highest[-1]:.3g} to {highest[0]:.3g}, 8 alarms" in rows(page)


def test_a_threshold_comes_from_the_link_and_belongs_to_its_scores() -> None:
    page = opened("anomaly", normal="8", t="9999")
    assert not page.exception and "0 alarms" in rows(page)
    page = page.segmented_control(key="group").set_value("anomalies, highest").run()
    assert "0 alarms" in rows(page), "above every score"
    page = page.segmented_control(key="score").set_value(SCORES["distance"].title).run()
    assert "t" not in page.query_params and "8 alarms" in rows(page)


def test_a_link_that_asks_for_nonsense_gets_a_sentence_each() -> None:
    asked = ("data", "normal", "score", "cost", "share", "t", "group", "set", "own", "pairs", "by")
    page = opened("anomaly", **dict.fromkeys(asked, "<b>"))
    assert not page.exception and not page.error
    assert len([warning for warning in page.warning if "The link asks for" in warning.value]) == len(asked)
    assert "Where is the error?" in [subheader.value for subheader in page.subheader]


@pytest.mark.parametrize("classes", ["8,8", "11", "-1", "9,8,7,6,5,4,3,2,1,0"])
def test_a_link_to_classes_that_cannot_be_normal_gets_a_sentence(classes: str) -> None:
    page = opened("anomaly", normal=classes)
    assert not page.exception and not page.error
    assert any(repr(classes) in warning.value and "one to nine" in warning.value for warning in page.warning)
    assert "images of MNIST (8)" in text(page)


@pytest.fixture
def nothing_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """No model of an earlier test, and trainings that are short."""
    monkeypatch.setattr(lesson, "STEPS", 20)
    lesson.kept().clear()


def test_two_normal_classes_are_learned_on_the_page(nothing_kept: None) -> None:
    page = opened("anomaly", normal="0,1")
    assert not page.exception and "No bundled model was trained on 0, 1" in text(page)
    page = page.button(key="train").click().run()
    assert page.button(key="stop")
    page.session_state["anomaly job"][1].thread.join()
    page = page.run()
    assert not page.exception and not page.error
    assert "12,665 training images of MNIST (0, 1), on this page" in text(page)
    assert "2,115 of them are normal" in text(page)
    assert auroc(lesson.scored("mnist", (0, 1), True).rankings["error"]) > 0.8
    assert "No bundled model" not in text(opened("anomaly", normal="0,1")), "kept, for every visitor"


def test_a_training_can_be_stopped_and_ends_when_other_classes_are_chosen(
    nothing_kept: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lesson, "STEPS", 100_000)
    page = opened("anomaly", normal="0,1").button(key="train").click().run()
    job = page.session_state["anomaly job"][1]
    page = page.button(key="stop").click().run()
    job.thread.join(30)
    assert not job.is_running and "No bundled model was trained on 0, 1" in text(page.run())
    page = page.button(key="train").click().run()
    job = page.session_state["anomaly job"][1]
    page.session_state["normal classes"] = [3]
    page = page.run()
    job.thread.join(30)
    assert not job.is_running and "images of MNIST (3)" in text(page)


def test_nobody_looks_twice_a_second_once_other_classes_are_chosen(
    nothing_kept: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How often the part runs by itself is settled by a full run: the last one must see no training."""
    monkeypatch.setattr(lesson, "STEPS", 100_000)
    looks, real = [], st.fragment

    def fragment(part: Callable[[], None], *, run_every: float | None = None) -> Callable[[], None]:
        if part.__name__ == "explore":
            looks.append(run_every)
        return real(part, run_every=run_every)

    monkeypatch.setattr(st, "fragment", fragment)
    page = opened("anomaly", normal="0,1").button(key="train").click().run()
    assert looks[-1], "while it trains"
    job = page.session_state["anomaly job"][1]
    page.session_state["normal classes"] = [3]
    page = page.run()
    assert not page.exception and "anomaly job" not in page.session_state and looks[-1] is None
    job.thread.join(30)


def test_a_training_that_fails_says_why(nothing_kept: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> lesson.Work:
        yield 0.0, "Starting"
        raise InvalidInput("The training images are not on this machine.")

    monkeypatch.setattr(lesson, "learn", broken)
    page = opened("anomaly", normal="0,1").button(key="train").click().run()
    if "anomaly job" in page.session_state:
        page.session_state["anomaly job"][1].thread.join()
    for _ in range(2):  # it stays, however often the page runs
        page = page.run()
        assert not page.exception
        assert [error.value for error in page.error] == ["The training images are not on this machine."]


def test_something_has_to_be_normal_and_something_left_over() -> None:
    page = opened("anomaly")
    page.session_state["normal classes"] = []
    assert "nothing is normal" in text(page.run())
    page.session_state["normal classes"] = list(range(10))
    page = page.run()
    assert not page.exception and "nothing is left" in text(page)


@pytest.mark.parametrize(
    ("classes", "link", "words"),
    [([], "none", "nothing is normal"), (list(range(10)), "0,1,2,3,4,5,6,7,8,9", "nothing is left")],
)
def test_a_choice_that_cannot_be_used_comes_back_from_its_link(classes: list[int], link: str, words: str) -> None:
    page = opened("anomaly")
    page = page.button_group(key="normal classes").set_value(classes).run()
    assert page.query_params["normal"] in (link, [link]) and words in text(page)
    page = opened("anomaly", normal=link)
    assert not page.exception and not page.warning and words in text(page)
    assert page.session_state["normal classes"] == classes


def test_a_picture_is_asked_for_in_the_way_that_is_chosen() -> None:
    assert "Draw something normal (8)" in text(opened("anomaly"))
    page = opened("anomaly", own="upload")
    assert "Upload a picture of something normal (8)" in text(page) and "Draw something" not in text(page)
    page = page.file_uploader(key="file").set_value(("none.png", b"no picture", "image/png")).run()
    assert len(page.error) == 1 and "something normal" not in text(page), "the error is enough"


def test_an_upload_is_scored_and_what_is_none_gets_a_sentence() -> None:
    page = opened("anomaly", own="upload", normal="3")
    file = io.BytesIO()
    number = int((held_out("mnist").labels == 0).nonzero()[0])
    digit = held_out("mnist").images(torch.tensor([number]))[0, 0]
    Image.fromarray((digit * 255).byte().numpy()).save(file, "PNG")
    page = page.file_uploader(key="file").set_value(("zero.png", file.getvalue(), "image/png")).run()
    assert not page.exception and not page.error and "Your picture" in rows(page)
    assert "**raises an alarm**" in text(page) and "above 100% of the held-out normal images" in text(page)
    page = page.file_uploader(key="file").set_value(("none.png", b"no picture", "image/png")).run()
    assert not page.exception and any("no picture that can be read" in error.value for error in page.error)


@pytest.mark.parametrize("content", ["{}", "[]", "no json", '{"mnist": {"pairs": {}}}'])
def test_damaged_results_are_named(content: str, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "anomaly.json"
    path.write_text(content)
    monkeypatch.setattr(lesson, "RESULTS", path)
    lesson.results.clear()  # type: ignore[attr-defined]
    with pytest.raises(InvalidInput, match=r"anomaly\.json.*benchmarks\.anomaly"):
        lesson.results()


def test_missing_codes_are_named(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lesson, "CODES", tmp_path / "anomaly.safetensors")
    lesson.bundled_detector.clear()  # type: ignore[attr-defined]
    with pytest.raises(InvalidInput, match=r"anomaly\.safetensors.*benchmarks\.anomaly"):
        lesson.bundled_detector("mnist", (8,))


def test_heaps_are_shares_and_the_last_bar_holds_what_lies_beyond() -> None:
    scores = np.concatenate([np.linspace(0, 10, 996), [1000.0] * 4])
    anomalous = np.arange(1000) >= 900
    low, high = axis(scores)
    assert low == 0 and 9.9 < high <= 10
    normal, strange = heaps(scores, anomalous, (low, high))
    assert sum(normal) == pytest.approx(1, abs=1e-3) and sum(strange) == pytest.approx(1, abs=1e-3)
    assert strange[-1] > 0.04 and strange[0] == 0


def test_the_figures_draw_what_they_are_given() -> None:
    table = np.arange(12).reshape(3, 4) / 12
    drawn = pair_heat(table, ["a", "b", "c"], score="s").data[0]
    assert list(drawn.x) == ["a", "b", "c", "<b>all</b>"] and list(drawn.y) == ["a", "b", "c"]
    assert np.isnan(drawn.z[1][1]) and drawn.z[0][3] == table[0, 3] and drawn.z[2][0] == table[2, 0]
    points = np.array([1.0, 2.0])
    figure = outline_scatter([("n", "#000", "circle", points, points + 1)], 2.5, "words")
    assert list(figure.data[0].y) == [2, 3] and figure.layout.shapes[0].y0 == 2.5
    maps = heat(torch.tensor([0.0, 0.5, 2.0]).view(1, 1, 1, 3), 1.0)
    assert maps.shape == (1, 3, 1, 3) and maps.min() >= 0 and maps.max() <= 1
    assert maps[0, :, 0, 0].sum() < maps[0, :, 0, 1].sum() < maps[0, :, 0, 2].sum(), "dark to light"
    assert "squared" in heat_scale("squared", 1.0) and "rgb(" in heat_scale("squared", 1.0)


def test_names_of_the_bank_say_what_is_known() -> None:
    assert name_with_classes("fashion_mnist", (7,)) == "fashion-only-7"
    assert name_with_classes("mnist", (2, 0)) == "mnist-only-02"


@pytest.mark.browser
def test_in_a_browser_a_dragged_threshold_counts_alarms(app: str, browser: Browser) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(f"{app}/anomaly?normal=8&share=as+among+the+test+images")
    field = page.get_by_test_id("threshold")
    expect(page.get_by_test_id("cost")).to_contain_text("Cost per 1,000", timeout=60_000)
    ranking = lesson.scored("mnist", (8,), False).rankings["error"]

    def counted() -> list[int]:
        return [int(count.replace(",", "")) for count in page.locator(".threshold-view td b").all_text_contents()]

    box = field.bounding_box()
    assert box
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 0.2 * box["width"], middle)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.5 * box["width"], middle, steps=6)
    seen = float(field.get_attribute("aria-valuenow") or "nan")
    hits, misses, false_alarms, passed = confusion(ranking, seen)
    assert counted() == [hits, misses, false_alarms, passed], "before the hand lets go"
    page.mouse.up()
    expect(page).to_have_url(re.compile(r"[?&]t="), timeout=30_000)
    assert float(re.findall(r"[?&]t=([^&]+)", page.url)[0]) == seen
    page.get_by_role("button", name="To the cheapest").click()
    best = cheapest(ranking, 10, 1)
    hits, misses, false_alarms, passed = confusion(ranking, best.threshold)
    expect(page.locator(".threshold-view td b").first).to_have_text(f"{hits:,}")
    assert counted() == [hits, misses, false_alarms, passed]
    assert f"Cost per 1,000 pictures: {1000 * best.cost:.3g}" in (page.get_by_test_id("cost").text_content() or "")
    field.press("ArrowRight")
    expect(page.locator(".threshold-view td b").first).not_to_have_text(f"{hits:,}")
    page.close()
