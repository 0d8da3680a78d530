"""A form for signals of one's own: a file, and how it is to be read."""

from __future__ import annotations

import streamlit as st

from ui import controls
from ui.lessons import signals as lesson
from ui.lessons.signals import Task
from ui.text import plain
from vae_core.data.signal_csv import LABEL_COLUMNS, MOST_BYTES
from vae_core.data.signals import Signals
from vae_core.errors import InvalidInput

SCALES = ("as in the file", "each to mean 0, deviation 1")
PARTS = ("all signals", "the first half")
UNKNOWN = "not known"


def own_signals() -> Task | None:
    """Signals from somebody's file, and how they are to be read."""
    file = st.file_uploader(
        "Signals of one length, one a line, separated by commas, semicolons, tabs or spaces; a column of labels may "
        "stand first or last",
        key="file",
        max_upload_size=MOST_BYTES // 2**20,
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        labels = controls.choose("Column of labels", LABEL_COLUMNS, key="labels", style="select")
        scale = controls.choose("Scale", SCALES, key="scale", style="select")
        if file is None:
            st.info("What you upload stays in memory; nothing of it is written to a disk.")
            return None
        try:
            signals = lesson.read_file(file.file_id, file, labels, scale == SCALES[1])  # type: ignore[arg-type]
        except InvalidInput as error:  # it quotes the file
            raise InvalidInput(plain(str(error))) from error
        normal, share = pick_normal(signals)
    st.caption(f"{plain(file.name)}: {len(signals):,} signals of {signals.length} samples. {' '.join(signals.notes)}")
    try:
        return lesson.own_task(f"{file.file_id}|{labels}|{scale}|{normal}|{share}", signals, normal, share)
    except InvalidInput as error:
        raise InvalidInput(plain(str(error))) from error


def pick_normal(signals: Signals) -> tuple[int | None, float]:
    """Which class is normal, by its place, or None; and without one, the share of the file to learn from."""
    if signals.labels is not None:
        names = [*signals.class_names, UNKNOWN]
        chosen = st.selectbox("Normal is", names, key="normal class", help="The most frequent label, to begin with.")
        if chosen != UNKNOWN:
            return signals.class_names.index(chosen), 1.0
    part = controls.choose("Learn from", PARTS, key="part", style="select")
    return None, 1.0 if part == PARTS[0] else 0.5
