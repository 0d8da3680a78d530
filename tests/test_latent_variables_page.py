"""The page on latent variable models: what the browser solves is what the core solves; the grid runs, stops, agrees."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from playwright.sync_api import Browser, Page, expect
from streamlit.testing.v1 import AppTest

from ui import frame
from ui.figures.latent_variables import Line, Window, coloured, error_lines, grid_times, posterior_map
from ui.lessons import latent_variables as lesson
from vae_core.errors import InvalidInput
from vae_core.exact.cells import integrate
from vae_core.exact.curve import CurveModel
from vae_core.exact.plane import BATCH, SIDE, bernoulli_joint, log_prior
from vae_core.folders import PROJECT


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frame, "go_through_the_router", lambda: None)  # here the page runs without its router


def opened(**link: str) -> AppTest:
    page = AppTest.from_file(str(PROJECT / "pages" / "latent_variables.py"), default_timeout=120)
    for key, value in link.items():
        page.query_params[key] = value
    return page.run()


def text(page: AppTest) -> str:
    return " ".join(element.value for element in [*page.markdown, *page.caption])


def test_the_page_says_what_the_core_computes() -> None:
    page = opened(curve="S", sigma="0.3", at="0.5,0.2,1.1")
    assert not page.exception and not page.error and not page.warning
    x = torch.tensor([0.2, 1.1], dtype=torch.float64)
    model = CurveModel("S", 0.3)
    told = text(page).replace("\N{MINUS SIGN}", "-")
    assert f"log p(x) = **{float(model.log_evidence(x)):.3f}**" in told
    assert f"its ELBO is {model.elbo(x, model.best_gaussian(x)):.3f}" in told
    assert f"{len(model.posterior(x).modes)} peaks" in told


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("at", "1e9,0,0"), ("at", "1,2"), ("at", "nan,0,0"), ("curve", "<script>"), ("sigma", "0"), ("points", "many"),
        ("digit", "10"),
    ],
)  # fmt: skip
def test_a_link_that_asks_for_nonsense_gets_a_sentence(key: str, value: str) -> None:
    page = opened(**{key: value})
    assert not page.exception and not page.error and page.title
    assert any("The link asks for" in warning.value for warning in page.warning)


def test_a_code_beyond_the_chart_and_an_observation_beyond_the_plane_are_brought_back() -> None:
    page = opened(at="3.9,3.9,-3.9")
    assert not page.exception and not page.warning
    edge = torch.tensor([lesson.HALF, -lesson.HALF], dtype=torch.float64)
    told = text(page).replace("\N{MINUS SIGN}", "-")
    assert f"log p(x) = **{float(CurveModel('horseshoe', 0.4).log_evidence(edge)):.3f}**" in told


@pytest.mark.parametrize("name", lesson.CURVES)
@pytest.mark.parametrize("sigma", [0.2, 0.8])
def test_the_grid_of_the_browser_is_fine_enough(name: str, sigma: float) -> None:
    """Its sum over fewer places gives the same log p(x)."""
    scene, model = lesson.scene(name, sigma), lesson.curve(name, sigma)
    axis = torch.linspace(-lesson.HALF, lesson.HALF, 9, dtype=torch.float64)
    x = torch.cartesian_prod(axis, axis)
    z, f = torch.from_numpy(scene.grid), torch.from_numpy(scene.curve)
    joint = -0.5 * ((x[:, None] - f) ** 2).sum(-1) / sigma**2 - math.log(2 * math.pi * sigma**2) + log_prior(z[:, None])
    found = torch.logsumexp(joint, 1) + torch.log(z[1] - z[0])
    torch.testing.assert_close(found, model.log_evidence(x), atol=1e-6, rtol=0)
    peak = max(float(model.posterior(each).density.max()) for each in model.decode(torch.linspace(-2, 2, 9).double()))
    assert scene.tops[0] > peak


def test_the_stored_results_are_what_the_model_gives() -> None:
    """Two digits' evidence again by the other grid, the likelihood itself, and the order of the numbers."""
    measured, x, model = lesson.results(), lesson.digits(), lesson.network()
    rows = {row["digit"]: row for row in measured["rows"]}
    with torch.inference_mode():
        z = torch.randn(5, 2, generator=torch.Generator().manual_seed(0))
        ours = bernoulli_joint(model.decoder, x[2:3])(z)[:, 0]
        theirs = -model.recon_per_image(x[2:3].expand(5, -1, -1, -1), z).double() + log_prior(z)
        torch.testing.assert_close(ours, theirs, atol=1e-3, rtol=1e-5)
    for digit in (2, 9):
        assert integrate(model, x[digit : digit + 1]).evidence == pytest.approx(rows[digit]["log_evidence"], abs=0.02)
    for row in rows.values():
        assert row["elbo"] < row["log_evidence"]
        assert row["prior"]["median"][0] > 50 > row["prior"]["median"][-1]
        for line in lesson.measured_lines(row):
            low, middle, high = (np.array(each) for each in (line.low, line.median, line.high))
            assert (low <= middle).all() and (middle <= high).all()
    needs = [
        [lesson.needed(line, measured["counts"], 1) for line in lesson.measured_lines(row)] for row in rows.values()
    ]
    assert min(prior or math.inf for prior, _ in needs) >= 1000 and sum(encoder == 1 for _, encoder in needs) == 5
    assert rows[5]["encoder"]["median"][-1] > 5, "the page says that this encoder looks in the wrong place"


