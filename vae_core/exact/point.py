"""A Gaussian that looks for a point: the smallest case in which a gradient has to pass through a draw.

Minimise L = E ||x - t||^2 over x ~ N(mean, diag(sigma^2)), as in the lecture's toy problem. Everything is known here,
L = ||mean - t||^2 + sum sigma^2 and its gradient too, so that estimates of the gradient can be held against the truth.
D is the dimension (2 on the page), K the draws of one estimate, T the steps of a descent. No number has a unit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from vae_core.errors import InvalidInput

TARGET = (5.0, 5.0)
ESTIMATORS = ("pathwise", "score", "baseline", "leave-one-out")
LOST = 1e3  # a mean or a width beyond this, or a width below one over it: the descent has run away
MOST_DRAWS, MOST_STEPS = 1024, 10_000
CHUNK = 200_000  # draws at a time, where very many are needed
PARTS = 20  # into which repetitions are split to see how sure their variance is


class Gradient(NamedTuple):
    """The gradient of the loss for the two parameters of a Gaussian with a diagonal covariance; [..., D] each."""

    mean: np.ndarray
    log_sigma: np.ndarray


def squared_distance(x: np.ndarray, target: np.ndarray) -> np.ndarray:
    """||x - t||^2 of points [..., D]: [...]."""
    return np.square(x - target).sum(-1)


def expected_loss(mean: np.ndarray, sigma: np.ndarray, target: np.ndarray) -> float:
    """L = E ||x - t||^2 in closed form, for mean [D] and sigma [D]."""
    return float(squared_distance(mean, target) + np.square(sigma).sum())


def exact_gradient(mean: np.ndarray, sigma: np.ndarray, target: np.ndarray) -> Gradient:
    """The gradient of L in closed form: 2 (mean - t), and 2 sigma^2 for log sigma."""
    return Gradient(2 * (mean - target), 2 * np.square(sigma))


def kl_gradient(mean: np.ndarray, sigma: np.ndarray) -> Gradient:
    """The gradient of KL(N(mean, sigma^2) || N(0, I)), which needs no draw (Kingma and Welling 2014, appendix B)."""
    return Gradient(mean, np.square(sigma) - 1)


def pathwise(mean: np.ndarray, sigma: np.ndarray, target: np.ndarray, noise: np.ndarray) -> Gradient:
    """What each draw says by the reparameterisation x = mean + sigma * noise: the gradient of the loss at x, handed on
    through that sum (Kingma and Welling 2014, section 2.4). Noise is [..., K, D], so is each gradient."""
    downhill = 2 * (mean + sigma * noise - target)
    return Gradient(downhill, downhill * sigma * noise)


def score_function(
    mean: np.ndarray, sigma: np.ndarray, target: np.ndarray, noise: np.ndarray, baseline: str = "none"
) -> Gradient:
    """What each draw says by the score function: its loss, less a baseline, times the gradient of log N(x) (REINFORCE,
    Williams 1992). The loss is only evaluated, never differentiated. Noise is [..., K, D], so is each gradient.

    A baseline that does not know the draw leaves the expectation as it is. "mean" is the expected loss, known here;
    "others" the mean loss of the K - 1 other draws, which needs no knowledge (Kool, van Hoof and Welling 2019).
    """
    losses = squared_distance(mean + sigma * noise, target)  # [..., K]
    if baseline == "mean":
        losses = losses - expected_loss(mean, sigma, target)
    elif baseline == "others":
        count = losses.shape[-1]
        losses = (losses - losses.mean(-1, keepdims=True)) * count / (count - 1)
    weights = losses[..., None]
    return Gradient(weights * noise / sigma, weights * (np.square(noise) - 1))


def each_draw(estimator: str, mean: np.ndarray, sigma: np.ndarray, target: np.ndarray, noise: np.ndarray) -> Gradient:
    """The gradients [..., K, D] of which an estimate is the mean over K, by the name of the estimator."""
    require_estimator(estimator, noise.shape[-2])
    if estimator == "pathwise":
        return pathwise(mean, sigma, target, noise)
    baseline = {"score": "none", "baseline": "mean", "leave-one-out": "others"}[estimator]
    return score_function(mean, sigma, target, noise, baseline)


def require_estimator(estimator: str, draws: int) -> None:
    if estimator not in ESTIMATORS:
        raise InvalidInput(f"There is no estimator {estimator[:60]!r}; there are: {', '.join(ESTIMATORS)}.")
    if draws < (least := 2 if estimator == "leave-one-out" else 1) or draws > MOST_DRAWS:
        raise InvalidInput(f"{draws} draws for one {estimator} estimate; allowed: {least} to {MOST_DRAWS}.")


# ---------------------------------------------------------------- how much an estimate varies


def variance(estimator: str, mean: np.ndarray, sigma: float, target: np.ndarray, draws: int) -> float:
    """The variance of an estimate of the gradient for the mean, summed over its D entries, in closed form.

    With a = ||mean - t||^2 and one sigma for all D directions; from the moments of a standard normal, E r^n of
    r = ||noise||^2. The pathwise one, 4 D sigma^2 / K, does not know how far the target is.
    """
    require_estimator(estimator, draws)
    a, d, s = float(squared_distance(mean, target)), len(mean), sigma**2
    if estimator == "pathwise":
        return 4 * d * s / draws
    # For a constant baseline b, with c = a - b: E ||g||^2 less the squared norm 4 a of the true gradient.
    c = a if estimator == "score" else -d * s
    second = c**2 * d / s + 4 * a * (d + 2) + s * d * (d + 2) * (d + 4) + 2 * c * d * (d + 2)
    one = second - 4 * a
    if estimator != "leave-one-out":
        return one / draws
    # A U-statistic of pairs: the others' mean loss varies, too, which costs a term that falls with K^2.
    of_losses = 4 * s * a + 2 * d * s**2
    return one / draws + (4 * a + of_losses * d / s) / (draws * (draws - 1))


class Measured(NamedTuple):
    """A variance that was measured, and its standard error."""

    value: float
    error: float


def measured_variance(
    estimator: str, mean: np.ndarray, sigma: float, target: np.ndarray, draws: int, repeats: int, seed: int = 0
) -> Measured:
    """The same by repeating the estimate: the mean squared distance to the true gradient over so many repetitions.
    Its standard error comes from the spread over `PARTS` parts of them."""
    rng, true = np.random.default_rng(seed), exact_gradient(mean, np.full_like(mean, sigma), target).mean
    size = max(1, CHUNK // draws)
    found = []
    for begin in range(0, repeats, size):
        noise = rng.standard_normal((min(size, repeats - begin), draws, len(mean)))
        estimates = each_draw(estimator, mean, np.full_like(mean, sigma), target, noise).mean.mean(-2)  # [R, D]
        found.append(np.square(estimates - true).sum(-1))
    squares = np.concatenate(found)
    parts = [part.mean() for part in np.array_split(squares, PARTS)]
    return Measured(float(squares.mean()), float(np.std(parts, ddof=1) / math.sqrt(PARTS)))


# ---------------------------------------------------------------- descending


@dataclass(frozen=True)
class Settings:
    """How the Gaussian looks for its target: plain gradient descent on mean and log sigma."""

    draws: int = 1  # K, of each estimate
    rate: float = 0.02  # by which a gradient is multiplied
    steps: int = 150
    start: tuple[float, ...] = (0.0, 0.0)
    sigma: float = 1.0  # fixed, or where learning starts
    learns_sigma: bool = False
    kl_weight: float = 0.0  # of KL(N(mean, sigma^2) || N(0, I)), added to the loss
    seed: int = 0

    def __post_init__(self) -> None:
        def require(holds: bool, what: str, allowed: str) -> None:
            if not holds:
                raise InvalidInput(f"{what} is {getattr(self, what)!r}; allowed: {allowed}.")

        require(1 <= self.draws <= MOST_DRAWS, "draws", f"1 to {MOST_DRAWS}")
        require(1 <= self.steps <= MOST_STEPS, "steps", f"1 to {MOST_STEPS}")
        require(0 < self.rate <= 1, "rate", "a number above 0, up to 1")
        require(0 < self.sigma <= LOST, "sigma", f"a number above 0, up to {LOST:g}")
        require(0 <= self.kl_weight <= LOST, "kl_weight", f"0 to {LOST:g}")
        require(len(self.start) == len(TARGET) and all(abs(v) <= LOST for v in self.start), "start",
                f"{len(TARGET)} numbers of at most {LOST:g}")  # fmt: skip
        require(self.seed >= 0, "seed", "0 or more")


class Descent(NamedTuple):
    """The way of one estimator. Where it runs away it stays at the last place that could be told."""

    means: np.ndarray  # [T + 1, D]
    sigmas: np.ndarray  # [T + 1, D]
    gradients: np.ndarray  # [T + 1, K, D] for the mean, what each draw says at each place
    lost: int | None  # the step that left everything behind
    cause: str | None  # what left: "mean", or "width" where sigma became too small or too large


def noises(settings: Settings) -> np.ndarray:
    """Standard normal noise [T + 1, K, D]: the same for every estimator, so that only the estimator differs."""
    shape = (settings.steps + 1, settings.draws, len(settings.start))
    return np.random.default_rng(settings.seed).standard_normal(shape)


def descend(estimator: str, settings: Settings, target: tuple[float, ...] = TARGET) -> Descent:
    """Follow the estimates of one estimator for `settings.steps` steps."""
    goal, noise = np.array(target), noises(settings)
    mean, log_sigma = np.array(settings.start, float), np.full(len(goal), math.log(settings.sigma))
    means, sigmas = np.zeros((2, settings.steps + 1, len(goal)))
    gradients, lost, cause = np.zeros_like(noise), None, None
    for step in range(settings.steps + 1):
        sigma = np.exp(log_sigma)
        means[step], sigmas[step] = mean, sigma
        said = each_draw(estimator, mean, sigma, goal, noise[step])
        gradients[step] = said.mean
        of_kl = kl_gradient(mean, sigma)
        after = mean - settings.rate * (said.mean.mean(0) + settings.kl_weight * of_kl.mean)
        widths = log_sigma
        if settings.learns_sigma:
            widths = log_sigma - settings.rate * (said.log_sigma.mean(0) + settings.kl_weight * of_kl.log_sigma)
        if np.abs(after).max() > LOST:
            cause = "mean"
        elif np.abs(widths).max() > math.log(LOST):
            cause = "width"
        if cause is not None:
            lost = step + 1
            break
        mean, log_sigma = after, widths
    if lost is not None:
        means[lost:], sigmas[lost:], gradients[lost:] = mean, np.exp(log_sigma), 0
    if lost is None or lost > settings.steps:
        return Descent(means, sigmas, gradients, None, None)
    return Descent(means, sigmas, gradients, lost, cause)


def resting_place(kl_weight: float, target: tuple[float, ...] = TARGET) -> tuple[list[float], float]:
    """Where the exact gradient of L + kl_weight * KL vanishes: the mean [D], and sigma."""
    share = 2 / (2 + kl_weight)
    return [share * value for value in target], math.sqrt(kl_weight / (2 + kl_weight))
