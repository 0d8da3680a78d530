"""The loss terms against torch.distributions, and an ELBO that is known exactly."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.distributions import Bernoulli, MultivariateNormal, Normal, kl_divergence

from vae_core.errors import InvalidInput
from vae_core.losses import bernoulli_nll, gaussian_nll, kl_to_standard_normal

IMAGE = (5, 2, 3, 4)  # B, C, H, W


def test_kl_is_that_of_torch_distributions() -> None:
    mean, logvar = 3 * torch.randn(200, 7), 3 * torch.randn(200, 7)
    expected = kl_divergence(Normal(mean, torch.exp(0.5 * logvar)), Normal(0.0, 1.0))  # [B, Z]
    torch.testing.assert_close(kl_to_standard_normal(mean, logvar), expected)
    assert (kl_to_standard_normal(mean, logvar) >= 0).all()


def test_kl_is_zero_at_the_prior_only() -> None:
    zero = torch.zeros(1, 3)
    assert kl_to_standard_normal(zero, zero).tolist() == [[0, 0, 0]]
    assert (kl_to_standard_normal(zero, zero + 0.1) > 0).all()
    assert (kl_to_standard_normal(zero + 0.1, zero) > 0).all()


def test_kl_agrees_with_monte_carlo() -> None:
    mean, logvar = torch.tensor([[0.7, -1.2]]), torch.tensor([[-1.0, 0.4]])
    posterior, prior = Normal(mean, torch.exp(0.5 * logvar)), Normal(0.0, 1.0)
    draws = posterior.sample((100_000,))
    samples = posterior.log_prob(draws) - prior.log_prob(draws)  # [S, 1, 2]
    error = samples.std(0) / math.sqrt(len(samples))
    assert ((samples.mean(0) - kl_to_standard_normal(mean, logvar)).abs() < 4 * error).all()


@pytest.mark.parametrize("binary", [True, False])
def test_bernoulli_is_summed_over_pixels_and_kept_per_image(binary: bool) -> None:
    logits, x = 4 * torch.randn(IMAGE), torch.rand(IMAGE)
    x = x.round() if binary else x
    expected = -Bernoulli(logits=logits, validate_args=binary).log_prob(x).sum((1, 2, 3))
    found = bernoulli_nll(logits, x)
    assert found.shape == (5,)
    torch.testing.assert_close(found, expected)


def test_bernoulli_survives_extreme_logits() -> None:
    logits = torch.full((1, 1, 1, 2), 1e4)
    assert bernoulli_nll(logits, torch.tensor([1.0, 1.0]).view(1, 1, 1, 2)).item() == 0
    assert bernoulli_nll(logits, torch.tensor([1.0, 0.0]).view(1, 1, 1, 2)).item() == 1e4


@pytest.mark.parametrize("pixel", [-0.01, 1.01, 255.0, float("nan")])
def test_cross_entropy_outside_0_1_is_an_error(pixel: float) -> None:
    x = torch.rand(IMAGE)
    x[0, 0, 0, 0] = pixel
    with pytest.raises(InvalidInput, match=r"\[0, 1\]"):
        bernoulli_nll(torch.zeros(IMAGE), x)


@pytest.mark.parametrize("log_sigma", [0.0, -1.3, 0.8])
def test_gaussian_is_that_of_torch_distributions(log_sigma: float) -> None:
    mean, x = torch.rand(IMAGE), torch.rand(IMAGE)
    expected = -Normal(mean, math.exp(log_sigma)).log_prob(x).sum((1, 2, 3))
    torch.testing.assert_close(gaussian_nll(mean, x, log_sigma), expected)
    torch.testing.assert_close(gaussian_nll(mean, x, torch.tensor(log_sigma)), expected)


def test_the_best_sigma_is_the_root_mean_square_error() -> None:
    mean, x = torch.rand(IMAGE), torch.rand(IMAGE)
    log_sigma = ((x - mean) ** 2).mean().sqrt().log().requires_grad_()
    (slope,) = torch.autograd.grad(gaussian_nll(mean, x, log_sigma).mean(), log_sigma)
    assert abs(slope.item()) < 1e-4


class LinearGaussian:
    """x = W z + mu + sigma noise with z from N(0, I) in two latents (probabilistic PCA, Tipping and Bishop 1999).

    W has orthogonal columns, so the exact posterior is a diagonal Gaussian, just what our encoders can express;
    there the ELBO equals the evidence, log N(x; mu, W W^T + sigma^2 I).
    """

    shape = (1, 3, 4)
    sigma = 0.3

    def __init__(self) -> None:
        basis = torch.linalg.qr(torch.randn(12, 2, dtype=torch.float64)).Q
        self.weight = basis * torch.tensor([1.5, 0.4], dtype=torch.float64)  # [12, 2]
        self.mu = torch.rand(12, dtype=torch.float64)

    def draw(self, count: int) -> Tensor:
        z = torch.randn(count, 2, dtype=torch.float64)
        noise = self.sigma * torch.randn(count, 12, dtype=torch.float64)
        return z @ self.weight.T + self.mu + noise  # [B, 12]

    def evidence(self, x: Tensor) -> Tensor:
        covariance = self.weight @ self.weight.T + self.sigma**2 * torch.eye(12, dtype=torch.float64)
        return MultivariateNormal(self.mu, covariance).log_prob(x)  # [B]

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        precision = self.weight.square().sum(0) / self.sigma**2 + 1  # [2]
        mean = (x - self.mu) @ self.weight / self.sigma**2 / precision
        return mean, -precision.log().expand_as(mean)

    def expected_nll(self, x: Tensor, mean: Tensor, logvar: Tensor) -> Tensor:
        """E_q[-log p(x | z)], exactly, from our own term.

        The squared error is quadratic in z, so the mean over the 2Z sigma points mean +- sqrt(Z) std of the
        cubature rule is its exact expectation.
        """
        terms = []
        for latent in range(2):
            for sign in (-1, 1):
                z = mean.clone()
                z[:, latent] += sign * math.sqrt(2) * (0.5 * logvar[:, latent]).exp()
                picture = (z @ self.weight.T + self.mu).view(-1, *self.shape)
                terms.append(gaussian_nll(picture, x.view(-1, *self.shape), math.log(self.sigma)))
        return torch.stack(terms).mean(0)


def test_the_exact_posterior_makes_the_elbo_the_evidence() -> None:
    world = LinearGaussian()
    x = world.draw(50)
    mean, logvar = world.posterior(x)
    elbo = -(world.expected_nll(x, mean, logvar) + kl_to_standard_normal(mean, logvar).sum(1))
    torch.testing.assert_close(elbo, world.evidence(x), rtol=0, atol=2e-4)  # float32 in the term


def test_any_other_posterior_falls_short_by_its_divergence() -> None:
    world = LinearGaussian()
    x = world.draw(50)
    exact_mean, exact_logvar = world.posterior(x)
    mean, logvar = exact_mean + 0.3, exact_logvar + 0.5
    elbo = -(world.expected_nll(x, mean, logvar) + kl_to_standard_normal(mean, logvar).sum(1))
    gap = kl_divergence(Normal(mean, (0.5 * logvar).exp()), Normal(exact_mean, (0.5 * exact_logvar).exp())).sum(1)
    assert (gap > 0.1).all()
    torch.testing.assert_close(world.evidence(x) - elbo, gap, rtol=0, atol=2e-4)
