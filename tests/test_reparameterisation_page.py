"""The page on the reparameterisation trick: the browser plays the very numbers of the descents; the three VAEs differ
in what their encoders hear; trainings end, and stop."""

from __future__ import annotations

import base64
import json
import math
import re

import numpy as np
import pytest
import torch
from playwright.sync_api import Browser, expect
from streamlit.testing.v1 import AppTest

from tests.lessons import opened, text
from ui.figures.reparameterisation import Curve, elbo_lines, graph, numbers, variance_lines
from ui.gradient_paths import SHOWN, Walker
from ui.lessons import reparameterisation as lesson
from vae_core.exact.draws import backward
from vae_core.exact.point import TARGET, Settings, descend, variance
from vae_core.losses import kl_to_standard_normal
from vae_core.models import VAE
from vae_core.objective import Context


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trainings of a few steps."""
    for name, value in (("VAE_STEPS", 40), ("EVERY", 20), ("LOOKED_AT", 100)):
        monkeypatch.setattr(lesson, name, value)


# ---------------------------------------------------------------- the toy problem


def test_the_page_shows_what_was_measured_beside_the_closed_form() -> None:
    page = opened("reparameterisation")
    assert not page.exception and not page.error and not page.warning
    over_draws, over_distance, _ = (json.loads(chart.proto.spec) for chart in page.get("plotly_chart"))
    lines = {line["name"]: line["y"] for line in over_draws["data"] if line["mode"] == "lines"}
    assert list(lines) == [look.short for look in lesson.LOOKS.values()]
    start = np.zeros(2)
    assert lines["score function"][0] == pytest.approx(variance("score", start, 1.0, np.array(TARGET), 1))
    assert len({round(value, 9) for value in over_distance["data"][0]["y"]}) == 1, "pathwise: the same everywhere"
    assert "806 times" in text(page)
    assert "0 of 150" in text(page) and "150 of 150" in text(page) and "does not require grad" in text(page)


def test_measured_variances_stand_within_their_error_bars() -> None:
    for spreads in (lesson.over_draws(), lesson.over_distance()):
        for spread in spreads.values():
            far = [abs(m.value - known) / m.error for m, known in zip(spread.measured, spread.exact, strict=True)]
            assert max(far) < 6 and sorted(far)[len(far) // 2] < 2  # heavy tails make small errors too small


def test_more_draws_and_a_learned_width_are_told() -> None:
    page = opened("reparameterisation", draws="64", width=lesson.LEARNED)
    assert f"{SHOWN} of the 64 draws" in text(page) and "nothing pays for keeping it" in text(page)
    page = page.segmented_control(key="width").set_value(lesson.WITH_KL).run()
    assert r"$\sigma$ = 0.58" in text(page) and "(3.33, 3.33)" in text(page)
    assert not page.exception


def test_other_draws_are_another_seed() -> None:
    page = opened("reparameterisation")
    page.button[0].click().run()
    assert page.query_params["seed"] == "1" and not page.exception


@pytest.mark.parametrize(
    ("key", "value"),
    [("draws", "3"), ("rate", "nan"), ("width", "wide"), ("start", "1"), ("start", "nan,1"), ("start", "99,1"),
     ("start", "-4.1,0"), ("start", "0,9.1"),
     ("seed", "-1"), ("at", "151"), ("at", "<script>"), ("draw", "1e9"), ("weights", "x")],
)  # fmt: skip
def test_a_link_that_asks_for_nonsense_gets_a_sentence(key: str, value: str) -> None:
    page = opened("reparameterisation", **{key: value})
    assert not page.exception and not page.error
    assert any("The link asks for" in warning.value for warning in page.warning)


def test_the_browser_gets_the_numbers_of_the_descent() -> None:
    way = descend("score", Settings(draws=32, steps=20))
    told = Walker("score", "", "", "#000", False, *way).data()
    assert told["lost"] is told["cause"] is None
    gradients = np.frombuffer(base64.b64decode(told["gradients"]), "<f4").reshape(21, SHOWN, 2)
    np.testing.assert_allclose(gradients, way.gradients[:, :SHOWN], rtol=1e-6)
    means = np.frombuffer(base64.b64decode(told["means"]), "<f4").reshape(21, 2)
    np.testing.assert_allclose(means, way.means, rtol=1e-6)


# ---------------------------------------------------------------- drawings


def test_the_graph_tells_where_the_gradient_stops() -> None:
    for way in ("sample", "rsample"):
        told = backward(way, (0.0, 0.0), (1.0, 1.0), TARGET, 0)
        inside = way == "sample"
        svg = graph(
            inside=inside, loss=told.loss, x=told.x.tolist(), noise=told.noise.tolist(), at_x=told.at_x.tolist(),
            at_mean=None if told.at_mean is None else told.at_mean.tolist(),
            at_sigma=None if told.at_sigma is None else told.at_sigma.tolist(),
        )  # fmt: skip
        assert svg.count("<circle") == 1, "one random node"
        assert svg.count(">None<") == (2 if inside else 0)
        assert svg.count("polygon") == (4 if inside else 7)  # arrows: 3 forward and 1 back, or 4 and 3
        assert numbers(told.at_x.tolist(), 1) in svg


def test_figures_draw_what_they_are_given() -> None:
    figure = variance_lines([Curve("a", "#000", "x", [1, 2], [4, 2], [4.1, 1.9], [0.1, 0.1])], x="K", log=True)
    assert [list(line.y) for line in figure.data] == [[4, 2], [4.1, 1.9]]
    figure = elbo_lines([0, 20, 40], [[-500, -200, -150]], ["a"], [("#000", "solid")], 40)
    assert list(figure.data[0].y) == [-500, -200, -150] and figure.layout.yaxis.range[0] > -200
    assert elbo_lines([], [[]], ["a"], [("#000", "solid")], 40).layout.annotations[0].text == "no training yet"


@pytest.mark.parametrize("values", [[-500.0], [-500.0, -200.0]])
def test_the_first_looks_at_a_training_are_drawn(values: list[float]) -> None:
    figure = elbo_lines(list(range(len(values))), [values], ["a"], [("#000", "solid")], 40)
    low, high = figure.layout.yaxis.range
    assert not figure.layout.annotations and low < min(values) <= max(values) < high
    assert ("markers" in figure.data[0].mode) == (len(values) == 1), "one value is no line"


def test_what_a_way_is_given_up_for_is_told() -> None:
    page = opened("reparameterisation", width=lesson.LEARNED)
    assert r"or whose $\sigma$ leaves 1/1000 to 1000" in text(page)
    assert "leaves 1/1000" not in text(opened("reparameterisation")), "a width that is fixed leaves nothing"


def test_a_start_stands_on_the_plane() -> None:
    page = opened("reparameterisation", start="-4,9")
    assert not page.exception and not page.warning


# ---------------------------------------------------------------- three VAEs


def tiny(kind: type[VAE]) -> VAE:
    torch.manual_seed(3)
    return kind(VAE.Config(image=(1, 4, 4), latent=2, hidden=(8,), activation="tanh"))


def encoder_gradient(model: VAE, x: torch.Tensor, seed: int) -> torch.Tensor:
    """Of the last layer's bias: mean and log-variance of each latent."""
    model.zero_grad()
    model.loss(x, context=Context(generator=torch.Generator().manual_seed(seed))).total.backward()
    return model.encoder[-1].bias.grad.clone()


