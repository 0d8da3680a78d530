"""A Gaussian that looks for a point: every estimator against the known gradient, every variance against its closed
form, and what PyTorch makes of a draw inside the graph."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.distributions import Normal, kl_divergence

from vae_core.errors import InvalidInput
from vae_core.exact import draws
from vae_core.exact.point import (
    ESTIMATORS,
    LOST,
    TARGET,
    Settings,
    descend,
    each_draw,
    exact_gradient,
    expected_loss,
    kl_gradient,
    measured_variance,
    noises,
    resting_place,
    variance,
)

GOAL = np.array(TARGET)
MEAN, SIGMA = np.array([1.0, -0.5]), np.array([0.7, 1.6])


def test_the_exact_gradient_is_that_of_the_exact_loss() -> None:
    """By central differences, and the loss itself by many draws."""
    found, step = exact_gradient(MEAN, SIGMA, GOAL), 1e-5
    for axis in range(2):
        move = step * np.eye(2)[axis]
        by_mean = (expected_loss(MEAN + move, SIGMA, GOAL) - expected_loss(MEAN - move, SIGMA, GOAL)) / (2 * step)
        wider, narrower = SIGMA * np.exp(move), SIGMA * np.exp(-move)
        by_width = (expected_loss(MEAN, wider, GOAL) - expected_loss(MEAN, narrower, GOAL)) / (2 * step)
        assert found.mean[axis] == pytest.approx(by_mean, rel=1e-6)
        assert found.log_sigma[axis] == pytest.approx(by_width, rel=1e-6)
    x = MEAN + SIGMA * np.random.default_rng(0).standard_normal((200_000, 2))
    losses = np.square(x - GOAL).sum(-1)
    assert losses.mean() == pytest.approx(expected_loss(MEAN, SIGMA, GOAL), abs=4 * losses.std() / math.sqrt(len(x)))


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_every_estimator_is_right_on_average(estimator: str) -> None:
    """For the mean and for the width, within four standard errors over many estimates from K draws each."""
    noise = np.random.default_rng(1).standard_normal((100_000, 3, 2))
    said, true = each_draw(estimator, MEAN, SIGMA, GOAL, noise), exact_gradient(MEAN, SIGMA, GOAL)
    for found, known in zip(said, true, strict=True):
        estimates = found.mean(1)  # over the K draws
        errors = estimates.std(0) / math.sqrt(len(estimates))
        np.testing.assert_array_less(np.abs(estimates.mean(0) - known), 4 * errors)


def test_the_pathwise_gradient_is_what_autograd_finds() -> None:
    noise = np.random.default_rng(2).standard_normal((1, 2))
    mean = torch.tensor(MEAN, requires_grad=True)
    log_sigma = torch.tensor(np.log(SIGMA), requires_grad=True)
    x = mean + log_sigma.exp() * torch.tensor(noise[0])
    ((x - torch.tensor(GOAL)) ** 2).sum().backward()
    said = each_draw("pathwise", MEAN, SIGMA, GOAL, noise)
    np.testing.assert_allclose(said.mean[0], mean.grad.numpy())
    np.testing.assert_allclose(said.log_sigma[0], log_sigma.grad.numpy())


def test_the_score_is_the_gradient_of_the_log_density() -> None:
    noise = np.random.default_rng(3).standard_normal((1, 2))
    mean = torch.tensor(MEAN, requires_grad=True)
    log_sigma = torch.tensor(np.log(SIGMA), requires_grad=True)
    x = torch.tensor(MEAN + SIGMA * noise[0])
    Normal(mean, log_sigma.exp()).log_prob(x).sum().backward()
    said, loss = each_draw("score", MEAN, SIGMA, GOAL, noise), float(((x - torch.tensor(GOAL)) ** 2).sum())
    np.testing.assert_allclose(said.mean[0], loss * mean.grad.numpy())
    np.testing.assert_allclose(said.log_sigma[0], loss * log_sigma.grad.numpy())


def test_the_gradient_of_the_kl_is_that_of_torch() -> None:
    mean = torch.tensor(MEAN, requires_grad=True)
    log_sigma = torch.tensor(np.log(SIGMA), requires_grad=True)
    kl_divergence(Normal(mean, log_sigma.exp()), Normal(0.0, 1.0)).sum().backward()
    found = kl_gradient(MEAN, SIGMA)
    np.testing.assert_allclose(found.mean, mean.grad.numpy())
    np.testing.assert_allclose(found.log_sigma, log_sigma.grad.numpy())


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize(("mean", "sigma"), [((0.0, 0.0), 1.0), (TARGET, 1.0), ((4.0, 6.5), 0.4)])
@pytest.mark.parametrize("count", [2, 8])
def test_variances_agree_with_their_closed_forms(
    estimator: str, mean: tuple[float, float], sigma: float, count: int
) -> None:
    known = variance(estimator, np.array(mean), sigma, GOAL, count)
    found = measured_variance(estimator, np.array(mean), sigma, GOAL, count, 40_000)
    assert abs(found.value - known) < 4 * found.error
    assert found.error < 0.05 * known, "an error bar that lets nothing slip through"


def test_what_the_variances_say() -> None:
    """By hand, at (0, 0) with sigma 1: 4 D sigma^2 = 8; with the mean loss 12 a + 24 = 624 for a = 50."""
    start = np.zeros(2)
    assert variance("pathwise", start, 1.0, GOAL, 1) == 8
    assert variance("baseline", start, 1.0, GOAL, 1) == 624
    assert variance("score", start, 1.0, GOAL, 1) == 6448
    assert variance("pathwise", GOAL, 1.0, GOAL, 4) == variance("pathwise", start, 1.0, GOAL, 4) == 2
    together = variance("leave-one-out", start, 1.0, GOAL, 64) / variance("baseline", start, 1.0, GOAL, 64)
    assert 1 < together < 1.05, "with many draws the others' mean is the mean"


def test_the_pathwise_descent_without_noise_is_the_known_curve() -> None:
    """With very many draws the mean follows 5 (1 - (1 - 2 rate)^n), sigma obeys s' = s exp(-2 rate s^2)."""
    way = descend("pathwise", Settings(draws=1024, steps=60, learns_sigma=True))
    steps = np.arange(61)
    np.testing.assert_allclose(way.means[:, 0], 5 * (1 - 0.96**steps), atol=0.12)
    sigma = 1.0
    for _ in range(60):
        sigma *= math.exp(-2 * 0.02 * sigma**2)
    assert way.sigmas[-1] == pytest.approx([sigma, sigma], rel=0.15)


