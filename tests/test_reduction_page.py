"""The page on dimensionality reduction: what is shown is what was measured; trainings that end, and that stop."""

from __future__ import annotations

import json
import re
import threading

import numpy as np
import pytest
import torch
from playwright.sync_api import Browser, expect
from streamlit.testing.v1 import AppTest

from tests.lessons import opened, text
from ui.cache import held_out
from ui.figures.reduction import angle_lines, error_curves, signed_pictures
from ui.jobs import Job
from ui.lessons import reduction as lesson
from vae_core.errors import InvalidInput
from vae_core.folders import PROJECT
from vae_core.latent.pca import principal_angles
from vae_core.recipes.reduction import LATENTS_REDUCTION


def press(page: AppTest, key: str) -> AppTest:
    return page.button(key=key).click().run()


def trained(page: AppTest, button: str, job: str) -> AppTest:
    """Press a button that begins a training, and wait for its end."""
    press(page, button)
    if job in page.session_state:
        page.session_state[job].thread.join()
        page.run()
    assert not page.exception and not page.error and job not in page.session_state
    return page


def test_what_the_results_say_is_what_the_models_do() -> None:
    """Every kept error again, on the first images, and the shares that the page draws from it."""
    measured = lesson.results()
    assert [row["latent"] for row in measured["rows"]] == list(LATENTS_REDUCTION)
    source = held_out("mnist")
    x = source.images(torch.arange(len(source)))
    assert measured["held_out"] == len(source)
    assert measured["variance"] == pytest.approx((x - x.mean(0)).square().mean().item(), rel=1e-4)
    row = next(row for row in measured["rows"] if row["latent"] == 8)
    for method in lesson.METHODS:
        assert lesson.error(x, lesson.reconstructed(method, 8, x)) == pytest.approx(row[method], rel=1e-3)


def test_the_kept_linear_autoencoders_reach_what_pca_reaches() -> None:
    """The bundle's promise: within 0.5 % of PCA's error and within a degree of its subspace."""
    for row in lesson.results()["rows"]:
        assert abs(row["linear"] / row["pca"] - 1) < 0.005
        assert row["deep"] < row["pca"]
        assert row["angle"] <= 1
    found = lesson.linear()
    basis = found.models[16].matrices[2].numpy()
    assert principal_angles(basis, found.pca.directions[:16].T)[-1] <= 1


def test_a_damaged_or_missing_file_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    damaged = PROJECT / "README.md"
    monkeypatch.setattr(lesson, "WEIGHTS", damaged)
    monkeypatch.setattr(lesson, "RESULTS", damaged)
    for load in (lesson.linear, lesson.results):
        load.clear()  # type: ignore[attr-defined]
        with pytest.raises(InvalidInput, match=r"README\.md.*benchmarks\.linear"):
            load()
    page = opened("reduction")
    assert not page.exception
    monkeypatch.undo()


def test_the_page_shows_what_was_measured() -> None:
    page = opened("reduction", latent="16")
    assert not page.exception and not page.error and not page.warning
    figure = json.loads(page.get("plotly_chart")[0].proto.spec)
    assert [line["name"] for line in figure["data"]] == list(lesson.TITLES.values())
    assert page.title[0].value.endswith("?")
    words = text(page)
    assert "trained on the 60,000 training images" in words and "10,000 of 10,000 held-out images" in words


@pytest.mark.parametrize(
    ("key", "value"),
    [("latent", "3"), ("latent", "nan"), ("data", "Fashion 2-D"), ("set", "1666"), ("linear", "65"), ("turn", "1e9"),
     ("start", "-1"), ("images", "31"), ("images", "nan"), ("draw", "x")],
)  # fmt: skip
def test_a_link_that_asks_for_nonsense_gets_a_sentence(key: str, value: str) -> None:
    page = opened("reduction", **{key: value})
    assert not page.exception and not page.error
    assert any("The link asks for" in warning.value for warning in page.warning)


def test_training_the_linear_autoencoder_ends_within_a_degree_of_pca() -> None:
    page = trained(opened("reduction", linear="4"), "train linear", "linear job")
    trace = page.session_state["linear trace"]
    assert trace.ended and trace.latent == 4
    assert trace.angles[0][-1] > 45 and trace.angles[-1][-1] <= 1
    assert abs(trace.excess[-1]) < 0.005
    assert "Ended by itself" in text(page)
    trained(page, "train linear", "linear job")
    assert page.session_state["linear trace"].start == 1, "again means from another start"
    page = page.segmented_control(key="linear").set_value("8").run()
    assert "Press Train" in text(page), "what was trained with 4 latents is not shown for 8"


