"""The figures of the lesson on limits: arrays in, Plotly figures out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from ui.figures import INACTIVE, LABEL_SIZE, plain, spread_out
from ui.palette import ACCENT, RUN_COLOURS

DASHES = ("solid", "dash", "dot", "dashdot")
MARKS = ("circle", "square", "diamond", "triangle-up")


def edge_lines(
    latents: Sequence[int], rebuilt: Sequence[float], drawn: Sequence[float], today: int, *, height: int = 330
) -> go.Figure:
    """Strength of edges over the latent size: of what is rebuilt and of samples [n], as a share of the images'."""
    figure, names = go.Figure(), [str(latent) for latent in latents]
    looks = (
        ("rebuilt", rebuilt, RUN_COLOURS[0], "circle"),
        ("samples from the prior", drawn, RUN_COLOURS[1], "square"),
    )
    for name, values, colour, mark in looks:
        figure.add_scatter(
            x=names,
            y=[100 * value for value in values],
            name=name,
            mode="lines+markers",
            line={"color": colour, "width": 2.5},
            marker={"symbol": mark, "size": [16 if i == today else 9 for i in range(len(names))]},
            hovertemplate="%{x} latents: %{y:.0f}%<extra>" + name + "</extra>",
        )
    figure.add_hline(y=100, line={"dash": "dash", "width": 1.5, "color": INACTIVE})
    figure.add_annotation(
        x=0, xref="x domain", xanchor="left", y=100, yanchor="bottom", text="held-out images", showarrow=False,
        font={"size": LABEL_SIZE},
    )  # fmt: skip
    plain(figure, height=height, x="latents", y="strength of the edges, %")
    figure.update_xaxes(type="category", fixedrange=True)
    figure.update_yaxes(range=[0, max(112.0, 105 * max(*rebuilt, *drawn))], fixedrange=True)
    return figure


def learning_curves(
    curves: Mapping[str, Mapping[str, Sequence[float]]], today: str, limit: float, limit_name: str, top: float
) -> go.Figure:
    """-ELBO over the steps, on training images (dashed) and on held-out ones, of several trainings; today's strong.
    The dashed grey line is what more images would give; what lies above `top` is cut off."""
    figure = go.Figure()
    end = max((curve["step"][-1] for curve in curves.values()), default=1)
    last = {name: min(curve["held_out"][-1], top) for name, curve in curves.items() if curve["step"][-1] == end}
    heights = dict(zip(last, spread_out(list(last.values()), 0.06 * top), strict=True))
    for name, curve in sorted(curves.items(), key=lambda each: each[0] == today):
        strong = name == today
        colour = ACCENT if strong else INACTIVE
        for kind, dash in (("held_out", "solid"), ("train", "dash")):
            words = {"held_out": "held-out images", "train": "training images"}[kind]
            figure.add_scatter(
                x=list(curve["step"]),
                y=list(curve[kind]),
                name=f"{name}, {words}",
                mode="lines",
                line={"color": colour, "width": 3.5 if strong else 1.8, "dash": dash},
                opacity=1 if strong else 0.75,
                showlegend=strong,
                hovertemplate="step %{x:,}: %{y:.1f} nats<extra>" + f"{name}, {words}</extra>",
            )
        if name in heights:  # one that stopped early lies under another's beginning; the legend names it, if chosen
            figure.add_annotation(
                x=end, y=heights[name], xanchor="left", xshift=6, showarrow=False,
                text=f"<b>{name}</b>" if strong else name, font={"size": LABEL_SIZE},
            )  # fmt: skip
    if today in curves:
        held_out = list(curves[today]["held_out"])
        best = min(range(len(held_out)), key=held_out.__getitem__)
        figure.add_scatter(
            x=[curves[today]["step"][best]],
            y=[held_out[best]],
            mode="markers+text",
            text=[f"best: {held_out[best]:.0f}"],
            textposition="bottom right",
            textfont={"size": LABEL_SIZE},
            marker={"color": ACCENT, "size": 12, "symbol": "diamond"},
            showlegend=False,
            hoverinfo="skip",
        )
    figure.add_hline(y=limit, line={"dash": "dot", "width": 2, "color": RUN_COLOURS[2]})
    figure.add_annotation(
        x=1, xref="x domain", xanchor="right", y=limit, yanchor="bottom", text=limit_name, showarrow=False,
        font={"size": LABEL_SIZE},
    )  # fmt: skip
    plain(figure, height=400, x="steps of training", y="\u2212ELBO, nats per image")
    figure.update_yaxes(range=[0, top], fixedrange=True)
    figure.update_xaxes(fixedrange=True, range=[0, end])
    figure.update_layout(margin={"t": 64, "r": 124})
    return figure


