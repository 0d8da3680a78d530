"""The loop: what it yields, that a seed decides everything, that it can be left and gone on with, what it refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch._subclasses import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from tests.conftest import blob_source
from tests.test_models import build, image_of
from vae_core.errors import InvalidInput
from vae_core.folders import PROJECT
from vae_core.imaging import colour
from vae_core.imaging.resampling import weights
from vae_core.models import MODELS
from vae_core.training import Training, TrainSettings, estimate, pick_device, train
from vae_core.training.device import DEVICES, available
from vae_core.training.distributed import Shard
from vae_core.training.held_out import held_out_terms
from vae_core.training.memory import give_back
from vae_core.training.settings import CHOICES
from vae_core.training.step import Step

CPU = torch.device("cpu")
SHORT = TrainSettings(epochs=2, batch=16, warmup=2)


def fresh(name: str = "vae") -> Any:
    torch.manual_seed(7)
    return build(name)


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize("precision", CHOICES["precision"])
def test_a_seed_decides_everything(precision: str) -> None:
    def run(seed: int) -> tuple[list[Any], dict[str, Tensor]]:
        model = fresh()
        settings = replace(SHORT, seed=seed, precision=precision)
        return [step.terms for step in train(model, blob_source(50), settings, CPU, log_every=2)], model.state_dict()

    first, again, other = run(1), run(1), run(2)
    assert first[0] == again[0] != other[0]
    assert same(first[1], again[1]) and not same(first[1], other[1])
    assert all(value.dtype == torch.float32 for value in first[1].values())


def test_what_it_yields() -> None:
    settings = TrainSettings(epochs=3, batch=16, warmup=0)
    model = build("vae")
    training = Training(model, blob_source(50), settings, CPU)  # 3 whole batches an epoch, 2 images left out
    log = []
    for step in training.run(log_every=4, also_at={5, 6}):
        assert not model.training, "whoever looks at the model finds it in eval mode"
        log.append(step)
    assert [step.step for step in log] == [4, 5, 6, 8, 9]
    assert {step.steps for step in log} == {9}
    assert [step.epoch for step in log] == pytest.approx([4 / 3, 5 / 3, 2, 8 / 3, 3])
    assert not model.training
    for step in log:
        assert set(step.terms) == {"total", "recon", "kl", "kl_per_latent"}
        assert step.terms["total"] == pytest.approx(step.terms["recon"] + step.terms["kl"], rel=1e-5)
        assert sum(step.terms["kl_per_latent"]) == pytest.approx(step.terms["kl"], rel=1e-4)
        assert step.held_out is None


def test_logged_terms_are_means_over_the_steps_since_the_last_line() -> None:
    def totals(log_every: int) -> list[Any]:
        settings = TrainSettings(epochs=2, batch=16, warmup=0, precision="float32")
        return [step.terms["total"] for step in train(fresh(), blob_source(48), settings, CPU, log_every)]

    each = totals(1)
    assert totals(4) == pytest.approx([sum(each[:4]) / 4, sum(each[4:]) / 2], rel=1e-5)


def test_where_it_yields_changes_no_weight() -> None:
    weights = []
    for log_every, also_at in ((1, ()), (5, {3, 4}), (1000, ())):
        model = fresh()
        for _ in Training(model, blob_source(50), SHORT, CPU, held_out=blob_source(30)).run(log_every, also_at):
            torch.rand(0)  # a caller that looks, and draws nothing
        weights.append(model.state_dict())
    assert same(weights[0], weights[1]) and same(weights[0], weights[2])


def test_streamed_images_train_as_resident_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = []
    for resident in (True, False):
        monkeypatch.setattr("vae_core.data.base.stays_on_device", lambda size, free, answer=resident: answer)
        model, source = fresh(), blob_source(50)
        assert source.is_resident is resident
        lines = list(Training(model, source, SHORT, CPU, held_out=source).run())
        weights.append((model.state_dict(), lines[-1].held_out))
    assert same(weights[0][0], weights[1][0])
    assert weights[0][1] == weights[1][1]


def test_held_out_terms_are_means_over_every_image_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A last smaller batch counts by its images, and beta does not count at all."""
    model = MODELS["vae"](replace(build("vae").config, beta=7.0)).eval()
    source = blob_source(70)
    with torch.no_grad():
        posterior = model.encode(source.images(torch.arange(70)))
        kl = 0.5 * (posterior.mean**2 + posterior.std**2 - 1 - 2 * posterior.std.log()).sum(1).mean().item()
    found = {}
    for size in (70, 32, 7):
        monkeypatch.setattr("vae_core.training.held_out.BATCH", size)
        found[size] = held_out_terms(model, source, CPU)
        assert found[size]["kl"] == pytest.approx(kl, rel=1e-5)
        assert found[size]["elbo"] == pytest.approx(-(found[size]["recon"] + kl), rel=1e-6)
        assert "total" not in found[size]
    assert found[32]["recon"] == pytest.approx(found[70]["recon"], rel=0.02)  # other noise
    plain = MODELS["autoencoder"](build("autoencoder").config).eval()
    with torch.no_grad():
        recon = plain.recon_per_image(
            source.images(torch.arange(70)), plain.encode(source.images(torch.arange(70))).mean
        )
    assert held_out_terms(plain, source, CPU) == {"recon": pytest.approx(recon.mean().item(), rel=1e-5)}


