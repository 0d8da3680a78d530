"""Colourisation: grey photographs, the average of all the colours that they could have, and draws from these."""

from __future__ import annotations

from typing import Any

import streamlit as st
import torch
from torch import Tensor

from ui import cache, controls, frame
from ui.colour_strip import colour_strip
from ui.figures import PLOT
from ui.figures.colourisation import Mark, error_and_colour
from ui.lessons import colourisation as lesson
from ui.lessons.colourisation import DATA, DRAWS, METHODS, Colourings
from ui.picture_rows import Row, picture_rows
from ui.small_table import small_table
from vae_core.data import dataset
from vae_core.data.uploads import read_photograph
from vae_core.errors import InvalidInput
from vae_core.imaging.colour import colour_error, srgb_to_lab
from vae_core.models import Colouriser, VariationalColouriser

SHOWN, OWN_DRAWS, MISSED = 7, 7, 7  # pictures in a row
HOTTEST, STEP = 1.5, 0.25  # temperature
MOST_SEEDS = 1000
LATENTS = 8  # offered, those that are used most
COLOURINGS = {"prior's mean": None, **{f"draw {number + 1}": number for number in range(DRAWS)}}
MOST_MEGABYTES = 32
VIEW = "strip"


def numbers(chosen: int) -> None:
    """A number above each column; the chosen one stands out."""
    cells = "".join(
        f'<span style="text-align:center;{"font-weight:700;text-decoration:underline" if place == chosen else ""}">'
        f"{place + 1}</span>"
        for place in range(SHOWN)
    )
    st.html(
        '<div style="display:flex;flex-wrap:wrap;gap:2px 16px" aria-hidden="true"><div style="flex:1 0 10.8rem"></div>'
        '<div style="flex:999 1 300px;display:grid;gap:4px;'
        f'grid-template-columns:repeat({SHOWN},minmax(0,1fr))">{cells}</div></div>'
    )


def words(made: Colourings, pictures: Tensor) -> str:
    """What was measured on these few pictures."""
    told = made.told(pictures)
    return f"\u0394E {told.delta_e:.0f}, chroma {told.chroma:.0f}"


def show_rows(made: Colourings, temperature: float) -> None:
    """Grey above, the truth below, and between them what the networks answer."""
    average, draw = METHODS["average"], METHODS["draw"]
    picture_rows(
        [
            Row("Grey, as shown", words(made, made.grey), made.grey, METHODS["grey"].colour),
            Row(average.title, words(made, made.average), made.average, average.colour),
            *(
                Row(f"{draw.title} {k + 1}, T = {temperature:g}", words(made, pictures), pictures, draw.colour)
                for k, pictures in enumerate(made.draws.unbind(1))
            ),
            Row("True colours", f"chroma {made.told(made.truth).chroma:.0f}", made.truth),
        ]
    )


def keep_z() -> None:
    """A hand let go on the strip: put the place into the link, with what it was a place of."""
    told = st.session_state[VIEW]["release"]
    about = st.session_state[f"{VIEW} about"]
    controls.to_link("z", [*about["of"], about["values"][min(max(int(told["frame"]), 0), len(about["values"]) - 1)]])


def show_strip(made: Colourings, chosen: int, codes: Tensor, drawn: list[float]) -> None:
    """One photograph, large, along one latent of one of its draws z [B, N, Z]; `drawn` says which photographs these are
    and what made the draws, so that a place on the strip is kept for them alone."""
    order = lesson.by_use()[:LATENTS]
    left, right = st.columns(2, gap="small")
    with left:
        name = controls.choose("Colouring", list(COLOURINGS), key="draw", default="draw 1", style="select")
    with right:
        options = [str(rank + 1) for rank in range(len(order))]
        rank = int(controls.choose("Latent, by use", options, key="latent", style="select")) - 1
    number = COLOURINGS[name]
    z = codes[chosen, number] if number is not None else torch.zeros_like(codes[chosen, 0])
    film = lesson.strip(made.truth[chosen], z, order[rank])
    of = [*drawn, chosen, -1 if number is None else number, rank]
    kept = controls.vector_from_link("z", len(of) + 1)
    at = film.own
    if kept is not None and kept[:-1] == of:
        at = min(range(len(film.values)), key=lambda i: abs(film.values[i] - kept[-1]))
    st.session_state[f"{VIEW} about"] = {"of": of, "values": film.values}
    about = f"Photograph {chosen + 1}, {name}"
    colour_strip(film.frames, film.values, key=VIEW, axis=f"z{rank + 1}", about=about, at=at, on_release=keep_z)


