"""Super-resolution: a convolutional encoder-decoder that is shown a small picture and asked for the large one.

Residual blocks at the low resolution (Lim et al. 2017, EDSR) and a sub-pixel convolution at the end (Shi et al. 2016,
ESPCN); what the network adds stands on top of a bicubic enlargement (Kim, Lee and Lee 2016, VDSR).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from vae_core.errors import require
from vae_core.imaging.resampling import SHARP_BICUBIC, enlarged, reduced, resized
from vae_core.models.restoring import RestoringModel

FACTORS = (2, 3, 4)
START = 1e-3  # of the weights that make pixels: training begins next to bicubic interpolation


@dataclass(frozen=True)
class SuperResolutionConfig:
    image: tuple[int, int, int] = (3, 32, 32)  # C, H, W of the large pictures
    factor: int = 2  # by which each side of what it is shown is smaller
    width: int = 48  # channels of every small pixel
    blocks: int = 4

    def __post_init__(self) -> None:
        sides = self.image[1:]
        require(
            self,
            (len(self.image) == 3 and self.image[0] in (1, 3), "image", "(1 or 3, height, width)"),
            (all(4 <= side <= 256 for side in sides), "image", "sides of 4 to 256 pixels"),
            (self.factor in FACTORS, "factor", ", ".join(map(str, FACTORS))),
            (self.factor in FACTORS and all(side % self.factor == 0 for side in sides), "factor",
             f"one that divides both sides of {sides}"),
            (1 <= self.width <= 512, "width", "1 to 512 channels"),
            (1 <= self.blocks <= 64, "blocks", "1 to 64"),
        )  # fmt: skip


class Residual(nn.Module):
    """Two convolutions whose result is added to what came in (He et al. 2016), without normalisation."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.change = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1), nn.ReLU(), nn.Conv2d(channels, channels, 3, padding=1)
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.change(x)


class SuperResolution(RestoringModel):
    """The encoder finds features of the small picture, as many channels at every small pixel; the decoder turns them
    into factor x factor pixels each. Nothing is squeezed: what a bottleneck does elsewhere was done to the picture
    before, when it was made small. It takes pictures of any size.
    """

    Config = SuperResolutionConfig
    title = "super-resolution"
    config: SuperResolutionConfig

    def __init__(self, config: SuperResolutionConfig) -> None:
        super().__init__()
        self.config = config
        colours, width = config.image[0], config.width
        self.encoder = nn.Sequential(
            nn.Conv2d(colours, width, 3, padding=1), *(Residual(width) for _ in range(config.blocks))
        )
        last = nn.Conv2d(width, colours * config.factor**2, 3, padding=1)
        nn.init.normal_(last.weight, std=START)
        nn.init.zeros_(last.bias)  # type: ignore[arg-type]
        self.decoder = nn.Sequential(last, nn.PixelShuffle(config.factor))

    def degraded(self, x: Tensor) -> Tensor:
        """Small pictures [B, C, H / factor, W / factor] of 8 bits: each pixel the mean of those that it covers."""
        return reduced(x, self.config.factor)

    def baseline(self, shown: Tensor) -> Tensor:
        """Bicubic interpolation of small pictures: [B, C, H, W] in [0, 1]."""
        return enlarged(shown, self.config.factor, SHARP_BICUBIC)

    def mean(self, shown: Tensor) -> Tensor:
        """Large pictures [B, C, H, W] for small ones, not yet cut off at [0, 1]."""
        height, width = (side * self.config.factor for side in shown.shape[-2:])
        features = self.encoder(shown.contiguous(memory_format=torch.channels_last))  # faster so on a CPU
        return resized(shown, height, width, SHARP_BICUBIC) + self.decoder(features).float()
