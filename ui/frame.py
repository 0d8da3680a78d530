"""The frame of a page: a question, what to do, and below the figure what was seen, the code, the lecture."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import lru_cache, wraps
from typing import Any, ParamSpec

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager
from torch import Tensor

from ui import ahead
from ui.cache import held_out
from ui.cards import ModelCard
from vae_core.data import dataset
from vae_core.errors import InvalidInput
from vae_core.latent.pictures import enlarge, png

P = ParamSpec("P")


def opening(question: str, what_to_do: str) -> None:
    """The question that the page answers, and what to move to find the answer. Every page begins with it."""
    go_through_the_router()
    st.title(question, anchor=False)
    st.markdown(what_to_do)


def go_through_the_router() -> None:
    """Start again through app.py when the server's very first visitor followed a link into a page.

    Until st.navigation has been called once, Streamlit takes a folder named pages for an app of its older kind
    and runs the page alone, without app.py.
    """
    if PagesManager.uses_pages_directory:
        PagesManager.uses_pages_directory = False
        st.rerun()


def guarded(draw: Callable[P, None]) -> Callable[P, None]:
    """A part of a page that says what cannot be used in a sentence; app.py's own guard sees full runs only."""

    @wraps(draw)
    def drawn(*arguments: P.args, **named: P.kwargs) -> None:
        try:
            draw(*arguments, **named)
        except InvalidInput as error:
            st.error(str(error))
        ahead.begin()

    return drawn


def part(draw: Callable[P, None]) -> Callable[P, None]:
    """A guarded part of a page that runs again by itself (`st.fragment`)."""
    return st.fragment(guarded(draw))


def honesty(cards: Sequence[ModelCard], shown: str) -> None:
    """Which models, which data, and how much of it is shown."""
    models = "; ".join(dict.fromkeys(card.caption for card in cards))
    st.caption(f"{models}. {shown}")


def held_out_words(data: str, shown: int | None = None) -> str:
    """How many of how many held-out images are on the screen; or just how many there are."""
    here, described = len(held_out(data)), dataset(data)
    of = f" of the {described.held_out:,}" if described.held_out not in (None, here) else ""
    there = f"{here:,}{of} held-out images of {described.title}."
    return there if shown is None else f"{shown:,} of {there}"


def crisp(picture: Tensor, side: int) -> bytes:
    """A picture [C, H, W], grey or in colour, as a PNG at least `side` pixels wide, so that no browser blurs it."""
    return png(enlarge(picture, -(-side // max(picture.shape[-2:]))))


def likelihood_words(card: ModelCard) -> str:
    """What the reconstruction term is called for this model and data."""
    grey = card.likelihood == "bernoulli" and dataset(card.dataset).grey and not card.training.get("binarise", False)
    return "grey BCE" if grey else {"bernoulli": "Bernoulli"}.get(card.likelihood, "Gaussian")


_source = lru_cache(maxsize=512)(inspect.getsource)  # a class is looked for in all of its file


def closing(seen: str, code: Sequence[Any], lecture: str) -> None:
    """Three things on demand: the answer, the functions that made the figure, the place in the lecture."""
    with st.expander("What you have seen"):
        st.markdown(seen)
    with st.expander("Show the code"):
        for item in code:
            st.caption(f"{inspect.getmodule(item).__name__}")  # type: ignore[union-attr]
            st.code(_source(item), language="python")
    with st.expander("In the lecture"):
        st.markdown(lecture)
