"""What the lesson on the reparameterisation trick computes: descents of a Gaussian, variances, three VAEs."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import streamlit as st
import torch
from torch import Tensor
from torch.distributions import Normal

from ui.cache import held_out
from ui.figures import INACTIVE
from ui.jobs import Work
from ui.lessons.reduction import training_images
from ui.palette import RUN_COLOURS
from vae_core.data import ImageSource, dataset
from vae_core.data.subset import subset
from vae_core.exact.point import (
    TARGET,
    Descent,
    Measured,
    Settings,
    descend,
    measured_variance,
    noises,
    variance,
)
from vae_core.losses import kl_to_standard_normal
from vae_core.models import VAE
from vae_core.models.base import LossTerms
from vae_core.objective import PLAIN, Context
from vae_core.training.full_batch import glide
from vae_core.training.held_out import held_out_terms

DATA = "mnist"
DRAWS = ("1", "2", "4", "16", "64")
RATES = ("0.005", "0.01", "0.02", "0.05")
FIXED, LEARNED, WITH_KL = "fixed at 1", "learned", "learned, with KL"
WIDTHS = {FIXED: (False, 0.0), LEARNED: (True, 0.0), WITH_KL: (True, 1.0)}
STEPS = 150


class Look(NamedTuple):
    """How an estimator is named and drawn, everywhere on the page."""

    title: str
    short: str
    words: str
    colour: str
    from_draws: bool
    symbol: str


LOOKS = {
    "pathwise": Look(
        "Pathwise (the trick)", "pathwise", "Each draw says where down is.", RUN_COLOURS[0], True, "circle"
    ),
    "score": Look(
        "Score function", "score function", "Each draw pushes the mean away, by its loss.", RUN_COLOURS[1], False,
        "square",
    ),
    "baseline": Look(
        "Score function, baseline", "with a baseline", "The same, by its loss less the mean loss.", RUN_COLOURS[3],
        False, "diamond",
    ),
    "leave-one-out": Look("Score function, leave-one-out", "leave-one-out", "", RUN_COLOURS[2], False, "x"),
}  # fmt: skip
ON_THE_PLANE = ("pathwise", "score", "baseline")

# ---------------------------------------------------------------- the toy problem


@st.cache_resource(show_spinner=False, max_entries=64)
def ways(settings: Settings) -> tuple[dict[str, Descent], np.ndarray]:
    """The descents of the estimators on the plane, and the noise [T + 1, K, 2] that they share."""
    return {name: descend(name, settings) for name in ON_THE_PLANE}, noises(settings)


@dataclass(frozen=True)
class Spread:
    """Variances of an estimator: where they were measured, and the closed form."""

    places: list[float]  # numbers of draws, or distances
    measured: list[Measured]
    exact: list[float]


REPEATS, COUNTS = 2000, (1, 2, 4, 8, 16, 32, 64)
DISTANCES = (0.0, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0)
FAR = float(np.hypot(*TARGET))  # from (0, 0) to the target


def _place(distance: float) -> np.ndarray:
    """A mean so far from the target; the direction makes no difference."""
    return np.array(TARGET) - np.array([distance, 0.0])


def _spread(name: str, pairs: list[tuple[int, float]], places: list[float]) -> Spread:
    """At pairs of a number of draws and a distance; sigma 1."""
    goal = np.array(TARGET)
    return Spread(
        places,
        [measured_variance(name, _place(far), 1.0, goal, draws, REPEATS) for draws, far in pairs],
        [variance(name, _place(far), 1.0, goal, draws) for draws, far in pairs],
    )


@st.cache_resource(show_spinner=False)
def over_draws() -> dict[str, Spread]:
    """Variance against the number of draws, at (0, 0)."""
    counts = {name: [k for k in COUNTS if k > 1 or name != "leave-one-out"] for name in LOOKS}
    return {name: _spread(name, [(k, FAR) for k in counts[name]], [float(k) for k in counts[name]]) for name in LOOKS}


@st.cache_resource(show_spinner=False)
def over_distance() -> dict[str, Spread]:
    """Variance of an estimate from one draw against the distance to the target."""
    return {name: _spread(name, [(1, far) for far in DISTANCES], list(DISTANCES)) for name in ON_THE_PLANE}


# ---------------------------------------------------------------- the same in a VAE


class SampledInside(VAE):
    """A VAE whose draw is a plain number to the decoder, as `sample()` gives it: the reconstruction sends no gradient
    to the encoder, only the KL does."""

    title = "VAE, sampled inside"

    def recon_per_image(self, x: Tensor, z: Tensor) -> Tensor:
        return super().recon_per_image(x, z.detach())


class ByScoreFunction(VAE):
    """The draw is a plain number here, too, but what the reconstruction wants of the encoder is estimated by the score
    function; the baseline of a picture is the mean over the other pictures of its batch."""

    title = "VAE, score function"

    def loss(self, x: Tensor, labels: Tensor | None = None, context: Context = PLAIN) -> LossTerms:
        posterior = self.encode(x)
        assert posterior.logvar is not None
        z = posterior.sample(context).detach()
        recon = self.recon_per_image(x, z)
        excess = (recon - recon.mean()).detach() * len(x) / max(1, len(x) - 1)
        score = (excess * Normal(posterior.mean, posterior.std).log_prob(z).sum(1)).mean()
        kl_per_latent = kl_to_standard_normal(posterior.mean, posterior.logvar).mean(0)  # [Z]
        total = recon.mean() + self.config.beta * context.penalty(kl_per_latent)
        return LossTerms(total + score - score.detach(), recon.mean(), kl_per_latent.sum(), kl_per_latent)


class Contestant(NamedTuple):
    title: str
    kind: type[VAE]
    colour: str
    dash: str


CONTESTANTS = {
    "trick": Contestant("with the trick", VAE, RUN_COLOURS[0], "solid"),
    "score": Contestant("score function, baseline", ByScoreFunction, RUN_COLOURS[3], "dash"),
    "inside": Contestant("sampled inside", SampledInside, INACTIVE, "dot"),
}
SETTINGS: dict[str, Any] = {"latent": 10, "hidden": (256,)}
VAE_STEPS, BATCH, EVERY, PACE = 500, 64, 25, 2e-3
LOOKED_AT = 1000  # held-out images for the curves


@dataclass
class Race:
    """Three VAEs from the same weights, on the same batches with the same noise, as they are trained."""

    start: int  # the seed
    models: dict[str, VAE]
    steps: list[int] = field(default_factory=list)
    elbo: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in CONTESTANTS})
    kl: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in CONTESTANTS})
    ended: bool = False

    @property
    def known(self) -> int:
        """How much there is to be drawn: what comes last is noted last."""
        return len(self.steps)


def new_race(start: int) -> Race:
    """The three with one set of weights."""
    config = VAE.Config(image=dataset(DATA).shape, **SETTINGS)
    first = VAE(config)
    weigh(first, torch.Generator().manual_seed(start))
    models = {name: contestant.kind(config) for name, contestant in CONTESTANTS.items()}
    for model in models.values():
        model.load_state_dict(first.state_dict())
    return Race(start, models)


def weigh(model: VAE, noise: torch.Generator) -> None:
    """New weights for the linear layers, spread as PyTorch spreads them, uniformly up to 1 / sqrt(inputs); from a
    generator of their own, for the global one is every visitor's."""
    for layer in model.modules():
        if isinstance(layer, torch.nn.Linear):
            bound = layer.in_features**-0.5
            for parameter in layer.parameters():
                torch.nn.init.uniform_(parameter, -bound, bound, generator=noise)


