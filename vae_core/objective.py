"""What the training tells a model about the step at hand: how hard to press on the KL, and which noise is its own."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Context:
    """The terms of one step. A schedule moves the numbers; a tensor on the device takes the place of a number where
    a recorded step is played again."""

    kl_scale: float | Tensor = 1.0  # multiplies beta
    capacity: float | Tensor | None = None  # nats that the KL is drawn to, instead of to 0 (Burgess et al. 2018)
    free_bits: float = 0.0  # nats a latent may use for nothing (Kingma et al. 2016)
    rank: int = 0  # which part of the batch this process holds
    world: int = 1  # processes that share the batch
    generator: torch.Generator | None = None  # None: the device's own

    def normal(self, like: Tensor) -> Tensor:
        """Standard normal noise of the shape [B, ...] of `like`."""
        return self._draw(torch.randn, like.shape, like)

    def uniform(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """Noise from [0, 1) of a shape [B, ...], float32, on the device of `like`."""
        return self._draw(torch.rand, shape, like)

    def _draw(self, kind: object, shape: tuple[int, ...], like: Tensor) -> Tensor:
        # Every process draws for the whole batch and keeps its own rows: so the number of processes changes no
        # picture's noise, and several of them walk the same path as one.
        whole = (shape[0] * self.world, *shape[1:])
        noise = kind(whole, generator=self.generator, device=like.device, dtype=torch.float32)  # type: ignore[operator]
        return noise[self.rank * shape[0] : (self.rank + 1) * shape[0]]

    def dropout(self, x: Tensor, share: float) -> Tensor:
        """[B, ...] with that share of its entries at 0 and the others larger by as much (Srivastava et al. 2014)."""
        return torch.where(self.uniform(tuple(x.shape), x) < share, 0.0, x / (1 - share)) if share else x

    def penalty(self, kl_per_latent: Tensor) -> Tensor:
        """What beta weighs, from the batch's mean KL of each latent [Z]: their sum, unless free bits or a capacity
        bend it. Both are bent where the mean over the whole batch says so, not the mean over one process' part."""
        kl = kl_per_latent
        if self.world > 1 and (self.free_bits > 0 or self.capacity is not None):
            kl = kl + (_mean_over_processes(kl) - kl).detach()  # the value of all, the gradient of this part
        if self.free_bits > 0:
            kl = kl.clamp_min(self.free_bits)
        total = kl.sum()
        if self.capacity is not None:
            total = (total - self.capacity).abs()
        return self.kl_scale * total


PLAIN = Context()


def _mean_over_processes(values: Tensor) -> Tensor:
    gathered = values.detach().clone()
    torch.distributed.all_reduce(gathered)
    return gathered / torch.distributed.get_world_size()
