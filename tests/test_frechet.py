from __future__ import annotations

import pytest
import torch

from vae_core.errors import InvalidInput
from vae_core.metrics.frechet import frechet_distance


def test_two_gaussians_in_closed_form() -> None:
    generator = torch.Generator().manual_seed(0)
    real = torch.randn(200_000, 2, generator=generator)
    turned = torch.tensor([[0.6, -0.8], [0.8, 0.6]])
    scale = torch.tensor([2.0, 0.5])
    fake = (torch.randn(200_000, 2, generator=generator) * scale) @ turned.T + torch.tensor([3.0, -1.0])
    # N(0, I) against N(m, S): |m|^2 + sum (sqrt(eigenvalue of S) - 1)^2
    assert frechet_distance(real, fake) == pytest.approx(10 + 1 + 0.25, rel=0.01)


def test_covariances_that_do_not_commute() -> None:
    a, b = torch.tensor([[2.0, 1.0], [1.0, 2.0]]), torch.tensor([[1.0, 0.0], [0.0, 4.0]])
    generator = torch.Generator().manual_seed(1)
    draws = torch.randn(2, 200_000, 2, generator=generator)
    real, fake = draws[0] @ torch.linalg.cholesky(a).T, draws[1] @ torch.linalg.cholesky(b).T
    # tr (AB)^(1/2) of a 2 x 2 product: sqrt(tr AB + 2 sqrt(det AB))
    cross = ((a @ b).trace() + 2 * (a @ b).det().sqrt()).sqrt()
    assert frechet_distance(real, fake) == pytest.approx((a.trace() + b.trace() - 2 * cross).item(), rel=0.02)


def test_of_itself_it_is_nothing_even_with_fewer_points_than_features() -> None:
    features = torch.randn(5, 20, generator=torch.Generator().manual_seed(2))
    assert frechet_distance(features, features) == pytest.approx(0, abs=1e-6)


def test_features_that_do_not_compare() -> None:
    with pytest.raises(InvalidInput, match="cannot be compared"):
        frechet_distance(torch.zeros(5, 3), torch.zeros(5, 4))
    with pytest.raises(InvalidInput, match="cannot be compared"):
        frechet_distance(torch.zeros(1, 3), torch.zeros(5, 3))
