"""Data for a prior: the code maps of a dataset's images, as a bundled VQ-VAE sees them.

A recipe names the dataset as ever, and in its model's settings the VQ-VAE (`codes_of`), which of its maps is to be
learned (`level`, the coarsest is 0), and whether the next coarser one is told (`given`, its number of codes); labels
and splits stay those of the dataset.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from vae_core.checkpoints import read_bundled
from vae_core.data import ImageSource
from vae_core.errors import InvalidInput
from vae_core.models import VQVAE, VQVAE2
from vae_core.models.pixelcnn import enlarged

BATCH = 500  # images encoded at a time


class CodeMaps:
    """The code maps [N, h, w] of a source's images as pictures of one channel: number k of K codes has the grey value
    k / K. `given`: the next coarser maps are the second channel, enlarged. All are encoded once, when this is made."""

    factors: Tensor | None = None
    is_resident = True

    def __init__(
        self,
        source: ImageSource,
        model: VQVAE | VQVAE2,
        device: torch.device | str = "cpu",
        level: int = 0,
        given: bool = False,
    ) -> None:
        self.labels, self.codes = source.labels, model.config.codes
        model = model.to(device)
        home = device if source.is_resident else "cpu"
        with torch.no_grad():
            parts = [levels_of(model, source.images(at)) for at in torch.arange(len(source), device=home).split(BATCH)]
        levels = [torch.cat(maps) for maps in zip(*parts, strict=True)]
        sides = levels[level].shape[1:]
        told = [enlarged(levels[level - 1], sides)] if given else []
        self.numbers = torch.stack([levels[level], *told], dim=1)  # [N, 1 or 2, h, w]
        self.shape: tuple[int, int, int] = (1 + given, *sides)

    def __len__(self) -> int:
        return len(self.numbers)

    def images(self, index: Tensor) -> Tensor:
        """Code maps [B, 1 or 2, h, w] in [0, 1) for an index [B]."""
        return self.numbers[index].float() / self.codes


def levels_of(model: VQVAE | VQVAE2, x: Tensor) -> tuple[Tensor, ...]:
    """All code maps [B, h, w] of pictures [B, C, H, W], the coarsest first."""
    found = model.numbers(x)
    return (found,) if isinstance(found, Tensor) else found


def as_code_maps(source: ImageSource, config: Any, device: torch.device | str = "cpu") -> ImageSource:
    """The source as a model with such settings is to see it: as code maps where they say whose, else as it is.

    Raises InvalidInput where the model that they name is not here, is no VQ-VAE, has another number of codes, or no
    such level.
    """
    of = getattr(config, "codes_of", "")
    if not of:
        return source
    model = read_bundled(of).model
    if not isinstance(model, VQVAE | VQVAE2):
        raise InvalidInput(f"The code maps are to be those of {of}; but {of} is no VQ-VAE.")
    codes = {config.codes, config.given or config.codes}
    if codes != {model.config.codes}:
        wanted = " and ".join(map(str, sorted(codes)))
        raise InvalidInput(
            f"The code maps are to be those of {of}, with {wanted} codes; but {of} has {model.config.codes} codes."
        )
    if not bool(config.given) <= config.level < model.levels:
        raise InvalidInput(f"{of} has {model.levels} levels of code maps, from 0; nothing is given to the coarsest.")
    return CodeMaps(source, model, device, config.level, config.given > 0)
