"""The perceptual VAE (Hou, Shen, Sun and Qiu 2017, "Deep feature consistent variational autoencoder"): a copy is good
where a classifier, which stays as it is, sees in it what it sees in the picture."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, max_pool2d

from vae_core.errors import InvalidInput, require
from vae_core.losses import kl_to_standard_normal
from vae_core.models.base import LossTerms
from vae_core.models.classifier import Classifier
from vae_core.models.vae import VAE, VAEConfig
from vae_core.objective import PLAIN, Context


@dataclass(frozen=True)
class PerceptualVAEConfig(VAEConfig):
    eyes_of: str = ""  # the bundled classifier whose convolutions see; empty: filters by chance
    seen: tuple[int, ...] = (8, 16)  # their channels, from the image inwards
    depth_weights: tuple[float, ...] = (1.0, 1.0)  # of the squared error at each depth
    pixel_weight: float = 1.0  # of the squared error of pixels, so that colours stay

    def __post_init__(self) -> None:
        super().__post_init__()
        least = min(self.image[1:]) >> (len(self.seen) - 1) if self.seen else 0
        require(
            self,
            (1 <= len(self.seen) <= 6 and least >= 1, "seen", "1 to 6 convolutions, no more than fit the image"),
            (all(1 <= c <= 512 for c in self.seen), "seen", "1 to 512 channels each"),
            (len(self.depth_weights) == len(self.seen), "depth_weights", "one for each convolution that sees"),
            (all(0 <= w <= 1e4 for w in self.depth_weights), "depth_weights", "numbers from 0 to 10,000"),
            (0 <= self.pixel_weight <= 1e4, "pixel_weight", "a number from 0 to 10,000"),
        )


class Eyes(nn.Module):
    """The convolutions of a classifier as buffers: they are kept with the model, and no training moves them."""

    def __init__(self, channels: int, seen: tuple[int, ...]) -> None:
        super().__init__()
        for depth, (fan_in, fan_out) in enumerate(pairwise((channels, *seen))):
            start = nn.Conv2d(fan_in, fan_out, 3)
            self.register_buffer(f"weight{depth}", start.weight.data)
            self.register_buffer(f"bias{depth}", start.bias.data)  # type: ignore[union-attr]
        self.depths = len(seen)

    def take(self, classifier: Classifier) -> None:
        """See as a classifier does. Raises InvalidInput where its convolutions are of other sizes."""
        found = [layer for layer in classifier.body if isinstance(layer, nn.Conv2d)]
        wanted = [tuple(getattr(self, f"weight{depth}").shape) for depth in range(self.depths)]
        if (sizes := [tuple(layer.weight.shape) for layer in found]) != wanted:
            raise InvalidInput(f"The classifier's convolutions are of sizes {sizes}; these eyes need {wanted}.")
        with torch.no_grad():
            for depth, layer in enumerate(found):
                getattr(self, f"weight{depth}").copy_(layer.weight)
                getattr(self, f"bias{depth}").copy_(layer.bias)

    def forward(self, x: Tensor) -> list[Tensor]:
        """What is seen in pictures [B, C, H, W] after each ReLU: [B, C', H', W'], half the sides from one depth to the
        next."""
        found: list[Tensor] = []
        for depth in range(self.depths):
            x = max_pool2d(x, 2) if found else x
            x = conv2d(x, getattr(self, f"weight{depth}"), getattr(self, f"bias{depth}"), padding=1).relu()
            found.append(x)
        return found


class PerceptualVAE(VAE):
    """A VAE that is trained to copy features. `recon`, and so the ELBO, is the likelihood of pixels all the same, told
    and not trained for: where its scale is learned, the scale follows the decoder's error and has no say in it."""

    Config = PerceptualVAEConfig
    title = "perceptual VAE"
    config: PerceptualVAEConfig

    def __init__(self, config: PerceptualVAEConfig) -> None:
        super().__init__(config)
        self.eyes = Eyes(config.image[0], config.seen)

    def unlike(self, x: Tensor, again: Tensor) -> Tensor:
        """Mean squared difference of the features of two pictures [B, C, H, W] at every depth: [B, depths]."""
        with torch.no_grad():
            wanted = self.eyes(x)
        pairs = zip(wanted, self.eyes(again), strict=True)
        return torch.stack([(one - other).float().square().mean((1, 2, 3)) for one, other in pairs], dim=1)

    def perceived(self, x: Tensor, again: Tensor) -> Tensor:
        """What is trained in the place of -log p(x | z): [B]. Mean squared errors of features and of pixels, each with
        its weight, times the numbers in an image, so that the KL weighs as beside a sum over pixels."""
        config = self.config
        errors = zip(config.depth_weights, self.unlike(x, again).unbind(1), strict=True)
        pixels = (x - again).float().square().mean((1, 2, 3))
        return math.prod(config.image) * sum((w * error for w, error in errors), config.pixel_weight * pixels)

    def loss(self, x: Tensor, labels: Tensor | None = None, context: Context = PLAIN) -> LossTerms:
        """What is perceived + beta * KL (Hou et al. 2017, equation 4), of the mean that the decoder gives for one draw
        of z."""
        posterior = self.encode(x)
        assert posterior.logvar is not None
        logits = self.decoder(posterior.sample(context))
        perceived = self.perceived(x, torch.sigmoid(logits.float())).mean()
        recon = self.recon_of_logits(logits.detach(), x).mean()
        kl_per_latent = kl_to_standard_normal(posterior.mean, posterior.logvar).mean(0)  # [Z]
        total = perceived + self.config.beta * context.penalty(kl_per_latent)
        if self.config.likelihood == "gaussian_learned":
            total = total + recon
        return LossTerms(total, recon.detach(), kl_per_latent.sum(), kl_per_latent)
