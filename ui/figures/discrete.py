"""The figures of the lesson on discrete VAEs: arrays in, Plotly figures out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from ui.figures import INACTIVE, LABEL_SIZE, plain
from ui.palette import RUN_COLOURS

DASHES = ("dot", "solid", "dash")


def soft_letters(letters: np.ndarray, chances: Sequence[float]) -> go.Figure:
    """Relaxed draws [n, K] as rows of shares of a letter, and above them the probabilities [K] that they come from."""
    count, kinds = letters.shape
    names = [str(kind + 1) for kind in range(kinds)]
    rows = ["q(c | x)", *(f"draw {number + 1}" for number in range(count))]
    figure = go.Figure(
        go.Heatmap(
            z=np.vstack([np.asarray(chances), letters]),
            x=names,
            y=rows,
            zmin=0,
            zmax=1,
            colorscale="viridis",
            xgap=2,
            ygap=2,
            hovertemplate="%{y}, letter %{x}: %{z:.2f}<extra></extra>",
            colorbar={
                "title": {"text": "share of a letter", "side": "right", "font": {"size": LABEL_SIZE}},
                "tickfont": {"size": LABEL_SIZE},
                "thickness": 14,
            },
        )
    )
    plain(figure, height=460, x="letter")
    figure.update_layout(margin={"l": 86})
    figure.update_yaxes(autorange="reversed", fixedrange=True)
    figure.update_xaxes(fixedrange=True, type="category")
    figure.add_shape(
        type="line", x0=0, x1=1, xref="x domain", y0=0.5, y1=0.5, line={"width": 3, "color": INACTIVE}
    )  # fmt: skip
    return figure


def bias_and_noise(
    temperatures: Sequence[float],
    bias: Mapping[str, Sequence[float]],
    deviation: Mapping[str, Sequence[float]],
    truth: float,
    today: float,
) -> go.Figure:
    """Bias and standard deviation of one estimate over the temperature, for each estimator, as multiples of the true
    gradient's length."""
    figure = go.Figure()
    for axis, table, word in (("y", bias, "bias"), ("y2", deviation, "noise")):
        for (name, values), colour, dash in zip(table.items(), RUN_COLOURS, DASHES, strict=False):
            figure.add_scatter(
                x=list(temperatures), y=[value / truth for value in values], name=name, yaxis=axis,
                mode="lines+markers", showlegend=axis == "y",
                line={"color": colour, "width": 2.5, "dash": dash}, marker={"size": 7},
                hovertemplate=f"temperature %{{x:g}}: {word} %{{y:.2f}} times the gradient<extra>{name}</extra>",
            )  # fmt: skip
    plain(figure, height=460, x="temperature of the softmax")
    figure.add_shape(type="line", x0=today, x1=today, y0=0, y1=1, yref="paper", line={"width": 1.5, "color": INACTIVE})
    title = {"font": {"size": LABEL_SIZE}}
    ticks = [each for each in (0.1, 0.2, 0.5, 1, 2, 5) if min(temperatures) <= each <= max(temperatures)]
    figure.update_layout(
        margin={"t": 64},
        xaxis={"type": "log", "anchor": "y2", "tickvals": ticks, "ticktext": list(map(str, ticks)), "fixedrange": True},
        yaxis={"domain": (0.55, 1.0), "title": {**title, "text": "bias / |g|"}, "fixedrange": True,
               "rangemode": "tozero"},
        yaxis2={
            "domain": (0.0, 0.45), "title": {**title, "text": "noise / |g|"}, "fixedrange": True, "rangemode": "tozero",
            "tickfont": {"size": LABEL_SIZE}, "zeroline": False,
        },
    )  # fmt: skip
    return figure
