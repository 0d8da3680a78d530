"""The lesson on results: its page, its figure, and its main path in a browser."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from playwright.sync_api import Browser, expect

from tests.lessons import opened, rows, text
from ui.figures.results import Placed, plane
from ui.lessons import results as lesson
from vae_core.errors import InvalidInput


def test_the_page_shows_every_model_on_every_dataset() -> None:
    shown = []
    for title in lesson.choices():
        page = opened("results", data=title)
        assert not page.exception and not page.error and not page.warning
        assert f"trained on {title}" in text(page) and "held-out" in text(page)
        for name in lesson.KINDS.values():
            assert name in rows(page)
        shown.append(rows(page))
    assert len(set(shown)) == len(lesson.choices()) == 3


def test_other_images_and_other_samples_change_their_rows_alone() -> None:
    page = opened("results", data="MNIST")
    first = [element.proto.body for element in page.get("html")]
    page.button[0].click().run()
    assert page.query_params["row"] in ("1", ["1"])
    second = [element.proto.body for element in page.get("html")]
    assert second[0] != first[0] and second[1] == first[1]
    page.button[1].click().run()
    third = [element.proto.body for element in page.get("html")]
    assert third[0] == second[0] and third[1] != second[1]


def test_at_temperature_nought_every_sample_is_the_same() -> None:
    for kind in lesson.KINDS:
        cold = lesson.samples("mnist", kind, 3, 0.0)
        torch.testing.assert_close(cold, cold[:1].expand_as(cold))
        warm = lesson.samples("mnist", kind, 3, 1.0)
        assert not torch.allclose(warm[0], warm[1], atol=0.1)


def test_another_row_follows_and_the_last_one_is_followed_by_the_first() -> None:
    x = lesson.originals("mnist", 0)
    assert len(x) == lesson.COLUMNS and not torch.equal(x, lesson.originals("mnist", 1))
    assert torch.equal(x, lesson.originals("mnist", lesson.pages("mnist")))


def test_errors_are_those_of_the_picture() -> None:
    found = lesson.errors("mnist", 2, 4)
    x = lesson.originals("mnist", 2)[4]
    for kind, seen in found.items():
        assert torch.equal(seen.copy, lesson.copies("mnist", kind, 2)[4])
        torch.testing.assert_close(seen.maps[0][0], (x - seen.copy).square().mean(0))
        assert len(seen.maps) == len(seen.missed) == 3
        assert seen.missed[0] == pytest.approx((x - seen.copy).square().mean().item() / lesson.pixel_variance("mnist"))
    common = lesson.in_common(found)
    for depth in range(3):
        assert max(common[kind][depth].max().item() for kind in common) == pytest.approx(1)


@pytest.mark.parametrize(
    ("key", "value"),
    [("data", "ImageNet"), ("row", "100000"), ("seed", "-1"), ("temperature", "hot"), ("temperature", "9"),
     ("picture", "11")],
)  # fmt: skip
def test_a_link_that_asks_for_nonsense_gets_a_sentence(key: str, value: str) -> None:
    page = opened("results", **{key: value})
    assert not page.exception and not page.error
    assert any("The link asks for" in warning.value for warning in page.warning)


@pytest.mark.parametrize("damage", ["{", '{"mnist": {}}', '{"mnist": {"variance": [0]}}', "[]"])
def test_scores_that_cannot_be_used_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str) -> None:
    path = tmp_path / "results.json"
    path.write_text(damage)
    monkeypatch.setattr(lesson, "FILE", path)
    lesson.measured.clear()  # type: ignore[attr-defined]
    with pytest.raises(InvalidInput, match=r"results\.json.*benchmarks\.results"):
        lesson.measured()
    lesson.measured.clear()  # type: ignore[attr-defined]


def test_without_a_model_the_page_says_how_to_make_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lesson, "bundled", dict)
    with pytest.raises(InvalidInput, match="vae_core train results-mnist-conv"):
        lesson.choices()


def test_the_plane_puts_the_likelier_model_to_the_right() -> None:
    models = [Placed("one", 3.0, 0.4, 0.2, "#111111"), Placed("two", 2.5, 0.6, 0.3, "#222222")]
    figure = plane(models)
    low, high = figure.layout.xaxis.range
    assert low > 3.0 > 2.5 > high, "fewer bits stand further right"
    assert list(figure.data[1].y) == [0.6, 0.3] and list(figure.data[1].x) == [2.5, 2.5]
    assert figure.layout.yaxis.range[1] > 1, "real images are in the figure"


def test_what_the_page_says_was_measured() -> None:
    found = lesson.measured()
    for short, entry in found.items():
        conv, residual, perceptual = (entry["models"][kind] for kind in lesson.KINDS)
        assert residual["elbo"] > conv["elbo"] > perceptual["elbo"], short
        assert residual["mse"] < conv["mse"] and residual["seconds"] > conv["seconds"]
        assert perceptual["sharp_copies"] > conv["sharp_copies"]
        assert all(row["sharp_samples"] < row["sharp_copies"] < 1 for row in entry["models"].values())
        assert perceptual["missed"][-1] < conv["missed"][-1]
        by_eyes = {kind: row["fid_eyes"] for kind, row in entry["models"].items()}
        by_judge = {kind: row["fid_judge"] for kind, row in entry["models"].items()}
        best = min if short != "mnist" else max
        assert best(by_eyes, key=lambda kind: by_eyes[kind]) == "perceptual"
        if short != "cifar":
            assert max(by_judge, key=lambda kind: by_judge[kind]) == "perceptual"
        else:
            assert max(by_judge.values()) < 1.1 * min(by_judge.values())


@pytest.mark.browser
def test_in_a_browser_data_images_and_samples_are_changed(app: str, browser: Browser) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(f"{app}/results?data=MNIST")
    row = page.get_by_role("img", name=re.compile(r"^Perceptual loss: \d+ pictures")).first
    expect(row).to_be_visible(timeout=60_000)
    before = row.locator("img").first.get_attribute("src")
    page.get_by_role("button", name="Other images").click()
    expect(row.locator("img").first).not_to_have_attribute("src", before or "")
    expect(page).to_have_url(re.compile(r"row=1"))
    made = page.get_by_role("img", name=re.compile(r"^Residual: \d+ pictures")).nth(1)
    before = made.locator("img").first.get_attribute("src")
    page.get_by_role("button", name="Other samples").click()
    expect(made.locator("img").first).not_to_have_attribute("src", before or "")
    page.get_by_role("radio", name="Fashion-MNIST").click()
    expect(page.get_by_text("trained on Fashion-MNIST")).to_be_visible()
    expect(page).not_to_have_url(re.compile(r"row="))
    page.close()
