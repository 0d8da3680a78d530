"""The importance-weighted bound and the integral over the plane, on models whose evidence is known."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor
from torch.distributions import MultivariateNormal

from vae_core.errors import InvalidInput
from vae_core.exact.cells import AS_FINE, REACH, integrate, square
from vae_core.exact.importance import effective_sample_size
from vae_core.metrics.importance import bound_of, importance_bounds, log_weights
from vae_core.models import Posterior

NOISE = 0.3


class LinearGaussian:
    """x = W z + noise: posterior and evidence are known. Its encoder says the exact mean, and widths of its own."""

    def __init__(self, weights: Tensor, widen: float) -> None:
        self.weights = weights.double()  # [P, Z]
        self.config = SimpleNamespace(latent=weights.shape[1])
        inner = self.weights.T @ self.weights + NOISE**2 * torch.eye(weights.shape[1])
        self.covariance = NOISE**2 * torch.linalg.inv(inner)
        self.to_mean = torch.linalg.solve(inner, self.weights.T)
        self.widen = widen

    def encode(self, x: Tensor) -> Posterior:
        mean = x.flatten(1).double() @ self.to_mean.T
        variance = self.widen**2 * self.covariance.diagonal()
        return Posterior(mean.float(), variance.log().float().expand_as(mean))

    def recon_per_image(self, x: Tensor, z: Tensor) -> Tensor:
        away = x.flatten(1).double() - z.double() @ self.weights.T
        return (0.5 * (away / NOISE) ** 2 + math.log(NOISE) + 0.5 * math.log(2 * math.pi)).sum(1)

    def evidence(self, x: Tensor) -> Tensor:
        covariance = self.weights @ self.weights.T + NOISE**2 * torch.eye(len(self.weights))
        return MultivariateNormal(torch.zeros(len(covariance)).double(), covariance).log_prob(x.flatten(1).double())


class Pictures:
    def __init__(self, x: Tensor) -> None:
        self.x = x

    def __len__(self) -> int:
        return len(self.x)

    def images(self, index: Tensor) -> Tensor:
        return self.x[index]


def orthogonal(widen: float) -> tuple[LinearGaussian, Pictures]:
    """A model whose latents are independent in the posterior, so that a diagonal q can be exact."""
    basis = torch.linalg.qr(torch.randn(6, 2, generator=torch.Generator().manual_seed(0)))[0]
    model = LinearGaussian(basis * torch.tensor([1.5, 0.7]), widen)
    x = torch.randn(30, 1, 2, 3, generator=torch.Generator().manual_seed(1))
    return model, Pictures(x)


def bounds(model: LinearGaussian, source: Pictures, samples: tuple[int, ...]):
    *_, (_, found) = importance_bounds(model, source, samples, len(source))
    assert found is not None
    return found


def test_where_q_is_the_posterior_every_sample_says_log_p_x() -> None:
    model, source = orthogonal(widen=1.0)
    weights = torch.cat(list(log_weights(model, source.x, 50, torch.Generator().manual_seed(0))), dim=1)
    torch.testing.assert_close(weights, model.evidence(source.x)[:, None].expand(-1, 50), atol=1e-4, rtol=0)
    assert effective_sample_size(weights).min() > 49.99


@pytest.mark.parametrize("widen", [0.6, 1.8])
def test_the_bound_rises_from_the_elbo_to_log_p_x(widen: float) -> None:
    model, source = orthogonal(widen)
    found = bounds(model, source, (1, 10, 100, 1000, 5000))
    truth = model.evidence(source.x).mean().item()
    kl = 2 * (0.5 * (widen**2 - 1) - math.log(widen))  # of q to the posterior, the same for every image
    assert found.bound[0] == pytest.approx(truth - kl, abs=0.02)
    assert all(low < high for low, high in zip(found.bound, found.bound[1:], strict=False))
    assert found.bound[-1] == pytest.approx(truth, abs=0.01)
    assert found.images == 30 and found.samples == [1, 10, 100, 1000, 5000]
    assert 1 < found.effective < 5000


def test_weights_far_below_what_exp_can_hold_are_no_trouble() -> None:
    weights = torch.tensor([[-5000.0, -5001.0, -5000.0, -5001.0]], dtype=torch.float64)
    assert bound_of(weights, 2).item() == pytest.approx(-5000 + math.log((1 + math.exp(-1)) / 2))
    assert bound_of(weights, 1).item() == pytest.approx(-5000.5)
    assert effective_sample_size(torch.tensor([[0.0, -100.0, -100.0]])).item() == pytest.approx(1)


def test_a_batch_in_parts_is_the_batch() -> None:
    model, source = orthogonal(1.3)
    few = [
        found.bound for *_, (_, found) in [importance_bounds(model, source, (3,), 30, batch=each) for each in (7, 30)]
    ]
    assert few[0] == pytest.approx(few[1], abs=0.2)
    assert [seen for seen, _ in importance_bounds(model, source, (3,), 30, batch=7)] == [7, 14, 21, 28, 30]


@pytest.mark.parametrize(
    ("samples", "images", "sentence"),
    [((), 5, "K is"), ((0,), 5, "K is"), ((10**9,), 5, "K is"), ((5,), 0, "0 images"), ((5,), 31, "31 images")],
)
def test_what_cannot_be_drawn_is_refused(samples: tuple[int, ...], images: int, sentence: str) -> None:
    model, source = orthogonal(1.0)
    with pytest.raises(InvalidInput, match=sentence):
        list(importance_bounds(model, source, samples, images))


def test_an_autoencoder_has_nothing_to_draw_from() -> None:
    model, source = orthogonal(1.0)
    model.encode = lambda x: Posterior(torch.zeros(len(x), 2), None)  # type: ignore[method-assign]
    with pytest.raises(InvalidInput, match="deterministic"):
        list(importance_bounds(model, source, (5,), 5))
    with pytest.raises(InvalidInput, match="as many samples"):
        bound_of(torch.zeros(1, 3), 4)


@pytest.mark.parametrize("scale", [0.3, 3.0, 20.0])
def test_the_integral_over_the_plane_is_the_known_evidence(scale: float) -> None:
    """From a posterior as wide as the prior to one with a width of 0.01."""
    weights = scale * torch.tensor([[1.0, 0.3], [0.2, -0.8], [0.5, 0.5], [-0.4, 0.1]])
    model = LinearGaussian(weights, 1.0)
    for z in ([0.4, -0.2], [-1.7, 2.2]):
        x = (weights @ torch.tensor(z)).view(1, 1, 2, 2) + 0.05
        found = integrate(model, x)
        assert found.evidence == pytest.approx(model.evidence(x).item(), abs=1e-3)
        torch.testing.assert_close(found.mean, model.encode(x).mean[0].double(), atol=2e-3, rtol=1e-3)
        torch.testing.assert_close(found.covariance, model.covariance, atol=1e-6, rtol=0.02)
        assert found.share.sum().item() == pytest.approx(1)
        assert found.side.square().sum().item() == pytest.approx((2 * REACH) ** 2), "the cells fill the plane"
        assert found.side.min().item() == pytest.approx(2 * REACH / AS_FINE) and len(found.z) < found.codes


def test_no_peak_of_several_is_forgotten() -> None:
    """p(x | z) depends on |z| alone: four narrow peaks. What each holds is known."""
    place, width = torch.tensor([1.31, 0.77]), 0.04

    def recon(x: Tensor, z: Tensor) -> Tensor:
        return (0.5 * ((z.abs() - place) / width) ** 2).sum(1)

    model = SimpleNamespace(config=SimpleNamespace(latent=2), recon_per_image=recon)
    found = integrate(model, torch.zeros(1, 1, 2, 2))
    one = [0.5 * math.log(2 * math.pi) + math.log(width) for _ in place]  # log area of one peak along each latent
    prior = [
        -0.5 * value**2 / (1 + width**2) - 0.5 * math.log(2 * math.pi * (1 + width**2)) for value in place.tolist()
    ]
    assert found.evidence == pytest.approx(sum(one) + sum(prior) + 2 * math.log(2), abs=1e-3)
    assert found.mean.abs().max() < 1e-4


def test_more_than_two_latents_are_out_of_reach() -> None:
    with pytest.raises(InvalidInput, match="3 latents"):
        integrate(SimpleNamespace(config=SimpleNamespace(latent=3)), torch.zeros(1, 1, 2, 2))


def test_cells_fill_their_square() -> None:
    z = square((-1.0, 2.0), 2.0, 2)
    assert z.tolist() == [[-0.5, 2.5], [0.5, 2.5], [-0.5, 3.5], [0.5, 3.5]]
