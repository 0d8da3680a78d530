"""What the lesson on variational inference keeps: stored bounds, draws for one picture, a linear training."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import streamlit as st
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from ui.cache import checkpoint, held_out
from ui.figures.reduction import signed_pictures
from ui.jobs import Work
from ui.lessons import expect, read_results, usable
from ui.sheet.axes import minus
from vae_core.data import ImageSource, dataset
from vae_core.data.binarise import Binarised
from vae_core.exact.cells import Summed, integrate, log_joint, square
from vae_core.exact.importance import effective_sample_size
from vae_core.exact.ppca import PPCA, LinearVAE, fit_ppca
from vae_core.folders import ASSETS
from vae_core.latent.pca import Moments, moments
from vae_core.metrics.importance import bound_of, log_weights
from vae_core.training.full_batch import glide

RESULTS = ASSETS / "results" / "importance.json"
REMEDY = "Make it again: `python -m benchmarks.importance --write`."
DRAWS = 5000
FAR = 1.0  # nats from log p(x) that are too many for more samples to bring
TOO_FEW = 50  # equal samples; the spread of fewer says little
CELLS = 72  # of the heat map of a posterior, along a side
DATA = "mnist"
SMALLER, TRAINED_ON = 2, 10_000  # pPCA: digits averaged down by that factor, and how many of them
STEPS, PACE, EVERY = 2000, 0.04, 10


class Row(NamedTuple):
    """What benchmarks/importance.py found for one model, nats per image."""

    title: str
    latent: int
    beta: float
    bound: list[float]
    effective: float  # how many equal ones the most samples count as, median over images
    evidence: float | None

    def verdict(self, most: int) -> str:
        """What `most` samples gained, and what is still missing."""
        words = (
            f"{most:,} samples lift the bound by **{self.bound[-1] - self.bound[0]:.1f} nats**; on the median image "
            f"they count as {self.effective:,.0f} equal ones. "
        )
        if self.evidence is None:
            return words + "How much is still missing, nobody knows: here the integral is out of reach."
        missing = self.evidence - self.bound[-1]
        words += f"**{missing:.1f} nats** are still missing"
        return words + (": to find them would need very many more samples." if missing > FAR else ".")


class Measured(NamedTuple):
    samples: list[int]
    images: int
    seed: int  # of the binarisation
    rows: dict[str, Row]  # by the model's name

    @property
    def columns(self) -> dict[str, list[str]]:
        """The bounds of all models at a few K, and what is bounded, as texts."""
        shown = {"ELBO": 1, "K = 100": 100, f"K = {self.samples[-1]:,}": self.samples[-1]}
        every = self.rows.values()
        found = {head: [_nats(row.bound[self.samples.index(k)]) for row in every] for head, k in shown.items()}
        return found | {"log p(x)": ["?" if row.evidence is None else _nats(row.evidence) for row in every]}


def _nats(value: float) -> str:
    return minus(f"{value:.1f}")


@st.cache_resource(show_spinner=False)
def results() -> Measured:
    """The stored bounds of all models. InvalidInput where the file is missing or damaged."""
    found = read_results(RESULTS, REMEDY)
    with usable(RESULTS, REMEDY):
        rows = {
            str(each["model"]): Row(
                f"{each['latent']} latents, beta {each['beta']:g}", int(each["latent"]), float(each["beta"]),
                [float(value) for value in each["bound"]], float(each["effective"]), each.get("evidence"),
            )
            for each in found["models"]
        }  # fmt: skip
        measured = Measured([int(count) for count in found["samples"]], int(found["images"]), int(found["seed"]), rows)
        expect(
            rows
            and {1, 100} <= set(measured.samples)
            and all(len(row.bound) == len(measured.samples) for row in rows.values())
        )
    return measured


def binarised() -> Binarised:
    """The held-out digits in black and white, as the benchmark drew them."""
    return Binarised(held_out(DATA), results().seed)


@dataclass
class Draws:
    """Samples of q(z | x) for one picture, and what they say of log p(x)."""

    name: str
    image: int
    picture: Tensor  # [1, C, H, W], binarised
    bound: list[float]  # at each K of the stored ones, averaged over as many groups of K as there are draws for
    effective: float
    plane: Summed | None  # of a model with two latents
    heat: np.ndarray | None  # [n, n] density of p(z | x) over the window
    window: tuple[float, float, float] | None  # left, bottom, side
    q: tuple[Tensor, Tensor]  # mean and standard deviation [Z]

    @property
    def worth(self) -> str:
        """How much the samples tell; log (1/K) sum w moves by about the relative error of the mean weight."""
        chance = math.sqrt(max(0.0, 1 / self.effective - 1 / DRAWS))
        words = (
            f"The {DRAWS:,} samples count as **{self.effective:,.0f}** equal ones. They are one group of {DRAWS:,}: "
            f"chance alone moves the last point by about {chance:.2f} nats"
        )
        words += ", and with so few that number cannot be trusted." if self.effective < TOO_FEW else "."
        if self.plane is None:
            return words + " What q never visits does not show in it."
        below = self.plane.evidence - self.bound[-1]
        return words + f" In truth it lies **{abs(below):.2f} nats** {'below' if below >= 0 else 'above'} log p(x)."

    @property
    def told(self) -> str:
        """What the heat map shows."""
        if self.plane is None:
            return ""
        return (
            f"Bright: the exact posterior, from {self.plane.codes:,} decoded places of the plane; lines: q(z|x) at 1 "
            f"and 2 standard deviations. KL(q \u2016 p(z|x)) = {self.plane.evidence - self.bound[0]:.2f} nats."
        )


@torch.inference_mode()
def draw(name: str, image: int, seed: int) -> Iterator[tuple[float, str, Draws | None]]:
    """Draw from q(z | x), and sum up over the plane where there is one: yields (share, what is done, None), at last the
    result."""
    model: Any = checkpoint(name).model
    x = binarised().images(torch.tensor([image]))
    parts: list[Tensor] = []
    share = 0.5 if model.config.latent == 2 else 1.0
    generator = torch.Generator().manual_seed(seed)
    for part in log_weights(model, x, DRAWS, generator):
        parts.append(part)
        done = sum(each.shape[1] for each in parts)
        yield share * done / DRAWS, f"{done:,} of {DRAWS:,} samples of q", None
    weights = torch.cat(parts, dim=1)
    bounds = [bound_of(weights, count).item() for count in results().samples]
    posterior = model.encode(x)
    q = posterior.mean[0], posterior.std[0]
    plane, heat, window = None, None, None
    if model.config.latent == 2:
        yield share, "The integral over the plane", None
        plane = integrate(model, x)
        window = _window(plane, *q)
        codes = square(window[:2], window[2], CELLS)
        heat = (log_joint(model, x, codes) - plane.evidence).exp().view(CELLS, CELLS).numpy()
    yield 1.0, "Done", Draws(name, image, x, bounds, effective_sample_size(weights).item(), plane, heat, window, q)


def _window(plane: Summed, mean: Tensor, std: Tensor) -> tuple[float, float, float]:
    """A square that holds the posterior and q: left, bottom, side."""
    wide = plane.covariance.diagonal().sqrt()
    low = torch.minimum(plane.mean - 3.5 * wide, mean - 3 * std)
    high = torch.maximum(plane.mean + 3.5 * wide, mean + 3 * std)
    side = float((high - low).max())
    left, bottom = ((low + high) / 2 - side / 2).tolist()
    return left, bottom, side


class Smaller:
    """Images averaged down, and only the first of them."""

    def __init__(self, source: ImageSource, most: int) -> None:
        self.source, self.most = source, min(most, len(source))

    def __len__(self) -> int:
        return self.most

    def images(self, index: Tensor) -> Tensor:
        return avg_pool2d(self.source.images(index), SMALLER)


Bell = tuple[np.ndarray, np.ndarray]  # mean [2] and covariance [2, 2]


def _in_two(mean: Tensor, covariance: Tensor) -> Bell:
    return mean[0, :2].numpy(), covariance[:2, :2].numpy()


class Linear(NamedTuple):
    """What probabilistic PCA knows of the digits with one number of latents."""

    moments: Moments
    ppca: PPCA
    best: float  # log p(x) averaged over the training images
    held_out: Tensor  # [N, P]
    known: float  # log p(x) averaged over the held-out images
    posterior: Bell  # of the first held-out image, in the first two latents


def _small(nats: float) -> str:
    return f"{nats:.4f} nats" if nats >= 1e-4 else "less than 0.0001 nats"


@st.cache_resource(show_spinner="Averaging the digits")
def small_moments() -> Moments:
    return moments(Smaller(dataset(DATA).load("train"), TRAINED_ON))


@st.cache_resource(show_spinner=False, max_entries=8)
def linear(latent: int) -> Linear:
    """The maximum of pPCA's likelihood, in closed form."""
    found = small_moments()
    ppca = fit_ppca(found.mean, found.covariance, latent)
    test = Smaller(held_out(DATA), TRAINED_ON)
    x = test.images(torch.arange(len(test))).flatten(1)
    best = ppca.mean_log_evidence(found.mean, found.covariance)
    return Linear(found, ppca, best, x, ppca.log_evidence(x).mean().item(), _in_two(*ppca.posterior(x[:1])))


