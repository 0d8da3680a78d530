"""A VAE whose decoder also sees the pixels before the one that it draws: strong enough to do without a code (Bowman et
al. 2016 and Chen et al. 2017 name the collapse that follows)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad

from vae_core.errors import require
from vae_core.losses import bernoulli_nll, kl_to_standard_normal
from vae_core.models.base import LossTerms, Posterior, gaussian_posterior
from vae_core.models.parts import ACTIVATIONS, LatentLinear, mlp_encoder
from vae_core.models.rules import usual
from vae_core.objective import PLAIN, Context


@dataclass(frozen=True)
class AutoregressiveConfig:
    image: tuple[int, int, int] = (1, 28, 28)  # C, H, W
    latent: int = 10
    hidden: tuple[int, ...] = (256,)  # widths of the encoder
    units: int = 32  # of the decoder, at each pixel
    window: int = 9  # side of the square around a pixel whose earlier part the decoder sees
    activation: str = "relu"
    beta: float = 1.0  # weighs the KL in the objective, never in a reported ELBO

    def __post_init__(self) -> None:
        require(
            self,
            *usual(self, "image", "latent", "hidden", "activation", "beta"),
            (1 <= self.units <= 256, "units", "1 to 256"),
            (3 <= self.window <= 31 and self.window % 2 == 1, "window", "an odd number from 3 to 31"),
        )


class AutoregressiveVAE(nn.Module):
    """p(x | z) is a product over pixels in reading order, each given z and the pixels before it within a window: a
    masked convolution (van den Oord et al. 2016, PixelCNN), then two layers at each pixel. The code tells every pixel
    the same; one of no use costs nothing, for the pixels before tell most of the next."""

    Config = AutoregressiveConfig
    title = "VAE with an autoregressive decoder"
    is_generative = True

    def __init__(self, config: AutoregressiveConfig) -> None:
        super().__init__()
        self.config = config
        channels, height, width = config.image
        self.encoder = mlp_encoder(config.image, config.hidden, 2 * config.latent, config.activation)
        self.told = LatentLinear(config.latent, config.units)
        self.place = nn.Parameter(torch.zeros(config.units, height, width))
        self.seen = nn.Conv2d(channels, config.units, config.window, bias=False)
        self.says = nn.Sequential(
            ACTIVATIONS[config.activation](), nn.Conv2d(config.units, config.units, 1),
            ACTIVATIONS[config.activation](), nn.Conv2d(config.units, channels, 1),
        )  # fmt: skip

    def encode(self, x: Tensor) -> Posterior:
        """q(z | x) for images [B, C, H, W]."""
        return gaussian_posterior(self.encoder(x))

    def logits(self, x: Tensor, z: Tensor) -> Tensor:
        """Logits [B, C, H, W] of each pixel, given codes [B, Z] and the pixels before it in images [B, C, H, W]."""
        seen = conv2d(x, self.seen.weight * self._before(), padding=self.config.window // 2)
        return self.says(seen + self._known(z))

    def _before(self) -> Tensor:
        """1 where a pixel of the window comes before its middle: [window, window]."""
        side = self.config.window
        number = torch.arange(side**2, device=self.seen.weight.device).view(side, side)
        return (number < side**2 // 2).to(self.seen.weight.dtype)

    def _known(self, z: Tensor) -> Tensor:
        """What each pixel's units know without any other pixel: the code and the place, [B, units, H, W]."""
        return self.told(z)[:, :, None, None] + self.place

    def recon_per_image(self, x: Tensor, z: Tensor) -> Tensor:
        """-log p(x | z) for images [B, C, H, W] and codes [B, Z]: [B], nats per image."""
        return bernoulli_nll(self.logits(x, z), x)

    @torch.no_grad()
    def draw(self, z: Tensor, dice: Tensor) -> Tensor:
        """Black and white pictures [B, C, H, W] for codes [B, Z], drawn pixel by pixel: one is white where its number
        among the dice, [C, H, W] or [B, C, H, W] in [0, 1), is below its probability. With the same dice two pictures
        differ by what their codes say, and by nothing else."""
        _, height, width = self.config.image
        side, reach = self.config.window, self.config.window // 2
        known, dice = self._known(z).float(), dice.expand(len(z), *self.config.image)
        earlier = side**2 // 2  # of the pixels in a window, those before its middle
        weights = self.seen.weight.flatten(2)[:, :, :earlier].flatten(1)  # [units, C earlier]
        x = pad(torch.zeros(len(z), *self.config.image), (reach, reach, reach, 0)).to(z.device)
        for row in range(height):
            for column in range(width):
                patch = x[:, :, row : row + reach + 1, column : column + side].flatten(2)[:, :, :earlier]
                units = patch.flatten(1) @ weights.T + known[:, :, row, column]
                chance = torch.sigmoid(self.says(units[:, :, None, None])[:, :, 0, 0])
                x[:, :, row + reach, column + reach] = (dice[:, :, row, column] < chance).float()
        return x[:, :, reach:, reach:-reach]

    def loss(self, x: Tensor, labels: Tensor | None = None, context: Context = PLAIN) -> LossTerms:
        """recon + beta * KL, with one draw of z per image; the context may bend the KL."""
        posterior = self.encode(x)
        assert posterior.logvar is not None
        recon = self.recon_per_image(x, posterior.sample(context)).mean()
        kl_per_latent = kl_to_standard_normal(posterior.mean, posterior.logvar).mean(0)  # [Z]
        total = recon + self.config.beta * context.penalty(kl_per_latent)
        return LossTerms(total, recon, kl_per_latent.sum(), kl_per_latent)
