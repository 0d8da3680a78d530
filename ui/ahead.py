"""What the next press of a button will show, made while people still look at what the last one did."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

REST = 0.15  # seconds before each piece of work: the screen that was asked for comes first
MOST_WAITING = 8  # pieces; of a larger crowd, whoever presses waits for his own

_worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ahead")
_waiting: set[object] = set()


def prepare(make: Callable[[], object]) -> None:
    """Let `make` run in a thread of its own, soon. What it calls has to be kept (st.cache_data, st.cache_resource)
    and to show nothing, not even a spinner. What goes wrong there is told when the page itself asks for it."""
    if len(_waiting) < MOST_WAITING:
        _waiting.add(make)
        _worker.submit(_run, make)


def _run(make: Callable[[], object]) -> None:
    try:
        time.sleep(REST)
        make()
    finally:
        _waiting.discard(make)
