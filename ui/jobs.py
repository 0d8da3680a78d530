"""Work that a page starts and that takes seconds: in a thread of its own, with a look at how far it is, and a Stop."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import streamlit as st

turns = threading.BoundedSemaphore(2)  # trainings at once; a whole class would slow down each one's
Work = Iterator[tuple[float, str]]  # which share is done, and what is going on


class Job:
    """Work in a thread of its own: the page stays usable, shows how far it is, and can stop it. (A part of a
    page that runs by itself cannot be interrupted by a button of its own.)"""

    def __init__(self, work: Work) -> None:
        self.share, self.words = 0.0, "Starting"
        self.stopped = False
        self.problem: Exception | None = None
        self.thread = threading.Thread(target=self._run, args=(work,), daemon=True)
        self.thread.start()

    def stop(self) -> None:
        self.stopped = True

    @property
    def is_running(self) -> bool:
        return self.thread.is_alive()

    def _run(self, work: Work) -> None:
        while not turns.acquire(timeout=0.2):
            self.words = "Waiting for another visitor's training to end"
            if self.stopped:
                return
        try:
            for self.share, self.words in work:
                if self.stopped:
                    return
        except Exception as error:  # it belongs to the page, which is another thread
            self.problem = error
        finally:
            turns.release()


def begin(key: str, work: Work) -> None:
    """Begin, under a name in this session, and look at it at once."""
    st.session_state[key] = Job(work)
    st.rerun()


def watched(key: str) -> bool:
    """Show how far the work of that name is, and a Stop. Whether it goes on; work that is over makes the page run
    again, and raises what went wrong with it."""
    job: Job | None = st.session_state.get(key)
    if job is None:
        return False
    if not job.is_running:
        del st.session_state[key]
        if job.problem is not None:
            raise job.problem
        st.rerun()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.progress(min(1.0, job.share), job.words)
        st.button("Stop", key=f"stop {key}", on_click=job.stop)
    return True
