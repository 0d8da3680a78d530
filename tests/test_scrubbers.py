"""The scrubbed views in a real browser: a hand on a strip or a row decodes what PyTorch would."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from playwright.sync_api import Browser, Page, expect

from tests.test_explorer import TWO_FRAMES, drawn, json_numbers, latent
from vae_core.checkpoints import read_bundled
from vae_core.data import DATASETS
from vae_core.latent.paths import spherical, straight

pytestmark = pytest.mark.browser


@pytest.fixture
def page(browser: Browser) -> Page:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(60_000)
    return context.new_page()


def codes(name: str, *images: int) -> torch.Tensor:
    checkpoint = read_bundled(name)
    with torch.inference_mode():
        pictures = DATASETS[checkpoint.dataset].load("test").images(torch.tensor(images))
        return checkpoint.model.encode(pictures).mean  # type: ignore[operator]


@pytest.mark.parametrize(("path", "walk"), [("straight", straight), ("spherical", spherical)])
def test_a_hand_on_the_path_decodes_the_codes_that_the_core_computes(page: Page, app: str, path: str, walk) -> None:  # type: ignore[no-untyped-def]
    page.goto(f"{app}/interpolation?a=7&b=40&path={path}&t=0.25")
    pictures = [page.get_by_test_id(f"decoded-{i}") for i in range(2)]
    for picture, name in zip(pictures, ("mnist-2d-vae-beta1", "mnist-2d-ae"), strict=True):
        expect(picture).to_have_attribute("data-z", json_numbers(), timeout=90_000)
        start, end = codes(name, 7, 40)
        assert latent(picture) == pytest.approx(walk(start, end, 5)[1].tolist(), abs=1e-3)
    before = latent(pictures[0])
    page.get_by_role("slider").first.focus()
    page.keyboard.press("ArrowRight")
    page.evaluate(TWO_FRAMES)
    assert latent(pictures[0]) != before
    with torch.inference_mode():
        expected = read_bundled("mnist-2d-vae-beta1").model.decode(torch.tensor([latent(pictures[0])]))  # type: ignore[operator]
    assert np.abs(drawn(pictures[0]) - expected[0, 0].numpy() * 255).max() <= 1.0


def test_a_hand_on_a_row_moves_one_latent_of_the_sprites(page: Page, app: str) -> None:
    page.goto(f"{app}/traversals?data=Sprites+10-D&model=beta+8")
    picture = page.get_by_test_id("decoded")
    expect(picture).to_have_attribute("data-z", json_numbers(), timeout=90_000)
    rest = latent(picture)
    row = page.get_by_role("slider").first
    box = row.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 0.8 * box["width"], box["y"] + 0.5 * box["height"])
    page.evaluate(TWO_FRAMES)
    moved = latent(picture)
    assert sum(abs(a - b) > 1e-6 for a, b in zip(rest, moved, strict=True)) == 1
    with torch.inference_mode():
        expected = read_bundled("sprites-10d-vae-beta8").model.decode(torch.tensor([moved]))  # type: ignore[operator]
    assert np.abs(drawn(picture) - expected[0, 0].numpy() * 255).max() <= 1.0
