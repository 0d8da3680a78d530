"""A run as the Train page shows it: where it stands and what one can do, its film, its curves. Reads the run's folder
and changes nothing in it; a stop or a resume goes through the queue."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st
import torch

from ui import controls
from ui.cache import held_out
from ui.cards import NETWORKS, model_cards
from ui.figures import PLOT, kl_bars, loss_curve
from ui.latent_map import ship
from ui.live_plane import Film, live_plane
from ui.palette import ROLE_COLOURS
from ui.training_form import lasting
from vae_core.data import dataset
from vae_core.latent.browser import pack_frames, pack_id
from vae_core.metrics.active_latents import THRESHOLD
from vae_core.models import MODELS
from vae_core.runs.folder import EVENTS, Run, Status
from vae_core.runs.queue import dispatch, enqueue

PACK = 10  # frames
MOST_BARS = 10  # latents whose KL is drawn
FIRST, SECOND = ("the strongest", "the second strongest")
LIVE = "live"  # key of the film in the browser
PAIRS, DRAWS = 8, 16  # pictures in a frame, where there is none yet
SAMPLES = {
    True: "Samples: codes drawn from the prior, decoded",
    False: "Samples: codes drawn from a Gaussian fitted to its codes, for there is no prior",
}
NOTICES = {  # instead of the dots, while there is no frame
    "queued": "It waits in the queue. The untrained model's plane will be the first to appear here.",
    "running": "The first frame is on its way: the untrained model's.",
}


# ---------------------------------------------------------------- where it stands


def standing(run: Run, drawn: str, me: str) -> None:
    """The state in a sentence, and the one thing to do. `drawn` is the state in which the whole page was drawn; when
    it has changed, all of the page is drawn again, and what polled begins or stops to. `me` is who looks."""
    if drawn == "queued":
        dispatch()  # the worker before it may have been killed, and called nobody
    status = run.status()
    if status.state != drawn:
        st.rerun()
    share = min(1.0, status.step / status.steps) if status.steps else 0.0
    epoch = share * run.config.recipe.training.epochs
    left = f", {lasting(status.seconds_left)} left" if status.seconds_left else ""
    st.progress(share, f"Epoch {epoch:.1f} of {run.config.recipe.training.epochs}{left}")
    st.markdown(sentence(status))
    if status.state in ("queued", "running", "slow"):
        stop_button(run, me)
        return
    st.session_state.pop("stopping", None)
    if status.state in ("killed", "stopped"):
        resume_button(run)
    elif status.state == "finished" and run.is_pictured:
        links(run)


def sentence(status: Status) -> str:
    """What there is to say in each state, and what to do."""
    message = status.message.rstrip(".")
    match status.state:
        case "queued":
            return f"**Waiting:** number {status.place} in the queue."
        case "running" if status.step == 0:
            return "**Starting:** it loads the data."
        case "running" if status.step == status.steps:
            return "**Scoring** on all held-out images."
        case "running":
            return "**Training.** It goes on if you leave."
        case "slow":
            return "**Slow:** no sign of life for half a minute. Wait, the machine may be busy; or stop it."
        case "killed":
            return "**Killed:** its process ended without a word. What it had saved is kept: resume it."
        case "stopped":
            return f"**Stopped.** {message + '. ' if message else ''}Resume goes on from there."
        case "failed":
            return f"**Failed.** {message}. Start another with other settings."
    if status.step < status.steps:
        return f"**Finished early** after {lasting(status.seconds)}: the held-out score rose no more."
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


# ---------------------------------------------------------------- the film


def film(run: Run, status: Status) -> None:
    """The live plane of a run, and what is to say of it."""
    recipe = run.config.recipe
    if not run.is_pictured:
        st.info("A classifier has no latent plane; its curves stand below.")
        return
    steps, generative = run.frames(), MODELS[recipe.model].is_generative
    figure = st.container()
    axes = pick_axes(run, recipe.config.latent, steps)
    sample = run.sample() if steps else None
    at = controls.index_from_link("step", 10**9, -1, "step")
    packs = packs_of(run, steps, axes)
    with figure:
        shown = Film(
            film=f"{run.name} {run.config.created} {axes}",
            title=title(run),
            packs=[pack_id(pack) for pack in packs],
            steps=max(status.steps, run.last_event().get("steps", 1)),
            epochs=recipe.training.epochs,
            axes=axes,
            classes=dataset(recipe.data).class_names,
            pairs=len(sample.images) if sample else PAIRS,
            draws=DRAWS,
            prior=generative,
            samples=SAMPLES[generative],
            note=note(run, axes, generative),
            running=status.state in ("queued", "running", "slow"),
            notice=NOTICES.get(status.state, "No frame was written."),
        )
        live_plane(shown, key=LIVE, at=None if at < 0 else at, on_release=keep_step)
        st.caption(honesty(run, len(sample.labels) if sample else 0))
        for number, pack in enumerate(packs):  # at the end, so that the plane stays where it is when they grow more
            ship(pack, key=f"frames {number}")


def keep_step() -> None:
    """The hand let go of the slider: put the frame into the link."""
    told = st.session_state[LIVE]["release"]
    controls.to_link("step", told["at"])


def title(run: Run) -> str:
    recipe = run.config.recipe
    name = MODELS[recipe.model].title
    words = name[0].upper() + name[1:]
    return f"{words}, β = {recipe.config.beta:g}" if hasattr(recipe.config, "beta") else words


def note(run: Run, axes: tuple[int, int], generative: bool) -> str:
    circles = "Circles: the prior, 1 and 2 sigma." if generative else "No circles: an autoencoder has no prior."
    if run.config.recipe.config.latent == 2:
        return circles
    return f"{circles} Latents {axes[0] + 1} and {axes[1] + 1} of {run.config.recipe.config.latent}."


def honesty(run: Run, count: int) -> str:
    """Which model, which data, how many of how many, held out."""
    recipe = run.config.recipe
    data = dataset(recipe.data)
    network = NETWORKS.get(recipe.config.network, recipe.config.network)
    words = f"{title(run)}, {recipe.config.latent} latents, {network}, trained on {data.title}. "
    shown = f"{count:,}" if count else "None yet"
    words += f"{shown} of {len(held_out(recipe.data)):,} held-out images, which training never sees"
    words += "; a dot is an image's code (for a VAE the mean of its posterior)."
    if recipe.training.patience:
        words += " Early stopping: the held-out score chooses the moment, so that score is no longer an unseen test."
    return words


def pick_axes(run: Run, latent: int, steps: list[int]) -> tuple[int, int]:
    """The two latents of the plane; with more than two one may choose, and the strongest are offered."""
    if latent <= 2:
        return 0, latent - 1
    strong = strongest(run, steps)
    names = [f"latent {i + 1}" for i in range(latent)]
    left, right, _ = st.columns([1, 1, 1])
    with left:
        across = controls.choose("Across", [FIRST, *names], key="across", style="select", help=STRONGEST_HELP)
    with right:
        up = controls.choose("Up", [SECOND, *names], key="up", style="select", help=STRONGEST_HELP)
    first = strong[0] if across == FIRST else names.index(across)
    second = strong[1] if up == SECOND else names.index(up)
    return first, second


STRONGEST_HELP = "The strongest latents are those with the most KL; for an autoencoder, with the largest variance."


def strongest(run: Run, steps: list[int]) -> tuple[int, int]:
    """The two latents with the most KL on held-out images, or with the most variance where there is no KL. Asked when
    the first evaluation is in and again when training has ended: in between the plane must not turn."""
    kept = st.session_state.setdefault("strongest", {})
    key = (run.name, run.config.created, run.is_finished)
    if key not in kept:
        measured = [event["held_out"]["kl_per_latent"] for event in events_of(run) if event.get("held_out")]
        if not measured or not steps:
            return 0, 1
        strength = torch.tensor(measured[-1])
        if not strength.any():
            strength = run.frame(steps[-1]).latents.float().var(0)
        first, second = strength.topk(2).indices.tolist()
        kept[key] = (first, second)
    return kept[key]


def packs_of(run: Run, steps: list[int], axes: tuple[int, int]) -> list[bytes]:
    """The frames in packs of ten, of which only the last may still grow."""
    parts = [tuple(steps[start : start + PACK]) for start in range(0, len(steps), PACK)]
    return [frames_pack(str(run.folder), run.config.created, part, axes) for part in parts]


@st.cache_resource(show_spinner=False, max_entries=64)
def frames_pack(folder: str, created: str, steps: tuple[int, ...], axes: tuple[int, int]) -> bytes:
    """Frames of a run as one pack; everyone who watches shares it."""
    run = Run.open(Path(folder))
    sample, frames = run.sample(), [run.frame(step) for step in steps]
    pictures = [torch.cat([sample.images, frame.recon, frame.samples]) for frame in frames]
    slot = f"{run.name} {axes} {steps[0]}"
    return pack_frames(steps, [frame.latents for frame in frames], pictures, sample.labels, axes, slot)


# ---------------------------------------------------------------- the curves


def events_of(run: Run) -> list[dict[str, Any]]:
    """The logged lines, read once for all who watch until there are more."""
    path = run.folder / EVENTS
    size = path.stat().st_size if path.exists() else 0
    return _events(str(run.folder), run.config.created, size)


@st.cache_resource(show_spinner=False, max_entries=16)
def _events(folder: str, created: str, size: int) -> list[dict[str, Any]]:
    return Run.open(Path(folder)).events() if size else []


def curves(run: Run) -> None:
    """Reconstruction, KL, and the KL of each latent, in nats per image."""
    events, recipe = events_of(run), run.config.recipe
    colour = ROLE_COLOURS["vae" if hasattr(recipe.config, "beta") else "autoencoder"]
    measured = [event for event in events if event.get("held_out")]
    terms = [("recon", "reconstruction, nats per image"), ("kl", "KL to the prior, nats per image")]
    if not hasattr(recipe.config, "beta"):
        terms = terms[:1] if hasattr(recipe.config, "latent") else [("total", "cross-entropy, nats per image")]
    places = st.columns(3)
    for (key, words), place in zip(terms, places, strict=False):
        trained = [event["epoch"] for event in events], [event[key] for event in events]
        seen = [event["epoch"] for event in measured], [event["held_out"][key] for event in measured]
        figure = loss_curve(trained, seen, colour, y=words, epochs=recipe.training.epochs)
        place.plotly_chart(figure, config=PLOT, key=f"curve {key}")
    if hasattr(recipe.config, "beta") and measured:
        with places[2]:
            per_latent(run, measured[-1]["held_out"]["kl_per_latent"], colour)


def per_latent(run: Run, kl: list[float], colour: str) -> None:
    """A bar for each latent, or for those with the most KL where there are many."""
    order = sorted(range(len(kl)), key=lambda i: -kl[i])[:MOST_BARS]
    steps = run.frames()
    activity = run.frame(steps[-1]).latents.float().var(0)
    active = [bool(activity[i] > THRESHOLD) for i in order]
    figure = kl_bars([f"z{i + 1}" for i in order], [kl[i] for i in order], active, colour, max(kl))
    st.plotly_chart(figure, config=PLOT, key="kl bars")
    if len(order) < len(kl):
        st.caption(f"The {len(order)} of {len(kl)} latents with the most KL, on held-out images.")
