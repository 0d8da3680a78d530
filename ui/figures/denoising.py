"""The figure of the lesson on denoising: arrays in, a Plotly figure out."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from ui.figures import INACTIVE, LABEL_SIZE, plain
from ui.palette import ACCENT

AXES = (("y", (0.54, 1.0)), ("y2", (0.0, 0.46)))  # PSNR above, SSIM below, one scale of levels


def fidelity_curves(
    levels: Sequence[float],
    decibels: Sequence[Sequence[float]],
    alike: Sequence[Sequence[float]],
    names: Sequence[str],
    looks: Sequence[tuple[str, str, str]],
    trained: tuple[float, float],
    today: float,
    *,
    x: str,
) -> go.Figure:
    """PSNR [M][L] and SSIM [M][L] over the noise level, a line for each method in its colour, dash and symbol; the
    trained levels shaded, today's marked."""
    figure = go.Figure()
    for (axis, _), values, unit in zip(AXES, (decibels, alike), (" dB", ""), strict=True):
        for line, name, (colour, dash, symbol) in zip(values, names, looks, strict=True):
            figure.add_scatter(
                x=list(levels), y=list(line), name=name, yaxis=axis, mode="lines+markers", showlegend=axis == "y",
                line={"color": colour, "width": 2.5, "dash": dash}, marker={"color": colour, "size": 8,
                "symbol": symbol}, hovertemplate=f"%{{x:g}}: %{{y:.{2 if unit else 3}f}}{unit}<extra>{name}</extra>",
            )  # fmt: skip
    plain(figure, height=540, x=x)
    figure.add_shape(
        type="rect", x0=trained[0], x1=trained[1], y0=0, y1=1, yref="paper", layer="below", line={"width": 0},
        fillcolor=ACCENT, opacity=0.1,
    )  # fmt: skip
    for _, (low, high) in AXES:  # not through the words between the panels
        figure.add_shape(
            type="line", x0=today, x1=today, y0=low, y1=high, yref="paper", line={"width": 1.5, "color": INACTIVE}
        )
    figure.add_annotation(
        x=trained[1], y=0.5, yref="paper", xanchor="right", yanchor="middle", text="trained up to here",
        showarrow=False, font={"size": LABEL_SIZE},
    )  # fmt: skip
    title = {"font": {"size": LABEL_SIZE}}
    figure.update_layout(
        margin={"t": 84, "r": 12},
        legend={"entrywidth": 128},  # pixels: two columns, on a phone one
        xaxis={"anchor": "y2", "range": [0, max(levels) + 0.03], "fixedrange": True},
        yaxis={"domain": AXES[0][1], "title": {**title, "text": "PSNR, dB"}, "fixedrange": True, "rangemode": "tozero"},
        yaxis2={
            "domain": AXES[1][1], "title": {**title, "text": "SSIM"}, "fixedrange": True, "range": [0, 1.02],
            "tickfont": {"size": LABEL_SIZE}, "zeroline": False,
        },
    )  # fmt: skip
    return figure
