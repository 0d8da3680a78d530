"""Two networks that give a grey picture its colours. One minimises the squared error, so it answers with the mean of
all colours that there could be; the other, a conditional VAE (Sohn, Lee and Yan 2015), has one answer for each draw.

Both work in CIE L*a*b*, after Zhang, Isola and Efros (2016): L is the grey picture, a and b are what is asked for.
The networks see 2 x 2 pixels as one with four times the channels, and give them back in the same way (Shi et al. 2016):
the finest maps have a quarter of the places, and cost a quarter of the time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, pixel_shuffle, pixel_unshuffle

from vae_core.errors import require
from vae_core.imaging.colour import lab_to_srgb, srgb_to_lab
from vae_core.losses import gaussian_nll, kl_to_standard_normal
from vae_core.models.base import LossTerms, Posterior, gaussian_posterior
from vae_core.models.parts import ACTIVATIONS, LatentLinear
from vae_core.models.restoring import RestoringModel
from vae_core.models.rules import usual
from vae_core.objective import PLAIN, Context

UNIT = 100.0  # the networks see and give L, a and b in hundreds
FOLD = 2  # pixels, along each side, that become channels


@dataclass(frozen=True)
class ColouriserConfig:
    image: tuple[int, int, int] = (3, 32, 32)  # C, H, W
    channels: tuple[int, ...] = (32, 64, 96)  # from the finest maps, of half the sides, each again of half of these
    activation: str = "silu"
    sigma: float = 0.1  # of the Gaussian likelihood of a and b, in hundreds: where learning starts

    def __post_init__(self) -> None:
        factor = 2 ** len(self.channels)
        require(
            self,
            *usual(self, "channels", "activation", "sigma"),
            (len(self.image) == 3 and self.image[0] == 3, "image", "(3, height, width)"),
            (all(4 <= side <= 256 for side in self.image[1:]), "image", "sides of 4 to 256 pixels"),
            (all(side % factor == 0 for side in self.image[1:]), "channels", "so few that the image can be halved"),
        )


@dataclass(frozen=True)
class VariationalColouriserConfig(ColouriserConfig):
    latents: int = 8  # numbers that say what the grey picture does not
    beta: float = 1.0  # weighs the KL in the objective, never in a reported ELBO

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            self,
            *usual(self, "beta"),
            (1 <= self.latents <= 1024, "latents", "1 to 1024 dimensions"),
        )


class ColouriserTerms(NamedTuple):
    """What a training step returns, averaged over the batch, in nats per image."""

    total: Tensor
    recon: Tensor  # -log p(a, b | L), for a and b in hundreds


class Colouriser(RestoringModel):
    """A U-Net (Ronneberger, Fischer and Brox 2015) from L to a and b. With the one Gaussian around its answer the
    likeliest answer is the one of least squared error."""

    Config = ColouriserConfig
    title = "colouriser"
    is_generative = False
    needs_colour = True
    config: ColouriserConfig

    def __init__(self, config: ColouriserConfig) -> None:
        super().__init__()
        self.config = config
        act, levels = config.activation, tuple(pairwise(config.channels))
        self.inwards = nn.ModuleList([_block(FOLD**2, config.channels[0], act)])
        self.inwards.extend(_block(fine, coarse, act, stride=2) for fine, coarse in levels)
        self.middle = _block(config.channels[-1], config.channels[-1], act, once=True)
        self.outwards = nn.ModuleList(_block(coarse + fine, fine, act) for fine, coarse in reversed(levels))
        self.last = nn.Conv2d(config.channels[0], 2 * FOLD**2, 3, padding=1)
        self.log_sigma = nn.Parameter(torch.tensor(math.log(config.sigma)))

    def degraded(self, x: Tensor) -> Tensor:
        """The lightness of pictures [B, 3, H, W]: L / 100, [B, 1, H, W]."""
        return srgb_to_lab(x)[:, :1] / UNIT

    def baseline(self, shown: Tensor) -> Tensor:
        """The grey pictures [B, 3, H, W] themselves: a = b = 0."""
        return coloured(shown, shown.new_zeros(len(shown), 2, *shown.shape[2:]))

    def colours(self, shown: Tensor) -> Tensor:
        """a and b in hundreds, [B, 2, H, W], for L / 100 [B, 1, H, W]."""
        return self._painted(self._maps(shown))

    def mean(self, shown: Tensor) -> Tensor:
        """Pictures [B, 3, H, W] of the lightness that was shown, with the network's colours."""
        return coloured(shown, self.colours(shown))

    def loss(self, x: Tensor, labels: Tensor | None = None, context: Context = PLAIN) -> ColouriserTerms | LossTerms:
        shown, truth = (srgb_to_lab(x) / UNIT).split([1, 2], dim=1)
        recon = gaussian_nll(self.colours(shown), truth, self.log_sigma).mean()
        return ColouriserTerms(recon, recon)

    def _maps(self, shown: Tensor) -> list[Tensor]:
        """What the inward half makes of L / 100 [B, 1, H, W], the finest maps first."""
        h, maps = pixel_unshuffle(shown, FOLD), []
        for block in self.inwards:
            h = block(h)
            maps.append(h)
        return maps

    def _painted(self, maps: list[Tensor], hint: Tensor | None = None) -> Tensor:
        """a and b in hundreds [B, 2, H, W], by the outward half; a hint is added to the coarsest maps."""
        h = self.middle(maps[-1] if hint is None else maps[-1] + hint)
        for block, same in zip(self.outwards, maps[-2::-1], strict=True):
            h = block(torch.cat([interpolate(h, scale_factor=2.0), same], dim=1))
        return pixel_shuffle(self.last(h), FOLD).float()


