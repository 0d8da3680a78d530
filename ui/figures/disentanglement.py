"""The figures of the lesson on disentanglement: scores over seeds, and what a KL is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from ui.figures import INACTIVE, LABEL_SIZE, plain
from ui.palette import ROLE_COLOURS, RUN_COLOURS

LOOKS = (  # colour and symbol of each method; one trained longer keeps its colour
    (ROLE_COLOURS["blend"], "circle-open"), (RUN_COLOURS[1], "circle"), (RUN_COLOURS[1], "star"),
    (RUN_COLOURS[0], "square"), (RUN_COLOURS[2], "diamond"), (RUN_COLOURS[3], "triangle-up"),
)  # fmt: skip
PARTS = {  # as the benchmark calls them: as the figure does, colour, pattern
    "information": ("information I", RUN_COLOURS[0], ""),
    "total_correlation": ("total correlation TC", RUN_COLOURS[1], "/"),
    "dimension_wise": ("dimension-wise D", RUN_COLOURS[2], "."),
}
SPREAD = 0.72  # of a row, that its methods share


def over_seeds(scored: Mapping[str, Mapping[str, Sequence[float]]], metrics: Mapping[str, str]) -> go.Figure:
    """A row for each metric (key: name), in it every method: a dot for each seed, a line from the least to the most,
    and a bar at the median."""
    figure = go.Figure()
    places = np.linspace(-SPREAD / 2, SPREAD / 2, len(scored)) if len(scored) > 1 else np.zeros(1)
    for (method, values), place, (colour, symbol) in zip(scored.items(), places, LOOKS, strict=False):
        x, y, ends, rows = [], [], [], []
        medians: list[float] = []
        for row, key in enumerate(metrics):
            seeds = list(values[key])
            x += seeds
            y += [row + place] * len(seeds)
            ends += [min(seeds), max(seeds), None]
            rows += [row + place, row + place, None]
            medians.append(float(np.median(seeds)))
        figure.add_scatter(
            x=ends, y=rows, mode="lines", line={"color": colour, "width": 3}, hoverinfo="skip", showlegend=False,
            legendgroup=method,
        )  # fmt: skip
        figure.add_scatter(
            x=medians, y=[row + place for row in range(len(metrics))], mode="markers", hoverinfo="skip",
            marker={"symbol": "line-ns", "size": 15, "line": {"color": colour, "width": 3}}, showlegend=False,
            legendgroup=method,
        )  # fmt: skip
        figure.add_scatter(
            x=x, y=y, mode="markers", name=method, legendgroup=method,
            marker={"color": colour, "symbol": symbol, "size": 9},
            hovertemplate=f"{method}: %{{x:.3f}}<extra></extra>",
        )  # fmt: skip
    plain(figure, height=116 + 74 * len(metrics), x="score (bar: median)")
    for row in range(1, len(metrics)):
        figure.add_hline(y=row - 0.5, line={"color": INACTIVE, "width": 1}, opacity=0.5)
    figure.update_xaxes(range=[-0.02, 1.02], fixedrange=True)
    figure.update_yaxes(
        tickvals=list(range(len(metrics))), ticktext=list(metrics.values()), range=[len(metrics) - 0.5, -0.5],
        showgrid=False, fixedrange=True, automargin=True,
    )  # fmt: skip
    figure.update_layout(legend={"itemclick": False, "itemdoubleclick": False})
    return figure


def kl_made_of(parts: Mapping[str, Mapping[str, float]]) -> go.Figure:
    """For each method a bar of nats, cut into the three parts of its KL."""
    figure = go.Figure()
    methods = list(parts)
    for key, (name, colour, pattern) in PARTS.items():
        nats = [max(0.0, parts[method][key]) for method in methods]
        figure.add_bar(
            x=nats, y=methods, name=name, orientation="h", marker={"color": colour, "pattern": {"shape": pattern}},
            hovertemplate=f"%{{y}}: {name} %{{x:.2f}} nats<extra></extra>",
        )  # fmt: skip
    for method in methods:
        figure.add_annotation(
            x=sum(max(0.0, parts[method][key]) for key in PARTS), y=method, text=f"{parts[method]['kl']:.1f}",
            showarrow=False, xanchor="left", xshift=6, font={"size": LABEL_SIZE},
        )  # fmt: skip
    plain(figure, height=112 + 46 * len(methods), x="nats per image")
    figure.update_layout(barmode="stack", bargap=0.35, legend={"traceorder": "normal"})
    figure.update_yaxes(autorange="reversed", showgrid=False, fixedrange=True, automargin=True)
    figure.update_xaxes(rangemode="tozero", fixedrange=True)
    return figure
