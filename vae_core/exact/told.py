"""Two hidden numbers of which one function is told, with a little noise: a posterior in the plane that is known
exactly, and is rarely a Gaussian."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from vae_core.errors import InvalidInput
from vae_core.exact.cells import square

REACH, CELLS = 4.0, 160  # the window of the plane, each way, and the cells along its side
TOLD: dict[str, tuple[Callable[[Tensor], Tensor], float]] = {  # the function of z [N, 2], and what was told
    "their sum": (lambda z: z[:, 0] + z[:, 1], 1.0),
    "a bend": (lambda z: z[:, 1] - 0.8 * z[:, 0] ** 2, -0.8),
    "their product": (lambda z: z[:, 0] * z[:, 1], 0.8),
    "their distance from 0": (lambda z: z.norm(dim=1), 1.6),
}


@dataclass(frozen=True)
class Told:
    """z ~ N(0, I) in the plane, x = f(z) + noise; x is given."""

    kind: str
    sigma: float = 0.25

    def __post_init__(self) -> None:
        if self.kind not in TOLD:
            raise InvalidInput(f"There is no function {self.kind[:60]!r}; choose one of {', '.join(TOLD)}.")
        if not (math.isfinite(self.sigma) and self.sigma >= 0.05):
            raise InvalidInput(f"sigma is {self.sigma!r}; allowed: from 0.05, as fine as the grid can see.")

    def log_joint(self, z: Tensor) -> Tensor:
        """log p(x, z) for codes [N, 2]: [N], nats."""
        function, x = TOLD[self.kind]
        prior = -0.5 * (z**2).sum(1) - math.log(2 * math.pi)
        apart = (function(z) - x) / self.sigma
        return prior - 0.5 * apart**2 - math.log(self.sigma) - 0.5 * math.log(2 * math.pi)

    @cached_property
    def evidence(self) -> float:
        """log p(x), nats, by the midpoint rule over the window."""
        return (self.log_joint(grid().double()).logsumexp(0) + math.log(cell())).item()

    def posterior(self, z: Tensor) -> Tensor:
        """log p(z | x) for codes [N, 2]: [N]."""
        return self.log_joint(z) - self.evidence


def grid() -> Tensor:
    """The middles of the window's cells, [CELLS^2, 2], the first coordinate running fastest."""
    return square((-REACH, -REACH), 2 * REACH, CELLS)


def cell() -> float:
    """The area of a cell."""
    return (2 * REACH / CELLS) ** 2


def divergence(log_q: Tensor, log_p: Tensor) -> float:
    """KL(q || p), nats, of two log-densities [CELLS^2] on the grid."""
    log_q, log_p = log_q.double(), log_p.double()
    return torch.where(log_q.exp() > 0, log_q.exp() * (log_q - log_p), 0.0).sum().item() * cell()
