"""The figures of the lesson on dimensionality reduction: arrays in, Plotly figures and pictures out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from ui.figures import INACTIVE, LABEL_SIZE, plain
from ui.palette import CLASS_COLOURS

LOW, MIDDLE, HIGH = (np.array(rgb, float) for rgb in ((33, 102, 172), (247, 247, 247), (178, 24, 43)))


def error_curves(
    sizes: Sequence[int],
    errors: Sequence[Sequence[float]],
    names: Sequence[str],
    colours: Sequence[str],
    variance: float,
    today: int,
) -> go.Figure:
    """Squared error per pixel against latent size, a line for each method [M][S]; today's size marked. The dashed line
    is the variance: what the mean picture alone would miss."""
    figure = go.Figure()
    dashes, symbols = ("solid", "dot", "solid"), ("circle", "x", "square")
    for values, name, colour, dash, symbol in zip(errors, names, colours, dashes, symbols, strict=False):
        figure.add_scatter(
            x=list(sizes), y=list(values), name=name, mode="lines+markers",
            customdata=[value / variance for value in values],
            line={"color": colour, "width": 3, "dash": dash}, marker={"color": colour, "size": 9, "symbol": symbol},
            hovertemplate="%{x}: %{y:.4f}, %{customdata:.1%} of the variance<extra>" + name + "</extra>",
        )  # fmt: skip
    plain(figure, height=400, x="latent size (numbers per image)", y="squared error per pixel")
    figure.add_hline(y=variance, line={"dash": "dash", "width": 1.5, "color": INACTIVE})
    figure.add_annotation(
        x=1, xref="paper", y=variance, text="the mean picture for all", showarrow=False, xanchor="right",
        yanchor="bottom", font={"size": LABEL_SIZE},
    )  # fmt: skip
    figure.add_vline(x=today, line={"width": 1.5, "color": INACTIVE})
    figure.update_xaxes(type="log", tickvals=list(sizes), ticktext=[str(size) for size in sizes], fixedrange=True)
    figure.update_yaxes(rangemode="tozero", range=[0, 1.12 * variance], fixedrange=True)
    figure.update_layout(margin={"t": 56})
    return figure


def plane_map(points: np.ndarray, labels: np.ndarray, names: Sequence[str]) -> go.Figure:
    """Codes [N, 2], a colour for each class and its name at the middle of its points."""
    figure = go.Figure()
    for label, name in enumerate(names):
        own = points[labels == label]
        figure.add_scattergl(
            x=own[:, 0], y=own[:, 1], mode="markers", hovertemplate=f"{name}<extra></extra>",
            marker={"size": 4, "opacity": 0.6, "color": CLASS_COLOURS[label % len(CLASS_COLOURS)]},
        )  # fmt: skip
        middle = np.median(own, axis=0)
        figure.add_annotation(
            x=middle[0], y=middle[1], text=f"<b>{name}</b>", showarrow=False, borderpad=1,
            font={"size": LABEL_SIZE + 1}, bgcolor="rgba(128,128,128,0.35)",  # for light and dark paper
        )  # fmt: skip
    plain(figure, height=400, x="latent 1 (no unit)", y="latent 2 (no unit)")
    figure.update_layout(showlegend=False, margin={"t": 8, "l": 56, "r": 8})
    low, high = np.quantile(points, 0.002, axis=0), np.quantile(points, 0.998, axis=0)
    room = 0.06 * (high - low)
    figure.update_xaxes(range=[low[0] - room[0], high[0] + room[0]], fixedrange=True, nticks=6)
    figure.update_yaxes(range=[low[1] - room[1], high[1] + room[1]], fixedrange=True, nticks=6)
    return figure


def angle_lines(steps: Sequence[int], angles: np.ndarray, colour: str, last: int) -> go.Figure:
    """Principal angles [T, Z] in degrees after so many steps; the largest one drawn strong."""
    figure = go.Figure()
    for column in range(angles.shape[1]):
        largest = column == angles.shape[1] - 1
        figure.add_scatter(
            x=list(steps), y=angles[:, column], mode="lines", showlegend=False,
            line={"color": colour if largest else INACTIVE, "width": 3.5 if largest else 1},
            opacity=1 if largest else 0.55,
            hovertemplate=f"step %{{x}}: %{{y:.2f}}°<extra>{'largest' if largest else f'angle {column + 1}'}</extra>",
        )  # fmt: skip
    plain(figure, height=340, x="training step (each on all images)", y="principal angle to PCA, degrees")
    figure.update_xaxes(range=[0, max(last, 1)], fixedrange=True)
    figure.update_yaxes(range=[-1, 92], tickvals=[0, 15, 30, 45, 60, 75, 90], fixedrange=True)
    if not len(steps):
        figure.add_annotation(
            x=0.5, y=0.5, xref="paper", yref="paper", text="Nothing has been trained yet.", showarrow=False,
            font={"size": LABEL_SIZE},
        )  # fmt: skip
    else:
        figure.add_annotation(
            x=steps[-1], y=float(angles[-1, -1]), text=f"<b>largest: {angles[-1, -1]:.2f}°</b>", showarrow=False,
            xanchor="right" if steps[-1] > 0.5 * last else "left", yanchor="bottom", yshift=6,
            font={"size": LABEL_SIZE + 1},
        )  # fmt: skip
    return figure


def error_line(steps: Sequence[int], errors: Sequence[float], colour: str, last: int) -> go.Figure:
    """Squared error per pixel on the memorised images after so many steps."""
    figure = go.Figure()
    figure.add_scatter(
        x=list(steps), y=list(errors), mode="lines", line={"color": colour, "width": 3}, showlegend=False,
        hovertemplate="step %{x}: %{y:.5f}<extra></extra>",
    )  # fmt: skip
    plain(figure, height=240, x="training step", y="error per pixel")
    figure.update_xaxes(range=[0, last], fixedrange=True)
    figure.update_yaxes(rangemode="tozero", fixedrange=True)
    return figure


def signed_pictures(weights: np.ndarray, height: int, width: int) -> np.ndarray:
    """Weights [B, H W] as pictures uint8 [B, 3, H, W]: blue below zero, white at zero, red above; each on its own
    scale, centred at zero."""
    largest = np.abs(weights).max(axis=1, keepdims=True)
    share = (weights / np.where(largest > 0, largest, 1)).reshape(len(weights), 1, height, width)
    colours = np.where(share < 0, LOW[:, None, None], HIGH[:, None, None])
    mixed = MIDDLE[:, None, None] + np.abs(share) * (colours - MIDDLE[:, None, None])
    return mixed.round().astype(np.uint8)
