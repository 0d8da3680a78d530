"""Sampling grid: what a whole plane of codes decodes to, and what chance decodes to."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import streamlit as st
import torch

from ui import cache, controls, frame
from ui.cards import ModelCard
from ui.palette import colours_of
from ui.sheet import Sheet, sheet_view
from ui.sheet.axes import code_texts, minus, plane_axis
from vae_core.latent.grids import embed, linear_grid, prior_quantile_grid, tile
from vae_core.latent.pictures import png, side_by_side
from vae_core.latent.priors import Gaussian, fit_gaussian

PLANE, DRAWS = "plane", "random draws"
SPACINGS = ("linear", "prior quantiles")
MOST_SEEDS = 1_000_000
SHEET = 1000  # pixels along a sheet of the largest models
GAP = 8  # pixels of paper between two sheets in the saved picture


def pick_axes(card: ModelCard) -> tuple[int, int]:
    """Which two latents span the plane; the two that the model uses most to begin with."""
    if card.latent <= 2:
        return 0, 1
    names = [f"latent {latent + 1}" for latent in range(card.latent)]
    order = [names[latent] for latent in card.by_kl]
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
    if card.latent <= 2:
        return axes
    ranks, order = first.by_kl, card.by_kl
    return order[ranks.index(axes[0])], order[ranks.index(axes[1])]


def plane(
    card: ModelCard, colour: str, axes: tuple[int, int], spacing: str, reach: float, n: int
) -> tuple[Sheet, torch.Tensor]:
    if card.latent == 1:
        decoded = cache.decoded_line(card.name, spacing, reach, n)
        return Sheet(card.title, colour, png(decoded.sheet), code_texts(decoded.codes)), decoded.sheet
    decoded = cache.decoded_grid(card.name, axes, spacing, reach, n)
    source = cache.source_of_codes(card.name)
    across, up = (
        plane_axis(latent, spacing, n, reach, float(source.mean[latent]), float(source.std[latent])) for latent in axes
    )
    one, two = (f"z{latent + 1}" for latent in axes)
    texts = [
        minus(f"{one}\u00a0=\u00a0{a:.2f}, {two}\u00a0=\u00a0{b:.2f}") for a, b in decoded.codes[:, list(axes)].tolist()
    ]
    return Sheet(card.title, colour, png(decoded.sheet), texts, across, up), decoded.sheet


def decode_all(cards: Sequence[ModelCard], temperature: float, n: int, seed: int) -> None:
    """What the draws of a seed decode to, made and kept."""
    for card in cards:
        cache.decoded_draws(card.name, seed, temperature, n)


def draws(card: ModelCard, colour: str, seed: int, temperature: float, n: int) -> tuple[Sheet, torch.Tensor]:
    decoded = cache.decoded_draws(card.name, seed, temperature, n)
    return Sheet(card.title, colour, png(decoded.sheet), code_texts(decoded.codes)), decoded.sheet


def keep_at() -> None:
    """A picture was clicked: put its place into the link."""
    controls.to_link("at", st.session_state["sheet"]["release"]["at"])


def origin(cards: list[ModelCard], mode: str) -> str:
    """Where the codes on the screen come from, in words."""
    words = []
    if any(card.beta is not None for card in cards):
        place = "are drawn from" if mode == DRAWS else "lie about the centre of"
        words.append(f"A VAE's codes {place} its prior, a standard normal.")
    if any(card.beta is None for card in cards):
        place = "drawn from the Gaussian" if mode == DRAWS else "centred and scaled as the Gaussian"
        words.append(
            f"An autoencoder has no prior: its codes are {place} fitted to its codes of "
            f"{len(cache.encoded(next(card.name for card in cards if card.beta is None)).codes):,} held-out images."
        )
    if mode == PLANE and cards[0].latent == 1:
        words.append("One latent spans no plane: its line is laid out in reading order, row by row.")
    if mode == PLANE and cards[0].latent > 2:
        words.append(f"The other {cards[0].latent - 2} latents stay at the centre.")
        if len(cards) > 1:
            words.append("The second model shows its own latents of the same ranks by KL.")
    return " ".join(words)


@frame.part
def explore() -> None:
    """The whole page but its closing: every control decodes anew, and only this part runs again."""
    head = st.container()
    left, right = st.columns([3, 1], gap="medium")
    with right:
        mode = controls.choose("Decode", (PLANE, DRAWS), key="codes")
        _, cards = controls.pick_family()
        first = controls.pick_model(cards, style="select")
        second = controls.pick_second_model(cards, first)
        shown = [card for card in (first, second) if card]
        colours = colours_of([card.role for card in shown])
        axes = pick_axes(first) if mode == PLANE else (0, 1)
        most = max(6, min(30, SHEET // max(cache.held_out(first.dataset).shape[1:])))
        n = int(controls.number("Pictures on a side", 5, most, min(20, most), 1, key="n"))
        if mode == PLANE:
            spacing = controls.choose("Spacing", SPACINGS, key="spacing")
            reach = controls.number("Range, standard deviations", 0.5, 5.0, 3.0, 0.5, key="range")
            pairs = [(card, axes if card is first else same_ranks(card, first, axes)) for card in shown]
            made = [
                plane(card, colour, pair, spacing, reach, n)
                for (card, pair), colour in zip(pairs, colours, strict=True)
            ]
        else:
            temperature = controls.number("Temperature", 0.0, 2.0, 1.0, 0.05, key="temperature")
            seed = controls.index_from_link("seed", MOST_SEEDS, 0, "draw")
            decode = partial(decode_all, shown, temperature, n)
            controls.another("Draw again", "seed", seed, MOST_SEEDS, ahead=decode)
            with st.spinner("Decoding"):
                decode(seed)
            made = [draws(card, colour, seed, temperature, n) for card, colour in zip(shown, colours, strict=True)]
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
                f"then compare with {'another beta' if first.latent > 2 else 'the autoencoder'}.",
            )
        else:
            frame.opening(
                "Can the model draw by itself?",
                "No image goes in, every code is chance. Point at a picture; draw again; "
                "turn the temperature up and down.",
            )
    with left:
        at = controls.vector_from_link("at", 2, bound=1, least=0) or [0.5, 0.5]
        sheet_view([sheet for sheet, _ in made], n, key="sheet", at=(at[0], at[1]), on_release=keep_at)
        each = " by each" if len(shown) > 1 else ""
        frame.honesty(shown, f"{n * n} codes decoded{each}, none of them from an image. {origin(shown, mode)}")


frame.go_through_the_router()
explore()
frame.closing(
    """
