"""Continuity as numbers: how evenly the picture changes on a path, and how much of it shows no class."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from vae_core.errors import InvalidInput
from vae_core.latent.paths import step_sizes, straight
from vae_core.metrics.trial import Spread, Trial, spread

PAIRS, STEPS, THRESHOLD = 500, 64, 0.9
STILL = 1e-6  # mean step, in L2 pixel units, below which a path shows one and the same picture


class Continuity(NamedTuple):
    unevenness: Spread  # largest step / mean step, over pairs; 1 is perfectly even, STEPS is one single jump
    no_class: Spread  # share of a path's frames in which the judge sees no class with confidence, over pairs
    no_class_of_data: float  # the same share among the held-out images at the paths' ends: the floor
    pairs: int
    steps: int
    threshold: float


@torch.no_grad()
def continuity(trial: Trial, pairs: int = PAIRS, steps: int = STEPS, threshold: float = THRESHOLD) -> Continuity:
    """Two close points of the latent space should not decode to two entirely different pictures: the property
    that Rocca and Rocca ("Understanding Variational Autoencoders", 2019) call continuity. They give no
    number; these two are ours.

    Pairs of held-out images are drawn at random (no image twice) and encoded as posterior means a, b. Along
    the straight line from a to b, in `steps` equal steps, both ends included:

    - unevenness: the largest L2 change of the decoded pixels in one step over the mean one. It has no unit,
      and does not depend on how far apart a model places its codes. A path that decodes to one picture
      throughout is even: 1.
    - no_class: the share of the frames to which the classifier gives less than `threshold` for every class.

    Neither is enough alone. A blend of pixels is perfectly even and mostly shows no class; a model that jumps
    from one clean digit to the next always shows a class. A classifier can also be sure of nonsense:
    then no_class comes out too small. Standard errors treat the pairs as independent draws.
    """
    means, _ = trial.posterior
    pairs = min(pairs, len(means) // 2)
    if pairs < 1 or steps < 2:
        raise InvalidInput(f"{len(means)} images and {steps} steps make no path; give 2 images and 2 steps or more.")
    first, second = torch.randperm(len(means), generator=trial.generator())[: 2 * pairs].view(2, pairs)
    unevenness, no_class = [], []
    for chosen in torch.arange(pairs).split(max(1, trial.batch // (steps + 1))):
        codes = straight(means[first[chosen]], means[second[chosen]], steps + 1)  # [P, T, Z]
        images = trial.decode(codes.flatten(0, 1))  # [P * T, C, H, W]
        unevenness.append(uneven(step_sizes(images.unflatten(0, codes.shape[:2])).cpu()))
        unsure = trial.confidence(images) < threshold
        no_class.append(unsure.view(codes.shape[:2]).double().mean(dim=1))
    ends = torch.cat([first, second]).split(trial.batch)
    of_data = torch.cat([trial.confidence(trial.images(index)) < threshold for index in ends])
    return Continuity(
        unevenness=spread(torch.cat(unevenness)),
        no_class=spread(torch.cat(no_class)),
        no_class_of_data=of_data.double().mean().item(),
        pairs=pairs,
        steps=steps,
        threshold=threshold,
    )


def uneven(steps: Tensor) -> Tensor:
    """Largest over mean of the step sizes [..., T - 1] of a path: [...]; 1 where nothing moves."""
    steps = steps.double()
    mean = steps.mean(dim=-1)
    return torch.where(mean < STILL, 1.0, steps.amax(dim=-1) / mean.clamp_min(STILL))
