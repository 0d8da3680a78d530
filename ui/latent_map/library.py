"""The JavaScript that every in-browser view shares, and the invisible component that ships weights to it."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

HERE = Path(__file__).parent


def source(*names: str, folder: Path = HERE) -> str:
    """The text of several source files of `folder`, joined in order (there is no build step)."""
    return "\n".join((folder / name).read_text(encoding="utf-8") for name in names)


LIBRARY_JS = source("decoder.js", "store.js")
"""Plain functions: parsePack, makeDecoder, paintPixels, awaitPack, thumbnailAtlas, paintThumbnail."""

_ship = st.components.v2.component("latent_pack", js=LIBRARY_JS + "\nexport default shipPack;\n")


def ship(pack: bytes, key: str) -> None:
    """Send one pack (made by `vae_core.latent.browser`) to the browser, once.

    The bytes are the component's whole `data`: Streamlit sends them again only when they change. Views
    name packs by id and wait for them, so the order on the page does not matter.
    """
    _ship(key=key, data=pack)
