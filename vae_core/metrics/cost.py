"""What a model costs: weights, multiplications, and the memory that a training step needs; counted, not estimated."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

NUMBER = 4  # bytes, float32
COPIES = 4  # of every weight in a training with Adam: itself, its gradient, two moments


class Cost(NamedTuple):
    """All of it is known before a training begins, on any machine."""

    parameters: int
    multiplications: int  # to encode and decode one image once; a training step takes about three times as many
    memory: int  # bytes of a training step: all weights four times, and what the backward pass has to keep


def cost(model: Any, batch: int, data: Tensor | None = None) -> Cost:
    """What a latent variable model costs with batches of so many images [B, C, H, W] (`data`, or else random ones). Its
    weights must want gradients: a frozen model keeps nothing."""
    x = torch.rand(batch, *model.config.image) if data is None else data[:batch]
    parameters = sum(parameter.numel() for parameter in model.parameters())
    kept = kept_bytes(model, x)
    memory = COPIES * NUMBER * parameters + kept
    return Cost(parameters, multiplications(model, x[:1]), memory)


def multiplications(model: Any, x: Tensor) -> int:
    """Multiplications of weights with inputs while images [B, C, H, W] are encoded and decoded once; biases,
    activations and the loss are left out."""
    found: list[int] = []

    def count(layer: nn.Module, taken: tuple[Tensor, ...], made: Tensor) -> None:
        found.append(products(layer, taken[0], made))

    layers = [layer for layer in model.modules() if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d)]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    try:
        with torch.no_grad():
            model.decoder(model.encode(x).mean)
    finally:
        for hook in hooks:
            hook.remove()
    return sum(found)


def products(layer: nn.Module, taken: Tensor, made: Tensor) -> int:
    """Multiplications of one layer between its input and its output."""
    if isinstance(layer, nn.Linear):
        return made.numel() * layer.in_features
    if isinstance(layer, nn.ConvTranspose2d):  # every input number meets each weight of its channel
        return taken.numel() * layer.out_channels // layer.groups * math.prod(layer.kernel_size)
    assert isinstance(layer, nn.Conv2d)
    return made.numel() * layer.in_channels // layer.groups * math.prod(layer.kernel_size)


def kept_bytes(model: Any, x: Tensor) -> int:
    """Bytes that the forward pass of the loss on images [B, C, H, W] keeps for the backward pass, weights left out."""
    weights = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    kept: dict[int, tuple[int, Tensor]] = {}  # the tensors are held, so that no address is used twice

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = (storage.nbytes(), tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        model.loss(x)
    return sum(size for size, _ in kept.values())
