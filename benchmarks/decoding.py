"""The explorer in the browser: the time of a decode, from a real mouse move to the changed picture, pictures a
second under a fast hand, and how far every picture is from PyTorch's.

    python -m benchmarks.decoding [--latents N] [--skip-equality]

Headless Chromium, real (synthesised by the browser, not by a script in the page) mouse input. The latency runs
from the event's own time stamp to the moment that the canvas holds the new picture, in the same frame.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterable

import numpy as np
import torch
from playwright.sync_api import Browser, Locator, Page

from benchmarks.harness import APP, chromium, machine, median, quantile, served
from ui.cache import ModelCard
from vae_core.checkpoints import bundled, read_bundled
from vae_core.models import LatentModel

# Watches the decoded pictures: when each one changed, how long its decode took, how old the last mouse move was.
WATCH = """
(canvases) => {
  const seen = (window.__seen = { changes: [], decodes: [], latencies: [] });
  let moved = 0;
  window.addEventListener("pointermove", (event) => { moved = event.timeStamp; }, { capture: true });
  canvases.forEach((canvas, pane) => new MutationObserver(() => {
    const now = performance.now();
    seen.decodes.push(Number(canvas.dataset.ms));
    if (pane === 0) { seen.changes.push(now); if (moved) { seen.latencies.push(now - moved); moved = 0; } }
  }).observe(canvas, { attributes: true, attributeFilter: ["data-z"] }));
}
"""
PIXELS = """
(canvas) => {
  const { width, height } = canvas;
  return [width, height, Array.from(canvas.getContext("2d").getImageData(0, 0, width, height).data)];
}
"""


def link(name: str, beside: str | None = None) -> str:
    """The address of the latent map for one bundled model, or for two."""
    card = card_of(name)
    query = f"?data={card.family}&model={card.variant}"
    return f"/latent_map{query}{f'&beside={card_of(beside).variant}' if beside else ''}".replace(" ", "+")


def card_of(name: str) -> ModelCard:
    from ui.cache import model_cards

    return model_cards()[name]


def open_map(browser: Browser, address: str) -> tuple[Page, Locator]:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(address)
    page.wait_for_selector('[data-testid^="decoded"][data-z]', timeout=120_000)
    page.wait_for_timeout(1500)
    return page, page.get_by_test_id("latent-map").locator("canvas[tabindex='0'], [tabindex='0'] canvas").first


def hand(page: Page, plane: Locator, seconds: float, hertz: float) -> float:
    """Move a real mouse in circles over the plane; returns the moves a second that were really made."""
    box = plane.bounding_box()
    assert box is not None
    session = page.context.new_cdp_session(page)
    x0, y0, radius = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, 0.35 * min(box["width"], box["height"])
    moves, began = 0, time.perf_counter()
    while (now := time.perf_counter() - began) < seconds:
        angle = 1.7 * now
        session.send(
            "Input.dispatchMouseEvent",
            {"type": "mouseMoved", "x": x0 + radius * np.cos(angle), "y": y0 + radius * np.sin(2.3 * angle)},
        )
        moves += 1
        time.sleep(max(0.0, moves / hertz - (time.perf_counter() - began)))
    return moves / (time.perf_counter() - began)


def watch(page: Page, plane: Locator, seconds: float, hertz: float) -> dict[str, list[float]]:
    canvases = page.locator('[data-testid^="decoded"][data-z]').element_handles()
    page.evaluate(WATCH, canvases)
    made = hand(page, plane, seconds, hertz)
    page.wait_for_timeout(200)
    seen = page.evaluate("() => window.__seen")
    return {**seen, "hertz": [made]}


def largest_difference(page: Page, plane: Locator, model: LatentModel, latents: int) -> float:
    """The largest difference from PyTorch at any pixel, in units of 1/255, over random points of the plane."""
    box = plane.bounding_box()
    assert box is not None
    canvas = page.locator('[data-testid^="decoded"][data-z]').first
    worst = 0.0
    places = np.random.default_rng(0).uniform(0.15, 0.85, size=(latents, 2))
    for across, down in places:
        page.mouse.move(box["x"] + across * box["width"], box["y"] + down * box["height"])
        page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        z = torch.tensor([json.loads(canvas.get_attribute("data-z") or "[]")])
        width, height, rgba = canvas.evaluate(PIXELS)
        drawn = np.array(rgba, dtype=np.float32).reshape(height, width, 4)[..., 0]
        with torch.inference_mode():
            expected = model.decode(z)[0, 0].numpy() * 255
        assert drawn.shape == expected.shape, f"the canvas has {drawn.shape} pixels, the model {expected.shape}"
        worst = max(worst, float(np.abs(drawn - expected).max()))
    return worst


def report(title: str, values: Iterable[float], unit: str) -> None:
    ordered = list(values)
    print(f"{title:52} {median(ordered):8.2f} {quantile(ordered, 0.95):8.2f}  {unit}, {len(ordered)} seen")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latents", type=int, default=100, help="random latents a model, compared with PyTorch")
    parser.add_argument("--skip-equality", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    maps = {
        "MLP 28x28": ("mnist-2d-vae-beta1", None),
        "MLP 28x28, two panes": ("mnist-2d-vae-beta1", "mnist-2d-ae"),
        "convolutional 28x28": ("mnist-10d-vae-beta1", None),
        "convolutional 64x64": ("sprites-10d-vae-beta4", None),
        "convolutional 64x64, two panes": ("sprites-10d-vae-beta4", "sprites-10d-vae-beta1"),
    }
    with served(APP) as address, chromium() as browser:
        print(machine(), f"Chromium {browser.version}", sep=", ")
        print(f"{'':52} {'median':>8} {'p95':>8}")
        for title, (name, beside) in maps.items():
            page, plane = open_map(browser, address + link(name, beside))
            hand(page, plane, 1.0, 60)  # warm-up
            seen = watch(page, plane, 5.0, 60)
            report(f"{title}: one decode", seen["decodes"], "ms")
            report(f"{title}: mouse move to picture, 60 Hz", seen["latencies"], "ms")
            fast = watch(page, plane, 5.0, 125)
            changes = len(fast["changes"]) / 5.0
            print(f"{title + ': pictures a second':52} {changes:8.1f} {'':8}  at {fast['hertz'][0]:.0f} moves a second")
            page.close()
        if options.skip_equality:
            return
        print(f"\nlargest difference from PyTorch, {options.latents} random latents a model, in units of 1/255")
        for name in bundled():
            model = read_bundled(name).model
            if isinstance(model, LatentModel):
                page, plane = open_map(browser, address + link(name))
                print(f"{name:52} {largest_difference(page, plane, model, options.latents):8.2f}")
                page.close()


if __name__ == "__main__":
    main()
