"""A critic that is trained beside the model it judges, by one optimiser."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn


class Critic(nn.Sequential):
    """[B, D] -> logits [B, outputs], by fully connected layers of the widths given."""

    def __init__(self, inputs: int, hidden: tuple[int, ...], outputs: int = 1) -> None:
        layers: list[nn.Module] = []
        for fan_in, fan_out in pairwise((inputs, *hidden)):
            layers += [nn.Linear(fan_in, fan_out), nn.LeakyReLU(0.2)]
        super().__init__(*layers, nn.Linear((inputs, *hidden)[-1], outputs))


def frozen(module: nn.Module, x: Tensor) -> Tensor:
    """What a module answers to x, with a gradient for x and none for its weights.

    So the loss that a model plays against its critic and the critic's own loss (on a detached x) can be added and
    minimised in one step: each moves its own weights alone.
    """
    weights = {name: weight.detach() for name, weight in module.named_parameters()}
    return torch.func.functional_call(module, weights, (x,))
