"""The conditional VAE: told the class, its code says the style, which any class can take over."""

from __future__ import annotations

import streamlit as st
import torch
from torch import Tensor

from ui import cache, controls, frame
from ui.browser import ship
from ui.draw_pad import draw_pad
from ui.lessons import conditional as lesson
from ui.picture_rows import Row, picture_rows
from ui.sheet.axes import minus
from ui.small_table import small_table
from ui.style_plane import REACH, Styles, style_plane
from vae_core.data import dataset
from vae_core.latent.browser import pack_id
from vae_core.models import ConditionalVAE

ROWS, SIDE = 6, 12  # draws under one another; pictures along a sheet's side
MOST_SEEDS = 1_000_000
HELD_OUT, DRAW = "a held-out image", "draw"
OWN = "its own class"


def pick() -> tuple[str, tuple[int, int]]:
    """The model, and the two latents that span the plane."""
    title = controls.choose("Data and latents", list(lesson.OFFERED), key="data")
    name = lesson.OFFERED[title][0]
    latent = lesson.model(name).config.latent
    if latent == 2:
        return name, (0, 1)
    names = [str(number + 1) for number in range(latent)]
    first, second = lesson.strongest(name)[:2]
    across = controls.choose("Across: latent", names, key="across", default=names[first], style="select")
    others = [each for each in names if each != across]
    up = controls.choose("Up: latent", others, key="up", default=names[second], style="select")
    return name, (int(across) - 1, int(up) - 1)


@frame.part
def explore() -> None:
    """One code, moved by hand, drawn as every class at once."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="controls"):
        name, axes = pick()
    cloud, loaded = lesson.styles(name), cache.checkpoint(name)
    spec = Styles(
        decoder=pack_id(lesson.pack(name)),
        classes=lesson.class_names(name),
        anchor=torch.zeros(lesson.model(name).config.latent).tolist(),
        axes=axes,
        codes=cloud.codes[:, list(axes)].numpy(),
        labels=cloud.labels.numpy(),
    )
    with st.container(key="figure"):
        ship(lesson.pack(name), key=f"weights {name}")
        at = controls.vector_from_link("at", 2, REACH) or [0.0, 0.0]
        style_plane(spec, key="plane", at=at, on_release=keep_place)
    rest = "" if len(spec.anchor) == 2 else f" The other latents stand at 0.{lesson.unused(name)}"
    st.caption(
        f"Conditional VAE, {len(spec.anchor)} latents, trained on {dataset(loaded.dataset).title} with labels.{rest} "
        f"Dots: the codes of the first {frame.held_out_words(loaded.dataset, len(cloud.codes))} Colours are classes: "
        "they lie over one another, for the code need not tell them apart. Every picture is decoded in your browser."
    )
    st.divider()
    many(name, axes)
    st.divider()
    take_over(name)
    st.divider()
    numbers(name)


def keep_place() -> None:
    told = st.session_state["plane"].get("release")
    if told:
        controls.to_link("at", told["at"])


def many(name: str, axes: tuple[int, int]) -> None:
    """The same codes through all classes, and one class through all codes."""
    names = lesson.class_names(name)
    left, right = st.columns([8, 5], gap="large")
    with left:
        st.subheader("The same code through all classes", anchor=False)
        seed = controls.index_from_link("seed", MOST_SEEDS, 0, "draw")
        latent = lesson.model(name).config.latent
        codes = torch.randn(ROWS, latent, generator=torch.Generator().manual_seed(seed))
        rows = lesson.as_classes(name, codes)
        picture_rows([Row(f"Style {place + 1}", told(codes[place]), rows[place]) for place in range(ROWS)])
        controls.another("Other styles", "seed", seed, MOST_SEEDS)
    with right:
        st.subheader("One class through all codes", anchor=False)
        asked = controls.choose("Class", names, key="class", style="select")
        picture = lesson.sheet(name, names.index(asked), axes, SIDE)
        st.image(frame.crisp(picture, 640), width="stretch")
        st.caption(
            f"{SIDE} x {SIDE} codes that share {lesson.COVERED:.0%} of the prior equally, latent {axes[0] + 1} from "
            f"left to right, latent {axes[1] + 1} upwards; all decoded as {asked}, none of them from an image."
        )


def told(code: Tensor) -> str:
    """A code in a few letters."""
    if len(code) > 2:
        return "a draw from the prior"
    return "z = (" + ", ".join(minus(f"{value:.1f}") for value in code.tolist()) + ")"


def take_over(name: str) -> None:
    """The style of a picture, given to every class."""
    data, names = cache.checkpoint(name).dataset, lesson.class_names(name)
    st.subheader("Take over a style", anchor=False)
    left, right = st.columns([4, 9], gap="large")
    with left:
        way = controls.choose("The picture", [HELD_OUT, DRAW], key="own")
        picture, known, whence = held_out(data) if way == HELD_OUT else drawn(data)
    with right:
        if picture is None:
            st.info("Draw one: its slant, its width and its stroke are given to every class.")
            return
        told_class = controls.choose("The encoder is told", [OWN, *names], key="as", style="select")
        label = known if told_class == OWN else names.index(told_class)
        code = lesson.style_of(name, picture, label)
        made = lesson.as_classes(name, code[None])[0]
        picture_rows([Row("Its style", f"{whence}, as {names[0]} to {names[-1]}", made)])
        st.caption(
            f"The encoder was told that it sees {names[label]}, and gave the mean of q(z | x, y); that code is decoded "
            "as every class. Tell it a wrong class, and the style has to make up for the lie."
        )


def held_out(data: str) -> tuple[Tensor, int, str]:
    """A held-out image, its class, and where it is from."""
    source = cache.held_out(data)
    number = controls.index_from_link("image", len(source), 0)
    controls.another("Another image", "image", number, len(source))
    label = int(source.labels[number])
    picture = source.images(torch.tensor([number]))
    st.image(frame.crisp(picture[0], 224), width=224)
    return picture, label, f"held-out image {number}"


def drawn(data: str) -> tuple[Tensor | None, int, str]:
    """A drawing, and the class that the classifier gives to it."""
    pixels = draw_pad(
        key=f"pad {data}",
        size=dataset(data).shape[1],
        centre="mnist" if data == "mnist" else "none",
        label="Draw one of the classes.",
    )
    if pixels is None:
        return None, 0, ""
    picture = torch.from_numpy(pixels.copy()).float()[None, None] / 255
    label, sure = lesson.opinion(data, picture)
    return picture, label, f"yours; the classifier says {dataset(data).class_names[label]} ({sure:.0%})"


def numbers(name: str) -> None:
    """What knowing the class is worth."""
    st.subheader("What knowing the class is worth", anchor=False)
    other = next(beside for own, beside in lesson.OFFERED.values() if own == name)
    data = cache.checkpoint(name).dataset
    rows = lesson.compared(name, other)
    small_table(list(rows), {head: [row[head] for row in rows.values()] for head in rows[next(iter(rows))]})
    st.caption(
        f"Nats per image, means over all {frame.held_out_words(data)} Reconstruction of grey images is grey BCE. "
        "The conditional model's bound is one of log p(x | y), so it is spared the class, which is worth ln 10 = 2.3 "
        "nats at most. Right class: the share of 1,000 draws for each class, codes from the prior, that the bundled "
        "classifier takes for the class asked for."
    )


SEEN = """
- **What the class tells, the code need not say.** Encoder and decoder are given the class y, so z is free for all that
  classes share: slant, width, thickness. That is why the colours lie over one another.
