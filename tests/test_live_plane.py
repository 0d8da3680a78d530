"""A training in a real browser: started, watched while its plane moves, reloaded, stopped, resumed, replayed."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.test_explorer import TWO_FRAMES, json_numbers
from vae_core.runs import runs

pytestmark = pytest.mark.browser
PATIENCE = 120_000  # ms; a worker loads PyTorch, on two cores that others use as well
PICTURE = "(canvas) => canvas.toDataURL()"
STEP_AND_PICTURE = """(film) => [film.dataset.step, film.querySelector("[data-testid=plane]").toDataURL()]"""


@pytest.fixture
def page(browser: Browser) -> Page:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(60_000)
    return context.new_page()


def test_a_training_is_watched_stopped_resumed_and_replayed(page: Page, app: str) -> None:
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"{app}/train?latent=2&epochs=6&batch=2048&beta=2")
    film, plane = page.get_by_test_id("live-plane"), page.get_by_test_id("plane")
    standing = page.locator(".st-key-standing")
    expect(page.get_by_text(re.compile("^About .* here"))).to_be_visible(timeout=PATIENCE)
    expect(film).to_have_attribute("data-frames", "0")

    page.get_by_role("button", name="Start", exact=True).click()
    expect(film).to_have_attribute("data-frames", re.compile("^[1-9]"), timeout=PATIENCE)
    page.wait_for_url("**run=mnist-2d-vae-beta2*")
    step, before = film.evaluate(STEP_AND_PICTURE)
    expect(film).not_to_have_attribute("data-step", step, timeout=PATIENCE)  # it follows by itself
    later, picture = film.evaluate(STEP_AND_PICTURE)
    assert int(later) > int(step) and picture != before

    page.reload()  # whoever comes back sees the same run
    expect(film).to_have_attribute("data-frames", re.compile("^[1-9]"), timeout=PATIENCE)
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(standing).to_contain_text("Stopped.", timeout=PATIENCE)
    (run,) = [each for each in runs() if each.name == "mnist-2d-vae-beta2"]
    stopped = run.status()
    assert stopped.state == "stopped" and 0 < stopped.step < stopped.steps

    page.get_by_role("button", name="Resume", exact=True).click()
    expect(standing).to_contain_text("Finished", timeout=PATIENCE)
    assert run.status().step == stopped.steps
    steps = run.frames()
    expect(film).to_have_attribute("data-frames", str(len(steps)), timeout=PATIENCE)
    expect(film).to_have_attribute("data-step", str(steps[-1]))
    expect(page.get_by_test_id("strips")).to_have_attribute("data-step", str(steps[-1]))

    slider = page.get_by_role("slider", name="Frame of the training")
    last = plane.evaluate(PICTURE)
    slider.press("ArrowLeft")
    expect(film).to_have_attribute("data-step", str(steps[-2]))
    page.evaluate(TWO_FRAMES)
    assert plane.evaluate(PICTURE) != last
    page.wait_for_url(f"**step={steps[-2]}*")
    box = slider.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 2, box["y"] + box["height"] / 2)
    expect(film).to_have_attribute("data-step", "0")
    page.get_by_role("button", name="Play", exact=True).click()
    expect(film).to_have_attribute("data-step", str(steps[-1]), timeout=60_000)
    page.evaluate(TWO_FRAMES)
    assert plane.evaluate(PICTURE) == last
    assert complaints == []

    page.locator(".st-key-standing").get_by_role("link", name="Latent map").click()
    page.wait_for_url("**/latent_map*")
    page.goto(f"{app}/latent_map?data=MNIST+2-D&model=run+mnist-2d-vae-beta2")
    expect(page.get_by_test_id("decoded")).to_have_attribute("data-z", json_numbers(), timeout=PATIENCE)
    expect(page.get_by_text("mnist-2d-vae-beta2").first).to_be_visible()
