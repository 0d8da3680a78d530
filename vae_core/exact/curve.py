"""A latent variable model that can be solved: one latent z, and data x in the plane around a curve f(z).

    z ~ N(0, 1)                     the prior
    x | z ~ N(f(z), sigma^2 I)      the likelihood, x in the plane

Everything about it is an integral over a line, done here by the trapezoidal rule in float64. For smooth functions that
vanish at both ends its error falls exponentially with the spacing, so the answers are right to about 1e-12 as long as
the spacing stays below the width of what is integrated, and all of it lies on the grid: `sigma` has a lower bound for
the one, and an x whose codes lie beyond the grid is refused for the other.
All densities are handled as logarithms, in nats. `z` is a tensor [...], `x` is [..., 2], both of float64.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from vae_core.errors import InvalidInput
from vae_core.exact.importance import Estimates, estimates
from vae_core.losses import kl_to_standard_normal

REACH = 8.0  # the grid covers z from -8 to 8; beyond lies 1e-15 of the prior
NODES = 3201  # of the grid, 0.005 apart
VANISHED = 25.0  # nats below the highest value: so low must p(x, z) be at both ends, or more than 1e-12 may lie beyond
BELL_REACH, BELL_NODES = 10.0, 401  # of a Gaussian q, in its own standard deviations
SMALLEST_SIGMA = 0.05
LONGEST_STEP = 0.2  # of an ascent, in the mean and the log std
LOG_2PI = math.log(2 * math.pi)


class Gaussian1D(NamedTuple):
    """q(z | x): a Gaussian over the one latent."""

    mean: float
    std: float

    def log_density(self, z: Tensor) -> Tensor:
        """log q(z): [...], nats."""
        return log_normal(z, self.mean, self.std)


PRIOR = Gaussian1D(0.0, 1.0)


class Posterior1D(NamedTuple):
    """p(z | x) on the grid of a model."""

    z: Tensor  # [N]
    density: Tensor  # [N], integrates to 1

    @property
    def mean(self) -> float:
        return float(integral(self.density * self.z, self.z))

    @property
    def std(self) -> float:
        return math.sqrt(float(integral(self.density * (self.z - self.mean) ** 2, self.z)))

    @property
    def modes(self) -> Tensor:
        """Where the density has its peaks [M]; those below a thousandth of the highest are left out."""
        inner = self.density[1:-1]
        peak = (inner > self.density[:-2]) & (inner >= self.density[2:]) & (inner > 1e-3 * inner.max())
        return self.z[1:-1][peak]


class Split(NamedTuple):
    """log p(x) in its two parts, nats: `elbo` + `kl` = `log_evidence`."""

    log_evidence: float
    elbo: float  # -(recon + kl_to_prior)
    kl: float  # KL(q || p(z | x)), computed from its own definition, not as the difference
    recon: float  # E_q[-log p(x | z)]
    kl_to_prior: float  # KL(q || N(0, 1))


@dataclass(frozen=True)
class CurveModel:
    """The model for one of CURVES and the noise's standard deviation `sigma`.

    >>> model = CurveModel("horseshoe", sigma=0.4)
    >>> x = torch.tensor([0.0, 1.0], dtype=torch.float64)
    >>> len(model.posterior(x).modes)
    2
    """

    curve: str = "horseshoe"
    sigma: float = 0.4

    def __post_init__(self) -> None:
        if self.curve not in CURVES:
            raise InvalidInput(f"There is no curve {self.curve!r}; choose one of {', '.join(CURVES)}.")
        if not (math.isfinite(self.sigma) and SMALLEST_SIGMA <= self.sigma <= 10):
            raise InvalidInput(f"The noise's sigma is {self.sigma!r}; choose a number from {SMALLEST_SIGMA} to 10.")

    @cached_property
    def grid(self) -> Tensor:
        """The places z [N] where integrals over z are evaluated."""
        return torch.linspace(-REACH, REACH, NODES, dtype=torch.float64)

    @cached_property
    def curve_on_grid(self) -> Tensor:
        """f(z) at these places: [N, 2]."""
        return self.decode(self.grid)

    def decode(self, z: Tensor) -> Tensor:
        """f(z), the mean of p(x | z): [...] -> [..., 2]."""
        return CURVES[self.curve].f(z)

    def log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        """log p(x | z) of x [..., 2] and z [...], which are broadcast against each other: [...], nats."""
        squared = ((x - self.decode(z)) ** 2).sum(-1)
        return -0.5 * squared / self.sigma**2 - LOG_2PI - 2 * math.log(self.sigma)

    def log_joint(self, x: Tensor, z: Tensor) -> Tensor:
        """log p(x, z) = log p(x | z) + log p(z): [...], nats."""
        return self.log_likelihood(x, z) + PRIOR.log_density(z)

    def slope(self, x: Tensor, z: Tensor) -> Tensor:
        """d/dz log p(x, z), which is d/dz log p(z | x) too: [...]."""
        along = CURVES[self.curve].derivative(z)  # f'(z) [..., 2]
        return ((x - self.decode(z)) * along).sum(-1) / self.sigma**2 - z

    def log_evidence(self, x: Tensor) -> Tensor:
        """log p(x) = log of the integral of p(x | z) p(z) over z, for x [..., 2]: [...], nats.

        InvalidInput where an x comes from codes beyond the grid, as it does for `posterior`.
        """
        flat = x.reshape(-1, 2)
        found = [log_integral(self._joint_on_grid(part), self.grid) for part in flat.split(1000)]
        return torch.cat(found).reshape(x.shape[:-1])

    def posterior(self, x: Tensor) -> Posterior1D:
        """p(z | x) = p(x, z) / p(x) on the grid, for one x [2]."""
        joint = self._joint_on_grid(point(x))
        return Posterior1D(self.grid, torch.exp(joint - log_integral(joint, self.grid)))

    def marginal(self, x1: Tensor, x2: Tensor) -> Tensor:
        """The density p(x) over a part of the plane, for axes [W] and [H]: [H, W], row i at x2[i].

        x1 and x2 are independent given z, so this is one product of matrices. For a picture: what codes beyond the grid
        add, 1e-15 of all mass, is left out, and densities below 1e-300 become 0.
        """
        across, down = (
            torch.exp(log_normal(axis.double()[:, None], self.curve_on_grid[:, i], self.sigma))
            for i, axis in enumerate((x1, x2))
        )  # p(x1 | z) [W, N] and p(x2 | z) [H, N]
        step = self.grid[1] - self.grid[0]
        return (down * (torch.exp(PRIOR.log_density(self.grid)) * step)) @ across.T

    def sample(self, count: int, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Draws as the model makes data, first z [N], then x [N, 2] around f(z)."""
        z = torch.randn(count, generator=generator, dtype=torch.float64)
        noise = torch.randn(count, 2, generator=generator, dtype=torch.float64)
        return z, self.decode(z) + self.sigma * noise

    def split(self, x: Tensor, q: Gaussian1D) -> Split:
        """ELBO and KL(q || p(z | x)) for one x [2] and any Gaussian q, each by its own formula."""
        z, weight = bell(q)
        evidence = float(self.log_evidence(point(x)))
        recon = -float((weight * self.log_likelihood(x, z)).sum())
        mean, logvar = (torch.tensor(value, dtype=torch.float64) for value in (q.mean, 2 * math.log(q.std)))
        to_prior = float(kl_to_standard_normal(mean, logvar))
        log_ratio = q.log_density(z) - (self.log_joint(x, z) - evidence)
        return Split(evidence, -(recon + to_prior), float((weight * log_ratio).sum()), recon, to_prior)

    def elbo(self, x: Tensor, q: Gaussian1D) -> float:
        """The evidence lower bound, nats: at most log p(x)."""
        return self.split(x, q).elbo

    def kl(self, x: Tensor, q: Gaussian1D) -> float:
        """KL(q || p(z | x)), nats: what the ELBO lacks; a q that minimises it seeks one mode."""
        return self.split(x, q).kl

    def kl_from_posterior(self, x: Tensor, q: Gaussian1D) -> float:
        """KL(p(z | x) || q), the other way round, nats: its minimiser has the posterior's mean and std, and so covers
        all modes."""
        joint = self._joint_on_grid(point(x))
        log_posterior = joint - log_integral(joint, self.grid)
        density = log_posterior.exp()
        return float(integral(density * (log_posterior - q.log_density(self.grid)), self.grid))

    def elbo_gradient(self, x: Tensor, q: Gaussian1D) -> tuple[float, float]:
        """d ELBO / d mean and d ELBO / d log std, exact (the reparameterised expectation by quadrature)."""
        z, weight = bell(q)
        slope = weight * self.slope(x, z)
        return float(slope.sum()), float((slope * (z - q.mean)).sum()) + 1.0  # + 1: the entropy grows with log std

    def ascend(
        self, x: Tensor, start: Gaussian1D, steps: int = 200, rate: float = 0.3, natural: bool = True,
        enough: float = 0.0,
    ) -> list[Gaussian1D]:  # fmt: skip
        """Gradient ascent on the ELBO over the mean and log std: at most steps + 1 Gaussians, the start first; it ends
        early after a step that is not longer than `enough`.

        The natural gradient (Amari 1998) divides by q's Fisher information, 1 / std^2 and 2, so that one rate suits
        broad and narrow posteriors; the plain one needs a rate below about sigma^2 / 10. No step is longer than 0.2.
        """
        path, mean, log_std = [start], start.mean, math.log(start.std)
        for _ in range(steps):
            by_mean, by_log_std = self.elbo_gradient(x, path[-1])
            if natural:
                by_mean, by_log_std = by_mean * path[-1].std ** 2, by_log_std / 2
            length = rate * math.hypot(by_mean, by_log_std)
            step = rate * min(1.0, LONGEST_STEP / max(length, 1e-300))
            mean, log_std = mean + step * by_mean, log_std + step * by_log_std
            path.append(Gaussian1D(mean, math.exp(log_std)))
            if min(length, LONGEST_STEP) < enough:
                break
        return path

    def best_gaussian(self, x: Tensor) -> Gaussian1D:
        """The q with the largest ELBO: what a perfect encoder with a Gaussian output would say of x [2].

        Ascent from every mode of the posterior, and from its mean and std; the best end is taken."""
        posterior = self.posterior(x)
        starts = [Gaussian1D(float(mode), min(posterior.std, self.sigma)) for mode in posterior.modes]
        starts.append(Gaussian1D(posterior.mean, posterior.std))
        ends = [self.ascend(x, start, enough=1e-7)[-1] for start in starts]
        return max(ends, key=lambda q: self.elbo(x, q))

    def log_weights(
        self, x: Tensor, proposal: Gaussian1D, repetitions: int, draws: int, generator: torch.Generator | None = None
    ) -> Tensor:
        """log p(x, z) - log q(z) for draws z ~ q, for one x [2]: [repetitions, draws]."""
        noise = torch.randn(repetitions, draws, generator=generator, dtype=torch.float64)
        z = proposal.mean + proposal.std * noise
        return self.log_joint(x, z) - proposal.log_density(z)

    def importance(
        self, x: Tensor, proposal: Gaussian1D, counts: Sequence[int], repetitions: int = 100,
        generator: torch.Generator | None = None,
    ) -> Estimates:  # fmt: skip
        """log p(x) by importance sampling from the proposal, PRIOR or any q, with each number of draws in counts."""
        return estimates(self.log_weights(x, proposal, repetitions, max(counts, default=0), generator), counts)

    def _joint_on_grid(self, x: Tensor) -> Tensor:
        """log p(x, z) for x [..., 2] at every place of the grid: [..., N]. It has vanished at both ends."""
        squared = ((x.double()[..., None, :] - self.curve_on_grid) ** 2).sum(-1)
        joint = -0.5 * squared / self.sigma**2 - LOG_2PI - 2 * math.log(self.sigma) + PRIOR.log_density(self.grid)
        beyond = joint[..., [0, -1]].amax(-1) > joint.amax(-1) - VANISHED
        if bool(beyond.any()):
            first = x[beyond][0].tolist()
            raise InvalidInput(
                f"x = ({first[0]:g}, {first[1]:g}) comes from codes z near {REACH:g} or beyond, where the grid ends; "
                "choose an x nearer to the middle of the curve."
            )
        return joint


