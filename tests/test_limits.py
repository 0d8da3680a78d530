"""What the lesson on limits stands on: means that blur, known densities, costs that are counted, dropped units."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy

from benchmarks import limits as benchmark
from tests.conftest import blob_source, blobs
from vae_core.errors import InvalidInput
from vae_core.exact.densities import coin_log_density, memory_log_density, mixed_log_density
from vae_core.latent.blur import best_picture, effective_images, shares
from vae_core.latent.sample_sets import BETAS, DRAWN, LEARNED, MIXED, NOISE, PLAIN, is_noise, sample_sets
from vae_core.metrics.cost import cost, kept_bytes, multiplications
from vae_core.models import VAE, DropoutVAE
from vae_core.models.dropout import thinned
from vae_core.models.parts import ResidualBlock
from vae_core.objective import Context

IMAGE = (1, 12, 12)


# Blur.


def test_shares_are_those_of_bayes() -> None:
    """Two posteriors of one width: their shares at z are a logistic function of it."""
    mean, std = torch.tensor([[-1.0], [1.0]]), torch.ones(2, 1)
    for z in (-2.0, 0.0, 0.7):
        assert shares(torch.tensor([z]), mean, std)[1].item() == pytest.approx(1 / (1 + math.exp(-2 * z)), rel=1e-6)
    narrow = shares(torch.tensor([0.0]), torch.zeros(2, 1), torch.tensor([[1.0], [0.5]]))
    assert narrow[1].item() == pytest.approx(2 / 3), "the narrower one is twice as dense at its mean"
    with pytest.raises(InvalidInput, match="belong together"):
        shares(torch.zeros(3), mean, std)


def test_as_many_images_as_share_a_code() -> None:
    assert effective_images(torch.full((7,), 1 / 7, dtype=torch.float64)) == pytest.approx(7)
    assert effective_images(torch.tensor([0.0, 1.0, 0.0])) == pytest.approx(1)


def test_the_mean_costs_least_in_both_losses() -> None:
    source = blob_source(20, IMAGE)
    share = torch.rand(20, generator=torch.Generator().manual_seed(0)).double().softmax(0)
    best, x = best_picture(share, source.images), source.images(torch.arange(20))

    def costs(picture: torch.Tensor) -> tuple[float, float]:
        squared = (x - picture).square().sum((1, 2, 3)).double() @ share
        crossed = binary_cross_entropy(picture.clamp(1e-6, 1 - 1e-6).expand_as(x), x, reduction="none").sum((1, 2, 3))
        return squared.item(), (crossed.double() @ share).item()

    for other in (x[0], (best + 0.02).clamp(0, 1), 0.95 * best, torch.full_like(best, 0.5)):
        assert all(a < b for a, b in zip(costs(best), costs(other), strict=True))


# Densities.


def test_the_densities_of_all_pictures_add_up_to_one() -> None:
    every = torch.tensor(list(itertools.product((0.0, 1.0), repeat=5)))
    memory = every[[3, 17, 17, 30]]
    for log_p in (coin_log_density(every), memory_log_density(every, memory, 0.1)):
        assert log_p.exp().sum().item() == pytest.approx(1)
    both = mixed_log_density(memory_log_density(every, memory, 0.1), coin_log_density(every), 0.01)
    assert both.exp().sum().item() == pytest.approx(1)


def test_a_memory_knows_its_pictures() -> None:
    memory = torch.eye(6)
    at = memory_log_density(memory[:1], memory, 0.1).exp().item()
    expected = (0.9**6 + 5 * 0.1**2 * 0.9**4) / 6  # itself, and five that differ in two pixels
    assert at == pytest.approx(expected, rel=1e-6)
    with pytest.raises(InvalidInput, match="black and white"):
        memory_log_density(torch.full((1, 6), 0.5), memory, 0.1)
    with pytest.raises(InvalidInput, match="flip"):
        memory_log_density(memory, memory, 0.0)


def test_noise_costs_a_mixture_at_most_the_logarithm_of_its_share() -> None:
    """Theis et al. 2016: one per cent of the model loses ln 100 where the noise is of no use, and less where it is."""
    log_p = torch.tensor([-90.0, -600.0])
    mixture = mixed_log_density(log_p, torch.full((2,), -math.log(2) * 784), 0.01)
    assert (log_p - mixture)[0].item() == pytest.approx(math.log(100), abs=1e-6)
    assert mixture[1] > log_p[1] + 50, "here the noise is the better model"
    with pytest.raises(InvalidInput, match="share"):
        mixed_log_density(log_p, log_p, 1.0)


# Sets of samples.


def test_sets_are_what_they_are_called() -> None:
    torch.manual_seed(0)
    models = {beta: VAE(VAE.Config(image=IMAGE, latent=2, hidden=(16,))).eval() for beta in BETAS}
    source = blob_source(300, IMAGE)
    sets, again = (
        {name: make() for name, make in sample_sets(models, source.images, len(source), 200).items()} for _ in range(2)
    )
    assert len(sets) == 6 and all(each.shape == (200, *IMAGE) for each in sets.values())
    assert all(torch.equal(sets[name], again[name]) for name in sets)
    assert set(sets[DRAWN].unique().tolist()) <= {0.0, 1.0}
    assert sets[DRAWN].mean().item() == pytest.approx(sets[PLAIN].mean().item(), abs=0.02)
    noise = is_noise(200)
    assert torch.equal(sets[MIXED][~noise], sets[DRAWN][~noise])
    assert sets[MIXED][noise].mean().item() == pytest.approx(0.5, abs=0.02)
    assert is_noise(20_000).double().mean().item() == pytest.approx(NOISE, abs=0.003)
    known = {tuple(image.flatten().tolist()) for image in source.images(torch.arange(300))}
    assert all(tuple(image.flatten().tolist()) in known for image in sets[LEARNED])


# Costs.


def test_multiplications_are_those_counted_by_hand() -> None:
    flat = VAE(VAE.Config(image=(1, 4, 4), latent=3, hidden=(5,)))
    assert multiplications(flat, torch.rand(1, 1, 4, 4)) == 16 * 5 + 5 * 6 + 3 * 5 + 5 * 16
    conv = VAE(VAE.Config(image=(1, 4, 4), latent=3, network="conv", channels=(2,), hidden=(5,)))
    there = 2 * 2 * 2 * 16  # 2 channels of 2 x 2 numbers, each from 4 x 4 pixels
    assert multiplications(conv, torch.rand(1, 1, 4, 4)) == there + 8 * 5 + 5 * 6 + 3 * 5 + 5 * 8 + there
    assert multiplications(flat, torch.rand(6, 1, 4, 4)) == 6 * multiplications(flat, torch.rand(1, 1, 4, 4))


def test_what_a_step_keeps_grows_with_the_batch_and_holds_no_weight() -> None:
    model = VAE(VAE.Config(image=(1, 8, 8), latent=3, hidden=(500,)))
    few, many = (kept_bytes(model, torch.rand(count, 1, 8, 8)) for count in (10, 40))
    assert 3.5 * few < many < 4.5 * few
    assert few < 4 * sum(parameter.numel() for parameter in model.parameters())
    found = cost(model, 10)
    assert found.parameters == sum(parameter.numel() for parameter in model.parameters())
    assert found.memory == 16 * found.parameters + few


def test_the_time_of_a_step_is_measured() -> None:
    assert benchmark.seconds_per_step(VAE(VAE.Config(image=(1, 8, 8), latent=2, hidden=(8,)))) > 0


def test_a_frozen_model_costs_what_it_costs_in_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark, "seconds_per_step", lambda model: 1.0)
    model = VAE(VAE.Config(image=(1, 8, 8), latent=2, hidden=(8,)))
    wanted = cost(model, benchmark.COST_BATCH).memory
    assert benchmark.cost_row(model.requires_grad_(False).eval())["memory"] == wanted


# Dropped units.


def small(dropout: float) -> DropoutVAE:
    torch.manual_seed(0)
    return DropoutVAE(DropoutVAE.Config(image=IMAGE, latent=3, hidden=(32, 32), activation="relu", dropout=dropout))


def test_units_are_dropped_in_training_only() -> None:
    x = blobs(8, IMAGE)[0].float() / 255

    def losses(model: VAE) -> list[float]:
        return [
            model.loss(x, context=Context(generator=torch.Generator().manual_seed(seed))).total.item()
            for seed in (1, 1, 2)
        ]

    plain = VAE(VAE.Config(image=IMAGE, latent=3, hidden=(32, 32), activation="relu"))
    model = small(0.5)
    plain.load_state_dict(model.state_dict())
    assert losses(model.eval()) == losses(plain.eval())
    assert losses(small(0.0).train()) == losses(plain)
    first, again, other = losses(model.train())
    assert first == again != other and first != losses(plain)[0]


def test_half_of_the_hidden_units_are_gone() -> None:
    model = small(0.5).train()
    seen = []
    hook = model.encoder[3].register_forward_hook(lambda _, taken, __: seen.append(taken[0]))
    x = blobs(200, IMAGE)[0].float() / 255
    model.loss(x, context=Context(generator=torch.Generator().manual_seed(0)))
    hook.remove()
    kept = seen[0][:, (seen[0] > 0).any(0)]  # units that ever answer
    plain = torch.relu(model.encoder[1](x.flatten(1)))[:, (seen[0] > 0).any(0)]
    answering = plain > 0
    assert (kept[answering] == 0).double().mean().item() == pytest.approx(0.5, abs=0.05)
    torch.testing.assert_close(kept[answering & (kept > 0)], 2 * plain[answering & (kept > 0)])


def test_units_inside_a_residual_block_are_dropped() -> None:
    torch.manual_seed(0)
    block, x = ResidualBlock(8, "relu"), torch.rand(2, 8, 4, 4)
    layers = nn.Sequential(block)

    def of(share: float) -> torch.Tensor:
        return thinned(layers, x, share, Context(generator=torch.Generator().manual_seed(0)))

    torch.testing.assert_close(of(0.0), block(x))
    assert not torch.allclose(of(0.5), block(x))


@pytest.mark.parametrize("share", [1.0, -0.1, float("nan")])
def test_a_share_out_of_range_is_named(share: float) -> None:
    with pytest.raises(InvalidInput, match="dropout"):
        DropoutVAE.Config(dropout=share)
