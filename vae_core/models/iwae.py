"""The importance-weighted autoencoder (Burda, Grosse and Salakhutdinov 2016): a VAE's networks, a tighter bound."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from vae_core.errors import InvalidInput, require
from vae_core.losses import kl_to_standard_normal
from vae_core.models.base import LatentConfig, LatentModel, LossTerms, Posterior, gaussian_posterior
from vae_core.objective import PLAIN, Context

MOST_SAMPLES = 500


@dataclass(frozen=True)
class IWAEConfig(LatentConfig):
    samples: int = 5  # draws of z per image that the bound averages; 1 is the VAE

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, (1 <= self.samples <= MOST_SAMPLES, "samples", f"1 to {MOST_SAMPLES}"))


class IWAE(LatentModel):
    """Maximises log (1/K) sum_k p(x, z_k) / q(z_k | x), which lies between the ELBO and log p(x)."""

    Config = IWAEConfig
    title = "IWAE"
    is_generative = True
    outputs_per_latent = 2
    config: IWAEConfig

    def encode(self, x: Tensor) -> Posterior:
        return gaussian_posterior(self.encoder(x))

    def loss(self, x: Tensor, labels: Tensor | None = None, context: Context = PLAIN) -> LossTerms:
        """Minus the bound with K draws per image (equation 8); a schedule may weigh log q(z | x) - log p(z).

        `recon` and `kl` are the ELBO's: of all K draws, and in closed form. Free bits and a capacity are terms of the
        ELBO alone: InvalidInput.
        """
        if context.free_bits or context.capacity is not None:
            raise InvalidInput("Free bits and a capacity bend a KL, which this bound has not; train a VAE.")
        posterior = self.encode(x)
        assert posterior.logvar is not None
        count = self.config.samples
        noise = context.normal(posterior.mean[:, None].expand(-1, count, -1))  # [B, K, Z]
        z = posterior.mean[:, None] + posterior.std[:, None] * noise
        again = x[:, None].expand(-1, count, *x.shape[1:]).flatten(0, 1)  # [B K, C, H, W]
        recon = self.recon_per_image(again, z.flatten(0, 1)).view(len(x), count)
        # log q(z | x) - log N(z; 0, I): the constants cancel
        excess = 0.5 * (z**2 - noise**2 - posterior.logvar[:, None]).sum(-1)  # [B, K]
        bound = (-recon - context.kl_scale * excess).logsumexp(1) - math.log(count)
        kl_per_latent = kl_to_standard_normal(posterior.mean, posterior.logvar).mean(0)  # [Z]
        return LossTerms(-bound.mean(), recon.mean(), kl_per_latent.sum(), kl_per_latent)
