"""The page on latent variable models: what the browser solves is what the core solves; so does its sum over a plane."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from playwright.sync_api import Browser, Page, expect
from torch import Tensor
from torch.distributions import MultivariateNormal

from benchmarks import evidence as benchmark
from tests.lessons import opened, text
from ui.figures.latent_variables import Line, Window, coloured, error_lines, grid_times, posterior_map
from ui.lessons import latent_variables as lesson
from vae_core.errors import InvalidInput
from vae_core.exact.cells import Summed, integrate
from vae_core.exact.curve import PRIOR, CurveModel
from vae_core.exact.importance import estimates


def test_the_page_says_what_the_core_computes() -> None:
    page = opened("latent_variables", curve="S", sigma="0.3", at="0.5,0.2,1.1")
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
    page = opened("latent_variables", **{key: value})
    assert not page.exception and not page.error and page.title
    assert any("The link asks for" in warning.value for warning in page.warning)


def test_a_code_beyond_the_chart_and_an_observation_beyond_the_plane_are_brought_back() -> None:
    page = opened("latent_variables", at="3.9,3.9,-3.9")
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
    joint = -0.5 * ((x[:, None] - f) ** 2).sum(-1) / sigma**2 - math.log(2 * math.pi * sigma**2) + PRIOR.log_density(z)
    found = torch.logsumexp(joint, 1) + torch.log(z[1] - z[0])
    torch.testing.assert_close(found, model.log_evidence(x), atol=1e-6, rtol=0)
    peak = max(float(model.posterior(each).density.max()) for each in model.decode(torch.linspace(-2, 2, 9).double()))
    assert scene.tops[0] > peak


def test_the_stored_results_are_what_the_model_gives() -> None:
    """Two digits' evidence again, the order of the numbers, and what the page says of them."""
    measured, x, model = lesson.results(), lesson.digits(), lesson.network()
    rows = {row["digit"]: row for row in measured["rows"]}
    for digit in (2, 9):
        assert integrate(model, x[digit : digit + 1]).evidence == pytest.approx(rows[digit]["log_evidence"], abs=1e-3)
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
    five, last = rows[5], measured["counts"][-1]
    assert last == 8192 and round(five["encoder"]["effective"][-1]) == 4
    assert five["encoder"]["low"][-1] > 13 and five["prior"]["high"][-1] < 1, "the prior's draws end higher"


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


class Linear:
    """x = A z + noise: the evidence has a closed form."""

    a, sigma = torch.tensor([[2.0, 0.3], [-0.5, 1.0], [0.7, 0.7]], dtype=torch.float64), 0.1

    def recon_per_image(self, x: Tensor, z: Tensor) -> Tensor:
        away = x.flatten(1).double() - z.double() @ self.a.T
        return 0.5 * (away / self.sigma).square().sum(1) + 1.5 * math.log(2 * math.pi * self.sigma**2)


@pytest.mark.parametrize(("mean", "std"), [((0.0, 0.0), (1.0, 1.0)), ((0.5, 0.4), (0.08, 0.15))])
def test_the_draws_of_the_benchmark_agree_with_a_known_evidence(
    mean: tuple[float, float], std: tuple[float, float]
) -> None:
    model, x = Linear(), torch.tensor([1.0, 0.4, -0.3])
    covariance = model.a @ model.a.T + model.sigma**2 * torch.eye(3)
    truth = MultivariateNormal(torch.zeros(3).double(), covariance).log_prob(x.double())
    noise = torch.randn(300, 256, 2, generator=torch.Generator().manual_seed(1))
    weights = benchmark.log_weights(model, x.view(1, 1, 1, 3), torch.tensor(mean), torch.tensor(std), noise)
    assert weights.shape == (300, 256)
    ratio = torch.exp(estimates(weights, (256,)).values[:, 0] - truth)
    assert float(ratio.mean()) == pytest.approx(1, abs=5 * float(ratio.std()) / math.sqrt(300))