@frame.part
def explore() -> None:
    """Held-out photographs, coloured; one of them large."""
    measured = lesson.results()
    controls.option_from_link("data", (dataset(DATA).title,), dataset(DATA).title)  # its models are all of one data set
    sets = len(cache.held_out(DATA)) // SHOWN
    with st.container(horizontal=True, vertical_alignment="bottom", key="controls"):
        temperature = controls.number(
            "Temperature T of the draws", 0.0, HOTTEST, 1.0, STEP, key="T",
            help="Every draw z is multiplied by T: at 1 it comes from the prior, at 0 all draws are one.",
        )  # fmt: skip
        chosen = int(controls.choose("Photograph, large", [str(n + 1) for n in range(SHOWN)], key="photo")) - 1
        place = controls.index_from_link("set", sets, 0, "set of photographs")
        seed = controls.index_from_link("seed", MOST_SEEDS, 0, "seed of the draws")
        controls.another("Draw again", "seed", seed, MOST_SEEDS)
        controls.another("Other photographs", "set", place, sets)
    made = lesson.photographs(place, SHOWN, seed, temperature)
    left, right = st.columns([8, 5], gap="medium")
    with left, st.container(key="figure", gap=None):
        numbers(chosen)
        show_rows(made, temperature)
    with right:
        z = temperature * lesson.noise(seed, SHOWN, DRAWS)
        show_strip(made, chosen, z, [place, seed, round(temperature, 2)])
    st.caption(
        f"{SHOWN} of {frame.held_out_words(DATA)} Both networks were trained on the {measured['trained_on']:,} "
        f"training images ({lesson.passes()}), and are shown the lightness L alone. \u0394E (CIE 1976): mean distance "
        "to the true colours in CIE Lab, where about 2.3 is just noticed. Chroma: mean distance from grey. Both are "
        f"means over the {SHOWN} photographs here. z1 is the latent that the VAE uses most; the slider moves it alone."
    )


@frame.guarded
def measure() -> None:
    """Error against colourfulness over the whole test set."""
    measured = lesson.results()
    methods, draws, best = measured["methods"], measured["temperatures"], measured["best_of"]
    one = next(row for row in draws if row["temperature"] == 1)
    st.subheader("Is the smaller error the better picture?", anchor=False)
    left, right = st.columns(2, gap="medium")
    with left:
        marks = [
            *(
                Mark(METHODS[name].title.replace(" of the training set", ""), methods[name]["chroma"],
                     methods[name]["delta_e"], METHODS[name].colour, symbol, away)
                for name, symbol, away in (
                    ("grey", "square", (24, -44)), ("mean colour", "diamond", (-32, 40)),
                    ("average", "circle", (0, 60)),
                )
            ),
            *(
                Mark(f"Best of {row['n']}", row["chroma"], row["delta_e"], METHODS["best"].colour, "star",
                     (76, 0))
                for row in best[-1:]
            ),
        ]  # fmt: skip
        path = [(row["chroma"], row["delta_e"]) for row in draws]
        figure = error_and_colour(
            marks, [row["temperature"] for row in draws], path, METHODS["draw"].colour, methods["truth"]["chroma"]
        )
        st.plotly_chart(figure, config=PLOT, key="error and colour")
    with right:
        st.markdown(verdict(measured, one))
        rows, truth = table_rows(measured), measured["methods"]["truth"]["chroma"]
        small_table(
            [title for title, _ in rows],
            {
                "\u0394E": [f"{row['delta_e']:.2f}" for _, row in rows],
                "|\u0394a|, |\u0394b|": [f"{row['ab']:.2f}" for _, row in rows],
                "chroma": [f"{row['chroma']:.2f}" for _, row in rows],
                "of truth": [f"{row['chroma'] / truth:.0%}" for _, row in rows],
            },
        )
    st.caption(
        f"Means over {measured['held_out']:,} held-out images of {dataset(DATA).title}. The line: one draw of each, "
        "its T rising from 0. *Best of n* picks of n draws the one with the least \u0394E: it needs the true colours, "
        "so no method can do it; it tells whether a draw near the truth is among them. Two draws of one photograph "
        f"are {measured['between_two_draws']:.1f} apart."
    )


def verdict(measured: dict[str, Any], one: dict[str, float]) -> str:
    """What the table comes to, in two sentences."""
    methods, nats = measured["methods"], measured["nats"]
    average, truth = methods["average"], methods["truth"]["chroma"]
    gain = nats["average"] - nats["recon"] - nats["kl"]
    return (
        f"The **average answer** has the smaller error, {average['delta_e']:.1f} against {one['delta_e']:.1f} of a "
        f"draw, and **{average['chroma'] / truth:.0%}** of the true colourfulness; a draw has "
        f"**{one['chroma'] / truth:.0%}**. Under the conditional VAE the true colours are likelier than under "
        f"the average answer, by at least **{gain:,.0f} nats** per image."
    )


def table_rows(measured: dict[str, Any]) -> list[tuple[str, dict[str, float]]]:
    """Each method's name, and what it scores."""
    methods = measured["methods"]
    rows = [(METHODS[name].title, methods[name]) for name in ("grey", "mean colour", "average")]
    rows += [
        (f"One draw, T\u00a0=\u00a0{row['temperature']:g}", row)
        for row in measured["temperatures"]
        if row["temperature"] in (0, 0.5, 1)
    ]
    rows += [(f"Best of {row['n']} draws", row) for row in measured["best_of"] if row["n"] > 1]
    return [*rows, ("The true colours", methods["truth"])]


