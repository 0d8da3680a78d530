"""What every latent variable model here shares: the posterior, the loss terms, and the frame around a network."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from torch import Tensor, nn

from vae_core.errors import require
from vae_core.losses import bernoulli_nll, gaussian_nll
from vae_core.models.parts import NETWORKS, conv_decoder, conv_encoder, mlp_decoder, mlp_encoder
from vae_core.models.rules import usual
from vae_core.objective import PLAIN, Context

LOGVAR_BOUNDS = (-20.0, 10.0)  # standard deviations of 5e-5 to 150: no exp() overflows, nothing useful is lost
LIKELIHOODS = ("bernoulli", "gaussian", "gaussian_learned")


class Posterior(NamedTuple):
    """q(z | x), a diagonal Gaussian; a deterministic encoder says so with `logvar` None."""

    mean: Tensor  # [B, Z]
    logvar: Tensor | None  # [B, Z]

    @property
    def is_deterministic(self) -> bool:
        return self.logvar is None

    @property
    def std(self) -> Tensor:
        """Standard deviation [B, Z]; a deterministic posterior has none."""
        if self.logvar is None:
            raise TypeError("a deterministic encoder returns a point; it has no standard deviation")
        return torch.exp(0.5 * self.logvar)

    def sample(self, context: Context = PLAIN) -> Tensor:
        """One draw [B, Z] by the reparameterisation trick; the point itself where there is no variance."""
        if self.logvar is None:
            return self.mean
        return self.mean + self.std * context.normal(self.mean)


def gaussian_posterior(outputs: Tensor) -> Posterior:
    """q(z | x) of means and log-variances side by side, [B, 2 Z], as a network gives them; the latter within bounds."""
    mean, logvar = outputs.chunk(2, dim=1)  # [B, Z] each
    return Posterior(mean, logvar.clamp(*LOGVAR_BOUNDS))


class LossTerms(NamedTuple):
    """What a training step returns, averaged over the batch, in nats per image."""

    total: Tensor  # the objective
    recon: Tensor
    kl: Tensor  # zero for a deterministic model
    kl_per_latent: Tensor  # [Z]


@dataclass(frozen=True)
class LatentConfig:
    """Settings that an autoencoder and a VAE share."""

    image: tuple[int, int, int] = (1, 28, 28)  # C, H, W
    latent: int = 2
    network: str = "mlp"
    hidden: tuple[int, ...] = (512, 256, 128)  # widths from the image to the latent; the decoder mirrors them
    channels: tuple[int, ...] = ()  # of the convolutions, for "conv" and "residual"; each one halves the image
    activation: str = "gelu"
    likelihood: str = "bernoulli"
    sigma: float = 1.0  # of the Gaussian likelihood: fixed, or where learning starts

    def __post_init__(self) -> None:
        require(
            self,
            *usual(self, "image", "latent", "hidden", "activation", "sigma"),
            (self.network in NETWORKS, "network", " or ".join(NETWORKS)),
            (self.likelihood in LIKELIHOODS, "likelihood", ", ".join(LIKELIHOODS)),
        )
        if self.network != "mlp":
            fits = all(side % 2 ** len(self.channels) == 0 for side in self.image[1:])
            halved = (fits, "channels", f"so few that {self.image[1:]} can be halved that often")
            require(self, *usual(self, "channels"), halved)


class LatentModel(nn.Module):
    """An encoder, a decoder and a likelihood. Subclasses say what the encoder's output means and what the
    objective is."""

    Config: ClassVar[Any]
    title: ClassVar[str]
    is_generative: ClassVar[bool]  # whether there is a prior to draw codes from
    outputs_per_latent: ClassVar[int]  # numbers that the encoder gives for each latent
    pixels: ClassVar[Literal["sigmoid", "clip"]] = "sigmoid"  # what brings the decoder's outputs into [0, 1]

    def __init__(self, config: LatentConfig) -> None:
        super().__init__()
        self.config = config
        outputs = config.latent * self.outputs_per_latent
        if config.network == "mlp":
            self.encoder = mlp_encoder(config.image, config.hidden, outputs, config.activation)
            self.decoder = mlp_decoder(config.image, config.hidden, config.latent, config.activation)
        else:
            shape = (config.image, config.channels, config.hidden)
            residual = config.network == "residual"
            self.encoder = conv_encoder(*shape, outputs, config.activation, residual)
            self.decoder = conv_decoder(*shape, config.latent, config.activation, residual)
        if config.likelihood == "gaussian_learned":
            self.log_sigma = nn.Parameter(torch.tensor(math.log(config.sigma)))

    def encode(self, x: Tensor) -> Posterior:
        """q(z | x) for images [B, C, H, W]."""
        raise NotImplementedError

    def decode(self, z: Tensor) -> Tensor:
        """Pictures [B, C, H, W] in [0, 1] for codes [B, Z]: the mean of p(x | z)."""
        return torch.sigmoid(self.decoder(z).float())

    def recon_per_image(self, x: Tensor, z: Tensor) -> Tensor:
        """-log p(x | z) for images [B, C, H, W] and codes [B, Z]: [B], nats per image."""
        return self.recon_of_logits(self.decoder(z), x)

    def recon_of_logits(self, logits: Tensor, x: Tensor) -> Tensor:
        """-log p(x | z) for images and the decoder's outputs, both [B, C, H, W]: [B], nats per image."""
        if self.config.likelihood == "bernoulli":
            return bernoulli_nll(logits, x)
        learned = self.config.likelihood == "gaussian_learned"
        log_sigma = self.log_sigma if learned else math.log(self.config.sigma)
        return gaussian_nll(torch.sigmoid(logits.float()), x, log_sigma)

    def loss(self, x: Tensor, labels: Tensor | None = None, context: Context = PLAIN) -> LossTerms:
        """The objective on a batch [B, C, H, W]; labels [B] are for models that use them, the context says what a
        schedule asks for at this step."""
        raise NotImplementedError
