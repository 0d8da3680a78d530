"""Some of a source's images: those of certain classes, or the first so many, for a model that is to know no others."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from vae_core.data.base import ImageSource
from vae_core.errors import InvalidInput


class Subset:
    """A source of those images alone whose numbers [N] are named."""

    def __init__(self, source: ImageSource, where: Tensor, device: torch.device | str = "cpu") -> None:
        self.source = source
        self.shape = source.shape
        self.labels = source.labels[where]
        self.factors = None if source.factors is None else source.factors[where]
        self.is_resident = source.is_resident
        # Where indices for the source lie, once and for all: a recorded step must not copy from the host.
        self.where = where.to(device if source.is_resident else "cpu")

    def __len__(self) -> int:
        return len(self.where)

    def images(self, index: Tensor) -> Tensor:
        return self.source.images(self.where[index])


def subset(
    source: ImageSource, device: torch.device | str = "cpu", classes: Sequence[int] = (), images: int = 0
) -> ImageSource:
    """The images of a source on a device whose labels are among `classes` (empty: all), the first `images` of them
    (0: all). Raises InvalidInput where there are none of a class."""
    if not classes and not images:
        return source
    labels = source.labels
    if missing := sorted(set(classes) - set(labels.unique().tolist())):
        named = ", ".join(map(str, missing))
        raise InvalidInput(f"The data have no image of class {named}; choose labels that they have.")
    keep = torch.isin(labels.long(), torch.tensor(classes)) if classes else torch.ones(len(labels), dtype=torch.bool)
    where = keep.nonzero()[:, 0]
    return Subset(source, where[:images] if images else where, device)
