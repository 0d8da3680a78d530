"""What the lesson on variational inference keeps: fits, stored bounds, draws for one picture, a linear training."""

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
from ui.lessons import read_results
from vae_core.data import ImageSource, dataset
from vae_core.data.binarise import Binarised
from vae_core.errors import InvalidInput
from vae_core.exact.cells import Summed, integrate, log_joint, square
from vae_core.exact.curve import CurveModel
from vae_core.exact.fits import Fits, diagonal_fit, gaussian_fits, kl_between
from vae_core.exact.ppca import PPCA, LinearVAE, fit_ppca
from vae_core.folders import ASSETS
from vae_core.latent.pca import Moments, moments
from vae_core.metrics.importance import bound_of, effective_samples, log_weights
from vae_core.training.full_batch import glide

RESULTS = ASSETS / "results" / "importance.json"
REMEDY = "Make it again: `python -m benchmarks.importance --write`."
DRAWS = 5000
CELLS = 72  # of the heat map of a posterior, along a side
DATA = "mnist"
SMALLER, TRAINED_ON = 2, 10_000  # pPCA: digits averaged down by that factor, and how many of them
STEPS, PACE, EVERY = 2000, 0.04, 10


@st.cache_data(show_spinner=False, max_entries=256)
def fits(curve: str, sigma: float, x: tuple[float, float]) -> Fits:
    """The Gaussians nearest to p(z | x) of a model on a curve, in both directions of the KL."""
    return gaussian_fits(CurveModel(curve, sigma), torch.tensor(x, dtype=torch.float64))


class Tilted(NamedTuple):
    """A Gaussian in the plane, about 0, and how far it is from a correlated one in either direction, nats."""

    name: str
    covariance: np.ndarray  # [2, 2]
    reverse: float  # KL(q || p)
    forward: float  # KL(p || q)


def tilted(correlation: float) -> list[Tilted]:
    """A correlated Gaussian with widths 1, and the nearest ones: diagonal in both directions of the KL, and full."""
    p = torch.tensor([[1.0, correlation], [correlation, 1.0]], dtype=torch.float64)
    zero = torch.zeros(2, dtype=torch.float64)
    shown = {
        "p(z|x)": p,
        "least KL(q \u2016 p), diagonal": diagonal_fit(p, reverse=True),
        "least KL(p \u2016 q), diagonal": diagonal_fit(p, reverse=False),
        "full covariance": p,
    }
    return [
        Tilted(name, q.numpy(), abs(kl_between(zero, q, zero, p)), abs(kl_between(zero, p, zero, q)))
        for name, q in shown.items()
    ]


class Row(NamedTuple):
    """What benchmarks/importance.py found for one model, nats per image."""

    title: str
    latent: int
    beta: float
    bound: list[float]
    effective: float
    evidence: float | None

    def verdict(self, most: int) -> str:
        """What `most` samples gained, and what is still missing."""
        words = f"{most:,} samples lift the bound by **{self.bound[-1] - self.bound[0]:.1f} nats**"
        if self.evidence is None:
            return words + ". How much is still missing, nobody knows: here the integral is out of reach."
        missing = self.evidence - self.bound[-1]
        return words + f"; **{missing:.1f} nats** are still missing. Samples of q cannot find what q leaves out."


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
        return found | {"log p(x)": ["unknown" if row.evidence is None else _nats(row.evidence) for row in every]}


def _nats(value: float) -> str:
    return f"{value:.1f}".replace("-", "\u2212")


@st.cache_resource(show_spinner=False)
def results() -> Measured:
    """The stored bounds of all models. InvalidInput where the file is missing or damaged."""
    found = read_results(RESULTS, REMEDY)
    try:
        rows = {
            str(each["model"]): Row(
                f"{each['latent']} latents, beta {each['beta']:g}", int(each["latent"]), float(each["beta"]),
                [float(value) for value in each["bound"]], float(each["effective"]), each.get("evidence"),
            )
            for each in found["models"]
        }  # fmt: skip
        measured = Measured([int(count) for count in found["samples"]], int(found["images"]), int(found["seed"]), rows)
        assert (
            rows
            and {1, 100} <= set(measured.samples)
            and all(len(row.bound) == len(measured.samples) for row in rows.values())
        )
    except (KeyError, TypeError, ValueError, AttributeError, AssertionError) as error:
        raise InvalidInput(f"{RESULTS} cannot be used ({type(error).__name__}: {error}). {REMEDY}") from error
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
        """How much the samples tell; the error of log (1/K) sum w is about its relative error."""
        error = math.sqrt(max(0.0, 1 / self.effective - 1 / DRAWS))
        return (
            f"Of {DRAWS:,} samples as many count as **{self.effective:,.0f}** equal ones would. All of them make one "
            f"group of {DRAWS:,}: the last point may be off by about {error:.2f} nats, upwards too."
        )

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
    yield 1.0, "Done", Draws(name, image, x, bounds, effective_samples(weights).item(), plane, heat, window, q)


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