def log_normal(z: Tensor, mean: Tensor | float, std: float) -> Tensor:
    """log N(z; mean, std^2): [...]."""
    return -0.5 * ((z - mean) / std) ** 2 - math.log(std) - 0.5 * LOG_2PI


def integral(values: Tensor, z: Tensor) -> Tensor:
    """The integral over an even grid z [N] of values [..., N] that vanish at both ends: [...]."""
    return values.sum(-1) * (z[1] - z[0])


def log_integral(log_values: Tensor, z: Tensor) -> Tensor:
    """log of the integral of exp(log_values) over an even grid z [N]: [..., N] -> [...]."""
    return torch.logsumexp(log_values, -1) + torch.log(z[1] - z[0])


def bell(q: Gaussian1D) -> tuple[Tensor, Tensor]:
    """Places z [M] and weights [M] such that the weighted sum of a function is its mean under q."""
    if not (math.isfinite(q.mean) and math.isfinite(q.std) and q.std > 0):
        raise InvalidInput(f"q has mean {q.mean!r} and std {q.std!r}; choose ordinary numbers, the std above 0.")
    standard = torch.linspace(-BELL_REACH, BELL_REACH, BELL_NODES, dtype=torch.float64)
    weight = torch.exp(PRIOR.log_density(standard)) * (standard[1] - standard[0])
    return q.mean + q.std * standard, weight