@pytest.mark.parametrize("name", MODELS)
def test_every_model_is_evaluated_once_an_epoch_and_at_the_end(name: str) -> None:
    model = build(name)
    source, held_out = (blob_source(count, image_of(name)) for count in (50, 30))
    training = Training(model, source, replace(SHORT, evaluate_every=4), CPU, held_out=held_out)
    lines = {step.step: step.held_out for step in training.run(log_every=3)}
    assert [step for step, found in lines.items() if found] == [4, 6]
    assert lines[6] == held_out_terms(model, held_out, CPU, training.settings.precision)


@pytest.mark.parametrize("leave_at", [1, 3, 4, 5])
@pytest.mark.parametrize("name", MODELS)
def test_a_training_that_was_left_ends_with_the_same_weights(name: str, leave_at: int) -> None:
    settings = replace(SHORT, binarise=True, shift=1, patience=3, weight_decay=0.01)

    def prepared() -> Training:
        source, held_out = (blob_source(count, image_of(name)) for count in (50, 30))
        return Training(fresh(name), source, settings, CPU, held_out=held_out)

    through = prepared()
    whole = list(through.run(log_every=1))
    first = prepared()
    for step in first.run(log_every=2):
        if step.step >= leave_at:
            break
        if step.step == leave_at - 1:
            first.interrupt()
    state = first.state()
    assert state.facts == json.loads(json.dumps(state.facts)) and state.facts["step"] == first.step
    torch.manual_seed(99)  # whatever happens in between
    second = prepared()
    second.restore(state)
    rest = list(second.run(log_every=1))
    assert same(through.model.state_dict(), second.model.state_dict())
    assert [step.terms for step in rest] == [step.terms for step in whole[first.step :]]
    assert [step.held_out for step in rest] == [step.held_out for step in whole[first.step :]]


def test_interrupt_is_heard_after_the_step_at_hand() -> None:
    training = Training(build("vae"), blob_source(50), replace(SHORT, epochs=100), CPU)
    training.interrupt()
    assert next(training.run(log_every=1000)).step == 1


