"""Interpolation: what lies on the way from one image to another, in two latent spaces and in pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st
import torch

from ui import cache, controls, frame
from ui.browser import ship
from ui.cache import Film
from ui.cards import ModelCard
from ui.figures import PLOT, opinion_lines, step_lines
from ui.palette import ROLE_COLOURS, colours_of
from ui.scrubbers import Strip, corner_grid, path_view
from vae_core.data import dataset
from vae_core.latent.browser import pack_id
from vae_core.latent.paths import PATHS, blend, corners_grid, spherical, step_sizes, straight
from vae_core.latent.pictures import enlarge, gif, side_by_side, to_bytes
from vae_core.metrics.continuity import STEPS, THRESHOLD, uneven

WAY, CORNERS = "from A to B", "four corners"
ENDS = ("A", "B", "C", "D")
FILM_SIDE = 160  # pixels; a frame of the saved film is at least as wide

# The held-out images that a page opens with; the first pairs of digits and of clothes show the
# difference well, most pairs less so.
START = {
    "mnist": (4905, 4885, 3, 2),
    "fashion_mnist": (4303, 2285, 1, 2),
    "sprites": (8234, 454, 8712, 7537),
}
ANY_START = (0, 1, 2, 3)  # for data that nobody has searched for a telling pair


@dataclass(frozen=True)
class Shown:
    """One of the things compared: a model, or the pixel blend (no card)."""

    card: ModelCard | None
    title: str
    colour: str


def other_class(key: str, data: str) -> None:
    """The first held-out image of the class just chosen."""
    label = dataset(data).class_names.index(st.session_state[f"class {key}"])
    controls.to_link(key, int((cache.held_out(data).labels == label).nonzero()[0]))


def another(key: str, data: str, image: int) -> None:
    """The next held-out image of the same class."""
    labels = cache.held_out(data).labels
    same = (labels == labels[image]).nonzero().flatten().tolist()
    controls.to_link(key, same[(same.index(image) + 1) % len(same)])


def pick_image(end: str, data: str, start: int) -> int:
    """One end of the path: a held-out image, by its class and one after another; its number stands in the link."""
    source, key = cache.held_out(data), end.lower()
    image = controls.index_from_link(key, len(source), start)
    names = dataset(data).class_names
    there = [names[label] for label in source.labels.unique().tolist()]
    st.session_state[f"class {key}"] = names[int(source.labels[image])]
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.image(frame.crisp(source.images(torch.tensor([image]))[0], 224), width=112)
        with st.container(width="stretch", gap="xsmall"):
            st.selectbox(end, there, key=f"class {key}", on_change=other_class, args=(key, data))
            st.button("Another", key=f"another {key}", on_click=another, args=(key, data, image), width="stretch")
    return image


def pick_images(data: str, count: int) -> list[int]:
    """The ends; other data, other images."""
    if st.session_state.setdefault("ends of", data) != data:
        st.session_state["ends of"] = data
        for end in ENDS:
            controls.to_link(end.lower(), None)
    starts = [image % len(cache.held_out(data)) for image in START.get(data, ANY_START)]  # of few images, some twice
    return [pick_image(end, data, starts[i]) for i, end in enumerate(ENDS[:count])]


def pick_models(beside: bool) -> tuple[ModelCard, ModelCard | None]:
    """A model, and on a path beside it the autoencoder, or another VAE where there is none."""
    _, cards = controls.pick_family()
    first = controls.pick_model(cards, style="select")
    if not beside:
        return first, None
    others = [card.variant for card in cards if card != first]
    start = "autoencoder" if "autoencoder" in others else next(iter(others[::-1]), controls.NOTHING)
    return first, controls.pick_second_model(cards, first, default=start)


def to_show(first: ModelCard, second: ModelCard | None) -> list[Shown]:
    cards = [card for card in (first, second) if card]
    colours = colours_of([card.role for card in cards])
    shown = [Shown(card, card.title, colour) for card, colour in zip(cards, colours, strict=True)]
    return [*shown, Shown(None, "Pixel blend", ROLE_COLOURS["blend"])]


def shipped(card: ModelCard, key: str) -> str:
    """Send a decoder to the browser; returns its id there."""
    pack = cache.decoder_pack(card.name)
    ship(pack, key=key)
    return pack_id(pack)


def strips(shown: Sequence[Shown], data: str, a: int, b: int) -> list[Strip]:
    images = to_bytes(cache.held_out(data).images(torch.tensor([a, b]))).numpy()
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


def charts(shown: Sequence[Shown], films: Sequence[Film], data: str, t: float) -> None:
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
        opinions = [(film.confidence, film.seen) for film in films if film.confidence is not None]
        if not opinions:
            st.info(f"No classifier knows {dataset(data).title}, so nobody says here what the pictures show.")
            return
        legend(shown, [f"{float((sure < THRESHOLD).double().mean()):.0%}" for sure, _ in opinions])
        st.caption(
            f"The number: the share of the path that is no class with confidence (probability below {THRESHOLD})."
        )
        figure = opinion_lines(
            titles,
            [sure.numpy() for sure, _ in opinions],
            [seen.numpy() for _, seen in opinions],
            colours,
            dataset(data).class_names,
            THRESHOLD,
            t,
        )
        st.plotly_chart(figure, config=PLOT, key="opinion")


def keep_t() -> None:
    """A hand let go on the path: put the place into the link."""
    controls.to_link("t", [st.session_state["way"]["release"]["at"]])


def keep_at() -> None:
    """A hand let go in the square: put the place into the link."""
    controls.to_link("at", st.session_state["corners"]["release"]["at"])


def show_way(first: ModelCard, second: ModelCard | None, images: Sequence[int], path: str) -> tuple[list[Shown], float]:
    """The strips under one slider; returns what is shown and where on the path the hand let go."""
    shown = to_show(first, second)
    (start,) = controls.vector_from_link("t", 1, bound=1, least=0) or [0.5]
    view = strips(shown, first.dataset, *images)
    return shown, path_view(view, key="way", t=start, path=path, hint="", on_release=keep_t)


def show_corners(card: ModelCard, images: Sequence[int]) -> None:
    """The square of mixtures of four codes."""
    labels, names = cache.held_out(card.dataset).labels, dataset(card.dataset).class_names
    codes = [cache.code_of(card.name, image) for image in images]
    at = controls.vector_from_link("at", 2, bound=1, least=0) or [0.5, 0.5]
    titles = [f"{end}: {names[int(labels[image])]}" for end, image in zip(ENDS, images, strict=True)]
    decoder = shipped(card, "decoder 0")
    corner_grid(decoder, codes, key="corners", at=(at[0], at[1]), names=titles, hint="", on_release=keep_at)


@frame.part
def explore() -> None:
    """The whole page but its closing; only this part runs again when a control changes or a hand lets go."""
    head = st.container()
    left, right = st.columns([3, 1], gap="medium")
    with right:
        ends = st.container()
        walk = controls.choose("Walk", (WAY, CORNERS), key="walk")
        path = controls.choose("Path", list(PATHS), key="path") if walk == WAY else "straight"
        first, second = pick_models(beside=walk == WAY)
        with ends:
            images = pick_images(first.dataset, 2 if walk == WAY else 4)
    with head:
        frame.opening(
            "What lies on the way from one picture to another?",
            "Drag along the strips. Which film changes evenly, which one jumps, and which one passes through nonsense?"
            if walk == WAY
            else "Move over the square, click to keep a place: every picture is a mixture of the codes in the corners.",
        )
    numbers = ", ".join(map(str, images[:-1])) + f" and {images[-1]}"
    held_out = f"Images {numbers} of {frame.held_out_words(first.dataset)}"
    if walk == CORNERS:
        with left:
            show_corners(first, images)
        frame.honesty([first], f"{held_out[:-1]} in the corners, 9 x 9 mixtures.")
        return
    with left:
        shown, t = show_way(first, second, images, path)
    films = [cache.film(first.dataset, one.card.name if one.card else None, *images, path, STEPS + 1) for one in shown]
    with right:
        name = "-to-".join(map(str, images))
        st.download_button(
            "Save as GIF", lambda: film_file(films), f"{name}.gif", "image/gif", key="gif", on_click="ignore"
        )
    if images[0] == images[1]:
        st.info("A and B are the same picture, so nothing changes on the way. Press Another at A or at B.")
    else:
        charts(shown, films, first.dataset, t)
    cards = [one.card for one in shown if one.card]
    judged = ""
    if cache.has_judge(first.dataset):
        judged = f"; judged by {cache.classifier(first.dataset).name}, trained on the training images"
    frame.honesty(cards, f"{held_out[:-1]}, {STEPS} steps between them{judged}.")


frame.go_through_the_router()
explore()
frame.closing(
    """
