"""Total correlation against its closed form, the scores of disentanglement on factors made by hand."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.test_models import build, pictures
from vae_core.errors import InvalidInput
from vae_core.losses import (
    KLParts,
    decomposed_kl,
    gaussian_log_density,
    kl_to_standard_normal,
    stratified_log_weights,
)
from vae_core.metrics.disentanglement import batch_total_correlation, dci, factor_vote, kl_parts, sap
from vae_core.metrics.mig import mig_of
from vae_core.models.factor_vae import FactorVAE, shuffled
from vae_core.objective import PLAIN

NOISE = 0.25  # variance of every toy posterior
POPULATION = 3000


def toy(correlation: float, count: int = POPULATION) -> tuple[Tensor, Tensor, Tensor]:
    """Draws [N, 2], and the means and log-variances that they came from: together q(z) = N(0, S), with variances 1 and
    a correlation; as wide as the prior."""
    generator = torch.Generator().manual_seed(4)
    own = 1 - NOISE
    white = torch.randn(count, 2, generator=generator)
    lower = torch.linalg.cholesky(torch.tensor([[own, correlation], [correlation, own]]))
    mean = white @ lower.T
    logvar = torch.full_like(mean, math.log(NOISE))
    return mean + NOISE**0.5 * torch.randn(count, 2, generator=generator), mean, logvar


def truth(correlation: float) -> KLParts:
    """The three parts in closed form, in nats."""
    covariance = torch.tensor([[1.0, correlation], [correlation, 1.0]], dtype=torch.float64)
    information = 0.5 * (torch.logdet(covariance) - 2 * math.log(NOISE))
    return KLParts(information, torch.tensor(-0.5 * math.log(1 - correlation**2)), torch.tensor(0.0))


def parts_of(z: Tensor, mean: Tensor, logvar: Tensor, log_weights: Tensor) -> KLParts:
    own = gaussian_log_density(z, mean, logvar).sum(-1)
    return decomposed_kl(z, own, mean, logvar, log_weights)


@pytest.mark.parametrize("correlation", [0.0, 0.3, 0.6])
def test_the_parts_of_a_toy_gaussian_are_its_closed_form(correlation: float) -> None:
    weights = torch.full((1, 1), -math.log(POPULATION))  # q(z) is the mixture of all posteriors
    found, wanted = parts_of(*toy(correlation), weights), truth(correlation)
    for value, right in zip(found, wanted, strict=True):
        assert value.item() == pytest.approx(right.item(), abs=0.06)


def test_a_trained_model_is_taken_apart_in_the_same_way() -> None:
    """A trial that has the toy's posteriors: the closed form, up to the noise of 1,000 draws."""
    _, mean, logvar = toy(0.6)
    trial: Any = SimpleNamespace(posterior=(mean, logvar), generator=lambda: torch.Generator().manual_seed(1))
    found, wanted = kl_parts(trial), truth(0.6)
    for value, right in zip(found, wanted, strict=True):
        assert value.item() == pytest.approx(right.item(), abs=0.1)
    assert batch_total_correlation(trial, 100, POPULATION) == pytest.approx(wanted.total_correlation.item(), abs=0.1)
    six = torch.randn(POPULATION, 6, generator=torch.Generator().manual_seed(3)) * 0.95**0.5
    apart: Any = SimpleNamespace(posterior=(six, torch.full_like(six, math.log(0.05))), generator=trial.generator)
    assert batch_total_correlation(apart, 64, 384_000) < -2, "independent, but no two of a batch meet: it falls short"


@pytest.mark.parametrize("correlation", [0.0, 0.6])
def test_a_stratified_batch_estimates_the_total_correlation(correlation: float) -> None:
    """A batch of 100 out of 3,000, many times: not -55 nats, and nearly unbiased where posteriors overlap."""
    z, mean, logvar = toy(correlation)
    weights = stratified_log_weights(100, POPULATION)
    found = [
        parts_of(z[rows], mean[rows], logvar[rows], weights).total_correlation.item()
        for rows in torch.arange(POPULATION).split(100)
    ]
    assert sum(found) / len(found) == pytest.approx(truth(correlation).total_correlation.item(), abs=0.1)