def test_a_training_can_be_watched_and_stopped() -> None:
    page = press(opened("reduction", linear="64"), "train linear")
    assert page.button(key="train linear").disabled
    job = page.session_state["linear job"]
    press(page, "stop linear job")
    job.thread.join(30)
    page.run()
    assert not job.is_running and not page.exception and "linear job" not in page.session_state
    assert not page.session_state["linear trace"].ended
    assert "Stopped after" in text(page) or "Press Train" in text(page)


def test_what_goes_wrong_in_a_training_reaches_the_page() -> None:
    def work() -> lesson.Work:
        yield 0.5, "half"
        raise InvalidInput("this sentence")

    page = opened("reduction")
    job = page.session_state["memory job"] = Job(work())
    job.thread.join()
    page.run()
    assert [error.value for error in page.error] == ["this sentence"]
    assert not page.run().error, "said once"


def test_trainings_wait_for_their_turn_and_can_be_stopped_there() -> None:
    gate = threading.Event()

    def work() -> lesson.Work:
        gate.wait(30)
        yield 1.0, "done"

    jobs = [Job(work()) for _ in range(3)]
    jobs[2].thread.join(0.5)
    assert jobs[2].is_running and "Waiting" in jobs[2].words
    jobs[2].stop()
    jobs[2].thread.join(10)
    assert not jobs[2].is_running and jobs[0].is_running
    gate.set()
    for job in jobs:
        job.thread.join(10)
    assert [job.words for job in jobs[:2]] == ["done", "done"]


def test_few_images_are_known_by_heart_and_others_are_not() -> None:
    page = trained(opened("reduction", images="4"), "train memory", "memory job")
    memory = page.session_state["memory"]
    assert memory.ended and len(memory.images) == 4 and memory.model.config.latent == 1
    assert memory.errors[-1] < 1e-4
    others = held_out("mnist").images(torch.arange(100))
    with torch.no_grad():
        assert lesson.error(others, memory.model.decode(memory.model.encode(others).mean)) > 0.05
    assert "on the memorised images" in text(page)


def test_signed_pictures_are_white_at_zero() -> None:
    pictures = signed_pictures(np.array([[0.0, -2.0, 1.0, 2.0], [0.0, 0.0, 0.0, 0.0]]), 2, 2)
    assert pictures.shape == (2, 3, 2, 2) and pictures.dtype == np.uint8
    assert pictures[0, :, 0, 0].tolist() == [247, 247, 247] and (pictures[1] == 247).all()
    assert pictures[0, 2, 0, 1] > pictures[0, 0, 0, 1], "blue below zero"
    assert pictures[0, 0, 1, 1] > pictures[0, 2, 1, 1], "red above"


def test_figures_draw_what_they_are_given() -> None:
    figure = error_curves([1, 2, 4], [[3, 2, 1]] * 3, ["a", "b", "c"], ["#000"] * 3, 4.0, 2)
    assert [list(line.y) for line in figure.data] == [[3, 2, 1]] * 3
    figure = angle_lines([0, 25], np.array([[10.0, 90.0], [0.1, 0.4]]), "#000", 25)
    assert [list(line.y) for line in figure.data] == [[10, 0.1], [90, 0.4]]
    assert "0.40" in figure.layout.annotations[0].text
    empty = angle_lines([], np.zeros((0, 1)), "#000", 400)
    assert [note.text for note in empty.layout.annotations] == ["Nothing has been trained yet."]


@pytest.mark.browser
def test_in_a_browser_the_line_decodes_under_the_hand(app: str, browser: Browser) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(f"{app}/reduction?images=3")
    page.get_by_role("button", name="Memorise", exact=True).click(timeout=60_000)
    decoded = page.get_by_test_id("decoded-line")
    expect(decoded).to_have_attribute("data-z", re.compile(r"^\[-?\d"), timeout=60_000)
    halfway = decoded.evaluate("canvas => canvas.toDataURL()")
    page.get_by_role("button", name="To the mark on the right").click()
    page.wait_for_function(
        "([canvas, before]) => canvas.toDataURL() !== before", arg=[decoded.element_handle(), halfway]
    )
    right = page.get_by_role("img", name=re.compile("Left mark: image"))  # a mark belongs to its left side
    expect(right).to_be_visible()
    page.close()
