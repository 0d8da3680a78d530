"""Continuity and completeness: an autoencoder and a VAE under one cursor, a prediction, then the scores."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import streamlit as st

from ui.browser import ship
from ui.cache import (
    decoded_draws,
    decoder_pack,
    encoded,
    has_judge,
    points_pack,
    scores_over_seeds,
    source_of_codes,
)
from ui.cards import ModelCard, families, model_cards, run_folder
from ui.controls import another, choose, index_from_link, pick_model, switch, to_link, vector_from_link
from ui.figures import PLOT, scores
from ui.frame import closing, held_out_words, honesty, opening, part
from ui.latent_map import Pane, covariance_of, last_pick, latent_map
from ui.palette import ROLE_COLOURS
from ui.sheet import Sheet, sheet_view
from ui.sheet.axes import code_texts
from vae_core.data import dataset
from vae_core.latent.browser import pack_id
from vae_core.latent.pictures import png
from vae_core.latent.priors import fit_gaussian
from vae_core.metrics import METRICS
from vae_core.metrics.completeness import completeness
from vae_core.metrics.completeness import scores as completeness_scores
from vae_core.metrics.continuity import continuity, uneven

MAP = "planes"  # key of the two planes
SIDE = 8  # pictures along one side of the sheet of samples
MOST_SEEDS = 1_000_000
UNDECIDED, GUESSES = "not yet", ("autoencoder", "VAE", "neither")
RINGS = {"vae": "the prior", "autoencoder": "the Gaussian fitted to its codes, for it has no prior"}


class Score(NamedTuple):
    """One of the numbers, where it stands in metrics.json, and how the screen calls it."""

    metric: str
    number: str
    title: str

    @property
    def unit(self) -> str:
        return METRICS[self.metric].numbers[self.number].unit

    @property
    def better(self) -> str:
        return METRICS[self.metric].numbers[self.number].better

    def of(self, card: ModelCard) -> dict[str, float]:
        """Mean, std and standard error."""
        return card.metrics[self.metric][self.number]

    def of_data(self, card: ModelCard) -> float | None:
        """What held-out images reach themselves, where that is known."""
        found = card.metrics[self.metric]
        if self.metric == "completeness":
            return found["of_data"].get(self.number, {}).get("mean")
        return found.get(f"{self.number}_of_data")


CONTINUITY = (Score("continuity", "unevenness", "Unevenness"), Score("continuity", "no_class", "No clear class"))
COMPLETENESS = (
    Score("completeness", "precision", "Precision"),
    Score("completeness", "density", "Density"),
    Score("completeness", "coverage", "Coverage"),
)


def pick() -> tuple[list[ModelCard], ModelCard, ModelCard]:
    """The models of the chosen family, its autoencoder, and the VAE beside it."""
    groups = {
        name: cards for name, cards in families().items() if {card.role for card in cards} == {"autoencoder", "vae"}
    }
    if not groups:
        st.info(
            "This page compares an autoencoder with a VAE of the same data, and there is no such pair. "
            "Make one: `python -m vae_core train mnist-2d-ae`, then `mnist-2d-vae-beta1`."
        )
        st.stop()
    with st.container(horizontal=True, vertical_alignment="bottom", key="controls"):
        family = groups[choose("Data and latents", list(groups), key="data", style="select")]
        autoencoders = {card.variant: card for card in family if card.role == "autoencoder"}
        which = next(iter(autoencoders))
        if len(autoencoders) > 1:
            which = choose("The autoencoder", list(autoencoders), key="autoencoder", style="select")
        vaes = [card for card in family if card.role == "vae"]
        vae = pick_model(vaes, label="The VAE, trained at", style="slider")
    return family, autoencoders[which], vae


def pane(card: ModelCard) -> Pane:
    gaussian = source_of_codes(card.name)
    return Pane(
        title=card.title,
        colour=ROLE_COLOURS[card.role],
        decoder=pack_id(decoder_pack(card.name)),
        points=pack_id(points_pack(card.name)),
        thumbnails=None,
        centre=gaussian.mean.tolist(),
        scale=gaussian.scale,
        covariance=covariance_of(gaussian),
        gaussian=RINGS[card.role],
    )


def keep_cursor() -> None:
    """A hand let go: put the place into the link."""
    if pick := last_pick(MAP):
        to_link("at", pick.cursor)


@part
def show_planes(cards: Sequence[ModelCard]) -> None:
    count = len(encoded(cards[0].name).codes)
    if cards[0].latent == 1:
        st.info("These models have one latent: their codes lie on a line, so there is no plane to compare.")
        honesty(cards, f"Encoded: {held_out_words(cards[0].dataset, count)}")
        return
    for number, card in enumerate(cards):
        ship(decoder_pack(card.name), key=f"decoder {number}")
        ship(points_pack(card.name), key=f"points {number}")
    at = vector_from_link("at", 2) or [0.0, 0.0]
    with st.container(key="figure"):
        latent_map([pane(card) for card in cards], key=MAP, cursor=(at[0], at[1]), side=440, on_pick=keep_cursor)
        honesty(cards, f"Dots: {held_out_words(cards[0].dataset, count)}")


@part
def show_samples(cards: Sequence[ModelCard]) -> None:
    st.subheader("And what does chance draw?", anchor=False)
    seed = index_from_link("seed", MOST_SEEDS, 0, "draw")
    sheets = []
    for card in cards:
        made = decoded_draws(card.name, seed, 1.0, SIDE)
        sheets.append(Sheet(card.title, ROLE_COLOURS[card.role], png(made.sheet), code_texts(made.codes)))
    sheet_view(sheets, SIDE, key="samples")
    another("New samples", "seed", seed, MOST_SEEDS)
    st.caption(
        f"{SIDE * SIDE} codes each: the VAE's from its prior, the autoencoder's from the Gaussian fitted to its codes "
        "of all held-out images, because it has no prior."
    )


def verdict(autoencoder: ModelCard, vae: ModelCard) -> str:
    """Which of the two is ahead on which score; a lead within twice its standard error counts as none."""
    vae_leads, autoencoder_leads = (
        f"{vae.title if vae.run else f'The VAE with β = {vae.beta:g}'} is ahead on",
        "The autoencoder is ahead on",
    )
    ahead: dict[str, list[str]] = {vae_leads: [], autoencoder_leads: [], "Neither is ahead on": []}
    for score in CONTINUITY + COMPLETENESS:
        a, v = score.of(autoencoder), score.of(vae)
        lead = (v["mean"] - a["mean"]) * (1 if score.better == "higher" else -1)
        error = math.hypot(a["standard_error"], v["standard_error"])
        who = "Neither is ahead on" if abs(lead) <= 2 * error else vae_leads if lead > 0 else autoencoder_leads
        ahead[who].append(score.title.lower())
    return " ".join(f"**{who}** {', '.join(titles)}." for who, titles in ahead.items() if titles)


def show_scores(family: Sequence[ModelCard], chosen: Sequence[ModelCard], which: Sequence[Score]) -> None:
    """A figure for each score: the bundled models of the family and the two on the screen, these in bold."""
    family = [card for card in family if card.run is None or card in chosen]
    names = [f"<b>{card.short}</b>" if card in chosen else card.short for card in family]
    colours = [ROLE_COLOURS[card.role] for card in family]
    for score, column in zip(which, st.columns(len(which), gap="medium"), strict=True):
        found = [score.of(card) for card in family]
        column.markdown(f"**{score.title}**, {score.better} is better")
        figure = scores(
            names,
            [each["mean"] for each in found],
            [each["std"] for each in found],
            [each["standard_error"] for each in found],
            colours,
            x=score.unit,
            of_data=score.of_data(family[0]),
        )
        column.plotly_chart(figure, config=PLOT, key=f"score {score.number}")


def show_seeds(family: str) -> None:
    """The same scores for models trained again from other seeds."""
    if not (found := scores_over_seeds().get(family)):
        return
    st.subheader("Would another training run say the same?", anchor=False)
    rows = []
    for score in CONTINUITY + COMPLETENESS:
        row = {"score": f"{score.title}, {score.better} is better"}
        for variant, values in found.items():
            if series := values.get(score.number):
                row[variant] = f"{min(series):.3f} to {max(series):.3f}"
        rows.append(row)
    st.table(rows)
    seeds = max(len(series) for values in found.values() for series in values.values())
    st.caption(f"The smallest and the largest score of {seeds} models, trained from different seeds.")


def show_every_model() -> None:
    """Both scores of all families, those without an autoencoder too."""
    rows = []
    for card in model_cards().values():
        if "continuity" in card.metrics and "completeness" in card.metrics:
            found = {score.title: score.of(card) for score in CONTINUITY + COMPLETENESS}
            rows.append(
                {"model": f"{card.family}, {card.variant}"}
                | {title: f"{score['mean']:.3f} ± {score['std']:.3f}" for title, score in found.items()}
            )
    with st.expander("The scores of every model"):
        st.dataframe(rows, hide_index=True)
        st.caption(
            "Mean ± one standard deviation, over pairs of held-out images (the first two) and over draws. "
            "The judge is another classifier for each data set, so compare within one."
        )


def show_answer(name: str, family: Sequence[ModelCard], autoencoder: ModelCard, vae: ModelCard, guess: str) -> None:
    """What the numbers say, score by score."""
    measured = [card for card in family if {"continuity", "completeness"} <= card.metrics.keys()]
    if not {autoencoder.name, vae.name} <= {card.name for card in measured}:
        if not has_judge(vae.dataset):
            title = dataset(vae.dataset).title
            st.info(f"Both scores need a classifier that knows {title}, and there is none. So look, and decide by eye.")
            return
        for card in (card for card in (autoencoder, vae) if card not in measured):
            address = run_folder(card.name) if card.run else card.name
            st.error(f"{card.title} has no scores. Measure it: `python -m vae_core evaluate {address} --write`.")
        return
    said = "" if guess == UNDECIDED else f"You expected: {guess}. "
    st.markdown(f"{said}{verdict(autoencoder, vae)} A lead within two standard errors counts as none.")
    about = autoencoder.metrics["continuity"]
    st.subheader("Continuity: near codes, near pictures", anchor=False)
    st.markdown(DEFINITIONS["continuity"])
    show_scores(measured, (autoencoder, vae), CONTINUITY)
    st.caption(
        f"Dot: mean over {about['pairs']} pairs of held-out images, {about['steps']} steps each. Thin line: one "
        "standard deviation over the pairs. Thick line: 1.96 standard errors of the mean, a 95% interval."
    )
    about = autoencoder.metrics["completeness"]
    st.subheader("Completeness: every code a picture", anchor=False)
    st.markdown(DEFINITIONS["completeness"])
    show_scores(measured, (autoencoder, vae), COMPLETENESS)
    st.caption(
        f"Dot: mean over {about['draws']} draws of {about['samples']:,} codes, each against as many held-out "
        "images. Thin line: one standard deviation over the draws. Thick line: 1.96 standard errors of the mean, "
        "which for so few draws is somewhat less than a 95% interval. "
        "Codes of the autoencoder: a Gaussian fitted to its held-out codes."
    )
    show_seeds(name)
    show_every_model()


DEFINITIONS = {
    "continuity": """
