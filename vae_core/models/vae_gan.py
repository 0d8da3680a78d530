"""The VAE-GAN (Larsen, Sonderby, Larochelle and Winther 2016): a picture counts as well copied where a critic, which
learns to tell pictures from decoded ones, sees the same in both; not where the pixels are the same."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from vae_core.errors import require
from vae_core.losses import kl_to_standard_normal
from vae_core.models.adversary import Critic, frozen
from vae_core.models.base import LatentConfig, LatentModel, LossTerms, Posterior, gaussian_posterior
from vae_core.models.rules import usual
from vae_core.objective import PLAIN, Context


@dataclass(frozen=True)
class VAEGANConfig(LatentConfig):
    critic: tuple[int, ...] = (400, 200)  # widths of the critic; in its last hidden layer pictures are compared
    weight: float = 5.0  # of the decoder's game against the critic, beside a reconstruction of variance 1

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, *usual(self, "critic", "weight"))


class VAEGAN(LatentModel):
    """A VAE whose decoder is a GAN's generator. What is compared lies in the critic's last hidden layer, so there is
    no likelihood of pixels; `recon_per_image` takes the decoder's answer for one all the same, to be told."""

    Config = VAEGANConfig
    title = "VAE-GAN"
    is_generative = True
    outputs_per_latent = 2
    config: VAEGANConfig

    def __init__(self, config: VAEGANConfig) -> None:
        super().__init__(config)
        self.critic = Critic(math.prod(config.image), config.critic)

    def encode(self, x: Tensor) -> Posterior:
        return gaussian_posterior(self.encoder(x))

    def unlike(self, x: Tensor, again: Tensor) -> Tensor:
        """-log N(f(x); f(again), sigma^2 I) for pictures [B, C, H, W] and f the critic's last hidden layer: [B]."""
        seeing = nn.Sequential(*list(self.critic)[:-1])
        apart = (frozen(seeing, x.flatten(1)) - frozen(seeing, again.flatten(1))).float()
        if self.config.likelihood == "gaussian_learned":
            return (0.5 * (apart * torch.exp(-self.log_sigma)) ** 2 + self.log_sigma).sum(1)
        return (0.5 * (apart / self.config.sigma) ** 2 + math.log(self.config.sigma)).sum(1)

    def loss(self, x: Tensor, labels: Tensor | None = None, context: Context = PLAIN) -> LossTerms:
        """KL + likeness + weight * (the decoder's game) + the critic's loss (Larsen et al., algorithm 1). The game
        moves the decoder alone, so codes go into it as they are. `recon` is that of the pixels, told and not trained
        for."""
        posterior = self.encode(x)
        assert posterior.logvar is not None
        z = posterior.sample(context)
        unlike = self.unlike(x, self.decode(z)).mean()
        made = self.decode(torch.cat([z.detach(), context.normal(z)])).flatten(1)  # copies, and draws from the prior
        fooled = 2 * softplus(-frozen(self.critic, made)).mean()
        caught = 2 * softplus(self.critic(made.detach())).mean() + softplus(-self.critic(x.flatten(1))).mean()
        kl_per_latent = kl_to_standard_normal(posterior.mean, posterior.logvar).mean(0)  # [Z]
        total = unlike + context.penalty(kl_per_latent) + self.config.weight * fooled + caught
        with torch.no_grad():
            recon = self.recon_per_image(x, z).mean()
        return LossTerms(total, recon, kl_per_latent.sum(), kl_per_latent)
