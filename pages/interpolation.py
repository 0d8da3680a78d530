"""Interpolation: what lies on the way from one image to another, in two latent spaces and in pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st
import torch

from ui import cache, controls, frame
from ui.cache import Film, ModelCard
from ui.figures import PLOT, opinion_lines, step_lines
from ui.latent_map import ship
from ui.palette import ROLE_COLOURS
from ui.pictures import crisp
from ui.scrubbers import Strip, corner_grid, path_view
from vae_core.data import DATASETS
from vae_core.errors import InvalidInput
from vae_core.latent.browser import pack_id
from vae_core.latent.paths import PATHS, blend, corners_grid, spherical, step_sizes, straight
from vae_core.latent.pictures import enlarge, gif, side_by_side, to_bytes
from vae_core.metrics.continuity import STEPS, THRESHOLD, uneven

WAY, CORNERS = "from A to B", "four corners"
ENDS = ("A", "B", "C", "D")
SECOND_VAE = "#9b59d0"  # when two VAEs are compared
FILM_SIDE = 160  # pixels; a frame of the saved film is at least as wide

# The held-out images that a page opens with; MNIST's first pair shows the difference well, most pairs less so.
START = {
    "mnist": (4905, 4885, 3, 2),
    "fashion_mnist": (0, 1, 2, 3),
    "sprites": (0, 1, 2, 3),
}


@dataclass(frozen=True)
class Shown:
    """One of the things compared: a model, or the pixel blend (no card)."""

    card: ModelCard | None
    title: str
    colour: str


def other_class(key: str, dataset: str) -> None:
    """The first held-out image of the class just chosen."""
    label = DATASETS[dataset].class_names.index(st.session_state[f"class {key}"])
    controls.to_link(key, int((cache.held_out(dataset).labels == label).nonzero()[0]))


def another(key: str, dataset: str, image: int) -> None:
    """The next held-out image of the same class."""
    labels = cache.held_out(dataset).labels
    same = (labels == labels[image]).nonzero().flatten().tolist()
    controls.to_link(key, same[(same.index(image) + 1) % len(same)])


def pick_image(end: str, dataset: str, start: int) -> int:
    """One end of the path: a held-out image, by its class and one after another; its number stands in the link."""
    source, key = cache.held_out(dataset), end.lower()
    image = controls.index_from_link(key, len(source), start)
    names = DATASETS[dataset].class_names
    st.session_state[f"class {key}"] = names[int(source.labels[image])]
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.image(crisp(source.images(torch.tensor([image])), 1, 84), width=84)
        with st.container(width=96):
            st.selectbox(end, names, key=f"class {key}", on_change=other_class, args=(key, dataset))
        st.button("Another", key=f"another {key}", on_click=another, args=(key, dataset, image))
    return image


def pick_images(dataset: str, count: int) -> list[int]:
    """The ends; other data, other images."""
    if st.session_state.setdefault("ends of", dataset) != dataset:
        st.session_state["ends of"] = dataset
        for end in ENDS:
            controls.to_link(end.lower(), None)
    return [pick_image(end, dataset, START[dataset][i]) for i, end in enumerate(ENDS[:count])]


def pick_models() -> tuple[ModelCard, ModelCard | None]:
    """A VAE, and beside it the autoencoder, or another VAE where there is none."""
    groups = cache.families()
    cards = groups[controls.choose("Data and latents", list(groups), key="data", style="select")]
    variants = {card.variant: card for card in cards}
    first = variants[controls.choose("Model", list(variants), key="model", default="beta 1", style="select")]
    others = [card.variant for card in cards if card != first]
    beside = "autoencoder" if "autoencoder" in others else next(iter(others[::-1]), controls.NOTHING)
    return first, controls.pick_second_model(cards, first, default=beside)


def to_show(first: ModelCard, second: ModelCard | None) -> list[Shown]:
    shown = [Shown(first, first.title, ROLE_COLOURS[first.role])]
    if second:
        colour = SECOND_VAE if second.role == first.role else ROLE_COLOURS[second.role]
        shown.append(Shown(second, second.title, colour))
    return [*shown, Shown(None, "Pixel blend", ROLE_COLOURS["blend"])]


def shipped(card: ModelCard, key: str) -> str:
    """Send a decoder to the browser; returns its id there."""
    pack = cache.decoder_pack(card.name)
    ship(pack, key=key)
    return pack_id(pack)


def strips(shown: Sequence[Shown], dataset: str, a: int, b: int) -> list[Strip]:
    images = to_bytes(cache.held_out(dataset).images(torch.tensor([a, b]))).numpy()
    made = []
    for i, one in enumerate(shown):
        if one.card:
            decoder = shipped(one.card, f"decoder {i}")
            ends = cache.code_of(one.card.name, a), cache.code_of(one.card.name, b)
            made.append(Strip(one.title, one.colour, *ends, decoder=decoder))
        else:
            made.append(Strip(one.title, one.colour, *images))
    return made


def film_file(films: Sequence[Film]) -> bytes:
    """The films side by side, there and back."""
    times = -(-FILM_SIDE // films[0].frames.shape[-1])
    return gif(side_by_side([enlarge(to_bytes(film.frames), times) for film in films], gap=times))


def legend(shown: Sequence[Shown], numbers: Sequence[str]) -> None:
    """Colour, name and number of each line of a chart."""
    marks = "".join(
        f'<span style="white-space:nowrap"><span style="display:inline-block;width:12px;height:12px;border-radius:3px;'
        f'margin-right:8px;background:{one.colour}"></span>{one.title} <b>{number}</b></span>'
        for one, number in zip(shown, numbers, strict=True)
    )
    st.html(
        '<div style="display:flex;flex-wrap:wrap;gap:2px 22px;font-size:1rem;font-variant-numeric:tabular-nums">'
        f"{marks}</div>"
    )


def charts(shown: Sequence[Shown], films: Sequence[Film], dataset: str, t: float) -> None:
    """How evenly the picture changes, and what the classifier sees."""
    left, right = st.columns(2, gap="large")
    titles, colours = [one.title for one in shown], [one.colour for one in shown]
    with left:
        st.subheader("How evenly does the picture change?", anchor=False)
        legend(shown, [f"{float(uneven(film.changes)):.1f}" for film in films])
        st.caption("The number: the largest step over the mean step. 1 is perfectly even.")
        figure = step_lines(titles, [film.changes.numpy() for film in films], colours, t)
        st.plotly_chart(figure, config=PLOT, key="changes")
    with right:
        st.subheader("What does a classifier see?", anchor=False)
        legend(shown, [f"{float((film.confidence < THRESHOLD).double().mean()):.0%}" for film in films])
        st.caption(f"The number: the share of the path that is no class with confidence (probability below {THRESHOLD}).")
        figure = opinion_lines(
            titles,
            [film.confidence.numpy() for film in films],
            [film.seen.numpy() for film in films],
            colours,
            DATASETS[dataset].class_names,
            THRESHOLD,
            t,
        )
        st.plotly_chart(figure, config=PLOT, key="opinion")


def show_way(left: st.delta_generator.DeltaGenerator, first: ModelCard, second: ModelCard | None, right: st.delta_generator.DeltaGenerator) -> None:
    dataset = first.dataset
    with right:
        a, b = pick_images(dataset, 2)
        path = controls.choose("Path", list(PATHS), key="path")


@st.fragment
def explore() -> None:
    """The whole page but its closing; only this part runs again when a control changes or a hand lets go."""
    head = st.container()
    left, right = st.columns([3, 1], gap="medium")
    below = st.container()
    with right:
        ends = st.container()
        mode = controls.choose("Walk", (WAY, CORNERS), key="walk")
        path = controls.choose("Path", list(PATHS), key="path") if mode == WAY else "straight"
        first, second = pick_models()
        with ends:
            images = pick_images(first.dataset, 2 if mode == WAY else 4)
    with head:
        frame.opening(
            "What lies on the way from one picture to another?",
            "Drag along the strips. Which film changes evenly, which one jumps, and which one shows what is no picture?"
            if mode == WAY
            else "Move over the square: every picture in it is a mixture of the codes in its four corners.",
        )
    dataset = first.dataset
    if mode == CORNERS:
        with left:
            codes = [cache.code_of(first.name, image) for image in images]
            at = controls.vector_from_link("at", 2, bound=1) or [0.5, 0.5]
            names = [f"{end}: {DATASETS[dataset].class_names[int(cache.held_out(dataset).labels[image])]}" for end, image in zip(ENDS, images, strict=True)]
            decoder = shipped(first, "decoder 0")
            kept = corner_grid(decoder, codes, key="corners", at=(at[0], at[1]), names=names)
            if list(kept) != at:
                controls.to_link("at", kept)
            frame.honesty([first], f"Four of 10,000 held-out images of {DATASETS[dataset].title} as corners.")
        return
    a, b = images
    shown = to_show(first, second)
    with left:
        (start,) = controls.vector_from_link("t", 1, bound=1) or [0.5]
        t = path_view(strips(shown, dataset, a, b), key="way", t=start, path=path, hint="")
        if t != start:
            controls.to_link("t", [t])
    with below:
        films = [cache.film(dataset, one.card.name if one.card else None, a, b, path, STEPS + 1) for one in shown]
        charts(shown, films, dataset, t)
        frame.honesty([one.card for one in shown if one.card], f"Images {a} and {b} of 10,000 held-out images of {DATASETS[dataset].title}; {STEPS} steps.")
    with right:
        st.download_button("Save as GIF", lambda: film_file(films), "interpolation.gif", "image/gif", key="gif", on_click="ignore")


try:
    explore()
except InvalidInput as error:
    st.error(str(error))
    st.stop()
frame.closing("", [], "")
