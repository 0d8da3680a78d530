"""Views that a hand scrubs: every picture is decoded in the browser, Python hears of it on release."""

from __future__ import annotations

from ui.scrubbers.paths import Strip, corner_grid, path_view
from ui.scrubbers.traversals import Pane, Release, Row, traversal_view

__all__ = ["Pane", "Release", "Row", "Strip", "corner_grid", "path_view", "traversal_view"]
