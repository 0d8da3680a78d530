"""What a run has logged, read once for all who watch until there is more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

from vae_core.runs.folder import EVENTS, Run


def events_of(run: Run) -> list[dict[str, Any]]:
    """The logged lines. Shared by all: never change them in place."""
    return _events(str(run.folder), run.config.created, _size(run))


def held_out_of(run: Run) -> dict[str, Any]:
    """What `Run.held_out` says; empty before the first evaluation."""
    return _held_out(str(run.folder), run.config.created, _size(run))


def _size(run: Run) -> int:
    path = run.folder / EVENTS
    return path.stat().st_size if path.exists() else 0


@st.cache_resource(show_spinner=False, max_entries=16)
def _events(folder: str, created: str, size: int) -> list[dict[str, Any]]:
    return Run.open(Path(folder)).events() if size else []


@st.cache_resource(show_spinner=False, max_entries=256)
def _held_out(folder: str, created: str, size: int) -> dict[str, Any]:
    return (Run.open(Path(folder)).held_out() or {}) if size else {}
