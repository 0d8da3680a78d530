"""Controls that go through the server: from the key press to the changed screen, beside an empty Streamlit page.

    python -m benchmarks.controls [--presses N] [--only WORD ...]

On every page a control is focused and an arrow key pressed; the clock stops when what the control changes has
changed on the screen. The floor is a page with one slider and one line of text.
"""

from __future__ import annotations

import argparse

from playwright.sync_api import Page

from benchmarks.harness import APP, chromium, machine, median, quantile, served

EMPTY = "import streamlit as st\nn = st.slider('n', 0, 1000, 500)\nst.html(f'<b id=shown>{n}</b>')\n"
SLIDER = '[data-testid="stSlider"] input[type="range"]'
DRAW_AGAIN = "button:has-text('Draw again')"

# Page, what to focus, the keys to press by turns, and an expression whose value the key changes.
CASES = (
    ("sampling grid: pictures a side", "/sampling_grid?n=10", SLIDER, ("ArrowRight", "ArrowLeft"), "sheet"),
    ("sampling grid: another seed", "/sampling_grid?codes=random+draws", DRAW_AGAIN, ("Enter",), "sheet"),
    ("structure: clusters", "/structure", SLIDER, ("ArrowRight", "ArrowLeft"), "content"),
    ("reduction: other images", "/reduction", "button:has-text('Other images')", ("Enter",), "content"),
    ("parts: next image", "/parts", "button:has-text('Next')", ("Enter",), "content"),
    ("generation: draw again", "/generation", DRAW_AGAIN, ("Enter",), "content"),
    ("denoising: level", "/denoising", SLIDER, ("ArrowRight", "ArrowLeft"), "content"),
    ("super-resolution: other", "/super_resolution", "button:has-text('Other pictures')", ("Enter",), "content"),
    ("colourisation: draw again", "/colourisation", "button:has-text('Draw again')", ("Enter",), "content"),
    ("anomaly: next images", "/anomaly", "button:has-text('Next ones')", ("Enter",), "content"),
    ("signals: another one", "/signals", "button:has-text('Another one')", ("Enter",), "content"),
    ("compression: other images", "/compression", "button:has-text('Other images')", ("Enter",), "content"),
    ("latent variables: noise", "/latent_variables", SLIDER, ("ArrowRight", "ArrowLeft"), "content"),
    ("inference: noise of two peaks", "/inference", SLIDER, ("ArrowRight", "ArrowLeft"), "content"),
    ("reparameterisation: draw", "/reparameterisation", "button:has-text('Another draw')", ("Enter",), "content"),
    ("conditional: other styles", "/conditional", "button:has-text('Other styles')", ("Enter",), "content"),
    ("discrete: another image", "/discrete", "button:has-text('Another image')", ("Enter",), "content"),
    ("loss: other draws", "/loss", "button:has-text('Other draws')", ("Enter",), "content"),
    ("results: other samples", "/results", "button:has-text('Other samples')", ("Enter",), "content"),
    ("disentanglement: another image", "/disentanglement", "button:has-text('Another image')", ("Enter",), "content"),
    ("names: other draws", "/names", "button:has-text('Other draws')", ("Enter",), "content"),
    ("VQ-VAE: other maps", "/vq_vae", "button:has-text('Other maps')", ("Enter",), "content"),
    ("VQ-VAE-2: other images", "/vq_vae2", "button:has-text('Other images')", ("Enter",), "content"),
    ("voice: another take", "/voice", "button:has-text('Another take')", ("Enter",), "content"),
    ("beyond: other samples", "/beyond_gaussian", "button:has-text('Other samples')", ("Enter",), "content"),
    ("collapse: other draws", "/collapse", "button:has-text('Other draws')", ("Enter",), "content"),
    ("limits: another image", "/limits", "button:has-text('Another image')", ("Enter",), "content"),
)  # fmt: skip
SCREENS = {
    "content": """() => [...document.querySelectorAll(
      "[data-testid=stMarkdown], [data-testid=stCaptionContainer], [data-testid=stHtml], [data-testid=stMain] img"
    )].map((node) => node.src ?? node.innerHTML).join()""",
    "text": "() => document.querySelector('#shown')?.textContent",
    "sheet": """() => {
      if (!window.__sheet?.isConnected) {  // inside a component's shadow, so it has to be looked for
        const roots = [...document.querySelectorAll("*")].map((node) => node.shadowRoot ?? node);
        window.__sheet = roots.map((root) => root.querySelector('[data-testid="sheet"] img')).find(Boolean);
      }
      const image = window.__sheet;
      return image?.complete && image.naturalWidth ? image.src : undefined;
    }""",
}
# Resolves with the milliseconds from the next key press to the first change of what `read` returns.
TIME = """
(read) => new Promise((done) => {
  const value = eval(read);
  const before = value();
  let pressed = 0;
  window.addEventListener("keydown", (event) => { pressed = event.timeStamp; }, { capture: true, once: true });
  const look = () => {
    const now = value();
    if (pressed && now !== undefined && now !== before) done(performance.now() - pressed);
    else setTimeout(look, 1);
  };
  look();
})
"""


def presses(page: Page, focus: str, keys: tuple[str, ...], read: str, count: int) -> list[float]:
    times = []
    for i in range(count + 2):
        page.locator(focus).first.focus()
        page.evaluate(f"() => {{ window.__time = ({TIME})({SCREENS[read]!r}); }}")
        page.keyboard.press(keys[i % len(keys)])
        times.append(page.evaluate("() => window.__time"))
        page.wait_for_timeout(400)
    return times[2:]  # the first ones warm the caches


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--presses", type=int, default=20)
    parser.add_argument("--only", nargs="+", default=[""], help="the beginnings of the cases' names")
    options = parser.parse_args()
    count = options.presses
    cases = [case for case in CASES if case[0].startswith(tuple(options.only))]
    with chromium() as browser:
        print(machine())
        print(f"{'':44} {'median ms':>10} {'p95 ms':>8} {'of the floor':>13}")
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        with served(EMPTY) as address:
            page.goto(address)
            page.wait_for_selector("#shown")
            floor = presses(page, SLIDER, ("ArrowRight", "ArrowLeft"), "text", count)
        print(f"{'an empty page: slider to text':44} {median(floor):10.0f} {quantile(floor, 0.95):8.0f} {1:13.2f}")
        with served(APP) as address:
            for title, path, focus, keys, read in cases:
                page.goto(address + path)
                page.wait_for_selector(focus, timeout=60_000)
                page.wait_for_timeout(3000)
                times = presses(page, focus, keys, read, count)
                ratio = median(times) / median(floor)
                print(f"{title:44} {median(times):10.0f} {quantile(times, 0.95):8.0f} {ratio:13.2f}")
    print("to reach: at most 2 times the floor")


if __name__ == "__main__":
    main()
