"""What changes while a model is trained, against values reckoned by hand; and what the context makes of the KL."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from vae_core.objective import PLAIN, Context
from vae_core.training import TrainSettings
from vae_core.training.schedules import capacity, kl_scale, learning_rate


def along(schedule: Callable[..., float | None], settings: TrainSettings, steps: int = 100) -> list[float | None]:
    return [schedule(step, steps, settings) for step in range(steps)]


def test_the_learning_rate_warms_up_and_ends_at_nearly_zero() -> None:
    rates = [learning_rate(step, 100, TrainSettings(lr=1e-2, warmup=10)) for step in range(100)]
    assert rates[:2] == pytest.approx([1e-3, 2e-3])
    assert max(rates) == pytest.approx(1e-2)
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[55] == pytest.approx(5e-3)  # half way between the warm-up and the end
    assert 0 <= rates[-1] < 1e-5


def test_a_constant_learning_rate_stays() -> None:
    assert along(learning_rate, TrainSettings(lr=1e-2, warmup=0, lr_schedule="constant")) == [1e-2] * 100


def test_the_kl_weighs_what_beta_says_unless_told_otherwise() -> None:
    assert along(kl_scale, TrainSettings()) == [1.0] * 100
    assert along(capacity, TrainSettings()) == [None] * 100


def test_warm_up_rises_to_beta_and_stays_there() -> None:
    scales = along(kl_scale, TrainSettings(kl_schedule="warm-up", kl_share=0.5))
    assert scales[0] == 0.0 and scales[25] == pytest.approx(0.5)
    assert scales[50:] == [1.0] * 50


def test_cycles_rise_again_and_again() -> None:
    scales = along(kl_scale, TrainSettings(kl_schedule="cyclical", kl_share=0.5, kl_cycles=4))
    assert scales[0] == scales[25] == scales[50] == scales[75] == 0.0
    assert scales[30] == pytest.approx(5 / 12.5)
    assert scales[13:25] == [1.0] * 12


def test_the_kl_falls_from_its_first_weight_to_beta_and_stays_there() -> None:
    scales = along(kl_scale, TrainSettings(kl_schedule="fall", kl_start=16.0), 1000)
    assert scales[0] == pytest.approx(16)
    assert scales[300] == pytest.approx(4)  # half of the fall, by exponents
    assert scales[600:] == [1.0] * 400


def test_the_capacity_rises_and_beta_is_left_alone() -> None:
    settings = TrainSettings(kl_schedule="capacity", capacity=20.0, kl_share=0.8)
    nats = along(capacity, settings)
    assert nats[0] == 0.0 and nats[40] == pytest.approx(10.0)
    assert nats[80:] == [20.0] * 20
    assert along(kl_scale, settings) == [1.0] * 100


def test_the_penalty_is_the_sum_unless_bent() -> None:
    kl = torch.tensor([0.1, 0.3, 2.0])
    assert PLAIN.penalty(kl).item() == pytest.approx(2.4)
    assert Context(kl_scale=3.0).penalty(kl).item() == pytest.approx(7.2)
    assert Context(free_bits=0.25).penalty(kl).item() == pytest.approx(2.55)  # 0.25 + 0.3 + 2
    assert Context(capacity=2.0).penalty(kl).item() == pytest.approx(0.4)
    assert Context(capacity=5.0).penalty(kl).item() == pytest.approx(2.6)  # too little is as bad as too much


def test_free_bits_cost_nothing_below_their_number() -> None:
    kl = torch.tensor([0.1, 0.3], requires_grad=True)
    Context(free_bits=0.25).penalty(kl).backward()
    assert kl.grad is not None and kl.grad.tolist() == [0.0, 1.0]


def test_the_rows_of_several_processes_are_the_noise_of_one() -> None:
    def draws(rank: int, world: int) -> torch.Tensor:
        context = Context(rank=rank, world=world, generator=torch.Generator().manual_seed(5))
        return torch.cat(
            [context.normal(torch.empty(8 // world, 3)), context.uniform((8 // world, 3), torch.empty(1))], 1
        )

    assert torch.equal(torch.cat([draws(0, 2), draws(1, 2)]), draws(0, 1))


def test_a_short_training_warms_up_for_a_third_of_it() -> None:
    settings = TrainSettings(lr=1e-2, warmup=200)
    rates = [learning_rate(step, 20, settings) for step in range(20)]
    assert rates[:2] == pytest.approx([1e-2 / 6, 2e-2 / 6]) and rates[6] == pytest.approx(1e-2) and rates[-1] < 1e-3
    assert learning_rate(0, 2, settings) == 1e-2, "no step to spare"


def test_dropout_takes_its_share_and_keeps_the_mean() -> None:
    x = torch.ones(2000, 10)
    dropped = Context(generator=torch.Generator().manual_seed(1)).dropout(x, 0.25)
    assert dropped.unique().tolist() == pytest.approx([0.0, 4 / 3])
    assert (dropped == 0).float().mean().item() == pytest.approx(0.25, abs=0.01)
    assert PLAIN.dropout(x, 0.0) is x
