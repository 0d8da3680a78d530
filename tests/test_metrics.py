"""Metrics against answers known beforehand, on models and data made by hand."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from tests.conftest import blob_source
from tests.test_models import build, image_of, source_of
from vae_core.errors import InvalidInput
from vae_core.metrics import METRICS, Metric, Trial, evaluate_all
from vae_core.metrics.accuracy import accuracy
from vae_core.metrics.active_latents import active_latents
from vae_core.metrics.completeness import completeness, scores
from vae_core.metrics.continuity import continuity
from vae_core.metrics.elbo import elbo
from vae_core.metrics.mig import mig_of
from vae_core.metrics.trial import as_json
from vae_core.models import MODELS


def draws(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@dataclass
class Pictures:
    """Held-out images of 1 x 1 x 2 pixels, any real numbers."""

    pixels: Tensor  # [N, 2]
    labels: Tensor
    factors: Tensor | None = None

    def __len__(self) -> int:
        return len(self.pixels)

    def images(self, index: Tensor) -> Tensor:
        return self.pixels[index][:, None, None]


@dataclass
class Gaussian2d:
    """p(x | z) = N(x; scale z, 1) and q(z | x) = N(gain x, spread^2): linear, so that every term is known."""

    gain: float = 0.5
    scale: float = 1.0
    spread: float | None = 0.5  # None: deterministic
    beta: float = 7.0  # must not matter

    @property
    def is_generative(self) -> bool:
        return self.spread is not None

    def encode(self, x: Tensor) -> SimpleNamespace:
        mean = self.gain * x.flatten(1)
        logvar = None if self.spread is None else torch.full_like(mean, 2 * math.log(self.spread))
        return SimpleNamespace(mean=mean, logvar=logvar)

    def decode(self, z: Tensor) -> Tensor:
        return self.scale * z[:, None, None]

    def recon_per_image(self, x: Tensor, z: Tensor) -> Tensor:
        return (0.5 * (x - self.decode(z)) ** 2 + 0.5 * math.log(2 * math.pi)).sum((1, 2, 3))


class Sign:
    """A classifier of two classes: the first pixel's sign, surer the further from 0; its features are the pixels."""

    def features(self, x: Tensor) -> Tensor:
        return x.flatten(1)

    def __call__(self, x: Tensor) -> Tensor:
        return torch.stack([-x[:, 0, 0, 0], x[:, 0, 0, 0]], dim=1)


def pictures(count: int = 1003, seed: int = 0) -> Pictures:
    pixels = draws(count, 2, seed=seed)
    return Pictures(pixels, labels=(pixels[:, 0] > 0).to(torch.uint8))


# elbo


def test_elbo_of_a_linear_gaussian_model() -> None:
    data, model = pictures(), Gaussian2d()
    found = elbo(Trial(model, data), draws=200)
    x = data.pixels.double()
    # E_q (x - scale z)^2 = (1 - scale gain)^2 x^2 + scale^2 spread^2, for each pixel
    recon = (0.5 * (0.5**2 * x**2 + 0.25) + 0.5 * math.log(2 * math.pi)).sum(1)
    kl = 0.5 * ((0.5 * x) ** 2 + 0.25 - 1 - math.log(0.25))
    assert found.recon == pytest.approx(recon.mean().item(), abs=5e-3)
    torch.testing.assert_close(found.kl_per_latent, kl.mean(0), atol=1e-6, rtol=0)
    assert found.kl == pytest.approx(kl.sum(1).mean().item(), abs=1e-6)
    assert found.elbo == pytest.approx(-(found.recon + found.kl), abs=1e-9)  # beta plays no part
    assert found.elbo_standard_error == pytest.approx((recon + kl.sum(1)).std().item() / 1003**0.5, rel=0.02)
    # The exact evidence, log N(x; 0, 2), is above the bound: by KL(q || posterior N(x / 2, 1 / 2)).
    evidence = (-0.25 * x**2 - 0.5 * math.log(4 * math.pi)).sum(1).mean().item()
    gap = 2 * 0.5 * (0.5 - 1 - math.log(0.5))
    assert found.elbo == pytest.approx(evidence - gap, abs=5e-3)


