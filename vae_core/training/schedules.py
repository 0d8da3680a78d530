"""What changes while a model is trained: the learning rate, and how hard the KL is pressed."""

from __future__ import annotations

import math

from vae_core.training.settings import TrainSettings


def learning_rate(step: int, steps: int, settings: TrainSettings) -> float:
    """Linear from 0 over the warm-up, then constant or a half cosine to 0 (Loshchilov and Hutter 2017, without
    restarts). The warm-up is at most a third of the training: a short one would never arrive."""
    warmup = min(settings.warmup, steps // 3)
    if step < warmup:
        return settings.lr * (step + 1) / warmup
    if settings.lr_schedule == "constant":
        return settings.lr
    share = (step - warmup) / max(1, steps - warmup)
    return settings.lr * 0.5 * (1 + math.cos(math.pi * share))


def kl_scale(step: int, steps: int, settings: TrainSettings) -> float:
    """What beta is multiplied with at a step (counted from 0).

    "warm-up" rises linearly from 0 to 1 (Bowman et al. 2016), "cyclical" does so again and again (Fu et al. 2019).
    "fall" goes exponentially from `kl_start` to 1: a KL that weighs much at first lets only the few strongest
    factors through, one latent each, and the others once these are in place. "capacity" leaves beta alone.
    """
    arrival = settings.kl_share * steps
    match settings.kl_schedule:
        case "warm-up":
            return min(1.0, step / arrival)
        case "cyclical":
            cycle = steps / settings.kl_cycles
            return min(1.0, (step % cycle) / (settings.kl_share * cycle))
        case "fall":
            return settings.kl_start ** max(0.0, 1 - step / arrival)
    return 1.0


def capacity(step: int, steps: int, settings: TrainSettings) -> float | None:
    """The nats that the KL is drawn to at a step: rising linearly from 0 (Burgess et al. 2018, whose gamma is our
    beta). None under every other schedule: there the KL is drawn to 0."""
    if settings.kl_schedule != "capacity":
        return None
    return settings.capacity * min(1.0, step / (settings.kl_share * steps))
