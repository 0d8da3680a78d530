"""Figures of the lesson on latent variable models: arrays in, Plotly figures and pictures out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go
from plotly.colors import sample_colorscale, unlabel_rgb

from ui.addresses import png_address
from ui.figures import INACTIVE, LABEL_SIZE, plain
from ui.palette import ROLE_COLOURS, RUN_COLOURS

SCALE = "Viridis"
SEEN = "#e5007d"  # the exact posterior and the observation, as in ui/curve_plane
SOURCE_LOOKS = {"prior": (RUN_COLOURS[1], "dash", "square"), "encoder": (ROLE_COLOURS["vae"], "solid", "circle")}
LONGEST = 50.0  # log10 of seconds: what takes longer than that is only named
SMALLEST = 1e-9  # nats; what is nearer to the truth is drawn here


class Line(NamedTuple):
    """The error of an estimate at every number of draws, over repetitions: its median and the bar about it."""

    name: str
    source: str  # key of SOURCE_LOOKS
    median: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]
    effective: Sequence[float]


def coloured(share: np.ndarray) -> np.ndarray:
    """Values in [0, 1], [H, W] -> uint8 [H, W, 3]."""
    table = np.array([unlabel_rgb(colour) for colour in sample_colorscale(SCALE, np.linspace(0, 1, 256).tolist())])
    return table[(np.clip(share, 0, 1) * 255).round().astype(int)].round().astype(np.uint8)


def error_lines(counts: Sequence[int], lines: Sequence[Line], *, height: int) -> go.Figure:
    """Error over the number of draws, both logarithmic, with bars; the sources a little apart, so that no bar hides
    another."""
    figure = go.Figure()
    for place, line in enumerate(lines):
        colour, dash, symbol = SOURCE_LOOKS[line.source]
        median, low, high = (np.maximum(each, SMALLEST) for each in (line.median, line.low, line.high))
        figure.add_scatter(
            x=[count * 1.06 ** (2 * place - 1) for count in counts], y=median, name=line.name, mode="lines+markers",
            error_y={"type": "data", "array": high - median, "arrayminus": median - low, "thickness": 1.5, "width": 3},
            line={"color": colour, "width": 2.5, "dash": dash}, marker={"size": 8, "symbol": symbol},
            customdata=[[count, size] for count, size in zip(counts, line.effective, strict=True)],
            hovertemplate="%{customdata[0]:,} draws: %{y:.3g} nats, worth %{customdata[1]:.1f} draws<extra>"
            + line.name + "</extra>",
        )  # fmt: skip
    plain(figure, height=height, x="draws per estimate, K", y="error of log p(x), nats")
    powers = [10**power for power in range(5)]
    figure.update_xaxes(type="log", fixedrange=True, tickvals=powers, ticktext=[f"{power:,}" for power in powers])
    small = {10.0**power: f"10<sup>{power}</sup>" if power < -3 else f"{10.0**power:,g}" for power in range(-9, 5)}
    figure.update_yaxes(
        type="log", fixedrange=True, tickvals=list(small), ticktext=list(small.values()), title_standoff=8
    )
    figure.update_layout(margin={"t": 40, "r": 12, "l": 84})
    return figure


def grid_times(
    latents: Sequence[int], seconds: Sequence[float], texts: Sequence[str], today: int, age: float
) -> go.Figure:
    """How long a grid would take, [seconds as log10], a bar for each number of latents, today's in colour; what ends
    left of `age` (log10) is younger than the universe. A bar beyond LONGEST leaves the figure."""
    figure = go.Figure()
    low, high = min(-2.0, *seconds), max(age, min(LONGEST, max(seconds)))
    ends = [min(each, high) for each in seconds]
    told = [text if each <= high else f"{text} \N{RIGHTWARDS ARROW}" for text, each in zip(texts, seconds, strict=True)]
    figure.add_bar(
        y=[str(latent) for latent in latents], x=[each - low for each in ends], base=[low] * len(latents),
        text=told, orientation="h", textposition=["outside" if each < 0.75 * high else "inside" for each in seconds],
        insidetextanchor="end", textfont={"size": LABEL_SIZE}, insidetextfont={"size": LABEL_SIZE, "color": "#111111"},
        textangle=0, cliponaxis=False, hovertemplate="%{y} latents: %{text}<extra></extra>",
        marker_color=[ROLE_COLOURS["vae"] if latent == today else INACTIVE for latent in latents],
    )  # fmt: skip
    plain(figure, height=110 + 32 * len(latents), x="time for the grid, seconds", y="latents, Z")
    figure.add_vline(x=age, line={"color": "#009e73", "width": 2.5}, layer="below")
    figure.add_annotation(
        x=age, y=1, yref="paper", xanchor="left", yanchor="bottom", showarrow=False, font={"size": LABEL_SIZE},
        text="age of the universe",
    )  # fmt: skip
    ticks = list(range(0, int(high) + 1, 10))
    figure.update_xaxes(
        range=[low, high], fixedrange=True, tickvals=ticks, ticktext=[f"10<sup>{tick}</sup>" for tick in ticks]
    )
    figure.update_yaxes(type="category", autorange="reversed", fixedrange=True, showgrid=False)
    figure.update_layout(margin={"l": 64, "t": 30}, bargap=0.3, showlegend=False)
    return figure


class Window(NamedTuple):
    """A square piece of the latent plane."""

    low: tuple[float, float]
    side: float


def posterior_map(
    png: bytes, window: Window, mean: Sequence[float], std: Sequence[float], box: Window | None, *, height: int
) -> go.Figure:
    """A picture of the exact posterior on a piece of the plane, the encoder's Gaussian as two ellipses over it, and a
    frame about the piece that another map shows."""
    figure = go.Figure()
    figure.add_layout_image(
        source=png_address(png), xref="x", yref="y",
        x=window.low[0], y=window.low[1] + window.side, sizex=window.side, sizey=window.side, sizing="stretch",
        layer="below",
    )  # fmt: skip
    turn = np.linspace(0, 2 * np.pi, 121)
    for sigmas in (1, 2):
        x, y = (mean[axis] + sigmas * std[axis] * each(turn) for axis, each in enumerate((np.cos, np.sin)))
        for colour, width in (("#111111", 4.5), ("#ffffff", 2.0)):
            figure.add_scatter(x=x, y=y, mode="lines", line={"color": colour, "width": width}, hoverinfo="skip")
    figure.add_scatter(  # an ellipse that is a dot on this map
        x=[mean[0]], y=[mean[1]], mode="markers", hovertemplate="encoder's mean<extra></extra>",
        marker={"size": 8, "color": "#ffffff", "line": {"width": 2, "color": "#111111"}},
    )  # fmt: skip
    if box is not None:
        for colour, width in (("#ffffff", 4.5), (SEEN, 2.5)):
            figure.add_shape(
                type="rect", x0=box.low[0], y0=box.low[1], x1=box.low[0] + box.side, y1=box.low[1] + box.side,
                line={"color": colour, "width": width},
            )  # fmt: skip
    plain(figure, height=height, x="latent 1", y="latent 2")
    across, up = ([low, low + window.side] for low in window.low)
    figure.update_xaxes(range=across, fixedrange=True, showgrid=False, constrain="domain", nticks=6)
    figure.update_yaxes(
        range=up, fixedrange=True, showgrid=False, scaleanchor="x", constrain="domain", nticks=6, title_standoff=4
    )
    figure.update_layout(showlegend=False, margin={"l": 64, "r": 8, "t": 12, "b": 52})
    return figure
