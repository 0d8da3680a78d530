"""The figures of the lesson on the reparameterisation trick: numbers in, Plotly figures and drawn graphs out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

import plotly.graph_objects as go

from ui.figures import plain

Place = tuple[float, float]


class Curve(NamedTuple):
    """A line that is known, and measured points on it with their standard errors."""

    name: str
    colour: str
    symbol: str
    x: Sequence[float]
    exact: Sequence[float]
    measured: Sequence[float]
    errors: Sequence[float]


def variance_lines(curves: Sequence[Curve], *, x: str, log: bool) -> go.Figure:
    """Variance of estimates of a gradient, the closed form as lines, what was measured as points with an error bar of
    1.96 standard errors. Variance is on a logarithmic axis; with `log`, x is, too."""
    figure = go.Figure()
    for curve in curves:
        figure.add_scatter(
            x=list(curve.x), y=list(curve.exact), name=curve.name, mode="lines", legendgroup=curve.name,
            line={"color": curve.colour, "width": 2.5, "dash": "dot" if curve.symbol == "x" else "solid"},
            hovertemplate="closed form: %{y:.3g}<extra>" + curve.name + "</extra>",
        )  # fmt: skip
        figure.add_scatter(
            x=list(curve.x), y=list(curve.measured), mode="markers", showlegend=False, legendgroup=curve.name,
            error_y={"type": "data", "array": [1.96 * each for each in curve.errors], "width": 4},
            marker={"color": curve.colour, "size": 9, "symbol": curve.symbol},
            hovertemplate="measured: %{y:.3g}<extra>" + curve.name + "</extra>",
        )  # fmt: skip
    plain(figure, height=380, x=x, y="variance of the gradient")
    figure.update_yaxes(type="log", dtick=1, tickformat=",~g", fixedrange=True)
    figure.update_xaxes(fixedrange=True)
    if log:
        ticks = sorted({value for curve in curves for value in curve.x})
        figure.update_xaxes(type="log", tickvals=ticks, ticktext=[f"{value:g}" for value in ticks])
    figure.update_layout(margin={"t": 64})
    return figure


def elbo_lines(
    steps: Sequence[int], elbos: Sequence[Sequence[float]], names: Sequence[str], looks: Sequence[tuple[str, str]],
    last: int,
) -> go.Figure:  # fmt: skip
    """ELBO after so many steps, a line for each model; looks are (colour, dash). The first two values, far below, are
    left out of the axis once there are others."""
    figure = go.Figure()
    for values, name, (colour, dash) in zip(elbos, names, looks, strict=True):
        figure.add_scatter(
            x=list(steps), y=list(values), name=name, line={"color": colour, "width": 3, "dash": dash},
            mode="lines" if len(values) > 1 else "lines+markers", marker={"size": 9},  # one value is no line
            hovertemplate="step %{x}: %{y:.1f}<extra>" + name + "</extra>",
        )  # fmt: skip
    plain(figure, height=400, x="training step", y="held-out ELBO, nats per image")
    figure.update_xaxes(range=[0, last], fixedrange=True)
    seen = [value for values in elbos for value in (values[2:] or values)]
    if seen:
        low, high = min(seen), max(seen)
        room = max(0.08 * (high - low), 2.0)
        figure.update_yaxes(range=[low - room, high + room])
    else:
        figure.update_yaxes(range=[-260, -150])
        figure.add_annotation(text="no training yet", x=0.5, y=0.5, xref="paper", yref="paper", showarrow=False)
    figure.update_yaxes(fixedrange=True)
    figure.update_layout(margin={"t": 56})
    return figure


# ---------------------------------------------------------------- computation graphs

WIDE, TALL = 360, 366  # CSS pixels, the same on every screen
BOX, ROUND = 25, 27  # half the side of a deterministic node, the radius of a random one
MINUS, SIGMA = "\N{MINUS SIGN}", "\N{GREEK SMALL LETTER SIGMA}"
BACK, STOP = "#1f7ec4", "#d55e00"


def numbers(values: Sequence[float] | None, digits: int = 2) -> str:
    """As in (0.80, -1.17), or None in a word."""
    if values is None:
        return "None"
    return "(" + ", ".join(f"{value:.{digits}f}".replace("-", MINUS) for value in values) + ")"


def graph(
    *, inside: bool, loss: float, x: Sequence[float], noise: Sequence[float], at_x: Sequence[float],
    at_mean: Sequence[float] | None, at_sigma: Sequence[float] | None,
) -> str:  # fmt: skip
    """A computation graph as SVG: forward arrows in ink, gradients back as dashed ones in colour, with their values.
    With `inside` the draw is a random node between the parameters and the loss; else the noise is an input."""
    top, middle = (WIDE / 2, 34.0), (WIDE / 2, 150.0)
    mean, sigma = ((86.0, 284.0), (274.0, 284.0)) if inside else ((58.0, 284.0), (180.0, 284.0))
    source = (302.0, 284.0)
    parts = [_arrow(middle, top), _arrow(mean, middle), _arrow(sigma, middle)]
    parts += [_arrow(middle, top, back=True), *_lines((top[0] + 40, 88), "∂L/∂x", numbers(at_x, 1))]
    if inside:
        parts += [_stopped(mean, middle), _stopped(sigma, middle)]
    else:
        parts += [_arrow(source, middle), _arrow(mean, middle, back=True), _arrow(sigma, middle, back=True)]
    law = f"x ~ N(μ, {SIGMA}²)" if inside else f"x = μ + {SIGMA}ε"
    parts += [
        _node(top, "L", False), _node(middle, "x", inside), _node(mean, "μ", False), _node(sigma, SIGMA, False),
        _text((top[0] + 40, top[1] + 5), f"‖x {MINUS} t‖² = {loss:.2f}"),
        _text((middle[0] + 40, middle[1] - 4), law), _text((middle[0] + 40, middle[1] + 16), f"= {numbers(x)}"),
    ]  # fmt: skip
    for at, name, values in ((mean, "∂L/∂μ", at_mean), (sigma, f"∂L/∂{SIGMA}", at_sigma)):
        parts += _lines((at[0], at[1] + 48), name, numbers(values, 1), "middle")
    if not inside:
        parts.append(_node(source, "ε", True))
        parts += _lines((source[0], source[1] + 48), "ε ~ N(0, I)", numbers(noise), "middle", False)
    told = "The draw is a random node: no gradient passes." if inside else "The noise is an input: gradients pass."
    return (
        f'<svg role="img" aria-label="{escape(told)}" width="{WIDE}" height="{TALL}" viewBox="0 0 {WIDE} {TALL}" '
        f'style="display:block;max-width:none;font-size:14px;font-family:inherit">{"".join(parts)}</svg>'
    )


def _node(at: Place, name: str, random: bool) -> str:
    look = 'fill="currentColor" fill-opacity="0.12" stroke="currentColor" stroke-width="2"'
    x, y = at
    shape = (
        f'<circle cx="{x}" cy="{y}" r="{ROUND}" {look}/>'
        if random
        else f'<rect x="{x - BOX}" y="{y - BOX}" width="{2 * BOX}" height="{2 * BOX}" rx="4" {look}/>'
    )
    return shape + (
        f'<text x="{x}" y="{y + 7}" text-anchor="middle" fill="currentColor" font-size="20" font-style="italic">'
        f"{name}</text>"
    )


def _text(at: Place, words: str, anchor: str = "start", bold: bool = False) -> str:
    weight = ' font-weight="650"' if bold else ""
    return f'<text x="{at[0]}" y="{at[1]}" text-anchor="{anchor}" fill="currentColor"{weight}>{escape(words)}</text>'


def _lines(at: Place, first: str, second: str, anchor: str = "start", bold: bool = True) -> list[str]:
    return [_text(at, first, anchor, bold), _text((at[0], at[1] + 20), second, anchor, bold)]


def _ends(start: Place, end: Place, aside: float) -> tuple[Place, Place, Place]:
    """From the rim of one node to that of another, moved aside, and the direction."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    far = math.hypot(dx, dy)
    ux, uy = dx / far, dy / far
    reach = (ROUND + 5) / max(abs(ux), abs(uy)) if abs(uy) < 0.98 else ROUND + 5
    side = (-uy * aside, ux * aside)
    return (
        (start[0] + ux * reach + side[0], start[1] + uy * reach + side[1]),
        (end[0] - ux * reach + side[0], end[1] - uy * reach + side[1]),
        (ux, uy),
    )


