"""The figure of the lesson on super-resolution: arrays in, a Plotly figure out."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from ui.figures import LABEL_SIZE, plain

PANELS = (("y", "yaxis", (0.56, 1.0)), ("y2", "yaxis2", (0.0, 0.44)))  # PSNR above, SSIM below


def fidelity_dots(
    names: Sequence[str], decibels: Sequence[float], alike: Sequence[float], colours: Sequence[str]
) -> go.Figure:
    """PSNR [M] and SSIM [M] of every method, each value written above its dot. Neither axis begins at zero."""
    figure = go.Figure()
    plain(figure, height=380)
    for (axis, long, domain), values, shown, title in zip(
        PANELS, (decibels, alike), ("{:.2f}", "{:.3f}"), ("PSNR, dB", "SSIM"), strict=True
    ):
        texts = [shown.format(value) for value in values]
        figure.add_scatter(
            x=list(names), y=list(values), yaxis=axis, mode="markers+text", text=texts, textposition="top center",
            textfont={"size": LABEL_SIZE}, marker={"color": list(colours), "size": 14}, showlegend=False,
            hovertemplate="%{x}: %{text}<extra></extra>",
        )  # fmt: skip
        spread = (max(values) - min(values)) or 0.1
        range = [min(values) - 0.2 * spread, max(values) + 0.45 * spread]  # room for what is written
        figure.update_layout(
            {long: {"domain": domain, "range": range, "title": {"text": title, "font": {"size": LABEL_SIZE}},
                    "tickfont": {"size": LABEL_SIZE}, "fixedrange": True, "zeroline": False, "nticks": 4}}
        )  # fmt: skip
    figure.update_layout(
        margin={"t": 28, "r": 12, "b": 36},
        xaxis={"anchor": "y2", "fixedrange": True, "range": [-0.5, len(names) - 0.5], "showgrid": False},
    )
    return figure
