"""Runs: the curves of several trainings over each other, what was set differently, what came out; and all runs."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

import streamlit as st

from ui import controls, frame
from ui.cards import ModelCard, damaged_models, found_runs, model_cards
from ui.figures import PLOT
from ui.figures.runs import run_curves
from ui.text import plain
from ui.training.events import held_out_of
from ui.training.standing import start_what_may_start
from ui.training.table import SCORES, STYLES, curve_of, legend_of, table_of, title_of
from vae_core.errors import InvalidInput
from vae_core.folders import runs_folder
from vae_core.models import MODELS
from vae_core.runs import Run, damaged_runs, runs
from vae_core.runs.folder import CONFIG, EVENTS, MODEL, Status
from vae_core.runs.remove import delete_run
from vae_core.runs.transfer import unzip_model, zip_model
from vae_core.training.held_out import held_out_terms
from vae_core.training.schedules import kl_scale, learning_rate

MOST = len(STYLES)  # runs that are compared
EVERY = 3.0  # seconds between two looks while something trains
CHOSEN = "chosen runs"  # key of the picker
ARROW = ":material/arrow_forward:"
MINUS_ELBO = "\N{MINUS SIGN}ELBO"
MINUS_ELBO_HELP = "Held out, nats per image, at beta 1: the newest, or the best where early stopping keeps that."

# ---------------------------------------------------------------- one over the other


def pick_runs(names: list[str]) -> list[str]:
    """One to four runs, kept in the link; to begin with the newest ones."""
    arrived = st.query_params.get("runs")
    if CHOSEN not in st.session_state and arrived is not None:
        asked = list(dict.fromkeys(arrived.split(",")))
        known = [name for name in asked if name in names][:MOST]
        if len(known) < len(asked):
            st.warning(
                f"The link asks for the runs {arrived[:60]!r}; there are: {', '.join(names)[:300]}. "
                f"{', '.join(known or names[:MOST])} is shown."
            )
            controls.to_link("runs", ",".join(known) or None)
        st.session_state[CHOSEN] = known or names[:MOST]
    kept = st.session_state.get(CHOSEN, names[:MOST])
    st.session_state[CHOSEN] = [name for name in kept if name in names]  # one may have been deleted
    return st.multiselect(
        f"Runs, up to {MOST}",
        names,
        key=CHOSEN,
        max_selections=MOST,
        on_change=keep_runs,
        placeholder="Choose a run",
        wrap=True,
    )


def keep_runs() -> None:
    controls.to_link("runs", ",".join(st.session_state[CHOSEN]) or None)


def compare(names: list[str]) -> None:
    """The pickers, the curves, the table of what differs."""
    names = [name for name in names if (runs_folder() / name / CONFIG).exists()]  # somebody may have deleted one
    with st.container(key="controls"):
        left, middle, right = st.columns([6, 5, 3])
    with left:
        chosen = [Run.find(name) for name in pick_runs(names)]
    with middle:
        which = controls.choose("Held-out score", list(SCORES), key="curve")
    with right:
        against = controls.choose("Against", ("epoch", "seconds"), key="against")
    if not chosen:
        st.info(f"No run is chosen. Choose one to {MOST} above.")
        return
    with st.container(key="figure"):
        figure, table = st.columns([5, 4], gap="medium")
        with figure:
            draw(chosen, which, against)
        with table:
            st.html(table_of(chosen))
    cautions(chosen)


def draw(chosen: list[Run], which: str, against: str) -> None:
    """The curves, a line for each run that has the score."""
    curves = {i: curve for i, run in enumerate(chosen) if (curve := curve_of(run, which, against))[0]}
    missing = [run for i, run in enumerate(chosen) if i not in curves]
    told = "Each point: the mean over all held-out images of the data that the run was trained on."
    if curves:
        st.html(legend_of(chosen))
        figure = run_curves(
            [chosen[i].name for i in curves],
            [x for x, _ in curves.values()],
            [y for _, y in curves.values()],
            [STYLES[i] for i in curves],
            x_name="epoch" if against == "epoch" else "seconds of training",
            y_name=f"{SCORES[which]}, nats per image",
        )
        st.plotly_chart(figure, config=PLOT, key="curves")
        told += " The first, steep tenth of a curve may leave the figure."
    else:
        st.info(f"None of these runs has a score of this kind yet: {SCORES[which]}.")
    for run in missing:
        has_prior = MODELS[run.config.recipe.model].is_generative or which == "reconstruction"
        told += f" {run.name} {'was not evaluated yet' if has_prior else 'has no prior, hence no such score'}."
    st.caption(told)


def cautions(chosen: list[Run]) -> None:
    """Say where nats cannot be compared."""
    recipes = [run.config.recipe for run in chosen]
    scales = {(recipe.data, recipe.settings.get("likelihood"), recipe.training.binarise) for recipe in recipes}
    if len(scales) > 1:
        st.caption(
            "These runs differ in their data, their likelihood or whether pixels were made black or white: their nats "
            "count different things, so compare the shapes of the curves, not their heights."
        )
    if any(recipe.training.patience for recipe in recipes):
        st.caption(
            "Early stopping: the weights of the best evaluation are kept, and the table tells its scores, not the last "
            "ones; the held-out images chose it, so they are a little too good."
        )


# ---------------------------------------------------------------- all of them


def is_busy(status: Status) -> bool:
    return status.is_alive or status.state == "queued"


def drawable(found: list[Run]) -> list[str]:
    """The runs that have begun, and have the scores that are drawn."""
    return [run.name for run in found if (run.folder / EVENTS).exists() and run.is_pictured]


def overview(was_busy: bool, drawn: list[str]) -> None:
    """Every run and where it stands."""
    start_what_may_start()
    found = [(run, run.status()) for run in runs()]
    if was_busy != any(is_busy(status) for _, status in found) or drawn != drawable([run for run, _ in found]):
        st.rerun()  # what polls begins or ends, or there is another run to choose
    trained = {run.name for run, _ in found}
    uploaded = [card for card in model_cards().values() if card.run is not None and card.run not in trained]
    rows = [row_of(run, status) for run, status in found] + [uploaded_row(card) for card in uploaded]
    if not rows:
        return
    st.subheader("All runs", anchor=False)
    share = st.column_config.ProgressColumn("done", format="%d %%", min_value=0, max_value=100)
    nats = st.column_config.NumberColumn(MINUS_ELBO, format="%.1f", help=MINUS_ELBO_HELP)
    st.dataframe(rows, hide_index=True, column_config={"done": share, MINUS_ELBO: nats}, placeholder="", key="all runs")


def row_of(run: Run, status: Status) -> dict[str, Any]:
    recipe, scores = run.config.recipe, held_out_of(run)
    share = 100 * status.step // status.steps if status.steps else 0
    return {
        "run": run.name,
        "state": status.state + (f", number {status.place}" if status.place else ""),
        "done": 100 if status.state == "finished" else share,
        "data": title_of(recipe.data),
        "model": MODELS[recipe.model].title,
        "latents": recipe.settings.get("latent"),
        "beta": recipe.settings.get("beta"),
        MINUS_ELBO: -scores["elbo"] if "elbo" in scores else None,
        "begun (UTC)": run.config.created[:16].replace("T", " "),
    }


def uploaded_row(card: ModelCard) -> dict[str, Any]:
    return {
        "run": card.run,
        "state": "uploaded",
        "done": 100,
        "data": title_of(card.dataset),
        "model": MODELS[card.model_name].title,
        "latents": card.latent,
        "beta": card.beta,
        MINUS_ELBO: -card.metrics["elbo"] if "elbo" in card.metrics else None,
        "begun (UTC)": "",
    }


def complaints() -> None:
    """What cannot be used, a sentence each; a folder that holds a model and no run is none of it."""
    for complaint in damaged_models():
        st.warning(complaint)
    for name, complaint in damaged_runs().items():
        st.warning(plain(f"{name} is no run that can be read. {complaint}"))


def one_run(names: list[str]) -> None:
    """What can be done with a single run."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.selectbox("One run", names, key="one run")
        folder = runs_folder() / name
        if (folder / CONFIG).exists():
            st.page_link("pages/train.py", label="Watch or replay", query_params={"run": name}, icon=ARROW)
        card = next((card for card in model_cards().values() if card.run == name), None)
        if card is not None:
            link = {"data": card.family, "model": card.variant}
            st.page_link("pages/latent_map.py", label="Latent map", query_params=link, icon=ARROW)
        if (folder / MODEL / CONFIG).exists():
            packed = partial(zip_model, folder / MODEL)
            st.download_button("Download the model", packed, f"{name}.zip", key="zip", on_click="ignore")
        with st.popover("Delete"):
            delete(name)


