"""Training on all of the data at once, for models or data so small that a step of it is cheap. It yields after a few
steps, so that a page can draw how far it is, and stop."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

HISTORY = 30  # steps from which L-BFGS guesses the curvature
RISE = 0.1  # of `glide`: the share of the steps in which the pace rises


class Descent(NamedTuple):
    """Where a training stands."""

    step: int
    loss: float


def curve_down(
    model: nn.Module, loss: Callable[[], Tensor], steps: int, every: int = 20, tolerance: float = 0.0
) -> Iterator[Descent]:
    """Follow the gradient of a loss without noise by L-BFGS (Liu and Nocedal 1989), which learns the curvature from the
    gradients before. Yields every `every` steps; ends early where these have lowered the loss by less than the share
    `tolerance`."""
    optimiser = torch.optim.LBFGS(
        model.parameters(), max_iter=every, max_eval=2 * every, history_size=HISTORY, line_search_fn="strong_wolfe",
        tolerance_grad=0, tolerance_change=0,
    )  # fmt: skip

    def evaluate() -> Tensor:
        optimiser.zero_grad()
        value = loss()
        value.backward()
        return value

    before = math.inf
    for step in range(every, steps + 1, every):
        optimiser.step(evaluate)
        with torch.no_grad():
            now = float(loss())
        yield Descent(step, now)
        if before - now <= tolerance * now:
            return
        before = now


def glide(model: nn.Module, loss: Callable[[], Tensor], steps: int, pace: float, every: int = 20) -> Iterator[Descent]:
    """Follow the gradient of a loss by Adam, whose pace rises to `pace` and glides down to 0 along half a cosine.
    Yields every `every` steps and with the last."""
    optimiser = torch.optim.Adam(model.parameters(), lr=pace)
    for step in range(1, steps + 1):
        share = step / steps
        for group in optimiser.param_groups:
            group["lr"] = pace * min(share / RISE, 0.5 + 0.5 * math.cos(math.pi * share))
        optimiser.zero_grad()
        value = loss()
        value.backward()
        optimiser.step()
        if step % every == 0 or step == steps:
            yield Descent(step, value.item())
