"""The conditional variational autoencoder (Sohn, Lee and Yan 2015): encoder and decoder are told the class."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from vae_core.errors import require
from vae_core.losses import bernoulli_nll, kl_to_standard_normal
from vae_core.models.base import LossTerms, Posterior, gaussian_posterior
from vae_core.models.parts import mlp_decoder, mlp_encoder
from vae_core.models.rules import usual
from vae_core.objective import PLAIN, Context


@dataclass(frozen=True)
class ConditionalConfig:
    image: tuple[int, int, int] = (1, 28, 28)  # C, H, W
    latent: int = 2
    classes: int = 10
    hidden: tuple[int, ...] = (512, 256, 128)  # widths from the image to the latent; the decoder mirrors them
    activation: str = "gelu"
    beta: float = 1.0  # weighs the KL in the objective, never in a reported ELBO

    def __post_init__(self) -> None:
        require(
            self,
            *usual(self, "image", "latent", "classes", "hidden", "activation", "beta"),
        )


class ConditionalVAE(nn.Module):
    """A VAE of p(x | y): what the class y tells already, the code z need not say, so z is left with the style.

    The class enters both networks as a one-hot vector beside the pixels and beside the code; the prior of z is the
    same N(0, I) for every class.
    """

    Config = ConditionalConfig
    title = "conditional VAE"
    is_generative = True

    def __init__(self, config: ConditionalConfig) -> None:
        super().__init__()
        self.config = config
        row = (1, 1, math.prod(config.image) + config.classes)
        self.encoder = mlp_encoder(row, config.hidden, 2 * config.latent, config.activation)
        self.decoder = mlp_decoder(config.image, config.hidden, config.latent + config.classes, config.activation)

    def with_class(self, values: Tensor, labels: Tensor) -> Tensor:
        """Values [B, ...] as rows, with the class [B] as a one-hot vector at their end: [B, n + classes]."""
        known = one_hot(labels.to(values.device).long(), self.config.classes)
        return torch.cat([values.flatten(1), known.to(values)], dim=1)

    def encode_as(self, x: Tensor, labels: Tensor) -> Posterior:
        """q(z | x, y) for images [B, C, H, W] and their classes [B]."""
        return gaussian_posterior(self.encoder(self.with_class(x, labels)))

    def decode_as(self, z: Tensor, labels: Tensor) -> Tensor:
        """Pictures [B, C, H, W] in [0, 1] for codes [B, Z] and classes [B]: the mean of p(x | z, y)."""
        return torch.sigmoid(self.decoder(self.with_class(z, labels)).float())

    def recon_per_image(self, x: Tensor, z: Tensor, labels: Tensor) -> Tensor:
        """-log p(x | z, y) for images [B, C, H, W], codes [B, Z] and classes [B]: [B], nats per image."""
        return bernoulli_nll(self.decoder(self.with_class(z, labels)), x)

    def loss(self, x: Tensor, labels: Tensor | None = None, context: Context = PLAIN) -> LossTerms:
        """recon + beta * KL with one draw of z per image; at beta 1 minus the ELBO of log p(x | y) (eq. 4)."""
        assert labels is not None, "a conditional VAE is trained on labelled images"
        posterior = self.encode_as(x, labels)
        assert posterior.logvar is not None
        recon = self.recon_per_image(x, posterior.sample(context), labels).mean()
        kl_per_latent = kl_to_standard_normal(posterior.mean, posterior.logvar).mean(0)  # [Z]
        total = recon + self.config.beta * context.penalty(kl_per_latent)
        return LossTerms(total, recon, kl_per_latent.sum(), kl_per_latent)
