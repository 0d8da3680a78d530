"""How long from `streamlit run app.py` to a usable map, beside an empty Streamlit page that imports torch.

    python -m benchmarks.startup [--runs N]

Both are started by turns, each in a fresh server process and a fresh browser page.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from playwright.sync_api import Browser

from benchmarks.harness import APP, chromium, machine, median, served

EMPTY = "import streamlit as st, torch\nst.html('<i id=ready>ready</i>')\n"


def seconds_until(browser: Browser, script: Path | str, path: str, selector: str) -> float:
    began = time.perf_counter()
    with served(script) as address:
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(address + path)
        page.wait_for_selector(selector, state="attached", timeout=120_000)
        taken = time.perf_counter() - began
        page.close()
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    empty, usable = [], []
    with chromium() as browser:
        for _ in range(runs):
            empty.append(seconds_until(browser, EMPTY, "", "#ready"))
            usable.append(seconds_until(browser, APP, "/latent_map", '[data-testid="decoded"][data-z]'))
    print(machine())
    print(f"{'':44} {'median s':>9} {'worst s':>9}")
    print(f"{'empty page that imports torch':44} {median(empty):9.2f} {max(empty):9.2f}")
    print(f"{'the latent map, first picture decoded':44} {median(usable):9.2f} {max(usable):9.2f}")
    print(f"ratio of the medians: {median(usable) / median(empty):.2f}  (to reach: at most 2.5)")


if __name__ == "__main__":
    main()
