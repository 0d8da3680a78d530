"""Words that come from outside: names of files, what an uploaded model says of itself."""

from __future__ import annotations

import re

SPECIAL = re.compile(r"([\\`*_{}\[\]<>$~#|:])")


def plain(text: str) -> str:
    """Text in which no character means anything to Markdown: it is shown as it is, and no picture in it is loaded."""
    return SPECIAL.sub(r"\\\1", text)
