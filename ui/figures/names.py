"""The figures of the lesson on names: arrays in, Plotly figures out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from ui.figures import INACTIVE, LABEL_SIZE, plain, spread_out
from ui.figures.runs import DASHES

BELOW = 30  # pixels from the middle of a word above a point to that of one below it


def name_plane(
    points: np.ndarray,
    words: Sequence[str],
    way: np.ndarray,
    rungs: Sequence[str],
    ends: tuple[str, str],
    colour: str,
    shares: tuple[float, float],
) -> go.Figure:
    """Known words at their codes [N, 2] along the two widest directions, and the way [T, 2] from one typed name to
    another. Every point tells its word; as many words are written as have room."""
    everything = np.concatenate([points, way])
    low, high = everything.min(0), everything.max(0)
    room = np.array([0.13, 0.09]) * (high - low) + 1e-6
    seen = chosen(points, words, way[[0, -1]], (low - room, high + room))
    figure = go.Figure()
    figure.add_scatter(
        x=points[:, 0], y=points[:, 1], mode="markers+text", customdata=list(words), showlegend=False,
        text=[word if show and word not in ends else "" for word, show in zip(words, seen, strict=True)],
        textposition="top center", textfont={"size": LABEL_SIZE}, marker={"size": 6, "color": INACTIVE},
        hovertemplate="%{customdata}<extra></extra>",
    )  # fmt: skip
    figure.add_scatter(
        x=way[:, 0], y=way[:, 1], mode="lines+markers", customdata=list(rungs), showlegend=False,
        line={"color": colour, "width": 3}, marker={"size": 9, "color": colour},
        hovertemplate="decoded here: %{customdata}<extra></extra>",
    )  # fmt: skip
    for place, word in zip(way[[0, -1]], ends, strict=True):
        figure.add_annotation(
            x=place[0], y=place[1], text=f"<b>{word}</b>", showarrow=False, yshift=-17, borderpad=1,
            font={"size": LABEL_SIZE + 2}, bgcolor="rgba(128,128,128,0.35)",  # for light and dark paper
        )  # fmt: skip
    axes = [f"direction {n + 1} ({share:.0%} of the variance)" for n, share in enumerate(shares)]
    plain(figure, height=470, x=axes[0], y=axes[1])
    figure.update_layout(margin={"t": 30, "l": 60, "r": 8})
    figure.update_xaxes(range=[low[0] - room[0], high[0] + room[0]], fixedrange=True, nticks=6)
    figure.update_yaxes(range=[low[1] - room[1], high[1] + room[1]], fixedrange=True, nticks=6)
    return figure


def chosen(
    points: np.ndarray, words: Sequence[str], taken: np.ndarray, window: tuple[np.ndarray, np.ndarray]
) -> list[bool]:
    """Which words [N] can be written above their points without touching one another, or what is written below the
    points `taken` [M, 2]: the first come first. Widths are reckoned for a figure of some 480 x 380 pixels."""
    scale = np.array([480.0, 380.0]) / (window[1] - window[0])
    boxes = [(place * scale - [0.0, BELOW], 80.0) for place in taken]
    shown = []
    for place, word in zip(points * scale, words, strict=True):
        wide = 8.0 * len(word) + 6
        free = all(abs(place[0] - x) > (wide + w) / 2 or abs(place[1] - y) > 22 for (x, y), w in boxes)
        shown.append(bool(free))
        if free:
            boxes.append((place, wide))
    return shown


def kl_history(
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]], colours: Sequence[str], today: str, y: str
) -> go.Figure:
    """A held-out term of several trainings over their epochs, as (epochs, nats per name); today's drawn strong. The
    name of each stands at the end of its line; of "a + b" only "+ b", for a phone's sake."""
    figure = go.Figure()
    highest = max((max(values) for _, values in curves.values()), default=1.0)
    ends = spread_out([values[-1] for _, values in curves.values()], 0.065 * highest)
    for place, (name, (epochs, values)) in enumerate(curves.items()):
        figure.add_scatter(
            x=list(epochs), y=list(values), mode="lines", name=name, showlegend=False, cliponaxis=False,
            line={"color": colours[place], "width": 4.5 if name == today else 2.5, "dash": DASHES[place % len(DASHES)]},
            hovertemplate="epoch %{x:.0f}: %{y:.2f} nats<extra>" + name + "</extra>",
        )  # fmt: skip
        *_, last = name.split(" + ")
        told = name if last == name else f"+ {last}"
        figure.add_annotation(
            x=epochs[-1], y=ends[place], text=f"<b>{told}</b>" if name == today else told, showarrow=False,
            xanchor="left", xshift=8, font={"size": LABEL_SIZE},
        )  # fmt: skip
    plain(figure, height=400, x="epoch", y=y)
    figure.update_layout(margin={"r": 132})
    end = max((epochs[-1] for epochs, _ in curves.values()), default=1)
    figure.update_xaxes(range=[0, end], fixedrange=True, dtick=5)
    figure.update_yaxes(rangemode="tozero", fixedrange=True)
    return figure
