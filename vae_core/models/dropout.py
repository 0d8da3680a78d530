"""A VAE that loses hidden units at random while it is trained (Srivastava et al. 2014), so that none is relied on."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from vae_core.errors import require
from vae_core.losses import kl_to_standard_normal
from vae_core.models.base import LossTerms, gaussian_posterior
from vae_core.models.parts import ResidualBlock
from vae_core.models.vae import VAE, VAEConfig
from vae_core.objective import PLAIN, Context


@dataclass(frozen=True)
class DropoutVAEConfig(VAEConfig):
    dropout: float = 0.2  # share of the hidden units, of both halves

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, (0 <= self.dropout < 1, "dropout", "a share from 0, below 1"))


class DropoutVAE(VAE):
    """Trained, both halves lose hidden units; used or scored, it is the plain VAE of the same weights."""

    Config = DropoutVAEConfig
    title = "VAE with dropout"
    config: DropoutVAEConfig

    def loss(self, x: Tensor, labels: Tensor | None = None, context: Context = PLAIN) -> LossTerms:
        if not self.training:
            return super().loss(x, labels, context)
        share = self.config.dropout
        posterior = gaussian_posterior(thinned(self.encoder, x, share, context))
        logits = thinned(self.decoder, posterior.sample(context), share, context)
        recon = self.recon_of_logits(logits, x).mean()
        assert posterior.logvar is not None
        kl_per_latent = kl_to_standard_normal(posterior.mean, posterior.logvar).mean(0)  # [Z]
        total = recon + self.config.beta * context.penalty(kl_per_latent)
        return LossTerms(total, recon, kl_per_latent.sum(), kl_per_latent)


def thinned(layers: nn.Sequential, x: Tensor, share: float, context: Context) -> Tensor:
    """What the layers make of x [B, ...] with that share of every hidden layer's units dropped."""
    hidden = False
    for layer in layers:
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            x, hidden = layer(context.dropout(x, share) if hidden else x), True
        elif isinstance(layer, ResidualBlock):
            x = x + thinned(layer.branch, x, share, context)
        else:
            x = layer(x)
    return x
