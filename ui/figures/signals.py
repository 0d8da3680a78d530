"""The figures of the lesson on anomalies in signals: arrays in, Plotly figures out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from ui.figures import INACTIVE, LABEL_SIZE, plain
from ui.palette import ROLE_COLOURS, RUN_COLOURS

NORMAL_COLOUR, STRANGE_COLOUR = RUN_COLOURS[0], RUN_COLOURS[3]  # the second is too near to the network's own
NETWORK_COLOUR = ROLE_COLOURS["autoencoder"]
METHOD_LOOKS = {  # colour, dash, symbol
    "network": (NETWORK_COLOUR, "solid", "square"),
    "pca": (RUN_COLOURS[2], "dash", "circle"),
    "mean": (INACTIVE, "dot", "x"),
}
ERROR_FILL = "rgba(217, 102, 11, 0.30)"  # the network's colour, thinned
MOST_BARS, BEYOND = 48, 0.995  # of a heap of scores; the share of them that its axis holds
LONGEST = 16  # letters of a name on one line


def beat_figure(
    values: np.ndarray, rebuilt: np.ndarray, *, unit: str, noun: str = "beat", height: int = 320
) -> go.Figure:
    """A signal [L] and what the network rebuilds of it, the gap between both shaded; under it the error along time."""
    time = np.arange(len(values))
    figure = go.Figure()
    figure.add_scatter(x=time, y=rebuilt, mode="lines", line={"width": 0}, hoverinfo="skip", showlegend=False)
    figure.add_scatter(
        x=time, y=values, mode="lines", fill="tonexty", fillcolor=ERROR_FILL, line={"width": 0}, hoverinfo="skip",
        showlegend=False,
    )  # fmt: skip
    for name, line, colour, dash in (
        (f"the {noun}", values, INACTIVE, "solid"), ("what the network rebuilds", rebuilt, NETWORK_COLOUR, "dash"),
    ):  # fmt: skip
        figure.add_scatter(
            x=time, y=line, mode="lines", name=name, line={"width": 3, "color": colour, "dash": dash},
            hovertemplate="sample %{x}: %{y:.3g}<extra>" + name + "</extra>",
        )  # fmt: skip
    figure.add_scatter(
        x=time, y=np.abs(values - rebuilt), mode="lines", fill="tozeroy", fillcolor=ERROR_FILL, yaxis="y2",
        line={"width": 1.5, "color": NETWORK_COLOUR}, showlegend=False,
        hovertemplate="sample %{x}: off by %{y:.3g}<extra></extra>",
    )  # fmt: skip
    plain(figure, height=height, x="sample")
    title = {"font": {"size": LABEL_SIZE}}
    ticks = {"tickfont": {"size": LABEL_SIZE}, "zeroline": False, "fixedrange": True}
    most = float(np.abs(values - rebuilt).max())
    figure.update_layout(
        margin={"t": 40, "b": 48},
        xaxis={"anchor": "y2", "range": [0, len(values) - 1], "fixedrange": True, "showgrid": False},
        yaxis={"domain": [0.33, 1], "title": {**title, "text": unit}, **ticks},
        yaxis2={
            "domain": [0, 0.24], "title": {**title, "text": "off by"}, "range": [0, max(1.1 * most, 1e-9)],
            "nticks": 3, **ticks,
        },
    )  # fmt: skip
    return figure


def class_lines(
    means: Sequence[np.ndarray], lows: Sequence[np.ndarray], highs: Sequence[np.ndarray], names: Sequence[str],
    strange: Sequence[bool], *, unit: str,
) -> go.Figure:  # fmt: skip
    """The mean [L] of each class, side by side, and in the shade where most of its signals run."""
    figure = go.Figure()
    width = 1 / len(names)
    for place, (mean, low, high, name, odd) in enumerate(zip(means, lows, highs, names, strange, strict=True)):
        axis = "" if place == 0 else str(place + 1)
        title = name.replace(" ", "<br>", 1) if len(names) > 1 else name
        time, colour = np.arange(len(mean)), STRANGE_COLOUR if odd else NORMAL_COLOUR
        look = {"xaxis": f"x{axis}", "mode": "lines", "showlegend": False, "hoverinfo": "skip"}
        figure.add_scatter(x=time, y=low, line={"width": 0}, **look)
        figure.add_scatter(x=time, y=high, line={"width": 0}, fill="tonexty", fillcolor="rgba(134,141,151,.3)", **look)
        figure.add_scatter(x=time, y=mean, line={"width": 3, "color": colour}, **look)
        figure.add_annotation(
            x=(place + 0.46) * width, y=1.02, xref="paper", yref="paper", yanchor="bottom", showarrow=False,
            xanchor="center", text=f"<b>{title}</b>", font={"size": LABEL_SIZE},
        )  # fmt: skip
        figure.update_layout(
            {f"xaxis{axis}": {"domain": [place * width, (place + 0.92) * width], "range": [0, len(mean) - 1]}}
        )
    plain(figure, height=360, x="sample", y=unit)
    figure.update_xaxes(nticks=4, showgrid=False, fixedrange=True)
    figure.update_yaxes(fixedrange=True)
    figure.update_layout(margin={"t": 56})
    return figure


def score_heap(scores: np.ndarray, training: np.ndarray | None, threshold: float, *, unit: str) -> go.Figure:
    """How many signals have which score, beside those trained on, where they are others; a line at the threshold."""
    figure = go.Figure()
    groups = [("scored", scores, STRANGE_COLOUR)]
    if training is not None:
        groups.append(("trained on", training, NORMAL_COLOUR))
    low = float(min(values.min() for _, values, _ in groups))
    high = float(max(threshold, *(np.quantile(values, BEYOND) for _, values, _ in groups)))
    edges = np.linspace(low, max(1.02 * high, low + 1e-9), MOST_BARS + 1)
    low, high = edges[0], edges[-1]  # the last bar stands for all that lies beyond
    for name, values, colour in groups:
        counts = np.histogram(values.clip(low, high), edges)[0]
        figure.add_bar(
            x=(edges[:-1] + edges[1:]) / 2, y=counts, name=name, marker_color=colour, opacity=0.65,
            width=edges[1] - edges[0], hovertemplate="%{x:.3g}: %{y} signals<extra>" + name + "</extra>",
        )  # fmt: skip
    plain(figure, height=360, x=f"root mean squared error, {unit}", y="signals")
    figure.update_layout(barmode="overlay", bargap=0, margin={"t": 48})
    figure.add_vline(x=threshold, line={"width": 2.5, "color": INACTIVE})
    figure.add_annotation(
        x=threshold, y=1, yref="paper", text="threshold", showarrow=False, xanchor="left", yanchor="top", xshift=6,
        font={"size": LABEL_SIZE},
    )  # fmt: skip
    figure.update_xaxes(fixedrange=True)
    figure.update_yaxes(fixedrange=True)
    return figure


def in_two_lines(name: str) -> str:
    """A name broken at the space that is nearest to its middle, if it has one."""
    spaces = [place for place, letter in enumerate(name) if letter == " "]
    if not spaces:
        return name
    place = min(spaces, key=lambda each: abs(each - len(name) / 2))
    return f"{name[:place]}<br>{name[place + 1 :]}"


def kind_bars(
    names: Sequence[str], shares: Sequence[float], texts: Sequence[str], under: Sequence[str], odd: Sequence[bool]
) -> go.Figure:
    """The share of each class that raises an alarm, the first one on top, with a text at each bar's end, and one
    under each name."""
    names = [in_two_lines(name) if len(name) > LONGEST else name for name in names]
    names = [f"{name}<br>{text}" if text else name for name, text in zip(names, under, strict=True)]
    figure = go.Figure()
    figure.add_bar(
        x=list(shares), y=list(names), orientation="h", text=list(texts), textposition="outside", cliponaxis=False,
        textfont={"size": LABEL_SIZE}, marker_color=[STRANGE_COLOUR if each else NORMAL_COLOUR for each in odd],
        hovertemplate="%{y}: %{x:.1%}<extra></extra>",
    )  # fmt: skip
    plain(figure, height=88 + 62 * len(names), x="share that raises an alarm")
    figure.update_layout(bargap=0.35, showlegend=False)
    figure.update_xaxes(range=[0, 2.1], tickvals=[0, 0.5, 1], tickformat=".0%", fixedrange=True)
    figure.update_yaxes(categoryorder="array", categoryarray=list(names)[::-1], automargin=True, fixedrange=True)
    return figure


def area_curves(
    latents: Sequence[int], network: Sequence[Sequence[float]], pca: Sequence[float], mean: float,
    today: tuple[int, float] | None,
) -> go.Figure:  # fmt: skip
    """AUROC over the number of latents: the network (mean, and its range over seeds [latents][seeds]), PCA with as
    many components, and the mean signal, which has none; what was trained here as a star."""
    figure = go.Figure()
    middle = [float(np.mean(each)) for each in network]
    up, down = [max(each) for each in network] - np.array(middle), np.array(middle) - [min(each) for each in network]
    colour, dash, symbol = METHOD_LOOKS["network"]
    figure.add_scatter(
        x=list(latents), y=middle, name="autoencoder", mode="lines+markers",
        error_y={"type": "data", "symmetric": False, "array": up, "arrayminus": down, "thickness": 2},
        line={"color": colour, "width": 3, "dash": dash}, marker={"size": 9, "symbol": symbol, "color": colour},
        hovertemplate="%{x} latents: %{y:.3f}<extra>autoencoder</extra>",
    )  # fmt: skip
    for name, title, values in (("pca", "PCA", list(pca)), ("mean", "mean signal", [mean] * len(latents))):
        colour, dash, symbol = METHOD_LOOKS[name]
        figure.add_scatter(
            x=list(latents), y=values, name=title, mode="lines+markers" if name == "pca" else "lines",
            line={"color": colour, "width": 3, "dash": dash}, marker={"size": 9, "symbol": symbol, "color": colour},
            hovertemplate="%{x}: %{y:.3f}<extra>" + title + "</extra>",
        )  # fmt: skip
    if today is not None:
        figure.add_scatter(
            x=[today[0]], y=[today[1]], name="trained here", mode="markers",
            marker={"size": 17, "symbol": "star", "color": NETWORK_COLOUR, "line": {"width": 1, "color": "#ffffff"}},
            hovertemplate="%{x} latents: %{y:.3f}<extra>trained here</extra>",
        )  # fmt: skip
    plain(figure, height=380, x="latents, and components of PCA", y="AUROC")
    every = [*middle, *pca, mean] + ([today[1]] if today else [])
    room = 0.1 * (1 - min(every)) + 1e-3
    figure.update_xaxes(type="log", tickvals=list(latents), ticktext=list(map(str, latents)), fixedrange=True)
    figure.update_yaxes(range=[min(every) - room, 1 + 0.3 * room], fixedrange=True)
    figure.update_layout(margin={"t": 48})
    return figure
