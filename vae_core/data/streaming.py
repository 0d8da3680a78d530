"""Images that are too many for the device: they stay in the host's memory and are copied batch by batch."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

SHARE = 0.5  # of a device's free memory that images may take; the rest is the model's
SLOTS = 2  # buffers: while one is being copied, the next batch is gathered into the other


def free_memory(device: torch.device) -> int | None:
    """Bytes that are free on a device of its own memory (CUDA); None where images lie in the host's anyway."""
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else None


def stays_on_device(size: int, free: int | None) -> bool:
    """Whether images of `size` bytes are to live on a device with so many bytes free."""
    return free is None or size <= free * SHARE


class Fence(Protocol):
    """A point in a device's queue of work, as torch.cuda.Event."""

    def record(self) -> None: ...

    def synchronize(self) -> None: ...


class _NoFence:
    """For devices whose copies are done when they return."""

    def record(self) -> None: ...

    def synchronize(self) -> None: ...


class Streamed:
    """Batches of images [N, C, H, W] (uint8, on the CPU) on their way to a device.

    A batch is gathered on the host into a page-locked buffer, from which a CUDA device copies without the host
    waiting; an event behind each copy says when its buffer may be filled again. So the host gathers batches ahead
    while the device computes. Only the buffers are page-locked: locking gigabytes would starve the machine.
    Ask with an index that lives on the CPU: one on the device makes the host wait for everything before it.
    """

    def __init__(self, pixels: Tensor, device: torch.device) -> None:
        self.pixels = pixels
        self.device = device
        self.buffers: list[Tensor] = [pixels[:0]] * SLOTS
        self.fences = [self._fence() for _ in range(SLOTS)]
        self.turn = 0

    def batch(self, index: Tensor) -> Tensor:
        """Images [B, C, H, W], uint8 on the device, for an index [B]."""
        slot, self.turn = self.turn, (self.turn + 1) % SLOTS
        self.fences[slot].synchronize()  # the copy from this buffer, two batches ago
        if len(index) > len(self.buffers[slot]):
            shape = (len(index), *self.pixels.shape[1:])
            self.buffers[slot] = torch.empty(shape, dtype=torch.uint8, pin_memory=self.device.type == "cuda")
        gathered = self.buffers[slot][: len(index)]
        torch.index_select(self.pixels, 0, index.cpu(), out=gathered)
        batch = self._copy(gathered)
        self.fences[slot].record()
        return batch

    def _copy(self, gathered: Tensor) -> Tensor:
        return torch.empty(gathered.shape, dtype=torch.uint8, device=self.device).copy_(gathered, non_blocking=True)

    def _fence(self) -> Fence:
        return _CudaFence(self.device) if self.device.type == "cuda" else _NoFence()


class _CudaFence:
    """An event in the stream on which the device's work is queued at the time."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.event = torch.cuda.Event()

    def record(self) -> None:
        self.event.record(torch.cuda.current_stream(self.device))

    def synchronize(self) -> None:
        self.event.synchronize()  # at once where nothing was recorded yet