@pytest.mark.parametrize(
    "damage", ["", "{", '{"model": "other"}', '{"model": "mnist-2d-vae-beta1", "rows": [{"digit": 1}]}', "[]"]
)
def test_damaged_results_are_a_sentence(damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "evidence.json"
    path.write_text(damage)
    monkeypatch.setattr(lesson, "RESULTS", path)
    lesson.results.clear()
    with pytest.raises(InvalidInput, match=re.escape("benchmarks.evidence --write")):
        lesson.results()
    lesson.results.clear()


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A coarse plane, so that a test does not wait for the real one."""
    monkeypatch.setattr(lesson, "axis_of", lambda: torch.linspace(-6, 6, 41, dtype=torch.float64))
    monkeypatch.setattr(lesson, "SIDE", 41)
    lesson.kept().clear()
    lesson.maps.clear()
    yield
    lesson.kept().clear()
    lesson.maps.clear()


@pytest.mark.usefixtures("small")
def test_integrating_tells_how_far_it_is_and_ends_in_maps() -> None:
    plane = lesson.Plane()
    shares = [share for share, _ in lesson.integrate(plane)]
    assert shares == sorted(shares) and shares[-1] == pytest.approx(1) and plane.done == 41**2
    assert lesson.kept()["plane"] is plane and set(plane.exact) == set(range(10))
    found = lesson.maps(5)
    low, high = np.array(found.window.low), np.array(found.window.low) + found.window.side
    for place in (found.mean, plane.exact[5].mean.numpy()):
        assert (low < place).all() and (place < high).all(), "the encoder and the posterior are both in sight"
    assert 0 < found.prior_share < 0.05


@pytest.mark.usefixtures("small")
def test_the_button_fills_the_plane_once_for_everybody() -> None:
    page = opened(digit="7")
    assert "Press Integrate" in text(page)
    page.button(key="integrate").click().run()
    if "plane job" in page.session_state:
        page.session_state["plane job"].thread.join()
        page.run()
    assert not page.exception and not page.error
    assert "with cells twice as wide" in text(page)
    assert page.button(key="integrate").disabled
    assert opened().button(key="integrate").disabled


def test_stop_leaves_nothing_behind() -> None:
    work = lesson.integrate(lesson.Plane())
    share, words = next(work)
    assert share == pytest.approx(0.6 * BATCH / SIDE**2) and f"{BATCH:,} of {SIDE**2:,}" in words
    work.close()
    assert "plane" not in lesson.kept()


@pytest.mark.parametrize(
    ("log10", "words"),
    [
        (-1, "0.1 s"), (1, "10 s"), (3, "17 min"), (5, "28 hours"), (6, "12 days"), (8, "3.2 years"),
        (11, "3,169 years"),
        (100, "10<sup>93</sup> years"),
    ],
)  # fmt: skip
def test_durations_are_read_aloud(log10: float, words: str) -> None:
    assert lesson.duration(log10) == words


def test_needed_draws_are_those_after_the_last_bad_one() -> None:
    line = Line("", "prior", [3.0, 0.05, 0.2, 0.05, 0.01], [0] * 5, [4] * 5, [1] * 5)
    assert lesson.needed(line, (1, 2, 4, 8, 16), 0.1) == 8
    assert lesson.needed(line, (1, 2, 4, 8, 16), 0.001) is None


def test_figures_draw_what_they_are_given() -> None:
    line = Line("from the prior", "prior", [1.0, 0.0], [0.5, 0.0], [2.0, 0.1], [1.0, 1.5])
    trace = error_lines([1, 2], [line], height=300).data[0]
    assert list(trace.y) == [1.0, 1e-9] and trace.error_y.array[0] == 1.0, "nothing is lost on a log axis"
    times = grid_times([2, 10], [1.4, 22.0], ["27 s", "10<sup>15</sup> years"], 2, 17.6)
    bars = times.data[0]
    assert list(bars.y) == ["2", "10"] and [base + x for base, x in zip(bars.base, bars.x, strict=True)] == [1.4, 22.0]
    assert bars.base[0] + bars.x[1] <= times.layout.xaxis.range[1]
    far = grid_times([2, 64], [1.4, 160.0], ["27 s", "long"], 2, 17.6)
    assert far.layout.xaxis.range[1] == 50 and far.data[0].text[1].startswith("long ")
    figure = posterior_map(b"", Window((-1, -2), 4), (0, 0), (0.1, 0.2), Window((0, 0), 1), height=300)
    assert tuple(figure.layout.xaxis.range) == (-1, 3) and figure.layout.images[0].y == 2
    assert coloured(np.array([[0.0, 1.0]])).shape == (1, 2, 3)


def evidence(page: Page) -> float:
    return float(page.get_by_test_id("plane").get_attribute("data-evidence") or "nan")


@pytest.mark.browser
def test_dragging_the_observation_solves_it_in_the_browser(app: str, browser: Browser) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.set_default_timeout(60_000)
    page.goto(f"{app}/latent_variables?curve=S&at=0.5,0.2,1.1")
    plane = page.get_by_test_id("plane")
    expect(plane).to_be_visible(timeout=120_000)
    expect(plane).to_have_attribute("data-evidence", re.compile("."), timeout=60_000)
    model = CurveModel("S", 0.4)
    assert evidence(page) == pytest.approx(float(model.log_evidence(torch.tensor([0.2, 1.1]).double())), abs=1e-6)
    box = plane.bounding_box()
    assert box is not None and box["y"] + box["height"] < 800, "the plane and its buttons are on the screen"
    expect(page.get_by_role("button", name="Draw 1,000")).to_be_in_viewport()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.5 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.25 * box["width"], box["y"] + 0.75 * box["height"], steps=4)
    page.wait_for_timeout(100)  # the server has not been asked: the hand is still down
    assert evidence(page) == pytest.approx(float(model.log_evidence(torch.tensor([-1.8, -1.8]).double())), abs=0.2)
    page.mouse.up()
    page.wait_for_url(re.compile(r"at=0\.5"))
    expect(page.get_by_text(re.compile("At today"))).to_contain_text(f"{abs(evidence(page)):.2f}", timeout=10_000)
    page.get_by_role("button", name="Draw 1,000").click()
    page.get_by_role("button", name="Draw z, then x").click()
    expect(page.get_by_test_id("count")).to_have_text("1,001 draws")
    expect(page.get_by_test_id("code")).to_contain_text("x = (")
    page.get_by_test_id("densities").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_test_id("code")).not_to_contain_text("x = (")
    page.get_by_text("Straight line", exact=True).click()
    expect(page.get_by_test_id("count")).to_be_empty(timeout=10_000)  # another model's draws
    page.close()
