"""Drawing inside the computation graph and outside of it, as PyTorch does it: `sample()` beside `rsample()`."""

from __future__ import annotations

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


def draw(way: str, mean: Tensor, sigma: Tensor) -> Tensor:
    """One draw [D] from a Gaussian: `sample` gives a plain number, `rsample` a function of mean and sigma."""
    if way not in WAYS:
        raise InvalidInput(f"There is no way of drawing {way[:60]!r}; there are: {', '.join(WAYS)}.")
    gaussian = Normal(mean, sigma)
    return gaussian.sample() if way == "sample" else gaussian.rsample()


def squared_error(x: Tensor, target: Tensor) -> Tensor:
    return ((x - target) ** 2).sum()


def backward(
    way: str, mean: tuple[float, ...], sigma: tuple[float, ...], target: tuple[float, ...], seed: int
) -> Backward:
    """Draw once and go backward. One seed gives the same x both ways, so that only the gradients differ."""
    mu, width = torch.tensor(mean, requires_grad=True), torch.tensor(sigma, requires_grad=True)
    goal = torch.tensor(target)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        x = draw(way, mu, width)
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
    useful = 0
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for _ in range(steps):
            loss = squared_error(draw(way, mu, width), goal)
            if not loss.requires_grad:
                continue
            (slope,) = torch.autograd.grad(loss, mu)
            useful += 1
            with torch.no_grad():
                mu -= rate * slope
    return Moved(mu.detach().tolist(), useful)
