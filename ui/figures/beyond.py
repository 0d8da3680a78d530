"""The figures of the lesson beyond the Gaussian posterior: arrays in, Plotly figures out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from ui.figures import INACTIVE, LABEL_SIZE, plain
from ui.palette import ACCENT, CLASS_COLOURS

HEIGHT = 400  # pixels, of each figure of a row
SHOWN = 0.8  # of the window in which densities are summed up


def density_map(heat: np.ndarray, reach: float, title: str, line: np.ndarray | None = None) -> go.Figure:
    """A density in the plane, [n, n] as bytes on a common scale; `line` is another one on the same cells, of which the
    level at its value 1 is drawn."""
    step = 2 * reach / len(heat)
    place = {"x0": -reach + step / 2, "dx": step, "y0": -reach + step / 2, "dy": step}
    figure = go.Figure()
    figure.add_heatmap(z=heat, zmin=0, zmax=255, colorscale="Viridis", showscale=False, hoverinfo="skip", **place)
    if line is not None:
        every = len(heat) // len(line)
        coarse = {"x0": -reach + every * step / 2, "dx": every * step, "y0": -reach + every * step / 2}
        figure.add_contour(
            z=line, **coarse, dy=every * step, showscale=False, hoverinfo="skip",
            contours={"coloring": "lines", "start": 1, "end": 1, "size": 1, "showlabels": False},
            colorscale=[[0, "#ffffff"], [1, "#ffffff"]], line={"width": 2.5, "dash": "dash"},
        )  # fmt: skip
    plain(figure, height=HEIGHT, x="hidden number z\u2081 (no unit)", y="hidden number z\u2082 (no unit)")
    figure.update_layout(
        margin={"t": 40, "l": 56, "r": 8},
        title={"text": f"<b>{title}</b>", "font": {"size": LABEL_SIZE + 1}, "x": 0.5, "xanchor": "center", "y": 0.97},
    )
    shown = [-SHOWN * reach, SHOWN * reach]
    figure.update_xaxes(range=shown, constrain="domain", fixedrange=True, nticks=5, showgrid=False)
    figure.update_yaxes(range=shown, scaleanchor="x", constrain="domain", fixedrange=True, nticks=5, showgrid=False)
    return figure


def gap_bars(below: Mapping[str, float], chosen: str) -> go.Figure:
    """How far each family's bound lies below log p(x), nats, the first on top; the chosen one filled."""
    names = list(below)
    values = [below[name] for name in names]
    figure = go.Figure(
        go.Bar(
            x=values,
            y=names,
            orientation="h",
            text=[f"<b>{value:.2f}</b>" if name == chosen else f"{value:.2f}" for name, value in below.items()],
            textposition="outside",
            textfont={"size": LABEL_SIZE},
            cliponaxis=False,
            marker={
                "color": [ACCENT if name == chosen else "rgba(128,136,148,0.38)" for name in names],
                "line": {"color": ACCENT, "width": 1.5},
            },
            hovertemplate="%{y}: %{x:.3f} nats below log p(x)<extra></extra>",
        )
    )
    plain(figure, height=HEIGHT, x="nats below log p(x)")
    figure.update_layout(
        bargap=0.35,
        margin={"l": 132, "t": 40, "r": 12},
        title={
            "text": "<b>what is lost</b>", "font": {"size": LABEL_SIZE + 1}, "x": 0.5, "xanchor": "center", "y": 0.97,
        },
    )  # fmt: skip
    figure.update_xaxes(range=[0, 1.22 * max(*values, 0.1)], fixedrange=True, nticks=5)
    figure.update_yaxes(autorange="reversed", fixedrange=True, ticksuffix="  ")
    return figure


def crowd(codes: np.ndarray, labels: np.ndarray, names: Sequence[str], reach: float) -> go.Figure:
    """Codes [N, 2] with a colour for each class, its name at their middle, and the prior's circles. What lies beyond
    `reach` is not shown; who calls says how many that are."""
    figure = go.Figure()
    for label, name in enumerate(names):
        own = codes[labels == label]
        figure.add_scattergl(
            x=own[:, 0].astype(np.float32), y=own[:, 1].astype(np.float32), mode="markers", hoverinfo="skip",
            marker={"size": 4, "opacity": 0.7, "color": CLASS_COLOURS[label % len(CLASS_COLOURS)]},
        )  # fmt: skip
        middle = np.median(own, axis=0)
        if np.abs(middle).max() < reach:
            figure.add_annotation(
                x=middle[0], y=middle[1], text=f"<b>{name}</b>", showarrow=False, borderpad=2,
                font={"size": LABEL_SIZE + 1}, bgcolor="rgba(128,128,128,0.35)",
            )  # fmt: skip
    angle = np.linspace(0, 2 * np.pi, 73)
    for radius in (1, 2):
        figure.add_scatter(
            x=radius * np.cos(angle), y=radius * np.sin(angle), mode="lines", hoverinfo="skip",
            line={"color": INACTIVE, "width": 2, "dash": "dot"},
        )  # fmt: skip
        figure.add_annotation(
            x=-0.707 * radius, y=-0.707 * radius, text=f"{radius} sigma", showarrow=False, xanchor="right",
            yanchor="top", font={"size": LABEL_SIZE},
        )  # fmt: skip
    plain(figure, height=360, x="latent 1 (no unit)", y="latent 2 (no unit)")
    figure.update_layout(showlegend=False, margin={"t": 8, "l": 56, "r": 8})
    figure.update_xaxes(range=[-reach, reach], constrain="domain", fixedrange=True, nticks=5)
    figure.update_yaxes(range=[-reach, reach], scaleanchor="x", constrain="domain", fixedrange=True, nticks=5)
    return figure
