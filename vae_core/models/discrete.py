"""The discrete VAE: a code of letters instead of a point, trained through the Gumbel-softmax (Jang, Gu and Poole 2017;
Maddison, Mnih and Teh 2017)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from vae_core.errors import require
from vae_core.losses import bernoulli_nll, kl_to_uniform
from vae_core.models.base import LossTerms
from vae_core.models.parts import mlp_decoder, mlp_encoder
from vae_core.models.rules import usual
from vae_core.objective import PLAIN, Context

SMALLEST = 1e-20  # keeps a logarithm of a draw of exactly 0 finite


@dataclass(frozen=True)
class DiscreteConfig:
    image: tuple[int, int, int] = (1, 28, 28)  # C, H, W
    latents: int = 12  # letters of a code
    categories: int = 8  # letters to choose from
    hidden: tuple[int, ...] = (256, 128)  # widths from the image to the code; the decoder mirrors them
    activation: str = "gelu"
    temperature: float = 0.5  # of the softmax in training
    straight_through: bool = False  # forward a true letter, backward the soft one's gradient
    beta: float = 1.0  # weighs the KL in the objective, never in a reported ELBO

    def __post_init__(self) -> None:
        require(
            self,
            *usual(self, "image", "hidden", "activation", "beta"),
            (1 <= self.latents <= 256, "latents", "1 to 256"),
            (2 <= self.categories <= 256, "categories", "2 to 256"),
            (0.01 <= self.temperature <= 100, "temperature", "0.01 to 100"),
        )


def gumbel(uniform: Tensor) -> Tensor:
    """Gumbel noise from draws in [0, 1): the largest of logits + noise is a draw from their softmax."""
    return -torch.log((-torch.log(uniform.clamp_min(SMALLEST))).clamp_min(SMALLEST))


def gumbel_softmax(logits: Tensor, noise: Tensor, temperature: float, straight_through: bool = False) -> Tensor:
    """Soft letters [..., K] for logits and Gumbel noise [..., K] (Jang et al., eq. 2): one-hot as the temperature
    goes to 0, all alike as it grows. `straight_through` gives the one-hot letter with the soft one's gradient."""
    soft = torch.softmax((logits + noise) / temperature, dim=-1)
    if not straight_through:
        return soft
    hard = one_hot(soft.argmax(-1), soft.shape[-1]).to(soft)
    return hard + soft - soft.detach()


class DiscreteVAE(nn.Module):
    """N letters out of K each, drawn independently from q(c | x); the prior is uniform. In training a draw is relaxed,
    so that a gradient passes through it; otherwise letters are true ones, and the ELBO is a bound."""

    Config = DiscreteConfig
    title = "discrete VAE"
    is_generative = True

    def __init__(self, config: DiscreteConfig) -> None:
        super().__init__()
        self.config = config
        size = config.latents * config.categories
        self.encoder = mlp_encoder(config.image, config.hidden, size, config.activation)
        self.decoder = mlp_decoder(config.image, config.hidden, size, config.activation)

    def letter_logits(self, x: Tensor) -> Tensor:
        """Logits [B, N, K] of q(c | x) for images [B, C, H, W]."""
        return self.encoder(x).view(len(x), self.config.latents, self.config.categories)

    def drawn(self, logits: Tensor, uniform: Tensor, relaxed: bool) -> Tensor:
        """Letters [B, N, K] from their logits and draws in [0, 1): as soft as in training, or one-hot."""
        noise = gumbel(uniform)
        if not relaxed:
            return one_hot((logits + noise).argmax(-1), self.config.categories).to(logits)
        return gumbel_softmax(logits, noise, self.config.temperature, self.config.straight_through)

    def decode_letters(self, letters: Tensor) -> Tensor:
        """Pictures [B, C, H, W] in [0, 1] for letters [B, N, K], one-hot or soft."""
        return torch.sigmoid(self.decoder(letters.flatten(1)).float())

    def decode_words(self, words: Tensor) -> Tensor:
        """The same for letters by their numbers, [B, N]."""
        return self.decode_letters(one_hot(words.long(), self.config.categories).float())

    def recon_per_image(self, x: Tensor, letters: Tensor) -> Tensor:
        """-log p(x | c) for images [B, C, H, W] and letters [B, N, K]: [B], nats per image."""
        return bernoulli_nll(self.decoder(letters.flatten(1)), x)

    def loss(self, x: Tensor, labels: Tensor | None = None, context: Context = PLAIN) -> LossTerms:
        """recon + beta * KL with one draw of the letters per image. While training the draw is relaxed and the sum is
        no bound; in eval mode it is minus the ELBO at beta 1."""
        logits = self.letter_logits(x)
        uniform = context.uniform(tuple(logits.shape), logits)
        recon = self.recon_per_image(x, self.drawn(logits, uniform, relaxed=self.training)).mean()
        kl_per_latent = kl_to_uniform(logits).mean(0)  # [N]
        total = recon + self.config.beta * context.penalty(kl_per_latent)
        return LossTerms(total, recon, kl_per_latent.sum(), kl_per_latent)