def delete(name: str) -> None:
    typed = st.text_input(f"This cannot be undone. Type {name} to delete it.", key=f"delete {name}")
    st.button("Delete it", key="delete", disabled=typed.strip() != name, on_click=delete_now, args=(name,))
    if refused := st.session_state.pop("not deleted", None):
        st.error(refused)


def delete_now(name: str) -> None:
    try:
        delete_run(name)
    except InvalidInput as error:
        st.session_state["not deleted"] = str(error)


def upload() -> None:
    """Keep a model that was downloaded elsewhere."""
    file = st.file_uploader("A zip that was downloaded from this page elsewhere", "zip", key="model zip")
    if file is not None:
        start = re.sub(r"[^A-Za-z0-9._-]+", "-", file.name.removesuffix(".zip")).strip("-._")[:60]
        name = st.text_input("Keep it under the name", start, key=f"name of {file.file_id}").strip()
        st.button("Keep it", type="primary", key="keep", on_click=keep_model, args=(file.getvalue(), name))
    if refused := st.session_state.pop("not kept", None):
        st.error(plain(refused))
    if told := st.session_state.pop("kept", None):
        st.success(told)


def keep_model(content: bytes, name: str) -> None:
    try:
        folder = unzip_model(content, name)
    except InvalidInput as error:
        st.session_state["not kept"] = str(error)
        return
    complaint = found_runs()[folder].complaint
    st.session_state["kept"] = complaint or f"{name} is kept: it stands in every explorer's list of models."


