"""Sampling grid: what a whole plane of codes decodes to, and what chance decodes to."""

from __future__ import annotations

import streamlit as st
import torch

from ui import cache, controls, frame
from ui.cache import ModelCard
from ui.palette import ROLE_COLOURS
from ui.sheet import Sheet, sheet_view
from ui.sheet.axes import minus, plane_axis
from vae_core.errors import InvalidInput
from vae_core.latent.pictures import png, side_by_side

PLANE, DRAWS = "plane", "random draws"
SPACINGS = ("linear", "prior quantiles")
MOST_SEEDS = 1_000_000
GAP = 8  # pixels of paper between two sheets in the saved picture


def kl_order(card: ModelCard) -> list[int]:
    """The latents of a model, the most used first; as they come where the KL of each is not known."""
    per_latent = card.metrics.get("kl_per_latent") or [0.0] * card.latent
    return sorted(range(card.latent), key=lambda latent: -per_latent[latent])


def pick_axes(card: ModelCard) -> tuple[int, int]:
    """Which two latents span the plane; the two that the model uses most to begin with."""
    if card.latent == 2:
        return 0, 1
    names = [f"latent {latent + 1}" for latent in range(card.latent)]
    order = [names[latent] for latent in kl_order(card)]
    left, right = st.columns(2)
    with left:
        across = controls.choose("Across", names, key="across", default=order[0], style="select")
    rest = [name for name in names if name != across]
    with right:
        up = controls.choose(
            "Up", rest, key="up", default=next(name for name in order if name != across), style="select"
        )
    return names.index(across), names.index(up)


def same_ranks(card: ModelCard, first: ModelCard, axes: tuple[int, int]) -> tuple[int, int]:
    """The axes of a second model: its latents of the same ranks by KL, for their numbers mean nothing together."""
    ranks, order = kl_order(first), kl_order(card)
    return order[ranks.index(axes[0])], order[ranks.index(axes[1])]


def plane(card: ModelCard, axes: tuple[int, int], spacing: str, reach: float, n: int) -> tuple[Sheet, torch.Tensor]:
    decoded = cache.decoded_grid(card.name, axes, spacing, reach, n)
    source = cache.source_of_codes(card.name)
    across, up = (
        plane_axis(latent, spacing, n, reach, float(source.mean[latent]), float(source.std[latent])) for latent in axes
    )
    names = ("z1", "z2") if card.latent == 2 else (across.name, up.name)
    texts = [minus(f"{names[0]} = {a:.2f}, {names[1]} = {b:.2f}") for a, b in decoded.codes[:, list(axes)].tolist()]
    return Sheet(card.title, ROLE_COLOURS[card.role], png(decoded.sheet), texts, across, up), decoded.sheet


def draws(card: ModelCard, seed: int, temperature: float, n: int) -> tuple[Sheet, torch.Tensor]:
    decoded = cache.decoded_draws(card.name, seed, temperature, n)
    digits = 2 if card.latent == 2 else 1
    texts = [minus(f"z = ({', '.join(f'{value:.{digits}f}' for value in code)})") for code in decoded.codes.tolist()]
    return Sheet(card.title, ROLE_COLOURS[card.role], png(decoded.sheet), texts), decoded.sheet


def origin(cards: list[ModelCard], mode: str) -> str:
    """Where the codes on the screen come from, in words."""
    words = []
    if any(card.beta is not None for card in cards):
        words.append("Codes of a VAE: the prior, a standard normal.")
    if any(card.beta is None for card in cards):
        place = "drawn from the Gaussian" if mode == DRAWS else "centred and scaled as the Gaussian"
        words.append(f"An autoencoder has no prior: its codes are {place} fitted to its codes of 10,000 held-out images.")
    return " ".join(words)


@st.fragment
def explore() -> None:
    """The whole page but its closing: every control decodes anew, and only this part runs again."""
    head = st.container()
    left, right = st.columns([3, 1], gap="medium")
    with right:
        mode = controls.choose("Decode", (PLANE, DRAWS), key="codes")
        groups = cache.families()
        cards = groups[controls.choose("Data and latents", list(groups), key="data", style="select")]
        variants = {card.variant: card for card in cards}
        first = variants[controls.choose("Model", list(variants), key="model", default="beta 1", style="select")]
        second = controls.pick_second_model(cards, first)
        shown = [card for card in (first, second) if card]
        most = 30 if first.dataset != "sprites" else 15
        n = int(controls.number("Pictures on a side", 5, most, min(20, most), 1, key="n"))
        if mode == PLANE:
            spacing = controls.choose("Spacing", SPACINGS, key="spacing")
            reach = controls.number("Range, standard deviations", 0.5, 5.0, 3.0, 0.5, key="range")
            axes = pick_axes(first)
            pairs = [(card, axes if card is first else same_ranks(card, first, axes)) for card in shown]
            made = [plane(card, pair, spacing, reach, n) for card, pair in pairs]
        else:
            temperature = controls.number("Temperature", 0.0, 2.0, 1.0, 0.05, key="temperature")
            seed = controls.index_from_link("seed", MOST_SEEDS, 0)
            if st.button("Draw again", key="again"):
                seed = (seed + 1) % MOST_SEEDS
                controls.to_link("seed", seed)
            made = [draws(card, seed, temperature, n) for card in shown]
        st.download_button(
            "Save as PNG",
            png(side_by_side([sheet for _, sheet in made], GAP)),
            f"{'-beside-'.join(card.name for card in shown)}.png",
            "image/png",
            key="save",
            on_click="ignore",
        )
    with head:
        if mode == PLANE:
            frame.opening(
                "What does the whole plane decode to?",
                "Each small picture is the decoder's answer to one code. Point at one to see it large; "
                "then put the autoencoder beside it.",
            )
        else:
            frame.opening(
                "Can the model draw by itself?",
                "No image goes in, every code is chance. Point at a picture; draw again; "
                "turn the temperature up and down.",
            )
    with left:
        at = controls.vector_from_link("at", 2, bound=1) or [0.5, 0.5]
        kept = sheet_view([sheet for sheet, _ in made], n, key="sheet", at=(at[0], at[1]))
        if list(kept) != at:
            controls.to_link("at", kept)
        frame.honesty(shown, f"{n * n} decoded codes each, no image shown to the encoder. {origin(shown, mode)}")


try:
    explore()
except InvalidInput as error:
    st.error(str(error))
    st.stop()
frame.closing(
    "",
    [],
    "",
)
