"""How good a judge the classifier is."""

from __future__ import annotations

from typing import NamedTuple

import torch

from vae_core.metrics.continuity import THRESHOLD
from vae_core.metrics.trial import Trial


class Accuracy(NamedTuple):
    accuracy: float  # share of the held-out images whose likeliest class is the right one
    cross_entropy: float  # nats per image
    sure: float  # share of the held-out images of which the judge is as sure as continuity asks for


@torch.no_grad()
def accuracy(trial: Trial) -> Accuracy:
    """Accuracy, cross-entropy and confidence of a classifier over all held-out images."""
    logits = torch.cat([trial.model(trial.images(index)).cpu().double() for index in trial.batches()])
    labels = trial.source.labels.long().cpu()
    return Accuracy(
        accuracy=(logits.argmax(dim=1) == labels).double().mean().item(),
        cross_entropy=torch.nn.functional.cross_entropy(logits, labels).item(),
        sure=(logits.softmax(dim=1).amax(dim=1) >= THRESHOLD).double().mean().item(),
    )