@pytest.mark.parametrize("batch", [7, 250, 1003, 5000])
def test_the_last_smaller_batch_weighs_as_it_should(batch: int) -> None:
    data = pictures()
    data.pixels[-3:] *= 100  # in the last batch, which would weigh too much if batches were averaged
    found = elbo(Trial(Gaussian2d(), data, batch=batch))
    plain = elbo(Trial(Gaussian2d(), data, batch=1003))
    assert found.kl == pytest.approx(plain.kl, rel=1e-9)
    deterministic = elbo(Trial(Gaussian2d(spread=None), data, batch=batch))
    x = data.images(torch.arange(len(data)))
    expected = Gaussian2d().recon_per_image(x, 0.5 * x.flatten(1)).double().mean().item()
    assert deterministic.recon == pytest.approx(expected, rel=1e-6)


def test_a_seed_repeats_and_another_differs() -> None:
    first, again, other = (elbo(Trial(Gaussian2d(), pictures(), seed=seed)).recon for seed in (1, 1, 2))
    assert first == again != other


def test_active_latents_counts_those_that_move() -> None:
    data = pictures()
    data.pixels[:, 1] *= 0.1  # with gain .5 a variance of .0025
    found = active_latents(Trial(Gaussian2d(), data))
    assert found.active_latents == 1
    torch.testing.assert_close(found.activity, (0.5 * data.pixels).double().var(0, correction=0))


# continuity


def test_a_linear_decoder_is_perfectly_even() -> None:
    found = continuity(Trial(Gaussian2d(), pictures(), Sign()), pairs=50, steps=64)
    assert found.unevenness.mean == pytest.approx(1, abs=1e-4) and found.unevenness.std < 1e-4
    assert (found.pairs, found.steps, found.threshold) == (50, 64, 0.9)


def test_a_decoder_with_one_jump_is_as_uneven_as_can_be() -> None:
    class Jump(Gaussian2d):
        def decode(self, z: Tensor) -> Tensor:
            return 5 * (z[:, None, None] > 0).float()

    data = pictures()
    data.pixels[:, 0] = data.pixels[:, 0].abs() * torch.tensor([1, -1]).repeat(502)[:1003]
    data.pixels[:, 1] = 1
    found = continuity(Trial(Jump(), data, Sign()), pairs=501, steps=16)
    # Half of the pairs cross the edge: one step holds all of the change, 16 times the mean. The others stand still: 1.
    crossing = (found.unevenness.mean - 1) / 15
    assert 0.4 < crossing < 0.6
    # The judge sees 0 (unsure) or 5 (sure): all of a path on one side, half of a crossing one, more or less.
    assert found.no_class.mean == pytest.approx(0.5, abs=0.05)


def test_no_class_is_the_share_of_frames_below_the_threshold() -> None:
    data = Pictures(torch.tensor([[-4.0, 0.0], [4.0, 0.0]]), torch.tensor([0, 1]))
    found = continuity(Trial(Gaussian2d(gain=1.0), data, Sign()), pairs=500, steps=80)
    # logits (-x, x): below .9 where 2|x| < log 9, |x| < 1.0986; frames every .1 from -4 to 4: 21 of 81
    assert found.pairs == 1  # two images make one pair
    assert found.no_class.mean == pytest.approx(21 / 81) and found.no_class_of_data == 0
    assert found.no_class.standard_error == 0


# completeness


def test_scores_of_identical_sets() -> None:
    points = draws(700, 3)
    found = scores(points, points.clone())
    # each sphere holds its k neighbours and its own centre
    assert found == (1.0, 1.0, pytest.approx(6 / 5), 1.0)


def test_scores_of_one_distribution_twice() -> None:
    found = scores(draws(1500, 2), draws(1500, 2, seed=1))
    assert found.density == pytest.approx(1, abs=0.1)
    assert found.coverage == pytest.approx(1 - 0.5**5, abs=0.02)  # Naeem et al. 2020, lemma 2
    assert found.precision == pytest.approx(found.recall, abs=0.03) and found.precision > 0.8


def test_scores_of_sets_that_are_far_apart_or_one_inside_the_other() -> None:
    assert scores(draws(300, 2), draws(300, 2, seed=1) + 100) == (0, 0, 0, 0)
    inside = scores(draws(500, 2), 0.1 * draws(500, 2, seed=1))  # samples collapsed to the middle
    assert inside.precision > 0.95 and inside.density == pytest.approx(1, abs=0.1)
    assert inside.recall < 0.1 and inside.coverage < 0.1


