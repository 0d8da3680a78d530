"""Arrays in, Plotly figures out. No Streamlit, no models: what is drawn is exactly what was handed over."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import plotly.graph_objects as go

from ui.palette import CLASS_COLOURS

LABEL_SIZE = 14  # pixels; the smallest text in a figure
INACTIVE = "#868d97"  # 3 to 1 on light and on dark paper
PLOT = {"displaylogo": False, "modeBarButtons": [["toImage"]]}  # for st.plotly_chart: save as a picture, no more


def plain(figure: go.Figure, *, height: int, x: str = "", y: str = "") -> go.Figure:
    """The look that every figure shares: named axes, little ink, room for the labels, nothing cut off."""
    layout, letters = figure.layout, {"size": LABEL_SIZE}
    # One by one: through update_layout and update_xaxes the same takes six times as long, and a page has many figures.
    layout.height = height
    layout.margin = {"l": 64, "r": 16, "t": 24, "b": 56}
    layout.font = letters
    layout.hoverlabel = {"font": letters}
    layout.legend = {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "font": letters}
    layout.paper_bgcolor = layout.plot_bgcolor = "rgba(0,0,0,0)"
    layout.dragmode = False  # a finger on a figure scrolls the page
    for axes, name in ((figure.select_xaxes(), x), (figure.select_yaxes(), y)):
        for axis in axes:
            axis.title, axis.tickfont, axis.zeroline = {"text": name, "font": letters}, letters, False
    return figure


def kl_bars(names: Sequence[str], kl: Sequence[float], active: Sequence[bool], colour: str, reach: float) -> go.Figure:
    """A bar of nats for each latent, the first one on top; the inactive ones are hollow and say so.

    `reach` is the largest KL on the axis, so that two figures can share it.
    """
    texts = [f"{nats:.2f}" if on else f"{nats:.2f}  inactive" for nats, on in zip(kl, active, strict=True)]
    figure = go.Figure()
    for on, name in ((True, "active"), (False, "inactive")):
        shown = [i for i, each in enumerate(active) if each == on]
        figure.add_bar(
            x=[kl[i] for i in shown],
            y=[names[i] for i in shown],
            text=[texts[i] for i in shown],
            name=name,
            orientation="h",
            marker_color=colour if on else "rgba(0,0,0,0)",
            marker_line={"color": colour if on else INACTIVE, "width": 2},
            textposition="outside",
            textfont={"size": LABEL_SIZE},
            cliponaxis=False,
            hovertemplate="%{y}: %{x:.3f} nats<extra></extra>",
        )
    plain(figure, height=96 + 30 * max(len(names), 4), x="KL to the prior, nats per image")
    figure.update_layout(bargap=0.35, barmode="overlay", showlegend=False)
    figure.update_xaxes(range=[0, 1.35 * max(reach, 0.1)], rangemode="tozero")
    figure.update_yaxes(categoryorder="array", categoryarray=list(names)[::-1])
    return figure


def trade_off(
    kl: Sequence[float],
    recon: Sequence[float],
    names: Sequence[str],
    today: Sequence[str],
    colour: str,
    recon_name: str,
    *,
    apart: Sequence[str] = (),
) -> go.Figure:
    """Reconstruction against KL, a point for each model, joined in order but for those `apart`: these are squares that
    tell their names when pointed at. Those of `today` in a ring."""
    figure = go.Figure()
    for joined in (True, False):
        own = [i for i, name in enumerate(names) if (name not in apart) == joined]
        figure.add_scatter(
            x=[kl[i] for i in own],
            y=[recon[i] for i in own],
            text=[names[i] if joined and names[i] not in today else "" for i in own],
            customdata=[[names[i], kl[i] + recon[i]] for i in own],
            mode="lines+markers+text" if joined else "markers+text",
            textposition="top right",
            textfont={"size": LABEL_SIZE},
            line={"color": colour, "width": 2},
            marker={"color": colour, "size": 10, "symbol": "circle" if joined else "square"},
            cliponaxis=False,
            hovertemplate="%{customdata[0]}<br>KL %{x:.1f}, reconstruction %{y:.1f}<br>"
            "\u2212ELBO %{customdata[1]:.1f} nats<extra></extra>",
            showlegend=False,
        )
    rings = [i for i, name in enumerate(names) if name in today]
    figure.add_scatter(
        x=[kl[i] for i in rings],
        y=[recon[i] for i in rings],
        text=[f"<b>{names[i]}</b>" for i in rings],
        mode="markers+text",
        textposition="top right",
        textfont={"size": LABEL_SIZE},
        marker={"color": colour, "size": 22, "symbol": "circle-open", "line": {"width": 3}},
        cliponaxis=False,
        hoverinfo="skip",
        showlegend=False,
    )
    plain(figure, height=396, x="KL to the prior, nats per image", y=f"reconstruction ({recon_name}), nats per image")
    low, high = min(kl), max(kl)
    room = max(high - low, 1.0)
    figure.update_xaxes(range=[max(0.0, low - 0.12 * room) if low > 0.12 * room else 0, high + 0.28 * room])
    return figure


def factor_heat(share: np.ndarray, latents: Sequence[str], factors: Sequence[str]) -> go.Figure:
    """What each latent tells of each factor, [Z, F] in [0, 1], the first latent on top, the numbers written in."""
    figure = go.Figure(
        go.Heatmap(
            z=share,
            x=[factor.removeprefix("position ") for factor in factors],  # five heads beside each other on a phone
            y=list(latents),
            zmin=0,
            zmax=1,
            colorscale="Cividis",
            texttemplate="%{z:.2f}",
            textfont={"size": LABEL_SIZE},
            xgap=3,
            ygap=3,
            showscale=False,  # every cell carries its number
            hovertemplate="%{y} tells %{z:.2f} of %{x}<extra></extra>",
        )
    )
    plain(figure, height=72 + 34 * len(latents))
    figure.update_xaxes(side="top", showgrid=False, tickangle=0)
    figure.update_yaxes(autorange="reversed", showgrid=False, automargin=False)
    figure.update_layout(margin={"l": 48, "r": 4, "t": 56, "b": 16})
    return figure


def scores(
    names: Sequence[str],
    means: Sequence[float],
    spreads: Sequence[float],
    errors: Sequence[float],
    colours: Sequence[str],
    *,
    x: str,
    of_data: float | None,
) -> go.Figure:
    """One score of several models, the first on top: the mean with one standard deviation (thin) and 1.96
    standard errors (thick). The dashed line is what held-out images themselves reach."""
    figure = go.Figure()
    for row, (name, mean, spread, error, colour) in enumerate(zip(names, means, spreads, errors, colours, strict=True)):
        for width, half in ((1.5, spread), (6, 1.96 * error)):
            figure.add_scatter(
                x=[mean],
                y=[row],
                mode="markers",
                marker={"color": colour, "size": 11},
                error_x={"type": "data", "array": [half], "thickness": width, "width": 0, "color": colour},
                hovertemplate=f"{name}: {mean:.3f} ± {spread:.3f}<extra></extra>",
                showlegend=False,
            )
    plain(figure, height=112 + 38 * len(names), x=x)
    figure.update_layout(margin={"t": 52})  # so that a label stands below the tool bar
    if of_data is not None:
        figure.add_vline(x=of_data, line={"dash": "dash", "width": 2, "color": INACTIVE})
        place = {"x": of_data, "y": 1, "yref": "paper", "yanchor": "bottom", "xanchor": "auto"}
        figure.add_annotation(**place, text="the data itself", showarrow=False, font={"size": LABEL_SIZE})
    rows = list(range(len(names)))
    figure.update_yaxes(tickvals=rows, ticktext=list(names), range=[len(names) - 0.5, -0.5])
    return figure


def cloud(points: np.ndarray, labels: np.ndarray, names: Sequence[str], *, axis: str) -> go.Figure:
    """Points [N, 2] of a projection, a colour for each class and its name at the middle of its points."""
    figure = go.Figure()
    for label, name in enumerate(names):
        own = points[labels == label]
        if len(own) == 0:
            continue
        figure.add_scattergl(
            x=own[:, 0], y=own[:, 1], mode="markers", name=name, hovertemplate=f"{name}<extra></extra>",
            marker={"size": 5, "opacity": 0.75, "color": CLASS_COLOURS[label % len(CLASS_COLOURS)]},
        )  # fmt: skip
        middle = np.median(own, axis=0)
        figure.add_annotation(
            x=middle[0], y=middle[1], text=f"<b>{name}</b>", showarrow=False, borderpad=2,
            font={"size": LABEL_SIZE + 2}, bgcolor="rgba(128,128,128,0.35)",  # for light and dark paper
        )  # fmt: skip
    plain(figure, height=520, x=f"{axis} 1 (no unit)", y=f"{axis} 2 (no unit)")
    figure.update_layout(showlegend=False)
    figure.update_yaxes(scaleanchor="x", scaleratio=1)
    return figure


def step_lines(names: Sequence[str], changes: Sequence[np.ndarray], colours: Sequence[str], t: float) -> go.Figure:
    """How much each film's picture changes at each step [T - 1] of a path from t = 0 to 1; a line at today's t."""
    figure = go.Figure()
    for name, values, colour in zip(names, changes, colours, strict=True):
        figure.add_scatter(
            x=(np.arange(len(values)) + 0.5) / len(values),
            y=values,
            name=name,
            mode="lines",
            line={"color": colour, "width": 2.5, "shape": "hvh"},
            hovertemplate="%{y:.2f}<extra>" + name + "</extra>",
        )
    plain(figure, height=360, x="position on the path, t", y="change per step, L2 of the pixels")
    mark_position(figure, t)
    figure.update_xaxes(range=[0, 1], fixedrange=True, showgrid=False)
    figure.update_yaxes(rangemode="tozero", fixedrange=True)
    figure.update_layout(showlegend=False, hovermode="x")
    return figure


def opinion_lines(
    names: Sequence[str],
    confidence: Sequence[np.ndarray],
    seen: Sequence[np.ndarray],
    colours: Sequence[str],
    classes: Sequence[str],
    threshold: float,
    t: float,
) -> go.Figure:
    """A classifier's largest probability [T] along each film, and under it the class that it sees [T]: a coloured
    stretch while it is surer than the threshold, an empty one where it sees no class with confidence."""
    figure = go.Figure()
    for row, (name, sure, winner, colour) in enumerate(zip(names, confidence, seen, colours, strict=True)):
        positions = np.linspace(0, 1, len(sure))
        figure.add_scatter(
            x=positions,
            y=sure,
            mode="lines",
            line={"color": colour, "width": 2.5},
            text=[classes[index] for index in winner],
            hovertemplate="%{text}: %{y:.2f}<extra>" + name + "</extra>",
        )
        for label, start, end in stretches(np.where(sure >= threshold, winner, -1)):
            width = (end - start) / len(sure)
            figure.add_bar(
                base=[start / len(sure)],
                x=[width],
                y=[row],
                orientation="h",
                yaxis="y2",
                width=0.72,
                text=[classes[label] if label >= 0 and width > 0.03 * len(classes[label]) else ""],
                textposition="inside",
                insidetextanchor="middle",
                insidetextfont={"size": LABEL_SIZE, "color": written_on(label)},
                textangle=0,
                marker={
                    "color": CLASS_COLOURS[label % len(CLASS_COLOURS)] if label >= 0 else "rgba(0,0,0,0)",
                    "line": {"width": 1, "color": INACTIVE},
                },
                hovertemplate=f"{classes[label] if label >= 0 else 'no class with confidence'}<extra>{name}</extra>",
            )
    plain(figure, height=360, x="position on the path, t", y="largest probability")
    mark_position(figure, t)
    figure.add_hline(y=threshold, line={"color": INACTIVE, "width": 1.5, "dash": "dash"})
    figure.update_xaxes(range=[0, 1], fixedrange=True, showgrid=False, anchor="y2")
    figure.update_layout(
        showlegend=False,
        barmode="overlay",
        yaxis={"domain": [0.42, 1], "range": [0, 1.03], "fixedrange": True},
        yaxis2={
            "domain": [0, 0.34],
            "range": [len(names) - 0.5, -0.5],
            "tickvals": list(range(len(names))),
            "ticktext": [f"<span style='color:{colour}'>■</span>" for colour in colours],
            "tickfont": {"size": LABEL_SIZE + 4},
            "showgrid": False,
            "fixedrange": True,
        },
    )
    return figure


def loss_curve(
    trained: tuple[Sequence[float], Sequence[float]],
    held_out: tuple[Sequence[float], Sequence[float]],
    colour: str,
    *,
    y: str,
    epochs: int,
) -> go.Figure:
    """One term of a loss over the epochs of a training, as (epochs, nats per image): the training batches as a line,
    the evaluations of all held-out images as points. The axis fits what comes after the first steep fall."""
    figure = go.Figure()
    x, values = thinned(np.asarray(trained[0]), np.asarray(trained[1]))
    figure.add_scatter(
        x=x, y=values, mode="lines", name="training", line={"color": colour, "width": 2}, opacity=0.75,
        hovertemplate="training, epoch %{x:.1f}: %{y:.2f}<extra></extra>",
    )  # fmt: skip
    figure.add_scatter(
        x=list(held_out[0]), y=list(held_out[1]), mode="markers", name="held out", cliponaxis=False,
        marker={"color": colour, "size": 9, "line": {"width": 2, "color": "#ffffff"}},
        hovertemplate="held out, epoch %{x:.1f}: %{y:.2f}<extra></extra>",
    )  # fmt: skip
    plain(figure, height=340, x="epoch", y=y)
    figure.update_xaxes(range=[0, epochs], fixedrange=True)
    figure.update_yaxes(range=settled_range(np.asarray(trained[1]), np.asarray(held_out[1])), fixedrange=True)
    return figure


def thinned(x: np.ndarray, y: np.ndarray, most: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """A curve of at most about `most` points, each the mean of its neighbours, so that a long training draws fast."""
    if len(x) <= most:
        return x, y
    parts = np.array_split(np.arange(len(x)), most)
    return np.array([x[part].mean() for part in parts]), np.array([y[part].mean() for part in parts])


def settled_range(trained: np.ndarray, held_out: np.ndarray) -> list[float] | None:
    """A y axis for all held-out values and the last four fifths of the logged ones: the first, steep ones may leave it
    at the top or at the bottom. None, the axis that Plotly takes, while there is nothing to see."""
    later = np.concatenate([trained[len(trained) // 5 :], held_out])
    later = later[np.isfinite(later)]
    if len(later) == 0:
        return None
    low, high = float(later.min()), float(later.max())
    room = 0.06 * (high - low) or 1.0
    return [low - room, high + room]


def spread_out(places: Sequence[float], least: float) -> list[float]:
    """Where labels go, in the order given: near their places, but no two nearer to each other than `least`."""
    order = sorted(range(len(places)), key=lambda i: places[i])
    found = list(places)
    for before, after in pairwise(order):
        found[after] = max(found[after], found[before] + least)
    shift = sum(new - old for new, old in zip(found, places, strict=True)) / max(1, len(places))
    return [place - shift for place in found]


def mark_position(figure: go.Figure, t: float) -> None:
    """A line from top to bottom at today's place on a path."""
    figure.add_shape(type="line", x0=t, x1=t, y0=0, y1=1, yref="paper", line={"color": INACTIVE, "width": 1.5})
    figure.update_layout(margin={"t": 40})


def written_on(label: int) -> str:
    """Black or white, whichever stands out from the colour of a class (luminance as in sRGB)."""
    colour = CLASS_COLOURS[label % len(CLASS_COLOURS)]
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return "#111111" if 0.2126 * red**2.2 + 0.7152 * green**2.2 + 0.0722 * blue**2.2 > 0.19 else "#ffffff"


def stretches(labels: np.ndarray) -> list[tuple[int, int, int]]:
    """Runs of equal labels [T] as (label, first place, place after the last)."""
    edges = [0, *(np.flatnonzero(np.diff(labels)) + 1).tolist(), len(labels)]
    return [(int(labels[start]), start, end) for start, end in pairwise(edges)]
