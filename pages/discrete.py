"""The discrete VAE: a code of letters, flipped one by one, and the softening through which it is trained."""

from __future__ import annotations

import base64

import streamlit as st
import torch

from ui import cache, controls, frame
from ui.browser import ship
from ui.code_board import code_board
from ui.figures import PLOT
from ui.figures.discrete import bias_and_noise, soft_letters
from ui.lessons import discrete as lesson
from ui.lessons import scores
from ui.picture_rows import Row, picture_rows
from ui.small_table import small_table
from vae_core.exact.letters import estimated
from vae_core.latent.browser import pack_id
from vae_core.models import DiscreteVAE
from vae_core.models.discrete import gumbel_softmax

DATA = "mnist"
COLUMNS = 12  # pictures in a row
MOST_SEEDS = 1_000_000
BOARD, OF = "board", "word of"  # the board, and the model and image whose word is in the link
PLACE_OF = "place of"  # the model and image whose letter is relaxed


@frame.part
def explore() -> None:
    """A held-out image as letters, which can be flipped."""
    source = cache.held_out(DATA)
    with st.container(horizontal=True, vertical_alignment="bottom", key="controls"):
        title = controls.choose("Trained with", list(lesson.OFFERED), key="model")
        number = controls.index_from_link("image", len(source), 0)
        controls.another("Another image", "image", number, len(source))
    name = lesson.OFFERED[title]
    picture, config = source.images(torch.tensor([number])), lesson.model(name).config
    logits = lesson.logits_of(name, picture)
    of = f"{name} {number}"
    with st.container(key="figure"):
        ship(lesson.pack(name), key=f"weights {name}")
        code_board(
            pack_id(lesson.pack(name)),
            logits.softmax(-1).tolist(),
            "data:image/png;base64," + base64.b64encode(frame.crisp(picture[0], 224)).decode("ascii"),
            key=BOARD,
            of=of,
            at=word_in_link(of, config.latents, config.categories) or logits.argmax(-1).tolist(),
            kl=scores(name, "kl_per_latent")["kl_per_latent"],
            on_release=keep_word,
        )
    st.caption(
        f"Discrete VAE, {config.latents} letters of {config.categories} kinds, trained on MNIST ({title}); image "
        f"{number} of {frame.held_out_words(DATA)} A cell's colour is the encoder's probability of that letter, "
        "the frame the letter that is decoded, at the start the likeliest one. Nats: what a place carries, mean "
        f"over all held-out images; at most ln {config.categories} = {torch.tensor(config.categories).log():.1f}. "
        "Decoded in your browser."
    )
    st.divider()
    soften(name, logits, of)
    st.divider()
    compare(name)


def word_in_link(of: str, places: int, letters: int) -> list[int] | None:
    """The word [N] in the link, letters from 0; None where there is none. Another image or another model begins with
    its own."""
    if st.session_state.setdefault(OF, of) != of:
        controls.to_link("word", None)
        st.session_state[OF] = of
    word = controls.vector_from_link("word", places, letters, least=1, whole=True)
    return None if word is None else [int(letter) - 1 for letter in word]


def keep_word() -> None:
    """A hand chose letters: put them into the link, counted from 1 as on the board."""
    told = st.session_state[BOARD].get("release")
    if told and told["of"] == st.session_state[OF]:
        controls.to_link("word", [letter + 1 for letter in told["at"]])


