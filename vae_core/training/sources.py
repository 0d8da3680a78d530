"""What the training asks of the model and of the images that it is handed."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor

from vae_core.objective import Context


class Trainable(Protocol):
    """A model: `loss` returns a NamedTuple of means over the batch, the objective as `total`."""

    is_generative: bool

    def loss(self, x: Tensor, labels: Tensor | None = None, context: Context = ...) -> Any: ...


class Source(Protocol):
    """N images, which arrive on the device that the source was opened for."""

    labels: Tensor  # [N] uint8, on the CPU
    is_resident: bool  # on the device; if not, they are streamed to it, and asked for with an index on the CPU

    def __len__(self) -> int: ...

    def images(self, index: Tensor) -> Tensor: ...


def index_home(source: Source, device: torch.device) -> torch.device:
    """Where an index for a source opened on a device has to lie."""
    return device if source.is_resident else torch.device("cpu")