class Ellipses(NamedTuple):
    """The posterior of one picture in two latents, exact for the decoder as it is, and q."""

    exact: Bell
    q: Bell


@dataclass
class LinearTrace:
    """A training of the linear VAE as it goes."""

    latent: int
    seed: int
    steps: list[int] = field(default_factory=list)
    elbo: list[float] = field(default_factory=list)  # nats per image, all training images
    evidence: list[float] = field(default_factory=list)  # of its own decoder, exact
    ellipses: list[Ellipses] = field(default_factory=list)
    widths: tuple[np.ndarray, np.ndarray] | None = None  # exact and q's standard deviations [Z]
    decoder: Tensor | None = None  # W [P, Z]
    held_out: float | None = None  # log p(x) by its decoder, when it is done
    ended: bool = False

    @property
    def known(self) -> int:
        """How much can be drawn; what comes last is noted last."""
        return len(self.ellipses)

    @property
    def told(self) -> str:
        """How the training ended."""
        if not self.known:
            return "Stopped before the first step."
        found = linear(self.latent)
        words = (
            f"{'Trained' if self.ended else 'Stopped'} after {self.steps[-1]} steps: the ELBO lies "
            f"**{_small(self.evidence[-1] - self.elbo[-1])}** below log p(x), and that "
            f"**{_small(found.best - self.evidence[-1])}** below pPCA's maximum."
        )
        if self.held_out is not None:
            words += f" On all held-out images: {self.held_out:.2f}, pPCA {found.known:.2f}."
        if self.widths is not None:
            apart = float(np.abs(self.widths[0] / self.widths[1] - 1).max())
            words += f" The widths of q and of the exact posterior differ by {apart:.2%} at most."
        return words


