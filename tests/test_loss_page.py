"""The page on the loss: the dial's models are what their numbers say, and what is written of them was measured."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pytest
import torch
from playwright.sync_api import Browser, expect

from benchmarks import loss as benchmark
from tests.lessons import opened, rows, text
from ui import cache
from ui.figures import loss as figures
from ui.lessons import loss as lesson
from ui.sheet.axes import minus
from vae_core.errors import InvalidInput
from vae_core.exact.kl import ESTIMATORS, POSITIVE, single_draws
from vae_core.metrics import Trial
from vae_core.metrics.decoder_scale import decoder_scale
from vae_core.recipes.loss import PAIR, PIXELS, WEIGHTS_LOSS, sigma_of

ALL = [stop.name for stop in lesson.dial()] + [lesson.BCE, *PAIR]


def test_the_dial_runs_from_hardly_any_kl_to_nothing_else() -> None:
    stops = lesson.dial()
    assert len(stops) == len(WEIGHTS_LOSS) + 1 and sum(stop.learned for stop in stops) == 1
    assert [stop.beta for stop in stops] == sorted(stop.beta for stop in stops)
    for stop in stops:
        assert stop.beta == pytest.approx(2 * stop.sigma**2) and stop.c * stop.beta == pytest.approx(1)
        config = lesson.model(stop.name).config
        assert stop.learned or config.sigma == pytest.approx(stop.sigma)
    assert len({stop.title for stop in stops}) == len(stops)


@pytest.mark.parametrize("name", [lesson.LEARNED, lesson.BCE, "loss-no-kl"])
def test_the_stored_scores_are_those_of_the_models(name: str) -> None:
    found = decoder_scale(Trial(lesson.model(name), cache.held_out("mnist")))
    stored = lesson.scale(name)
    assert stored.squared_error == pytest.approx(found.squared_error, rel=1e-4)
    assert stored.kl == pytest.approx(found.kl, rel=1e-4)


@pytest.mark.parametrize("stop", lesson.dial(), ids=lambda stop: stop.name)
def test_the_elbo_of_the_dial_is_that_of_the_models_own_scores(stop: lesson.Stop) -> None:
    measured = cache.checkpoint(stop.name).metrics["elbo"]
    assert lesson.scale(stop.name).elbo(stop.sigma) == pytest.approx(measured, rel=2e-3, abs=2)


def test_training_finds_the_best_place_on_the_dial() -> None:
    """The learned scale is the error of a pixel, and no fixed scale does better."""
    stops = lesson.dial()
    bounds = {stop.name: lesson.scale(stop.name).elbo(stop.sigma) for stop in stops}
    assert max(bounds, key=lambda name: bounds[name]) == lesson.LEARNED
    assert lesson.learned_sigma() == pytest.approx(lesson.scale(lesson.LEARNED).rmse, rel=0.03)


def test_an_average_over_pixels_silences_the_code() -> None:
    averaged = lesson.scale(lesson.weight_name(1 / PIXELS))
    assert averaged.kl < 0.01 < 1 < lesson.scale(lesson.weight_name(10.0)).kl
    kls = [lesson.scale(stop.name).kl for stop in lesson.dial()]
    assert kls == sorted(kls, reverse=True), "more weight, less KL"


def test_without_a_kl_the_means_part_and_the_widths_shrink() -> None:
    on, off = (list(lesson.trainings()[name].values()) for name in PAIR)
    assert off[0].spread == pytest.approx(on[0].spread, rel=1e-3), "from the same weights"
    assert off[-1].spread > 3 * on[-1].spread and off[-1].width < 0.3 * on[-1].width
    assert off[-1].kl > 3 * on[-1].kl
    assert list(lesson.trainings()[PAIR[0]]) == list(benchmark.LOOKS)


def test_the_last_look_is_the_bundled_model() -> None:
    """Trained again by its recipe; machines round differently, so only on the whole."""
    x = cache.held_out("mnist").images(torch.arange(benchmark.SHOWN))
    with torch.inference_mode():
        posterior = lesson.model(PAIR[0]).encode(x)
    assert posterior.logvar is not None
    last = list(lesson.trainings()[PAIR[0]].values())[-1]
    assert last.logvar.mean().item() == pytest.approx(posterior.logvar.mean().item(), abs=0.4)


def test_the_least_grey_bce_is_below_what_any_model_scores() -> None:
    least = lesson.results()["least_bce"]
    assert least == pytest.approx(benchmark.least_bce(), rel=1e-6)
    assert 10 < least < cache.checkpoint(lesson.BCE).metrics["recon"]


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_many_draws_find_the_kl_of_every_image(kind: str) -> None:
    few, many = lesson.per_image(kind, 1, 0), lesson.per_image(kind, 3000, 0)
    assert torch.equal(few.exact, many.exact) and len(many.estimate) == lesson.IMAGES
    off = (many.estimate - many.exact).double()
    if kind == POSITIVE:
        assert off.median() < -0.2, "its rare draws do not come"
    else:
        assert off.square().mean().sqrt() < 0.1 < (few.estimate - few.exact).double().square().mean().sqrt()


def test_damaged_results_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = json.loads(lesson.RESULTS.read_text())
    wrong = {**good["models"], lesson.BCE: {"squared_error": 1, "kl": -1}}
    cases = {"cut": json.dumps(good)[:50], "empty": "{}", "list": "[]", "kl": json.dumps({**good, "models": wrong})}
    for name, content in cases.items():
        path = tmp_path / f"{name}.json"
        path.write_text(content)
        monkeypatch.setattr(lesson, "RESULTS", path)
        lesson.results.clear()
        with pytest.raises(InvalidInput, match=re.escape("benchmarks.loss")):
            lesson.results()
    monkeypatch.undo()
    monkeypatch.setattr(lesson, "POSTERIORS", tmp_path / "none.safetensors")
    lesson.results.clear()
    lesson.trainings.clear()
    with pytest.raises(InvalidInput, match=r"none\.safetensors"):
        lesson.trainings()
    lesson.trainings.clear()


# The figures.


def test_the_dial_marks_today_and_the_learned_one() -> None:
    figure = figures.dial([("1", "1", "0.71"), ("3", "0.33", "0.41")], [5.0, 0.0], [40.0, 50.0], [2.0, 3.0], 1, 0)
    assert (figure.layout.shapes[0].x0, figure.layout.shapes[0].x1) == (0.5, 1.5)
    assert figure.data[0].marker.symbol[0] == "diamond"
    assert [each.yaxis for each in figure.data[1:]] == ["y2", "y3"], "the error has no unit, the KL is in nats"
    assert list(figure.layout.xaxis.ticktext) == ["1<br>1<br>0.71", "3<br>0.33<br>0.41"]


def test_every_value_stands_in_the_histogram() -> None:
    values = torch.tensor([-30.0, -5.0, -5.0, 4.0]).numpy()
    figure = figures.logvar_bars([("a", values, "#000")], (-20.0, 2.0))
    assert sum(figure.data[0].y) == pytest.approx(100)


# The page.


@pytest.mark.parametrize("stop", lesson.dial(), ids=lambda stop: stop.name)
def test_every_stop_can_be_chosen(stop: lesson.Stop) -> None:
    page = opened("loss", dial=stop.title)
    assert not page.exception and not page.warning and not page.error
    assert f"{lesson.scale(stop.name).rmse:.3f} (root mean square)" in text(page)
    assert ("found by training" in text(page)) == stop.learned


def test_the_page_tells_what_was_measured() -> None:
    page = opened("loss")
    told, tables = text(page), rows(page)
    assert f"{lesson.results()['least_bce']:.1f}" in told
    assert f"{cache.checkpoint(lesson.BCE).metrics['recon']:.1f} nats" in told
    for name, sigma in lesson.contestants().values():
        scale = lesson.scale(name)
        assert f"{scale.kl:.2f}" in tables
        assert sigma is None or f">{minus(f'{-scale.elbo(sigma):,.0f}')}</td>" in tables


def test_draws_and_steps_are_taken_from_the_link() -> None:
    page = opened("loss", q="-2,0.5", draws="1,000", seed="7", kind=POSITIVE, step="100", grey="0.0")
    assert not page.exception and not page.warning
    assert "from K = 1,000 draws each" in text(page)
    look = lesson.trainings()["loss-no-kl"][100]
    assert f"{look.spread:.2f}" in rows(page)


@pytest.mark.parametrize(
    "link",
    [{"dial": "C = 7"}, {"grey": "2"}, {"grey": "x"}, {"pull": "x"}, {"q": "9,1"}, {"q": "1"}, {"q": "nan,1"},
     {"draws": "2"}, {"seed": "-1"}, {"kind": "x"}, {"step": "1"}],
)  # fmt: skip
def test_a_link_that_asks_for_nonsense_gets_a_sentence(link: dict[str, str]) -> None:
    page = opened("loss", **link)
    assert not page.exception and not page.error
    assert any("The link asks for" in warning.value for warning in page.warning)


def test_scales_have_names_that_can_be_read() -> None:
    averaged = next(stop for stop in lesson.dial() if stop.c < 0.01)
    assert (
        averaged.ticks == ("1/784", "784", "20")
        and "C = 1/784, β = 784" in averaged.title
        and sigma_of(averaged.c) == pytest.approx(19.799, abs=1e-3)
    )


@pytest.mark.browser
def test_main_path(browser: Browser, app: str) -> None:
    """Turn the dial by the keyboard: the numbers and the pictures are another model's, and the link keeps it."""
    page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
    page.goto(f"{app}/loss")
    slider = page.get_by_role("slider").first
    expect(page.get_by_text("With \u03c3 =").first).to_be_visible(timeout=90_000)
    samples = page.get_by_role("img", name=re.compile("^Samples: 8 pictures"))
    before = samples.locator("img").first.get_attribute("src")
    chart = page.locator(".st-key-figure").get_by_test_id("stPlotlyChart")
    expect(chart).to_be_visible()
    figure = chart.bounding_box()
    assert figure is not None and figure["y"] + figure["height"] < 800, "dial and figure stand on one screen"
    slider.focus()
    learned = next(i for i, stop in enumerate(lesson.dial()) if stop.learned)
    here = next(i for i, stop in enumerate(lesson.dial()) if math.isclose(stop.c, 1.0))
    for _ in range(here - learned):
        page.keyboard.press("ArrowLeft")
    expect(page.get_by_text("found by training")).to_be_visible()
    expect(samples.locator("img").first).not_to_have_attribute("src", before or "")
    page.wait_for_url(re.compile("dial=learned"))
    page.reload()
    expect(page.get_by_text("found by training")).to_be_visible(timeout=90_000)


