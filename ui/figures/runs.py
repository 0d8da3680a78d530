"""Figures of several runs. As in figures.py: no Streamlit, and what is drawn is exactly what was handed over."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from ui.figures import plain, settled_range, thinned

DASHES = ("solid", "dash", "dot", "dashdot")  # beside the colour, for whoever sees none


def run_curves(
    names: Sequence[str],
    x: Sequence[Sequence[float]],
    y: Sequence[Sequence[float]],
    styles: Sequence[tuple[str, str]],
    *,
    x_name: str,
    y_name: str,
) -> go.Figure:
    """A curve for each run, in its style (colour, dash): held-out evaluations y, in nats per image, at x. The axis
    fits what comes after the first steep tenth of each."""
    figure = go.Figure()
    for name, places, values, (colour, dash) in zip(names, x, y, styles, strict=True):
        across, up = thinned(np.asarray(places, float), np.asarray(values, float))
        figure.add_scatter(
            x=across, y=up, name=name, mode="lines+markers" if len(up) < 40 else "lines",
            line={"color": colour, "width": 3, "dash": dash}, marker={"color": colour, "size": 7},
            hovertemplate="%{y:.2f} at " + x_name + " %{x:.4g}<extra>" + name + "</extra>",
        )  # fmt: skip
    plain(figure, height=420, x=x_name, y=y_name)
    later = [np.asarray(values[len(values) // 10 :], float) for values in y]
    figure.update_xaxes(rangemode="tozero", fixedrange=True)
    figure.update_yaxes(range=settled_range(np.array([]), np.concatenate([[], *later])), fixedrange=True)
    figure.update_layout(showlegend=False)
    return figure
