"""Train: choose, see how long it will take, start, and watch the latent plane organise itself."""

from __future__ import annotations

import streamlit as st

from ui import controls, frame
from ui.cache import held_out
from ui.live_plane import LiveFilm, live_plane
from ui.training.form import choices
from ui.training.own_data import offer
from ui.training.standing import standing
from ui.training.time_needed import lasting, scoring_seconds, time_needed
from ui.training.watch import LIVE, curves, film
from ui.visitor import visitor
from vae_core.data import dataset
from vae_core.errors import InvalidInput
from vae_core.models.vae import VAE
from vae_core.recipes import Recipe
from vae_core.runs import Run, runs, submit
from vae_core.training import Training
from vae_core.training.schedules import capacity, kl_scale

TICK, SLOW_TICK = 1.0, 3.0  # seconds between two looks at a run that goes on: at its frames, at its curves
SELDOM = 5.0  # at a run that stands still: someone else may resume it


def pick_run() -> Run | None:
    """The run to watch: the one in the link, else the newest. The link always names it, so that whoever gets the
    link sees the same run, whatever has been started since."""
    names = [run.name for run in runs()]
    if not names:
        if "run" in st.query_params:
            st.warning(f"The link asks for run = {st.query_params['run'][:60]!r}; there is none here yet.")
            del st.query_params["run"]
        return None
    st.session_state["watched"] = controls.option_from_link("run", names, names[0])
    name = st.selectbox("Watch the run", names, key="watched", on_change=watch_another)
    controls.to_link("run", name)
    return Run.find(name)


def watch_another() -> None:
    controls.to_link("run", st.session_state["watched"])
    controls.to_link("step", None)


@frame.part
def nothing_yet() -> None:
    """The empty plane, before the very first run; a part, so that a run's plane will come to the very same place."""
    empty = LiveFilm(
        film="none",
        title="",
        packs=[],
        steps=1,
        epochs=1,
        axes=(0, 1),
        classes=[],
        pairs=8,
        draws=16,
        prior=True,
        samples="Samples from the prior",
        note="Circles: the prior, 1 and 2 sigma.",
        running=False,
        notice="Press Start: held-out images will appear here, and move as the model learns.",
    )
    with st.container():
        live_plane(empty, key=LIVE)
        st.caption(
            "Nothing is being trained yet. The plane will show up to 2,000 held-out images, none of which the model "
            "was trained on."
        )


@frame.part
def form(me: str) -> None:
    """What to train, how long it takes here, and Start."""
    chosen = st.container(gap="xsmall")
    place = st.container(height=32, border=False)
    started = st.button("Start", type="primary", key="start", width="stretch")
    told = st.empty()
    more, own = st.expander("More settings"), st.expander("Your own images")
    with own:
        if (added := offer()) is not None:
            st.session_state["data"] = dataset(added).title
            st.rerun()
    try:
        with chosen:
            recipe, device = choices(more)
        told.caption(on_what(recipe))
        with place, st.spinner("Measuring its speed", show_time=True):
            needed = time_needed(recipe, device, any(run.status().is_alive for run in runs()))
    except InvalidInput as error:
        st.error(str(error))
        return
    place.markdown(f"About **{lasting(needed.seconds)}** here, {needed.steps:,} steps")
    told.caption(on_what(recipe) + how_reckoned(recipe, needed.tried))
    if started:
        start(recipe, device, me)


def on_what(recipe: Recipe) -> str:
    data, count = dataset(recipe.data), len(held_out(recipe.data))
    return f"To be trained on {data.title}, and looked at with its {count:,} held-out images."


def how_reckoned(recipe: Recipe, tried: int) -> str:
    """What comes on top of the time above; and where it was measured with less than is asked for."""
    scoring = scoring_seconds(recipe)
    took = f", which took {lasting(scoring)} the last time" if scoring is not None else ", not counted above"
    part = f" A batch was too slow to be tried whole: its time is reckoned from one of {tried:,} images."
    return f" Then come its scores{took}." + (part if tried < recipe.training.batch else "")


def start(recipe: Recipe, device: str, me: str) -> None:
    run = submit(recipe, recipe.name, device, me)
    controls.to_link("run", run.name)
    controls.to_link("step", None)
    st.rerun()


frame.opening(
    "How does a latent space come to be?",
    "Start a training, and watch images that it never sees find their places. Then move the slider back.",
)
me = visitor()
left, right = st.columns([2.4, 1], gap="medium")
with right:
    run = pick_run()
status = run.status() if run else None
goes_on = status is not None and status.state in ("queued", "running", "slow")
look_again = TICK if goes_on else SELDOM if status is not None and status.state != "finished" else None
with right:
    if run and status:
        with st.container(gap="xsmall", key="standing"):
            st.fragment(frame.guarded(standing), run_every=look_again)(run, status.state, me)
    below = st.container()
with left:
    if run and status:
        st.fragment(frame.guarded(film), run_every=TICK if goes_on else None)(run, status)
    else:
        nothing_yet()
if run:
    st.fragment(frame.guarded(curves), run_every=SLOW_TICK if goes_on else None)(run)
frame.closing(
    """
- **At the first step** the encoder is chance: all classes lie on one heap, and every reconstruction is the same grey
  blur. The reconstruction term then pulls the heap apart, for images that get the same code get the same picture.
- **The KL holds the cloud together.** With a small β the classes drift far beyond the circles; with a large one they
  stay within, and overlap. Watch the two curves: one falls while the other rises, until neither gains by moving.
- **An autoencoder** has no such term. Its cloud grows as far as it likes, and a code drawn between its arms was never
  asked for.
- **A schedule** changes the order of events, not the goal: with a warm-up the codes spread first and are called to
  order later; with a capacity they may use only so many nats, and a little more with every step.
- **The points in the curves are held-out images.** Where they part from the line, the model has begun to learn its
  training images by heart.
""",
    [Training.run, VAE.loss, kl_scale, capacity],
    r"""
**7.6 Evidence lower bound** and **7.8 Loss function** name the two terms whose tug-of-war you watched: the
reconstruction $\mathbb{E}_{q(z \mid x)}[-\log p(x \mid z)]$ and $\mathrm{KL}\big(q(z \mid x) \,\|\, p(z)\big)$, where
$x$ is an image, $z$ its code, $q$ the encoder's posterior, $p(z)$ the standard normal prior and $p(x \mid z)$ the
decoder. **7.7 Reparameterization trick** is what lets the gradient through the draw of $z$. **7.10 Variants** weighs
the KL by β, and **7.11 Limitations and challenges** names what a schedule is to prevent: posterior collapse, and an
unstable training. For the autoencoder see **6.4 Architecture**.
""",
)
with below:  # last, for it takes a second to measure the speed, and all else is there at once
    form(me)
