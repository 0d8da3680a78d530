"""A run as the Train page shows it: its film and its curves. Reads the run's folder and writes nothing there."""

from __future__ import annotations

from pathlib import Path

import streamlit as st
import torch

from ui import controls
from ui.browser import ship
from ui.cache import held_out
from ui.cards import NETWORKS
from ui.figures import PLOT, kl_bars, loss_curve
from ui.live_plane import LiveFilm, live_plane
from ui.palette import ROLE_COLOURS
from ui.training.events import events_of, held_out_of
from vae_core.latent.browser import pack_frames, pack_id
from vae_core.metrics.active_latents import THRESHOLD
from vae_core.models import MODELS
from vae_core.runs.folder import Run, Status

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
        shown = LiveFilm(
            film=f"{run.name} {run.config.created} {axes}",
            title=title(run),
            packs=[pack_id(pack) for pack in packs],
            steps=max(status.steps, run.last_event().get("steps", 1)),
            epochs=recipe.training.epochs,
            axes=axes,
            classes=run.data().class_names,
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
    data = run.data()
    network = NETWORKS.get(recipe.config.network, recipe.config.network)
    words = f"{title(run)}, {recipe.config.latent} latents, {network}, trained on {data.title}. "
    shown = f"{count:,}" if count else "None yet"
    words += f"{shown} of {len(held_out(recipe.data)):,} held-out images, which training never sees"
    words += "; a dot is an image's code (for a VAE the mean of its posterior)."
    if recipe.training.patience:
        words += " Early stopping: the held-out score chooses the weights that are kept, which the last frame shows in "
        words += "the end; so that score is no longer an unseen test."
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
        measured = held_out_of(run)
        if not measured or not steps:
            return 0, 1
        strength = torch.tensor(measured.get("kl_per_latent", [0.0]))
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
            # The newest belongs to the last frame; under early stopping the last one shows the best at the end.
            terms_of = held_out_of(run) if run.is_finished else measured[-1]["held_out"]
            per_latent(run, terms_of["kl_per_latent"], colour)
    if events:
        st.caption(
            "Lines: means over training batches. Points: means over the held-out images. The first, steep part of a "
            "line may leave its figure."
        )


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
