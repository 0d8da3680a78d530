"""A VAE of two levels, as a ladder (Sonderby, Raiko, Maaloe, Sonderby and Winther 2016): the upper code is the prior of
the lower one, and what the picture says and what the upper code expects are weighed by how sure each is."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from vae_core.errors import require
from vae_core.losses import kl_between_normals, kl_to_standard_normal
from vae_core.models.base import LOGVAR_BOUNDS
from vae_core.models.drawn import Condition, Draw, DrawnVAE
from vae_core.models.parts import ACTIVATIONS, LatentLinear, mlp_decoder, mlp_encoder
from vae_core.models.rules import usual
from vae_core.objective import PLAIN, Context

SURE = -2.0  # log-variance of the encoder's opinion at the start: a vague one is soon given up for p(z1 | z2)


@dataclass(frozen=True)
class LadderConfig:
    image: tuple[int, int, int] = (1, 28, 28)  # C, H, W
    lower: int = 32  # latents next to the picture
    upper: int = 16  # latents above them
    hidden: tuple[int, ...] = (200, 200)  # widths from the picture to the lower code; the decoder mirrors them
    width: int = 100  # of the hidden layer between the codes
    activation: str = "gelu"

    def __post_init__(self) -> None:
        require(
            self,
            *usual(self, "image", "hidden", "activation"),
            (1 <= self.lower <= 1024, "lower", "1 to 1024 latents"),
            (1 <= self.upper <= 1024, "upper", "1 to 1024 latents"),
            (1 <= self.width <= 4096, "width", "1 to 4096"),
        )


def weighed(a: tuple[Tensor, Tensor], b: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Two Gaussians as (mean, log-variance), multiplied: precisions add up, each mean counts by its precision
    (equations 17 and 18)."""
    logvar = -torch.logaddexp(-a[1], -b[1])
    return a[0] * torch.exp(logvar - a[1]) + b[0] * torch.exp(logvar - b[1]), logvar


class LadderVAE(DrawnVAE):
    """z2 ~ N(0, I), z1 ~ p(z1 | z2), x ~ p(x | z1); q(z1 | x, z2) is the product of the encoder's opinion and
    p(z1 | z2)."""

    Config = LadderConfig
    title = "ladder VAE"

    def __init__(self, config: LadderConfig) -> None:
        super().__init__()
        self.config = config
        inner, width, act = config.hidden[-1], config.width, ACTIVATIONS[config.activation]
        self.trunk = mlp_encoder(config.image, config.hidden, 1, config.activation)[:-1]
        self.to_lower = LatentLinear(inner, 2 * config.lower)
        with torch.no_grad():
            self.to_lower.bias[config.lower :] = SURE
        self.to_upper = nn.Sequential(nn.Linear(inner, width), act(), LatentLinear(width, 2 * config.upper))
        self.expected = nn.Sequential(
            LatentLinear(config.upper, width), act(), LatentLinear(width, 2 * config.lower)
        )  # fmt: skip
        self.decoder = mlp_decoder(config.image, config.hidden, config.lower, config.activation)

    def condition(self, x: Tensor) -> Condition:
        """Mean and log-variance of q(z2 | x), then of the encoder's opinion on z1."""
        seen = self.trunk(x)
        return *_normal(self.to_upper(seen)), *_normal(self.to_lower(seen))

    def draw(self, condition: Condition, context: Context = PLAIN) -> Draw:
        """Upper code first; `excess` holds the lower latents, then the upper ones."""
        mean, logvar = condition[:2]
        noise = context.normal(mean)
        upper = mean + torch.exp(0.5 * logvar) * noise
        prior, posterior = self._lower(condition, upper)
        again = context.normal(posterior[0])
        lower = posterior[0] + torch.exp(0.5 * posterior[1]) * again
        of_lower = 0.5 * ((lower - prior[0]) ** 2 * torch.exp(-prior[1]) + prior[1] - again**2 - posterior[1])
        of_upper = 0.5 * (upper**2 - noise**2 - logvar)
        return Draw(torch.cat([lower, upper], 1), torch.cat([of_lower, of_upper], 1))

    def kl_per_latent(self, condition: Condition, draw: Draw) -> Tensor:
        """In closed form at each level, the lower one's at the upper code that was drawn: less noise than `excess`."""
        prior, posterior = self._lower(condition, draw.z[:, self.config.lower :])
        return torch.cat([kl_between_normals(*posterior, *prior), kl_to_standard_normal(*condition[:2])], 1)

    def logits(self, z: Tensor) -> Tensor:
        """Of lower codes [B, lower], or of both codes [B, lower + upper]: the decoder sees the lower one alone."""
        return self.decoder(z[:, : self.config.lower])

    def prior_codes(self, count: int, context: Context = PLAIN) -> Tensor:
        upper = context.normal(next(self.parameters()).new_empty(count, self.config.upper))
        mean, logvar = _normal(self.expected(upper))
        return torch.cat([mean + torch.exp(0.5 * logvar) * context.normal(mean), upper], 1)

    def _lower(self, condition: Condition, upper: Tensor) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """p(z1 | z2) and q(z1 | x, z2) as (mean, log-variance), for upper codes [B, upper]."""
        prior = _normal(self.expected(upper))
        return prior, weighed((condition[2], condition[3]), prior)


def _normal(outputs: Tensor) -> tuple[Tensor, Tensor]:
    mean, logvar = outputs.chunk(2, dim=1)
    return mean, logvar.clamp(*LOGVAR_BOUNDS)
