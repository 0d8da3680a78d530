"""Figures and cards of clusters: arrays in, Plotly or HTML out. No Streamlit, no models."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from ui.addresses import png_address
from ui.figures import INACTIVE, LABEL_SIZE, cloud, plain
from ui.palette import CLASS_COLOURS

HEIGHT = 420  # of the curves
MAP_HEIGHT = 380
# Cividis without its middle, on which no ink is legible: a cell is bright that holds most of its cluster.
HALVES = [[0, "#00224e"], [0.5, "#575d6d"], [0.5, "#cbba69"], [1, "#fee838"]]
TOP, BOTTOM = (0.58, 1.0), (0.0, 0.42)  # the two panels, as shares of the height


@dataclass(frozen=True)
class Series:
    """What one set of points scores at each number of clusters that is known."""

    name: str
    colour: str
    k: Sequence[int]
    silhouette: Sequence[float]
    ari: Sequence[float]
    nmi: Sequence[float]


def score_curves(series: Sequence[Series], today: int, reach: int, *, revealed: bool) -> go.Figure:
    """Silhouette above, agreement with the labels below, against the number of clusters 2..reach; a line at today's
    k. The lower panel stays empty until the labels are revealed."""
    figure = go.Figure()
    for each in series:
        _curve(figure, each, each.silhouette, "silhouette", "y", "solid", legend=True)
        if revealed:
            _curve(figure, each, each.ari, "ARI", "y2", "solid")
            _curve(figure, each, each.nmi, "NMI", "y2", "dot")
    figure.add_scatter(x=[None], y=[None], yaxis="y2", showlegend=False)  # else the lower panel were not there yet
    plain(figure, height=HEIGHT)
    _panel_title(figure, "<b>Silhouette</b>: needs no labels", TOP[1])
    _panel_title(
        figure, "<b>Agreement</b>: ARI —, NMI ····" if revealed else "<b>Agreement with the labels</b>", BOTTOM[1]
    )
    if not revealed:
        figure.add_annotation(
            x=0.5, y=0.21, xref="paper", yref="paper", showarrow=False, font={"size": LABEL_SIZE},
            text="Hidden, until you reveal the labels.",
        )  # fmt: skip
    for low, high in (TOP, BOTTOM) if revealed else (TOP,):  # not through the words between the panels
        figure.add_shape(
            type="line", x0=today, x1=today, y0=low, y1=high, yref="paper", line={"color": INACTIVE, "width": 1.5}
        )
    figure.update_layout(
        yaxis={"domain": list(TOP), "fixedrange": True, "rangemode": "tozero"},
        yaxis2={
            "domain": list(BOTTOM),
            "fixedrange": True,
            "range": [0, 1.02],
            "tickfont": {"size": LABEL_SIZE},
            "tickvals": [0, 0.5, 1],
        },
        margin={"l": 52, "r": 12, "t": 56, "b": 52},
        legend={"y": 1.09, "yanchor": "bottom"},
        hovermode="x",
    )
    step = 2 if reach <= 20 else 5
    figure.update_xaxes(
        title_text="number of clusters, k", range=[1.6, reach + 0.4], tickvals=list(range(2, reach + 1, step)),
        showgrid=False, fixedrange=True, anchor="y2",
    )  # fmt: skip
    return figure


def _curve(
    figure: go.Figure, each: Series, values: Sequence[float], what: str, axis: str, dash: str, legend: bool = False
) -> None:
    figure.add_scatter(
        x=list(each.k),
        y=list(values),
        yaxis=axis,
        name=each.name,
        mode="lines+markers",
        line={"color": each.colour, "width": 2.5, "dash": dash},
        marker={"color": each.colour, "size": 6},
        cliponaxis=False,
        showlegend=legend,
        hovertemplate=f"{what} %{{y:.2f}}<extra>{each.name}</extra>",
    )


def _panel_title(figure: go.Figure, text: str, top: float) -> None:
    figure.add_annotation(
        x=0, y=top, xref="paper", yref="paper", xanchor="left", yanchor="bottom", yshift=4, showarrow=False,
        text=text, font={"size": LABEL_SIZE},
    )  # fmt: skip


def group_map(points: np.ndarray, groups: np.ndarray, names: Sequence[str], *, axis: str) -> go.Figure:
    """Points [N, 2] of a projection in the colours of their groups [N], the names at their middles: a smaller
    `cloud`."""
    figure = cloud(points, groups, names, axis=axis)
    figure.update_layout(height=MAP_HEIGHT, margin={"l": 52, "r": 8, "t": 8})
    figure.update_traces(marker={"size": 4})
    return figure


def letter(cluster: int) -> str:
    """The name of a cluster, the largest is A."""
    return chr(ord("A") + cluster)


def contingency_heat(table: np.ndarray, classes: Sequence[str]) -> go.Figure:
    """Images of each label in each cluster, [K, L] counts written in; the colour is the share of the cluster."""
    sizes = table.sum(axis=1)
    figure = go.Figure(
        go.Heatmap(
            z=table / np.maximum(1, sizes)[:, None],
            x=[name.replace(" ", "<br>") for name in classes],
            y=[letter(i) for i in range(len(table))],
            text=[[str(count) if count else "" for count in row] for row in table],
            texttemplate="%{text}",
            textfont={"size": LABEL_SIZE},
            zmin=0,
            zmax=1,
            colorscale=HALVES,
            xgap=2,
            ygap=2,
            showscale=False,  # every cell carries its number
            customdata=table,
            hovertemplate="cluster %{y}, label %{x}: %{customdata} images, %{z:.0%} of the cluster<extra></extra>",
        )
    )
    plain(figure, height=96 + 30 * max(4, len(table)), y="cluster")
    figure.update_xaxes(side="top", showgrid=False, tickangle=0, type="category", fixedrange=True)
    figure.update_yaxes(autorange="reversed", showgrid=False, fixedrange=True)
    figure.update_layout(margin={"l": 48, "r": 8, "t": 60, "b": 12})
    return figure


@dataclass(frozen=True)
class Measured:
    """Seconds of one fit against the number of points, and the law that they follow."""

    name: str
    colour: str
    points: Sequence[int]
    seconds: Sequence[float]
    power: float | None = None  # of the law behind them; None before there is one
    later: Sequence[tuple[float, float]] = ()  # (points, seconds) by that law, beyond what was measured


def cost_lines(measured: Sequence[Measured], reach: tuple[int, int]) -> go.Figure:
    """Seconds against points, both axes logarithmic, so that a power law is straight and its exponent the slope;
    dashed on to the end of `reach`."""
    figure = go.Figure()
    for each in measured:
        figure.add_scatter(
            x=list(each.points), y=list(each.seconds), name=each.name, mode="lines+markers",
            line={"color": each.colour, "width": 2.5}, marker={"color": each.colour, "size": 9}, cliponaxis=False,
            hovertemplate="%{x:,} images: %{y:.3g} s<extra>" + each.name + "</extra>",
        )  # fmt: skip
        if each.power is not None:
            figure.add_scatter(
                x=[n for n, _ in each.later], y=[seconds for _, seconds in each.later], mode="lines",
                line={"color": each.colour, "width": 1.5, "dash": "dash"}, showlegend=False, hoverinfo="skip",
            )  # fmt: skip
            figure.add_annotation(
                x=np.log10(each.points[-1]), y=np.log10(each.seconds[-1]), text=f"<b>n<sup>{each.power:.2f}</sup></b>",
                showarrow=False, xanchor="left", yanchor="top", xshift=10, yshift=-4,
                font={"size": LABEL_SIZE + 4, "color": each.colour},
            )  # fmt: skip
    plain(figure, height=420, x="images, n", y="processor seconds for one fit")
    figure.update_xaxes(
        type="log", range=[np.log10(reach[0] / 1.2), np.log10(reach[1] * 1.5)], fixedrange=True,
        tickvals=[250, 1000, 4000, 16000, 64000], tickformat=",",
    )  # fmt: skip
    tens = [10.0**i for i in range(-5, 4)]
    figure.update_yaxes(type="log", fixedrange=True, tickvals=tens, ticktext=[f"{each:g}" for each in tens])
    if not any(each.points for each in measured):
        figure.update_yaxes(range=[-3, 1.2])
        figure.add_annotation(
            x=0.5, y=0.5, xref="paper", yref="paper", showarrow=False, font={"size": LABEL_SIZE},
            text="Nothing has been measured yet.",
        )  # fmt: skip
        figure.add_scatter(x=[None], y=[None], showlegend=False)  # without any trace there would be no axes
    return figure


@dataclass(frozen=True)
class Card:
    """What is shown of one cluster: pictures as PNG files, and words."""

    mean: bytes
    members: bytes
    size: int
    word: str | None  # its most frequent label; None while the labels are hidden
    share: float
    hue: int  # number of that label, for its colour


STYLE = """<style>
.clusters {display: grid; grid-template-columns: repeat(auto-fill, minmax(124px, 1fr)); gap: 10px 12px;}
.clusters figure {margin: 0; min-width: 0;}
.clusters img {display: block; width: 100%; image-rendering: pixelated; border: 1px solid rgba(128,128,128,.45);}
.clusters img + img {border-top: 0;}
.clusters figcaption {font-size: 15px; line-height: 1.3; padding-top: 2px; font-variant-numeric: tabular-nums;
  overflow-wrap: anywhere;}
