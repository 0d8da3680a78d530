"""Completeness as numbers: how many samples lie on the data's manifold, and how much of it they cover."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from vae_core.errors import InvalidInput
from vae_core.latent.priors import fit_gaussian, standard_normal
from vae_core.metrics.trial import Spread, Trial, spread

DRAWS, SAMPLES = 5, 2000  # independent draws, and pictures (and as many held-out images) in each
K_PRECISION, K_DENSITY = 3, 5  # neighbours, as the papers choose them
ROWS = 500  # of a distance matrix held in memory at once


class Scores(NamedTuple):
    precision: float  # share of the samples that lie in the 3-neighbour sphere of some real image
    recall: float  # share of the real images that lie in the 3-neighbour sphere of some sample
    density: float  # mean number of real 5-neighbour spheres around a sample, over 5; 1 for the data itself
    coverage: float  # share of the real images whose 5-neighbour sphere holds a sample


class Completeness(NamedTuple):
    precision: Spread  # over draws, as the other three
    recall: Spread
    density: Spread
    coverage: Spread
    of_data: dict[str, Spread]  # the same scores of other held-out images in the samples' place: what is attainable
    codes_from: str
    draws: int
    samples: int


@torch.no_grad()
def completeness(trial: Trial, draws: int = DRAWS, samples: int = SAMPLES) -> Completeness:
    """A code drawn from the prior should decode to something meaningful: the property that Rocca and Rocca
    ("Understanding Variational Autoencoders", 2019) call completeness. They give no number; we take, in the
    feature space of a classifier of ours,

    - precision and recall of Kynkaanniemi et al. 2019 (k = 3), "improved precision and recall";
    - density and coverage of Naeem et al. 2020 (k = 5), which one outlier among the real images cannot
      inflate.

    Precision and density say how many samples lie on the data's manifold; coverage (and recall) how much of
    the data the samples cover. In each draw, `samples` pictures are decoded from fresh codes and compared
    with as many held-out images, and no image serves in two draws; so the draws are independent, and their
    spread is honest. The scores depend on the number compared, so compare only what was measured with the
    same.

    Codes come from the prior N(0, I). A model without a prior gets a Gaussian with full covariance, fitted to
    its codes of all held-out images; that is the fairest substitute, and `codes_from` says so.

    `of_data` puts the held-out images of another draw in the samples' place: the scores that no model need exceed.
    Every image serves twice there, so that spread is approximate.
    """
    samples = min(samples, len(trial) // draws)
    if samples <= K_DENSITY:
        raise InvalidInput(f"{len(trial)} held-out images are too few for {draws} draws; give {8 * draws} or more.")
    latent = trial.posterior[0].shape[1]
    generative = trial.model.is_generative
    codes = standard_normal(latent) if generative else fit_gaussian(trial.posterior[0])
    generator = trial.generator()
    folds = torch.randperm(len(trial), generator=generator)[: draws * samples].view(draws, samples)
    real = [seen(trial, (trial.images(index) for index in fold.split(trial.batch))) for fold in folds]
    found, of_data = [], []
    for draw in range(draws):
        z = codes.sample(samples, generator)
        found.append(scores(real[draw], seen(trial, (trial.decode(part) for part in z.split(trial.batch)))))
        of_data.append(scores(real[draw], real[draw - 1]))
    return Completeness(
        **over_draws(found),
        of_data=over_draws(of_data) if draws > 1 else {},
        codes_from="prior" if generative else "Gaussian fitted to the held-out codes",
        draws=draws,
        samples=samples,
    )


def seen(trial: Trial, batches: Iterator[Tensor]) -> Tensor:
    """The judge's features [N, F] of images that come in batches."""
    return torch.cat([trial.features(images) for images in batches])


def over_draws(found: list[Scores]) -> dict[str, Spread]:
    return {
        name: spread(torch.tensor([getattr(one, name) for one in found], dtype=torch.float64))
        for name in Scores._fields
    }


def scores(real: Tensor, fake: Tensor) -> Scores:
    """Precision, recall, density, coverage of features fake [M, F] against real [N, F]; exact.

    A point on the rim of a sphere is inside, so that copies of one image lie in their own sphere of radius 0.
    """
    if real.ndim != 2 or fake.shape[1:] != real.shape[1:] or min(len(real), len(fake)) <= K_DENSITY:
        raise InvalidInput(
            f"Features {tuple(real.shape)} and {tuple(fake.shape)} cannot be compared; give (N, F) and (M, F) "
            f"with more than {K_DENSITY} points each."
        )
    real_radii, fake_radii = neighbour_distances(real), neighbour_distances(fake)  # [N, 5], [M, 5]
    on_manifold = torch.zeros(len(fake), dtype=torch.bool)
    spheres, recalled, covered = torch.zeros(len(fake)), 0, 0
    for rows in torch.arange(len(real)).split(ROWS):
        apart = distances(real[rows], fake)  # [R, M]
        on_manifold |= (apart <= real_radii[rows, K_PRECISION - 1, None]).any(dim=0)
        recalled += int((apart <= fake_radii[:, K_PRECISION - 1]).any(dim=1).sum())
        inside = apart <= real_radii[rows, K_DENSITY - 1, None]
        spheres += inside.sum(dim=0)
        covered += int(inside.any(dim=1).sum())
    return Scores(
        precision=on_manifold.double().mean().item(),
        recall=recalled / len(real),
        density=spheres.double().mean().item() / K_DENSITY,
        coverage=covered / len(real),
    )


def neighbour_distances(points: Tensor) -> Tensor:
    """Distances from each of the points [N, F] to its nearest others, nearest first: [N, K_DENSITY]."""
    nearest = []
    for rows in torch.arange(len(points)).split(ROWS):
        apart = distances(points[rows], points)
        apart[torch.arange(len(rows)), rows] = torch.inf  # a point is not its own neighbour
        nearest.append(apart.topk(K_DENSITY, dim=1, largest=False).values)
    return torch.cat(nearest)


def distances(a: Tensor, b: Tensor) -> Tensor:
    """Euclidean distances [A, B]; not by a matrix product, which loses small ones to rounding."""
    return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")