A straight path leads from the code of one held-out image to that of another. **Unevenness** is its largest change of
the pixels in one step over its mean change: 1 is perfectly even, and a jump makes it large. **No clear class** is the
share of its pictures to which our classifier gives less than 0.9 for every class.
The notion is that of Rocca and Rocca (2019), who give no number; both numbers are ours.
""",
    "completeness": """
Codes are drawn by chance and decoded; the classifier's last hidden layer then places pictures and held-out images in
one space. **Precision** is the share of the pictures that lie no farther from some image than that image's third
neighbour does (Kynkäänniemi et al. 2019). **Density** counts for how many images that is so, with the fifth neighbour;
the data themselves score 1. **Coverage** is the share of the images that have such a picture (both Naeem et al. 2020).
""",
}
SEEN = """
- **An autoencoder is asked for one thing:** that its own codes decode well. Nothing is asked of the places between
  them, so its codes lie as far apart as they like, and a step may cross from one picture to another at once.
- **The VAE's noise makes neighbours share a picture,** for every image must decode from anywhere in its posterior; and
  the KL draws all posteriors to one prior, which leaves few holes. Watch both along the β, with two latents: at 0.1 the
  steps are already more even than the autoencoder's, but the samples cover no more images; at 8 the pictures are so
  alike that they cover fewer. With ten latents the autoencoder's steps are even, too, and what it lacks is coverage.