def test_early_stopping_keeps_the_best_weights() -> None:
    """At a learning rate that destroys what it has learned: the best evaluation is what remains."""
    settings = TrainSettings(epochs=60, batch=16, lr=0.5, lr_schedule="constant", warmup=40, patience=4, clip=1e6)
    held_out = blob_source(30)
    training = Training(fresh(), blob_source(50), settings, CPU, held_out=held_out)
    log = list(training.run())
    scores = [-step.held_out["elbo"] for step in log if step.held_out]
    assert log[-1].stopped_early and log[-1].step < log[-1].steps
    assert len(scores) == scores.index(min(scores)) + 1 + 4
    found = held_out_terms(training.model, held_out, CPU, training.settings.precision)  # type: ignore[arg-type]
    assert -found["elbo"] == min(scores)


def addresses(training: Training) -> list[int]:
    """Where everything lies that a recorded step reads or changes."""
    step = training._do
    kept = [*step.sums, step.scale, step.done, step.first_bad, step.index, step.labels, *training.model.parameters()]
    kept += [step.capacity] if step.capacity is not None else []
    kept += [value for state in step.optimiser.state.values() for value in state.values()]
    return [tensor.data_ptr() for tensor in kept]


class Tape:
    """Records as CUDA does, but on the CPU: what is recorded does not run."""

    def __init__(self) -> None:
        self.rehearsed = self.recorded = 0

    def rehearse(self, work: Callable[[], None]) -> None:
        self.rehearsed += 1
        work()

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        self.recorded += 1
        return work


def asked_of(name: str, settings: TrainSettings) -> TrainSettings:
    """Without what bends a KL for the one model whose bound has none."""
    return replace(settings, free_bits=0.0, kl_schedule="warm-up") if name == "iwae" else settings


@pytest.mark.parametrize("leave_at", [None, 4])
@pytest.mark.parametrize("name", MODELS)
def test_a_recorded_step_gives_the_numbers_of_a_plain_one(name: str, leave_at: int | None) -> None:
    """Rehearsals change weights, the optimiser, sums and random state, and all of it is put back."""
    settings = asked_of(name, replace(SHORT, binarise=True, kl_schedule="capacity", kl_share=1.0))
    runs, source = [], blob_source(50, image_of(name))
    for tape in (None, Tape()):
        training = Training(fresh(name), source, settings, CPU, recorder=tape)
        log = [next(training.run(leave_at or 1))]
        if leave_at:  # and so for a training that goes on from a snapshot
            state, training = training.state(), Training(fresh(name), source, settings, CPU, recorder=tape)
            training.restore(state)
        places = None
        for line in training.run(1):
            log.append(line)
            places = places or addresses(training)
        assert addresses(training) == places, "a recording remembers addresses: nothing may move"
        runs.append((training.model.state_dict(), [step.terms for step in log]))
    assert same(runs[0][0], runs[1][0])
    assert runs[0][1] == runs[1][1]
    assert tape and tape.recorded == (2 if leave_at else 1) and tape.rehearsed == 3 * tape.recorded


