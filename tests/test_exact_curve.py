"""The model that can be solved: against closed forms, against scipy, and importance sampling against the truth."""

from __future__ import annotations

import math
from importlib import import_module

import pytest
import torch
from torch import Tensor

from vae_core.errors import InvalidInput
from vae_core.exact.curve import CURVES, PRIOR, CurveModel, Gaussian1D
from vae_core.exact.importance import effective_sample_size, estimates, log_mean_exp

PLACES = [(0.0, 1.0), (1.5, -0.3), (-0.6, 1.2)]
MODELS = [CurveModel(name, sigma) for name in CURVES for sigma in (0.05, 0.4, 1.0)]


def at(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def names(model: CurveModel) -> str:
    return f"{model.curve}-{model.sigma:g}"


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("sigma", [0.05, 0.4, 1.0])
def test_on_the_line_everything_is_known(sigma: float, place: tuple[float, float]) -> None:
    """x = a z + noise: x ~ N(0, a a^T + sigma^2 I), and z | x is Gaussian."""
    model, x = CurveModel("line", sigma), at(*place)
    a = at(1.2, 0.9)
    covariance = torch.outer(a, a) + sigma**2 * torch.eye(2, dtype=torch.float64)
    evidence = torch.distributions.MultivariateNormal(at(0, 0), covariance).log_prob(x)
    assert float(model.log_evidence(x)) == pytest.approx(float(evidence), abs=1e-9)
    precision = 1 + float(a @ a) / sigma**2
    exact = Gaussian1D(float(a @ x) / sigma**2 / precision, precision**-0.5)
    posterior = model.posterior(x)
    assert posterior.mean == pytest.approx(exact.mean, abs=1e-9)
    assert posterior.std == pytest.approx(exact.std, abs=1e-9)
    torch.testing.assert_close(posterior.density, exact.log_density(posterior.z).exp(), atol=1e-9, rtol=1e-9)
    assert model.best_gaussian(x) == pytest.approx(exact, abs=1e-5)
    assert model.kl(x, exact) == pytest.approx(0, abs=1e-9)
    assert model.kl_from_posterior(x, exact) == pytest.approx(0, abs=1e-9)


def test_an_x_whose_code_lies_beyond_the_grid_is_refused_and_any_other_is_right() -> None:
    """On the line, with every x in its direction up to the code 20: what comes back is the closed form."""
    answered = []
    for sigma in (0.05, 0.3, 1.0, 10.0):
        model, a = CurveModel("line", sigma), at(1.2, 0.9)
        known = torch.distributions.MultivariateNormal(at(0, 0), torch.outer(a, a) + sigma**2 * torch.eye(2).double())
        for code in range(21):
            x = code * a
            try:
                assert float(model.log_evidence(x)) == pytest.approx(float(known.log_prob(x)), abs=1e-9)
                answered.append((sigma, code))
            except InvalidInput:
                assert code > 4, "this far out hardly any x lies"
    assert {(0.05, 7), (0.3, 5), (10.0, 10)} <= set(answered) and not {(0.05, 8), (0.3, 8)} & set(answered)
    far = at(20, 15)
    for ask in (CurveModel("line", 0.3).posterior, CurveModel("line", 0.3).log_evidence):
        with pytest.raises(InvalidInput, match=r"\(20, 15\).*choose"):
            ask(far)
    with pytest.raises(InvalidInput, match=r"\(-20, -15\)"):
        CurveModel("line", 0.3).log_evidence(torch.stack([at(0, 0), -far]))


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("model", MODELS, ids=names)
def test_the_evidence_is_the_one_of_scipy(model: CurveModel, place: tuple[float, float]) -> None:
    quad = import_module("scipy.integrate").quad  # scikit-learn brings it along
    x = at(*place)
    ours, posterior = float(model.log_evidence(x)), model.posterior(x)

    def density(z: float) -> float:
        return math.exp(float(model.log_joint(x, at(z)[0])) - ours)

    share = quad(density, -8, 8, points=sorted(posterior.modes.tolist()), epsabs=1e-13, epsrel=1e-12, limit=400)[0]
    assert share == pytest.approx(1, abs=1e-9)  # p(x, z) / our p(x) integrates to one
    assert float(posterior.density.sum() * (posterior.z[1] - posterior.z[0])) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("q", [Gaussian1D(0, 1), Gaussian1D(0.3, 0.5), Gaussian1D(-3, 0.01), Gaussian1D(1, 3)])
@pytest.mark.parametrize("model", MODELS, ids=names)
def test_elbo_and_kl_add_up_to_the_evidence(model: CurveModel, q: Gaussian1D) -> None:
    for place in PLACES:
        split = model.split(at(*place), q)
        assert split.elbo + split.kl == pytest.approx(split.log_evidence, abs=1e-8)
        assert split.kl > -1e-9
        assert split.elbo == pytest.approx(-(split.recon + split.kl_to_prior))


def test_the_kl_is_the_integral_that_it_claims_to_be() -> None:
    """Both directions by another rule than ours, on a posterior with two peaks."""
    quad = import_module("scipy.integrate").quad
    model, x, q = CurveModel("S", 0.4), at(0, 1), Gaussian1D(0.4, 0.5)
    evidence = float(model.log_evidence(x))

    def log_p(z: float) -> float:
        return float(model.log_joint(x, at(z)[0])) - evidence

    def log_q(z: float) -> float:
        return float(q.log_density(at(z)[0]))

    reverse = quad(lambda z: math.exp(log_q(z)) * (log_q(z) - log_p(z)), -4, 5, epsabs=1e-11, limit=300)[0]
    forward = quad(lambda z: math.exp(log_p(z)) * (log_p(z) - log_q(z)), -4, 5, epsabs=1e-11, limit=300)[0]
    assert model.kl(x, q) == pytest.approx(reverse, abs=1e-8)
    assert model.kl_from_posterior(x, q) == pytest.approx(forward, abs=1e-8)


def test_the_marginal_is_a_density_and_agrees_with_single_points() -> None:
    model = CurveModel("horseshoe", 0.4)
    x1, x2 = torch.linspace(-6, 6, 121, dtype=torch.float64), torch.linspace(-5, 5, 101, dtype=torch.float64)
    density = model.marginal(x1, x2)
    assert density.shape == (101, 121)
    assert float(density.sum() * (x1[1] - x1[0]) * (x2[1] - x2[0])) == pytest.approx(1, abs=1e-9)
    assert float(density[30, 70]) == pytest.approx(float(model.log_evidence(torch.stack([x1[70], x2[30]])).exp()))
    many = torch.stack([x1[60:63], x2[10:13]], dim=1)
    assert model.log_evidence(many.view(3, 1, 2)).shape == (3, 1)


@pytest.mark.parametrize("name", CURVES)
def test_derivatives_are_those_of_autograd(name: str) -> None:
    model, x = CurveModel(name, 0.3), at(0.4, -1.1)
    z = torch.linspace(-3, 3, 7, dtype=torch.float64, requires_grad=True)
    (wanted,) = torch.autograd.grad(model.log_joint(x, z).sum(), z)
    torch.testing.assert_close(model.slope(x, z.detach()), wanted)


def test_the_gradient_of_the_elbo_is_its_slope_and_ascent_climbs_to_its_top() -> None:
    model, x, q, step = CurveModel("S", 0.4), at(0.2, 1.1), Gaussian1D(0.3, 0.4), 1e-5
    by_mean, by_log_std = model.elbo_gradient(x, q)
    up, down = (model.elbo(x, Gaussian1D(q.mean + each, q.std)) for each in (step, -step))
    assert by_mean == pytest.approx((up - down) / (2 * step), rel=1e-6)
    wide, narrow = (model.elbo(x, Gaussian1D(q.mean, q.std * math.exp(each))) for each in (step, -step))
    assert by_log_std == pytest.approx((wide - narrow) / (2 * step), rel=1e-6)
    path = model.ascend(x, q)
    assert path[0] == q and model.elbo_gradient(x, path[-1]) == pytest.approx((0, 0), abs=1e-6)
    slow = model.ascend(x, q, steps=2000, rate=0.01, natural=False)
    assert model.elbo(x, slow[-1]) == pytest.approx(model.elbo(x, path[-1]), abs=1e-6)


def test_a_posterior_with_two_peaks_costs_the_best_gaussian_log_two() -> None:
    """By symmetry both peaks weigh the same, and a Gaussian on one of them misses half."""
    model, x = CurveModel("horseshoe", 0.2), at(0, 1)
    posterior = model.posterior(x)
    assert len(posterior.modes) == 2 and float(posterior.modes.sum()) == pytest.approx(0, abs=1e-9)
    best = model.best_gaussian(x)
    assert model.kl(x, best) == pytest.approx(math.log(2), abs=1e-3)
    covering = Gaussian1D(posterior.mean, posterior.std)
    assert model.kl_from_posterior(x, covering) < model.kl_from_posterior(x, best)
    others = [Gaussian1D(mean / 4, 0.14) for mean in range(-16, 17)]
    assert model.elbo(x, best) >= max(model.elbo(x, other) for other in others)


def test_draws_fall_where_the_density_says() -> None:
    model = CurveModel("S", 0.4)
    z, x = model.sample(20_000, torch.Generator().manual_seed(0))
    assert x.shape == (20_000, 2) and abs(float(z.mean())) < 0.03
    axis = torch.linspace(-0.25, 0.75, 51, dtype=torch.float64)
    share = float(model.marginal(axis, axis)[:-1, :-1].sum() * (axis[1] - axis[0]) ** 2)
    hits = float(((x > -0.25) & (x < 0.75)).all(1).double().mean())
    assert hits == pytest.approx(share, abs=4 * math.sqrt(share / 20_000) + 0.01 * share)


@pytest.mark.parametrize("proposal", [PRIOR, Gaussian1D(0.6, 0.9)])
def test_importance_sampling_is_unbiased_and_its_logarithm_too_low(proposal: Gaussian1D) -> None:
    model, x = CurveModel("S", 0.4), at(0, 1)
    truth = float(model.log_evidence(x))
    found = model.importance(x, proposal, (1, 16, 256), 4000, torch.Generator().manual_seed(0))
    for place, count in enumerate(found.counts):
        ratio = torch.exp(found.values[:, place] - truth)  # estimated p(x) over the true one
        assert float(ratio.mean()) == pytest.approx(1, abs=5 * float(ratio.std()) / math.sqrt(4000))
        assert float(found.mean[place]) < truth
        assert bool((found.effective[:, place] >= 1 - 1e-9).all() and (found.effective[:, place] <= count + 1e-9).all())
    assert found.mean.diff().min() > 0  # the bias shrinks
    assert found.error(truth).mean(0).diff().max() < 0
    bound = float(found.mean[0]) - model.elbo(x, proposal)  # one draw: the ELBO
    assert abs(bound) < 5 * float(found.standard_error[0])


def test_a_perfect_proposal_needs_one_draw() -> None:
    model, x = CurveModel("line", 0.4), at(0.5, -0.2)
    found = model.importance(x, model.best_gaussian(x), (1, 8), 10, torch.Generator().manual_seed(0))
    assert float(found.error(float(model.log_evidence(x))).max()) < 1e-4
    torch.testing.assert_close(found.effective, at(1, 8).expand(10, 2), rtol=1e-4, atol=0)


def test_weights_neither_overflow_nor_underflow() -> None:
    log_weights = at(-2000, -2000, -2000 + math.log(2))
    assert float(log_mean_exp(log_weights)) == pytest.approx(-2000 + math.log(4 / 3))
    assert float(effective_sample_size(log_weights)) == pytest.approx(16 / 6)
    assert estimates(log_weights[None], (2,)).values[0, 0] == pytest.approx(-2000)


@pytest.mark.parametrize(
    "attempt",
    [
        lambda: CurveModel("spiral"), lambda: CurveModel("S", 0.01), lambda: CurveModel("S", math.nan),
        lambda: CurveModel().split(at(0, 0), Gaussian1D(0, 0)), lambda: CurveModel().posterior(at(0, math.inf)),
        lambda: CurveModel().posterior(at(0, 0, 0)), lambda: CurveModel().importance(at(0, 0), PRIOR, ()),
        lambda: estimates(torch.zeros(2, 4), (5,)),
    ],
)  # fmt: skip
def test_nonsense_is_refused(attempt: object) -> None:
    with pytest.raises(InvalidInput, match=r"choose|give"):
        attempt()  # type: ignore[operator]
