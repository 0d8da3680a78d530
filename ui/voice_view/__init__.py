"""A recording, its codes, and these as another speaker says them, on one axis of time; all of it can be heard."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import streamlit as st
from torch import Tensor

from ui.browser import bundle
from vae_core.latent.pictures import to_bytes

_view = st.components.v2.component("voice_view", **bundle(Path(__file__).parent, "player", "voice"))


class Track(NamedTuple):
    """A spectrogram and its sound."""

    name: str
    sound: bytes  # WAV
    spectrum: Tensor  # [bands, T] in [0, 1]


def voice_view(
    sources: Sequence[Track],
    codes: Sequence[int],
    voices: Sequence[Track],
    *,
    key: str,
    of: str,
    at: int,
    seconds: float,
    uses: Sequence[str],
    cut: int | None = None,
    on_release: Callable[[], None] | None = None,
) -> None:
    """Show the recordings, the codes [t] below them, and below these what speaker `at` makes of them.

    `uses` [K] tells of each code where it occurs; `seconds` is how long the codes last together; those from `cut` on
    come from the second recording. A hand that chooses another speaker makes st.session_state[key]["release"] =
    {"of", "voice", "when"}; `of` names what the codes were taken from.
    """
    data = {
        "sources": [_packed(track) for track in sources],
        "codes": list(codes),
        "voices": [_packed(track) for track in voices],
        "of": of,
        "at": at,
        "seconds": seconds,
        "uses": {str(code): uses[code] for code in sorted(set(codes))},
        "cut": cut,
    }
    _view(key=key, data=data, on_release_change=on_release or (lambda: None))


def _packed(track: Track) -> dict[str, object]:
    """Row 0 is the highest band: pictures are drawn from the top."""
    pixels = to_bytes(track.spectrum.flip(0))
    return {
        "name": track.name,
        "sound": base64.b64encode(track.sound).decode("ascii"),
        "pixels": base64.b64encode(pixels.numpy().tobytes()).decode("ascii"),
        "size": [pixels.shape[1], pixels.shape[0]],
    }
