"""How a model is trained: every number of it, checked."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from vae_core.errors import InvalidInput

CHOICES = {
    "precision": ("auto", "float32", "bfloat16"),
    "lr_schedule": ("cosine", "constant"),
    "kl_schedule": ("constant", "warm-up", "cyclical", "fall", "capacity"),
}
WHOLE = {  # lowest, highest
    "epochs": (1, 100_000), "batch": (1, 65_536), "warmup": (0, 10**7), "seed": (0, 2**63 - 1), "kl_cycles": (1, 1000),
    "images": (0, 10**9), "shift": (0, 64), "patience": (0, 100_000), "evaluate_every": (0, 10**9),
}  # fmt: skip
ABOVE_ZERO = ("lr", "clip", "kl_start", "kl_share")
FROM_ZERO = ("weight_decay", "capacity", "free_bits")


@dataclass(frozen=True)
class TrainSettings:
    """The whole of a training but its model and its data. Raises InvalidInput for a value out of range."""

    LATER: ClassVar[dict[str, Any]] = {"labels": (), "images": 0}  # what it meant where a run's file lacks them

    epochs: int = 40
    batch: int = 256  # images a step, over all processes
    lr: float = 2e-3
    lr_schedule: str = "cosine"  # after the warm-up: half a cosine down to zero, or constant
    warmup: int = 200  # steps of a linear rise, at most a third of all steps
    clip: float = 100.0  # largest norm of the gradient of a step; the losses are sums over pixels, so it is large
    weight_decay: float = 0.0  # decoupled (AdamW), on matrices and kernels only
    precision: str = "auto"  # of the matrix products, see precision.py; weights, latents, losses stay in float32
    seed: int = 0  # of the weights, the order of the data and the noise
    kl_schedule: str = "constant"  # see schedules.py
    kl_start: float = 1.0  # "fall": the KL's weight at the first step, as a multiple of the model's beta
    kl_share: float = 0.6  # the share of the training (of a cycle: "cyclical") after which the schedule has arrived
    kl_cycles: int = 4  # "cyclical"
    capacity: float = 25.0  # "capacity": nats that the KL is drawn to at the end
    free_bits: float = 0.0  # nats a latent may use for nothing
    labels: tuple[int, ...] = ()  # train, and be scored, on images of these labels alone; empty: on all
    images: int = 0  # train on the first so many images alone; 0: on all
    binarise: bool = False  # draw black or white for every grey pixel, anew at every step
    shift: int = 0  # pixels by which a picture may be moved each way, at random
    flip: bool = False  # mirror half of the pictures
    patience: int = 0  # held-out evaluations without a better one after which training stops; 0: it never does
    evaluate_every: int = 0  # steps; 0: once an epoch
    graph: bool = True  # on CUDA, record a step once as a graph and play it again; no number depends on it

    def __post_init__(self) -> None:
        def refuse(what: str, allowed: str) -> None:
            raise InvalidInput(f"{what} is {getattr(self, what)!r}; allowed: {allowed}.")

        for what, (low, high) in WHOLE.items():
            if not low <= getattr(self, what) <= high:
                refuse(what, f"{low} to {high}")
        for what in ABOVE_ZERO:
            if not (math.isfinite(getattr(self, what)) and getattr(self, what) > 0):
                refuse(what, "a number above 0")
        for what in FROM_ZERO:
            if not (math.isfinite(getattr(self, what)) and getattr(self, what) >= 0):
                refuse(what, "a number from 0")
        if len(set(self.labels)) < len(self.labels) or not all(0 <= label <= 255 for label in self.labels):
            refuse("labels", "numbers of classes from 0 to 255, each once")
        if self.kl_share > 1:
            refuse("kl_share", "a share, above 0 and up to 1")
        for what, choices in CHOICES.items():
            if getattr(self, what) not in choices:
                refuse(what, ", ".join(choices))
