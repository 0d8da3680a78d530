"""The app, or any Streamlit script, in a real browser; for the benchmarks and for the browser tests."""

from __future__ import annotations

import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from benchmarks.chromium import find

PROJECT = Path(__file__).resolve().parent.parent
APP = PROJECT / "app.py"
CHROMIUM_FLAGS = ("--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync")


@contextmanager
def chromium() -> Iterator[Browser]:
    """Headless Chromium. Raises RuntimeError where there is none."""
    path = find()
    if path is None:
        raise RuntimeError("There is no Chromium on this machine; `make browser` installs one.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(CHROMIUM_FLAGS))
        try:
            yield browser
        finally:
            browser.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def served(script: Path | str, *, environment: dict[str, str] | None = None) -> Iterator[str]:
    """Run a Streamlit script (a file, or the text of one) and yield its address once the server answers."""
    with tempfile.TemporaryDirectory() as folder:
        if isinstance(script, str):
            path = Path(folder) / "page.py"
            path.write_text(script, encoding="utf-8")
        else:
            path = script
        port = free_port()
        command = [
            sys.executable, "-m", "streamlit", "run", str(path), "--server.port", str(port),
            "--server.headless", "true", "--server.fileWatcherType", "none",
        ]  # fmt: skip
        with (Path(folder) / "server.log").open("w+") as log:
            process = subprocess.Popen(
                command, cwd=PROJECT, env={**os.environ, **(environment or {})}, stdout=log, stderr=subprocess.STDOUT
            )
            try:
                wait_for_server(port, process)
                yield f"http://127.0.0.1:{port}"
            finally:
                process.terminate()
                process.wait(60)  # on a busy machine it takes its time


def wait_for_server(port: int, process: subprocess.Popen[bytes], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=1).close()
            return
        except OSError:
            if process.poll() is not None:
                raise RuntimeError(f"the server stopped with exit code {process.returncode}") from None
            time.sleep(0.02)
    raise TimeoutError(f"the server did not answer within {seconds} s")


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which a share of the values lies, by linear interpolation."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def machine() -> str:
    """What a figure depends on."""
    versions = ", ".join(f"{name} {version(name)}" for name in ("streamlit", "torch", "plotly"))
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, {versions}"