def test_all_estimators_find_the_target_and_one_seed_is_one_way() -> None:
    for estimator in ESTIMATORS:
        settings = Settings(draws=64, steps=300)
        way = descend(estimator, settings)
        assert np.linalg.norm(way.means[-1] - GOAL) < 0.5 and way.lost is None
        np.testing.assert_array_equal(way.means, descend(estimator, settings).means)
        after = way.means[:-1] - settings.rate * way.gradients[:-1].mean(1)
        np.testing.assert_allclose(way.means[1:], after, atol=1e-12)
    assert not np.array_equal(noises(Settings(seed=1)), noises(Settings(seed=2)))


def test_a_width_that_nothing_pays_for_shrinks_and_the_kl_keeps_it() -> None:
    without = descend("pathwise", Settings(draws=64, steps=2000, learns_sigma=True))
    assert without.sigmas[-1].max() < 0.1
    assert without.sigmas[-1].max() < 0.5 * without.sigmas[200].max(), "and goes on shrinking"
    paid = descend("pathwise", Settings(draws=64, steps=600, learns_sigma=True, kl_weight=1.0))
    mean, sigma = resting_place(1.0)
    assert (mean, sigma) == (pytest.approx([10 / 3, 10 / 3]), pytest.approx(1 / math.sqrt(3)))
    assert paid.means[-100:].mean(0) == pytest.approx(mean, abs=0.05)
    assert paid.sigmas[-100:].mean(0) == pytest.approx([sigma, sigma], rel=0.05)


