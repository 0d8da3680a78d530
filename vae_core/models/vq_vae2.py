"""The VQ-VAE-2: a small map of codes on top, a larger one below that adds what the top left out (Razavi, van den Oord
and Vinyals 2019)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from vae_core.errors import require
from vae_core.losses import gaussian_nll
from vae_core.models.quantiser import Quantised, Quantiser
from vae_core.models.vq_vae import FACTOR, Bypassed, VQVAEConfig, vector_decoder, vector_encoder
from vae_core.objective import PLAIN, Context


@dataclass(frozen=True)
class VQVAE2Config(VQVAEConfig):
    """As for one level; both have a codebook of the same size."""

    blank: float = 0.25  # share of the images in a step whose bottom map the decoder does not see

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, (0 <= self.blank <= 1, "blank", "0 to 1"))


class VQVAE2Terms(NamedTuple):
    """What a training step returns, averaged over the batch."""

    total: Tensor  # recon + codebook + beta * commitment
    recon: Tensor  # -log p(x | codes), nats per image; in training a share of the images is told the top alone
    codebook: Tensor  # squared distance of the codes to what chose them, summed over both maps
    commitment: Tensor  # the same number, seen from the encoder
    perplexity_top: Tensor  # effective number of codes in a batch
    perplexity_bottom: Tensor


class Levels(NamedTuple):
    """Code numbers of both maps. h is H / 8, rounded up."""

    top: Tensor  # [B, h, w] int64
    bottom: Tensor  # [B, H / 4, W / 4] int64


class VQVAE2(nn.Module):
    """The top map is chosen from the bottom's features; the bottom map from these beside the decoded top, so that it
    need not say again what the top has said. The decoder sees both.

    In training a random share of the images is decoded with a learned blank vector in all cells of the bottom map (not
    in the paper). So the decoder knows what to make of the top alone, and the top is made to tell something.
    """

    Config = VQVAE2Config
    title = "VQ-VAE-2"
    levels = 2  # of code maps
    is_generative = False  # by itself: all maps are alike to it

    def __init__(self, config: VQVAE2Config) -> None:
        super().__init__()
        self.config = config
        channels, width, vector = config.image[0], config.width, config.dimensions
        shape = (width, config.blocks, config.narrow)
        self.encoder = vector_encoder(channels, *shape, width)
        self.halve = nn.Sequential(
            nn.ReLU(), nn.Conv2d(width, width, 3, 2, 1),
            *(Bypassed(width, config.narrow) for _ in range(config.blocks)),
            nn.ReLU(), nn.Conv2d(width, vector, 1),
        )  # fmt: skip
        self.top = self._book()
        self.unfold = nn.Sequential(
            nn.Conv2d(vector, width, 3, padding=1),
            *(Bypassed(width, config.narrow) for _ in range(config.blocks)),
            nn.ReLU(), nn.ConvTranspose2d(width, vector, 4, 2, 1),
        )  # fmt: skip
        self.beside = nn.Conv2d(width + vector, vector, 1)
        self.bottom = self._book()
        self.blank = nn.Parameter(torch.zeros(vector))
        self.decoder = vector_decoder(2 * vector, *shape, channels)

    def _book(self) -> Quantiser:
        config = self.config
        return Quantiser(config.codes, config.dimensions, config.update, config.decay, config.restart)

    def quantised(self, x: Tensor, context: Context = PLAIN) -> tuple[Quantised, Quantised, Tensor]:
        """What both codebooks make of pictures [B, C, H, W], top first, and the decoded top [B, D, H / 4, W / 4]."""
        features = self.encoder(x)
        top = self.top(self.halve(features), context)
        unfolded = self._unfolded(top.vectors, features.shape[-2:])
        return top, self.bottom(self.beside(torch.cat([features, unfolded], 1)), context), unfolded

    def numbers(self, x: Tensor) -> Levels:
        """Code numbers of pictures [B, C, H, W]."""
        features = self.encoder(x)
        top = self.top.nearest(self.halve(features))
        unfolded = self._unfolded(self.top.lookup(top), features.shape[-2:])
        return Levels(top, self.bottom.nearest(self.beside(torch.cat([features, unfolded], 1))))

    def decode_levels(self, top: Tensor, bottom: Tensor | None = None) -> Tensor:
        """Pictures [B, C, H, W] in [0, 1] for code numbers [B, h, w] and [B, H / 4, W / 4]; without the bottom, from
        the top alone."""
        _, height, width = self.config.image
        unfolded = self._unfolded(self.top.lookup(top), (height // FACTOR, width // FACTOR))
        vectors = self.blank[:, None, None].expand_as(unfolded) if bottom is None else self.bottom.lookup(bottom)
        return self._decoded(unfolded, vectors).float().clamp(0, 1)

    def recon_per_image(self, x: Tensor, unfolded: Tensor, vectors: Tensor) -> Tensor:
        """-log p(x | codes) for pictures [B, C, H, W], the decoded top and the bottom's vectors [B, D, H / 4, W / 4]:
        [B], nats per image."""
        return gaussian_nll(self._decoded(unfolded, vectors), x, math.log(self.config.sigma))

    def without(self, vectors: Tensor, left_out: Tensor) -> Tensor:
        """The bottom's vectors [B, D, h, w], those of the images that are left out [B] replaced by the blank."""
        return torch.where(left_out[:, None, None, None], self.blank[:, None, None].to(vectors), vectors)

    def loss(self, x: Tensor, labels: Tensor | None = None, context: Context = PLAIN) -> VQVAE2Terms:
        """The terms of one level (van den Oord et al. 2017, eq. 3), added up over both."""
        top, bottom, unfolded = self.quantised(x, context)
        vectors = bottom.vectors
        if self.training:  # with a share of 0, too: every parameter gets a gradient
            vectors = self.without(vectors, context.uniform((len(x),), x) < self.config.blank)
        recon = self.recon_per_image(x, unfolded, vectors).mean()
        codebook, commitment = top.codebook + bottom.codebook, top.commitment + bottom.commitment
        total = recon + codebook + self.config.beta * commitment
        return VQVAE2Terms(total, recon, codebook.detach(), commitment.detach(), top.perplexity, bottom.perplexity)

    def _unfolded(self, vectors: Tensor, sides: tuple[int, ...] | torch.Size) -> Tensor:
        """The top's vectors [B, D, h, w] decoded to the bottom's resolution: [B, D, *sides]."""
        return self.unfold(vectors)[..., : sides[0], : sides[1]]

    def _decoded(self, unfolded: Tensor, vectors: Tensor) -> Tensor:
        return self.decoder(torch.cat([unfolded, vectors.to(unfolded)], 1))
