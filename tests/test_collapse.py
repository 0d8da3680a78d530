"""Fitted priors, coverage by image, and the VAE whose decoder sees the pixels before."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from vae_core.checkpoints import read_model, write_model
from vae_core.errors import InvalidInput
from vae_core.latent.flow import Flow, fit_flow
from vae_core.latent.priors import (
    Gaussian,
    Mixture,
    aggregate_log_density,
    fit_mixture,
    multivariate_log_density,
    standard_normal,
)
from vae_core.losses import kl_to_standard_normal
from vae_core.metrics.completeness import scores
from vae_core.metrics.coverage import by_class, covered
from vae_core.models import AutoregressiveVAE

TWO = Mixture(
    torch.tensor([0.3, 0.7]),
    torch.tensor([[-3.0, 0.0], [2.0, 1.0]]),
    torch.tensor([[[0.5, 0.0], [0.2, 0.4]], [[1.0, 0.0], [-0.5, 0.8]]]),
)


def dice(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def plane(reach: float, side: int) -> tuple[Tensor, float]:
    """The middles [side * side, 2] of cells of a square, and the area of one."""
    step = 2 * reach / side
    line = -reach + step * (torch.arange(side) + 0.5)
    return torch.cartesian_prod(line, line), step**2


# Mixtures.


def test_densities_are_those_of_torch() -> None:
    points = torch.randn(50, 2, generator=dice())
    each = torch.distributions.MultivariateNormal(TWO.means, scale_tril=TWO.choleskys)
    ours = multivariate_log_density(points, TWO.means, TWO.choleskys)
    torch.testing.assert_close(ours, each.log_prob(points[:, None]))
    kinds = torch.distributions.Categorical(TWO.weights)
    whole = torch.distributions.MixtureSameFamily(kinds, each)
    torch.testing.assert_close(TWO.log_density(points), whole.log_prob(points))
    one = Gaussian(TWO.means[1], TWO.choleskys[1])
    torch.testing.assert_close(one.log_density(points), each.log_prob(points[:, None])[:, 1])


def test_a_mixture_is_found_again_in_its_draws() -> None:
    codes = TWO.sample(8000, dice())
    found = fit_mixture(codes, 2)
    order = found.means[:, 0].argsort()
    torch.testing.assert_close(found.weights[order], TWO.weights, rtol=0, atol=0.02)
    torch.testing.assert_close(found.means[order], TWO.means, rtol=0, atol=0.06)
    torch.testing.assert_close(found.choleskys[order], TWO.choleskys, rtol=0, atol=0.06)


def test_draws_of_a_mixture_have_its_moments() -> None:
    draws = TWO.sample(40_000, dice())
    mean = TWO.weights @ TWO.means
    torch.testing.assert_close(draws.mean(0), mean, rtol=0, atol=0.03)
    within = torch.einsum("k,kij,klj->il", TWO.weights, TWO.choleskys, TWO.choleskys)
    apart = TWO.means - mean
    torch.testing.assert_close(draws.T.cov(), within + (TWO.weights * apart.T) @ apart, rtol=0, atol=0.1)


def test_the_aggregate_posterior_integrates_to_one_and_is_the_mean_of_posteriors() -> None:
    means, stds = (
        torch.tensor([[-1.0, 0.0], [1.0, 0.5], [0.0, 2.0]]),
        torch.tensor([[0.5, 1.0], [0.3, 0.3], [1.0, 0.4]]),
    )
    points, area = plane(7, 140)
    found = aggregate_log_density(points, means, stds)
    assert float(found.exp().sum() * area) == pytest.approx(1, abs=1e-3)
    same = Mixture(torch.full((3,), 1 / 3), means, torch.diag_embed(stds))
    torch.testing.assert_close(found, same.log_density(points), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("codes", "components"), [(torch.zeros(3, 2), 2), (torch.zeros(9, 2), 0)])
def test_too_few_codes_for_a_mixture_are_named(codes: Tensor, components: int) -> None:
    with pytest.raises(InvalidInput, match="at least two codes"):
        fit_mixture(codes, components)
    with pytest.raises(InvalidInput, match="at least two codes"):
        fit_mixture(torch.full((9, 2), torch.nan), 2)


# Flows.


def stirred(latent: int) -> Flow:
    """A flow whose layers all do something."""
    torch.manual_seed(1)
    flow = Flow(latent, layers=4, hidden=16)
    with torch.no_grad():
        for parameter in flow.layers.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
        flow.mean.copy_(torch.randn(latent))
        flow.std.copy_(0.5 + torch.rand(latent))
    return flow.requires_grad_(False)


@pytest.mark.parametrize("latent", [2, 5])
def test_a_flow_can_be_turned_back_and_knows_its_change_of_volume(latent: int) -> None:
    flow = stirred(latent)
    z = torch.randn(6, latent, generator=dice())
    noise, volume = flow.to_noise(z)
    torch.testing.assert_close(flow.from_noise(noise), z, rtol=1e-4, atol=1e-4)
    for point, expected in zip(z, volume, strict=True):
        slopes = torch.autograd.functional.jacobian(lambda at: flow.to_noise(at[None])[0][0], point)
        torch.testing.assert_close(torch.linalg.slogdet(slopes).logabsdet, expected, rtol=1e-3, atol=1e-3)
    assert (noise - z).abs().max() > 0.1


def test_the_density_of_a_flow_integrates_to_one() -> None:
    flow = stirred(2)
    points, area = plane(14, 280)
    assert float(flow.log_density(points).exp().sum() * area) == pytest.approx(1, abs=0.01)


def test_every_latent_of_a_flow_is_moved() -> None:
    moved = torch.stack([1 - layer.stays for layer in Flow(5, layers=4).layers]).sum(0)
    assert (moved > 0).all()
    with pytest.raises(InvalidInput, match="two latents or more"):
        Flow(1)


def test_a_flow_comes_near_the_density_of_what_it_is_fitted_to() -> None:
    """Two crescents would be hard; two apart Gaussians leave at most a few tenths of a nat."""
    codes, fresh = TWO.sample(4000, dice()), TWO.sample(4000, dice(1))
    torch.manual_seed(0)
    flow = Flow(2, layers=6, hidden=32)
    losses = list(fit_flow(flow, codes, steps=250, batch=256, lr=5e-3))
    truth, normal = TWO.log_density(fresh).mean(), standard_normal(2).log_density(fresh).mean()
    with torch.no_grad():
        found = flow.log_density(fresh).mean()
    assert normal < found <= truth + 0.02, "no density beats the true one"
    assert truth - found < 0.25 and losses[-1] < losses[0]


# Coverage.


def test_coverage_is_that_of_the_other_metric() -> None:
    real, fake = torch.randn(200, 4, generator=dice()), 0.6 * torch.randn(150, 4, generator=dice(1))
    found = covered(real, fake)
    assert found.within.double().mean().item() == pytest.approx(scores(real, fake).coverage)
    apart = torch.cdist(real, fake)
    assert torch.equal(found.nearest, apart.argmin(1))


def test_a_crowd_without_samples_is_what_is_least_covered() -> None:
    """Two crowds, and samples in the first alone."""
    first, second = torch.randn(50, 3, generator=dice()), 20 + torch.randn(50, 3, generator=dice(1))
    found = covered(torch.cat([first, second]), torch.randn(300, 3, generator=dice(2)))
    labels = torch.tensor([0] * 50 + [1] * 50)
    assert found.reach[50:].min() > found.reach[:50].max()
    of_first, of_second = by_class(found.within, labels, 2)
    assert of_first > 0.9 and of_second == 0
    same = covered(first, first)
    assert same.within.all() and same.reach.max() == 0 and torch.equal(same.nearest, torch.arange(50))


def test_features_that_cannot_be_compared_are_named() -> None:
    with pytest.raises(InvalidInput, match="cannot be compared"):
        covered(torch.zeros(20, 3), torch.zeros(20, 4))


# The decoder that sees the pixels before.


def small(**settings: Any) -> AutoregressiveVAE:
    config = {
        "image": (1, 7, 8),
        "latent": 3,
        "hidden": (16,),
        "units": 6,
        "window": 5,
        "activation": "tanh",
        **settings,
    }
    model = AutoregressiveVAE(AutoregressiveVAE.Config(**config))
    torch.nn.init.normal_(model.place)
    return model.requires_grad_(False)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_pixel_is_seen_by_later_ones_within_the_window_alone(channels: int) -> None:
    model = small(image=(channels, 7, 8))
    x, z = torch.rand(1, channels, 7, 8), torch.randn(1, 3)
    other = x.clone()
    other[:, :, 3, 4] = 1 - other[:, :, 3, 4]
    moved = (model.logits(other, z) != model.logits(x, z)).any(1)[0].nonzero().tolist()
    assert moved == [[3, 5], [3, 6], *([row, column] for row in (4, 5) for column in range(2, 7))]


@pytest.mark.parametrize("channels", [1, 3])
def test_drawing_pixel_by_pixel_follows_the_probabilities_of_the_loss(channels: int) -> None:
    model, z = small(image=(channels, 7, 8)), torch.randn(4, 3)
    thrown = torch.rand(4, channels, 7, 8)
    x = model.draw(z, thrown)
    assert torch.equal(x, (thrown < torch.sigmoid(model.logits(x, z))).float()) and 0 < x.mean() < 1


def test_a_code_that_is_not_read_draws_one_picture() -> None:
    model, thrown = small(), torch.rand(1, 7, 8)
    assert len(model.draw(5 * torch.randn(6, 3), thrown).unique(dim=0)) > 1
    model.told.weight.zero_()
    assert len(model.draw(5 * torch.randn(6, 3), thrown).unique(dim=0)) == 1


def test_the_likelihood_of_all_small_pictures_is_one() -> None:
    """A product of conditionals is a distribution: summed over all 2^6 pictures."""
    model, z = small(image=(1, 2, 3), window=3), torch.randn(1, 3)
    every = torch.tensor([[(number >> bit) & 1 for bit in range(6)] for number in range(64)]).float().view(64, 1, 2, 3)
    assert float((-model.recon_per_image(every, z.expand(64, 3))).logsumexp(0)) == pytest.approx(0, abs=1e-5)


def test_it_comes_back_from_its_folder_as_it_was(tmp_path: Path) -> None:
    model, x = small(), torch.rand(2, 1, 7, 8)
    write_model(tmp_path, model, name="small", model_name="autoregressive", dataset="mnist", training={})
    again: Any = read_model(tmp_path).model
    z = torch.randn(2, 3)
    assert torch.equal(again.logits(x, z), model.logits(x, z))


def test_its_loss_is_minus_the_elbo() -> None:
    model, x = small(beta=2.0), (torch.rand(40, 1, 7, 8) > 0.5).float()
    terms = model.loss(x)
    posterior = model.encode(x)
    kl = kl_to_standard_normal(posterior.mean, posterior.logvar).sum(1).mean()  # type: ignore[arg-type]
    torch.testing.assert_close(terms.kl, kl)
    torch.testing.assert_close(terms.total, terms.recon + 2 * kl)
    assert terms.recon.item() == pytest.approx(model.recon_per_image(x, posterior.mean).mean().item(), rel=0.2)
    assert math.isfinite(terms.total.item())


@pytest.mark.parametrize(
    ("setting", "value"),
    [("image", (2, 8, 8)), ("latent", 0), ("hidden", ()), ("units", 0), ("window", 4), ("window", 1), ("beta", -1.0)],
)
def test_a_setting_out_of_range_is_named(setting: str, value: object) -> None:
    with pytest.raises(InvalidInput, match=setting):
        AutoregressiveVAE.Config(**{setting: value})  # type: ignore[arg-type]
