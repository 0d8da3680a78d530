"""The VQ-VAE: a picture as a map of code numbers, the codebook behind it, and a prior that learns to write maps."""

from __future__ import annotations

from functools import partial

import streamlit as st
import torch

from ui import cache, controls, frame
from ui.code_map import code_map
from ui.figures import PLOT
from ui.figures.vq_vae import pulls, usage_lines
from ui.lessons import scores
from ui.lessons import vq_vae as lesson
from ui.picture_rows import Row, picture_rows
from ui.small_table import small_table
from vae_core.data import dataset
from vae_core.models import VQVAE, PixelCNN
from vae_core.models.quantiser import Quantiser

VIEW, OF = "map view", "map of"  # the component, and the model and image whose codes are in the link
COLUMNS = 12  # pictures in a row
MOST_SEEDS = 1_000_000
ANY = "each in turn"


@frame.part
def explore() -> None:
    """A held-out image as a code map, whose codes can be swapped."""
    choices = lesson.EXPLORED
    with st.container(horizontal=True, vertical_alignment="bottom", key="controls"):
        title = controls.choose("Pictures", list(choices), key="model")
        chosen = choices[title]
        source = cache.held_out(chosen.data)
        number = controls.index_from_link("image", len(source), 0)
        controls.another("Another image", "image", number, len(source))
    picture = source.images(torch.tensor([number]))
    name, config = chosen.name, lesson.model(chosen.name).config
    own, of = lesson.numbers(name, picture), f"{name} {number}"
    at = codes_in_link(of, own, config.codes) or own
    with st.container(key="figure"):
        code_map(
            picture[0],
            lesson.decoded(name, at),
            lesson.book(name, chosen.data),
            lesson.usage(name),
            key=VIEW,
            of=of,
            own=own,
            at=at,
            on_release=keep_codes,
        )
    changed = sum(
        here != before for line, old in zip(at, own, strict=True) for here, before in zip(line, old, strict=True)
    )
    bits = torch.tensor(config.codes).log2() * len(own) * len(own[0])
    st.caption(
        f"VQ-VAE, {len(own)} x {len(own[0])} codes out of {config.codes} ({bits:.0f} bits an image), trained on "
        f"{dataset(chosen.data).title} ({chosen.learned}); image {number} of {frame.held_out_words(chosen.data)} "
        f"Codes swapped: {changed}. A code is shown as the mean of its cells in the first {lesson.BEHIND_BOOK} of "
        "these images, decoded; what it looks like in a map depends on its neighbours, too."
    )


def codes_in_link(of: str, own: list[list[int]], codes: int) -> list[list[int]] | None:
    """The code map in the link, None where there is none. Another image or another model begins with its own."""
    if st.session_state.setdefault(OF, of) != of:
        controls.to_link("codes", None)
        st.session_state[OF] = of
    width = len(own[0])
    flat = controls.vector_from_link("codes", len(own) * width, codes - 1, least=0, whole=True)
    return None if flat is None else torch.tensor(flat).long().view(-1, width).tolist()


def keep_codes() -> None:
    """A hand chose other codes: put them into the link."""
    told = st.session_state[VIEW].get("release")
    if told and told["of"] == st.session_state[OF]:
        controls.to_link("codes", [code for line in told["at"] for code in line])


@frame.part
def learn() -> None:
    """Three terms of the loss, and whom each one's gradient moves."""
    st.subheader("Choosing the nearest code has no slope. Who learns from what?", anchor=False)
    left, right = st.columns([6, 6], gap="large")
    with right:
        term = controls.choose("Term of the loss", lesson.TERMS, key="term", default=lesson.TERMS[0])
        straight = controls.switch("Straight-through", True, key="through")
        x = controls.number("z, first dimension", -2.0, 2.0, 0.7, 0.1, key="x")
        y = controls.number("z, second dimension", -2.0, 2.0, 0.1, 0.1, key="y")
        beta = controls.number(r"$\beta$", 0.0, 2.0, 0.25, 0.05, key="beta")
    found = lesson.pulled((x, y), term, beta, straight)
    with left:
        figure = pulls(lesson.BOOK, (x, y), lesson.GOAL, *found, step=0.5)
        st.plotly_chart(figure, config=PLOT, key="pulls")
    with right:
        st.latex(
            r"\begin{aligned} L ={}& -\log p(x \mid z_q) && \text{reconstruction} \\"
            r"&+ \lVert \mathrm{sg}[z] - e \rVert^2 && \text{codebook} \\"
            r"&+ \beta\, \lVert z - \mathrm{sg}[e] \rVert^2 && \text{commitment} \end{aligned}"
        )
        st.caption(
            r"$z$: what the encoder says; $e$: the nearest code; $z_q = z + \mathrm{sg}[e - z]$: forward the code, "
            r"backward as if it were $z$ (straight-through); $\mathrm{sg}$: no gradient goes through here; $\beta$: "
            "how firmly the encoder must commit itself."
        )
    st.caption(
        "A small problem of two dimensions, computed by the quantiser of the models above: the decoder wants its input "
        "at the star, and arrows are half a step of gradient descent; no image has a part in it. Green: what the "
        "reconstruction asks of the decoder's input. Blue: what moves the encoder's vector. Orange: what moves the "
        "code."
    )


