"""The latent plane in the browser: weights travel once, and every picture is decoded under the hand."""

from __future__ import annotations

from ui.latent_map.library import LIBRARY_JS, ship, source

__all__ = ["LIBRARY_JS", "ship", "source"]
