"""The adversarial autoencoder (Makhzani, Shlens, Jaitly, Goodfellow and Frey 2016): no KL; a critic sees to it that the
codes of all images together look like draws from the prior."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import softplus

from vae_core.errors import require
from vae_core.losses import kl_to_standard_normal
from vae_core.models.adversary import Critic, frozen
from vae_core.models.base import LatentConfig, LatentModel, LossTerms, Posterior, gaussian_posterior
from vae_core.models.rules import usual
from vae_core.objective import PLAIN, Context


@dataclass(frozen=True)
class AdversarialConfig(LatentConfig):
    critic: tuple[int, ...] = (256, 256)  # widths of the critic of codes
    weight: float = 4.0  # of the game, beside a reconstruction in nats

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, *usual(self, "critic", "weight"))


class AdversarialAutoencoder(LatentModel):
    """Encodes a picture as a Gaussian, as a VAE does, but q(z | x) pays nothing for leaving the prior: only the codes
    of all pictures together are judged, by a critic that tries to tell them from draws of N(0, I)."""

    Config = AdversarialConfig
    title = "adversarial autoencoder"
    is_generative = True
    outputs_per_latent = 2
    config: AdversarialConfig

    def __init__(self, config: AdversarialConfig) -> None:
        super().__init__(config)
        self.critic = Critic(config.latent, config.critic)

    def encode(self, x: Tensor) -> Posterior:
        return gaussian_posterior(self.encoder(x))

    def loss(self, x: Tensor, labels: Tensor | None = None, context: Context = PLAIN) -> LossTerms:
        """recon + weight * (the encoder's game) + the critic's loss. `kl` is told and not trained for."""
        posterior = self.encode(x)
        assert posterior.logvar is not None
        z = posterior.sample(context)
        recon = self.recon_per_image(x, z).mean()
        fooled = softplus(-frozen(self.critic, z)).mean()
        caught = softplus(self.critic(z.detach())).mean() + softplus(-self.critic(context.normal(z))).mean()
        kl_per_latent = kl_to_standard_normal(posterior.mean, posterior.logvar).mean(0).detach()
        total = recon + context.kl_scale * self.config.weight * fooled + caught
        return LossTerms(total, recon, kl_per_latent.sum(), kl_per_latent)
