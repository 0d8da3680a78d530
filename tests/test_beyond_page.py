"""The lesson beyond the Gaussian posterior: its page, what it shows, and what it refuses."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from playwright.sync_api import Browser, expect

from tests.lessons import opened, rows, text
from ui.lessons import beyond as lesson
from vae_core.bending import FAMILIES
from vae_core.errors import InvalidInput
from vae_core.exact.told import CELLS, TOLD, Told, grid


def test_the_stored_gaps_fall_as_the_family_grows() -> None:
    found = lesson.fits()
    for kind in TOLD:
        below, kl = found.below[kind], found.kl[kind]
        assert all(value > -0.01 for value in below.values()), "no bound lies above log p(x)"
        assert below["flow, 4 steps"] < below["flow, 1 step"] + 0.01 < below["Gaussian"] + 0.01
        assert below["Gaussian, 10 draws"] < below["Gaussian"], "more draws tighten the bound"
        assert kl["Gaussian, 10 draws"] > kl["Gaussian"], "and widen q"
    assert found.below["their sum"]["Gaussian"] == pytest.approx(1.085, abs=0.01)  # 0.5 ln (289 / 33)
    assert found.below["their sum"]["flow, 1 step"] < 0.01


def test_the_maps_are_the_densities() -> None:
    kind = "a bend"
    shown = lesson.maps(kind, "flow, 4 steps")
    exact = Told(kind).posterior(grid()).exp().view(CELLS, CELLS).numpy()
    np.testing.assert_allclose(shown.posterior / 255, exact / exact.max(), atol=0.003)
    near = np.abs(shown.q.astype(float) - shown.posterior).mean()
    far = np.abs(lesson.maps(kind, "Gaussian").q.astype(float) - shown.posterior).mean()
    assert near < 0.3 * far
    inside = exact.reshape(CELLS // 2, 2, CELLS // 2, 2).mean((1, 3))[shown.line >= 1].sum()
    assert inside * 4 / exact.sum() == pytest.approx(lesson.SHARE, abs=0.02)


@pytest.mark.parametrize("kind", TOLD)
def test_every_posterior_can_be_chosen(kind: str) -> None:
    page = opened("beyond_gaussian", told=kind, q="flow, 2 steps")
    assert not page.exception and not page.warning and not page.error
    assert f"Told: {kind}" in text(page)
    assert f"= {lesson.fits().kl[kind]['flow, 2 steps']:.2f} nats" in text(page)


def test_a_family_can_be_chosen() -> None:
    page = opened("beyond_gaussian")
    before = text(page)
    page.segmented_control(key="q").set_value("flow, 8 steps").run()
    assert not page.exception and text(page) != before
    assert f"= {lesson.fits().kl['their distance from 0']['flow, 8 steps']:.2f} nats" in text(page)


@pytest.mark.parametrize("link", [{"told": "x"}, {"q": "a miracle"}, {"seed": "-1"}, {"show": "<script>"}])
def test_a_link_that_asks_for_nonsense_gets_a_sentence(link: dict[str, str]) -> None:
    page = opened("beyond_gaussian", **link)
    assert not page.exception
    assert any("The link asks for" in warning.value for warning in page.warning)


def test_the_rows_are_those_of_the_models_that_are_here() -> None:
    page = opened("beyond_gaussian", show="copies of held-out digits")
    assert not page.exception and not page.error
    here = lesson.offered(lesson.KINDS)
    assert rows(page).count('role="img"') == len(here) + 1
    drawn = opened("beyond_gaussian")
    assert rows(drawn).count('role="img"') == len(here)
    before = rows(drawn)
    next(button for button in drawn.button if button.label == "Other samples").click().run()
    assert rows(drawn) != before and drawn.query_params["seed"] == "1"


@pytest.mark.parametrize("name", lesson.offered(lesson.KINDS))
def test_copies_and_samples_are_pictures(name: str) -> None:
    for made in (lesson.copies(name), lesson.samples(name, 0)):
        assert made.shape == (lesson.COLUMNS, 1, 28, 28) and made.min() >= 0 and made.max() <= 1
    assert torch.equal(lesson.samples(name, 3), lesson.samples(name, 3))
    assert not torch.equal(lesson.samples(name, 3), lesson.samples(name, 4))


def test_a_bound_rises_with_its_samples_in_the_table() -> None:
    for name, row in lesson.measured().items():
        if name == "mnist-vae-gan":
            assert "bound" not in row, "it has no likelihood of pixels"
            continue
        assert row["bound"] == sorted(row["bound"]) and row["samples"][0] == 1
    listed = lesson.table()
    assert [row["model"] for row in listed] == [
        lesson.KINDS[name].title for name in lesson.offered(lesson.KINDS) if name in lesson.measured()
    ]


@pytest.mark.parametrize("damage", ["missing", "no JSON", "short"])
def test_damaged_results_are_named(damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for file in ("FITS", "DENSITY"):
        path = tmp_path / f"{file}.json"
        known: dict[str, Any] = json.loads(getattr(lesson, file).read_text("utf-8"))
        if damage == "no JSON":
            path.write_text("{")
        elif damage == "short":
            key = "rows" if file == "FITS" else "models"
            known[key] = known[key][:-1] if file == "FITS" else [{"model": "mnist-bound1"}]
            path.write_text(json.dumps(known))
        monkeypatch.setattr(lesson, file, path)
        read = lesson.fits if file == "FITS" else lesson.measured
        read.clear()
        with pytest.raises(InvalidInput, match=f"benchmarks.{'bending' if file == 'FITS' else 'density'}"):
            read()
        read.clear()


@pytest.mark.browser
def test_main_path(browser: Browser, app: str) -> None:
    """Choose a flow: its map is drawn, its gap stands in the caption, and the link keeps it."""
    page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
    page.goto(f"{app}/beyond_gaussian")
    expect(page.get_by_text("q(z): Gaussian", exact=True).first).to_be_visible(timeout=90_000)
    family = list(FAMILIES)[-1]
    page.get_by_role("radio", name=family).click()
    expect(page.get_by_text(f"q(z): {family}", exact=True).first).to_be_visible()
    gap = lesson.fits().kl["their distance from 0"][family]
    expect(page.get_by_text(re.compile(re.escape(f"= {gap:.2f} nats")))).to_be_visible()
    page.wait_for_url(re.compile("q=flow"))
    page.reload()
    expect(page.get_by_text(f"q(z): {family}", exact=True).first).to_be_visible(timeout=60_000)
