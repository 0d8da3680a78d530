"""Figures of the lesson on generating: maps of holes, sheets with marked pictures, shares with their errors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.colors import sample_colorscale, unlabel_rgb

from ui.figures import INACTIVE, LABEL_SIZE, plain
from ui.palette import CLASS_COLOURS, ROLE_COLOURS
from vae_core.latent.holes import Share

SCALE = "Cividis_r"
NEAREST, FARTHEST = 0.1, 30.0  # data radii at the ends of the colour scale, which is logarithmic
TICKS = (0.1, 1.0, 10.0)
CELL = 5  # pixels of the picture along a side of a cell
MARK = np.array([229, 0, 125], np.uint8)  # frames pictures without a clear class
FRAME = 14  # pixels of a picture for one of the frame
SURE = 0.9  # probability from which a name is written on a region


def log_place(radii: np.ndarray) -> np.ndarray:
    """Where distances lie on the colour scale, in [0, 1]."""
    logs = np.log10(np.clip(radii, NEAREST, FARTHEST))
    return (logs - np.log10(NEAREST)) / np.log10(FARTHEST / NEAREST)


def scale_colours(count: int = 16) -> list[str]:
    """The colour scale from near to far, as CSS colours."""
    return sample_colorscale(SCALE, np.linspace(0, 1, count).tolist())


def scale_ticks() -> list[tuple[float, str]]:
    return [(float(log_place(np.array(value))), f"{value:g}") for value in TICKS]


def distance_picture(radii: np.ndarray) -> np.ndarray:
    """Distances [n, n] in data radii -> uint8 [H, W, 3], holes dark, a white line around them (at 1 data radius)."""
    table = np.array([unlabel_rgb(colour) for colour in sample_colorscale(SCALE, np.linspace(0, 1, 256).tolist())])
    colours = table[(log_place(radii) * 255).round().astype(int)]
    picture = enlarged(colours).astype(np.uint8)
    picture[edges(enlarged(radii > 1))] = 255
    return picture


def opinion_picture(confidence: np.ndarray, seen: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """What a classifier says in each cell [n, n] -> uint8 [H, W, 4]: the colour of the class, the paler the less sure
    it is; and the line around the holes, in black and white, for it crosses all colours."""
    table = np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in CLASS_COLOURS], float)
    alpha = 255 * np.clip((confidence - 0.3) / 0.7, 0.06, 1)
    picture = enlarged(np.dstack([table[seen % len(table)], alpha])).round().astype(np.uint8)
    holes = enlarged(radii > 1)
    picture[edges(holes)], picture[edges(~holes)] = (255, 255, 255, 255), (17, 17, 17, 255)
    return picture


def enlarged(cells: np.ndarray) -> np.ndarray:
    """Every cell [n, n, ...] as a square of CELL x CELL pixels."""
    return cells.repeat(CELL, axis=0).repeat(CELL, axis=1)


def edges(inside: np.ndarray) -> np.ndarray:
    """Pixels [H, W] that are inside while a neighbour to the left, to the right, above or below is not."""
    return inside & ~inner(np.pad(inside, 1, mode="edge"))


def inner(padded: np.ndarray) -> np.ndarray:
    """Which places of a padded mask [H + 2, W + 2] have four neighbours inside: [H, W]."""
    return padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]


def name_places(confidence: np.ndarray, seen: np.ndarray, classes: Sequence[str]) -> list[tuple[float, float, str]]:
    """Where each class is written, as (from the left, from the top) in [0, 1]: the cell deepest inside its region."""
    places = []
    for label, name in enumerate(classes):
        left = (seen == label) & (confidence >= SURE)
        if left.sum() < 0.002 * left.size:
            continue
        while (deeper := left & inner(np.pad(left, 1))).any():  # beyond the picture there is nothing
            left = deeper
        rows, columns = np.nonzero(left)
        middle = len(rows) // 2
        places.append(((columns[middle] + 0.5) / seen.shape[1], (rows[middle] + 0.5) / seen.shape[0], name))
    return places


def marked_sheet(images: np.ndarray, marked: np.ndarray | None, columns: int) -> np.ndarray:
    """Images uint8 [N, C, H, W] as one sheet [H, W, 3] in reading order; the marked ones [N] in a frame."""
    count, channels, height, width = images.shape
    edge = max(2, width // FRAME)
    tiles = np.zeros((-(-count // columns) * columns, height + 2 * edge, width + 2 * edge, 3), np.uint8)
    if marked is not None:
        tiles[:count][marked] = MARK
    colour = images.transpose(0, 2, 3, 1).repeat(3 // channels, axis=3)
    tiles[:count, edge:-edge, edge:-edge] = colour
    rows = tiles.reshape(-1, columns, *tiles.shape[1:]).transpose(0, 2, 1, 3, 4)  # [rows, H, columns, W, 3]
    return rows.reshape(-1, columns * tiles.shape[2], 3)


def by_source(
    sources: Sequence[str],
    today: str,
    names: Sequence[str],
    values: Sequence[Sequence[float | None]],
    errors: Sequence[Sequence[float | None]],
    colours: Sequence[str],
    *,
    y: str,
    top: float,
) -> go.Figure:
    """One number of each model for each place that codes come from, with 95% intervals; today's place on a band."""
    figure = go.Figure()
    for place, (name, own, spread, colour) in enumerate(zip(names, values, errors, colours, strict=True)):
        shift = 0.13 * (2 * place - len(names) + 1)
        figure.add_scatter(
            x=[i + shift for i in range(len(sources))],
            y=list(own),
            error_y={"type": "data", "array": [1.96 * (error or 0) for error in spread], "thickness": 3, "width": 0},
            mode="markers",
            marker={"color": colour, "size": 12, "symbol": ("circle", "diamond")[place % 2]},
            name=name,
            cliponaxis=False,
            hovertemplate="%{y:.1f} ± %{error_y.array:.1f}<extra>" + name + "</extra>",
        )
    plain(figure, height=300, y=y)
    if today in sources:
        here = list(sources).index(today)
        figure.add_vrect(here - 0.45, here + 0.45, fillcolor=INACTIVE, opacity=0.16, line_width=0, layer="below")
    figure.update_xaxes(
        tickvals=list(range(len(sources))), ticktext=list(sources), range=[-0.5, len(sources) - 0.5],
        showgrid=False, fixedrange=True, tickangle=0,
    )  # fmt: skip
    figure.update_yaxes(range=[0, top], fixedrange=True)
    figure.update_layout(showlegend=False, margin={"l": 60, "r": 8, "t": 36, "b": 44})
    return figure


