"""Which of the data a set of samples covers, image by image: what a mean coverage does not tell."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from vae_core.errors import InvalidInput
from vae_core.metrics.completeness import K_DENSITY, ROWS, distances, neighbour_distances

SMALLEST = 1e-12  # a radius by which one may divide


class Covered(NamedTuple):
    """Of each real image: how far its nearest sample is, and which sample that is."""

    reach: Tensor  # [N] distance to the nearest sample over the radius of the image's 5-neighbour sphere
    nearest: Tensor  # [N] number of that sample

    @property
    def within(self) -> Tensor:
        """Whether each image counts as covered (Naeem et al. 2020): its sphere holds a sample. [N]"""
        return self.reach <= 1


def covered(real: Tensor, fake: Tensor) -> Covered:
    """How well samples, by features [M, F], cover real images [N, F]. The mean of `within` is the coverage of
    `completeness.scores`. Raises InvalidInput for features that cannot be compared."""
    if real.ndim != 2 or fake.shape[1:] != real.shape[1:] or len(real) <= K_DENSITY or len(fake) == 0:
        raise InvalidInput(
            f"Features {tuple(real.shape)} and {tuple(fake.shape)} cannot be compared; give (N, F) with more than "
            f"{K_DENSITY} real images, and (M, F) with one sample or more."
        )
    radii = neighbour_distances(real)[:, K_DENSITY - 1]
    found = [distances(part, fake).min(dim=1) for part in real.split(ROWS)]
    apart = torch.cat([each.values for each in found])
    reach = apart / radii.clamp_min(SMALLEST)
    return Covered(reach, torch.cat([each.indices for each in found]))


def by_class(values: Tensor, labels: Tensor, classes: int) -> list[float]:
    """The mean of values [N] over the images of each class; nan where a class has none."""
    return [values[labels == label].double().mean().item() for label in range(classes)]
