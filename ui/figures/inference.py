"""The figures of the lesson on variational inference: arrays in, Plotly figures out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from ui.figures import INACTIVE, LABEL_SIZE, plain

GREY = "rgba(128,136,148,0.38)"
LINES, SMALLEST = 420, 1e-12  # pixels; nats that a logarithmic axis can show


def nearest_gaussians(
    z: np.ndarray, density: np.ndarray, fits: Sequence[tuple[str, float, float, str, str]]
) -> go.Figure:
    """A density [N] over z [N], and Gaussians over it: (name, mean, std, colour, dash) each."""
    figure = go.Figure()
    figure.add_scatter(
        x=z, y=density, mode="lines", fill="tozeroy", name="exact posterior p(z|x)", fillcolor=GREY,
        line={"color": INACTIVE, "width": 1.5}, hoverinfo="skip",
    )  # fmt: skip
    for name, mean, std, colour, dash in fits:
        bell = np.exp(-0.5 * ((z - mean) / std) ** 2) / (std * np.sqrt(2 * np.pi))
        figure.add_scatter(
            x=z, y=bell, mode="lines", name=name, line={"color": colour, "width": 3.5, "dash": dash},
            hovertemplate=f"{name}<br>mean {mean:.2f}, width {std:.2f}<extra></extra>",
        )  # fmt: skip
    plain(figure, height=420, x="latent z (no unit)", y="density")
    figure.update_xaxes(range=[float(z[0]), float(z[-1])], fixedrange=True)
    figure.update_yaxes(rangemode="tozero", fixedrange=True)
    figure.update_layout(margin={"t": 64})
    return figure


def ellipse(mean: np.ndarray, covariance: np.ndarray, radius: float = 1.0, points: int = 97) -> np.ndarray:
    """The line where a Gaussian with mean [2] and covariance [2, 2] lies `radius` standard deviations away: [n, 2]."""
    angle = np.linspace(0, 2 * np.pi, points)
    values, vectors = np.linalg.eigh(covariance)
    circle = np.stack([np.cos(angle), np.sin(angle)])
    return np.asarray(mean) + radius * (vectors @ (np.sqrt(np.maximum(values, 0))[:, None] * circle)).T


Bell = tuple[str, np.ndarray, np.ndarray, str, str]  # name, mean [2], covariance [2, 2], colour, dash


def ellipses(
    shown: Sequence[Bell], *, reach: float | None = None, height: int = 360, radii: Sequence[float] = (1, 2)
) -> go.Figure:
    """Gaussians in a plane by their lines of 1 and 2 standard deviations; the first one filled."""
    figure = go.Figure()
    for place, bell in enumerate(shown):
        _add_bell(figure, bell, radii, filled=place == 0)
    plain(figure, height=height, x="latent 1 (no unit)", y="latent 2 (no unit)")
    figure.update_layout(margin={"t": 64})
    figure.update_yaxes(scaleanchor="x", scaleratio=1, fixedrange=True)
    figure.update_xaxes(fixedrange=True)
    if reach is not None:
        figure.update_xaxes(range=[-reach, reach], constrain="domain")
        figure.update_yaxes(range=[-reach, reach], constrain="domain")
    return figure


def _add_bell(figure: go.Figure, bell: Bell, radii: Sequence[float], filled: bool) -> None:
    name, mean, covariance, colour, dash = bell
    for radius in radii:
        line = ellipse(mean, covariance, radius)
        figure.add_scatter(
            x=line[:, 0], y=line[:, 1], mode="lines", name=name, legendgroup=name, showlegend=radius == radii[0],
            line={"color": colour, "width": 3 if radius == radii[0] else 1.6, "dash": dash},
            fill="toself" if filled else None, fillcolor=GREY if filled else None,
            hovertemplate=f"{name}: {radius:g} sigma<extra></extra>",
        )  # fmt: skip


def bound_curve(
    samples: Sequence[int],
    bound: Sequence[float],
    truth: float | None,
    colour: str,
    gap: str,
    *,
    height: int = 400,
) -> go.Figure:
    """Lower bounds over K on a logarithmic axis, the ELBO at K = 1, and log p(x) where it is known."""
    figure = go.Figure()
    figure.add_scatter(
        x=list(samples), y=list(bound), mode="lines+markers", showlegend=False, cliponaxis=False,
        line={"color": colour, "width": 3}, marker={"color": colour, "size": 9},
        hovertemplate="K = %{x:,}: %{y:.2f} nats<extra></extra>",
    )  # fmt: skip
    plain(figure, height=height, x="K, samples of q(z|x) for each image", y="nats per image")
    figure.add_hline(y=bound[0], line={"dash": "dot", "width": 2, "color": colour})
    _on_line(figure, bound[0], f"ELBO {bound[0]:.2f}".replace("-", "\u2212"), above=False)
    if truth is not None:
        figure.add_hline(y=truth, line={"width": 3, "color": gap})
        _on_line(figure, truth, f"log p(x) {truth:.2f}".replace("-", "\u2212"), above=True)
    top = max([*bound, *([truth] if truth is not None else [])])
    room = max(top - bound[0], 0.2)
    figure.update_xaxes(
        type="log", tickvals=[1, 10, 100, 1000, 5000], ticktext=["1", "10", "100", "1,000", "5,000"], fixedrange=True,
        range=[-0.06, np.log10(max(samples)) + 0.06],
    )  # fmt: skip
    figure.update_yaxes(range=[bound[0] - 0.16 * room, top + 0.16 * room], fixedrange=True)
    return figure


def _on_line(figure: go.Figure, y: float, text: str, above: bool) -> None:
    figure.add_annotation(
        x=1 if not above else 0, xref="paper", y=y, text=f"<b>{text}</b>", showarrow=False,
        xanchor="right" if not above else "left", yanchor="bottom" if above else "top", font={"size": LABEL_SIZE + 1},
    )  # fmt: skip


def posterior_map(
    heat: np.ndarray, window: tuple[float, float, float], mean: np.ndarray, std: np.ndarray, colour: str
) -> go.Figure:
    """The exact posterior of one picture over a square of the plane [n, n], and q by its lines of 1 and 2 sigma."""
    left, bottom, side = window
    cells = len(heat)
    figure = go.Figure()
    figure.add_heatmap(
        z=heat, x0=left + side / cells / 2, dx=side / cells, y0=bottom + side / cells / 2, dy=side / cells,
        colorscale="Viridis", showscale=False, hovertemplate="(%{x:.2f}, %{y:.2f}): density %{z:.2f}<extra></extra>",
    )  # fmt: skip
    for radius in (1, 2):
        line = ellipse(mean, np.diag(std**2), radius)
        for wide, ink in ((6, "#ffffff"), (3, colour)):
            figure.add_scatter(
                x=line[:, 0], y=line[:, 1], mode="lines", line={"color": ink, "width": wide}, showlegend=False,
                hovertemplate=f"q: {radius} sigma<extra></extra>",
            )  # fmt: skip
    plain(figure, height=400, x="latent 1 (no unit)", y="latent 2 (no unit)")
    figure.update_xaxes(range=[left, left + side], constrain="domain", fixedrange=True, nticks=5)
    figure.update_yaxes(range=[bottom, bottom + side], scaleanchor="x", constrain="domain", fixedrange=True, nticks=5)
    return figure


def linear_lines(
    steps: Sequence[int], elbo: Sequence[float], evidence: Sequence[float], best: float, last: int,
    colours: tuple[str, str],
) -> go.Figure:  # fmt: skip
    """ELBO and exact log p(x) of a linear VAE over its training, and the maximum that pPCA knows; below, what lies
    between the two, on a logarithmic axis."""
    figure = go.Figure()
    for values, name, colour, dash in (
        (evidence, "log p(x) by its decoder, exact", colours[1], "dash"),
        (elbo, "its ELBO", colours[0], "solid"),
    ):
        figure.add_scatter(
            x=list(steps), y=list(values), mode="lines", name=name, line={"color": colour, "width": 3.5, "dash": dash},
            hovertemplate="step %{x}: %{y:.3f}<extra>" + name + "</extra>",
        )  # fmt: skip
    gap = np.maximum(np.subtract(evidence, elbo), SMALLEST)
    figure.add_scatter(
        x=list(steps), y=gap, yaxis="y2", mode="lines", name="KL(q \u2016 p(z|x)), what lies between",
        line={"color": colours[1], "width": 3}, hovertemplate="step %{x}: %{y:.1e} nats<extra></extra>",
    )  # fmt: skip
    plain(figure, height=LINES, x="training step (each on all images)", y="nats per image")
    figure.add_hline(y=best, line={"width": 2.5, "color": INACTIVE})
    figure.add_annotation(
        x=1, xref="paper", y=best, text=f"<b>pPCA's maximum {best:.2f}</b>", showarrow=False, xanchor="right",
        yanchor="bottom", font={"size": LABEL_SIZE + 1},
    )  # fmt: skip
    ticks = [tick for tick in (10, 30, 100, 300, 1000, 3000) if tick <= last]
    figure.update_xaxes(
        type="log", range=[1, np.log10(last)], tickvals=ticks, ticktext=[f"{tick:,}" for tick in ticks], anchor="y2",
        fixedrange=True,
    )  # fmt: skip
    axis = {"title": {"text": "KL, nats", "font": {"size": LABEL_SIZE}}, "tickfont": {"size": LABEL_SIZE}}
    figure.update_layout(
        yaxis={"domain": [0.46, 1], "range": [best - 100, best + 20], "fixedrange": True},
        yaxis2={
            **axis, "domain": [0, 0.34], "type": "log", "range": [-8, 1.3], "fixedrange": True, "zeroline": False,
            "tickvals": [1e-6, 1e-3, 1], "ticktext": ["10\u207b\u2076", "0.001", "1"],
        },
        margin={"t": 64, "l": 72},
    )  # fmt: skip
    return figure
