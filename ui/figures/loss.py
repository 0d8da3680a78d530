"""The figures of the lesson on the loss: arrays in, Plotly figures out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go

from ui.figures import INACTIVE, LABEL_SIZE, plain
from ui.palette import ACCENT, CLASS_COLOURS, RUN_COLOURS

ERROR, KL = ACCENT, RUN_COLOURS[1]
CLASSES = [(place / 9, colour) for place, colour in enumerate(CLASS_COLOURS[:10])]
BAND = "rgba(128,136,148,0.25)"
DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
GAPS = (0, 10, 100, 1000, 10_000, 100_000)


def dial(
    numbers: Sequence[tuple[str, str, str]], gaps: Sequence[float], errors: Sequence[float], kls: Sequence[float],
    today: int, learned: int,
) -> go.Figure:  # fmt: skip
    """Every model of the dial from left to right, named by C, beta and sigma. Above: by how many nats its ELBO falls
    short of the best; below, each on a scale of its own: its squared error and its KL. A band stands behind today's."""
    places = list(range(len(numbers)))
    figure = go.Figure()
    figure.add_scatter(
        x=places, y=np.log10(1 + np.asarray(gaps)), mode="lines+markers", customdata=list(gaps), showlegend=False,
        line={"color": INACTIVE, "width": 2}, cliponaxis=False,
        marker={"size": [15 if place == learned else 10 for place in places],
                "color": [RUN_COLOURS[2] if place == learned else INACTIVE for place in places],
                "symbol": ["diamond" if place == learned else "circle" for place in places]},
        hovertemplate="%{customdata:,.0f} nats below the best ELBO<extra></extra>",
    )  # fmt: skip
    bars = (("squared error, summed over pixels", errors, ERROR, "y2"), ("KL, nats per image", kls, KL, "y3"))
    for name, values, colour, axis in bars:
        figure.add_bar(
            x=places, y=list(values), name=name, yaxis=axis, marker_color=colour, text=[_bar(v) for v in values],
            textposition="outside", textfont={"size": LABEL_SIZE - 1}, textangle=0, constraintext="none",
            cliponaxis=False, hovertemplate=f"{name}: %{{y:.2f}}<extra></extra>",
        )  # fmt: skip
    plain(figure, height=452)
    figure.add_shape(
        type="rect", x0=today - 0.5, x1=today + 0.5, y0=0, y1=1, yref="paper", fillcolor=BAND, line_width=0,
        layer="below",
    )  # fmt: skip
    figure.add_annotation(
        x=learned, y=0, ax=0, ay=-34, text="<b>learned</b>", font={"size": LABEL_SIZE, "color": RUN_COLOURS[2]},
        arrowcolor="rgba(0,0,0,0)",
    )  # fmt: skip
    for line, name in enumerate(("C", "β", "\u03c3")):
        figure.add_annotation(
            x=0, xref="paper", xanchor="right", xshift=-6, y=0, yref="paper", yanchor="top", yshift=-9 - 18.2 * line,
            text=f"<b>{name}</b>", showarrow=False, font={"size": LABEL_SIZE},
        )  # fmt: skip
    ticks = [each for each in GAPS if each <= 3 * max(gaps)]
    bare = {"showgrid": False, "fixedrange": True, "showticklabels": False}
    figure.update_layout(
        margin={"t": 34, "b": 66, "l": 66}, bargap=0.4, showlegend=False,
        xaxis={"tickvals": places, "ticktext": ["<br>".join(each) for each in numbers], "tickangle": 0,
               "range": [-0.55, len(places) - 0.45], "showgrid": False, "fixedrange": True, "anchor": "y3"},
        yaxis={"domain": [0.72, 1], "tickvals": np.log10(1 + np.asarray(ticks)).tolist(), "fixedrange": True,
               "ticktext": [f"{each:,}" for each in ticks], "rangemode": "tozero", "automargin": False},
        yaxis2={"domain": [0.36, 0.56], "range": [0, max(errors)], **bare},
        yaxis3={"domain": [0, 0.2], "range": [0, max(kls)], **bare},
    )  # fmt: skip
    titles = ((1, "nats below the best ELBO (log)", 4), (0.56, bars[0][0], 22), (0.2, bars[1][0], 22))
    for top, name, above in titles:
        figure.add_annotation(
            x=0, xref="paper", xanchor="left", y=top, yref="paper", yanchor="bottom", showarrow=False, yshift=above,
            text=name, font={"size": LABEL_SIZE},
        )  # fmt: skip
    return figure


