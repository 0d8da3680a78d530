"""The page on variational inference: what it draws was computed or measured, and the bars add up."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from playwright.sync_api import Browser, Page, expect
from streamlit.testing.v1 import AppTest
from torch.nn.functional import logsigmoid

from benchmarks import importance as benchmark
from tests.lessons import opened
from ui.cache import checkpoint
from ui.elbo_bars import MEAN, NODES, REACH, STD
from ui.figures.inference import bound_curve, ellipse, linear_lines, nearest_gaussians, posterior_map
from ui.lessons import inference as lesson
from ui.lessons import nearest
from vae_core.errors import InvalidInput
from vae_core.exact.cells import integrate, square
from vae_core.exact.curve import CURVES, CurveModel, Gaussian1D
from vae_core.metrics.importance import Bounds, importance_bounds


def text(page: AppTest) -> str:
    tables = [element.proto.body for element in page.get("html")]
    return " ".join([*(element.value for element in [*page.markdown, *page.caption]), *tables])


def figure(page: AppTest, number: int) -> dict:
    return json.loads(page.get("plotly_chart")[number].proto.spec)


def test_the_stored_bounds_rise_with_k_and_stay_below_log_p_x() -> None:
    measured = lesson.results()
    assert measured.samples == list(benchmark.SAMPLES) and measured.images >= 100
    assert set(measured.rows) <= set(benchmark.MODELS) and "mnist-2d-vae-beta1" in measured.rows
    for row in measured.rows.values():
        at = dict(zip(measured.samples, row.bound, strict=True))
        for few, many in (
            (1, 5),
            (5, 10),
            (2, 10),
            (10, 20),
            (10, 50),
            (50, 100),
            (100, 500),
            (500, 1000),
            (1000, 5000),
        ):
            assert at[few] <= at[many], (row.title, few, many)  # groups within groups: certain, not only likely
        assert (row.evidence is None) == (row.latent != 2)
        assert row.evidence is None or row.evidence > row.bound[-1]


@pytest.mark.parametrize("name", benchmark.MODELS)
def test_the_stored_bounds_are_those_of_the_model(name: str) -> None:
    """With other samples, and fewer; groups within them make the noise a few hundredths of a nat."""
    measured = lesson.results()
    samples = (1, 10, 100)
    found: Bounds | None
    *_, (_, found) = importance_bounds(checkpoint(name).model, lesson.binarised(), samples, measured.images, seed=5)
    assert found is not None
    stored = [measured.rows[name].bound[measured.samples.index(count)] for count in samples]
    assert found.bound == pytest.approx(stored, abs=0.4)
    assert found.bound[0] == pytest.approx(stored[0], abs=0.2)


@pytest.mark.parametrize("name", ["mnist-2d-vae-beta0.1", "mnist-2d-vae-beta1", "mnist-2d-vae-beta8"])
def test_the_stored_evidence_is_that_of_one_fine_grid(name: str) -> None:
    """All the images that were measured, on even cells; the benchmark's own cells agree on a few of them."""
    model, cells = checkpoint(name).model, 250
    x = lesson.binarised().images(torch.arange(lesson.results().images))
    sums = []
    with torch.inference_mode():
        for z in square((-5.0, -5.0), 10.0, cells).split(5000):
            logits = model.decoder(z).flatten(1)
            likelihood = x.flatten(1) @ logits.T + logsigmoid(-logits).double().sum(1)  # log p(x | z) [N, codes]
            sums.append((likelihood - 0.5 * z.double().square().sum(1)).logsumexp(1))
    evidence = torch.stack(sums).logsumexp(0) - math.log(2 * math.pi) + 2 * math.log(10 / cells)
    assert lesson.results().rows[name].evidence == pytest.approx(evidence.mean().item(), abs=0.05)
    few = [integrate(model, each[None]).evidence for each in x[:4]]
    assert sum(few) / 4 == pytest.approx(evidence[:4].mean().item(), abs=0.2)