class NothingFromTheHost(TorchDispatchMode):
    """Raises where a tensor is copied from the host to the device; a recording would be refused, or play it again."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        if func.overloadpacket in (torch.ops.aten._to_copy, torch.ops.aten.copy_):
            given = args[0] if func.overloadpacket is torch.ops.aten._to_copy else args[1]
            assert (given.device.type, made.device.type) != ("cpu", "cuda"), "a copy from the host"
        return made


@pytest.fixture
def forgetting() -> Iterator[None]:
    """What was kept for a device that there is in name only is of no use to anybody later."""
    yield
    weights.cache_clear()
    colour._constants.cache_clear()


@pytest.mark.usefixtures("forgetting")
@pytest.mark.parametrize("name", [name for name in MODELS if name != "names"])  # a GRU asks for a true device
def test_a_step_on_cuda_never_waits_for_the_device(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """On tensors that are CUDA's in name only, and have no values: whatever asks for one, or mixes in a tensor of the
    host, raises; and so does, after a rehearsal, whatever copies one from there. The backward pass is PyTorch's own
    and is left out."""
    device = torch.device("cuda", 0)
    monkeypatch.setattr(torch.Tensor, "backward", lambda self: None)
    settings = asked_of(name, replace(SHORT, binarise=True, shift=1, flip=True, free_bits=0.1, kl_schedule="capacity"))
    with FakeTensorMode(allow_non_fake_inputs=True):
        source = SimpleNamespace(
            images=lambda index: torch.empty(len(index), *image_of(name), device=device), is_resident=True,
            labels=torch.empty(50, dtype=torch.uint8),
        )  # fmt: skip
        monkeypatch.setattr(
            "vae_core.training.step.optimiser_of", lambda model, *_: torch.optim.SGD(model.parameters())
        )
        with device:
            model = build(name)
        plain = replace(settings, precision="float32")
        step = Step(model, source, plain, device, Shard(), None)  # type: ignore[arg-type]
        step.work()
        assert step.sums[0].device == device
        with NothingFromTheHost():
            step.work()
            for copied in (lambda: step.sums[0].new_tensor([1.0]), lambda: step.index.copy_(torch.zeros(16).long())):
                with pytest.raises(AssertionError, match="from the host"):
                    copied()  # this test would notice
        with pytest.raises(Exception, match="_local_scalar_dense"):
            step.sums[0].item()  # and this


def test_a_graph_is_refused_where_there_is_none() -> None:
    with pytest.raises(InvalidInput, match="CUDA"):
        Training(build("vae"), blob_source(50), SHORT, CPU, recorder=True)


def test_weight_decay_shrinks_matrices_and_leaves_biases_alone() -> None:
    weights = {}
    for decay in (0.0, 1.0):
        model = fresh()
        settings = TrainSettings(epochs=1, batch=48, warmup=0, lr=0.01, weight_decay=decay, precision="float32")
        list(train(model, blob_source(50), settings, CPU))  # a single step
        weights[decay] = model.state_dict()
    before = fresh().state_dict()
    for key, value in before.items():
        expected = weights[0.0][key] - (0.01 * value if value.ndim >= 2 else 0.0)
        assert torch.allclose(weights[1.0][key], expected, atol=1e-7), key


def test_an_estimate_changes_nothing_and_counts_every_step() -> None:
    model, source = fresh(), blob_source(50)
    before, noise = {key: value.clone() for key, value in model.state_dict().items()}, torch.get_rng_state()
    found = estimate(model, source, TrainSettings(epochs=50, batch=16), CPU, blob_source(30), seconds=0.05)
    assert same(before, model.state_dict()) and torch.equal(noise, torch.get_rng_state())
    assert found.steps == 150
    assert found.seconds >= found.steps * found.seconds_per_step > 0
    assert found.images_per_second == pytest.approx(16 / found.seconds_per_step)
    tiny = estimate(model, source, TrainSettings(epochs=1, batch=25), CPU)  # over before the trial has begun
    assert tiny.steps == 2 and tiny.seconds > 0 and tiny.tried == 25


@pytest.mark.parametrize(("batch", "per_image"), [(64, 0.01), (64, 5.0), (4096, 1e-6), (4096, 1e-3), (4096, 0.01)])
def test_a_trial_ends_in_time_however_slow_a_step_is(
    batch: int, per_image: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a clock that the model itself moves on, so that the time is exact."""
    clock = SimpleNamespace(time=0.0, steps=0, perf_counter=lambda: clock.time)
    monkeypatch.setattr("vae_core.training.trial.time", clock)
    model = fresh("autoencoder")
    plain = type(model).loss

    def slow(self: Any, x: Tensor, *given: Any) -> Any:
        clock.time += per_image * len(x)
        clock.steps += self.training
        return plain(self, x, *given)

    monkeypatch.setattr(type(model), "loss", slow)
    found = estimate(model, blob_source(5000), TrainSettings(epochs=3, batch=batch, precision="float32"), CPU)
    assert found.seconds_per_step == pytest.approx(batch * per_image, rel=1e-3), "scaled to the whole batch"
    assert clock.steps >= 1 and clock.time <= max(2.0, 2 * 64 * per_image), "a second or two, or two small steps"
    assert (found.tried < batch) == (batch * per_image > 0.5 and batch > 64)


