"""A network layer by layer: how many numbers each layer holds, and which, for pictures that go through."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn


class Layer(NamedTuple):
    """What stands in one layer after its activation."""

    values: Tensor  # [B, units]

    @property
    def units(self) -> int:
        return self.values.shape[1]


class Anatomy(NamedTuple):
    """Pictures on their way through an autoencoder, and the weights that they meet."""

    encoder: list[Layer]  # hidden layers, the first one next to the picture
    code: Layer
    decoder: list[Layer]  # hidden layers, the first one next to the code
    rebuilt: Tensor  # [B, C, H, W] in [0, 1]
    encoder_weights: int  # numbers that training sets, biases included
    decoder_weights: int


@torch.inference_mode()
def anatomy(model: Any, x: Tensor) -> Anatomy:
    """Send pictures [B, C, H, W] through an autoencoder whose halves are plain sequences of layers. All sizes are read
    off what comes out of them."""
    *hidden, code = through(model.encoder, x)
    *outwards, _ = through(model.decoder, code.values)
    return Anatomy(hidden, code, outwards, model.decode(code.values), weights(model.encoder), weights(model.decoder))


def through(half: nn.Sequential, x: Tensor) -> list[Layer]:
    """What each layer of a half makes of x [B, ...]: a layer begins at a module with weights and ends before the next
    one, so its activation belongs to it."""
    layers: list[Tensor] = []
    for module in half:
        x = module(x)
        if any(True for _ in module.parameters()):
            layers.append(x)
        elif layers:
            layers[-1] = x
    return [Layer(values.flatten(1)) for values in layers]


def weights(half: nn.Module) -> int:
    return sum(parameter.numel() for parameter in half.parameters())