def test_what_is_stored_is_what_a_picture_says() -> None:
    """Over a few pictures, with fewer samples: bounds and integral stand as the stored ones do."""
    *_, (_, _, drawn) = lesson.draw("mnist-2d-vae-beta1", 3, 1)
    assert drawn is not None and drawn.plane is not None and drawn.heat is not None and drawn.window is not None
    assert drawn.bound == sorted(drawn.bound) or np.diff(drawn.bound).min() > -0.02
    assert drawn.bound[-1] == pytest.approx(drawn.plane.evidence, abs=0.1)
    area = (drawn.window[2] / lesson.CELLS) ** 2
    assert float(drawn.heat.sum() * area) == pytest.approx(1, abs=0.02), "the map holds all of the posterior"
    assert 1 < drawn.effective < lesson.DRAWS
    assert drawn.picture.unique().tolist() == [0, 1]


def test_ten_latents_have_no_plane() -> None:
    names = [name for name, row in lesson.results().rows.items() if row.latent > 2]
    for name in names[:1]:
        assert "nobody knows" in lesson.results().rows[name].verdict(5000)
    rows = lesson.results().rows
    assert "very many more samples" in rows["mnist-2d-vae-beta1"].verdict(5000)
    assert "0.2 nats** are still missing." in rows["mnist-2d-vae-beta8"].verdict(5000)


def test_how_far_the_samples_can_be_trusted() -> None:
    *_, (_, _, drawn) = lesson.draw("mnist-2d-vae-beta1", 3, 1)
    assert drawn is not None and drawn.plane is not None
    trusted, few = replace(drawn, effective=400.0).worth, replace(drawn, effective=20.0).worth
    assert "chance alone" in trusted and "cannot be trusted" in few and "cannot be trusted" not in trusted
    below = drawn.plane.evidence - drawn.bound[-1]
    assert f"**{abs(below):.2f} nats** {'below' if below >= 0 else 'above'} log p(x)" in trusted
    assert "log p(x)" not in replace(drawn, plane=None).worth


@pytest.mark.parametrize("curve", CURVES)
def test_the_grid_of_the_browser_is_fine_and_wide_enough(curve: str) -> None:
    """Sums over it, done as the browser does them, against the core's quadrature, at the extremes of q."""
    model, x = CurveModel(curve, 0.4), torch.tensor([0.3, -0.5], dtype=torch.float64)
    z = torch.linspace(-REACH, REACH, NODES, dtype=torch.float64)
    joint = model.log_likelihood(x, z) - 0.5 * z**2 - 0.5 * math.log(2 * math.pi)
    for mean in (0.0, MEAN):
        for std in STD:
            q = Gaussian1D(mean, std)
            log = q.log_density(z)
            weight = log.exp() * (z[1] - z[0])
            truth = model.split(x, q)
            assert weight.sum().item() == pytest.approx(1, abs=1e-9)
            assert float((weight * (joint - log)).sum()) == pytest.approx(truth.elbo, rel=1e-6)


def test_the_linear_vae_finds_ppca(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lesson, "STEPS", 400)
    trace = lesson.LinearTrace(2, 0)
    shares = [share for share, _ in lesson.train_linear(trace)]
    assert trace.ended and shares == sorted(shares) and shares[-1] == 1
    assert trace.known == len(trace.steps) == len(trace.elbo) and trace.steps[0] == 0
    found = lesson.linear(2)
    assert all(low <= high + 1e-9 for low, high in zip(trace.elbo, trace.evidence, strict=True)), "a bound, always"
    assert trace.elbo[0] < trace.evidence[0] - 0.1
    assert trace.elbo[-1] == pytest.approx(found.best, abs=0.01)
    assert trace.held_out == pytest.approx(found.known, abs=0.05)
    assert trace.widths is not None
    np.testing.assert_allclose(*trace.widths, rtol=0.01)
    for ours, theirs in zip(*trace.ellipses[-1], strict=True):
        np.testing.assert_allclose(ours, theirs, atol=0.01)
    pictures, others, cosines = lesson.bases(found.ppca, trace.decoder)
    assert others is not None and pictures.shape == others.shape == (2, 3, 14, 14)
    assert cosines is not None and min(cosines) > 0.99
    assert "400 steps" in trace.told and "Trained" in trace.told