class VariationalColouriser(Colouriser):
    """p(a, b | L, z) with z from N(0, I), whatever L is: what z says is what the grey picture leaves open. In training
    an encoder that sees the colours proposes z, and pays KL for it."""

    Config = VariationalColouriserConfig
    title = "variational colouriser"
    is_generative = True
    config: VariationalColouriserConfig

    def __init__(self, config: VariationalColouriserConfig) -> None:
        super().__init__(config)
        act, widths = config.activation, config.channels
        maps = [_block(3 * FOLD**2, widths[0], act, once=True)]
        maps += [_block(fine, coarse, act, stride=2, once=True) for fine, coarse in pairwise(widths)]
        height, width = (side >> len(widths) for side in config.image[1:])
        flat = widths[-1] * height * width
        self.encoder = nn.Sequential(*maps, nn.Flatten(), LatentLinear(flat, 2 * config.latents))
        # z is the same everywhere: where which colour goes, the decoder has to see in the grey picture.
        self.hint = nn.Sequential(LatentLinear(config.latents, widths[-1]), nn.Unflatten(1, (widths[-1], 1, 1)))

    def posterior(self, x: Tensor) -> Posterior:
        """q(z | L, a, b) for pictures [B, 3, H, W] in colour."""
        return self._proposed(srgb_to_lab(x) / UNIT)

    def _proposed(self, lab: Tensor) -> Posterior:
        return gaussian_posterior(self.encoder(pixel_unshuffle(lab, FOLD)))

    def colours(self, shown: Tensor, z: Tensor | None = None) -> Tensor:
        """a and b in hundreds, [B, 2, H, W], for L / 100 [B, 1, H, W] and z [B, Z]; without z, for the prior's mean."""
        z = shown.new_zeros(len(shown), self.config.latents) if z is None else z
        return self._painted(self._maps(shown), self.hint(z))

    def drawn(self, shown: Tensor, z: Tensor) -> Tensor:
        """Pictures [B, N, 3, H, W] for L / 100 [B, 1, H, W] and z [B, N, Z]: another colouring for every z."""
        maps = [each.repeat_interleave(z.shape[1], dim=0) for each in self._maps(shown)]
        colours = self._painted(maps, self.hint(z.flatten(0, 1)))
        return coloured(shown.repeat_interleave(z.shape[1], dim=0), colours).unflatten(0, z.shape[:2])

    def loss(self, x: Tensor, labels: Tensor | None = None, context: Context = PLAIN) -> LossTerms:
        """recon + beta * KL, a bound of -log p(a, b | L), with one draw of z per image."""
        lab = srgb_to_lab(x) / UNIT
        shown, truth = lab.split([1, 2], dim=1)
        posterior = self._proposed(lab)
        assert posterior.logvar is not None
        recon = gaussian_nll(self.colours(shown, posterior.sample(context)), truth, self.log_sigma).mean()
        kl_per_latent = kl_to_standard_normal(posterior.mean, posterior.logvar).mean(0)  # [Z]
        total = recon + self.config.beta * context.penalty(kl_per_latent)
        return LossTerms(total, recon, kl_per_latent.sum(), kl_per_latent)


def coloured(shown: Tensor, colours: Tensor) -> Tensor:
    """Pictures [B, 3, H, W] in [0, 1] of L / 100 [B, 1, H, W] with a and b in hundreds [B, 2, H, W]."""
    return lab_to_srgb(UNIT * torch.cat([shown, colours.to(shown)], dim=1))


def _block(fan_in: int, fan_out: int, activation: str, stride: int = 1, once: bool = False) -> nn.Sequential:
    """One or two convolutions [B, C, H, W] -> [B, fan_out, H / stride, W / stride]."""
    act = ACTIVATIONS[activation]
    layers: list[nn.Module] = [nn.Conv2d(fan_in, fan_out, 3, stride, padding=1), act()]
    return nn.Sequential(*layers, *([] if once else [nn.Conv2d(fan_out, fan_out, 3, padding=1), act()]))
