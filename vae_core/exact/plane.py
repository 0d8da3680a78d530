"""The evidence of a decoder with two latents, by a grid over the plane: what more latents put out of reach.

    log p(x) = log of the integral of p(x | z) p(z) over the plane of z

The posterior of a trained model may be a hundred times narrower than the prior, so the plane is decoded twice: a coarse
grid finds where p(x, z) is, and the cells that matter are cut into finer ones. A grid can only err by missing a peak
that lies between its points; `Refined.log_evidence_coarser` says how much the last halving of the cells changed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import softplus

from vae_core.errors import InvalidInput

REACH = 6.0  # the grid covers -6 to 6 of both latents; outside lies 4e-9 of the prior
SIDE = 401  # points along each latent, 0.03 apart
FINER = 4  # parts into which a cell's side is cut where it matters
DEEP = 20.0  # nats below the highest p(x, z): cells lower than that do not matter
BATCH = 1000  # codes decoded at once
LOG_2PI = math.log(2 * math.pi)

Table = Callable[[Tensor], Tensor]  # codes [N, 2] -> log p(x, z) [N, M] for M images, nats


def bernoulli_joint(logits: Callable[[Tensor], Tensor], x: Tensor) -> Table:
    """log p(x, z) of binary images x [M, C, H, W] under N(0, I) and a decoder of z [N, Z] into logits [N, C, H, W].

    The images share one decoding: -log p(x | z) = sum of softplus(logit) - x logit.
    """
    if not bool(((x == 0) | (x == 1)).all()):
        raise InvalidInput("The images have grey pixels, which no Bernoulli likelihood knows; round them to 0 and 1.")
    flat = x.flatten(1).T  # [C H W, M]

    def joint(z: Tensor) -> Tensor:
        out = logits(z).float().flatten(1)  # [N, C H W]
        return (out @ flat - softplus(out).sum(1, keepdim=True)).double() + log_prior(z)[:, None]

    return joint


def log_prior(z: Tensor) -> Tensor:
    """log N(z; 0, I) for codes [..., Z]: [...], nats."""
    return -0.5 * (z.double() ** 2 + LOG_2PI).sum(-1)


def decoded(joint: Table, z: Tensor) -> Iterator[Tensor]:
    """log p(x, z) for codes [N, 2], a batch at a time: [up to BATCH, M] each."""
    for part in z.split(BATCH):
        with torch.no_grad():
            values = joint(part)
        yield values


def axis_of(side: int = SIDE) -> Tensor:
    """The places of the coarse grid along each latent: [side]."""
    if not 3 <= side <= 2001:
        raise InvalidInput(f"A grid of {side} points a side was asked for; choose 3 to 2001.")
    return torch.linspace(-REACH, REACH, side, dtype=torch.float64)


def crossed(axis: Tensor) -> Tensor:
    """All points of the grid [side * side, 2], latent 1 in the rows, latent 2 in the columns."""
    return torch.cartesian_prod(axis, axis).float()


def coarse_grid(joint: Table, axis: Tensor) -> Iterator[tuple[int, Tensor | None]]:
    """Decode the whole plane: yields how many points are done and, at the end, log p(x, z) as [M, side, side]."""
    parts: list[Tensor] = []
    done = 0
    for part in decoded(joint, crossed(axis)):
        parts.append(part)
        done += len(part)
        if done < len(axis) ** 2:
            yield done, None
    yield done, torch.cat(parts).T.reshape(-1, len(axis), len(axis))


class Refined(NamedTuple):
    """One image's integral, done on the fine cells."""

    z: Tensor  # [N, 2] middles of the fine cells
    log_posterior: Tensor  # [N] log p(z | x), a density over the plane
    cell: float  # side of a fine cell
    log_evidence: float  # nats
    log_evidence_coarser: float  # the same with cells twice as wide

    @property
    def share(self) -> Tensor:
        """The share of the posterior in each fine cell: [N], sums to 1."""
        return self.log_posterior.exp() * self.cell**2

    @property
    def mean(self) -> Tensor:
        """[2]."""
        return self.share @ self.z

    @property
    def std(self) -> Tensor:
        """[2]."""
        return (self.share @ (self.z - self.mean) ** 2).sqrt()


def refined(joint: Table, axis: Tensor, coarse: Tensor, finer: int = FINER) -> Refined:
    """The integral for the one image of `joint`, from its coarse grid of log p(x, z) [side, side]."""
    width = float(axis[1] - axis[0])
    places = torch.nonzero(matters(coarse))  # [P, 2]
    middles = axis[places]  # a cell of the coarse grid's width around each of these points
    fine = [_integral(joint, middles, width, parts) for parts in (finer, finer // 2)]
    z, values, log_evidence = fine[0]
    return Refined(z, values - log_evidence, width / finer, log_evidence, fine[1][2])


def matters(coarse: Tensor) -> Tensor:
    """Which points of a coarse grid of log p(x, z) are worth a second look: bool of its shape."""
    return coarse > coarse.max() - DEEP


def refined_codes(coarse: Tensor, finer: int = FINER) -> int:
    """How many codes `refined` decodes."""
    return int(matters(coarse).sum()) * (finer**2 + (finer // 2) ** 2)


def _integral(joint: Table, middles: Tensor, width: float, parts: int) -> tuple[Tensor, Tensor, float]:
    """Cells around middles [P, 2], each cut into parts x parts: the fine middles [N, 2], log p(x, z) [N], log of the
    integral over all of them."""
    offset = ((torch.arange(parts, dtype=torch.float64) + 0.5) / parts - 0.5) * width
    z = (middles[:, None] + torch.cartesian_prod(offset, offset)[None]).reshape(-1, 2)
    values = torch.cat(list(decoded(joint, z.float())))[:, 0]
    return z, values, float(torch.logsumexp(values, 0)) + 2 * math.log(width / parts)


class Proposal(NamedTuple):
    """A diagonal Gaussian over Z latents that codes are drawn from."""

    mean: Tensor  # [Z]
    std: Tensor  # [Z]

    def log_density(self, z: Tensor) -> Tensor:
        """log q(z) for codes [..., Z]: [...], nats."""
        return log_prior((z - self.mean) / self.std) - self.std.double().log().sum()


def log_weights(joint: Table, proposal: Proposal, repetitions: int, draws: int, generator: torch.Generator) -> Tensor:
    """log p(x, z) - log q(z) for draws z ~ q, the same ones for all M images: [M, repetitions, draws].

    Their mean estimates the ELBO, the log of the mean of their exponentials estimates log p(x)."""
    noise = torch.randn(repetitions * draws, len(proposal.mean), generator=generator)
    z = proposal.mean + proposal.std * noise
    values = torch.cat(list(decoded(joint, z))) - proposal.log_density(z)[:, None]
    return values.T.reshape(-1, repetitions, draws)
