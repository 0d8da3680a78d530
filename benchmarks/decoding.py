"""The explorer in the browser: the time of a decode, from a real mouse move to the changed picture, pictures a
second under a fast hand, and how far every picture is from PyTorch's.

    python -m benchmarks.decoding [--latents N]

Headless Chromium, real (synthesised by the browser, not by a script in the page) mouse input. The latency runs
from the event's own time stamp to the moment that the canvas holds the new picture, in the same frame.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import time
from collections.abc import Iterable

import numpy as np
import torch
from playwright.async_api import Browser, Locator, Page, async_playwright

from benchmarks.chromium import find
from benchmarks.harness import APP, CHROMIUM_FLAGS, machine, median, quantile, served
from ui.cards import ModelCard
from vae_core.checkpoints import bundled, read_bundled
from vae_core.models import LatentModel

# Watches the decoded pictures: when each one changed, how long its decode took, how old the last mouse move was.
WATCH = """
(canvases) => {
  const seen = (window.__seen = { changes: [], decodes: [], latencies: [] });
  window.__observers = [];
  let moved = 0;
  window.addEventListener("pointermove", (event) => { moved = event.timeStamp; }, { capture: true });
  canvases.forEach((canvas, pane) => {
   const observer = new MutationObserver(() => {
    const now = performance.now();
    seen.decodes.push(Number(canvas.dataset.ms));
    if (pane === 0) { seen.changes.push(now); if (moved) { seen.latencies.push(now - moved); moved = 0; } }
   });
   observer.observe(canvas, { attributes: true, attributeFilter: ["data-z"] });
   window.__observers.push(observer);
  });
}
"""
DECODED = '[data-testid^="decoded"][data-z]'
MAPS = {
    "MLP 28x28": ("mnist-2d-vae-beta1", None),
    "MLP 28x28, two panes": ("mnist-2d-vae-beta1", "mnist-2d-ae"),
    "convolutional 28x28": ("mnist-10d-vae-beta1", None),
    "convolutional 64x64": ("sprites-10d-vae-beta4", None),
    "convolutional 64x64, two panes": ("sprites-10d-vae-beta4", "sprites-10d-vae-beta1"),
}
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
    from ui.cards import model_cards

    return model_cards()[name]


async def open_map(browser: Browser, address: str) -> tuple[Page, Locator]:
    page = await browser.new_page(viewport={"width": 1280, "height": 800})
    await page.goto(address)
    await page.wait_for_selector(DECODED, timeout=120_000)
    await page.wait_for_timeout(1500)
    return page, page.get_by_test_id("latent-map").locator("[tabindex='0']").first


async def hand(page: Page, plane: Locator, seconds: float, hertz: float) -> float:
    """Move a real mouse in curves over the plane; returns the moves a second that were really made.

    Nobody waits for the page between two moves, as no mouse does, and the pauses between moves vary, so that
    they do not keep one phase of the screen's frames.
    """
    box = await plane.bounding_box()
    assert box is not None
    session = await page.context.new_cdp_session(page)
    x0, y0, radius = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, 0.35 * min(box["width"], box["height"])
    rng, sent, began, due = random.Random(0), [], time.perf_counter(), 0.0
    while (now := time.perf_counter() - began) < seconds:
        x, y = x0 + radius * np.cos(1.7 * now), y0 + radius * np.sin(3.9 * now)
        move = {"type": "mouseMoved", "x": float(x), "y": float(y)}
        sent.append(asyncio.create_task(session.send("Input.dispatchMouseEvent", move)))
        due += rng.uniform(0.5, 1.5) / hertz
        await asyncio.sleep(max(0.0, due - (time.perf_counter() - began)))
    made = len(sent) / (time.perf_counter() - began)
    await asyncio.gather(*sent)
    return made


async def watch(page: Page, plane: Locator, seconds: float, hertz: float) -> tuple[dict[str, list[float]], float]:
    """What the decoded pictures did while the hand moved, and how often it moved a second."""
    await page.evaluate(WATCH, await page.locator(DECODED).element_handles())
    made = await hand(page, plane, seconds, hertz)
    await page.wait_for_timeout(200)
    return await page.evaluate(
        "() => { window.__observers.forEach((o) => o.disconnect()); return window.__seen; }"
    ), made


async def largest_difference(page: Page, plane: Locator, model: LatentModel, latents: int) -> float:
    """The largest difference from PyTorch at any pixel, in units of 1/255, over random points of the plane."""
    box = await plane.bounding_box()
    assert box is not None
    canvas = page.locator(DECODED).first
    worst = 0.0
    places = np.random.default_rng(0).uniform(0.15, 0.85, size=(latents, 2))
    for across, down in places:
        await page.mouse.move(box["x"] + across * box["width"], box["y"] + down * box["height"])
        await page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        z = torch.tensor([json.loads(await canvas.get_attribute("data-z") or "[]")])
        width, height, rgba = await canvas.evaluate(PIXELS)
        drawn = np.array(rgba, dtype=np.float32).reshape(height, width, 4)[..., 0]
        with torch.inference_mode():
            expected = model.decode(z)[0, 0].numpy() * 255
        assert drawn.shape == expected.shape, f"the canvas has {drawn.shape} pixels, the model {expected.shape}"
        worst = max(worst, float(np.abs(drawn - expected).max()))
    return worst


def report(title: str, values: Iterable[float], unit: str) -> None:
    ordered = list(values)
    print(f"{title:52} {median(ordered):8.2f} {quantile(ordered, 0.95):8.2f}  {unit}, {len(ordered)} seen")


async def measure(address: str, latents: int) -> None:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=find(), args=list(CHROMIUM_FLAGS))
        print(machine(), f"Chromium {browser.version}", sep=", ")
        print(f"{'':52} {'median':>8} {'p95':>8}")
        for title, (name, beside) in MAPS.items():
            page, plane = await open_map(browser, address + link(name, beside))
            await hand(page, plane, 1.0, 30)  # warm-up
            seen, _ = await watch(page, plane, 8.0, 25)
            report(f"{title}: one decode", seen["decodes"], "ms")
            report(f"{title}: mouse move to picture", seen["latencies"], "ms")
            fast, made = await watch(page, plane, 5.0, 125)
            rate = len(fast["changes"]) / 5.0
            print(f"{title + ': pictures a second':52} {rate:8.1f} {'':8}  at {made:.0f} moves a second")
            await page.close()
        print("to reach: decode p95 1 ms (MLP) and 5 ms (64x64), move to picture 12 ms median and 18 ms p95,")
        print("50 pictures a second at 125 moves a second")
        if latents:
            print(
                f"\nlargest difference from PyTorch, {latents} random latents a model, in units of 1/255 (to reach: 1)"
            )
        for name in bundled() if latents else ():
            model = read_bundled(name).model
            if isinstance(model, LatentModel):
                page, plane = await open_map(browser, address + link(name))
                print(f"{name:52} {await largest_difference(page, plane, model, latents):8.2f}")
                await page.close()
        await browser.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--latents", type=int, default=100, help="random latents a model, compared with PyTorch; 0: none"
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    with served(APP) as address:
        asyncio.run(measure(address, options.latents))


if __name__ == "__main__":
    main()
