"""What all views that run in the browser share: the decoder and the store of its weights, hands on a mouse, a finger or
a key, the look, and how a view's files become one component."""

from __future__ import annotations

from ui.browser.packs import ship
from ui.browser.sources import LIBRARY_JS, bundle, source
from ui.browser.values import floats, fraction, newest

__all__ = ["LIBRARY_JS", "bundle", "floats", "fraction", "newest", "ship", "source"]