- **Pixels.** The blend fades one picture out and the other in. It is perfectly even and passes through no picture of
  anything: two at once. Where the classifier is sure of it all the same, its opinion alone is not enough.
- **The VAE** walks through pictures. Where the path crosses from one class to the next there is a short stretch that
  is neither, and the change stays even: the KL term has packed the codes closely, so equal steps make about equal
  changes.
- **The autoencoder** was never asked what lies between its codes. It may stand still and then jump: the high peak in
  the curve of changes. Some of its paths cross blurred pictures of nothing, others happen to look fine.

The first pair was picked because it shows the difference; press *Another* a few times before you believe it. Over many
pairs, and with two latents, it is the jumps that tell the two models apart, not the share without a class: on digits
the autoencoder is even a little ahead there, because a jump skips what lies between. Both numbers, for every model and
with their spread, stand on the page *Continuity and completeness*.
""",
    [straight, spherical, blend, step_sizes, uneven, corners_grid, gif],
    """
**6.5 Autoencoders as generative models**: nothing makes the latent space of an autoencoder continuous.
**7.6 to 7.8**: the KL term of the ELBO closes the gaps. **7.9 Results**: what lies in the latent space of a VAE.

A path is $z(t) = (1 - t)\\,z_A + t\\,z_B$, with $z_A$ and $z_B$ the codes of the two pictures and $t$ from 0 to 1;
the spherical one turns from the direction of $z_A$ to that of $z_B$ about the origin, its length going evenly from
that of $z_A$ to that of $z_B$.
The size of a step is $\\lVert x_{i+1} - x_i \\rVert_2$ over all pixels of two neighbouring decoded pictures.
""",
)