def test_a_part_of_the_digits_does_not_replace_the_stored_results(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["evidence", "--digits", "0", "--write"])
    monkeypatch.setattr(benchmark, "write_whole", lambda *_: pytest.fail("written"))
    with pytest.raises(SystemExit):
        benchmark.main()
    assert "all ten digits" in capsys.readouterr().err


def test_the_page_sums_up_the_digit_that_is_asked_for() -> None:
    page = opened("latent_variables", digit="7")
    assert not page.exception and not page.error and not page.warning
    found, row = lesson.maps(7), next(row for row in lesson.results()["rows"] if row["digit"] == 7)
    told = text(page).replace("\N{MINUS SIGN}", "-")
    assert f"log p(x) = **{found.exact.evidence:.3f}** nats" in told
    assert f"ELBO {row['elbo']:.3f}: **{found.exact.evidence - row['elbo']:.2f}** nats too low" in told
    assert f"took {found.exact.codes:,} codes" in told and f"**{100 * found.prior_share:.2f}%**" in told
    assert f"count as {row['prior']['effective'][-1]:,.0f}, those from the encoder" in told


def test_the_maps_show_the_posterior_where_it_is() -> None:
    """Digit 5, whose encoder looks elsewhere: both are in sight, and the picture's mean is the integral's."""
    found = lesson.maps(5)
    low, high = np.array(found.window.low), np.array(found.window.low) + found.window.side
    for place in (found.mean, found.exact.mean.numpy()):
        assert (low < place).all() and (place < high).all()
    cells = lesson.near(found.exact, found.window)  # [n, n], latent 2 in the rows
    middles = (torch.arange(len(cells)) + 0.5) / len(cells) * found.window.side
    for axis, along in enumerate((cells.sum(0), cells.sum(1))):
        mean = float((along * middles).sum() / along.sum()) + found.window.low[axis]
        assert mean == pytest.approx(float(found.exact.mean[axis]), abs=1e-4)
    assert 0 < found.prior_share < 0.05


def known_sum(share: list[float], z: list[list[float]], side: list[float]) -> Summed:
    return Summed(0.0, torch.zeros(2), torch.eye(2), 0, *(torch.tensor(each).double() for each in (z, share, side)))


def test_the_share_of_the_prior_is_that_of_the_densest_cells() -> None:
    """The large cell holds more of the posterior, but less to its area."""
    found = known_sum([0.6, 0.4], [[0.0, 0.0], [1.0, 0.0]], [1.0, 0.1])
    small, large = 0.01 * math.exp(-0.5) / (2 * math.pi), 1 / (2 * math.pi)
    assert lesson.prior_share(found, 0.3) == pytest.approx(small)
    assert lesson.prior_share(found, 0.9) == pytest.approx(small + large)


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
    expect(page.get_by_text(re.compile("At the x above"))).to_contain_text(f"{abs(evidence(page)):.2f}", timeout=10_000)
    page.get_by_role("button", name="Draw 1,000").click()
    page.get_by_role("button", name="Draw z, then x").click()
    expect(page.get_by_test_id("count")).to_have_text("1,001 draws")
    chart = page.get_by_test_id("densities")
    handle, across = page.locator(".chart .marker").first.bounding_box(), chart.bounding_box()
    assert handle is not None and across is not None
    below = across["y"] + across["height"] + 5
    page.mouse.move(handle["x"], below)  # the lower half of the handle, under the axis
    page.mouse.down()
    page.mouse.move(across["x"] + 0.75 * across["width"], below, steps=3)
    page.mouse.up()
    expect(chart).to_have_attribute("aria-valuenow", re.compile(r"^(1\.9|2)"))
    page.get_by_role("button", name="Draw z, then x").click()
    expect(page.get_by_test_id("code")).to_contain_text("x = (")
    chart.focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_test_id("code")).not_to_contain_text("x = (")
    page.get_by_text("Straight line", exact=True).click()
    expect(page.get_by_test_id("count")).to_be_empty(timeout=10_000)  # another model's draws
    page.close()