def test_a_correlated_posterior_costs_a_diagonal_q_what_the_formula_says() -> None:
    target, narrow, wide, full = nearest.tilted(0.9)
    assert narrow.reverse == pytest.approx(-0.5 * math.log(1 - 0.81)) == wide.forward
    assert narrow.covariance[0, 0] == pytest.approx(1 - 0.81) and wide.covariance[0, 0] == 1
    assert full.reverse == target.forward == pytest.approx(0, abs=1e-12)
    assert narrow.reverse < wide.reverse and wide.forward < narrow.forward


def test_the_page_shows_what_was_computed() -> None:
    page = opened("inference", noise="0.4", aside="0.0", rho="0.6")
    assert not page.exception and not page.error and not page.warning
    assert page.title[0].value.endswith("?")
    said = text(page)
    found = nearest.fits("horseshoe", 0.4, (0.0, 0.4))
    assert f"{found.covering.forward:.2f}" in said and f"{found.nearest[0].reverse:.2f}" in said
    assert f"{-0.5 * math.log(1 - 0.36):.2f} nats below" in said
    names = [line["name"] for line in figure(page, 0)["data"]]
    wide = opened("inference", noise="0.55", aside="0.0")
    assert "least KL(q \u2016 p)" in [line["name"] for line in figure(wide, 0)["data"]] and "0.52" in text(wide)
    assert names[1:] == ["least KL(p \u2016 q): covers", "least KL(q \u2016 p): seeks", "another minimum of it"]
    measured = lesson.results()
    for row in measured.rows.values():
        assert row.title in said
    assert f"first {measured.images} of 10,000 held-out images" in said and "trained on" in said
    assert "none of them from an image" in said


def test_another_model_and_another_digit() -> None:
    page = opened("inference")
    page = page.selectbox(key="model").select("2 latents, beta 0.1").run()
    row = lesson.results().rows["mnist-2d-vae-beta0.1"]
    assert not page.exception and row.verdict(5000) in text(page)
    page = next(button for button in page.button if button.label == "Another digit").click().run()
    assert page.query_params["image"] in ("4", ["4"])
    page = next(button for button in page.button if button.label == "Draw samples").click().run()
    assert not page.exception and "equal ones. They are" in text(page) and "decoded places of the plane" in text(page)
    assert figure(page, 4)["data"][0]["type"] == "heatmap"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("curve", "circle"), ("sigma", "0"), ("x", "nan,1"), ("x", "1"), ("x", "9,9"), ("q", "a,b"), ("q", "1,1,1"),
        ("noise", "nan"), ("aside", "7"), ("rho", "1"), ("model", "x"), ("image", "10000"), ("latents", "3"),
        ("start", "-1"),
    ],
)  # fmt: skip
def test_a_link_that_asks_for_nonsense_gets_a_sentence(key: str, value: str) -> None:
    page = opened("inference", **{key: value})
    assert not page.exception and not page.error
    assert any("The link asks for" in warning.value for warning in page.warning)


