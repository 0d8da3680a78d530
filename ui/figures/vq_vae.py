"""The figures of the lesson on VQ-VAEs: arrays in, Plotly figures out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from ui.figures import INACTIVE, LABEL_SIZE, plain
from ui.palette import CLASS_COLOURS, RUN_COLOURS

DASHES = ("solid", "dash", "dot")
SMALLEST = 1e-5  # a share of the choices below which a line ends
VECTOR, CODE, GOAL = RUN_COLOURS[:3]  # the encoder's vector and what moves it; a code; what the decoder wants


def usage_lines(shares: Mapping[str, Sequence[float]]) -> go.Figure:
    """How often each code is chosen, the most frequent one first, a line for each codebook [K]."""
    figure = go.Figure()
    for (name, values), colour, dash in zip(shares.items(), RUN_COLOURS, DASHES, strict=False):
        ranked = np.sort(np.asarray(values))[::-1]
        alive = ranked[ranked >= SMALLEST]
        figure.add_scatter(
            x=np.arange(1, len(alive) + 1), y=100 * alive, mode="lines", name=name,
            line={"color": colour, "width": 3, "dash": dash},
            hovertemplate="code of rank %{x}: %{y:.2f}% of all choices<extra>" + name + "</extra>",
        )  # fmt: skip
    count = max(len(values) for values in shares.values())
    figure.add_hline(y=100 / count, line={"width": 1.5, "dash": "dash", "color": INACTIVE})
    figure.add_annotation(
        x=count, y=np.log10(100 / count), xanchor="right", yanchor="bottom", showarrow=False, text="all codes alike",
        font={"size": LABEL_SIZE},
    )  # fmt: skip
    plain(figure, height=330, x="codes, the most frequent one first", y="share of all choices, %")
    figure.update_yaxes(type="log", fixedrange=True, dtick=1)
    figure.update_xaxes(range=[0, count + 1], fixedrange=True)
    return figure


def pulls(
    book: Sequence[tuple[float, float]],
    vector: tuple[float, float],
    goal: tuple[float, float],
    chosen: int,
    on_input: tuple[float, float],
    on_vector: tuple[float, float],
    on_code: tuple[float, float],
    step: float,
) -> go.Figure:
    """Codes in a plane with the regions in which each is nearest, a vector, and `step` times what a term's gradient
    does to both, and what it asks of the decoder's input, which is the code."""
    side = np.linspace(-2.6, 2.6, 131)
    across, up = np.meshgrid(side, side)
    distance = [(across - x) ** 2 + (up - y) ** 2 for x, y in book]
    figure = go.Figure(
        go.Heatmap(
            x=side, y=side, z=np.argmin(distance, axis=0), showscale=False, opacity=0.2, hoverinfo="skip",
            colorscale=[[place / (len(book) - 1), CLASS_COLOURS[place]] for place in range(len(book))],
        )
    )  # fmt: skip
    figure.add_scatter(
        x=[x for x, _ in book], y=[y for _, y in book], mode="markers+text", name="codes", cliponaxis=False,
        text=[f"e<sub>{place}</sub>" for place in range(1, len(book) + 1)], textposition="bottom right",
        textfont={"size": LABEL_SIZE + 2}, hoverinfo="skip",
        marker={
            "size": [18 if place == chosen else 12 for place in range(len(book))], "color": CODE, "symbol": "square",
        },
    )  # fmt: skip
    code = book[chosen]
    figure.add_scatter(
        x=[vector[0], code[0]], y=[vector[1], code[1]], mode="lines", hoverinfo="skip",
        line={"dash": "dot", "color": INACTIVE, "width": 2},
    )  # fmt: skip
    for name, (x, y), colour, symbol in (("z", vector, VECTOR, "circle"), ("goal", goal, GOAL, "star")):
        figure.add_scatter(
            x=[x], y=[y], mode="markers+text", text=[name], textposition="bottom left", hoverinfo="skip",
            textfont={"size": LABEL_SIZE + 2}, marker={"size": 15, "color": colour, "symbol": symbol},
        )  # fmt: skip
    arrows = ((code, on_input, GOAL, 2), (vector, on_vector, VECTOR, 4), (code, on_code, CODE, 4))
    for (x, y), (right, above), colour, width in arrows:
        if np.hypot(right, above) > 1e-6:
            figure.add_annotation(
                x=x + step * right, y=y + step * above, ax=x, ay=y, axref="x", ayref="y", showarrow=True, text="",
                arrowhead=2, arrowwidth=width, arrowsize=1, arrowcolor=colour,
            )  # fmt: skip
    plain(figure, height=460, x="first dimension", y="second dimension")
    figure.update_layout(showlegend=False)
    figure.update_xaxes(range=[-2.6, 2.6], fixedrange=True, showgrid=False, constrain="domain")
    figure.update_yaxes(range=[-2.6, 2.6], fixedrange=True, showgrid=False, scaleanchor="x", constrain="domain")
    return figure
