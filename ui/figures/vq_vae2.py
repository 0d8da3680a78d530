"""The figure of the lesson on VQ-VAE-2: arrays in, a Plotly figure out."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from ui.figures import plain
from ui.palette import RUN_COLOURS


def by_size(sizes: Sequence[str], top: Sequence[float], both: Sequence[float], nearer: Sequence[float]) -> go.Figure:
    """For parts of a picture from large to small: the shares of their variance that the top alone and both levels
    explain, as bars, and of mixed pictures the share that is nearer to the one that gave the top, as a line."""
    figure = go.Figure()
    for name, values, colour in zip(("top alone explains", "both explain"), (top, both), RUN_COLOURS, strict=False):
        figure.add_bar(
            x=list(sizes), y=[100 * each for each in values], name=name, marker_color=colour,
            hovertemplate="%{x} pixels: %{y:.0f}%<extra>" + name + "</extra>",
        )  # fmt: skip
    figure.add_scatter(
        x=list(sizes), y=[100 * each for each in nearer], name="mixed: nearer to who gave the top",
        mode="lines+markers", line={"color": RUN_COLOURS[2], "width": 3}, marker={"size": 11, "symbol": "diamond"},
        hovertemplate="%{x} pixels: %{y:.0f}% nearer to the picture that gave the top<extra></extra>",
    )  # fmt: skip
    plain(figure, height=400, x="size of the parts, pixels", y="share, %")
    figure.update_layout(barmode="group", bargap=0.3, margin={"t": 84})
    figure.update_xaxes(type="category", fixedrange=True)
    figure.update_yaxes(range=[0, 104], fixedrange=True)
    return figure
