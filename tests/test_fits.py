"""The nearest Gaussian in both directions of the KL, and probabilistic PCA: against closed forms."""

from __future__ import annotations

import math

import pytest
import torch
from torch.distributions import MultivariateNormal, kl_divergence

from vae_core.errors import InvalidInput
from vae_core.exact.curve import CurveModel, Gaussian1D
from vae_core.exact.fits import diagonal_fit, gaussian_fits, kl_between
from vae_core.exact.ppca import PPCA, LinearVAE, fit_ppca
from vae_core.training.full_batch import curve_down


def point(*x: float) -> torch.Tensor:
    return torch.tensor(x, dtype=torch.float64)


def covariance(size: int, seed: int = 0) -> torch.Tensor:
    draw = torch.randn(size, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return draw @ draw.T + 0.1 * torch.eye(size)


def test_a_gaussian_posterior_is_found_in_both_directions() -> None:
    model, x = CurveModel("line", 0.6), point(1.0, 0.2)
    precision = 1 + (1.2**2 + 0.9**2) / 0.6**2
    mean = (1.2 * 1.0 + 0.9 * 0.2) / 0.6**2 / precision
    found = gaussian_fits(model, x)
    assert len(found.nearest) == 1 and not found.seeks(found.nearest[0])
    for fit in (found.covering, found.nearest[0]):
        assert fit.q.mean == pytest.approx(mean, abs=1e-4) and fit.q.std == pytest.approx(precision**-0.5, abs=1e-4)
        assert abs(fit.reverse) < 1e-6 and abs(fit.forward) < 1e-6


def test_of_two_peaks_one_direction_covers_both_and_the_other_takes_one() -> None:
    model, x = CurveModel("horseshoe", 0.4), point(0.0, 0.8)
    found = gaussian_fits(model, x)
    left, right = sorted(found.nearest[:2], key=lambda fit: fit.q.mean)
    assert found.seeks(left) and found.seeks(right) and not found.seeks(found.covering)
    assert left.q.mean == pytest.approx(-right.q.mean, abs=1e-3) and right.q.mean > 2
    assert right.reverse == pytest.approx(math.log(2), abs=0.01), "one of two equal peaks: half of the mass"
    assert found.covering.q.mean == pytest.approx(0, abs=1e-9)
    assert found.covering.q.std == pytest.approx(found.posterior.std)
    assert found.covering.forward < right.forward and right.reverse < found.covering.reverse


def test_the_least_is_the_least_of_a_grid() -> None:
    """Between the arms, with much noise: one q over both peaks is nearer than one on either."""
    model, x = CurveModel("horseshoe", 0.55), point(0.0, 0.4)
    found = gaussian_fits(model, x)
    grid = {
        (mean, std): model.kl(x, Gaussian1D(mean, std))
        for mean in torch.linspace(-3, 3, 31).tolist()
        for std in torch.linspace(0.2, 2.4, 23).tolist()
    }
    mean, std = min(grid, key=lambda place: grid[place])
    best = found.nearest[0]
    assert best.q.mean == pytest.approx(mean, abs=0.1) and best.q.std == pytest.approx(std, abs=0.1)
    assert grid[mean, std] - 0.01 < best.reverse <= grid[mean, std]
    assert best.reverse == pytest.approx(0.517, abs=1e-3) and not found.seeks(best)
    assert [round(abs(fit.q.mean), 1) for fit in found.nearest[1:]] == [1.8, 1.8]


@pytest.mark.parametrize(("sigma", "aside"), [(0.3, 0.0), (0.5, 0.1), (0.55, 0.0), (0.6, 0.1), (0.8, 0.6)])
def test_no_neighbour_is_nearer(sigma: float, aside: float) -> None:
    model, x = CurveModel("horseshoe", sigma), point(aside, 0.4)
    found = gaussian_fits(model, x)
    for mean, width in ((0.03, 1), (-0.03, 1), (0, 1.03), (0, 0.97)):
        for fit in found.nearest:
            other = Gaussian1D(fit.q.mean + mean * fit.q.std, fit.q.std * width)
            assert model.kl(x, other) > fit.reverse
        q = found.covering.q
        assert model.kl_from_posterior(x, Gaussian1D(q.mean + mean * q.std, q.std * width)) > found.covering.forward
    assert [fit.reverse for fit in found.nearest] == sorted(fit.reverse for fit in found.nearest)


def test_the_kl_of_gaussians_is_that_of_torch() -> None:
    a, b, m, n = covariance(3), covariance(3, 1), point(0.1, -1, 2), point(0.5, 0, 1)
    truth = kl_divergence(MultivariateNormal(m, a), MultivariateNormal(n, b)).item()
    assert kl_between(m, a, n, b) == pytest.approx(truth)
    assert kl_between(m, a, m, a) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("reverse", [True, False])
def test_no_other_diagonal_is_nearer(reverse: bool) -> None:
    p, zero = covariance(3), torch.zeros(3, dtype=torch.float64)
    best = diagonal_fit(p, reverse)
    wanted = 1 / torch.linalg.inv(p).diagonal() if reverse else p.diagonal()
    torch.testing.assert_close(best.diagonal(), wanted)

    def far(q: torch.Tensor) -> float:
        return kl_between(zero, q, zero, p) if reverse else kl_between(zero, p, zero, q)

    for latent in range(3):
        for factor in (0.97, 1.03):
            other = best.clone()
            other[latent, latent] *= factor
            assert far(other) > far(best)


def test_what_two_correlated_latents_cost() -> None:
    rho, zero = 0.9, point(0, 0)
    p = torch.tensor([[1, rho], [rho, 1]], dtype=torch.float64)
    narrow = diagonal_fit(p, reverse=True)
    assert narrow[0, 0].item() == pytest.approx(1 - rho**2)
    assert kl_between(zero, narrow, zero, p) == pytest.approx(-0.5 * math.log(1 - rho**2))


@pytest.mark.parametrize("bad", [[[1.0, 2.0], [2.0, 1.0]], [[0.0, 0.0], [0.0, 1.0]], [[math.nan, 0.0], [0.0, 1.0]]])
def test_what_is_no_covariance_is_refused(bad: list[list[float]]) -> None:
    with pytest.raises(InvalidInput, match="no covariance"):
        diagonal_fit(torch.tensor(bad), reverse=True)


def data(count: int = 400, pixels: int = 6) -> torch.Tensor:
    """Points [N, P] with two strong directions of different strength."""
    noise = torch.Generator().manual_seed(3)
    basis = torch.linalg.qr(torch.randn(pixels, pixels, generator=noise, dtype=torch.float64))[0]
    z = torch.randn(count, pixels, generator=noise, dtype=torch.float64) * point(3, 1.5, 0.4, 0.4, 0.4, 0.4)
    return z @ basis.T + torch.arange(pixels)


def moments(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return x.mean(0), torch.cov(x.T, correction=0)


def test_evidence_and_posterior_of_ppca_are_bayes() -> None:
    model = PPCA(torch.randn(5, 2, dtype=torch.float64), torch.arange(5.0).double(), 0.3)
    x = torch.randn(7, 5, dtype=torch.float64) + 2
    joint = model.weights @ model.weights.T + 0.3 * torch.eye(5)
    torch.testing.assert_close(model.log_evidence(x), MultivariateNormal(model.mean, joint).log_prob(x))
    means, spread = model.posterior(x)
    gain = model.weights.T @ torch.linalg.inv(joint)  # conditioning the joint Gaussian of z and x
    torch.testing.assert_close(means, (x - model.mean) @ gain.T)
    torch.testing.assert_close(spread, torch.eye(2).double() - gain @ model.weights)


def test_the_closed_form_is_the_maximum() -> None:
    x = data()
    mean, spread = moments(x)
    best = fit_ppca(mean, spread, 2)
    top = best.log_evidence(x).mean().item()
    assert best.mean_log_evidence(mean, spread) == pytest.approx(top)
    assert best.variance == pytest.approx(torch.linalg.eigvalsh(spread)[:4].mean().item())
    for seed in range(3):
        nudge = 0.05 * torch.randn(6, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        assert PPCA(best.weights + nudge, mean, best.variance).log_evidence(x).mean() < top
    for factor in (0.95, 1.05):
        assert PPCA(best.weights, mean, best.variance * factor).log_evidence(x).mean() < top
    assert (best.weights.T @ best.weights)[0, 1].abs() < 1e-9
    assert best.weights[:, 0].norm() > best.weights[:, 1].norm()


@pytest.mark.parametrize(("latent", "sentence"), [(0, "0 latents"), (6, "6 latents")])
def test_as_many_latents_as_pixels_are_refused(latent: int, sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        fit_ppca(*moments(data()), latent)


def test_nothing_left_over_is_refused() -> None:
    with pytest.raises(InvalidInput, match="take fewer latents"):
        fit_ppca(torch.zeros(3), torch.diag(torch.tensor([1.0, 0.0, 0.0])), 2)


def test_the_elbo_without_draws_is_the_elbo() -> None:
    """Against its definition: the mean over images of what many draws of z say."""
    x = data(50)
    x = x - x.mean(0)
    model = LinearVAE(6, 2, torch.Generator().manual_seed(0))
    with torch.no_grad():
        model.log_std += point(-0.5, 0.3)
        model.log_sigma += 0.4
        mean, spread = model.posterior(x)
        z = mean + torch.randn(40_000, 1, 2, dtype=torch.float64) * spread.diagonal().sqrt()
        away = (x - z @ model.decoder.T).square().sum(-1) / math.exp(0.8)
        recon = 0.5 * away.mean() + 6 * (0.4 + 0.5 * math.log(2 * math.pi))
        kl = 0.5 * (mean.square() + spread.diagonal() - 1 - spread.diagonal().log()).sum(1).mean()
        assert model.negative_elbo(moments(x)[1]).item() == pytest.approx((recon + kl).item(), rel=2e-3)


def test_at_the_maximum_the_bound_is_tight() -> None:
    x = data()
    mean, spread = moments(x)
    best = fit_ppca(mean, spread, 2)
    model = LinearVAE(6, 2)
    means, exact = best.posterior(x)
    with torch.no_grad():
        model.decoder.copy_(best.weights)
        model.encoder.copy_(torch.linalg.lstsq(x - mean, means).solution.T)
        model.log_std.copy_(0.5 * exact.diagonal().log())
        model.log_sigma.fill_(0.5 * math.log(best.variance))
    assert -model.negative_elbo(spread).item() == pytest.approx(best.mean_log_evidence(mean, spread), abs=1e-9)


def test_a_linear_vae_finds_ppca_and_its_posterior() -> None:
    x = data()
    mean, spread = moments(x)
    best = fit_ppca(mean, spread, 2)
    model = LinearVAE(6, 2, torch.Generator().manual_seed(1))
    *_, end = curve_down(model, lambda: model.negative_elbo(spread), 600)
    own = model.as_ppca(mean)
    assert -end.loss == pytest.approx(best.mean_log_evidence(mean, spread), abs=1e-4)
    assert math.sqrt(own.variance) == pytest.approx(math.sqrt(best.variance), rel=1e-3)
    (exact_means, exact), (means, q) = own.posterior(x), model.posterior(x - mean)
    torch.testing.assert_close(means, exact_means, atol=5e-3, rtol=0)
    torch.testing.assert_close(q, exact, atol=2e-3, rtol=0)
    ours = model.decoder.detach()
    cosines = torch.nn.functional.normalize(ours, dim=0).T @ torch.nn.functional.normalize(best.weights, dim=0)
    assert cosines.abs().max(dim=1).values.min() > 0.999, "a diagonal q: pPCA's directions, not any of their subspace"
