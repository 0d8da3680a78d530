"""The figures of the lesson on anomalies: arrays in, a Plotly figure or a line of HTML out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
import torch
from plotly.colors import sample_colorscale
from torch import Tensor

from ui.figures import INACTIVE, LABEL_SIZE, plain

SCALE = "Viridis"


def heat(values: Tensor, most: float) -> Tensor:
    """Grey maps [B, 1, H, W] or the mean over C of [B, C, H, W] as colour pictures [B, 3, H, W]: 0 to `most` on the
    scale that `heat_scale` shows."""
    table = sample_colorscale(SCALE, np.linspace(0, 1, 256).tolist(), colortype="tuple")
    colours = torch.tensor(table, dtype=torch.float32)  # [256, 3]
    place = (values.mean(1) / max(most, 1e-12)).clamp(0, 1).mul(255).round().long()
    return colours[place].permute(0, 3, 1, 2)


def heat_scale(name: str, most: float) -> str:
    """The colours of `heat` as a bar with a number at each end, in HTML."""
    stops = ", ".join(sample_colorscale(SCALE, [i / 8 for i in range(9)]))
    room = "clamp(0px, (100vw - 640px) * 9, 11.8rem)"  # under the pictures: beside their names, on a phone below them
    return (
        '<div style="display:flex;gap:12px;align-items:center;max-width:36rem;'
        f'margin-left:{room}"><span>{name}: 0</span>'
        f'<span style="flex:1 1 60px;height:14px;border-radius:3px;background:linear-gradient(to right, {stops})">'
        f"</span><span>{most:.2g}</span></div>"
    )


def pair_heat(areas: np.ndarray, names: Sequence[str], *, score: str) -> go.Figure:
    """AUROC [K, K + 1] of every normal class against every other, and in the last column against all of them; the
    numbers written in. Chance is white, and what is worse than chance has another colour."""
    values = np.array(areas, float)
    np.fill_diagonal(values[:, :-1], np.nan)
    figure = go.Figure(
        go.Heatmap(
            z=values, x=[*names, "<b>all</b>"], y=list(names), zmin=0, zmax=1, colorscale="RdBu", xgap=2, ygap=2,
            texttemplate="%{z:.2f}", textfont={"size": LABEL_SIZE}, hoverongaps=False,
            hovertemplate="normal %{y}, anomaly %{x}: AUROC %{z:.3f}<extra>" + score + "</extra>",
            colorbar={"title": {"text": "AUROC", "font": {"size": LABEL_SIZE}}, "tickfont": {"size": LABEL_SIZE},
                      "tickvals": [0, 0.5, 1], "ticktext": ["0", "chance", "1"], "thickness": 14},
        )
    )  # fmt: skip
    plain(figure, height=480, x="the anomaly", y="the normal class (trained on)")
    figure.update_xaxes(showgrid=False, type="category", side="top", fixedrange=True)
    figure.update_yaxes(showgrid=False, type="category", autorange="reversed", fixedrange=True, automargin=True)
    figure.update_layout(margin={"t": 64, "b": 12})
    return figure


def outline_scatter(
    groups: Sequence[tuple[str, str, str, np.ndarray, np.ndarray]], threshold: float, words: str
) -> go.Figure:
    """Reconstruction error over the length of the outline; each group: name, colour, symbol, length [N], error [N]. A
    line at a threshold, and what is to be said of it."""
    figure = go.Figure()
    for name, colour, symbol, length, error in groups:
        figure.add_scattergl(
            x=length, y=error, name=name, mode="markers",
            marker={"color": colour, "size": 6, "opacity": 0.6, "symbol": symbol},
            hovertemplate=f"{name}<br>outline %{{x:.0f}}, error %{{y:.1f}}<extra></extra>",
        )  # fmt: skip
    plain(figure, height=430, x="length of the outline, pixels", y="reconstruction error, summed over pixels")
    figure.add_hline(y=threshold, line={"color": INACTIVE, "width": 1.5, "dash": "dash"})
    figure.add_annotation(
        x=0, xref="paper", y=threshold, xanchor="left", yanchor="bottom", text=words, showarrow=False,
        font={"size": LABEL_SIZE}, align="left", xshift=6,  # few dots lie there: a short outline has a small error
    )  # fmt: skip
    figure.update_xaxes(rangemode="tozero", fixedrange=True)
    figure.update_yaxes(rangemode="tozero", fixedrange=True)
    figure.update_layout(legend={"itemsizing": "constant"})
    return figure
