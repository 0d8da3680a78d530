"""What the next press of a button will show, made while people still look at what the last one did."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress

from streamlit.runtime.scriptrunner import get_script_run_ctx

REST = 0.1  # seconds before each piece of work: the screen that was asked for comes first
MOST_WAITING = 8  # pieces; of a larger crowd, whoever asked first waits for his own

_asked = threading.local()  # by the part of a page that runs in this thread
_waiting: dict[tuple[str, str], Callable[[], object]] = {}  # by session and button, the newest last
_changed = threading.Condition()
_worker: threading.Thread | None = None


def prepare(button: str, make: Callable[[], object]) -> None:
    """Let `make` run in a thread of its own, once the part of the page that asks for it is drawn. What it calls has to
    be kept (st.cache_data, st.cache_resource) and to show nothing, not even a spinner. What goes wrong there is told
    when the page itself asks for it."""
    context = get_script_run_ctx(suppress_warning=True)
    _asked.pieces = [*getattr(_asked, "pieces", ()), ((context.session_id if context else "", button), make)]


def begin() -> None:
    """The part is drawn: what it asked for may be made. A newer wish of the same button takes the older one's place."""
    global _worker
    pieces, _asked.pieces = getattr(_asked, "pieces", ()), ()
    if not pieces:
        return
    with _changed:
        for key, make in pieces:
            _waiting.pop(key, None)
            _waiting[key] = make
        while len(_waiting) > MOST_WAITING:
            del _waiting[next(iter(_waiting))]
        if _worker is None:  # a daemon: no server waits for it when it stops
            _worker = threading.Thread(target=_work, name="ahead", daemon=True)
            _worker.start()
        _changed.notify()


def _work() -> None:
    while True:
        with _changed:
            while not _waiting:
                _changed.wait()
        time.sleep(REST)
        with _changed:
            make = _waiting.pop(next(iter(_waiting)))
        with suppress(Exception):  # see `prepare`
            make()