@pytest.mark.browser
def test_a_dragged_q_is_counted_in_the_browser_as_in_python(browser: Browser, app: str) -> None:
    page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
    page.goto(f"{app}/loss?draws=30&seed=2")
    told = page.get_by_test_id("kl-q")
    expect(told).to_have_attribute("data-q", "[1,0.3]", timeout=90_000)
    plane = page.get_by_role("application", name=re.compile("^q over z"))
    plane.scroll_into_view_if_needed()
    box = plane.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 200, box["y"] + 150)
    page.mouse.down()
    page.mouse.move(box["x"] + 260, box["y"] + 260, steps=4)  # to the right, and down: wider
    page.mouse.up()
    page.wait_for_url(re.compile("q="))
    mean, width = json.loads(told.get_attribute("data-q") or "")
    assert mean > 1.3 and width > 0.5
    assert float(told.get_attribute("data-value") or 0) == pytest.approx(
        0.5 * (mean**2 + width**2 - 1) - math.log(width)
    )
    at = torch.tensor([mean, width], dtype=torch.float64)
    for place, kind in enumerate(ESTIMATORS):
        expected = single_draws(kind, at[0], at[1], lesson.noise(2)[:30]).mean().item()
        found = page.get_by_test_id(f"kl-{place}").get_attribute("data-value")
        assert float(found or 0) == pytest.approx(expected, rel=1e-4, abs=1e-5)
    plane.focus()
    page.keyboard.press("ArrowLeft")
    expect(told).not_to_have_attribute("data-q", json.dumps([mean, width], separators=(",", ":")))
    page.get_by_role("button", name="Reset q").click()
    expect(told).to_have_attribute("data-q", "[1,0.3]")
    page.get_by_role("button", name="Other draws").click()
    page.wait_for_url(re.compile("seed=3"))