def test_the_three_parts_add_up_to_the_kl() -> None:
    z, mean, logvar = toy(0.6)
    rows = slice(0, 500)
    found = parts_of(z[rows], mean[rows], logvar[rows], stratified_log_weights(500, POPULATION))
    prior = gaussian_log_density(z[rows], torch.zeros(1), torch.zeros(1)).sum(-1)
    drawn = (gaussian_log_density(z[rows], mean[rows], logvar[rows]).sum(-1) - prior).mean()
    assert sum(found).item() == pytest.approx(drawn.item(), abs=1e-4)
    closed = kl_to_standard_normal(mean, logvar).sum(-1).mean().item()
    assert sum(parts_of(z, mean, logvar, torch.zeros(1, 1))).item() == pytest.approx(closed, abs=0.05)


@pytest.mark.parametrize(("batch", "population"), [(2, 2), (2, 50), (64, 64), (64, 384_000)])
def test_each_rows_weights_add_up_to_one_and_the_own_image_stands_on_the_diagonal(batch: int, population: int) -> None:
    weights = stratified_log_weights(batch, population).double().exp()
    torch.testing.assert_close(weights.sum(1), torch.ones(batch, dtype=torch.float64), atol=1e-5, rtol=0)
    torch.testing.assert_close(weights.diagonal(), torch.full((batch,), 1 / population).double())


def test_a_batch_larger_than_the_population_is_refused() -> None:
    with pytest.raises(InvalidInput, match="allowed"):
        stratified_log_weights(65, 64)


@pytest.mark.parametrize("name", ["tcvae", "factor_vae"])
def test_the_weight_of_the_total_correlation_adds_to_the_plain_objective(name: str) -> None:
    x, _ = pictures(16)
    model = build(name, tc=0.0, population=100)
    torch.manual_seed(3)
    none = model.loss(x).total
    object.__setattr__(model.config, "tc", 7.0)
    torch.manual_seed(3)
    some = model.loss(x).total
    torch.manual_seed(3)
    posterior = model.encode(x)
    z = posterior.sample(PLAIN)
    estimate = model.total_correlation(z, posterior) if name == "tcvae" else model.total_correlation(z)
    assert (some - none).item() == pytest.approx(7 * estimate.item(), abs=2e-3)


def test_a_shuffle_keeps_each_latent_and_breaks_their_ties() -> None:
    z, _, _ = toy(0.6)
    apart = shuffled(z, torch.rand(z.shape, generator=torch.Generator().manual_seed(1)))
    assert torch.equal(apart.sort(0).values, z.sort(0).values)
    assert abs(torch.corrcoef(z.T)[0, 1]) > 0.5 > 0.1 > abs(torch.corrcoef(apart.T)[0, 1])


def test_a_critic_learns_the_total_correlation() -> None:
    """Of a correlation of 0.8 in closed form 0.51 nats; the codes themselves stay where they are."""
    generator = torch.Generator().manual_seed(2)
    torch.manual_seed(2)
    model: FactorVAE = build("factor_vae", latent=2, critic=(64, 64))
    lower = torch.linalg.cholesky(torch.tensor([[1.0, 0.8], [0.8, 1.0]]))
    optimiser = torch.optim.Adam(model.critic.parameters(), lr=2e-3)
    for _ in range(600):
        optimiser.zero_grad()
        model.critic_loss(torch.randn(256, 2, generator=generator) @ lower.T).backward()
        optimiser.step()
    found = model.total_correlation(torch.randn(20_000, 2, generator=generator) @ lower.T).item()
    assert found == pytest.approx(-0.5 * math.log(1 - 0.64), abs=0.1)


def test_the_critic_and_the_codes_play_against_each_other() -> None:
    """The encoder feels the total correlation, and the critic only its own loss."""
    x, _ = pictures(16)
    slopes = {}
    for tc in (0.0, 50.0):
        torch.manual_seed(0)
        model = build("factor_vae", tc=tc)
        torch.manual_seed(1)
        model.loss(x).total.backward()
        slopes[tc] = [part.weight.grad.clone() for part in (model.encoder[-1], model.critic[0])]
    assert not torch.allclose(slopes[0.0][0], slopes[50.0][0])
    torch.testing.assert_close(slopes[0.0][1], slopes[50.0][1])


