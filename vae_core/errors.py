"""Errors that are written for people."""

from __future__ import annotations


class InvalidInput(ValueError):
    """Something from outside (a file, a link, a setting) cannot be used.

    The message is one sentence or two for the person at the screen: what arrived, what is allowed, what to
    try. Pages show it as it is; every other exception is a mistake of ours and is left to surface.
    """
