"""The colours, the same on every page."""

from __future__ import annotations

from collections.abc import Sequence

# Petroff's cycle of ten, apart for colour-blind eyes (arXiv:2107.02270).
CLASS_COLOURS = (
    "#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6", "#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd",
)  # fmt: skip

# Each of the three that are compared keeps one colour throughout.
ROLE_COLOURS = {"vae": "#2f7fd0", "autoencoder": "#d9660b", "blend": "#7b818c"}
ACCENT = "#2f7fd0"
SECOND_VAE = "#9b59d0"  # when two of them are compared

# Runs that are drawn over each other: apart for colour-blind eyes (after Okabe and Ito), on light and on dark paper.
RUN_COLOURS = ("#1f7ec4", "#d55e00", "#009e73", "#b5649b")


def colours_of(roles: Sequence[str]) -> list[str]:
    """A colour for each of the models that are compared, the second VAE told from the first."""
    return [
        SECOND_VAE if role == "vae" and "vae" in roles[:place] else ROLE_COLOURS[role]
        for place, role in enumerate(roles)
    ]