def test_a_way_that_runs_off_is_told() -> None:
    way = descend("score", Settings(rate=1.0))
    assert way.lost is not None and 1 <= way.lost < 20 and way.cause == "mean"
    assert np.isfinite(way.means).all() and (way.gradients[way.lost :] == 0).all()
    np.testing.assert_array_equal(way.means[way.lost], way.means[-1])
    way = descend("score", Settings(rate=0.05, learns_sigma=True))
    assert way.cause == "width" and np.abs(way.means).max() < LOST
    assert descend("pathwise", Settings()).cause is None


@pytest.mark.parametrize(
    "wrong",
    [{"draws": 0}, {"draws": 1025}, {"steps": 0}, {"rate": 0.0}, {"rate": math.nan}, {"sigma": -1.0}, {"seed": -1},
     {"start": (math.nan, 0.0)}, {"start": (0.0,)}, {"kl_weight": -1.0}],
)  # fmt: skip
def test_settings_out_of_range_get_a_sentence(wrong: dict[str, float]) -> None:
    with pytest.raises(InvalidInput, match="allowed"):
        Settings(**wrong)  # type: ignore[arg-type]


def test_estimators_that_cannot_be_get_a_sentence() -> None:
    with pytest.raises(InvalidInput, match="2 to"):
        variance("leave-one-out", MEAN, 1.0, GOAL, 1)
    with pytest.raises(InvalidInput, match="pathwise, score"):
        descend("magic", Settings())
    with pytest.raises(InvalidInput, match="sample, rsample"):
        draws.draw("guess", torch.zeros(2), torch.ones(2), torch.Generator())


def test_pytorch_has_no_gradient_for_a_sample_and_one_for_an_rsample() -> None:
    inside, outside = (draws.backward(way, (0.0, 0.0), (1.0, 2.0), TARGET, 3) for way in draws.WAYS)
    assert torch.equal(inside.x, outside.x) and torch.equal(inside.at_x, outside.at_x)
    assert inside.at_mean is None and inside.at_sigma is None
    assert inside.complaint is not None and "does not require grad" in inside.complaint
    assert outside.complaint is None and outside.at_mean is not None and outside.at_sigma is not None
    assert torch.equal(outside.at_mean, outside.at_x), "x = mean + sigma noise: the factor is 1"
    torch.testing.assert_close(outside.at_sigma, outside.at_x * outside.noise)
    assert outside.loss == pytest.approx(float((outside.x - torch.tensor(TARGET)).square().sum()))


@pytest.mark.parametrize("way", draws.WAYS)
def test_a_draw_is_that_of_pytorchs_own_gaussian(way: str) -> None:
    """The same numbers and the same graph, without the generator that all threads share."""
    mean, sigma = torch.tensor([1.0, -2.0], requires_grad=True), torch.tensor([0.5, 3.0], requires_grad=True)
    torch.manual_seed(7)
    known = getattr(Normal(mean, sigma), way)()
    before = torch.random.get_rng_state()
    found = draws.draw(way, mean, sigma, torch.Generator().manual_seed(7))
    assert torch.equal(found, known) and found.requires_grad == known.requires_grad == (way == "rsample")
    assert torch.equal(before, torch.random.get_rng_state())


def test_a_mean_that_hears_no_gradient_does_not_move() -> None:
    before = torch.random.get_rng_state()
    still, moved = (draws.descend(way, (0.0, 0.0), 1.0, TARGET, 150, 0.02, 0) for way in draws.WAYS)
    assert still == ([0.0, 0.0], 0)
    assert moved.useful_steps == 150 and moved.mean == pytest.approx(TARGET, abs=0.7)
    assert torch.equal(before, torch.random.get_rng_state()), "nobody else's random numbers are touched"