- **One code is a style, in every class.** Nobody named the styles or paired a 3 with an 8 of the same hand. It comes
  about because one prior serves all classes, so the same part of the plane has to be good for something in each.
- **Two latents go further.** The plane that had to hold ten classes now holds one at a time: the reconstruction gets
  better, with the same hidden layers and after fewer steps.
- **Asked for a digit, it draws that digit**, nearly always; a VAE that was not told can only be searched for one. Among
  clothes the classifier agrees less often: with two latents some of them stay blurs.
- **A wrong class makes the code lie.** Told that an 8 is a 3, it says whatever makes a 3 look like that 8.
"""
LECTURE = r"""
**7.10 Variants**, the conditional VAE: generation under control.

$$\log p(x \mid y) \;\ge\; \mathbb{E}_{q(z \mid x, y)}[\log p(x \mid z, y)] - \mathrm{KL}(q(z \mid x, y)\,\|\,p(z))$$

with $x$ the image, $y$ its class as a one-hot vector, $z$ the code, $q$ the encoder, $p(x \mid z, y)$ the decoder, and
the same prior $p(z) = \mathcal{N}(0, I)$ for every class (Sohn, Lee and Yan 2015; Kingma and others 2014 have it as
their model M2).
"""

frame.opening(
    "Once the class is known, what is left for the code to say?",
    "Move over the plane: one code, drawn as every class. Then take the style of a digit that you draw yourself.",
)
explore()
frame.closing(SEEN, [ConditionalVAE, lesson.as_classes], LECTURE)
