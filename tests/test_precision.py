"""Which precision "auto" becomes, and that it becomes one before anything is trained."""

from __future__ import annotations

import pytest
import torch

from tests.conftest import blob_source
from tests.test_models import build
from vae_core.training import Training, TrainSettings, resolved
from vae_core.training import precision as module

CPU = torch.device("cpu")


@pytest.mark.parametrize(("pays", "expected"), [(True, "bfloat16"), (False, "float32")])
def test_auto_is_what_pays(monkeypatch: pytest.MonkeyPatch, pays: bool, expected: str) -> None:
    monkeypatch.setattr(module, "bfloat16_pays", lambda kind: pays)
    assert resolved(TrainSettings(), CPU).precision == expected
    training = Training(build("vae"), blob_source(50), TrainSettings(batch=16), CPU)
    assert training.settings.precision == expected


def test_what_was_chosen_stays() -> None:
    for name in ("float32", "bfloat16"):
        settings = TrainSettings(precision=name)
        assert resolved(settings, CPU) is settings


def test_a_device_is_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    module.bfloat16_pays.cache_clear()
    first = module.bfloat16_pays("cpu")
    monkeypatch.setattr(module.time, "perf_counter", lambda: pytest.fail("measured again"))
    assert module.bfloat16_pays("cpu") is first
