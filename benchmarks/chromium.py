"""The Chromium of browser tests and benchmarks: one that is already there, else Debian's package, else Playwright's.

`python -m benchmarks.chromium` makes sure that there is one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def runs(path: str | None) -> bool:
    """Whether this is a browser that starts; on Ubuntu `chromium-browser` may be a hint to install a snap."""
    if path is None or not Path(path).exists():
        return False
    return subprocess.run([path, "--version"], capture_output=True, timeout=60, check=False).returncode == 0


def find() -> str | None:
    """The path of a Chromium: what CHROMIUM names, else the system's, else Playwright's; None where there is none."""
    for name in filter(None, (os.environ.get("CHROMIUM"), *NAMES)):
        if runs(path := shutil.which(name)):
            return path
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    return own if runs(own) else None


def administrator() -> list[str] | None:
    """What to put before a command that needs an administrator's rights; None where we have none."""
    if os.geteuid() == 0:
        return ["env"]
    sudo = ["sudo", "-n"]  # never asks for a password
    allowed = shutil.which("sudo") and subprocess.run([*sudo, "true"], capture_output=True, check=False).returncode == 0
    return [*sudo, "env"] if allowed else None


def install() -> None:
    """Debian's package where apt is there and may be used, else Playwright's download."""
    prefix = administrator() if shutil.which("apt-get") else None
    if prefix:
        apt = [*prefix, "DEBIAN_FRONTEND=noninteractive", "apt-get", "--quiet", "--yes"]
        attempt(*apt, "update")
        attempt(*apt, "install", "--no-install-recommends", "chromium")
    if find() is None:
        attempt(sys.executable, "-m", "playwright", "install", "chromium")


def attempt(*command: str) -> None:
    """Run a command that may fail; what counts is whether a browser is there afterwards."""
    subprocess.run(command, stdin=subprocess.DEVNULL, check=False)


if __name__ == "__main__":
    if find() is None:
        install()
    if (browser := find()) is None:
        sys.exit("No Chromium could be installed; install one by hand, so that `chromium --version` answers.")
    print(f"browser: {browser}")
