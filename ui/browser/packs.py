"""The invisible component that ships weights, points and pictures to the views."""

from __future__ import annotations

import streamlit as st

from ui.browser.sources import LIBRARY_JS

_ship = st.components.v2.component("latent_pack", js=LIBRARY_JS + "\nexport default shipPack;\n")


def ship(pack: bytes, key: str) -> None:
    """Send one pack (made by `vae_core.latent.browser`) to the browser, once.

    The bytes are the component's whole `data`: Streamlit sends them again only when they change. Views
    name packs by id and wait for them, so the order on the page does not matter.
    """
    _ship(key=key, data=pack)
