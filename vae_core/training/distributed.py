"""Several processes that train one model: one a device, started by torchrun."""

from __future__ import annotations

import gc
import os
from contextlib import suppress
from datetime import timedelta
from typing import NamedTuple

import torch
from torch import distributed

from vae_core.errors import InvalidInput

# For one that waits: the first process scores the finished model alone, and that takes its time on a small machine.
# A process that dies is missed at once, by the others or by torchrun.
PATIENCE = timedelta(hours=12)


class Shard(NamedTuple):
    """Which of how many processes this one is."""

    rank: int = 0
    world: int = 1

    @property
    def is_first(self) -> bool:
        """The one that evaluates, logs and writes."""
        return self.rank == 0

    def rows(self, batch: int) -> slice:
        """This process' part of a batch. Raises InvalidInput where the batch cannot be shared equally."""
        if batch % self.world:
            raise InvalidInput(
                f"A batch of {batch} cannot be shared by {self.world} processes; choose a multiple of {self.world}."
            )
        part = batch // self.world
        return slice(self.rank * part, (self.rank + 1) * part)


def join(device: torch.device) -> Shard:
    """Join the processes that torchrun started, each with a device of its own; alone where it started none."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        return Shard()
    if device.type == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=PATIENCE)
    return Shard(distributed.get_rank(), world)


def leave() -> None:
    """Part with the others, all at the same moment: who goes first would pull the rug from under their feet.

    Only for processes whose work is done. One that failed just exits, and not with 0: the others may wait for it in
    the middle of a step, and torchrun ends them when it sees that.
    """
    if distributed.is_initialized():
        gc.collect()  # a model's wrapper that is still around would keep threads of the group running
        with suppress(RuntimeError):  # another one was ended while this one waited; its work is done all the same
            distributed.barrier()
        distributed.destroy_process_group()


def any_of(flag: bool, device: torch.device) -> bool:
    """Whether the flag is up in any of the processes."""
    raised = torch.tensor(float(flag), device=device)
    distributed.all_reduce(raised)
    return bool(raised > 0)