def box_over_dimensions(
    latents: Sequence[int],
    line: Sequence[Share],
    models: Sequence[tuple[str, int, str]],
    dots: Sequence[Share],
) -> go.Figure:
    """The share of the box near data over the number of latents, with 95% intervals: a line, and a dot for each of
    the models (name, latents, colour)."""
    figure = go.Figure()
    figure.add_scatter(
        x=list(latents), y=[100 * share.value for share in line], mode="lines+markers", cliponaxis=False,
        error_y={"type": "data", "array": [196 * share.standard_error for share in line], "thickness": 2, "width": 0},
        line={"color": INACTIVE, "width": 3}, marker={"size": 9},
        hovertemplate="%{x} principal components: %{y:.1f} ± %{error_y.array:.1f}%<extra></extra>",
    )  # fmt: skip
    for (name, count, colour), share in zip(models, dots, strict=True):
        figure.add_scatter(
            x=[count], y=[100 * share.value], mode="markers+text", text=[name], cliponaxis=False,
            textposition="bottom right" if colour == ROLE_COLOURS["autoencoder"] else "top right",
            error_y={"type": "data", "array": [196 * share.standard_error], "thickness": 3, "width": 0},
            marker={"color": colour, "size": 14, "line": {"width": 2, "color": "#ffffff"}},
            textfont={"size": LABEL_SIZE},
            hovertemplate=f"{name}, {count} latents: " + "%{y:.1f} ± %{error_y.array:.1f}%<extra></extra>",
        )  # fmt: skip
    plain(figure, height=380, x="latents", y="share of the box near data, %")
    figure.update_xaxes(tickvals=list(latents), range=[0.5, max([*latents, *(count for _, count, _ in models)]) + 1.5])
    figure.update_xaxes(fixedrange=True)
    figure.update_yaxes(range=[-4, 104], fixedrange=True)
    figure.update_layout(showlegend=False)
    return figure
