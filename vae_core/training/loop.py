"""One loop for every model. It yields what it measures, so that a command line or a page can draw it and stop; it
can be left at any step, and gone on with elsewhere as if nothing had happened."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from vae_core.errors import InvalidInput
from vae_core.training.distributed import Shard, any_of
from vae_core.training.held_out import held_out_terms, score
from vae_core.training.precision import resolved
from vae_core.training.schedules import capacity, kl_scale, learning_rate
from vae_core.training.settings import TrainSettings
from vae_core.training.sources import Source, index_home
from vae_core.training.state import (
    State,
    copied,
    optimiser_tensors,
    part,
    random_states,
    restore_optimiser,
    set_random_states,
)
from vae_core.training.step import CudaRecorder, Recorder, Step


class Progress(NamedTuple):
    """A logged step."""

    step: int  # steps done
    steps: int  # steps in all
    epoch: float  # epochs done
    seconds: float  # of training and of evaluating, over all its sessions
    images_per_second: float  # since the last line, evaluations left out
    terms: dict[str, Any]  # means over the steps since the last line, nats per image
    held_out: dict[str, Any] | None  # the same over all held-out images, at beta 1, where they were evaluated
    stopped_early: bool


class Training:
    """The training of one model, in place, on a source of images that lives on `device`.

    A batch that does not fill up is left out; every epoch shuffles anew, so no image is left out for good. The seed
    fixes the order of the data and the noise, through the device's own random state, which is set here.

    Raises InvalidInput when the batch is larger than the data, and for a recorder on a device that has none.
    """

    def __init__(
        self, model: nn.Module, source: Source, settings: TrainSettings, device: torch.device,
        held_out: Source | None = None, recorder: Recorder | bool | None = None, shard: Shard = Shard(),  # noqa: B008
    ) -> None:  # fmt: skip
        if settings.batch > len(source):
            raise InvalidInput(
                f"A batch of {settings.batch} is larger than the data ({len(source)} images); choose a smaller one."
            )
        if settings.patience and held_out is None:
            raise InvalidInput("Early stopping looks at held-out images, and there are none; set patience to 0.")
        settings = resolved(settings, device)
        self.model, self.source, self.settings, self.device = model.to(device), source, settings, device
        self.held_out, self.shard = held_out, shard
        self.per_epoch = len(source) // settings.batch
        self.steps = settings.epochs * self.per_epoch
        self.step = 0
        self.seconds = 0.0
        self.interrupted = self.stopped_early = False
        self._best: dict[str, Tensor] = {}
        self._best_score, self._waited = float("inf"), 0
        self._count = 0  # steps since the last line
        torch.manual_seed(settings.seed)
        self._do = Step(model, source, settings, device, shard, self._recorder(recorder))

    def _recorder(self, wanted: Recorder | bool | None) -> Recorder | None:
        """A CUDA graph wherever one is possible, unless told otherwise."""
        if not isinstance(wanted, bool | None):
            return wanted
        possible = self.device.type == "cuda" and self.shard.world == 1 and self.source.is_resident
        possible = possible and getattr(self.model, "is_recordable", True)
        if wanted and not possible:
            raise InvalidInput("A CUDA graph needs one CUDA device that holds all the data; leave it out.")
        return CudaRecorder() if possible and self.settings.graph and wanted is not False else None

    def interrupt(self) -> None:
        """Ask the loop to yield after the step at hand. May be called from a signal handler."""
        self.interrupted = True

    def run(self, log_every: int = 50, also_at: Collection[int] = ()) -> Iterator[Progress]:
        """Train on from where it stands. Yields every `log_every` steps, wherever held-out images are evaluated, at
        the steps of `also_at`, at the end, and soon after `interrupt` (where the caller may leave). The model stands
        in eval mode whenever this yields.

        Raises FloatingPointError, naming step and term, when a loss is not finite.
        """
        settings, steps = self.settings, self.steps
        clock = time.perf_counter()
        while self.step < steps and not self.stopped_early:
            self.model.train()
            for index in self._rest_of_epoch():
                rate = learning_rate(self.step, steps, settings)
                scale, target = kl_scale(self.step, steps, settings), capacity(self.step, steps, settings)
                self._do(index, rate, scale, target)
                self.step += 1
                self._count += 1
                if self.step % log_every == 0 or self._evaluates() or self.step in also_at or self._must_yield():
                    yield self._report(clock)
                    clock = time.perf_counter()
                    self.model.train()
                    if self.stopped_early:
                        break
        if self._best:
            self.model.load_state_dict(self._best)
        self.model.eval()

    def _rest_of_epoch(self) -> Iterator[Tensor]:
        """This process' part of the batches that are left of the epoch at hand, each [B].
        The order depends on the seed and the epoch alone, so it need not be kept."""
        epoch, done = divmod(self.step, self.per_epoch)
        order = torch.Generator().manual_seed((self.settings.seed * 1_000_003 + epoch) % 2**63)
        whole = torch.randperm(len(self.source), generator=order)[: self.per_epoch * self.settings.batch]
        batches = whole.view(self.per_epoch, self.settings.batch)[done:, self.shard.rows(self.settings.batch)]
        home = index_home(self.source, self.device)
        yield from batches.pin_memory() if self.device.type != home.type == "cpu" else batches.to(home)

    def _evaluates(self) -> bool:
        every = self.settings.evaluate_every or self.per_epoch
        return self.held_out is not None and (self.step % every == 0 or self.step == self.steps)

    def _must_yield(self) -> bool:
        # Several processes must agree on where they talk to each other; they ask at every line.
        return self.step == self.steps or (self.interrupted and self.shard.world == 1)

    def _report(self, clock: float) -> Progress:
        """Fetch the means since the last line, look at the held-out images where it is time to, and tell the clock."""
        count = self._count
        sums = torch.cat([total.reshape(-1) for total in self._do.sums])
        if self.shard.world > 1:
            torch.distributed.all_reduce(sums)
            self.interrupted = any_of(self.interrupted, self.device)
        means = (sums / (count * self.shard.world)).split([total.numel() for total in self._do.sums])
        terms: dict[str, Any] = {
            name: mean.tolist() if total.ndim else mean.item()
            for name, total, mean in zip(self._do.fields, self._do.sums, means, strict=True)
        }
        if wrong := self._do.wrong(self.shard):
            raise FloatingPointError(
                f"The loss stopped being a number at step {wrong[0]} of {self.steps}: {wrong[1]} was the first term. "
                f"Try a smaller learning rate than {self.settings.lr:g}, or float32."
            )
        trained = time.perf_counter() - clock
        self.model.eval()
        held_out = None
        if self._evaluates():
            assert self.held_out is not None
            held_out = held_out_terms(self.model, self.held_out, self.device, self.settings.precision)  # type: ignore[arg-type]
            self._judge(self._agreed(score(held_out)))
        self._do.clear()
        self._count = 0
        self.seconds += time.perf_counter() - clock
        speed = count * self.settings.batch / max(trained, 1e-9)
        epoch = self.step / self.per_epoch
        return Progress(self.step, self.steps, epoch, self.seconds, speed, terms, held_out, self.stopped_early)

    def _agreed(self, value: float) -> float:
        """The first process' value for all of them: machines that round differently must not part ways."""
        if self.shard.world == 1:
            return value
        told = torch.tensor(value, device=self.device)
        torch.distributed.broadcast(told, 0)
        return told.item()

    def _judge(self, value: float) -> None:
        """Keep the best weights, and count how long there have been no better ones."""
        if not self.settings.patience:
            return
        if value < self._best_score:
            self._best_score, self._waited = value, 0
            self._best = {name: tensor.detach().clone() for name, tensor in self.model.state_dict().items()}
        else:
            self._waited += 1
            self.stopped_early = self._waited >= self.settings.patience

    def state(self) -> State:
        """All that `restore` needs to go on as if nothing had happened; to be asked for where `run` has yielded."""
        tensors = copied(self.model.state_dict(), "model") | copied(self._best, "best")
        tensors |= copied(optimiser_tensors(self._do.optimiser, self.model), "optimiser")
        tensors |= copied(random_states(self.device), "random")
        facts = {
            "step": self.step, "seconds": self.seconds, "waited": self._waited, "stopped_early": self.stopped_early,
            "best_score": self._best_score if self._best else None,
        }  # fmt: skip
        return State(tensors, facts)

    def restore(self, state: State) -> None:
        """Go on from a state of the same training. The random numbers go on as well, on the same kind of device."""
        self.model.load_state_dict(part(state.tensors, "model"))
        restore_optimiser(self._do.optimiser, self.model, part(state.tensors, "optimiser"))
        self._best = {name: value.to(self.device) for name, value in part(state.tensors, "best").items()}
        set_random_states(part(state.tensors, "random"), self.device)
        facts = state.facts
        self.step, self.seconds, self._waited = facts["step"], facts["seconds"], facts["waited"]
        self._do.done.fill_(self.step)  # by which it names the step of a loss that is not finite
        self.stopped_early = facts["stopped_early"]
        self._best_score = float("inf") if facts["best_score"] is None else facts["best_score"]


def train(
    model: nn.Module, source: Source, settings: TrainSettings, device: torch.device, log_every: int = 50
) -> Iterator[Progress]:
    """Train a model in place from start to end, without held-out images; see `Training`."""
    yield from Training(model, source, settings, device).run(log_every)