@pytest.mark.parametrize(
    "content", ["{}", "[]", "no json", '{"models": [], "samples": [1], "images": 1, "seed": 0}', '{"models": [{}]}']
)
def test_damaged_results_are_named(content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "importance.json"
    path.write_text(content)
    monkeypatch.setattr(lesson, "RESULTS", path)
    lesson.results.clear()  # type: ignore[attr-defined]
    try:
        with pytest.raises(InvalidInput, match=r"importance\.json.*benchmarks\.importance"):
            lesson.results()
    finally:
        lesson.results.clear()  # type: ignore[attr-defined]


def test_figures_draw_what_they_are_given() -> None:
    drawn = bound_curve([1, 10, 5000], [-3.0, -2.0, -1.0], -0.5, "#111", "#222")
    assert list(drawn.data[0].y) == [-3, -2, -1] and [shape.y0 for shape in drawn.layout.shapes] == [-3, -0.5]
    assert drawn.layout.yaxis.range[0] < -3 and drawn.layout.yaxis.range[1] > -0.5
    z = np.linspace(-3, 3, 601)
    bells = nearest_gaussians(z, np.zeros(601), [("a", 0.5, 0.2, "#111", "solid")])
    assert float(np.sum(bells.data[1].y) * 0.01) == pytest.approx(1) and z[np.argmax(bells.data[1].y)] == pytest.approx(
        0.5
    )
    line = ellipse(np.array([1.0, 2.0]), np.array([[4.0, 1.0], [1.0, 1.0]]), 2.0) - [1.0, 2.0]
    inverse = np.linalg.inv([[4.0, 1.0], [1.0, 1.0]])
    np.testing.assert_allclose(np.einsum("ni,ij,nj->n", line, inverse, line), 4)
    lines = linear_lines([0, 10], [-5.0, -1.0], [-4.0, -0.9], -0.5, 2000, ("#111", "#222"))
    np.testing.assert_allclose(lines.data[2].y, [1.0, 0.1])
    heat = posterior_map(np.eye(4), (-1.0, -1.0, 2.0), np.zeros(2), np.ones(2), "#111")
    assert heat.data[0].x0 == -0.75 and heat.data[0].dx == 0.5


def parts(page: Page) -> dict[str, float]:
    """What the bars say, as numbers."""
    return {
        name: float(page.get_by_test_id(name).get_attribute("data-value") or "nan")
        for name in ("evidence", "elbo", "kl", "recon", "to-prior")
    }


def q_of(page: Page) -> Gaussian1D:
    return Gaussian1D(*json.loads(page.get_by_test_id("q").get_attribute("data-q") or "null"))


@pytest.mark.browser
def test_in_a_browser_the_bars_add_up_and_gradient_descent_finds_the_best(app: str, browser: Browser) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(f"{app}/inference?x=1.4,-1.2&q=-0.8,0.5")
    expect(page.get_by_test_id("elbo")).not_to_be_empty(timeout=90_000)
    model, x = CurveModel("horseshoe", 0.5), torch.tensor([1.4, -1.2], dtype=torch.float64)

    def agrees() -> None:
        shown, truth = parts(page), model.split(x, q_of(page))
        expected = (truth.log_evidence, truth.elbo, truth.kl, -truth.recon, truth.kl_to_prior)
        assert list(shown.values()) == pytest.approx(expected, abs=1e-4)
        assert shown["elbo"] + shown["kl"] == pytest.approx(shown["evidence"], abs=1e-6)

    agrees()
    handle = page.locator("circle.handle").bounding_box()
    assert handle
    start, before = (handle["x"] + handle["width"] / 2, handle["y"] + handle["height"] / 2), q_of(page)
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(start[0] + 60, start[1] - 30, steps=6)
    page.mouse.up()
    expect(page.get_by_test_id("q")).not_to_have_text(f"q: mean \u2212{-before.mean:.2f}, width {before.std:.2f}")
    assert q_of(page).mean > before.mean + 0.3 and q_of(page).std < before.std
    agrees()
    kept, box, told = q_of(page), page.locator("circle.handle").bounding_box(), page.get_by_test_id("q")
    assert box
    was = told.inner_text()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 90, box["y"] + 50, steps=3)
    expect(told).not_to_have_text(was)
    page.locator(".bound-view svg").first.dispatch_event("pointercancel", {"pointerId": 1})
    page.mouse.up()
    expect(told).to_have_text(was)
    assert q_of(page) == kept, "a drag that is cancelled leaves q as it was"
    page.get_by_role("button", name="Let gradient descent do it").click()
    expect(page.locator("button.main", has_text="Stop")).to_be_visible()
    expect(page.get_by_role("button", name="Let gradient descent do it")).to_be_visible(timeout=120_000)
    agrees()
    best = model.best_gaussian(x)
    assert q_of(page) == pytest.approx(best, abs=5e-3)
    assert int(page.get_by_test_id("q").get_attribute("data-steps") or 0) > 5
    page.wait_for_function("new URL(location).searchParams.get('q')?.startsWith('0.')")
    page.goto(f"{app}/inference?x=0,1.99&q=0.91,0.26")  # far below log p(x): the axis follows
    expect(page.get_by_test_id("elbo")).to_contain_text("27.1", timeout=90_000)
    for bar in ("rect.solid", "rect.gap"):
        assert all(float(each.get_attribute("height") or 0) > 10 for each in page.locator(bar).all()[:1])
    page.close()
