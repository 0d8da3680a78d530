"""What to say, and what to give back, where a device has too little memory."""

from __future__ import annotations

import gc

import torch

# What the CPU's allocator says, CUDA itself, and cuBLAS and cuDNN; all of them as a plain RuntimeError.
SAYINGS = ("can't allocate memory", "out of memory", "ALLOC_FAILED")


def out_of_memory(error: BaseException, batch: int) -> str | None:
    """What to tell a person whose batch did not fit into memory; None for an error of another kind."""
    told = isinstance(error, RuntimeError) and any(saying in str(error) for saying in SAYINGS)
    if not told and not isinstance(error, torch.OutOfMemoryError | MemoryError):
        return None
    return f"The device ran out of memory with a batch of {batch:,}; choose a smaller batch, or a smaller model."


def give_back(device: torch.device) -> None:
    """Return what PyTorch keeps of a CUDA device's memory without using it; others may want to train there."""
    if device.type == "cuda":
        gc.collect()
        torch.cuda.empty_cache()
