"""Errors that are written for people."""

from __future__ import annotations

from reprlib import repr as shown


class InvalidInput(ValueError):
    """Something from outside (a file, a link, a setting) cannot be used.

    The message is one sentence or two for the person at the screen: what arrived, what is allowed, what to
    try. Pages show it as it is; every other exception is a mistake of ours and is left to surface.
    """


def require(settings: object, *rules: tuple[bool, str, str]) -> None:
    """Refuse settings by the first rule that does not hold: (whether it holds, which setting, what is allowed)."""
    for holds, what, allowed in rules:
        if not holds:
            raise InvalidInput(f"{what} is {shown(getattr(settings, what))}; allowed: {allowed}.")
