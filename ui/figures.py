"""Arrays in, Plotly figures out. No Streamlit, no models: what is drawn is exactly what was handed over."""

from __future__ import annotations

import plotly.graph_objects as go

LABEL_SIZE = 14  # pixels; the smallest text in a figure


def plain(figure: go.Figure, *, height: int, x: str = "", y: str = "") -> go.Figure:
    """The look that every figure shares: named axes, little ink, room for the labels, nothing cut off."""
    figure.update_layout(
        height=height,
        margin={"l": 64, "r": 16, "t": 24, "b": 56},
        font={"size": LABEL_SIZE},
        hoverlabel={"font": {"size": LABEL_SIZE}},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "font": {"size": LABEL_SIZE}},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
    )
    axis = {"title": {"font": {"size": LABEL_SIZE}}, "tickfont": {"size": LABEL_SIZE}, "zeroline": False}
    figure.update_xaxes(title_text=x, **axis)
    figure.update_yaxes(title_text=y, **axis)
    return figure