.clusters i {display: inline-block; width: .7em; height: .7em; border-radius: 50%; margin-right: .3em;}
.st-key-scores_said {min-height: 6.5rem;}
@media (max-width: 640px) {.clusters {grid-template-columns: repeat(4, 1fr); gap: 10px 8px;}
  .clusters figcaption {font-size: 14px;}}
</style>"""


def cluster_cards(cards: Sequence[Card]) -> str:
    """A card for each cluster: its mean picture, six members below, its size, and its label once that is known."""
    return STYLE + f'<div class="clusters" data-testid="clusters">{"".join(map(_card, range(len(cards)), cards))}</div>'


def _card(number: int, card: Card) -> str:
    name = letter(number)
    told = "<b>?</b>"
    if card.word is not None:
        dot = f'<i style="background:{CLASS_COLOURS[card.hue % len(CLASS_COLOURS)]}"></i>'
        told = f"{dot}<b>{html.escape(card.word)}</b> {100 * card.share:.0f}&nbsp;%"
    return (
        f'<figure><img src="{png_address(card.mean)}" alt="mean picture of cluster {name}">'
        f'<img src="{png_address(card.members)}" alt="six images of cluster {name}">'
        f"<figcaption>{name}: {card.size:,}<br>{told}</figcaption></figure>"
    )
