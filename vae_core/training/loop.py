"""One loop for every model: it yields what it measures, so that a command line or a page can draw it and stop."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from vae_core.errors import InvalidInput

PRECISIONS = ("float32", "bfloat16")
KL_FALL = 0.6  # share of the training after which the KL weighs what the model's beta says


@dataclass(frozen=True)
class TrainSettings:
    """How a model is trained: Adam, linear warm-up, then a cosine down to zero."""

    epochs: int = 40
    batch: int = 256
    lr: float = 2e-3
    warmup: int = 200  # steps
    clip: float = 100.0  # largest norm of the gradient of a step; the losses are sums over pixels, so it is large
    precision: str = "bfloat16"  # of the matrix products; weights, latents and losses stay in float32
    seed: int = 0
    kl_start: float = 1.0  # the KL's weight at the first step, as a multiple of the model's beta

    def __post_init__(self) -> None:
        for what, low, high in (
            ("epochs", 1, 100_000),
            ("batch", 1, 65_536),
            ("warmup", 0, 10**7),
            ("seed", 0, 2**63 - 1),
        ):
            if not low <= getattr(self, what) <= high:
                raise InvalidInput(f"{what} is {getattr(self, what)!r}; allowed: {low} to {high}.")
        for what in ("lr", "clip", "kl_start"):
            if not (math.isfinite(getattr(self, what)) and getattr(self, what) > 0):
                raise InvalidInput(f"{what} is {getattr(self, what)!r}; allowed: a number above 0.")
        if self.precision not in PRECISIONS:
            raise InvalidInput(f"precision is {self.precision!r}; allowed: {' or '.join(PRECISIONS)}.")


class Progress(NamedTuple):
    """A logged step. The terms are means over the steps since the last one logged."""

    step: int  # steps done
    steps: int  # steps in all
    seconds: float  # since training began
    images_per_second: float
    terms: dict[str, list[float] | float]  # nats per image


class Trainable(Protocol):
    def loss(self, x: Tensor, labels: Tensor | None = None, kl_scale: float = 1.0) -> Any: ...


class Source(Protocol):
    labels: Tensor

    def __len__(self) -> int: ...

    def images(self, index: Tensor) -> Tensor: ...


def learning_rate(step: int, steps: int, settings: TrainSettings) -> float:
    """Linear from 0 over the warm-up, then a half cosine to 0 (Loshchilov and Hutter 2017, without restarts)."""
    if step < settings.warmup:
        return settings.lr * (step + 1) / settings.warmup
    share = (step - settings.warmup) / max(1, steps - settings.warmup)
    return settings.lr * 0.5 * (1 + math.cos(math.pi * share))


def kl_scale(step: int, steps: int, settings: TrainSettings) -> float:
    """What beta is multiplied with: from `kl_start` exponentially to 1 over the first KL_FALL of the steps.

    A KL that weighs much at first lets only the few strongest factors through, one latent each, and the others
    once these are in place (the idea of Burgess et al. 2018, who raise a capacity instead).
    """
    return settings.kl_start ** max(0.0, 1 - step / (KL_FALL * steps))


def train(
    model: torch.nn.Module, source: Source, settings: TrainSettings, device: torch.device, log_every: int = 50
) -> Iterator[Progress]:
    """Train a model in place on a source of images that lives on `device`; yields every `log_every` steps and at
    the end. A batch that does not fill up is left out; every epoch shuffles anew, so no image is left out for good.

    Raises InvalidInput when the batch is larger than the data, FloatingPointError when a loss is not finite.
    """
    if settings.batch > len(source):
        raise InvalidInput(f"A batch of {settings.batch} is larger than the data ({len(source)} images).")
    torch.manual_seed(settings.seed)
    order = torch.Generator().manual_seed(settings.seed)
    model.train().to(device)
    optimiser = torch.optim.Adam(model.parameters(), lr=settings.lr, fused=device.type != "mps")
    per_epoch = len(source) // settings.batch
    steps = settings.epochs * per_epoch
    labels = source.labels.to(device)
    sums: list[Tensor] = []
    began = logged = time.perf_counter()
    step = 0
    for _ in range(settings.epochs):
        shuffled = torch.randperm(len(source), generator=order).to(device)
        for batch in shuffled[: per_epoch * settings.batch].view(per_epoch, settings.batch):
            optimiser.param_groups[0]["lr"] = learning_rate(step, steps, settings)
            with torch.autocast(device.type, torch.bfloat16, enabled=settings.precision == "bfloat16"):
                scale = kl_scale(step, steps, settings)
                terms = model.loss(source.images(batch), labels[batch], scale)  # type: ignore[operator]
            optimiser.zero_grad()
            terms.total.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), settings.clip)
            optimiser.step()
            step += 1
            # Summed on the device: asking for a value here would make the host wait at every step.
            values = [term.detach() for term in terms]
            sums = [total + value for total, value in zip(sums, values, strict=True)] if sums else values
            if step % log_every == 0 or step == steps:
                count = log_every if step % log_every == 0 else step % log_every
                means: list[Any] = [(total / count).tolist() for total in sums]
                now = time.perf_counter()
                speed = count * settings.batch / (now - logged)
                logged, sums = now, []
                if not math.isfinite(means[0]):
                    raise FloatingPointError(
                        f"The loss became {means[0]} before step {step}; "
                        f"try a smaller learning rate than {settings.lr:g}."
                    )
                yield Progress(step, steps, now - began, speed, dict(zip(terms._fields, means, strict=True)))
    model.eval()
