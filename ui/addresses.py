"""Pictures as addresses that carry them: what an `img` shows without asking the server again."""

from __future__ import annotations

import base64


def png_address(file: bytes) -> str:
    """A PNG file as a data address."""
    return f"data:image/png;base64,{base64.b64encode(file).decode('ascii')}"
