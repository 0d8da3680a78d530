"""Where a run of the Train page stands, in a sentence, and the one thing to do. A stop is a request in the run's
folder, which its worker sees; a resume goes through the queue."""

from __future__ import annotations

import streamlit as st

from ui.cards import model_cards
from ui.text import plain
from ui.training.time_needed import lasting, scoring_seconds
from vae_core.errors import InvalidInput
from vae_core.runs.folder import SNAPSHOT, Run, Status
from vae_core.runs.queue import dispatch, enqueue


def start_what_may_start() -> None:
    """Whoever looks at the queue starts the runs whose turn it is. What hinders that is said, and hides nothing."""
    try:
        dispatch()
    except InvalidInput as error:
        st.error(plain(str(error)))


def standing(run: Run, drawn: str, me: str) -> None:
    """The state in a sentence, and the one thing to do. `drawn` is the state in which the whole page was drawn; when
    it has changed, all of the page is drawn again, and what polled begins or stops to. `me` is who looks."""
    if drawn == "queued":
        start_what_may_start()  # the worker before it may have been killed, and called nobody
    status = run.status()
    if status.state != drawn:
        st.rerun()
    show_progress(run, status)
    can_resume = status.state in ("killed", "stopped") or (status.state == "failed" and has_snapshot(run))
    st.markdown(in_words(status, can_resume))
    if status.state in ("queued", "running", "slow"):
        stop_button(run, me)
        return
    st.session_state.pop("stopping", None)
    if can_resume:
        resume_button(run)
    elif status.state == "finished" and run.is_pictured:
        links(run)


def show_progress(run: Run, status: Status) -> None:
    """The share that is done, and how much is left; the scores that follow the training are counted where it is
    known how long they take here."""
    epochs = run.config.recipe.training.epochs
    share = min(1.0, status.step / status.steps) if status.steps else 0.0
    told = f"Epoch {share * epochs:.1f} of {epochs}"
    scoring = scoring_seconds(run.config.recipe) if status.is_alive else None
    if is_scoring(status):
        share, told = 1.0, f"{told}: trained" + (f"; scores take some {lasting(scoring)} here" if scoring else "")
    elif status.seconds_left and scoring is not None:
        told += f", {lasting(status.seconds_left + scoring)} left"
    elif status.seconds_left:
        told += f", {lasting(status.seconds_left)} left, then its scores"
    st.progress(share, told)


def is_scoring(status: Status) -> bool:
    """Whether the training is over, be it early, and the model is looked at."""
    return status.is_alive and (status.step == status.steps > 0 or bool(status.message))


def has_snapshot(run: Run) -> bool:
    return (run.folder / SNAPSHOT).exists()


def in_words(status: Status, can_resume: bool = False) -> str:
    """What there is to say in each state, and what to do."""
    message = status.message.rstrip(".")
    match status.state:
        case "queued":
            return f"**Waiting:** number {status.place} in the queue."
        case "slow":
            return "**Slow:** no sign of life for half a minute. Wait, the machine may be busy; or stop it."
        case "running" if is_scoring(status):
            return f"**Scoring** on all held-out images.{f' {message}.' if message else ''}"
        case "running" if status.step == 0:
            return "**Starting:** it loads the data."
        case "running":
            return "**Training.** It goes on if you leave."
        case "killed":
            return "**Killed:** its process ended without a word. What it had saved is kept: resume it."
        case "stopped":
            return f"**Stopped.** {message + '. ' if message else ''}Resume goes on from there."
        case "failed" if can_resume:
            return f"**Failed.** {message}. Resume goes on from its last snapshot; or start another."
        case "failed":
            return f"**Failed.** {message}. Start another with other settings."
    if status.step < status.steps:
        return f"**Finished early** after {lasting(status.seconds)}: no better held-out score came. Explore the best:"
    return f"**Finished** after {lasting(status.seconds)}. Explore it:"


def stop_button(run: Run, me: str) -> None:
    """One's own run stops at a click; another's, after its name was typed."""
    if st.session_state.get("stopping") == run.name:
        st.button("Stopping: it saves", disabled=True, key="stop")
    elif run.config.owner == me:
        if st.button("Stop", key="stop"):
            ask_to_stop(run)
    else:
        with st.popover("Stop", key="stop another's"):
            question = f"Someone else started it. Type its name, {run.name}, to stop it."
            typed = st.text_input(question, key="typed name", live=True) or ""
            if st.button("Stop it", key="stop", disabled=typed.strip() != run.name):
                ask_to_stop(run)


def ask_to_stop(run: Run) -> None:
    run.request_stop()
    st.session_state["stopping"] = run.name
    st.rerun()


def resume_button(run: Run) -> None:
    if st.button("Resume", key="resume", type="primary"):
        enqueue(run)
        st.rerun()


def links(run: Run) -> None:
    """Where the finished model can be explored: it stands in every picker, and these links choose it."""
    card = next((card for card in model_cards().values() if card.run == run.name), None)
    chosen = {"data": card.family, "model": card.variant} if card else None
    with st.container(horizontal=True):
        for page, label in (("latent_map", "Latent map"), ("sampling_grid", "Sampling grid")):
            st.page_link(f"pages/{page}.py", label=label, query_params=chosen)
        st.page_link("pages/runs.py", label="Runs", query_params={"runs": run.name})