@frame.part
def codebooks() -> None:
    """Codebooks that learned in different ways, on the same data."""
    names = lesson.COMPARED
    st.subheader("A codebook can die", anchor=False)
    left, right = st.columns([5, 7], gap="large", vertical_alignment="center")
    with left:
        figure = usage_lines({title: lesson.usage(name) for title, name in names.items()})
        st.plotly_chart(figure, config=PLOT, key="usage")
    with right:
        small_table(lesson.SCORED, {title: lesson.column(name) for title, name in names.items()})
    first = tuple(range(COLUMNS))
    x = cache.held_out("mnist").images(torch.tensor(first))
    found = {title: scores(name, "unexplained")["unexplained"] for title, name in names.items()}
    rows = [Row("Held-out images", f"the first {COLUMNS}", x)]
    rows += [
        Row(title, f"MSE / variance {found[title]:.3f}", lesson.copies(name, "mnist", first))
        for title, name in names.items()
    ]
    picture_rows(rows)
    st.caption(
        f"The same network, trained on MNIST each way; all numbers over all {frame.held_out_words('mnist')} Recon: "
        "minus log-likelihood, nats per image, of a Gaussian with one fixed sigma (a density, so it may be negative). "
        "Codebook and commitment: the same squared distance, summed over a map; with moving means the codebook's has "
        "no gradient, but measures the same. Perplexity: effective number of codes, of the "
        f"{lesson.model(next(iter(names.values()))).config.codes} in each book."
    )


@frame.part
def write() -> None:
    """Maps from a learned prior beside maps by chance."""
    choices = lesson.PRIORS
    st.subheader("A map of codes by chance is no picture. A prior has to be learned", anchor=False)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        title = controls.choose("Maps of", list(choices), key="maps")
        name = choices[title]
        data, of = cache.checkpoint(name).dataset, lesson.prior(name).config.codes_of
        classes = dataset(data).class_names
        label = controls.choose("Class", [ANY, *classes], key="class", style="select")
        seed = controls.index_from_link("seed", MOST_SEEDS, 0, "draw")
        asked = None if label == ANY else classes.index(label)
        draw = partial(lesson.drawn, name, COLUMNS, label=asked)
        controls.another("Other maps", "seed", seed, MOST_SEEDS, ahead=draw)
    found = lesson.results(title)
    held_out = cache.held_out(data)
    own = torch.arange(COLUMNS) if asked is None else (held_out.labels == asked).nonzero()[:COLUMNS, 0]
    picture_rows(
        [
            Row("Learned prior", f"FID {found['prior']:.0f}", draw(seed)),
            Row("Codes by chance", f"FID {found['chance']:.0f}", lesson.by_chance(of, COLUMNS, seed)),
            Row(
                "Held-out images",
                f"by way of their codes, FID {found['copies']:.0f}",
                lesson.copies(of, data, tuple(own.tolist())),
            ),
        ]
    )
    told = scores(name, "code_nats", "saved")
    st.caption(
        f"A PixelCNN trained on the code maps of the training images of {dataset(data).title}, told the class; it "
        f"draws code after code in reading order. FID: between {found['samples']:,} samples and {found['images']:,} "
        f"held-out images, by the features of our own classifier ({found['judge']}), so it compares with no published "
        f"one. A code of a held-out image costs {told['code_nats']:.2f} nats under the prior, "
        f"{found['uniform_nats']:.2f} by chance: {told['saved']:.0%} saved."
    )


SEEN = """
- **A picture becomes a small map of numbers.** Each is the number of one code out of a book that all pictures share.
  Swap one: the picture changes around its cell, and only there.
- **The nearest code has no slope**, so the gradient of the reconstruction is copied past the choice:
  *straight-through*. The encoder learns from it, the codebook does not; that is what the second term is for, or a
  moving mean. The third makes the encoder stay where the codes are.
- **Codes die.** One that is nearest to nothing gets no gradient and no mean; it stays where it is, and comes back only
  if the encoder's vectors happen to move there. Setting dead codes to vectors of the batch keeps the whole book in use;
  perplexity tells how much of it is.
- **The VQ-VAE itself has no prior.** To it all maps are alike, and maps by chance are no pictures. A second model
  learns afterwards which code follows which.
"""
LECTURE = r"""
**7.10 Variants**, Vector Quantized Variational Autoencoders (van den Oord, Vinyals and Kavukcuoglu 2017): the nearest
code of an embedding space $e \in \mathbb{R}^{K \times D}$, the loss of three terms with the stop-gradient, and
sampling by a PixelCNN over the codes.

The lecture writes the first term as $\log p(x \mid z_q(x))$; as a loss, to be made small, it carries a minus.
"""

frame.opening(
    "Can a picture be written in a few numbered tiles?",
    "Choose a cell of the map, then a code from the book: the new map is decoded.",
)
explore()
st.divider()
learn()
st.divider()
codebooks()
st.divider()
write()
frame.closing(SEEN, [Quantiser, VQVAE, PixelCNN], LECTURE)