def test_sampled_inside_the_encoder_hears_of_the_kl_alone() -> None:
    x = torch.rand(8, 1, 4, 4)
    model = tiny(lesson.SampledInside)
    found = encoder_gradient(model, x, 0)
    model.zero_grad()
    posterior = model.encode(x)
    kl_to_standard_normal(posterior.mean, posterior.logvar).mean(0).sum().backward()
    torch.testing.assert_close(found, model.encoder[-1].bias.grad)
    assert not torch.allclose(found, encoder_gradient(tiny(VAE), x, 0), atol=1e-2)


def test_the_score_function_wants_of_the_encoder_what_the_trick_wants() -> None:
    """On many copies of one picture, over seeds, within four standard errors; and it varies more."""
    x = torch.rand(1, 1, 4, 4).expand(1000, -1, -1, -1)
    by_score, by_trick = (
        torch.stack([encoder_gradient(tiny(kind), x, seed) for seed in range(30)])
        for kind in (lesson.ByScoreFunction, VAE)
    )
    error = (by_score.var(0) + by_trick.var(0)).sqrt() / math.sqrt(30)
    assert bool(((by_score.mean(0) - by_trick.mean(0)).abs() < 4 * error).all())
    assert float(by_score.var(0).sum()) > 2 * float(by_trick.var(0).sum())


def test_all_three_report_the_same_loss_for_the_same_weights() -> None:
    x = torch.rand(5, 1, 4, 4)
    kinds = (VAE, lesson.SampledInside, lesson.ByScoreFunction)
    terms = [tiny(kind).loss(x, context=Context(generator=torch.Generator().manual_seed(1))) for kind in kinds]
    for other in terms[1:]:
        for found, known in zip(other, terms[0], strict=True):
            torch.testing.assert_close(found, known)


def test_a_race_begins_with_one_set_of_weights_and_the_trick_wins() -> None:
    """100 steps on MNIST: the posterior that hears of the KL alone becomes the prior."""
    torch.manual_seed(99)
    race, other = lesson.new_race(0), lesson.new_race(1)
    again = lesson.new_race(0)
    assert torch.initial_seed() == 99, "other visitors' trainings draw from the global generator"
    weights = [torch.cat([p.flatten() for p in each.models["trick"].parameters()]) for each in (race, again, other)]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])
    states = [model.state_dict() for model in race.models.values()]
    assert all(torch.equal(states[0][key], other[key]) for other in states for key in states[0])
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("VAE_STEPS", 100), ("EVERY", 50), ("LOOKED_AT", 200)):
            patch.setattr(lesson, name, value)
        told = list(lesson.run(race))
    assert race.ended and race.steps == [0, 50, 100] and told[-1][0] == 1.0
    last = {name: values[-1] for name, values in race.elbo.items()}
    assert last["trick"] > max(last["inside"], last["score"]) + 5
    assert race.kl["inside"][-1] < 0.1 and race.kl["trick"][-1] > 3


