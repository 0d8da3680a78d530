"""The denoising autoencoder: it is shown damaged pictures and asked for the clean ones (Vincent et al. 2008)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from vae_core.errors import require
from vae_core.imaging.corruption import KINDS, corrupt_each
from vae_core.models.autoencoder import Autoencoder, AutoencoderConfig
from vae_core.models.base import LossTerms
from vae_core.objective import PLAIN, Context


@dataclass(frozen=True)
class DenoisingConfig(AutoencoderConfig):
    """What it is trained against: each picture gets one of these kinds of noise, at a level from this range."""

    kinds: tuple[str, ...] = KINDS
    lowest: float = 0.0  # level: the standard deviation of Gaussian noise, else the share of pixels that are lost
    highest: float = 0.6
    clipped: float = 0.5  # the share of damaged pictures that are cut off at [0, 1], as in a file of 8 bits

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            self,
            (bool(self.kinds) and set(self.kinds) <= set(KINDS), "kinds", f"one or more of {', '.join(KINDS)}"),
            (0 <= self.lowest <= 1, "lowest", "a level from 0 to 1"),
            (self.lowest <= self.highest <= 1, "highest", "a level from the lowest to 1"),
            (0 <= self.clipped <= 1, "clipped", "a share from 0 to 1"),
        )


class DenoisingAutoencoder(Autoencoder):
    """An autoencoder whose loss compares the picture made of damaged x with x itself: to copy the input is of no use
    to it, so it has to know what pictures look like."""

    Config = DenoisingConfig
    title = "denoising autoencoder"
    config: DenoisingConfig

    def loss(self, x: Tensor, labels: Tensor | None = None, context: Context = PLAIN) -> LossTerms:
        config = self.config
        noisy = corrupt_each(x, config.kinds, (config.lowest, config.highest), config.clipped, context)
        code = self.encode(noisy).mean  # [B, Z]
        recon = self.recon_per_image(x, code).mean()
        return LossTerms(total=recon, recon=recon, kl=recon.new_zeros(()), kl_per_latent=code.new_zeros(code.shape[1]))

    def denoise(self, noisy: Tensor) -> Tensor:
        """Clean pictures [B, C, H, W] in [0, 1] for damaged ones, which may leave [0, 1]."""
        return self.decode(self.encode(noisy).mean)