- **Continuous.** On the VAE's plane neighbours resemble each other: one digit turns into the next through pictures
  that are a little of both. Between two of them there is no edge.
- **Complete.** Most codes within two standard deviations give something readable, and that is where the prior puts
  its mass. With *prior quantiles* each picture stands for the same share of it, so the sheet is a fair sample laid out
  in order; *linear* spacing gives the rare corners as much paper as the centre.
- **The autoencoder** chose its own scale (look at its axes) and its own shape. What it decodes between its codes is
  nobody's promise, yet with only two latents much of it is readable too. Point at the same place in both, and count
  the smeared pictures before you decide; the scores stand on the page *Continuity and completeness*.
- **Temperature** multiplies the standard deviation of the draws. Towards 0 all of them become the one picture in the
  middle of the plane; far above 1 they come from its rim, where few kinds of picture live.
""",
    [linear_grid, prior_quantile_grid, embed, Gaussian.sample, fit_gaussian, tile, png],
    """
**6.5 Autoencoders as generative models** asks what a decoder makes of a code that no image was encoded to.
**7.4 Latent variable models**: to generate, draw $z \\sim p(z) = \\mathcal{N}(0, I)$ and decode it, where $z$ is the
code, $p(z)$ the prior and $I$ the identity matrix. **7.9 Results** shows such a plane, and such draws.

Prior quantiles are $z_i = \\Phi^{-1}((i - \\tfrac{1}{2})/n)$ for the whole prior: $\\Phi$ is the cumulative
distribution of the standard normal, $n$ the number of pictures on a side.
""",
)
