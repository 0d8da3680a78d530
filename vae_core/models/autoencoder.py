"""The deterministic autoencoder: a picture becomes a point, and the point a picture. There is no prior."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from vae_core.models.base import LatentConfig, LatentModel, LossTerms, Posterior
from vae_core.objective import PLAIN, Context


@dataclass(frozen=True)
class AutoencoderConfig(LatentConfig):
    """Nothing but the shared settings."""


class Autoencoder(LatentModel):
    """Minimises the reconstruction term alone, so nothing asks of its codes to lie anywhere in particular."""

    Config = AutoencoderConfig
    title = "autoencoder"
    is_generative = False
    outputs_per_latent = 1

    def encode(self, x: Tensor) -> Posterior:
        return Posterior(mean=self.encoder(x), logvar=None)

    def loss(self, x: Tensor, labels: Tensor | None = None, context: Context = PLAIN) -> LossTerms:
        code = self.encode(x).mean  # [B, Z]
        recon = self.recon_per_image(x, code).mean()
        return LossTerms(total=recon, recon=recon, kl=recon.new_zeros(()), kl_per_latent=code.new_zeros(code.shape[1]))