- **A score is not the property.** A blend of pixels would be perfectly even. A classifier may be sure of nonsense. A
  model that draws one good digit again and again has a high precision and a low coverage; a precision above the data's
  own means just that: the pictures crowd where the data are dense. So read the scores together, and where the
  autoencoder is ahead, look at the planes again and say why.
"""
LECTURE = """
Chapter 6.5 asks whether an autoencoder can serve as a generative model; chapters 7.3 to 7.8 make the latent space
continuous and complete by choosing a prior and paying for the distance to it.
"""

words, controls = st.columns([4, 3], gap="medium", vertical_alignment="bottom")
with words:
    opening(
        "Which plane is meaningful everywhere?",
        "Move over either plane: both show the same place. Decide first, then look at the scores.",
    )
with controls:
    family, autoencoder, vae = pick()
show_planes((autoencoder, vae))
show_samples((autoencoder, vae))
st.subheader("Now decide", anchor=False)
with st.container(horizontal=True, vertical_alignment="bottom"):
    guess = choose(
        "Which of the two keeps a picture meaningful everywhere?", (*GUESSES, UNDECIDED), key="guess", default=UNDECIDED
    )
    answer = switch("Show the scores", False, key="answer")
if answer:
    show_answer(autoencoder.family, family, autoencoder, vae, guess)
closing(SEEN, (continuity, uneven, completeness, completeness_scores, fit_gaussian), LECTURE)
