"""Widgets that keep their state in the link, and say so when a link asks for what there is not."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal

import streamlit as st

from ui.ahead import prepare
from ui.cards import ModelCard, families
from vae_core.errors import InvalidInput

NOTHING = "nothing"
MOST_LETTERS = 70  # that fit side by side on a laptop
BETA = "beta is the weight of the KL term in a VAE's loss, with which the model was trained; 1 is the plain VAE."


def _refuse_unknown(key: str, label: str, options: Sequence[str], start: str) -> None:
    """Say what is wrong with a link before Streamlit drops its value and falls back to the start."""
    arrived = st.query_params.get(key)
    if key in st.session_state or arrived is None or arrived in options:
        return
    st.warning(f"The link asks for {label} = {arrived[:60]!r}; there are: {', '.join(options)}. {start} is shown.")


def choose(
    label: str,
    options: Sequence[str],
    *,
    key: str,
    default: str | None = None,
    style: Literal["segmented", "select", "slider"] = "segmented",
    help: str | None = None,
) -> str:
    """One of several options, kept in the link under `key`; the options are what the screen and the link show."""
    start = default if default is not None and default in options else options[0]
    _refuse_unknown(key, label, options, start)
    if st.session_state.get(key, start) not in options:
        del st.session_state[key]  # chosen when there were other options: start again, in the link as well
    if style == "select":
        return st.selectbox(label, options, index=list(options).index(start), key=key, help=help, bind="query-params")
    if style == "slider":
        return st.select_slider(label, options, value=start, key=key, help=help, bind="query-params")
    chosen = st.segmented_control(label, options, default=start, required=True, key=key, help=help, bind="query-params")
    return chosen or start


def number(
    label: str, low: float, high: float, start: float, step: float, *, key: str, help: str | None = None
) -> float:
    """A number on a slider, kept in the link. Both ends are allowed."""
    arrived = st.query_params.get(key)
    if key not in st.session_state and arrived is not None:
        try:
            value = float(arrived)
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            shown = start if math.isnan(value) else min(max(value, low), high)
            st.warning(
                f"The link asks for {label} = {arrived[:60]!r}; allowed: {low:g} to {high:g}. {shown:g} is shown."
            )
    return st.slider(label, low, high, start, step, key=key, help=help, bind="query-params")


def switch(label: str, start: bool, *, key: str, help: str | None = None) -> bool:
    """Something on or off, kept in the link."""
    _refuse_unknown(key, label, ("true", "false"), str(start).lower())
    return st.toggle(label, start, key=key, help=help, bind="query-params")


def vector_from_link(
    key: str, length: int, bound: float = 1e6, *, least: float | None = None, whole: bool = False
) -> list[float] | None:
    """Numbers that a page itself put into the link, such as a point of the latent plane; None where there are
    none. Anything else than `length` numbers from `least` (None: -bound) to `bound` is refused in a sentence."""
    low = -bound if least is None else least
    arrived = st.query_params.get(key)
    if arrived is None:
        return None
    try:
        values = [float(part) for part in arrived.split(",")]
    except ValueError:
        values = []
    if len(values) == length and all(low <= v <= bound and (v.is_integer() or not whole) for v in values):
        return values
    st.warning(
        f"The link asks for {key} = {arrived[:60]!r}; allowed: {length} {'whole ' * whole}number{'s' * (length > 1)} "
        f"from {low:g} to {bound:g}, separated by commas."
    )
    del st.query_params[key]
    return None


def index_from_link(key: str, count: int, start: int, what: str = "image") -> int:
    """The number of a held-out image, or of something else, that a page itself put into the link; a `start` of -1
    means none."""
    arrived = st.query_params.get(key)
    if arrived is None:
        return start
    if arrived.isdecimal() and len(arrived) < 12 and int(arrived) < count:
        return int(arrived)
    shown = f"{what.capitalize()} {start}" if start >= 0 else "None"
    st.warning(f"The link asks for {what} {arrived[:60]!r}; there are 0 to {count - 1}. {shown} is shown.")
    del st.query_params[key]
    return start


def another(
    label: str,
    key: str,
    now: int,
    count: int,
    *,
    by: int = 1,
    ahead: Callable[[int], object] | None = None,
    primary: bool = False,
    disabled: bool = False,
    help: str | None = None,
) -> None:
    """A button that puts the next of `count` numbers into the link, or the one `by` so many later. `ahead` makes and
    keeps what a number shows, where that takes longer than a press should: for parts of a page (see ui.ahead)."""
    follow = (now + by) % max(1, count)
    style: Literal["primary", "secondary"] = "primary" if primary else "secondary"
    st.button(label, on_click=lambda: to_link(key, follow), type=style, disabled=disabled, help=help)
    if ahead:
        prepare(key, lambda: ahead(follow))


def next_start(key: str, count: int, new: bool) -> int:
    """The seed that stands in the link; the one after it where that has been used, and so it is kept."""
    start = index_from_link(key, count, 0, "start")
    if new:
        start = (start + 1) % count
        to_link(key, start)
    return start


def option_from_link(key: str, options: Sequence[str], start: str) -> str:
    """One of several options that a page itself put into the link."""
    arrived = st.query_params.get(key)
    if arrived is None or arrived in options:
        return arrived or start
    st.warning(f"The link asks for {key} = {arrived[:60]!r}; there are: {', '.join(options)}. {start} is shown.")
    del st.query_params[key]
    return start


def to_link(key: str, values: Sequence[float] | int | str | None) -> None:
    """Put a page's own state into the link."""
    if values is None:
        st.query_params.pop(key, None)
        return
    text = str(values) if isinstance(values, int | str) else ",".join(f"{value:.4g}" for value in values)
    if st.query_params.get(key) != text:
        st.query_params[key] = text


def pick_family() -> tuple[str, list[ModelCard]]:
    """The data and the number of latents; returns the family's name and its models. InvalidInput without any."""
    groups = families()
    if not groups:
        raise InvalidInput("There is no model here. Make one: `python -m vae_core train mnist-2d-vae-beta1`.")
    name = choose("Data and latents", list(groups), key="data", style="select")
    return name, groups[name]


def pick_model(
    cards: Sequence[ModelCard],
    *,
    key: str = "model",
    label: str = "Model",
    default: str = "beta 1",
    style: Literal["segmented", "select", "slider"] = "segmented",
) -> ModelCard:
    """One model of a family. Where the names of runs would not stand beside one another, they stand in a list."""
    variants = {card.variant: card for card in cards}
    if sum(map(len, variants)) > MOST_LETTERS or (style == "slider" and any(card.run for card in cards)):
        style = "select"
    return variants[choose(label, list(variants), key=key, default=default, style=style, help=BETA)]


def pick_second_model(
    cards: Sequence[ModelCard],
    first: ModelCard,
    *,
    key: str = "beside",
    label: str = "Compare with",
    default: str = NOTHING,
) -> ModelCard | None:
    """Another model of the family to look at beside the first, or none."""
    variants = {card.variant: card for card in cards if card != first}
    chosen = choose(label, [NOTHING, *variants], key=key, default=default, style="select")
    return variants.get(chosen)
