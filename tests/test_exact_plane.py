"""The grid over a latent plane: against a decoder with a known answer, against a model, and against another grid."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.distributions import MultivariateNormal

from vae_core.errors import InvalidInput
from vae_core.exact.importance import estimates
from vae_core.exact.plane import (
    REACH,
    Proposal,
    Refined,
    Table,
    axis_of,
    bernoulli_joint,
    coarse_grid,
    log_prior,
    log_weights,
    refined,
)
from vae_core.models import VAE

A = torch.tensor([[2.0, 0.3], [-0.5, 1.0], [0.7, 0.7]], dtype=torch.float64)
X = torch.tensor([[1.0, 0.4, -0.3], [-2.0, 1.0, 0.2]], dtype=torch.float64)
SIGMA = 0.1


def linear(x: Tensor) -> Table:
    """log p(x, z) of x = A z + noise, which has a closed form: for x [M, 3]."""

    def joint(z: Tensor) -> Tensor:
        squared = ((x[None] - (z.double() @ A.T)[:, None]) ** 2).sum(-1)
        return -0.5 * squared / SIGMA**2 - 1.5 * math.log(2 * math.pi * SIGMA**2) + log_prior(z)[:, None]

    return joint


def truth(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """log p(x) [M], and the posterior's mean [M, 2] and covariance."""
    noise = SIGMA**2 * torch.eye(3, dtype=torch.float64)
    evidence = MultivariateNormal(torch.zeros(3).double(), A @ A.T + noise).log_prob(x)
    covariance = torch.linalg.inv(torch.eye(2).double() + A.T @ A / SIGMA**2)
    return evidence, x @ A @ covariance / SIGMA**2, covariance


def solved(x: Tensor, side: int = 201) -> list[Refined]:
    axis = axis_of(side)
    grids = [grid for _, grid in coarse_grid(linear(x), axis)][-1]
    assert grids is not None and grids.shape == (len(x), side, side)
    return [refined(linear(x[i : i + 1]), axis, grids[i]) for i in range(len(x))]


def test_the_grid_finds_a_known_evidence_and_posterior() -> None:
    evidence, mean, covariance = truth(X)
    for place, found in enumerate(solved(X)):
        assert found.log_evidence == pytest.approx(float(evidence[place]), abs=1e-4)
        assert found.log_evidence_coarser == pytest.approx(found.log_evidence, abs=1e-3)
        torch.testing.assert_close(found.mean, mean[place], atol=1e-4, rtol=0)
        torch.testing.assert_close(found.std, covariance.diagonal().sqrt(), atol=1e-4, rtol=0)
        assert float(found.share.sum()) == pytest.approx(1, abs=1e-9)


def test_progress_counts_every_point_once() -> None:
    told = [done for done, _ in coarse_grid(linear(X), axis_of(51))]
    assert told == [1000, 2000, 2601]
    assert [grid is None for _, grid in coarse_grid(linear(X), axis_of(51))] == [True, True, False]


@pytest.mark.parametrize("source", ["prior", "posterior"])
def test_draws_agree_with_the_known_evidence(source: str) -> None:
    evidence, mean, covariance = truth(X)
    at_posterior = Proposal(mean[0].float(), 1.3 * covariance.diagonal().sqrt().float())
    proposal = at_posterior if source == "posterior" else Proposal(torch.zeros(2), torch.ones(2))
    weights = log_weights(linear(X[:1]), proposal, 300, 256, torch.Generator().manual_seed(1))
    assert weights.shape == (1, 300, 256)
    ratio = torch.exp(estimates(weights[0], (256,)).values[:, 0] - evidence[0])
    assert float(ratio.mean()) == pytest.approx(1, abs=5 * float(ratio.std()) / math.sqrt(300))


def test_grey_images_and_odd_grids_are_refused() -> None:
    model = VAE(VAE.Config(image=(1, 8, 8), hidden=(8,)))
    with pytest.raises(InvalidInput, match="grey"):
        bernoulli_joint(model.decoder, torch.full((1, 1, 8, 8), 0.5))
    with pytest.raises(InvalidInput, match="choose"):
        axis_of(2)
    assert float(axis_of(3)[0]) == -REACH