def point(x: Tensor) -> Tensor:
    """One finite point [2] of the plane, as float64."""
    if x.shape != (2,) or not bool(x.isfinite().all()):
        raise InvalidInput(f"x is {x.tolist()}; give one point of the plane, two ordinary numbers.")
    return x.double()


class Curve(NamedTuple):
    """f: [...] -> [..., 2] and its derivative of the same shape."""

    f: Callable[[Tensor], Tensor]
    derivative: Callable[[Tensor], Tensor]


def pair(x1: Tensor, x2: Tensor) -> Tensor:
    return torch.stack([x1, x2], dim=-1)


CURVES = {
    "horseshoe": Curve(  # an arc of radius 2, open at the top: what lies between its arms may come from either
        lambda z: pair(2 * torch.sin(z), -2 * torch.cos(z)), lambda z: pair(2 * torch.cos(z), 2 * torch.sin(z))
    ),
    "S": Curve(  # two bends
        lambda z: pair(1.8 * torch.sin(1.8 * z), 1.2 * z),
        lambda z: pair(3.24 * torch.cos(1.8 * z), torch.full_like(z, 1.2)),
    ),
    "line": Curve(  # straight: the only one of the three whose posterior is Gaussian, always
        lambda z: pair(1.2 * z, 0.9 * z), lambda z: pair(torch.full_like(z, 1.2), torch.full_like(z, 0.9))
    ),
}