def test_scores_agree_with_the_definitions_spelled_out() -> None:
    real, fake = draws(40, 3), draws(31, 3, seed=1) * 1.5
    radius = {k: {} for k in (3, 5)}
    for k in radius:
        for name, points in (("real", real), ("fake", fake)):
            radius[k][name] = torch.stack([(points - p).norm(dim=1).sort().values[k] for p in points])
    apart = torch.stack([(fake - p).norm(dim=1) for p in real])  # [40, 31]
    found = scores(real, fake)
    assert found.precision == pytest.approx((apart <= radius[3]["real"][:, None]).any(0).double().mean().item())
    assert found.recall == pytest.approx((apart <= radius[3]["fake"]).any(1).double().mean().item())
    assert found.density == pytest.approx((apart <= radius[5]["real"][:, None]).sum(0).double().mean().item() / 5)
    assert found.coverage == pytest.approx((apart.amin(1) <= radius[5]["real"]).double().mean().item())


def test_completeness_of_a_model_that_samples_the_data_itself() -> None:
    trial = Trial(Gaussian2d(scale=1.0), pictures(2000), Sign())  # data and samples: N(0, I)
    found = completeness(trial)
    assert (found.draws, found.samples, found.codes_from) == (5, 400, "prior")
    for name in ("precision", "recall", "density", "coverage"):
        ours, best = getattr(found, name), found.of_data[name]
        assert ours.mean == pytest.approx(best.mean, abs=4 * (ours.standard_error + best.standard_error) + 0.01)
    far = completeness(Trial(Gaussian2d(scale=20.0), pictures(2000), Sign()))
    assert far.precision.mean < 0.1 and far.coverage.mean < 0.1


def test_a_model_without_a_prior_draws_from_a_fitted_gaussian() -> None:
    data = pictures(2000)
    data.pixels = data.pixels @ torch.tensor([[3.0, 2.0], [0.0, 0.5]]) + 10  # far from N(0, I), and correlated
    found = completeness(Trial(Gaussian2d(gain=0.5, scale=2.0, spread=None), data, Sign()))
    assert "fitted" in found.codes_from
    assert found.density.mean == pytest.approx(1, abs=0.15) and found.coverage.mean > 0.9


# mig


def factors_and_noise(count: int = 10_000) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 5, (count, 3), generator=generator), torch.randn(count, 4, generator=generator)


def test_mig_of_a_perfect_code_is_one() -> None:
    factors, noise = factors_and_noise()
    codes = torch.cat([noise[:, :1], -3.0 * factors.flip(1)], dim=1)  # one latent a factor, and one of noise
    found = mig_of(codes, factors)
    assert found.mig == pytest.approx(1, abs=0.01)
    assert found.factor_information.shape == (4, 3)
    assert found.factor_information.argmax(0).tolist() == [3, 2, 1]


def test_mig_leaves_out_a_factor_that_never_changes() -> None:
    values = torch.arange(400)[:, None] % 4
    found = mig_of(values.float(), torch.cat([torch.full_like(values, 2), values], dim=1))
    assert found.mig == pytest.approx(1) and found.mig_per_factor.tolist() == pytest.approx([0, 1])
    assert found.factor_information[:, 0].tolist() == [0]
    assert mig_of(values[:1].float(), values[:1]).mig == 0


def test_mig_of_independent_codes_and_of_doubled_ones_is_zero() -> None:
    factors, noise = factors_and_noise()
    assert mig_of(noise, factors).mig < 0.01
    doubled = torch.cat([factors, factors], dim=1).float()
    assert mig_of(doubled, factors).mig == pytest.approx(0, abs=1e-6)


