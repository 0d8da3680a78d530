"""The loop: what it yields, that a seed decides everything, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tests.conftest import blob_source
from tests.test_models import build
from vae_core.errors import InvalidInput
from vae_core.training import TrainSettings, pick_device, train
from vae_core.training.device import DEVICES, available
from vae_core.training.loop import PRECISIONS, kl_scale, learning_rate

CPU = torch.device("cpu")


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_seed_decides_everything(precision: str) -> None:
    def run(seed: int) -> tuple[list[Any], dict[str, torch.Tensor]]:
        torch.manual_seed(7)
        model = build("vae")
        settings = TrainSettings(epochs=2, batch=16, warmup=2, seed=seed, precision=precision)
        return [step.terms for step in train(model, blob_source(50), settings, CPU, log_every=2)], model.state_dict()

    first, again, other = run(1), run(1), run(2)
    assert first[0] == again[0] != other[0]
    assert all(torch.equal(first[1][key], again[1][key]) for key in first[1])
    assert all(value.dtype == torch.float32 for value in first[1].values())


def test_what_it_yields() -> None:
    settings = TrainSettings(epochs=3, batch=16, warmup=0)
    model = build("vae")
    log = list(train(model, blob_source(50), settings, CPU, log_every=4))  # 3 whole batches an epoch, 2 images left out
    assert [step.step for step in log] == [4, 8, 9]
    assert {step.steps for step in log} == {9}
    assert not model.training
    for step in log:
        assert set(step.terms) == {"total", "recon", "kl", "kl_per_latent"}
        assert step.terms["total"] == pytest.approx(step.terms["recon"] + step.terms["kl"], rel=1e-5)
        assert sum(step.terms["kl_per_latent"]) == pytest.approx(step.terms["kl"], rel=1e-4)


def test_logged_terms_are_means_over_the_steps_since_the_last_line() -> None:
    def totals(log_every: int) -> list[Any]:
        torch.manual_seed(7)
        settings = TrainSettings(epochs=2, batch=16, warmup=0, precision="float32")
        return [step.terms["total"] for step in train(build("vae"), blob_source(48), settings, CPU, log_every)]

    each = totals(1)
    assert totals(4) == pytest.approx([sum(each[:4]) / 4, sum(each[4:]) / 2], rel=1e-5)


def test_the_learning_rate_warms_up_and_ends_at_nearly_zero() -> None:
    settings = TrainSettings(lr=1e-2, warmup=10)
    rates = [learning_rate(step, 100, settings) for step in range(100)]
    assert rates[:2] == pytest.approx([1e-3, 2e-3])
    assert max(rates) == pytest.approx(1e-2)
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert 0 <= rates[-1] < 1e-5


def test_the_kl_falls_from_its_first_weight_to_beta_and_stays_there() -> None:
    settings = TrainSettings(kl_start=16.0)
    scales = [kl_scale(step, 1000, settings) for step in range(1000)]
    assert scales[0] == pytest.approx(16)
    assert scales[300] == pytest.approx(4)  # half of the fall, by exponents
    assert scales[600:] == [1.0] * 400
    assert all(kl_scale(step, 1000, TrainSettings()) == 1.0 for step in range(1000))


def test_a_batch_larger_than_the_data_is_refused() -> None:
    with pytest.raises(InvalidInput, match="64"):
        list(train(build("vae"), blob_source(50), TrainSettings(batch=64), CPU))


def test_a_loss_that_explodes_stops_training() -> None:
    model = build("vae")
    with torch.no_grad():
        model.decoder[0].weight.fill_(float("inf"))
    with pytest.raises(FloatingPointError, match="learning rate"):
        list(train(model, blob_source(50), TrainSettings(epochs=1, batch=16), CPU))


@pytest.mark.parametrize(
    ("setting", "value"),
    [("epochs", 0), ("epochs", 10**9), ("batch", 0), ("lr", float("nan")), ("lr", -1.0), ("clip", 0.0), ("seed", -1),
     ("kl_start", 0.0),
     ("precision", "float8")],
)  # fmt: skip
def test_a_setting_out_of_range_is_named(setting: str, value: object) -> None:
    with pytest.raises(InvalidInput, match=setting):
        TrainSettings(**{setting: value})  # type: ignore[arg-type]


def test_devices() -> None:
    assert pick_device("cpu") == CPU
    assert pick_device("auto").type == available()[0]
    with pytest.raises(InvalidInput, match="auto, cuda, mps, cpu"):
        pick_device("tpu")
    for name in set(DEVICES) - {"auto", *available()}:
        with pytest.raises(InvalidInput, match=name):
            pick_device(name)
