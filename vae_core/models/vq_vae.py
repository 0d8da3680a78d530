"""The VQ-VAE: pictures as small maps of code numbers (van den Oord, Vinyals and Kavukcuoglu 2017)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor, nn

from vae_core.errors import require
from vae_core.losses import gaussian_nll
from vae_core.models.quantiser import UPDATES, Quantised, Quantiser
from vae_core.models.rules import usual
from vae_core.objective import PLAIN, Context

FACTOR = 4  # by which each side of the picture is larger than the code map's


@dataclass(frozen=True)
class VQVAEConfig:
    image: tuple[int, int, int] = (1, 28, 28)  # C, H, W
    codes: int = 512  # K
    dimensions: int = 64  # of a code vector, D
    width: int = 64  # channels of the code map's resolution; half of them at the double
    blocks: int = 2  # residual blocks, in the encoder and in the decoder
    narrow: int = 32  # channels inside a residual block
    update: str = "ema"  # how the codebook learns: "ema" or "gradient"
    decay: float = 0.99  # of the moving means
    restart: float = 0.1  # share of a fair share below which a code counts as dead and is set anew; 0: never
    beta: float = 0.25  # weighs the commitment, and nothing else
    sigma: float = 0.15  # of the Gaussian likelihood

    def __post_init__(self) -> None:
        sides = self.image[1:]
        require(
            self,
            *usual(self, "codes", "dimensions", "sigma", "beta"),
            (len(self.image) == 3 and self.image[0] in (1, 3), "image", "(1 or 3, height, width)"),
            (all(4 <= side <= 256 and side % FACTOR == 0 for side in sides), "image",
             f"sides of 4 to 256 pixels, multiples of {FACTOR}"),
            (2 <= self.width <= 1024, "width", "2 to 1024 channels"),
            (0 <= self.blocks <= 32, "blocks", "0 to 32"),
            (1 <= self.narrow <= 1024, "narrow", "1 to 1024 channels"),
            (self.update in UPDATES, "update", " or ".join(UPDATES)),
            (0 <= self.decay < 1, "decay", "0 to below 1"),
            (0 <= self.restart < 1, "restart", "0 (never) to below 1"),
        )  # fmt: skip


class VQVAETerms(NamedTuple):
    """What a training step returns, averaged over the batch."""

    total: Tensor  # recon + codebook + beta * commitment; with moving means the codebook's term has no gradient
    recon: Tensor  # -log p(x | codes), nats per image
    codebook: Tensor  # squared distance of the codes to what chose them, summed over the map
    commitment: Tensor  # the same number, seen from the encoder
    perplexity: Tensor  # effective number of codes in a batch


class Bypassed(nn.Module):
    """What two convolutions change, added to what came in (He et al. 2016)."""

    def __init__(self, width: int, narrow: int) -> None:
        super().__init__()
        self.change = nn.Sequential(
            nn.ReLU(), nn.Conv2d(width, narrow, 3, padding=1), nn.ReLU(), nn.Conv2d(narrow, width, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.change(x)


def vector_encoder(channels: int, width: int, blocks: int, narrow: int, dimensions: int) -> nn.Sequential:
    """[B, channels, H, W] -> [B, dimensions, H / 4, W / 4], for pictures of any size."""
    return nn.Sequential(
        nn.Conv2d(channels, width // 2, 4, 2, 1), nn.ReLU(),
        nn.Conv2d(width // 2, width, 4, 2, 1), nn.ReLU(),
        nn.Conv2d(width, width, 3, padding=1),
        *(Bypassed(width, narrow) for _ in range(blocks)),
        nn.ReLU(), nn.Conv2d(width, dimensions, 1),
    )  # fmt: skip


def vector_decoder(dimensions: int, width: int, blocks: int, narrow: int, channels: int) -> nn.Sequential:
    """[B, dimensions, h, w] -> [B, channels, 4 h, 4 w], the mirror of `vector_encoder`."""
    return nn.Sequential(
        nn.Conv2d(dimensions, width, 3, padding=1),
        *(Bypassed(width, narrow) for _ in range(blocks)), nn.ReLU(),
        nn.ConvTranspose2d(width, width // 2, 4, 2, 1), nn.ReLU(),
        nn.ConvTranspose2d(width // 2, channels, 4, 2, 1),
    )  # fmt: skip


class VQVAE(nn.Module):
    """An encoder whose every vector is replaced by the nearest of K codes, and a decoder that sees codes alone. A prior
    over the code maps is learned afterwards, by a model of its own."""

    Config = VQVAEConfig
    title = "VQ-VAE"
    levels = 1  # of code maps
    is_generative = False  # by itself: all maps are alike to it

    def __init__(self, config: VQVAEConfig) -> None:
        super().__init__()
        self.config = config
        channels, shape = config.image[0], (config.width, config.blocks, config.narrow)
        self.encoder = vector_encoder(channels, *shape, config.dimensions)
        self.quantiser = Quantiser(config.codes, config.dimensions, config.update, config.decay, config.restart)
        self.decoder = vector_decoder(config.dimensions, *shape, channels)

    def numbers(self, x: Tensor) -> Tensor:
        """Code numbers [B, H / 4, W / 4] of pictures [B, C, H, W]."""
        return self.quantiser.nearest(self.encoder(x))

    def decode_numbers(self, numbers: Tensor) -> Tensor:
        """Pictures [B, C, 4 h, 4 w] in [0, 1] for code numbers [B, h, w]."""
        return self.decoder(self.quantiser.lookup(numbers)).float().clamp(0, 1)

    def quantised(self, x: Tensor, context: Context = PLAIN) -> Quantised:
        """What the codebook makes of the encoder's vectors for pictures [B, C, H, W]."""
        return self.quantiser(self.encoder(x), context)

    def recon_per_image(self, x: Tensor, vectors: Tensor) -> Tensor:
        """-log p(x | codes) for pictures [B, C, H, W] and code vectors [B, D, h, w]: [B], nats per image."""
        return gaussian_nll(self.decoder(vectors), x, math.log(self.config.sigma))

    def loss(self, x: Tensor, labels: Tensor | None = None, context: Context = PLAIN) -> VQVAETerms:
        """The three terms of van den Oord et al., eq. 3."""
        said = self.quantised(x, context)
        recon = self.recon_per_image(x, said.vectors).mean()
        total = recon + said.codebook + self.config.beta * said.commitment
        return VQVAETerms(total, recon, said.codebook.detach(), said.commitment.detach(), said.perplexity)