def train_linear(trace: LinearTrace) -> Work:
    """Train the linear VAE from random weights on the ELBO over all training images at once."""
    yield 0.0, "Averaging the digits"
    found = linear(trace.latent)
    mean, covariance, _ = found.moments
    model = LinearVAE(len(mean), trace.latent, torch.Generator().manual_seed(trace.seed))
    _note(trace, 0, model, found.moments, found.held_out[:1])
    began = time.monotonic()
    for step, _ in glide(model, lambda: model.negative_elbo(covariance), STEPS, PACE, EVERY):
        _note(trace, step, model, found.moments, found.held_out[:1])
        left = (time.monotonic() - began) / step * (STEPS - step)
        yield step / STEPS, f"Step {step} of {STEPS}, about {left:.0f} s more"
    trace.held_out = model.as_ppca(mean).log_evidence(found.held_out).mean().item()
    trace.ended = True


@torch.no_grad()
def _note(trace: LinearTrace, step: int, model: LinearVAE, data: Moments, picture: Tensor) -> None:
    """Look at where the model stands: its bound, what is bounded, and the posterior of one picture."""
    own = model.as_ppca(data.mean)
    (exact_mean, exact), (q_mean, q) = own.posterior(picture), model.posterior(picture - data.mean)
    trace.steps.append(step)
    trace.elbo.append(-model.negative_elbo(data.covariance).item())
    trace.evidence.append(own.mean_log_evidence(data.mean, data.covariance))
    trace.decoder = own.weights
    trace.widths = (exact.diagonal().sqrt().numpy(), q.diagonal().sqrt().numpy())
    trace.ellipses.append(Ellipses(_in_two(exact_mean, exact), _in_two(q_mean, q)))


def bases(ppca: PPCA, decoder: Tensor | None) -> tuple[Tensor, Tensor | None, list[float] | None]:
    """The columns of pPCA's W as pictures [Z, 3, H, W], those of another decoder beside them, the longest first and
    turned to the same sign, and |cos| between the two [Z]."""

    def pictures(weights: Tensor) -> Tensor:
        side = dataset(DATA).shape[1] // SMALLER
        return torch.from_numpy(signed_pictures(weights.T.numpy(), side, side))

    theirs = ppca.weights
    if decoder is None:
        return pictures(theirs), None, None
    ours = decoder[:, decoder.norm(dim=0).argsort(descending=True)]
    cosines = (torch.nn.functional.normalize(ours, dim=0) * torch.nn.functional.normalize(theirs, dim=0)).sum(0)
    return pictures(theirs), pictures(ours * cosines.sign()), cosines.abs().tolist()