@pytest.mark.usefixtures("short")
def test_training_shows_curves_and_pictures() -> None:
    page = opened("reparameterisation")
    assert "Train three VAEs" in [button.label for button in page.button]
    press_train(page)
    page.session_state["race job"].thread.join()
    page.run()
    assert not page.exception and "race job" not in page.session_state
    assert "Trained after 40 steps" in text(page)
    figure = json.loads(page.get("plotly_chart")[-1].proto.spec)
    assert [line["name"] for line in figure["data"]] == [each.title for each in lesson.CONTESTANTS.values()]
    assert all(len(line["y"]) == 3 for line in figure["data"])
    press_train(page)
    page.session_state["race job"].thread.join()
    assert page.session_state["race"].start == 1, "again means from other weights"


def test_a_training_can_be_stopped() -> None:
    page = press_train(opened("reparameterisation"))
    job = page.session_state["race job"]
    page.button(key="stop race job").click().run()
    job.thread.join(60)
    page.run()
    assert not job.is_running and not page.exception and not page.session_state["race"].ended
    assert "Stopped" in text(page)


def press_train(page: AppTest) -> AppTest:
    return next(button for button in page.button if button.label == "Train three VAEs").click().run()


# ---------------------------------------------------------------- in a browser


@pytest.mark.browser
def test_in_a_browser_the_numbers_of_python_are_played(app: str, browser: Browser) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(f"{app}/reparameterisation?draws=4&at=0")
    view, plane = page.get_by_test_id("gradient-paths"), page.get_by_test_id("plane-score")
    expect(view).to_have_attribute("data-step", "0")
    page.get_by_role("button", name="One step").click()
    expect(view).to_have_attribute("data-step", "1")
    x, y = descend("score", Settings(draws=4)).means[1]
    said = f"μ ({x:.2f}, {y:.2f})".replace("-", "\N{MINUS SIGN}")
    expect(plane).to_have_attribute("aria-label", re.compile(re.escape(said)))
    page.wait_for_url(re.compile("at=1"))
    page.get_by_label("Speed").select_option("fast")
    page.get_by_role("button", name="Play", exact=True).click()
    expect(view).to_have_attribute("data-step", "150")
    expect(view).to_have_attribute("data-playing", "false")
    page.get_by_role("button", name="Reset").click()
    expect(view).to_have_attribute("data-step", "0")
    box = plane.bounding_box()
    assert box is not None
    plane.click(position={"x": 0.8 * box["width"], "y": 0.75 * box["height"]})
    page.wait_for_url(re.compile("start="))
    start = [float(value) for value in re.findall(r"start=(-?[\d.]+)(?:,|%2C)(-?[\d.]+)", page.url)[0]]
    said = f"μ ({start[0]:.2f}, {start[1]:.2f})".replace("-", "\N{MINUS SIGN}")
    expect(plane).to_have_attribute("aria-label", re.compile(re.escape(said)))
    assert start[0] > 4 and start[1] < 2, "right of the middle, and below it"
    plane.focus()
    for key in ("Shift+ArrowLeft", "ArrowUp", "Enter"):
        plane.press(key)
    left, up = (re.escape(f"{value:.4g}") for value in (start[0] - 1, start[1] + 0.25))
    page.wait_for_url(re.compile(f"start={left}(,|%2C){up}"))
    expect(plane).to_be_focused()
    expect(plane).to_have_attribute("aria-label", re.compile("Arrow keys choose a start, Enter begins there"))
    for told in ("a random node: no gradient passes", "an input: gradients pass"):
        expect(page.get_by_role("img", name=re.compile(told))).to_be_visible()
    svg = page.get_by_role("img", name=re.compile("an input: gradients pass"))
    svg.evaluate("(node) => { node.dataset.mark = 'the same'; }")
    before = svg.evaluate("(node) => getComputedStyle(node).color")
    page.emulate_media(color_scheme="dark")
    expect(svg).not_to_have_css("color", before)
    page.wait_for_timeout(300)
    expect(svg).to_have_attribute("data-mark", "the same", timeout=2000)  # it takes the new ink, and is not redrawn
    page.goto(f"{app}/reparameterisation?width=learned&rate=0.05")  # at the first steps, as the page says Play
    expect(plane).to_have_attribute(
        "aria-label", re.compile("ran off at step 3: its width left 1/1000 to 1000. Take more draws")
    )
    page.close()
