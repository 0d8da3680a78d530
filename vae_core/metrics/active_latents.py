"""How many latents a model uses."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from vae_core.metrics.trial import Trial

THRESHOLD = 0.01


class ActiveLatents(NamedTuple):
    active_latents: int
    activity: Tensor  # [Z], in squared units of the latent


def active_latents(trial: Trial, threshold: float = THRESHOLD) -> ActiveLatents:
    """Latents whose posterior mean moves with the image: Var_x(E_q[z]) > 0.01 (Burda et al. 2016).

    The threshold means something because the prior has variance 1; so the count is defined for models with a
    prior.
    """
    activity = trial.posterior[0].double().var(dim=0, correction=0)
    return ActiveLatents(int((activity > threshold).sum()), activity)
