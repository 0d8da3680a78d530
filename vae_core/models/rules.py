"""What is allowed for settings that mean the same in many models. Sizes are bounded, so that no file can ask for the
moon."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from vae_core.models.parts import ACTIVATIONS

LONGEST, LARGEST = 4096, 256 * 256  # pixels: of a side, and of an image
SIZES = f"sides of 1 to {LONGEST} pixels, no more than {LARGEST} pixels in all"


def is_allowed(image: tuple[int, ...]) -> bool:
    """Whether sides [H, W] are such as a model may have: those of a picture, or of a signal, which is one row."""
    return all(1 <= side <= LONGEST for side in image[1:]) and math.prod(image[1:]) <= LARGEST


LAYERS = (
    (lambda widths: 1 <= len(widths) <= 8, "1 to 8 layers"),
    (lambda widths: all(1 <= width <= 4096 for width in widths), "widths of 1 to 4096"),
)
# Setting -> the rules for it: whether a value keeps one, and what is allowed.
USUAL: dict[str, tuple[tuple[Callable[[Any], bool], str], ...]] = {
    "image": ((lambda image: len(image) == 3 and image[0] in (1, 3), "(1 or 3, height, width)"), (is_allowed, SIZES)),
    "latent": ((lambda count: 1 <= count <= 1024, "1 to 1024 dimensions"),),
    "classes": ((lambda count: 2 <= count <= 1000, "2 to 1000"),),
    "hidden": LAYERS,
    "channels": (
        (lambda channels: 1 <= len(channels) <= 6, "1 to 6 convolutions"),
        (lambda channels: all(1 <= c <= 512 for c in channels), "1 to 512 each"),
    ),
    "activation": ((lambda name: name in ACTIVATIONS, ", ".join(ACTIVATIONS)),),
    "sigma": ((lambda sigma: math.isfinite(sigma) and sigma > 0, "a number above 0"),),
    "beta": ((lambda beta: math.isfinite(beta) and 0 <= beta <= 1000, "a number from 0 to 1000"),),
    "codes": ((lambda count: 2 <= count <= 65_536, "2 to 65536"),),
    "critic": LAYERS,
    "tc": ((lambda weight: math.isfinite(weight) and 0 <= weight <= 1000, "a number from 0 to 1000"),),
    "weight": ((lambda weight: math.isfinite(weight) and 0 <= weight <= 1e4, "a number from 0 to 10,000"),),
    "dimensions": ((lambda count: 1 <= count <= 1024, "1 to 1024"),),
}


def usual(settings: object, *names: str) -> list[tuple[bool, str, str]]:
    """The usual rules for some of a model's settings, for `require`."""
    return [(holds(getattr(settings, name)), name, allowed) for name in names for holds, allowed in USUAL[name]]
