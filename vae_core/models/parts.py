"""Encoders and decoders, built from plain layers that the browser can also run."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn

NETWORKS = ("mlp", "conv", "residual")
ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
}
KERNEL, STRIDE, PADDING = 4, 2, 1  # a convolution that exactly halves the image, its transpose doubles it
NEAR = 3  # side of the kernels that leave an image's size as it is


class LatentLinear(nn.Linear):
    """A linear layer next to the latents, in float32 even under autocast: bfloat16 keeps 8 bits, too coarse for
    a code that may be read to a hundredth of its range."""

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            return super().forward(x.float())


class ResidualBlock(nn.Module):
    """x + branch(x) for x [B, C, H, W]: two convolutions with half as many channels between them, each after its
    activation (He, Zhang, Ren and Sun 2016, "Identity mappings in deep residual networks")."""

    def __init__(self, channels: int, activation: str) -> None:
        super().__init__()
        between = max(1, channels // 2)
        self.branch = nn.Sequential(
            ACTIVATIONS[activation](),
            nn.Conv2d(channels, between, NEAR, padding=NEAR // 2),
            ACTIVATIONS[activation](),
            nn.Conv2d(between, channels, NEAR, padding=NEAR // 2),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.branch(x)


def _mlp(widths: tuple[int, ...], activation: str) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise(widths):
        layers += [nn.Linear(fan_in, fan_out), ACTIVATIONS[activation]()]
    return layers


def mlp_encoder(image: tuple[int, int, int], hidden: tuple[int, ...], outputs: int, activation: str) -> nn.Sequential:
    """[B, C, H, W] -> [B, outputs] through hidden widths, from the image inwards."""
    pixels = image[0] * image[1] * image[2]
    return nn.Sequential(nn.Flatten(), *_mlp((pixels, *hidden), activation), LatentLinear(hidden[-1], outputs))


def mlp_decoder(image: tuple[int, int, int], hidden: tuple[int, ...], latent: int, activation: str) -> nn.Sequential:
    """[B, Z] -> logits [B, C, H, W], the mirror of `mlp_encoder`."""
    pixels = image[0] * image[1] * image[2]
    outwards = hidden[::-1]
    return nn.Sequential(
        LatentLinear(latent, outwards[0]),
        ACTIVATIONS[activation](),
        *_mlp(outwards, activation),
        nn.Linear(outwards[-1], pixels),
        nn.Unflatten(1, image),
    )


def conv_encoder(
    image: tuple[int, int, int],
    channels: tuple[int, ...],
    hidden: tuple[int, ...],
    outputs: int,
    activation: str,
    residual: bool = False,
) -> nn.Sequential:
    """[B, C, H, W] -> [B, outputs]: convolutions that halve the image, then the hidden widths. A residual one has a
    block after each of them."""
    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise((image[0], *channels)):
        layers.append(nn.Conv2d(fan_in, fan_out, KERNEL, STRIDE, PADDING))
        layers += [ResidualBlock(fan_out, activation)] if residual else []
        layers.append(ACTIVATIONS[activation]())
    flat = channels[-1] * (image[1] >> len(channels)) * (image[2] >> len(channels))
    widths = (flat, *hidden)
    return nn.Sequential(*layers, nn.Flatten(), *_mlp(widths, activation), LatentLinear(hidden[-1], outputs))


def conv_decoder(
    image: tuple[int, int, int],
    channels: tuple[int, ...],
    hidden: tuple[int, ...],
    latent: int,
    activation: str,
    residual: bool = False,
) -> nn.Sequential:
    """[B, Z] -> logits [B, C, H, W], the mirror of `conv_encoder`: a residual one has a block before each convolution
    that doubles the image."""
    smallest = (channels[-1], image[1] >> len(channels), image[2] >> len(channels))
    flat = smallest[0] * smallest[1] * smallest[2]
    outwards = hidden[::-1]
    layers: list[nn.Module] = [
        LatentLinear(latent, outwards[0]),
        ACTIVATIONS[activation](),
        *_mlp((*outwards, flat), activation),
        nn.Unflatten(1, smallest),
    ]
    for fan_in, fan_out in pairwise((*channels[::-1], image[0])):
        layers += [ResidualBlock(fan_in, activation), ACTIVATIONS[activation]()] if residual else []
        layers.append(nn.ConvTranspose2d(fan_in, fan_out, KERNEL, STRIDE, PADDING))
        layers += [] if residual else [ACTIVATIONS[activation]()]
    return nn.Sequential(*(layers if residual else layers[:-1]))  # the last transposed convolution gives logits
