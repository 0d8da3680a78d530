"""The variational autoencoder (Kingma and Welling 2014) with the weight beta on its KL term (Higgins et al. 2017)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from vae_core.errors import require
from vae_core.losses import kl_to_standard_normal
from vae_core.models.base import LatentConfig, LatentModel, LossTerms, Posterior, gaussian_posterior
from vae_core.models.rules import usual
from vae_core.objective import PLAIN, Context


@dataclass(frozen=True)
class VAEConfig(LatentConfig):
    beta: float = 1.0  # weighs the KL in the objective, never in a reported ELBO

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, *usual(self, "beta"))


class VAE(LatentModel):
    """Encodes a picture as a Gaussian, decodes a draw from it, and pays KL for leaving the prior N(0, I)."""

    Config = VAEConfig
    title = "VAE"
    is_generative = True
    outputs_per_latent = 2
    config: VAEConfig

    def encode(self, x: Tensor) -> Posterior:
        return gaussian_posterior(self.encoder(x))

    def loss(self, x: Tensor, labels: Tensor | None = None, context: Context = PLAIN) -> LossTerms:
        """recon + beta * KL, with one draw of z per image; the context may bend the KL."""
        posterior = self.encode(x)
        assert posterior.logvar is not None
        recon = self.recon_per_image(x, posterior.sample(context)).mean()
        kl_per_latent = kl_to_standard_normal(posterior.mean, posterior.logvar).mean(0)  # [Z]
        total = recon + self.config.beta * context.penalty(kl_per_latent)
        return LossTerms(total, recon, kl_per_latent.sum(), kl_per_latent)
