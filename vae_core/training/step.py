"""One step of a training: gather, forward, backward, clip, step, add up. On CUDA recorded once and played again."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from vae_core.objective import Context
from vae_core.training.augment import augment
from vae_core.training.distributed import Shard
from vae_core.training.settings import TrainSettings
from vae_core.training.sources import Source, index_home
from vae_core.training.state import random_states, set_random_states

NEVER = 2**62  # a step that is not reached
REHEARSALS = 3  # runs before a recording, in which libraries choose their kernels and allocate


class Recorder(Protocol):
    """Something that can record work on a device and play it again."""

    def rehearse(self, work: Callable[[], None]) -> None: ...

    def record(self, work: Callable[[], None]) -> Callable[[], None]: ...


class CudaRecorder:
    """A CUDA graph: the launches of hundreds of small kernels become one."""

    def rehearse(self, work: Callable[[], None]) -> None:
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            work()
        torch.cuda.current_stream().wait_stream(aside)

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            work()
        return graph.replay


class _Loss(nn.Module):
    """The loss of a model as a forward pass, which is what DistributedDataParallel listens to."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor, labels: Tensor, context: Context) -> Any:
        return self.model.loss(x, labels, context)  # type: ignore[operator]


class Step:
    """A step, and what adds up over steps; none of it makes the host wait for the device."""

    def __init__(
        self, model: nn.Module, source: Source, settings: TrainSettings, device: torch.device, shard: Shard,
        recorder: Recorder | None,
    ) -> None:  # fmt: skip
        rows = shard.rows(settings.batch)
        self.model, self.source, self.settings, self.device, self.recorder = model, source, settings, device, recorder
        self.labels = source.labels.to(device)
        self.loss: nn.Module = _Loss(model)
        if shard.world > 1:
            self.loss = nn.parallel.DistributedDataParallel(self.loss)
        self.optimiser = optimiser_of(model, settings, device)
        self.index = torch.zeros(rows.stop - rows.start, dtype=torch.long, device=index_home(source, device))
        # What a schedule moves lies in tensors, for a recording plays the same launches with whatever they hold.
        self.scale = torch.ones((), device=device)
        self.capacity = torch.zeros((), device=device) if settings.kl_schedule == "capacity" else None
        self.context = Context(self.scale, self.capacity, settings.free_bits, shard.rank, shard.world)
        self.fields: tuple[str, ...] = ()
        self.sums: list[Tensor] = []  # of every term, since the last `clear`
        self.done = torch.zeros((), dtype=torch.long, device=device)
        self.first_bad = torch.zeros(0, dtype=torch.long, device=device)  # by term: the first step with a NaN or inf
        self.play: Callable[[], None] | None = None if recorder else self.work

    def __call__(self, index: Tensor, rate: float, scale: float, capacity: float | None) -> None:
        """Do one step on the images of this process, by their index [B] in the source."""
        if self.source.is_resident:
            self.index.copy_(index)
        else:  # from the host's own, page-locked order: a buffer might be filled again before it was copied
            self.index = index
        self.scale.fill_(scale)
        if self.capacity is not None:
            assert capacity is not None
            self.capacity.fill_(capacity)
        for group in self.optimiser.param_groups:
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate
        if self.play is None:
            self.play = self.recorded()
        self.play()

    def work(self) -> None:
        """The step itself."""
        settings, context = self.settings, self.context
        x = self.source.images(self.index)  # [B, C, H, W]
        x = augment(
            x, lambda shape: context.uniform(shape, x),
            binarise=settings.binarise, shift=settings.shift, flip=settings.flip,
        )  # fmt: skip
        mixed = settings.precision == "bfloat16"
        # No cache: a recorded step has none, and a critic that is asked twice in a step would add up its gradients in
        # another precision.
        with torch.autocast(self.device.type, torch.bfloat16, enabled=mixed, cache_enabled=False):
            terms = self.loss(x, self.labels[self.index.to(self.device, non_blocking=True)], context)
        self.optimiser.zero_grad(set_to_none=True)
        terms.total.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), settings.clip)
        self.optimiser.step()
        self.add(terms)

    @torch.no_grad()
    def add(self, terms: Any) -> None:
        if not self.fields:
            self.begin(terms)
        self.done.add_(1)
        for total, value in zip(self.sums, terms, strict=True):
            total.add_(value)
        finite = torch.stack([value.isfinite().all() for value in terms])
        self.first_bad.copy_(torch.where(finite, self.first_bad, self.first_bad.minimum(self.done)))

    def begin(self, terms: Any) -> None:
        self.fields = terms._fields
        self.sums = [torch.zeros_like(value) for value in terms]
        self.first_bad = torch.full((len(self.fields),), NEVER, device=self.device)

    def clear(self) -> None:
        for total in self.sums:
            total.zero_()

    def wrong(self, shard: Shard) -> tuple[int, str] | None:
        """The first step whose loss was not finite in any process, and the term that was to blame; waits for the
        device."""
        if shard.world > 1:
            torch.distributed.all_reduce(self.first_bad, torch.distributed.ReduceOp.MIN)
        steps = self.first_bad.tolist()
        if not steps or min(steps) == NEVER:
            return None
        # The total is never to blame: it is the sum of the others.
        return min((step, field == "total", field) for step, field in zip(steps, self.fields, strict=True))[::2]

    def recorded(self) -> Callable[[], None]:
        """Rehearse, put back all that the rehearsal changed, and record; so that recording changes no number."""
        assert self.recorder is not None
        noise = random_states(self.device)
        model = copy.deepcopy(self.model.state_dict())
        optimiser = copy.deepcopy(self.optimiser.state_dict())
        done, sums, bad = self.done.clone(), [total.clone() for total in self.sums], self.first_bad.clone()
        for _ in range(REHEARSALS):
            self.recorder.rehearse(self.work)
        self.model.load_state_dict(model)  # in place: they stay the optimiser's
        if optimiser["state"]:
            self.optimiser.load_state_dict(optimiser)
        else:
            for state in self.optimiser.state.values():
                for value in state.values():
                    value.zero_()
        self.done.copy_(done)
        for place, total in enumerate(self.sums):
            total.copy_(sums[place]) if sums else total.zero_()
        self.first_bad.copy_(bad) if len(bad) else self.first_bad.fill_(NEVER)
        set_random_states(noise, self.device)
        self.optimiser.zero_grad(set_to_none=True)
        return self.recorder.record(self.work)


def optimiser_of(model: nn.Module, settings: TrainSettings, device: torch.device) -> torch.optim.Optimizer:
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019) on all that is a matrix or a kernel."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": settings.weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    on_cuda = device.type == "cuda"
    rate: Any = torch.tensor(settings.lr, device=device) if on_cuda else settings.lr
    return torch.optim.AdamW(groups, lr=rate, fused=device.type != "mps", capturable=on_cuda)
