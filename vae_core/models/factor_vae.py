"""The FactorVAE (Kim and Mnih 2018): a critic tells codes from shuffled ones, and so measures total correlation."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import softplus

from vae_core.errors import require
from vae_core.losses import kl_to_standard_normal
from vae_core.models.adversary import Critic, frozen
from vae_core.models.base import LossTerms
from vae_core.models.rules import usual
from vae_core.models.vae import VAE, VAEConfig
from vae_core.objective import PLAIN, Context


@dataclass(frozen=True)
class FactorVAEConfig(VAEConfig):
    tc: float = 10.0  # weighs the total correlation beyond its part of the KL: the paper's gamma
    critic: tuple[int, ...] = (256, 256, 256)  # widths of the critic's layers

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, *usual(self, "tc", "critic"))


def shuffled(z: Tensor, noise: Tensor) -> Tensor:
    """Codes [B, Z] with every latent dealt out anew among them, in the order of noise [B, Z]: what codes would be if
    their latents were independent (algorithm 1 of the paper)."""
    return z.gather(0, noise.argsort(0))


class FactorVAE(VAE):
    """A VAE that plays against a critic: the critic's log-odds that a code is a true one, not a shuffled one, are
    log q(z) - sum of log q(z_j) once it is right, and their mean is the total correlation."""

    Config = FactorVAEConfig
    title = "FactorVAE"
    config: FactorVAEConfig

    def __init__(self, config: FactorVAEConfig) -> None:
        super().__init__(config)
        self.critic = Critic(config.latent, config.critic)

    def loss(self, x: Tensor, labels: Tensor | None = None, context: Context = PLAIN) -> LossTerms:
        """recon + beta * KL + tc * TC by the critic as it is, plus the critic's own cross-entropy on the same codes
        (the paper takes another batch for that); the context may bend the KL."""
        posterior = self.encode(x)
        assert posterior.logvar is not None
        z = posterior.sample(context)
        recon = self.recon_per_image(x, z).mean()
        kl_per_latent = kl_to_standard_normal(posterior.mean, posterior.logvar).mean(0)  # [Z]
        total = (
            recon + self.config.beta * context.penalty(kl_per_latent) + self.config.tc * frozen(self.critic, z).mean()
        )
        return LossTerms(total + self.critic_loss(z.detach(), context), recon, kl_per_latent.sum(), kl_per_latent)

    def critic_loss(self, z: Tensor, context: Context = PLAIN) -> Tensor:
        """The cross-entropy of telling codes [B, Z] from shuffled ones; log 2 where it can not, in nats."""
        apart = shuffled(z, context.uniform(tuple(z.shape), z))
        return 0.5 * (softplus(-self.critic(z)) + softplus(self.critic(apart))).mean()

    @torch.no_grad()
    def total_correlation(self, z: Tensor) -> Tensor:
        """What the critic makes of codes [B, Z]: an estimate in nats."""
        return self.critic(z).mean()
