"""What every latent variable model here shares: the posterior, the loss terms, and the frame around a network."""

from __future__ import annotations

import math
from dataclasses import dataclass
from reprlib import repr as shown
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from torch import Tensor, nn

from vae_core.errors import InvalidInput
from vae_core.losses import bernoulli_nll, gaussian_nll
from vae_core.models.parts import ACTIVATIONS, NETWORKS, conv_decoder, conv_encoder, mlp_decoder, mlp_encoder
from vae_core.objective import PLAIN, Context

LONGEST, LARGEST = 4096, 256 * 256  # pixels: of a side, and of an image
SIZES = f"sides of 1 to {LONGEST} pixels, no more than {LARGEST} pixels in all"
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


def is_allowed(image: tuple[int, int, int]) -> bool:
    """Whether sides [H, W] are such as a model may have: those of a picture, or of a signal, which is one row."""
    return all(1 <= side <= LONGEST for side in image[1:]) and math.prod(image[1:]) <= LARGEST


@dataclass(frozen=True)
class LatentConfig:
    """Settings that an autoencoder and a VAE share. Sizes are bounded, so that no file can ask for the moon."""

    image: tuple[int, int, int] = (1, 28, 28)  # C, H, W
    latent: int = 2
    network: str = "mlp"
    hidden: tuple[int, ...] = (512, 256, 128)  # widths from the image to the latent; the decoder mirrors them
    channels: tuple[int, ...] = ()  # of the convolutions, for "conv" and "residual"; each one halves the image
    activation: str = "gelu"
    likelihood: str = "bernoulli"
    sigma: float = 1.0  # of the Gaussian likelihood: fixed, or where learning starts

    def __post_init__(self) -> None:
        def require(holds: bool, what: str, value: object, allowed: str) -> None:
            if not holds:
                raise InvalidInput(f"{what} is {shown(value)}; allowed: {allowed}.")

        require(len(self.image) == 3 and self.image[0] in (1, 3), "image", self.image, "(1 or 3, height, width)")
        require(is_allowed(self.image), "image", self.image, SIZES)
        require(1 <= self.latent <= 1024, "latent", self.latent, "1 to 1024 dimensions")
        require(self.network in NETWORKS, "network", self.network, " or ".join(NETWORKS))
        require(1 <= len(self.hidden) <= 8, "hidden", self.hidden, "1 to 8 layers")
        require(all(1 <= width <= 4096 for width in self.hidden), "hidden", self.hidden, "widths of 1 to 4096")
        require(self.activation in ACTIVATIONS, "activation", self.activation, ", ".join(ACTIVATIONS))
        require(self.likelihood in LIKELIHOODS, "likelihood", self.likelihood, ", ".join(LIKELIHOODS))
        require(math.isfinite(self.sigma) and self.sigma > 0, "sigma", self.sigma, "a number above 0")
        if self.network != "mlp":
            require(1 <= len(self.channels) <= 6, "channels", self.channels, "1 to 6 convolutions")
            require(all(1 <= c <= 512 for c in self.channels), "channels", self.channels, "1 to 512 each")
            factor = 2 ** len(self.channels)
            fits = all(side % factor == 0 for side in self.image[1:])
            require(fits, "channels", self.channels, f"so few that {self.image[1:]} can be halved that often")


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
