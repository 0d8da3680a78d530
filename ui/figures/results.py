"""The figure of the lesson on results: numbers in, a Plotly figure out."""

from __future__ import annotations

from typing import NamedTuple

import plotly.graph_objects as go

from ui.figures import INACTIVE, LABEL_SIZE, plain

HEIGHT = 430
COPIES, SAMPLES = "copies", "samples"


class Placed(NamedTuple):
    """One model in the plane."""

    name: str
    bits: float  # per dimension
    copies: float  # edge energy as a share of real images'
    samples: float
    colour: str


def plane(models: list[Placed]) -> go.Figure:
    """Sharpness of copies (filled) and of samples (hollow), joined, against the likelihood of the model; better models
    of the pixels stand further right. Real images are the line at 1."""
    figure = go.Figure()
    for model in models:
        figure.add_scatter(
            x=[model.bits] * 2,
            y=[model.copies, model.samples],
            mode="lines+markers",
            line={"color": model.colour, "width": 3},
            marker={
                "size": 16,
                "color": [model.colour, "rgba(0,0,0,0)"],
                "line": {"color": model.colour, "width": 3},
            },
            customdata=[COPIES, SAMPLES],
            hovertemplate=f"{model.name}, %{{customdata}}<br>%{{x:.3f}} bits, sharpness %{{y:.2f}}<extra></extra>",
            cliponaxis=False,
        )
    low, high = min(model.bits for model in models), max(model.bits for model in models)
    room = max(high - low, 0.02)
    heights = [value for model in models for value in (model.copies, model.samples)]
    middle = sorted(models, key=lambda model: model.bits)[len(models) // 2]
    for model in models:  # the name in the middle below its marks, so that none stand upon each other on a phone
        below = model is middle
        figure.add_annotation(
            x=model.bits, y=(min if below else max)(model.copies, model.samples), yshift=-24 if below else 24,
            text=f"<b>{model.name}</b>", showarrow=False, font={"size": LABEL_SIZE},
        )  # fmt: skip
    figure.add_hline(y=1, line={"color": INACTIVE, "width": 2, "dash": "dash"})
    figure.add_annotation(
        x=0.005, xref="paper", y=1, yshift=12, text="real images", showarrow=False, xanchor="left",
        font={"size": LABEL_SIZE},
    )  # fmt: skip
    plain(
        figure,
        height=HEIGHT,
        x="bits per dimension: likelier to the right \u2192",
        y="sharpness, share of real images'",
    )
    figure.update_layout(showlegend=False)
    figure.update_xaxes(range=[high + 0.35 * room, low - 0.35 * room], fixedrange=True, nticks=6, tickformat=".2f")
    figure.update_yaxes(range=[-0.12, 1.18 * max(1.0, *heights)], fixedrange=True, nticks=6)
    return figure