SEEN = """
- **One change at a time.** Two curves whose runs differ in one setting show what that setting does; where several
  differ, they show only that something did. The table lists all that differs.
- **A seed is a setting too.** Train the same settings again with another seed before you believe a small lead: what
  both repeat is the effect, the rest was luck.
- **Reconstruction and KL pull at each other.** A larger β buys a smaller KL with blurred pictures. The ELBO adds both
  with weight 1, whatever β the model was trained with: one yardstick for all.
- **Held-out images decide.** Where their curve turns up again, the model has begun to learn its training images by
  heart.
"""
LECTURE = """
Chapter 7.8 (loss): the reconstruction term and the KL. 7.10 (variants): what β does to both. 7.11 (limitations):
posterior collapse, seen here as a KL that falls to zero and stays there.
"""


def nothing_yet() -> None:
    if arrived := st.query_params.get("runs"):
        st.warning(f"The link asks for the runs {arrived[:60]!r}; there are none here.")
    st.info("No model has been trained here yet, so there are no curves to compare.")
    st.page_link("pages/train.py", label="Train one", icon=ARROW)
    st.caption(
        "The bundled models have no curves: they were trained on their data elsewhere, and only their scores on the "
        "held-out images came along."
    )


def page() -> None:
    frame.opening(
        "What changed when the settings changed?",
        "Choose runs to lay their curves over each other; the table lists what was set differently, and what came out.",
    )
    found = runs()
    names = drawable(found)
    busy = any(is_busy(run.status()) for run in found)
    every = EVERY if busy else None
    if names:
        st.fragment(frame.guarded(compare), run_every=every)(names)
    else:
        nothing_yet()
    st.fragment(frame.guarded(overview), run_every=every)(busy, names)
    models = (folder.parent.name for folder in found_runs())
    if everything := list(dict.fromkeys([*(run.name for run in found), *models])):
        one_run(everything)
    complaints()
    with st.expander("Bring a model along"):
        upload()
    frame.closing(SEEN, [held_out_terms, kl_scale, learning_rate], LECTURE)


page()
