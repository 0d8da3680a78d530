"""The figures of the lesson on compression: arrays in, Plotly figures out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go

from ui.figures import INACTIVE, LABEL_SIZE, plain

TICKS = (1, 3, 10, 30, 100, 300, 1000)
MOST_LABELS = 16  # bars that have room for a number on a wide screen


class Curve(NamedTuple):
    """Bits against distortion of one method."""

    name: str
    bits: Sequence[float]  # per image
    decibels: Sequence[float]
    words: Sequence[str]  # of each point
    colour: str
    short: str = ""  # its name at its end


def rate_curves(today: Curve, others: Sequence[Curve], rivals: Sequence[Curve], point: int) -> go.Figure:
    """PSNR against bits per image: today's curve with its point in a ring, others of its kind thin, rivals beside."""
    figure = go.Figure()
    for place, curve in enumerate(others):
        _add(figure, curve, width=1.3, size=0, named="other latent sizes" if place == 0 else None)
        figure.add_annotation(
            x=np.log10(curve.bits[-1]), y=curve.decibels[-1], text=curve.short, showarrow=False, xanchor="right",
            yanchor="bottom", font={"size": LABEL_SIZE - 1},
        )  # fmt: skip
    for curve, dash, symbol in zip(rivals, ("dash", "dot"), ("square", "diamond"), strict=False):
        _add(figure, curve, width=2.5, size=6, named=curve.name, dash=dash, symbol=symbol)
    _add(figure, today, width=3.5, size=9, named=today.name)
    figure.data[-1].legendrank = 1  # drawn last, named first
    bits, height = today.bits[point], today.decibels[point]
    figure.add_scatter(
        x=[bits], y=[height], mode="markers", showlegend=False, hoverinfo="skip", cliponaxis=False,
        marker={"color": today.colour, "size": 24, "symbol": "circle-open", "line": {"width": 3}},
    )  # fmt: skip
    plain(figure, height=420, x="bits per image (logarithmic)", y="PSNR, dB (higher is better)")
    figure.add_vline(x=bits, line={"width": 1.5, "color": INACTIVE, "dash": "dot"})
    figure.update_xaxes(
        type="log", range=[np.log10(0.3), np.log10(1000)], tickvals=TICKS, ticktext=[f"{tick:,}" for tick in TICKS],
        fixedrange=True,
    )  # fmt: skip
    figure.update_yaxes(range=[10, 28], fixedrange=True)
    figure.update_layout(margin={"t": 72, "l": 56})
    return figure


def _add(
    figure: go.Figure,
    curve: Curve,
    *,
    width: float,
    size: int,
    named: str | None,
    dash: str = "solid",
    symbol: str = "circle",
) -> None:
    figure.add_scatter(
        x=list(curve.bits), y=list(curve.decibels), text=list(curve.words), name=named or curve.name,
        mode="lines+markers" if size else "lines", showlegend=named is not None,
        line={"color": curve.colour, "width": width, "dash": dash},
        marker={"color": curve.colour, "size": size or 1, "symbol": symbol},
        hovertemplate="%{x:.1f} bits, %{y:.1f} dB<br>%{text}<extra>" + curve.name + "</extra>",
    )  # fmt: skip


def symbol_bars(
    symbols: Sequence[int], expected: Sequence[float], seen: Sequence[float], bits: Sequence[float], colour: str
) -> go.Figure:
    """How often each symbol of a latent is expected and how often it came; on the bars, where
    there is room, what it costs in bits."""
    figure = go.Figure()
    labels = [f"{cost:.1f}" for cost in bits] if len(symbols) <= MOST_LABELS else None
    figure.add_bar(
        x=list(symbols), y=list(expected), text=labels, textposition="outside", name="expected, from training images",
        marker={"color": colour}, customdata=list(bits), cliponaxis=False, textfont={"size": LABEL_SIZE},
        textangle=0, hovertemplate="%{x}: %{y:.2%}, %{customdata:.2f} bits<extra></extra>",
    )  # fmt: skip
    figure.add_bar(
        x=list(symbols), y=list(seen), name="held out", marker={"color": INACTIVE},
        hovertemplate="held out, %{x}: %{y:.2%}<extra></extra>",
    )  # fmt: skip
    plain(figure, height=300, x="cell of the code", y="share of the images")
    figure.update_xaxes(fixedrange=True, showgrid=False)
    figure.update_yaxes(fixedrange=True, tickformat=".0%", range=[0, 1.2 * max(*expected, *seen)])
    figure.update_layout(bargap=0.2, bargroupgap=0.05, uniformtext={"minsize": LABEL_SIZE - 1, "mode": "hide"})
    return figure