def cost_lines(
    lines: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    points: Mapping[str, tuple[float, float]],
    *,
    x: str,
    y: str,
) -> go.Figure:
    """One cost over a size on two logarithmic axes: a line for each network, and some models by name."""
    figure = go.Figure()
    for place, (name, (sizes, costs)) in enumerate(lines.items()):
        figure.add_scatter(
            x=list(sizes),
            y=list(costs),
            name=name,
            mode="lines+markers",
            line={"color": RUN_COLOURS[place], "width": 2.5, "dash": DASHES[place]},
            marker={"symbol": MARKS[place], "size": 10},
            hovertemplate="%{x}: %{y:.3s}<extra>" + name + "</extra>",
        )
    if points:
        figure.add_scatter(
            x=[at for at, _ in points.values()],
            y=[cost for _, cost in points.values()],
            text=list(points),
            name="models of this app",
            mode="markers",
            marker={"symbol": "x", "size": 11, "color": RUN_COLOURS[3]},
            hovertemplate="%{text}: %{y:.3s}<extra></extra>",
        )
    plain(figure, height=380, x=x, y=y)
    ticks = sorted({size for sizes, _ in lines.values() for size in sizes})
    figure.update_xaxes(type="log", tickvals=ticks, ticktext=[str(tick) for tick in ticks], fixedrange=True)
    figure.update_yaxes(type="log", fixedrange=True, dtick=1, tickformat="~s")
    return figure


def rank_lines(
    scores: Sequence[str],
    ranks: Mapping[str, Sequence[int]],
    values: Mapping[str, Sequence[str]],
    letters: Mapping[str, str],
    today: str,
) -> go.Figure:
    """The rank of each set of samples under each score, 1 on top, joined by lines; the sets by their letters, today's
    strong."""
    figure = go.Figure()
    for place, (name, row) in enumerate(sorted(ranks.items(), key=lambda each: each[0] == today)):
        strong = name == today
        figure.add_scatter(
            x=[score.replace(" ", "<br>", 1).replace("-", "-<br>", 1) for score in scores],
            y=list(row),
            customdata=[[score, value] for score, value in zip(scores, values[name], strict=True)],
            text=[f"<b>{letters[name]}</b>"] * len(row),
            textfont={"size": LABEL_SIZE},
            name=name,
            mode="lines+markers+text",
            line={"color": ACCENT, "width": 5}
            if strong
            else {"color": INACTIVE, "width": 2, "dash": DASHES[place % 4]},
            marker={"size": 28 if strong else 24, "color": ACCENT if strong else INACTIVE},
            cliponaxis=False,
            hovertemplate="%{customdata[0]}: rank %{y}, %{customdata[1]}<extra>" + name + "</extra>",
            showlegend=False,
        )
    plain(figure, height=400, y="rank, 1 is best")
    figure.update_yaxes(range=[len(ranks) + 0.5, 0.4], dtick=1, tick0=1, fixedrange=True)
    figure.update_xaxes(type="category", fixedrange=True, showgrid=True, autotickangles=[0, 60])
    return figure