def look(race: Race, step: int, source: ImageSource) -> None:
    """ELBO and KL of each on held-out images, nats per image."""
    for name, model in race.models.items():
        terms = held_out_terms(model, source, torch.device("cpu"))  # type: ignore[arg-type]
        race.elbo[name].append(terms["elbo"])
        race.kl[name].append(terms["kl"])
    race.steps.append(step)


def run(race: Race) -> Work:
    """Train the three in turn, a few steps each."""
    yield 0.0, "Opening the training images"
    source, watched = training_images(), subset(held_out(DATA), images=LOOKED_AT)
    look(race, 0, watched)
    began = time.monotonic()
    for stages in zip(*(_steps(model, source, race.start) for model in race.models.values()), strict=True):
        step = stages[0].step
        look(race, step, watched)
        left = (time.monotonic() - began) / step * (VAE_STEPS - step)
        yield step / VAE_STEPS, f"Step {step} of {VAE_STEPS}, about {left:.0f} s more"
    race.ended = True


def _steps(model: VAE, source: ImageSource, seed: int) -> Any:
    """The training of one; a seed fixes its batches and its noise."""
    noise = torch.Generator().manual_seed(seed)

    def loss() -> Tensor:
        index = torch.randint(len(source), (BATCH,), generator=noise)
        return model.loss(source.images(index), context=Context(generator=noise)).total

    return glide(model, loss, VAE_STEPS, PACE, EVERY)


@torch.inference_mode()
def reconstructed(model: VAE, x: Tensor) -> Tensor:
    """Held-out images [B, C, H, W] through the mean of their posterior."""
    return model.decode(model.encode(x).mean)
