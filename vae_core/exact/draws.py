"""Drawing inside the computation graph and outside of it, as PyTorch does it: `sample()` beside `rsample()`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.distributions import Normal

from vae_core.errors import InvalidInput

WAYS = ("sample", "rsample")


class Backward(NamedTuple):
    """What PyTorch's autograd finds for L = ||x - t||^2 after one draw x ~ N(mean, diag(sigma^2)); [D] each."""

    noise: Tensor
    x: Tensor
    loss: float
    at_x: Tensor  # dL/dx
    at_mean: Tensor | None  # None: nothing arrived
    at_sigma: Tensor | None
    complaint: str | None  # what PyTorch says when it is simply asked for the gradient


class Seeded(Normal):
    """PyTorch's Gaussian, with noise from a generator of its own instead of the one that all threads share. As
    there, `sample` is `rsample` without a gradient."""

    def __init__(self, mean: Tensor, sigma: Tensor, generator: torch.Generator) -> None:
        super().__init__(mean, sigma)
        self.generator = generator

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        noise = torch.randn(*sample_shape, *self.loc.shape, generator=self.generator)
        return self.loc + noise * self.scale

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        with torch.no_grad():
            return self.rsample(sample_shape)


def draw(way: str, mean: Tensor, sigma: Tensor, generator: torch.Generator) -> Tensor:
    """One draw [D] from a Gaussian: `sample` gives a plain number, `rsample` a function of mean and sigma."""
    if way not in WAYS:
        raise InvalidInput(f"There is no way of drawing {way[:60]!r}; there are: {', '.join(WAYS)}.")
    gaussian = Seeded(mean, sigma, generator)
    return gaussian.sample() if way == "sample" else gaussian.rsample()


def squared_error(x: Tensor, target: Tensor) -> Tensor:
    return ((x - target) ** 2).sum()


def backward(
    way: str, mean: tuple[float, ...], sigma: tuple[float, ...], target: tuple[float, ...], seed: int
) -> Backward:
    """Draw once and go backward. One seed gives the same x both ways, so that only the gradients differ."""
    mu, width = torch.tensor(mean, requires_grad=True), torch.tensor(sigma, requires_grad=True)
    goal = torch.tensor(target)
    x = draw(way, mu, width, torch.Generator().manual_seed(seed))
    complaint = None
    if x.requires_grad:
        x.retain_grad()
    else:
        try:
            squared_error(x, goal).backward()
        except RuntimeError as error:
            complaint = str(error)
        x.requires_grad_()  # so that at least the gradient at x itself can be shown
    loss = squared_error(x, goal)
    loss.backward()
    assert x.grad is not None
    noise = ((x - mu) / width).detach()
    return Backward(noise, x.detach(), loss.item(), x.grad, mu.grad, width.grad, complaint)


class Moved(NamedTuple):
    """Where a mean stands after a training, and how many of its steps a gradient came in."""

    mean: list[float]
    useful_steps: int


def descend(
    way: str, mean: tuple[float, ...], sigma: float, target: tuple[float, ...], steps: int, rate: float, seed: int
) -> Moved:
    """Plain gradient descent on a mean by autograd, one draw a step. A step without a gradient moves nothing."""
    mu, width, goal = torch.tensor(mean, requires_grad=True), torch.full((len(mean),), sigma), torch.tensor(target)
    useful, generator = 0, torch.Generator().manual_seed(seed)
    for _ in range(steps):
        loss = squared_error(draw(way, mu, width, generator), goal)
        if not loss.requires_grad:
            continue
        (slope,) = torch.autograd.grad(loss, mu)
        useful += 1
        with torch.no_grad():
            mu -= rate * slope
    return Moved(mu.detach().tolist(), useful)
