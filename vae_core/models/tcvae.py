"""The beta-TCVAE (Chen, Li, Grosse and Duvenaud 2018): the total correlation alone is weighed more."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vae_core.errors import require
from vae_core.losses import decomposed_kl, gaussian_log_density, kl_to_standard_normal, stratified_log_weights
from vae_core.models.base import LossTerms, Posterior
from vae_core.models.rules import usual
from vae_core.models.vae import VAE, VAEConfig
from vae_core.objective import PLAIN, Context

LARGEST_POPULATION = 10**9


@dataclass(frozen=True)
class TCVAEConfig(VAEConfig):
    tc: float = 5.0  # weighs the total correlation beyond its part of the KL: the paper's beta, less 1
    population: int = 60_000  # training images, of which a batch is a sample

    def __post_init__(self) -> None:
        super().__post_init__()
        fits = 2 <= self.population <= LARGEST_POPULATION
        require(self, *usual(self, "tc"), (fits, "population", f"2 to {LARGEST_POPULATION} images"))


class TCVAE(VAE):
    """A VAE whose latents pay for hanging together, measured within each batch."""

    Config = TCVAEConfig
    title = "β-TCVAE"
    config: TCVAEConfig

    def loss(self, x: Tensor, labels: Tensor | None = None, context: Context = PLAIN) -> LossTerms:
        """recon + beta * KL + tc * TC (equation 4, with alpha = gamma = beta); the context may bend the KL. A batch of
        one image has no total correlation."""
        posterior = self.encode(x)
        assert posterior.logvar is not None
        z = posterior.sample(context)
        recon = self.recon_per_image(x, z).mean()
        kl_per_latent = kl_to_standard_normal(posterior.mean, posterior.logvar).mean(0)  # [Z]
        total = recon + self.config.beta * context.penalty(kl_per_latent)
        if len(x) > 1:
            total = total + self.config.tc * self.total_correlation(z, posterior)
        return LossTerms(total, recon, kl_per_latent.sum(), kl_per_latent)

    def total_correlation(self, z: Tensor, posterior: Posterior) -> Tensor:
        """An estimate from draws z [B, Z] of their posterior [B, Z], in nats."""
        mean, logvar = posterior
        assert logvar is not None
        with torch.autocast(z.device.type, enabled=False):
            own = gaussian_log_density(z, mean, logvar).sum(-1)
            weights = stratified_log_weights(len(z), max(self.config.population, len(z)), z.device)
            return decomposed_kl(z, own, mean, logvar, weights).total_correlation