@pytest.mark.parametrize(("setting", "value"), [("tc", -1.0), ("tc", math.nan), ("critic", ()), ("critic", (0,))])
def test_a_setting_out_of_range_is_named(setting: str, value: object) -> None:
    with pytest.raises(InvalidInput, match=setting):
        FactorVAE.Config(**{setting: value})


# scores, on 4 factors of 6 values each

FACTORS = torch.randint(0, 6, (4000, 4), generator=torch.Generator().manual_seed(9))


def noise(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(11))


def scores_of(codes: Tensor) -> dict[str, float]:
    split = dci(codes, FACTORS)
    return {
        "mig": mig_of(codes, FACTORS).mig, "sap": sap(codes, FACTORS, categories=(0,)).sap,
        "disentanglement": split.disentanglement, "completeness": split.completeness,
        "informativeness": split.informativeness, "vote": factor_vote(codes, FACTORS).accuracy,
    }  # fmt: skip


def test_a_latent_for_each_factor_scores_one() -> None:
    """Two more latents that say nothing cost nothing, whatever the order, the sign and the scale."""
    codes = torch.cat([FACTORS.float()[:, [2, 0, 3, 1]] * torch.tensor([1.0, -2.0, 0.5, 3.0]), noise(4000, 2)], dim=1)
    for name, value in scores_of(codes).items():
        assert value == pytest.approx(1, abs=0.03), name


def test_mixed_latents_know_everything_and_score_low() -> None:
    turn = torch.tensor([[1.0, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]]) / 2  # every latent, all four
    found = scores_of((FACTORS.float() - 2.5) @ turn)
    assert found["mig"] < 0.1 and found["sap"] < 0.1
    assert found["disentanglement"] < 0.3 and found["completeness"] < 0.3
    assert found["informativeness"] > 0.5, "it is all in there"
    assert found["vote"] < 0.5


def test_random_latents_score_nothing_and_guess() -> None:
    found = scores_of(noise(4000, 5))
    assert found["mig"] < 0.02 and found["sap"] < 0.02
    assert found["disentanglement"] < 0.05 and found["completeness"] < 0.05
    assert found["informativeness"] == pytest.approx(1 / 6, abs=0.05)
    assert found["vote"] == pytest.approx(1 / 4, abs=0.1)


def test_a_factor_in_two_latents_is_disentangled_but_not_complete() -> None:
    codes = torch.cat([FACTORS.float() + 0.3 * noise(4000, 4), FACTORS.float() - 0.3 * noise(4000, 4)], dim=1)
    found = scores_of(codes)
    assert found["disentanglement"] > 0.9 > 0.75 > found["completeness"]
    assert found["mig"] < 0.1 and found["vote"] > 0.95


def test_two_factors_in_a_latent_are_complete_but_not_disentangled() -> None:
    codes = torch.stack([FACTORS[:, 0] * 6 + FACTORS[:, 1], FACTORS[:, 2] * 6 + FACTORS[:, 3]], dim=1).float()
    split = dci(codes, FACTORS)
    assert split.completeness > 0.95 > 0.7 > split.disentanglement


def test_a_category_in_any_order_is_told_by_thresholds_and_not_by_a_line() -> None:
    codes = torch.stack([torch.tensor([1.0, -1.0, 0.0, 0.1, -0.9, 0.9])[FACTORS[:, 0]], noise(4000)], dim=1)
    assert sap(codes, FACTORS[:, :1], categories=(0,)).sap > 0.95 > 0.3 > sap(codes, FACTORS[:, :1]).sap


def test_sleeping_latents_have_no_vote() -> None:
    assert factor_vote(1e-4 * FACTORS.float(), FACTORS).accuracy == 0


@pytest.mark.parametrize("score", [dci, sap, factor_vote])
def test_bad_input_is_named(score: object) -> None:
    for codes, factors in (
        (torch.zeros(5, 2), torch.zeros(4, 2).long()), (torch.zeros(5, 2), torch.zeros(5, 2)),
        (torch.full((5, 2), torch.nan), torch.zeros(5, 2).long()),
    ):  # fmt: skip
        with pytest.raises(InvalidInput):
            score(codes, factors)  # type: ignore[operator]
