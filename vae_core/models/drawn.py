"""VAEs whose q(z | x) is no diagonal Gaussian: what they share is that each draw tells its own log-density."""

from __future__ import annotations

from abc import abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor, nn

from vae_core.losses import bernoulli_nll
from vae_core.models.base import LossTerms
from vae_core.objective import PLAIN, Context

Condition = tuple[Tensor, ...]  # what q(z | x) hangs on, each [B, ...]: the encoder's work, done once per image


class Draw(NamedTuple):
    """One draw of z per image, and what it costs."""

    z: Tensor  # [B, Z], what the decoder sees
    excess: Tensor  # [B, all latents] log q - log p, nats; its sum over latents is log q(z | x) - log p(z)


class DrawnVAE(nn.Module):
    """A Bernoulli decoder, and a posterior known by its draws. The KL to the prior is the mean of `excess`."""

    is_generative = True
    decoder: nn.Module

    @abstractmethod
    def condition(self, x: Tensor) -> Condition:
        """The encoder's answer to images [B, C, H, W]."""

    @abstractmethod
    def draw(self, condition: Condition, context: Context = PLAIN) -> Draw:
        """z from q(z | x), one for each row of the condition."""

    @abstractmethod
    def prior_codes(self, count: int, context: Context = PLAIN) -> Tensor:
        """Draws [count, Z] from the prior, as the decoder takes them."""

    def kl_per_latent(self, condition: Condition, draw: Draw) -> Tensor:
        """The KL to the prior for each latent [B, all latents], or an unbiased estimate of it."""
        return draw.excess

    def logits(self, z: Tensor) -> Tensor:
        """What the decoder says of codes [B, Z], before the sigmoid: [B, C, H, W]."""
        return self.decoder(z)

    def decode(self, z: Tensor) -> Tensor:
        """Pictures [B, C, H, W] in [0, 1] for codes [B, Z]."""
        return torch.sigmoid(self.logits(z).float())

    def recon_per_image(self, x: Tensor, z: Tensor) -> Tensor:
        """-log p(x | z) for images [B, C, H, W] and codes [B, Z]: [B], nats per image."""
        return bernoulli_nll(self.logits(z), x)

    def loss(self, x: Tensor, labels: Tensor | None = None, context: Context = PLAIN) -> LossTerms:
        """-ELBO with one draw of z per image; the context may bend the KL."""
        condition = self.condition(x)
        draw = self.draw(condition, context)
        recon = self.recon_per_image(x, draw.z).mean()
        kl_per_latent = self.kl_per_latent(condition, draw).mean(0)
        return LossTerms(recon + context.penalty(kl_per_latent), recon, kl_per_latent.sum(), kl_per_latent)
