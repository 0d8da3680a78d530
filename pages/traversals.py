"""beta-VAE traversals: what one latent changes, how many latents a beta leaves active, what they stand for."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import streamlit as st
import torch

from ui.browser import ship
from ui.cache import Use, code_of, decoder_pack, held_out, use_of_latents
from ui.cards import ModelCard, families
from ui.controls import choose, index_from_link, pick_model, pick_second_model, to_link, vector_from_link
from ui.figures import PLOT, factor_heat, kl_bars, scores, trade_off
from ui.frame import closing, crisp, held_out_words, honesty, likelihood_words, opening, part
from ui.palette import ROLE_COLOURS, colours_of
from ui.scrubbers import Pane, Row, traversal_view
from vae_core.data import dataset
from vae_core.latent import factor_information, order_by_kl, traverse
from vae_core.latent.browser import pack_id
from vae_core.losses import kl_to_standard_normal
from vae_core.metrics import active_latents
from vae_core.metrics.active_latents import THRESHOLD
from vae_core.metrics.mig import mig_of

PREFERRED = ("Sprites 10-D", "MNIST 10-D")  # the first one that is there opens the page
IMAGE, MEAN = "image", "prior mean"
BASE_HELP = "Where the latents rest while one of them moves: the code of a held-out image, or the prior's mean, zero."
COLOUR = ROLE_COLOURS["vae"]
VIEW = "rows"  # key of the traversals in the browser
MOST_ROWS = 24  # of more latents, those that carry most nats
MOST_IN_LINK = 64  # latents whose values a link can carry
BASES = ("z", "z2")  # in the link: what a hand has made of the base code, pane by pane


def pick() -> tuple[list[ModelCard], list[ModelCard], int | None]:
    """All VAEs of the chosen family, the one or two to look at, the held-out image at the base (None: the prior's
    mean)."""
    groups = {name: [card for card in cards if card.beta is not None] for name, cards in families().items()}
    names = [name for name, cards in groups.items() if cards]
    if not names:
        st.info("There is no VAE here. Make one: `python -m vae_core train sprites-10d-vae-beta4`.")
        st.stop()
    start = next((name for name in PREFERRED if name in names), names[0])
    with st.container(horizontal=True, vertical_alignment="bottom", key="controls"):
        family = groups[choose("Data and latents", names, key="data", default=start, style="select")]
        first = pick_model(family, label="Trained at", default="beta 4")
        second = pick_second_model(family, first)
        cards = [first] if second is None else [first, second]
        if choose("Base code", (IMAGE, MEAN), key="base", style="select", help=BASE_HELP) == MEAN:
            return family, cards, None
        source = held_out(first.dataset)
        image = index_from_link("image", len(source), 0)
        picture = source.images(torch.tensor([image]))[0]
        st.image(crisp(picture, 64), width=64)
        st.button("Another image", on_click=lambda: to_link("image", random.randrange(len(source))))
    return family, cards, image


def home_of(card: ModelCard, image: int | None) -> list[float]:
    """The code at which the other latents rest, with as many digits as a link carries."""
    code = [0.0] * card.latent if image is None else code_of(card.name, image)
    return [float(f"{value:.4g}") for value in code]


def base_of(number: int, card: ModelCard, image: int | None) -> list[float]:
    """The base code of a pane: what the link says, until another model or image is chosen."""
    key, home = BASES[number], home_of(card, image)
    if card.latent > MOST_IN_LINK:
        return home
    place, shown = (card.name, image), f"traversed {number}"
    base = vector_from_link(key, card.latent)
    if base == home or st.session_state.setdefault(shown, place) != place:
        base = None
        to_link(key, None)
    st.session_state[shown] = place
    return base or home


def use_of(card: ModelCard) -> Use:
    """What each latent carries: as it was scored, else measured here and now."""
    if {"kl_per_latent", "activity", "held_out"} <= card.metrics.keys():
        return Use(card.metrics["kl_per_latent"], card.metrics["activity"], card.metrics["held_out"])
    return use_of_latents(card.name)


def rows_of(card: ModelCard) -> list[Row]:
    use = use_of(card)
    order = order_by_kl(torch.tensor(use.kl)).tolist()
    return [Row(i, use.kl[i], use.activity[i] > THRESHOLD) for i in order[:MOST_ROWS]]


def keep_base() -> None:
    """A hand let go: put the new base into the link."""
    told = st.session_state[VIEW]["release"]
    to_link(BASES[told["pane"]], told["z"] if len(told["z"]) <= MOST_IN_LINK else None)


def shown_words(card: ModelCard, image: int | None) -> str:
    rest = "zero, the prior's mean" if image is None else f"the code of held-out image no. {image}"
    few = f" The {MOST_ROWS} that carry most nats of {card.latent} are shown." if card.latent > MOST_ROWS else ""
    measured = held_out_words(card.dataset, use_of(card).images)
    return f"The latents rest at {rest}.{few} KL and activity over {measured}"


@part
def show_rows(cards: Sequence[ModelCard], image: int | None) -> None:
    """The traversals; a fragment of their own, because a hand that lets go changes nothing below."""
    packs = [decoder_pack(card.name) for card in cards]
    for number, pack in enumerate(packs):
        ship(pack, key=f"decoder {number}")
    panes = [
        Pane(
            decoder=pack_id(pack),
            base=base_of(number, card, image),
            rows=rows_of(card),
            title=card.title,
            home=home_of(card, image),
            colour=colour,
        )
        for number, (card, pack, colour) in enumerate(zip(cards, packs, colours_of(["vae"] * len(cards)), strict=True))
    ]
    with st.container(key="figure"):
        traversal_view(panes, key=VIEW, steps=11 if len(cards) == 1 else 9, on_release=keep_base)
        honesty(cards, shown_words(cards[0], image))


def called(card: ModelCard) -> str:
    return card.title if card.run else f"β = {card.beta:g}"


def knows_factors(card: ModelCard) -> bool:
    """Whether it was measured which latent tells of which factor."""
    table = card.metrics.get("factor_information")
    return "mig" in card.metrics and bool(table) and len(table[0]) == len(dataset(card.dataset).factor_names)


def show_use(family: Sequence[ModelCard], cards: Sequence[ModelCard]) -> None:
    """How many nats each latent carries, and what every beta of the family pays for its reconstructions."""
    *bars, curve = st.columns(len(cards) + 1, gap="medium")
    reach = max(max(use_of(card).kl) for card in cards)
    for card, column, colour in zip(cards, bars, colours_of(["vae"] * len(cards)), strict=True):
        rows = rows_of(card)
        active = sum(activity > THRESHOLD for activity in use_of(card).activity)
        column.subheader(f"{called(card)}: {active} of {card.latent} latents active", anchor=False)
        names, kl = [f"z{row.index + 1}" for row in rows], [row.kl for row in rows]
        figure = kl_bars(names, kl, [row.active for row in rows], colour, reach)
        column.plotly_chart(figure, config=PLOT, key=f"kl {card.name}")
    scored = [card for card in family if {"kl", "recon"} <= card.metrics.keys()]
    measured = [card for card in scored if likelihood_words(card) == likelihood_words(cards[0])]  # on one scale
    curve.subheader("What a larger β pays", anchor=False)
    if not measured:
        curve.caption("No model of this family has been scored on the held-out images.")
        return
    figure = trade_off(
        [card.metrics["kl"] for card in measured],
        [card.metrics["recon"] for card in measured],
        [card.short for card in measured],
        [card.short for card in cards],
        COLOUR,
        likelihood_words(cards[0]),
        apart=[card.short for card in measured if card.run],
    )
    curve.plotly_chart(figure, config=PLOT, key="trade-off")
    if any(card.run for card in measured):
        curve.caption("Squares: runs trained here, perhaps with other settings too. Point at one for its name.")


def show_factors(family: Sequence[ModelCard], cards: Sequence[ModelCard]) -> None:
    """For data made from known factors: which latent answers to which factor, and the lead over the runner-up."""
    st.subheader("Which latent answers to which factor?", anchor=False)
    *heats, rest = st.columns([2, 1] if len(cards) == 1 else [3, 3, 2], gap="medium")
    for card, column in zip(cards, heats, strict=True):
        order = card.by_kl[:MOST_ROWS]
        share = np.array(card.metrics["factor_information"])[order]
        factors = dataset(card.dataset).factor_names
        column.markdown(f"**{called(card)}:** share of a factor's entropy that a latent tells")
        figure = factor_heat(share, [f"z{i + 1}" for i in order], factors)
        column.plotly_chart(figure, config=PLOT, key=f"factors {card.name}")
    measured = [card for card in family if "mig" in card.metrics]
    today = " and ".join(f"{card.metrics['mig']:.2f} at {called(card)}" for card in cards)
    rest.markdown(
        f"**MIG {today}.** The mutual information gap is how far the best latent of a factor is ahead of the next "
        "best, as a share of the factor's entropy, averaged over the factors."
    )
    names = [f"<b>{card.short}</b>" if card in cards else card.short for card in measured]
    migs, none = [card.metrics["mig"] for card in measured], [0.0] * len(measured)
    figure = scores(names, migs, none, none, [COLOUR] * len(measured), x="MIG", of_data=None)
    figure.update_xaxes(rangemode="tozero")
    rest.plotly_chart(figure, config=PLOT, key="mig over beta")


SEEN = r"""
Training makes this small:

$$
\underbrace{\mathbb{E}_{q(z \mid x)}[-\log p(x \mid z)]}_{\text{reconstruction}}
+ \beta \, \underbrace{\sum_j \mathrm{KL}\big(q(z_j \mid x) \,\|\, p(z_j)\big)}_{\text{KL}}
$$

Here $x$ is the image, $z_j$ its latent number $j$, $q$ the encoder's posterior, $p(z_j)$ the standard normal prior, and
$p(x \mid z)$ the decoder.

- **A latent costs β times its KL.** One that saves less reconstruction than it costs gives up: its posterior is
  the prior whatever the image, its KL is 0, and its row shows one picture from end to end. We call it inactive when the
  variance of its posterior mean over the images is below 0.01 (Burda et al. 2016).
- **A larger β buys a small KL with blurred pictures.** The ELBO weighs both with 1, so look for the best ELBO near
  β = 1; a larger β does not describe the data better, it sorts it differently.
- **Sorting can mean one latent for one factor**, and the MIG measures just that (Chen et al. 2018). It need
  not grow with β: with too few active latents, factors have to share one. Rotation is hard for every β, for a square
  looks the same after a quarter turn, and an ellipse after half of one.
"""
LECTURE = """
Chapter 7.10, variants: β-VAE, the weight on the KL and the latents that it sorts. The terms are those of 7.6 (ELBO) and
7.8 (loss); inactive latents are the posterior collapse of 7.11 (limitations).
"""

opening(
    "What does each latent change?",
    "A row moves one latent while the others rest. Raise β, and count the rows that still change the picture.",
)
family, cards, image = pick()
show_rows(cards, image)
show_use(family, cards)
if all(map(knows_factors, cards)):
    show_factors(family, cards)
elif dataset(cards[0].dataset).factor_names:
    st.caption("Which latent answers to which factor has not been measured for the models shown.")
closing(SEEN, (traverse, order_by_kl, kl_to_standard_normal, active_latents, factor_information, mig_of), LECTURE)