def _arrow(start: Place, end: Place, *, back: bool = False) -> str:
    """A forward arrow, or, beside it and the other way round, a gradient."""
    first, last = (end, start) if back else (start, end)
    (x1, y1), (x2, y2), (ux, uy) = _ends(first, last, -7 if back else -3)
    colour, dash = (BACK, ' stroke-dasharray="6 5"') if back else ("currentColor", "")
    foot = (x2 - 11 * ux, y2 - 11 * uy)
    tip = (
        f"{x2:.1f},{y2:.1f} {foot[0] - 6 * uy:.1f},{foot[1] + 6 * ux:.1f} {foot[0] + 6 * uy:.1f},{foot[1] - 6 * ux:.1f}"
    )
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{foot[0]:.1f}" y2="{foot[1]:.1f}" stroke="{colour}" '
        f'stroke-width="{3 if back else 2}"{dash}/><polygon points="{tip}" fill="{colour}"/>'
    )


def _stopped(start: Place, end: Place) -> str:
    """Where a gradient ends: a short dashed line from the random node, and a cross."""
    (x1, y1), (x2, y2), (ux, uy) = _ends(end, start, -10)
    x, y = x1 + 0.34 * (x2 - x1), y1 + 0.34 * (y2 - y1)
    cross = "".join(
        f'<line x1="{x - 8 * a:.1f}" y1="{y - 8:.1f}" x2="{x + 8 * a:.1f}" y2="{y + 8:.1f}" stroke="{STOP}" '
        'stroke-width="4"/>'
        for a in (1, -1)
    )
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x - 6 * ux:.1f}" y2="{y - 6 * uy:.1f}" stroke="{STOP}" '
        f'stroke-width="3" stroke-dasharray="6 5"/>{cross}'
    )