@frame.guarded
def show_missed() -> None:
    """Where the average answer is farthest from the truth."""
    st.subheader("Where does it fail?", anchor=False)
    found = lesson.missed(MISSED)
    made, draw = found.made, found.made.draws[:, 0]
    picture_rows(
        [
            Row("Grey, as shown", ", ".join(dict.fromkeys(found.names)), made.grey, METHODS["grey"].colour),
            Row(METHODS["average"].title, words(made, made.average), made.average, METHODS["average"].colour),
            Row("A draw, T = 1", words(made, draw), draw, METHODS["draw"].colour),
            Row("True colours", f"chroma {made.told(made.truth).chroma:.0f}", made.truth),
        ]
    )
    st.caption(
        f"The {MISSED} of the {found.searched:,} bundled held-out images with the largest \u0394E of the average "
        f"answer, {found.errors.min():.0f} to {found.errors.max():.0f}; so no fair sample. Their colours are vivid "
        f"(chroma {made.told(made.truth).chroma:.0f}; of all held-out images "
        f"{lesson.results()['methods']['truth']['chroma']:.0f}), which the mean of many different colours is not. A "
        "draw may be, but seldom in the very colour that happened to be true."
    )


@frame.part
def own_picture() -> None:
    """A photograph of one's own."""
    st.subheader("And a photograph of yours?", anchor=False)
    left, right = st.columns([4, 9], gap="medium")
    with left:
        file = st.file_uploader("A photograph, in colour or grey", key="file", max_upload_size=MOST_MEGABYTES)
        if file is None:
            picture = None
        else:
            try:
                upload = read_photograph(file.getvalue(), dataset(DATA).shape[1])
            except InvalidInput as error:
                st.error(str(error))
                return
            picture = upload.picture[None]
            for note in upload.notes:
                st.caption(note)
    with right:
        if picture is None:
            st.info(
                f"Choose a photograph: its middle is made {dataset(DATA).shape[1]} pixels wide, grey, and coloured."
            )
            return
        show_own(picture)


def show_own(picture: Tensor) -> None:
    """A picture [1, 3, H, W] beside its grey and its average, and draws under it."""
    seed = controls.index_from_link("seed", MOST_SEEDS, 0, "seed of the draws")
    made = lesson.coloured(picture, lesson.noise(seed, 1, OWN_DRAWS))
    told = colour_error(made.average, picture)
    for column, name, each in zip(
        st.columns(3), ("As given", "Grey, as shown", f"Average answer, \u0394E {told.delta_e.item():.1f}"),
        (picture, made.grey, made.average), strict=True,
    ):  # fmt: skip
        column.image(frame.crisp(each[0], 224), caption=name)
    picture_rows([Row("Draws, T = 1", "of one photograph", made.draws[0], METHODS["draw"].colour)])


SEEN = """
- **Grey does not tell.** A car may be red or blue and its lightness the same. For one grey picture there are many true
  ones, and no network can know which it was.
- **The average answer is the best one under squared error, and nobody's colours.** The mean of red and blue cars is a
  brownish grey; only where nearly all pictures agree does it dare a colour.
- **A conditional VAE puts what is not known into z.** Its decoder sees the grey picture and z; each draw from the prior
  is another complete colouring, for z is the same in the whole picture: not noise pixel by pixel. That is why it was
  chosen here, and no choice of a colour for each pixel apart. At T = 1 its draws are about as colourful as the truth,
  but not every one is plausible.
- **A smaller error is not a better picture.** A draw may be plausible and far from what happened to be true. Under
  squared error a guess pays twice for daring: so a comparison by error alone prefers the colourless.
- **It is a guess, whatever it looks like.** A restored photograph shows what training images of that kind look like;
  colours in it prove nothing about the day on which it was taken.
"""
LECTURE = r"""
**6.6 Applications**, colorization: from one channel to three, and that it takes knowledge of what is seen; restoring
old photographs. **6.7 Challenges**: outputs that are blurry, here in colour. **7.10 Variants**: conditional VAEs.

In CIE $L^*a^*b^*$, $L$ is the lightness that is shown; $(a, b)$, green to red and blue to yellow, are asked for. The
first network makes $\;\mathbb{E}\,\lVert (a, b) - f(L) \rVert^2\;$ small; the best $f(L)$ is the conditional mean
$\mathbb{E}[(a, b) \mid L]$. The second maximises a bound of $\log p(a, b \mid L)$:

$$\mathbb{E}_{q(z \mid L, a, b)}[\log p(a, b \mid L, z)] - \mathrm{KL}(q(z \mid L, a, b) \,\Vert\, \mathcal{N}(0, I)),$$

where $z$ are the latents, $q$ is the encoder, which sees the colours and is there for training only, and $p$ the
decoder (Sohn, Lee and Yan 2015). $\Delta E = \sqrt{\Delta L^2 + \Delta a^2 + \Delta b^2}$.
"""

frame.opening(
    "Which colours did the grey photograph have?",
    "Draw again, and compare with the average answer. Then move along a latent: one photograph changes its colours.",
)
explore()
measure()
show_missed()
own_picture()
frame.closing(
    SEEN,
    [srgb_to_lab, Colouriser, VariationalColouriser, colour_error],
    LECTURE,
)
