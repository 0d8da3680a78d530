"""What the training asks of the model and of the images that it is handed."""

from __future__ import annotations

from typing import Any, Protocol

from torch import Tensor

from vae_core.objective import Context


class Trainable(Protocol):
    """A model: `loss` returns a NamedTuple of means over the batch, the objective as `total`."""

    is_generative: bool

    def loss(self, x: Tensor, labels: Tensor | None = None, context: Context = ...) -> Any: ...


class Source(Protocol):
    """N images, fetched by index on the device on which they are wanted."""

    labels: Tensor  # [N] uint8, on the CPU

    def __len__(self) -> int: ...

    def images(self, index: Tensor) -> Tensor: ...
