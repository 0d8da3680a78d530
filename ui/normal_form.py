"""A form for what is normal: some classes of a data set, and a training where no model knows these alone."""

from __future__ import annotations

import streamlit as st

from ui import controls
from ui.jobs import Job
from ui.lessons import anomaly as lesson
from ui.lessons.anomaly import Classes
from vae_core.data import dataset
from vae_core.errors import InvalidInput

CHOSEN, JOB, PROBLEM = "normal classes", "anomaly job", "anomaly problem"
UNUSABLE = {"none": (), "0,1,2,3,4,5,6,7,8,9": tuple(range(10))}  # what the page itself writes for none and for all


def pick_classes(data: str) -> Classes:
    """The normal classes, kept in the link by their numbers. None and all of them come back from it as well, for the
    page to say that nothing can be learned so."""
    arrived = st.query_params.get("normal", "")
    if CHOSEN not in st.session_state:
        asked = UNUSABLE.get(arrived, lesson.read_classes(arrived)) if arrived else (8,)
        if asked is None:
            st.warning(
                f"The link asks for the normal classes {arrived[:60]!r}; allowed: one to nine of the numbers 0 to 9, "
                "with commas between them. 8 is shown."
            )
            controls.to_link("normal", None)
        st.session_state[CHOSEN] = list((8,) if asked is None else asked)
    names = dataset(data).class_names
    chosen = st.pills(
        "Normal classes: the model has seen no others", range(len(names)), selection_mode="multi",
        format_func=lambda label: names[label], key=CHOSEN, on_change=keep_classes,
    )  # fmt: skip
    return tuple(sorted(chosen or ()))


def keep_classes() -> None:
    controls.to_link("normal", ",".join(map(str, sorted(st.session_state[CHOSEN]))) or "none")


def training_of(data: str, classes: Classes) -> Job | None:
    """The training that goes on for this choice. One for another choice is stopped, and the page runs again once
    there is none: from then on nobody has to look at it twice a second."""
    if (told := st.session_state.get(JOB)) is None:
        return None
    place, job = told
    if place == (data, classes):
        if job.is_running:
            return job
        st.session_state[PROBLEM] = (place, job.problem)
    job.stop()
    del st.session_state[JOB]
    st.rerun()


def train_here(data: str, classes: Classes, words: str, job: Job | None) -> None:
    """No model knows these classes alone: train one, with progress and a Stop."""
    if job is not None:
        bar, stop = st.columns([8, 1], vertical_alignment="bottom")
        bar.progress(min(1.0, job.share), job.words)
        stop.button("Stop", key="stop", on_click=job.stop)
        return
    place, problem = st.session_state.get(PROBLEM, (None, None))
    if place == (data, classes) and problem is not None:
        if not isinstance(problem, InvalidInput):
            raise problem
        st.error(str(problem))
    st.info(f"No bundled model was trained on {words} alone. One can be trained here, in seconds.")
    if st.button("Train it", type="primary", key="train"):
        st.session_state[JOB] = ((data, classes), Job(lesson.learn(data, classes)))
        st.rerun()