def soften(name: str, logits: torch.Tensor, of: str) -> None:
    """One letter's relaxed draws, and what the temperature does to the gradient."""
    st.subheader("A gradient cannot pass through a choice; through a soft one it can", anchor=False)
    places = [str(place + 1) for place in range(len(logits))]
    entropy = torch.distributions.Categorical(logits=logits).entropy()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = controls.choose(
            "Temperature",
            [f"{each:g}" for each in lesson.TEMPERATURES],
            key="temperature",
            default="0.5",
            style="slider",
        )
        start = places[int(entropy.argmax())]  # where the encoder is least sure
        arrived = PLACE_OF not in st.session_state and "place" in st.query_params
        if st.session_state.get(PLACE_OF) != of and not arrived:
            st.session_state["place"] = start
        st.session_state[PLACE_OF] = of
        place = int(controls.choose("Place of the code", places, key="place", style="select")) - 1
    temperature = float(chosen)
    left, right = st.columns([6, 6], gap="large")
    with left:
        letters = lesson.soft_letters(logits[place], temperature).numpy()
        st.plotly_chart(soft_letters(letters, logits[place].softmax(-1).tolist()), config=PLOT, key="letters")
        st.caption(
            f"{len(letters)} draws of the letter in place {place + 1} of the image above, relaxed at temperature "
            f"{temperature:g}; the same noise at every temperature. The largest cell of a row never changes: it is the "
            "true draw."
        )
    with right:
        found = lesson.curves()
        figure = bias_and_noise(lesson.TEMPERATURES, found.bias, found.deviation, found.truth, temperature)
        st.plotly_chart(figure, config=PLOT, key="gradients")
        st.caption(
            f"A small problem whose gradient g is known: one letter out of {len(lesson.LOGITS)} and a squared error. "
            f"Bias of the mean of {lesson.DRAWS:,} estimates and standard deviation of one, in lengths of g; no image "
            "has a part in it."
        )
    st.latex(
        r"\tilde c_k = \frac{\exp((\log q_k + g_k)/\tau)}{\sum_j \exp((\log q_j + g_j)/\tau)},"
        r"\quad\allowbreak {g_k = -\log(-\log u_k),\; u_k \sim \mathcal{U}(0, 1)}"
    )
    st.caption(
        r"$q_k$: probability of letter $k$; $g_k$: Gumbel noise; $\tau$: temperature; $\tilde c$: the soft letter."
    )


def compare(name: str) -> None:
    """What each way of training leads to, with true letters."""
    config = lesson.model(name).config
    st.subheader("What it was trained for, and what it gets", anchor=False)
    small_table(list(lesson.OFFERED), lesson.compared(), list(lesson.OFFERED.values()).index(name))
    st.caption(
        f"Nats per image (grey BCE), means over all {frame.held_out_words(DATA)} Soft, true letters: the "
        "reconstruction from letters as relaxed as in training, which is no bound on anything, and from drawn ones, "
        "which is part of the \u2212ELBO; straight-through has true ones in training, too. "
        f"Letters in use: of {config.categories} in a place, by the entropy of the mean letter."
    )
    seed = controls.index_from_link("seed", MOST_SEEDS, 0, "draw")
    x = cache.held_out(DATA).images(torch.arange(COLUMNS))
    picture_rows(
        [
            Row("Held-out images", f"the first {COLUMNS}", x),
            Row("Their likeliest letters", "decoded", lesson.copies(name, x)),
            Row("Words by chance", "from the uniform prior", lesson.samples(name, COLUMNS, seed)),
        ]
    )
    controls.another("Other words", "seed", seed, MOST_SEEDS)


SEEN = """
- **A code may be a word.** Each place holds one of eight letters, so there are a finite number of pictures, and between
  two of them lies nothing. Flip a letter: some change the stroke, some the digit, some hardly anything.
- **A choice has no slope.** Moving a logit a little changes a drawn letter not at all, until it changes it wholly. The
  Gumbel-softmax lets a little of every letter through, so a slope is there.
- **The temperature trades bias for noise.** Warm: smooth gradients of the wrong loss. Cold: the right loss, and
  gradients that jump. The score function is never biased, and noisy at any temperature.
- **Trained too warm, a model cheats.** It stores what it has to say in the shades of soft letters, and true letters do
  not have them: its reconstruction with true letters is far worse than the one it was trained for.
- **Straight-through** lets the decoder see true letters only, and takes the soft letter's slope for the encoder.
"""
LECTURE = r"""
**7.10 Variants**, the discrete VAE: discrete latent variables, with the Gumbel-softmax for sampling that can be
differentiated (Jang, Gu and Poole 2017; Maddison, Mnih and Teh 2017).

$$\mathrm{ELBO} = \mathbb{E}_{q(c \mid x)}[\log p(x \mid c)]
- \sum_{n=1}^{N} \mathrm{KL}(q(c_n \mid x)\,\|\,\mathrm{uniform})$$

with $x$ the image and $c = (c_1, \dots, c_N)$ its letters. The second term is a finite sum and needs no draw.
"""

frame.opening(
    "What if a code were a word, and not a point?",
    "Point at a cell to try a letter, click to flip it. Below, turn the temperature at which such a code is trained.",
)
explore()
frame.closing(SEEN, [DiscreteVAE, gumbel_softmax, estimated], LECTURE)
