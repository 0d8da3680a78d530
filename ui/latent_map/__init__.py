"""The latent plane in the browser: weights travel once, and every picture is decoded under the hand.

`latent_map` shows one or two planes over the packs (weights, codes, thumbnails) that `ui.browser.ship` sends. Python
hears of a point when it is clicked or let go, never while it moves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import streamlit as st

from ui.browser import LIBRARY_JS, source
from ui.palette import CLASS_COLOURS
from vae_core.latent.priors import Gaussian

Show = Literal["dots", "thumbnails"]
HERE = Path(__file__).parent
MOST_CORRELATED = 128  # latents whose covariance matrix travels to the browser

_map = st.components.v2.component(
    "latent_map",
    css=source("map.css", folder=HERE),
    js="\n".join(
        [
            LIBRARY_JS,
            source("view.js", "draw.js"),
            source("plane.js", "input.js", "panel.js", "map.js", "frame.js", folder=HERE),
            "export default latentMap;",
        ]
    ),
)


@dataclass(frozen=True)
class Pane:
    """One plane and its decoder.

    The cursor is shared in units u; this pane decodes z = centre + scale * u. A VAE has centre 0 and scale 1,
    an autoencoder the mean and the spread of the Gaussian fitted to its codes.
    """

    title: str  # "VAE, beta 1"
    colour: str  # role colour, as #rrggbb
    decoder: str  # id of a decoder pack
    points: str  # id of a points pack
    thumbnails: str | None  # id of a thumbnails pack of the same images
    centre: Sequence[float]  # [Z]
    scale: float
    covariance: Sequence[Sequence[float]] | Sequence[float] | None  # [Z, Z], or its diagonal [Z], of the Gaussian
    # around `centre`, in latent units; None draws no rings
    gaussian: str = "the prior"  # what that Gaussian is, in words
    noun: str = "held-out images"


@dataclass(frozen=True)
class Outside:
    """An image that is not among the points (drawn, uploaded), with its posterior in each pane."""

    label: str
    image: Sequence[int] | None  # [C * H * W] uint8
    posteriors: Sequence[tuple[Sequence[float], Sequence[float] | None]]  # (mean [Z], std [Z] | None) per pane


@dataclass(frozen=True)
class Pick:
    """Where the hand stopped, and how the map stood."""

    pane: int
    z: tuple[float, ...]  # the full latent, in that pane's units
    cursor: tuple[float, float]  # shared units, along `axes`
    axes: tuple[int, int]
    index: int | None  # the pinned image, if one is pinned
    show: Show


def latent_map(
    panes: Sequence[Pane],
    *,
    key: str,
    axes: tuple[int, int] = (0, 1),
    anchor: Sequence[float] | None = None,
    show: Show = "dots",
    cursor: tuple[float, float] | None = None,
    pin: int | Outside | None = None,
    side: int = 520,
    colours: Sequence[str] = CLASS_COLOURS,
    on_pick: Callable[[], None] | None = None,
) -> Pick | None:
    """Draw the explorer and return the last pick, None before the first.

    `cursor` [u, v] counts at mount only. `axes`, `anchor` (the latent at which coordinates off the plane are
    held), `show` and `pin` (an image's index, or an `Outside` one) are taken over whenever they change.
    `side` is the largest side of a plane, in CSS pixels.
    """
    data = {
        "panes": [_pane_data(pane) for pane in panes],
        "colours": list(colours),
        "axes": list(axes),
        "anchor": None if anchor is None else _floats(anchor),
        "show": show,
        "cursor": None if cursor is None else _floats(cursor),
        "pin": _pin_data(pin),
        "side": side,
    }
    result = _map(key=key, data=data, on_pick_change=on_pick or (lambda: None))
    return _read_pick(result.pick)


def covariance_of(gaussian: Gaussian) -> list[Any] | None:
    """What a pane needs to draw a Gaussian's rings, as little of it as there is: the variances of independent
    latents, else the matrix. None where that would be too much to send."""
    if gaussian.is_diagonal:
        return gaussian.std.square().tolist()
    return gaussian.covariance.tolist() if len(gaussian.mean) <= MOST_CORRELATED else None


def last_pick(key: str) -> Pick | None:
    """What a map reported last; for `on_pick`, which is called before the map is drawn again."""
    state = st.session_state.get(key)
    return _read_pick(state.get("pick")) if state else None


def _floats(values: Sequence[float]) -> list[float]:
    return [float(value) for value in values]


def _pane_data(pane: Pane) -> dict[str, Any]:
    covariance: Any = pane.covariance
    if covariance is not None:
        covariance = [_floats(row) if isinstance(row, Sequence) else float(row) for row in covariance]
    return asdict(pane) | {"centre": _floats(pane.centre), "scale": float(pane.scale), "covariance": covariance}


def _pin_data(pin: int | Outside | None) -> int | dict[str, Any] | None:
    if not isinstance(pin, Outside):
        return pin
    return {
        "label": pin.label,
        "image": None if pin.image is None else [int(value) for value in pin.image],
        "posteriors": [
            {"mean": _floats(mean), "std": None if std is None else _floats(std)} for mean, std in pin.posteriors
        ],
    }


def _read_pick(value: Any) -> Pick | None:
    """The browser's report as a `Pick`."""
    if not value:
        return None
    u, v = value["cursor"]
    a, b = value["axes"]
    return Pick(
        pane=int(value["pane"]),
        z=tuple(float(x) for x in value["z"]),
        cursor=(float(u), float(v)),
        axes=(int(a), int(b)),
        index=None if value["index"] is None else int(value["index"]),
        show=value["show"],
    )
