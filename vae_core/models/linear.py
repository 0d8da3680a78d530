"""The linear autoencoder: one matrix in, one matrix out. Its best subspace is that of PCA (Bourlard and Kamp 1988;
Baldi and Hornik 1989); its basis is any."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from vae_core.errors import require
from vae_core.losses import gaussian_nll
from vae_core.models.autoencoder import Autoencoder
from vae_core.models.parts import LatentLinear
from vae_core.models.rules import usual


@dataclass(frozen=True)
class LinearConfig:
    image: tuple[int, int, int] = (1, 28, 28)  # C, H, W
    latent: int = 2
    sigma: float = 1.0  # of the Gaussian likelihood

    def __post_init__(self) -> None:
        require(
            self,
            *usual(self, "image", "latent", "sigma"),
        )

    @property
    def network(self) -> str:
        return "linear"

    @property
    def likelihood(self) -> str:
        return "gaussian"  # its maximum is the least squared error


class LinearAutoencoder(Autoencoder):
    """z = E x + e, and back: D z + d. What it decodes to may leave [0, 1]; it is clipped to be shown, and the error
    is that of what was not clipped."""

    Config = LinearConfig  # type: ignore[assignment]
    title = "linear autoencoder"
    pixels = "clip"
    config: LinearConfig  # type: ignore[assignment]

    def __init__(self, config: LinearConfig) -> None:
        nn.Module.__init__(self)  # none of the networks that the others have
        self.config = config
        size = math.prod(config.image)
        self.encoder = nn.Sequential(nn.Flatten(), LatentLinear(size, config.latent))
        self.decoder = nn.Sequential(LatentLinear(config.latent, size), nn.Unflatten(1, config.image))
        for matrix, shift in zip(self.matrices[::2], self.matrices[1::2], strict=True):
            nn.init.normal_(matrix, std=size**-0.5)  # both maps begin equally small, whatever the number of latents
            nn.init.zeros_(shift)

    @property
    def matrices(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The encoder's E [Z, C H W] and e [Z], the decoder's D [C H W, Z] and d [C H W]."""
        coder, decoder = self.encoder[1], self.decoder[0]
        return coder.weight, coder.bias, decoder.weight, decoder.bias  # type: ignore[return-value]

    def squared_error(self, mean: Tensor, covariance: Tensor) -> Tensor:
        """Squared error, summed over pixels, averaged over all images with this mean [P] and covariance [P, P]: the
        very number that a batch of all of them would give, without a look at any of them.

        tr((I - D E) C (I - D E)^T) + |m - D (E m + e) - d|^2, multiplied out so that nothing larger than Z rows meets
        the covariance.
        """
        encode, shift, decode, offset = self.matrices
        coded = encode @ covariance  # [Z, P]
        spread = covariance.trace() - 2 * (coded * decode.T).sum() + ((decode.T @ decode) * (coded @ encode.T)).sum()
        return spread + (mean - decode @ (encode @ mean + shift) - offset).square().sum()

    def about(self, mean: Tensor) -> LinearAutoencoder:
        """The same model for images [P] from which a mean [P] was taken before the training: it takes the mean away
        itself, and adds it again. (A mean far from zero makes the loss a narrow valley, so training goes without.)"""
        other = copy.deepcopy(self).requires_grad_(False)
        encode, shift, _, offset = other.matrices
        shift -= encode @ mean.to(shift)
        offset += mean.to(offset)
        return other

    def turned(self, angle: float) -> LinearAutoencoder:
        """The same maps in other coordinates, in float32: latents 1 and 2 turned by an angle in radians, and the basis
        of the decoder with them. Nothing that it reconstructs changes."""
        other = copy.deepcopy(self).float().requires_grad_(False)
        encode, shift, decode, _ = other.matrices
        cos, sin = math.cos(angle), math.sin(angle)
        both = torch.tensor([[cos, -sin], [sin, cos]], dtype=torch.float32)
        encode[:2], shift[:2] = both @ encode[:2].clone(), both @ shift[:2].clone()
        decode[:, :2] = decode[:, :2].clone() @ both.T
        return other

    def mean(self, z: Tensor) -> Tensor:
        """The mean of p(x | z) for codes [B, Z]: [B, C, H, W], as it is, also outside [0, 1]."""
        return self.decoder(z)

    def decode(self, z: Tensor) -> Tensor:
        return self.mean(z).clamp(0, 1)

    def recon_per_image(self, x: Tensor, z: Tensor) -> Tensor:
        return gaussian_nll(self.mean(z), x, math.log(self.config.sigma))
