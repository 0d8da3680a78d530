"""The loss and its parts against what is known: KL by draws, the best scale of a decoder, one pixel's cost."""

from __future__ import annotations

import math

import pytest
import torch

from tests.conftest import blob_source
from vae_core.errors import InvalidInput
from vae_core.exact.kl import (
    ENTROPY,
    ESTIMATORS,
    LEAST_WIDTH,
    POSITIVE,
    RATIO,
    closed_form,
    deviation,
    single_draws,
)  # fmt: skip
from vae_core.exact.pixel import charge, least_cross_entropy, mass
from vae_core.losses import kl_to_standard_normal
from vae_core.metrics import METRICS, Trial
from vae_core.metrics.decoder_scale import DecoderScale, decoder_scale
from vae_core.models import VAE
from vae_core.recipes import BANKS
from vae_core.recipes.loss import PIXELS, WEIGHTS_LOSS, sigma_of

DRAWS = 200_000
PLACES = [(0.0, 1.0), (1.5, 0.8), (-0.7, 1.3)]  # mean and width of q


def noise(count: int = DRAWS) -> torch.Tensor:
    return torch.randn(count, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def draws(kind: str, mean: float, std: float) -> torch.Tensor:
    return single_draws(kind, torch.tensor(mean).double(), torch.tensor(std).double(), noise())


# KL by draws.


def test_the_formula_is_that_of_torch_and_of_the_models() -> None:
    mean, std = torch.randn(20, 3), torch.rand(20, 3) + 0.05
    expected = torch.distributions.kl_divergence(
        torch.distributions.Normal(mean, std), torch.distributions.Normal(0.0, 1.0)
    )
    torch.testing.assert_close(closed_form(mean, std), expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(closed_form(mean, std), kl_to_standard_normal(mean, 2 * std.log()), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("mean", "std"), PLACES)
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_every_estimator_is_right_on_average_and_varies_as_its_formula_says(kind: str, mean: float, std: float) -> None:
    """Over all noise at once, by quadrature; and by draws."""
    grid = torch.linspace(-25, 25, 50_001, dtype=torch.float64)
    weight = torch.exp(-0.5 * grid**2) / math.sqrt(2 * math.pi)
    values = single_draws(kind, torch.tensor(mean).double(), torch.tensor(std).double(), grid)
    expected, spread = closed_form(torch.tensor(mean), torch.tensor(std)).item(), deviation(kind, mean, std)
    average = torch.trapezoid(weight * values, grid).item()
    assert average == pytest.approx(expected, rel=1e-5, abs=1e-6)
    variance = torch.trapezoid(weight * (values - average) ** 2, grid).item()
    assert math.sqrt(variance) == pytest.approx(spread, rel=1e-4, abs=1e-6)
    assert draws(kind, mean, std).mean().item() == pytest.approx(expected, abs=4 * spread / math.sqrt(DRAWS) + 1e-6)


def test_what_is_never_negative_never_is_and_what_is_may_be() -> None:
    assert draws(POSITIVE, 0.1, 1.05).min() >= 0 > draws(RATIO, 0.1, 1.05).min()
    assert deviation(POSITIVE, 0.1, 1.05) < 0.3 * deviation(RATIO, 0.1, 1.05), "near the prior it is the best"


def test_an_encoders_narrow_posterior_is_too_much_for_it() -> None:
    assert deviation(POSITIVE, 1.0, LEAST_WIDTH) == math.inf and deviation(POSITIVE, 1.0, 0.72) < math.inf
    assert deviation(ENTROPY, 1.0, 0.1) < 0.2 * deviation(RATIO, 1.0, 0.1)
    short = draws(POSITIVE, 1.0, 0.1).mean().item()
    truth = closed_form(torch.tensor(1.0), torch.tensor(0.1)).item()
    assert short < truth - 0.5, "the rare draws that would make it right do not come"


@pytest.mark.parametrize("kind", ["magic", ""])
def test_an_unknown_estimator_is_named(kind: str) -> None:
    with pytest.raises(InvalidInput, match="estimator"):
        deviation(kind, 0.0, 1.0)
    with pytest.raises(InvalidInput, match="estimator"):
        draws(kind, 0.0, 1.0)


# The decoder's scale.


def small(**settings: object) -> VAE:
    return VAE(VAE.Config(image=(1, 12, 12), hidden=(16,), **settings)).eval()  # type: ignore[arg-type]


def test_the_best_scale_is_the_rmse() -> None:
    found = decoder_scale(Trial(small(), blob_source()))
    scales = torch.linspace(0.5, 1.5, 1001) * found.rmse
    best = max(scales.tolist(), key=found.elbo)
    assert best == pytest.approx(found.rmse, rel=1e-3)
    known = DecoderScale(squared_error=36.0, kl=0.0, pixels=4)
    assert known.rmse == 3 and known.elbo(3.0) == pytest.approx(-2 - 4 * math.log(3 * math.sqrt(2 * math.pi)))


def test_a_learned_scale_ends_at_the_rmse() -> None:
    """Only the scale is trained; the means stand still."""
    model, x = small(likelihood="gaussian_learned"), blob_source().images(torch.arange(96))
    with torch.no_grad():
        z = model.encode(x).mean
        rmse = (model.decode(z) - x).square().mean().sqrt().item()
    descent = torch.optim.Adam([model.log_sigma], lr=0.05)
    for _ in range(300):
        descent.zero_grad()
        model.recon_per_image(x, z).mean().backward()
        descent.step()
    assert model.log_sigma.exp().item() == pytest.approx(rmse, rel=1e-3)


@pytest.mark.parametrize("sigma", [0.1, 0.7])
def test_the_elbo_is_that_of_a_model_trained_with_this_scale(sigma: float) -> None:
    trial = Trial(small(likelihood="gaussian", sigma=sigma), blob_source())
    found = decoder_scale(trial)
    assert found.elbo(sigma) == pytest.approx(METRICS["elbo"].compute(trial).elbo, rel=1e-5)


def test_c_beta_and_sigma_are_one_dial() -> None:
    """C |x - m|^2 + KL, |x - m|^2 + KL / C and the Gaussian's loss differ by a factor and a constant alone."""
    x = blob_source().images(torch.arange(8))
    for c in (0.25, 10.0):
        model = small(likelihood="gaussian", sigma=sigma_of(c))
        torch.manual_seed(1)
        terms = model.loss(x)
        torch.manual_seed(1)
        posterior = model.encode(x)
        error = (model.decode(posterior.sample()) - x).square().sum((1, 2, 3)).mean()
        constant = 144 * math.log(sigma_of(c) * math.sqrt(2 * math.pi))
        assert terms.total.item() == pytest.approx((c * error + terms.kl).item() + constant, rel=1e-4)
        assert 2 * sigma_of(c) ** 2 == pytest.approx(1 / c)


@pytest.mark.parametrize("sigma", [0.0, -1.0, math.nan, math.inf])
def test_a_scale_that_is_none_is_refused(sigma: float) -> None:
    with pytest.raises(InvalidInput, match="scale"):
        DecoderScale(1.0, 0.0, 4).elbo(sigma)


# One pixel.


@pytest.mark.parametrize("sigma", [None, 0.1, math.sqrt(0.5), sigma_of(1 / PIXELS)])
@pytest.mark.parametrize("grey", [0.2, 0.5, 0.8])
def test_every_cost_is_least_at_the_pixels_own_grey(sigma: float | None, grey: float) -> None:
    prediction = torch.linspace(0.01, 0.99, 99)
    found = charge(prediction, grey, sigma)
    assert prediction[found.cost.argmin()].item() == pytest.approx(grey, abs=0.011)
    at = charge(torch.tensor([grey]), grey, sigma)
    assert at.by_prediction.item() == pytest.approx(0, abs=1e-4)


def test_slopes_are_those_that_are_known() -> None:
    prediction = torch.tensor([0.1, 0.3, 0.9])
    for c in (1.0, 1 / PIXELS):
        found = charge(prediction, 0.6, sigma_of(c))
        torch.testing.assert_close(found.by_prediction.float(), 2 * c * (prediction - 0.6), rtol=1e-3, atol=1e-8)
    torch.testing.assert_close(charge(prediction, 0.6, None).by_logit.float(), prediction - 0.6, rtol=1e-4, atol=1e-6)


def test_grey_bce_is_no_density() -> None:
    places = torch.tensor([0.01, 0.3, 0.5, 0.50001, 0.9], dtype=torch.float64)
    greys = torch.linspace(0, 1, 20_001, dtype=torch.float64)
    density = places[:, None] ** greys * (1 - places[:, None]) ** (1 - greys)
    torch.testing.assert_close(mass(places), torch.trapezoid(density, greys), rtol=1e-5, atol=1e-7)
    assert mass(places).max() <= 0.5 and mass(torch.tensor(0.5)).item() == pytest.approx(0.5)


def test_no_copy_has_less_than_the_least_cross_entropy() -> None:
    x = torch.tensor([0.0, 0.5, 1.0, 0.25]).view(1, 1, 2, 2)
    found = least_cross_entropy(x).item()
    known = math.log(2) - 0.25 * math.log(0.25) - 0.75 * math.log(0.75)
    assert found == pytest.approx(known)
    itself = sum(charge(torch.tensor([each]), each, None).cost.item() for each in x.flatten().tolist())
    assert itself == pytest.approx(found, abs=1e-5)


@pytest.mark.parametrize("grey", [-0.1, 1.5, math.nan])
def test_a_grey_value_that_is_none_is_refused(grey: float) -> None:
    with pytest.raises(InvalidInput, match="grey value"):
        charge(torch.tensor([0.5]), grey, 0.1)


# The bank.


def test_the_bank_differs_in_the_loss_alone() -> None:
    bank = BANKS["loss"]
    assert len({(recipe.model, recipe.data, recipe.config.hidden, str(recipe.training)) for recipe in bank}) == 1
    fixed = [recipe.config.sigma for recipe in bank if recipe.config.likelihood == "gaussian" and recipe.config.beta]
    assert [1 / (2 * sigma**2) for sigma in fixed] == pytest.approx(WEIGHTS_LOSS)
    assert [recipe.name for recipe in bank if recipe.config.beta == 0] == ["loss-no-kl"]
