"""The figures of the lesson on holes and missing modes: arrays in, Plotly figures out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from ui.figures import INACTIVE, LABEL_SIZE, plain
from ui.palette import ACCENT, CLASS_COLOURS

HOLE, LEFT_OUT = "#d55e00", "#1f7ec4"  # after Okabe and Ito: apart for colour-blind eyes
PAPER = "#f4f4f4"  # where prior and codes agree


def excess_map(
    excess: np.ndarray, low: Sequence[float], high: Sequence[float], codes: np.ndarray, reach: float
) -> go.Figure:
    """log p(z) - log q(z) on a square of the plane [n, n], row 0 at the bottom, and draws [N, 2] of the prior."""
    side = len(excess)
    cell = (high[0] - low[0]) / side
    across, up = (low[axis] + cell * (np.arange(side) + 0.5) for axis in (0, 1))
    figure = go.Figure(
        go.Heatmap(
            z=np.clip(excess, -reach, reach).round(2), x=across, y=up, zmin=-reach, zmax=reach,
            colorscale=[(0, LEFT_OUT), (0.5, PAPER), (1, HOLE)], hoverongaps=False,
            hovertemplate="z = (%{x:.1f}, %{y:.1f})<br>log p \u2212 log q = %{z:.1f} nats<extra></extra>",
            colorbar={
                "orientation": "h", "y": 1, "yanchor": "bottom",
                "title": {"text": "log p(z) \u2212 log q(z), nats", "side": "top", "font": {"size": LABEL_SIZE}},
                "tickvals": [-reach, -reach / 2, 0, reach / 2, reach],
                "ticktext": [f"\u2212{reach:g}", f"\u2212{reach / 2:g}", "0", f"{reach / 2:g}", f"{reach:g}"],
                "tickfont": {"size": LABEL_SIZE}, "thickness": 14,
            },
        )
    )  # fmt: skip
    figure.add_scatter(
        x=codes[:, 0], y=codes[:, 1], mode="markers", name="a draw",
        marker={"size": 8, "color": "#111111", "line": {"color": "#ffffff", "width": 1.5}},
        hovertemplate="a draw, z = (%{x:.1f}, %{y:.1f})<extra></extra>",
    )  # fmt: skip
    plain(figure, height=500, x="latent 1 (no unit)", y="latent 2 (no unit)")
    figure.update_layout(showlegend=False)
    figure.update_xaxes(range=[low[0], high[0]], showgrid=False, fixedrange=True, constrain="domain")
    figure.update_yaxes(
        range=[low[1], high[1]], showgrid=False, fixedrange=True, scaleanchor="x", scaleratio=1, constrain="domain"
    )
    return figure


def by_class(
    names: Sequence[str], drawn: Sequence[float], of_data: Sequence[float], covered: Sequence[float], attainable: float
) -> go.Figure:
    """Above: the share of each class among samples (bars) and among the data (lines). Below: the share of each class'
    held-out images that some sample comes near, and what the data themselves reach."""
    figure = go.Figure()
    colours = [CLASS_COLOURS[place % len(CLASS_COLOURS)] for place in range(len(names))]
    x = list(range(len(names)))
    for axis, values, word in (("y", drawn, "of the samples"), ("y2", covered, "covered")):
        figure.add_bar(
            x=x, y=[100 * value for value in values], yaxis=axis, marker_color=colours, text=list(names),
            textposition="none", hovertemplate=f"%{{text}}: %{{y:.0f}}% {word}<extra></extra>", showlegend=False,
        )  # fmt: skip
    figure.add_scatter(
        x=x, y=[100 * value for value in of_data], mode="markers", name="share in the data", text=list(names),
        marker={"symbol": "line-ew", "size": 26, "line": {"width": 3, "color": INACTIVE}},
        hovertemplate="%{text}: %{y:.0f}% of the data<extra></extra>",
    )  # fmt: skip
    plain(figure, height=470, x="class")
    title = {"font": {"size": LABEL_SIZE}}
    figure.update_layout(
        margin={"t": 40},
        bargap=0.3,
        xaxis={"tickvals": x, "ticktext": list(names), "anchor": "y2", "fixedrange": True, "showgrid": False},
        yaxis={"domain": (0.6, 1.0), "title": {**title, "text": "samples, %"}, "fixedrange": True,
               "range": [0, max(20, 115 * max(*drawn, *of_data))]},
        yaxis2={
            "domain": (0.0, 0.46), "title": {**title, "text": "covered, %"}, "fixedrange": True, "range": [0, 104],
            "tickfont": {"size": LABEL_SIZE}, "zeroline": False,
        },
    )  # fmt: skip
    figure.add_shape(
        type="line", x0=0, x1=1, xref="x domain", y0=100 * attainable, y1=100 * attainable, yref="y2",
        line={"dash": "dash", "width": 2, "color": ACCENT},
    )  # fmt: skip
    figure.add_annotation(
        x=1, xref="x domain", y=100 * attainable, yref="y2", text="other held-out images", showarrow=False,
        xanchor="right", yanchor="bottom", font={"size": LABEL_SIZE, "color": ACCENT},
    )  # fmt: skip
    return figure