def _bar(value: float) -> str:
    return f"{value:.0f}" if value >= 9.95 else f"{value:.1f}"


class Line(NamedTuple):
    """One likelihood over the prediction of a pixel."""

    name: str
    cost: np.ndarray  # [N] nats
    pull: np.ndarray  # [N], without its sign


def pixel_costs(prediction: np.ndarray, lines: Sequence[Line], grey: float, colours: Sequence[str]) -> go.Figure:
    """What each likelihood charges for one pixel over its prediction [N]; the lowest place of each in a ring, which is
    at the pixel's own grey."""
    figure = go.Figure()
    for line, colour, dash in zip(lines, colours, DASHES, strict=False):
        figure.add_scatter(
            x=prediction, y=line.cost, mode="lines", name=line.name, line={"color": colour, "width": 3, "dash": dash},
            hovertemplate=f"{line.name}<br>prediction %{{x:.2f}}: %{{y:.2f}} nats<extra></extra>",
        )  # fmt: skip
        lowest = int(np.abs(prediction - grey).argmin())  # of every one of them
        figure.add_scatter(
            x=[prediction[lowest]], y=[line.cost[lowest]], mode="markers", showlegend=False, hoverinfo="skip",
            marker={"color": colour, "size": 12, "symbol": "circle-open", "line": {"width": 3}},
        )  # fmt: skip
    _over_prediction(figure, grey, "cost of the pixel, nats")
    figure.update_yaxes(range=[-2, 6])
    return figure


def pixel_pulls(
    prediction: np.ndarray, lines: Sequence[Line], grey: float, colours: Sequence[str], on: str
) -> go.Figure:  # fmt: skip
    """How hard each likelihood pulls on a prediction [N], on a logarithmic axis."""
    figure = go.Figure()
    for line, colour, dash in zip(lines, colours, DASHES, strict=False):
        figure.add_scatter(
            x=prediction, y=np.maximum(line.pull, 1e-7), mode="lines", name=line.name, showlegend=False,
            line={"color": colour, "width": 3, "dash": dash},
            hovertemplate=f"{line.name}<br>prediction %{{x:.2f}}: pull %{{y:.2g}}<extra></extra>",
        )  # fmt: skip
    _over_prediction(figure, grey, f"pull on the {on} (log)")
    powers = range(-5, 4)
    words = {0: "1", 1: "10", 2: "100", 3: "1,000", -1: "0.1", -2: "0.01", -3: "0.001", -4: "0.0001", -5: "0.00001"}
    figure.update_yaxes(
        type="log", range=[-5, 3.2], tickvals=[10.0**power for power in powers], ticktext=[words[p] for p in powers]
    )
    figure.update_layout(margin={"l": 84})
    return figure


def legend(titles: Sequence[str], colours: Sequence[str]) -> str:
    """The names of the lines for both figures, in HTML."""
    strokes = ("solid", "dashed", "dotted", "dashed", "dashed")
    entries = "".join(
        '<span style="white-space:nowrap"><span style="display:inline-block;width:28px;vertical-align:middle;'
        f'margin-right:7px;border-top:4px {stroke} {colour}"></span>{title}</span>'
        for title, colour, stroke in zip(titles, colours, strokes, strict=True)
    )
    return f'<div style="display:flex;flex-wrap:wrap;gap:4px 22px">{entries}</div>'


def _over_prediction(figure: go.Figure, grey: float, y: str) -> None:
    plain(figure, height=400, x="prediction (0 black, 1 white)", y=y)
    figure.add_vline(x=grey, line={"color": INACTIVE, "width": 1.5, "dash": "dot"})
    figure.update_xaxes(range=[0, 1], fixedrange=True)
    figure.update_yaxes(fixedrange=True)
    figure.update_layout(showlegend=False)


