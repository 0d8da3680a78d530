"""What the lesson on latent variable models computes: the curve's scene, estimates beside the truth, and the
integral over a trained model's latent plane."""

from __future__ import annotations

import math
import time
from typing import Any, NamedTuple

import streamlit as st
import torch
from torch import Tensor

from ui.cache import checkpoint, held_out
from ui.curve_plane import Scene
from ui.figures.latent_variables import Line, Window, coloured
from ui.lessons import expect, read_results, usable
from ui.sheet import Axis
from ui.sheet.axes import minus, round_values
from vae_core.checkpoints import bundled, read_description
from vae_core.exact.cells import REACH, Summed, integrate, log_joint, square
from vae_core.exact.curve import PRIOR, CurveModel, Gaussian1D
from vae_core.exact.importance import Estimates
from vae_core.folders import ASSETS
from vae_core.latent.pictures import png

DATA, MODEL = "mnist", "mnist-2d-vae-beta1"
CURVES = {"Horseshoe": "horseshoe", "S": "S", "Straight line": "line"}
HALF = 3.6  # of the plane that is shown
CODES = 4.0  # of the z axis
CELLS = 180  # of the density's picture, along a side
STRIDE = 4  # of the model's grid for the browser
COUNTS = tuple(2**power for power in range(13))  # draws per estimate, on the curve
REPETITIONS = 60
LOW, HIGH = 0.1, 0.9  # quantiles of the error over repetitions
LOG_AGE = math.log10(13.8e9 * 365.25 * 86400)  # of the universe, seconds (Planck 2018: 13.8 thousand million years)
SIDE = 100  # points along each latent, for the picture of the whole plane
DEPTH = 300.0  # nats below its highest value where the map of the plane is darkest
RESULTS = ASSETS / "results" / "evidence.json"
REMEDY = "Make it again: `python -m benchmarks.evidence --write`."


@st.cache_resource(show_spinner=False, max_entries=32)
def curve(name: str, sigma: float) -> CurveModel:
    return CurveModel(CURVES[name], sigma)


@st.cache_resource(show_spinner=False, max_entries=32)
def scene(name: str, sigma: float) -> Scene:
    """What the browser needs to solve a model."""
    model = curve(name, sigma)
    middles = (torch.arange(CELLS, dtype=torch.float64) + 0.5) / CELLS * 2 * HALF - HALF
    density = model.marginal(middles, middles).flip(0)  # [CELLS, CELLS], the largest x2 on top
    picture = torch.from_numpy(coloured((density / density.max()).numpy())).permute(2, 0, 1)
    tops = tops_of(model)
    return Scene(
        sigma=sigma, grid=model.grid[::STRIDE].numpy(), curve=model.curve_on_grid[::STRIDE].numpy(),
        shown=(-CODES, CODES), low=(-HALF, -HALF), high=(HALF, HALF), density=png(picture), tops=tops,
        axes=[
            axis("x, first coordinate", -HALF, HALF), axis("x, second coordinate", -HALF, HALF),
            axis("latent variable z", -CODES, CODES), axis("density", 0, tops[0]),
            axis("prior \N{MULTIPLICATION SIGN} likelihood", 0, tops[1]),
        ],
    )  # fmt: skip


def axis(name: str, low: float, high: float) -> Axis:
    """An axis with round numbers, few enough for a chart that is not tall."""
    values = round_values(low, high)
    if len(values) > 5:
        values = values[::2] if low == 0 else [value for value in values if round(value) % 2 == 0]
    return Axis(name, [((value - low) / (high - low), minus(f"{value:g}")) for value in values])


def tops_of(model: CurveModel) -> tuple[float, float]:
    """Upper ends of the charts, the same for every x: what the posterior, and prior times likelihood, reach for an x on
    the curve (farther out a posterior may be a little narrower, and leave the chart)."""
    codes = torch.linspace(-2, 2, 41, dtype=torch.float64)
    peak = max(float(model.posterior(x).density.max()) for x in model.decode(codes))
    return 1.15 * peak, 1.05 / (2 * math.pi * model.sigma**2) / math.sqrt(2 * math.pi)