def test_mig_between_the_extremes_is_the_known_number() -> None:
    values = torch.cartesian_prod(*[torch.arange(4)] * 2).repeat(100, 1)  # two factors, all pairs equally often
    # Latent 1 knows factor 1 whole (log 4), latent 2 which half it is in (log 2): a lead of one half.
    codes = torch.stack([values[:, 0], values[:, 0] // 2], dim=1).float()
    torch.testing.assert_close(mig_of(codes, values).mig_per_factor, torch.tensor([0.5, 0.0]))
    # Turned by 45 degrees, both latents know both factors equally: a true code, no lead.
    turned = torch.stack([values[:, 0] + values[:, 1], values[:, 0] - values[:, 1]], dim=1).float()
    assert mig_of(turned, values).mig == pytest.approx(0, abs=1e-6)
    assert mig_of(codes[:, :1], values).mig_per_factor.tolist() == pytest.approx([1, 0], abs=1e-6)  # one latent


# accuracy and the whole


def test_accuracy_of_a_classifier_that_is_wrong_on_known_images() -> None:
    data = pictures(200)
    data.labels[:50] = 1 - data.labels[:50]
    found = accuracy(Trial(Sign(), data))
    assert found.accuracy == 0.75
    sure = (2 * data.pixels[:, 0].abs() >= math.log(9)).double().mean().item()
    assert found.sure == pytest.approx(sure)


def test_all_metrics_give_json_with_what_each_model_has() -> None:
    data = pictures(200)
    data.factors = torch.stack([data.labels.long(), torch.arange(200) % 3], dim=1)
    vae = evaluate_all(Gaussian2d(), data, Sign())
    assert json.loads(json.dumps(vae, allow_nan=False)) == vae
    assert vae["held_out"] == 200 and vae["seed"] == 0
    assert {"recon", "kl", "kl_per_latent", "elbo", "active_latents", "continuity", "completeness", "mig"} <= vae.keys()
    auto = evaluate_all(Gaussian2d(spread=None), data, Sign())
    assert {"recon", "continuity", "completeness", "mig"} <= auto.keys()
    assert not {"kl", "kl_per_latent", "elbo", "active_latents"} & auto.keys()
    data.factors = None
    heard: list[tuple[float, str]] = []
    alone = evaluate_all(Gaussian2d(), data, progress=lambda share, title: heard.append((share, title)))
    assert not {"mig", "continuity", "completeness"} & alone.keys()
    assert heard == [(0.0, METRICS["elbo"].title), (0.5, METRICS["active_latents"].title)]
    assert evaluate_all(Sign(), data).keys() == {"held_out", "seed", "accuracy", "cross_entropy", "sure"}


OF_THE_REGISTRY = {
    "conditional": "conditional", "letters": "discrete", "restores": "super_resolution", "words": "names",
    "codebook": "vq_vae", "two codebooks": "vq_vae2", "code maps": "pixelcnn", "draws": "ladder", "spoken": "voice",
}  # fmt: skip


def fitting(metric: Metric) -> Trial:
    """A model that has all that a metric needs, before images that it can take."""
    for need, name in OF_THE_REGISTRY.items():
        if need in metric.needs:
            return Trial(build(name).eval(), source_of(name, 200), Sign())
    data = pictures(200)
    data.factors = torch.stack([data.labels.long(), torch.arange(200) % 3], dim=1)
    return Trial(Sign() if "labels" in metric.needs else Gaussian2d(), data, Sign())


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS.keys())
def test_every_metric_names_its_numbers(metric: Metric) -> None:
    trial = fitting(metric)
    assert all(map(trial.offers, metric.needs))
    found = as_json(metric.compute(trial))  # in which every number is finite
    assert metric.numbers and metric.numbers.keys() <= found.keys()
    assert all(number.unit and number.better in ("lower", "higher", "neither") for number in metric.numbers.values())
    assert metric.title and metric.source and metric.compute.__doc__


@pytest.mark.parametrize("name", MODELS)
def test_every_model_of_the_registry_is_scored(name: str) -> None:
    found = evaluate_all(build(name).eval(), blob_source(30, image_of(name)))
    fit = [metric for metric in METRICS.values() if metric.numbers.keys() & found.keys()]
    assert fit and json.loads(json.dumps(found, allow_nan=False)) == found


def test_unusable_models_and_data_are_answered_in_a_sentence() -> None:
    with pytest.raises(InvalidInput, match="no held-out images"):
        evaluate_all(Gaussian2d(), pictures(0))
    with pytest.raises(InvalidInput, match="codes are not finite"):
        evaluate_all(Gaussian2d(gain=math.nan), pictures(20))
    with pytest.raises(InvalidInput, match="metric recon came out as nan"):
        evaluate_all(Gaussian2d(scale=math.nan), pictures(20))
    with pytest.raises(InvalidInput, match="too few"):
        evaluate_all(Gaussian2d(), pictures(20), Sign())
    with pytest.raises(InvalidInput, match="make no path"):
        continuity(Trial(Gaussian2d(), pictures(1), Sign()))
    with pytest.raises(InvalidInput, match="cannot be compared"):
        scores(draws(10, 2), draws(10, 3))
    model = Gaussian2d()
    model.config = SimpleNamespace(image=(1, 28, 28))  # type: ignore[attr-defined]
    with pytest.raises(InvalidInput, match=r"\(1, 28, 28\), the data has \(1, 1, 2\)"):
        evaluate_all(model, pictures(20))
