"""Data for a prior: the code maps of a dataset's images, as a bundled VQ-VAE sees them.

A recipe names the dataset as ever, and in its model's settings the VQ-VAE (`codes_of`); labels and splits stay those of
the dataset.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from vae_core.checkpoints import read_bundled
from vae_core.data import ImageSource
from vae_core.errors import InvalidInput
from vae_core.models import VQVAE

BATCH = 500  # images encoded at a time


class CodeMaps:
    """The code maps [N, h, w] of a source's images as pictures of one channel: number k of K codes has the grey value
    k / K. All are encoded once, when this is made."""

    factors: Tensor | None = None
    is_resident = True

    def __init__(self, source: ImageSource, model: VQVAE, device: torch.device | str = "cpu") -> None:
        self.labels, self.codes = source.labels, model.config.codes
        model = model.to(device)
        home = device if source.is_resident else "cpu"
        with torch.no_grad():
            found = [model.numbers(source.images(at)) for at in torch.arange(len(source), device=home).split(BATCH)]
        self.numbers = torch.cat(found)
        self.shape: tuple[int, int, int] = (1, *self.numbers.shape[1:])

    def __len__(self) -> int:
        return len(self.numbers)

    def images(self, index: Tensor) -> Tensor:
        """Code maps [B, 1, h, w] in [0, 1) for an index [B]."""
        return self.numbers[index][:, None].float() / self.codes


def as_code_maps(source: ImageSource, config: Any, device: torch.device | str = "cpu") -> ImageSource:
    """The source as a model with such settings is to see it: as code maps where they say whose, else as it is.

    Raises InvalidInput where the model that they name is not here, is no VQ-VAE, or has another number of codes.
    """
    of = getattr(config, "codes_of", "")
    if not of:
        return source
    model = read_bundled(of).model
    if not isinstance(model, VQVAE) or model.config.codes != config.codes:
        codes = f"has {model.config.codes} codes" if isinstance(model, VQVAE) else "is no VQ-VAE"
        raise InvalidInput(f"The code maps are to be those of {of}, with {config.codes} codes; but {of} {codes}.")
    return CodeMaps(source, model, device)