class Compared(NamedTuple):
    """log p(x) of one x on the curve's plane: the truth, and estimates of it from two sources."""

    truth: float
    q: Gaussian1D  # the best Gaussian encoder
    elbo: float
    modes: int  # peaks of the posterior
    lines: list[Line]


@st.cache_data(show_spinner=False, max_entries=200)
def compared(name: str, sigma: float, x: tuple[float, float], seed: int = 0) -> Compared:
    model, point = curve(name, sigma), torch.tensor(x, dtype=torch.float64)
    truth, q = float(model.log_evidence(point)), model.best_gaussian(point)
    noise = torch.Generator().manual_seed(seed)
    lines = [
        line_of(title, source, model.importance(point, proposal, COUNTS, REPETITIONS, noise), truth)
        for title, source, proposal in (("from the prior", "prior", PRIOR), ("from q(z | x)", "encoder", q))
    ]
    return Compared(truth, q, model.elbo(point, q), len(model.posterior(point).modes), lines)


def line_of(title: str, source: str, found: Estimates, truth: float) -> Line:
    error = found.error(truth)
    low, high = error.quantile(LOW, dim=0), error.quantile(HIGH, dim=0)
    rows = (error.median(0).values, low, high, found.effective.median(0).values)
    return Line(title, source, *(row.tolist() for row in rows))


@st.cache_resource(show_spinner=False)
def results() -> dict[str, Any]:
    """What benchmarks/evidence.py measured. InvalidInput where the file is missing or damaged."""
    found = read_results(RESULTS, REMEDY)
    with usable(RESULTS, REMEDY):
        expect(found["model"] == MODEL and sorted(row["digit"] for row in found["rows"]) == list(range(10)))
        for row in found["rows"]:
            measured_lines(row)
            expect(row["elbo"] < row["log_evidence"] and len(row["prior"]["median"]) == len(found["counts"]))
    return found


def measured_lines(row: dict[str, Any]) -> list[Line]:
    """A digit's measured errors."""
    titles = {"prior": "from the prior", "encoder": "from the encoder"}
    parts = ("median", "low", "high", "effective")
    return [Line(title, source, *(row[source][part] for part in parts)) for source, title in titles.items()]


@st.cache_resource(show_spinner="Opening the digits")
def digits() -> Tensor:
    """The first held-out image of each class, its pixels rounded to black and white: [10, C, H, W]."""
    index = torch.tensor([row["image"] for row in sorted(results()["rows"], key=lambda row: row["digit"])])
    return (held_out(DATA).images(index) >= 0.5).float()


@st.cache_resource(show_spinner="Measuring how fast this machine decodes")
def decodes_per_second(seconds: float = 0.15) -> float:
    """log p(x, z) computed for so many codes a second, by the bundled model with two latents on this machine."""
    model, x, z = network(), digits()[:1], torch.zeros(1000, 2)
    with torch.inference_mode():
        log_joint(model, x, z)
        began, done = time.perf_counter(), 0
        while time.perf_counter() - began < seconds:
            done += len(log_joint(model, x, z))
    return done / (time.perf_counter() - began)


@st.cache_data(show_spinner=False)
def latent_sizes() -> list[int]:
    """How many latents the bundled models have."""
    settings = (read_description(folder).settings for folder in bundled().values())
    return sorted({int(each.latent) for each in settings if hasattr(each, "latent")})


def network() -> Any:
    return checkpoint(MODEL).model


def log_seconds(points: int, latents: int) -> float:
    """log10 of the seconds that points^latents decodes take here."""
    return latents * math.log10(points) - math.log10(decodes_per_second())


YEAR = 365.25 * 86400  # seconds
UNITS = ((1, "s", 90), (60, "min", 5400), (3600, "hours", 172800), (86400, "days", YEAR), (YEAR, "years", 1e5 * YEAR))