def exact_against_drawn(exact: np.ndarray, drawn: np.ndarray, colour: str) -> go.Figure:
    """The KL of images [N]: by the formula across, from draws upward; on the line both are the same."""
    top = 1.08 * float(exact.max())
    low = min(0.0, float(np.quantile(drawn, 0.01)))
    high = max(top, float(np.quantile(drawn, 0.99)))
    figure = go.Figure()
    figure.add_scatter(
        x=[0, top], y=[0, top], mode="lines", line={"color": INACTIVE, "width": 2}, hoverinfo="skip", showlegend=False
    )
    figure.add_scatter(
        x=exact, y=drawn, mode="markers", marker={"color": colour, "size": 7, "opacity": 0.7}, showlegend=False,
        hovertemplate="formula %{x:.2f}, draws %{y:.2f} nats<extra></extra>",
    )  # fmt: skip
    plain(figure, height=420, x="KL by the formula, nats per image", y="KL from draws, nats per image")
    figure.update_xaxes(range=[0, top], fixedrange=True)
    figure.update_yaxes(range=[low - 0.05 * top, high + 0.05 * top], fixedrange=True)
    return figure


def cloud(mean: np.ndarray, labels: np.ndarray, reach: float, title: str) -> go.Figure:
    """Posterior means [N, 2], coloured by class, in a square of half-side `reach`, with the prior's ring of 2 sigma."""
    figure = go.Figure()
    angle = np.linspace(0, 2 * np.pi, 73)
    figure.add_scatter(
        x=mean[:, 0], y=mean[:, 1], mode="markers", customdata=labels, showlegend=False,
        marker={"size": 5, "opacity": 0.8, "color": labels, "cmin": 0, "cmax": 9, "colorscale": CLASSES},
        hovertemplate="a %{customdata} at (%{x:.1f}, %{y:.1f})<extra></extra>",
    )  # fmt: skip
    figure.add_scatter(
        x=2 * np.cos(angle), y=2 * np.sin(angle), mode="lines", line={"color": INACTIVE, "width": 2.5},
        showlegend=False, hovertemplate="the prior: 2 sigma<extra></extra>",
    )  # fmt: skip
    plain(figure, height=400, x="latent 1 (no unit)", y="latent 2 (no unit)")
    figure.update_layout(title={"text": title, "font": {"size": LABEL_SIZE + 2}}, margin={"t": 44, "l": 56, "r": 8})
    figure.update_xaxes(range=[-reach, reach], constrain="domain", fixedrange=True)
    figure.update_yaxes(range=[-reach, reach], scaleanchor="x", constrain="domain", fixedrange=True)
    return figure


def logvar_bars(
    groups: Sequence[tuple[str, np.ndarray, str]], ends: tuple[float, float], bins: int = 60
) -> go.Figure:  # fmt: skip
    """How the log-variances of posteriors spread, one group of values [n] for each model: name, values, colour."""
    edges = np.linspace(*ends, bins + 1)
    figure = go.Figure()
    for name, values, colour in groups:
        counts, _ = np.histogram(np.clip(values, *ends), edges)
        figure.add_bar(
            x=0.5 * (edges[:-1] + edges[1:]), y=100 * counts / len(values), name=name, marker_color=colour,
            opacity=0.75,
            width=(ends[1] - ends[0]) / bins,
            hovertemplate=f"{name}<br>log-variance %{{x:.1f}}: %{{y:.1f}}%<extra></extra>",
        )  # fmt: skip
    plain(figure, height=400, x="log-variance (0: as wide as the prior)", y="% of values")
    figure.add_vline(x=0, line={"color": INACTIVE, "width": 1.5, "dash": "dot"})
    figure.update_xaxes(range=list(ends), fixedrange=True)
    figure.update_yaxes(rangemode="tozero", fixedrange=True)
    figure.update_layout(barmode="overlay", bargap=0, margin={"t": 44})
    return figure
