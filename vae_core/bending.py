"""How near can q come to a posterior that is no Gaussian? A Gaussian, a Gaussian trained by a bound of many draws, and
inverse autoregressive flows, fitted to one posterior of the plane."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from vae_core.exact.importance import log_mean_exp
from vae_core.exact.told import Told, divergence, grid
from vae_core.models.inverse_flow import Flow

WIDTH = 32  # of a flow step's hidden layer
STEPS, CODES, RATE = 1000, 256, 0.03  # of a fit: steps, codes in each, learning rate at the start


@dataclass(frozen=True)
class Family:
    """A kind of q, and the bound by which it is fitted."""

    steps: int = 0  # of the flow; 0: the diagonal Gaussian itself
    draws: int = 1  # K of the bound; 1 is the ELBO


FAMILIES: dict[str, Family] = {
    "Gaussian": Family(),
    "Gaussian, 10 draws": Family(draws=10),
    "flow, 1 step": Family(1),
    "flow, 2 steps": Family(2),
    "flow, 4 steps": Family(4),
    "flow, 8 steps": Family(8),
}


class Bent(nn.Module):
    """q(z) in the plane: a diagonal Gaussian, bent by a flow."""

    told: Tensor

    def __init__(self, family: Family) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.tensor([0.3, 0.3]))  # off the symmetry of a function, so that it can choose
        self.logvar = nn.Parameter(torch.zeros(2))
        self.flow = Flow(2, family.steps, WIDTH, 1)
        self.register_buffer("told", torch.zeros(1, 1), persistent=False)  # there is one picture only: no context

    def sample(self, count: int, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Codes [count, 2] and their log q [count]."""
        noise = torch.randn(count, 2, generator=generator)
        z, stretched = self.flow(self.mean + torch.exp(0.5 * self.logvar) * noise, self.told)
        return z, self._before(noise) - stretched.sum(1)

    def log_density(self, z: Tensor) -> Tensor:
        """log q(z) for codes [N, 2]: [N]. Goes through the flow backwards; -inf where that leaves all numbers."""
        start = self.flow.inverse(z, self.told)
        noise = (start - self.mean) * torch.exp(-0.5 * self.logvar)
        return (self._before(noise) - self.flow(start, self.told)[1].sum(1)).nan_to_num(nan=-torch.inf)

    def _before(self, noise: Tensor) -> Tensor:
        return (-0.5 * (noise**2 + self.logvar) - 0.5 * math.log(2 * math.pi)).sum(1)


def bound(q: Bent, told: Told, draws: int, count: int, generator: torch.Generator | None = None) -> Tensor:
    """log of the mean of `draws` weights p(x, z) / q(z), z from q, estimated `count` times: [count]."""
    z, log_q = q.sample(count * draws, generator)
    return log_mean_exp((told.log_joint(z) - log_q).view(count, draws))


def fit(told: Told, family: Family, steps: int = STEPS, seed: int = 0) -> Bent:
    """The q of a family whose bound is largest, by Adam; the rate falls along half a cosine."""
    torch.manual_seed(seed)
    q = Bent(family)
    optimiser = torch.optim.Adam(q.parameters(), RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        optimiser.zero_grad()
        (-bound(q, told, family.draws, CODES // family.draws).mean()).backward()
        nn.utils.clip_grad_norm_(q.parameters(), 10.0)
        optimiser.step()
        schedule.step()
    return q.requires_grad_(False).eval()


def gap(q: Bent, told: Told) -> float:
    """KL(q || p(z | x)) = log p(x) - ELBO, nats, summed over the grid."""
    z = grid()
    return divergence(q.log_density(z), told.posterior(z))