def duration(log10_seconds: float) -> str:
    """A time for reading, however long."""
    seconds = 10 ** min(log10_seconds, 300)
    for size, unit, most in UNITS:
        if seconds < most:
            count = seconds / size
            return f"{count:.2g} {unit}" if count < 10 else f"{count:,.0f} {unit}"
    return f"10<sup>{log10_seconds - math.log10(YEAR):.0f}</sup> years"


class Maps(NamedTuple):
    """A digit's integral over the latent plane, and two pictures of p(z | x): the whole plane, and where it is."""

    exact: Summed
    whole: bytes
    near: bytes
    window: Window
    mean: list[float]  # the encoder's
    std: list[float]
    prior_share: float  # of the prior's mass on the smallest part of the plane that holds 99% of the posterior


@st.cache_resource(show_spinner="Summing up over the plane", max_entries=10)
def maps(digit: int) -> Maps:
    """The integral in cells that are small where they matter; a plain grid only draws the whole plane."""
    model, x = network(), digits()[digit : digit + 1]
    with torch.inference_mode():
        q = model.encode(x)
        plane = log_joint(model, x, square((-REACH, -REACH), 2 * REACH, SIDE)).view(SIDE, SIDE)
    exact = integrate(model, x)
    mean, std = q.mean[0].tolist(), q.std[0].tolist()
    window = window_about(exact, mean, std)
    whole = picture(1 + (plane - plane.max()) / DEPTH)
    return Maps(exact, whole, picture(near(exact, window)), window, mean, std, prior_share(exact))


def window_about(exact: Summed, mean: list[float], std: list[float]) -> Window:
    """A square of whole cells that holds the posterior and the encoder's Gaussian, 3 standard deviations each way."""
    centres = torch.stack([exact.mean, torch.tensor(mean, dtype=torch.float64)])
    widths = torch.stack([exact.covariance.diagonal().sqrt(), torch.tensor(std, dtype=torch.float64)])
    inside = exact.z[exact.share > 1e-5 * exact.share.max()]
    low = torch.minimum((centres - 3 * widths).amin(0), inside.amin(0))
    high = torch.maximum((centres + 3 * widths).amax(0), inside.amax(0))
    cell, side = float(exact.side.min()), 1.05 * float((high - low).max())
    left, bottom = (((low + high - side) / 2 + REACH) / cell).floor().mul(cell).sub(REACH).tolist()
    return Window((left, bottom), (math.ceil(side / cell) + 1) * cell)


def near(exact: Summed, window: Window) -> Tensor:
    """The density on the window's finest cells, relative to its highest: [n, n], latent 2 in the rows. In all the
    larger cells it is nothing."""
    cell = exact.side.min()
    count = round(window.side / float(cell))
    place = ((exact.z - torch.tensor(window.low)) / cell).floor().long()
    inside = ((place >= 0) & (place < count)).all(1) & (exact.side == cell)
    cells = torch.zeros(count, count, dtype=torch.float64)
    cells[place[inside, 1], place[inside, 0]] = exact.share[inside] / exact.share.max()
    return cells


def picture(share: Tensor) -> bytes:
    """Values in [0, 1] with latent 2 rising in the rows and latent 1 in the columns -> a PNG, latent 2 upward."""
    return png(torch.from_numpy(coloured(share.flip(0).numpy())).permute(2, 0, 1))


def prior_share(exact: Summed, mass: float = 0.99) -> float:
    """How much of the prior lies on the cells that hold `mass` of the posterior, the densest first."""
    area = exact.side**2
    order = (exact.share / area).argsort(descending=True)
    held = order[: int((exact.share[order].cumsum(0) < mass).sum()) + 1]
    log_prior = -0.5 * (exact.z[held] ** 2).sum(1) - math.log(2 * math.pi)
    return float((log_prior.exp() * area[held]).sum())


def needed(line: Line, counts: list[int] | tuple[int, ...], error: float) -> int | None:
    """The smallest measured number of draws from which on the median error stays below `error`; None: none did."""
    below = [median < error for median in line.median]
    last = max((place for place, good in enumerate(below) if not good), default=-1)
    return None if last + 1 == len(below) else int(counts[last + 1])