@pytest.mark.parametrize(
    "error", [MemoryError(), torch.OutOfMemoryError("CUDA"), RuntimeError("DefaultCPUAllocator: can't allocate memory")]
)
def test_a_trial_without_enough_memory_suggests_a_smaller_batch(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*given: Any) -> Any:
        raise error

    model = fresh()
    monkeypatch.setattr(type(model), "loss", fail)
    with pytest.raises(InvalidInput, match=r"out of memory with a batch of 16; choose a smaller batch"):
        estimate(model, blob_source(50), SHORT, CPU)
    error = RuntimeError("shapes do not fit")  # ours, and not to be hidden
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        estimate(model, blob_source(50), SHORT, CPU)


def test_only_of_cuda_is_unused_memory_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    emptied: list[bool] = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: emptied.append(True))
    give_back(CPU)
    assert emptied == []
    give_back(torch.device("cuda"))
    assert emptied == [True]


@pytest.mark.parametrize("name", ["vae", "classifier"])
def test_two_processes_walk_the_path_of_one(name: str) -> None:
    """The same global batches, noise, dropout and free bits: the loss curve agrees to rounding."""

    def curve(*before: str) -> list[dict[str, Any]]:
        command = [sys.executable, *before, "-m", "tests.curve", name]
        done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]

    curves = curve(), curve("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    assert len(curves[0]) == len(curves[1]) == 12
    for alone, together in zip(*curves, strict=True):
        assert together.keys() == alone.keys()
        for key in alone:
            assert together[key] == pytest.approx(alone[key], rel=1e-4), key
    assert curves[0][0]["total"] > 1.05 * curves[0][-1]["total"], "and it is a curve"


def test_a_batch_that_cannot_be_shared_is_refused() -> None:
    assert Shard(1, 4).rows(64) == slice(16, 32)
    with pytest.raises(InvalidInput, match="multiple of 3"):
        Shard(0, 3).rows(64)


def test_a_batch_larger_than_the_data_is_refused() -> None:
    with pytest.raises(InvalidInput, match="64"):
        list(train(build("vae"), blob_source(50), TrainSettings(batch=64), CPU))


def test_early_stopping_without_held_out_images_is_refused() -> None:
    with pytest.raises(InvalidInput, match="patience"):
        Training(build("vae"), blob_source(50), replace(SHORT, patience=1), CPU)


def test_a_loss_that_explodes_stops_training_and_names_step_and_term() -> None:
    model = build("vae")
    training = Training(model, blob_source(50), replace(SHORT, epochs=4), CPU)
    steps = training.run(log_every=5)
    next(steps)
    with torch.no_grad():
        model.decoder[0].weight.fill_(float("inf"))
    with pytest.raises(FloatingPointError, match=r"step 6 of 12: recon was the first.*learning rate"):
        list(steps)
    model = build("vae")
    with torch.no_grad():
        model.encoder[-1].weight.fill_(1e30)
    with pytest.raises(FloatingPointError, match="step 1 of 6: kl was"):
        list(train(model, blob_source(50), SHORT, CPU))


@pytest.mark.parametrize(
    ("setting", "value"),
    [("epochs", 0), ("epochs", -3), ("epochs", 10**9), ("batch", 0), ("lr", float("nan")), ("lr", -1.0), ("clip", 0.0),
     ("seed", -1), ("kl_start", 0.0), ("precision", "float8"), ("kl_schedule", "up"), ("kl_share", 1.5),
     ("kl_cycles", 0), ("free_bits", -0.1), ("weight_decay", float("inf")), ("patience", -1), ("lr_schedule", "")],
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
