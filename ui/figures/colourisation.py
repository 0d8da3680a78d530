"""The figure of the lesson on colourisation: arrays in, a Plotly figure out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import plotly.graph_objects as go

from ui.figures import INACTIVE, LABEL_SIZE, plain


class Mark(NamedTuple):
    """One method: how much colour it gives, how far that is from the truth, and how far from there its name stands."""

    name: str
    chroma: float
    delta_e: float
    colour: str
    symbol: str = "circle"
    away: tuple[int, int] = (0, -24)  # pixels, rightwards and downwards


def error_and_colour(
    marks: Sequence[Mark], temperatures: Sequence[float], path: Sequence[tuple[float, float]], colour: str, truth: float
) -> go.Figure:
    """Delta E over chroma: a mark for each method, a line through the draws [T] of rising temperature as (chroma,
    delta E), and the chroma of the true colours as a dashed line."""
    figure = go.Figure()
    chroma, error = [list(each) for each in zip(*path, strict=True)]
    figure.add_scatter(
        x=chroma, y=error, mode="lines+markers+text", text=[f" T = {each:g}" if each else "" for each in temperatures],
        textposition="middle right", textfont={"size": LABEL_SIZE}, line={"color": colour, "width": 2.5},
        marker={"color": colour, "size": 9}, cliponaxis=False, showlegend=False,
        customdata=list(temperatures),
        hovertemplate="one draw, T = %{customdata:g}<br>chroma %{x:.1f}, \u0394E %{y:.1f}<extra></extra>",
    )  # fmt: skip
    for mark in marks:
        figure.add_scatter(
            x=[mark.chroma], y=[mark.delta_e], mode="markers", name=mark.name, cliponaxis=False, showlegend=False,
            marker={"color": mark.colour, "size": 14, "symbol": mark.symbol},
            hovertemplate=f"{mark.name}<br>chroma %{{x:.1f}}, \u0394E %{{y:.1f}}<extra></extra>",
        )  # fmt: skip
        figure.add_annotation(
            x=mark.chroma, y=mark.delta_e, ax=mark.away[0], ay=mark.away[1], text=f"<b>{mark.name}</b>",
            font={"size": LABEL_SIZE}, arrowhead=0, arrowwidth=1.5, arrowcolor=INACTIVE, standoff=8,
        )  # fmt: skip
    plain(figure, height=440, x="chroma: mean distance from grey", y="mean \u0394E to the true colours")
    errors = [*error, *(mark.delta_e for mark in marks)]
    room = 0.16 * (max(errors) - min(errors)) or 1.0
    figure.add_shape(
        type="line", x0=truth, x1=truth, y0=0, y1=1, yref="paper", line={"dash": "dash", "width": 2, "color": INACTIVE}
    )
    figure.add_annotation(
        x=truth, y=1, yref="paper", xanchor="right", yanchor="top", text="as colourful <br>as the truth ",
        showarrow=False, font={"size": LABEL_SIZE}, align="right",
    )  # fmt: skip
    figure.update_layout(margin={"t": 36, "r": 24})
    figure.update_xaxes(range=[-0.6, 1.25 * max([truth, *chroma])], fixedrange=True)
    figure.update_yaxes(range=[max(0.0, min(errors) - 2 * room), max(errors) + room], fixedrange=True)
    return figure
