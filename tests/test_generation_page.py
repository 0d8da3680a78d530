"""As a generative model: the numbers on the screen are those of the core, and a hand on the map decodes the spot."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from streamlit.testing.v1 import AppTest

from tests.lessons import opened
from tests.test_explorer import TWO_FRAMES, drawn, json_numbers, latent
from ui import cache
from ui.figures import generation as figures
from ui.lessons import generation as lesson
from vae_core.checkpoints import read_bundled
from vae_core.latent.holes import share_of

AUTOENCODER, VAE = "mnist-2d-ae", "mnist-2d-vae-beta1"


def told(page: AppTest) -> list[list[int]]:
    """Of each model the counts under its draws: without a clear class, in a hole."""
    found = [re.findall(r"\*\*(\d+) of 60\*\*", markdown.value) for markdown in page.markdown]
    return [[int(count) for count in counts] for counts in found if counts]


def test_counts_on_the_screen_are_those_of_the_draws_and_another_draw_has_others() -> None:
    page = opened("generation")
    assert not page.exception and not page.error and not page.warning
    assert page.title[0].value.endswith("?")
    for name, counts in zip((AUTOENCODER, VAE), told(page), strict=True):
        made = lesson.drawn(name, lesson.BOX, 60, 0)
        assert counts == [int((made.confidence < 0.9).sum()), int((made.radii > 1).sum())]  # type: ignore[operator]
    before = told(page)
    page.button[0].click().run()
    assert page.query_params["seed"] == "1"
    assert told(page) != before
    assert "none of them from an image" in " ".join(caption.value for caption in page.caption)


def test_a_fitted_gaussian_misses_the_data_less_than_the_box() -> None:
    """And with two latents the autoencoder's draws are no less clear than its VAE's: what the page says."""
    holes = {source: lesson.measured(AUTOENCODER, source).holes for source in lesson.SOURCES}
    assert holes[lesson.BOX].value > 0.6 > 0.2 > holes[lesson.GAUSSIAN].value  # type: ignore[union-attr]
    one, two = (lesson.measured(name, lesson.GAUSSIAN).unclear for name in (AUTOENCODER, VAE))
    assert abs(one.value - two.value) < 0.06  # type: ignore[union-attr]
    assert lesson.measured(AUTOENCODER, lesson.BOX).kinds.value < 6.5  # type: ignore[union-attr]


def test_one_model_alone_and_more_latents_than_a_map_has() -> None:
    page = opened("generation", data="Sprites 10-D")
    assert not page.exception and not page.error
    said = " ".join(info.value for info in page.info)
    assert "There is no autoencoder with 10 latents of Sprites" in said and "no map" in said
    assert len(told(page)) == 1


def test_the_classifiers_layer_and_clothes() -> None:
    page = opened("generation", data="Fashion 2-D", source="the prior", colour="what the classifier says")
    assert not page.exception and not page.error and not page.warning
    assert any("fashion-classifier" in caption.value for caption in page.caption)


@pytest.mark.parametrize("key", ["data", "source", "model", "seed", "colour", "spots"])
def test_a_link_that_asks_for_nonsense_gets_a_sentence(key: str) -> None:
    page = opened("generation", **{key: "<script>"})
    assert not page.exception and not page.error
    assert any("The link asks for" in warning.value for warning in page.warning)


def test_codes_are_those_that_the_decoder_met() -> None:
    assert torch.equal(lesson.met(AUTOENCODER).codes, cache.encoded(AUTOENCODER).codes)
    cloud, codes = cache.encoded(VAE), lesson.met(VAE).codes
    noise = (codes - cloud.codes) / cloud.std  # standard normal, as in training
    assert float(noise.mean()) == pytest.approx(0, abs=0.03) and float(noise.std()) == pytest.approx(1, abs=0.03)


def test_one_seed_is_one_draw_in_each_models_own_units() -> None:
    one, two = (lesson.draw_codes(name, lesson.PRIOR, 7, 3) for name in (AUTOENCODER, VAE))
    assert torch.equal(one, two)
    box = lesson.met(AUTOENCODER).box
    draws = lesson.draw_codes(AUTOENCODER, lesson.BOX, 500, 3)
    assert share_of((draws >= box.low).all(dim=1) & (draws <= box.high).all(dim=1)).value == 1


def test_principal_codes_agree_with_the_exact_decomposition() -> None:
    points = torch.randn(400, 60) @ torch.diag(torch.linspace(3, 0.1, 60)) + 5
    found = lesson.principal_codes(points, 4, rounds=60)
    exact = torch.linalg.svd(points - points.mean(dim=0), full_matrices=False)
    assert torch.allclose(found.abs(), (exact.U * exact.S)[:, :4].abs(), atol=0.02)


def test_specimens_take_a_class_after_another() -> None:
    labels = cache.held_out("mnist").labels[list(lesson.specimens("mnist", 12))]
    assert labels.tolist() == [*range(10), 0, 1]


def test_distances_have_their_places_on_a_logarithmic_scale() -> None:
    places = figures.log_place(np.array([0.0, 0.1, 3.0**0.5, 30.0, 1e9]))
    assert places == pytest.approx([0, 0, 0.5, 1, 1], abs=1e-6)


def test_a_white_line_stands_around_the_holes() -> None:
    radii = np.full((6, 6), 0.2)
    radii[2:4, 2:4] = 9.0
    picture = figures.distance_picture(radii)
    cell = figures.CELL
    white = (picture == 255).all(axis=2)
    assert white.sum() == 4 * (2 * cell - 1) and white[2 * cell, 2 * cell] and not white[2 * cell + 1, 2 * cell + 1]


def test_a_class_is_written_in_the_depth_of_its_region() -> None:
    seen, sure = np.zeros((9, 9), int), np.ones((9, 9))
    seen[:, 4:] = 1
    places = figures.name_places(sure, seen, ["left", "right", "nowhere"])
    assert [name for _, _, name in places] == ["left", "right"]
    assert places[0][0] < 4 / 9 < places[1][0] and 0.2 < places[1][1] < 0.8


def test_only_marked_pictures_have_a_frame() -> None:
    images = np.full((5, 1, 4, 4), 7, np.uint8)
    sheet = figures.marked_sheet(images, np.arange(5) == 3, 3)
    assert sheet.shape == (16, 24, 3)
    assert (sheet[8, :8] == figures.MARK).all() and (sheet[0] == 0).all()
    assert (sheet[2:6, 2:6] == 7).all() and (sheet[10:14, 18:22] == 0).all()  # the sixth place is empty


@pytest.mark.browser
def test_main_path(browser: Browser, app: str) -> None:
    """Choose a place, draw again, point at a hole: the spot is decoded as PyTorch would, and kept in the link."""
    page: Page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.goto(f"{app}/generation")
    spot = page.get_by_test_id("spot-0")
    expect(spot).to_have_attribute("data-z", json_numbers(), timeout=90_000)
    page.get_by_role("radio", name="a fitted Gaussian").click()
    expect(page.get_by_text("Draws, codes from the Gaussian fitted to its codes").first).to_be_visible(timeout=60_000)
    page.get_by_role("button", name="Draw again").click()
    page.wait_for_url(re.compile("seed=1"))
    plane = page.get_by_test_id("plane-0")
    plane.scroll_into_view_if_needed()
    plane.hover(position={"x": 40, "y": 400})  # a corner far from all codes
    for _ in range(50):  # until the pointer's last move is decoded and drawn
        page.evaluate(TWO_FRAMES)
        with torch.inference_mode():
            expected = read_bundled(AUTOENCODER).model.decode(torch.tensor([latent(spot)]))  # type: ignore[operator]
        if (off := np.abs(drawn(spot) - expected[0, 0].numpy() * 255).max()) <= 1.0:
            break
    assert off <= 1.0
    expect(page.get_by_text("data radii from data: a hole").first).to_be_visible()
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save as PNG").click()
    with Image.open(saved.value.path()) as picture:
        assert picture.size[0] > 1280 and len(picture.convert("RGB").getcolors(1 << 24)) > 100
    plane.click(position={"x": 40, "y": 400})
    page.wait_for_url(re.compile("spots="))
    kept = latent(spot)
    page.reload()
    expect(spot).to_have_attribute("data-z", json_numbers(), timeout=90_000)
    assert latent(spot) == pytest.approx(kept, rel=1e-3)
