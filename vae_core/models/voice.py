"""A VQ-VAE of speech whose decoder is told the speaker (van den Oord, Vinyals and Kavukcuoglu 2017, section 4.3).

The codes follow one another in time, and the decoder knows the voice already; so what is left for the codes to tell is
what is said. To have the same codes spoken by another, the decoder is told another speaker.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from vae_core.errors import require
from vae_core.losses import gaussian_nll
from vae_core.models.quantiser import Quantiser
from vae_core.models.rules import usual
from vae_core.models.vq_vae import VQVAETerms
from vae_core.objective import PLAIN, Context


@dataclass(frozen=True)
class VoiceConfig:
    image: tuple[int, int, int] = (1, 128, 96)  # 1, bands, columns; at other lengths it works as well
    classes: int = 6  # speakers
    codes: int = 64  # K
    dimensions: int = 16  # of a code vector, D
    width: int = 160  # channels
    blocks: int = 3  # residual blocks at the codes' rate, on each side
    halvings: int = 2  # of the columns' rate down to the codes'
    stretch: float = 0.15  # by which the encoder's bands are stretched or squeezed at random in training
    beta: float = 0.25  # weighs the commitment
    sigma: float = 0.07  # of the Gaussian likelihood

    def __post_init__(self) -> None:
        whole = 2**self.halvings if 1 <= self.halvings <= 5 else 1
        require(
            self,
            *usual(self, "classes", "codes", "dimensions", "sigma", "beta"),
            (len(self.image) == 3 and self.image[0] == 1, "image", "(1, bands, columns)"),
            (all(4 <= side <= 1024 for side in self.image[1:]), "image", "4 to 1024 bands and columns"),
            (1 <= self.halvings <= 5, "halvings", "1 to 5"),
            (self.image[-1] % whole == 0, "image", f"columns that are a multiple of {whole}"),
            (2 <= self.width <= 1024, "width", "2 to 1024 channels"),
            (1 <= self.blocks <= 16, "blocks", "1 to 16"),
            (0 <= self.stretch < 0.5, "stretch", "0 to below 0.5"),
        )


class Step(nn.Module):
    """What two convolutions over time change, added to what came in; `told` a speaker, it hears of the voice."""

    def __init__(self, width: int, spacing: int, classes: int = 0) -> None:
        super().__init__()
        self.voice = nn.Embedding(classes, width) if classes else None
        self.change = nn.Sequential(
            nn.ReLU(), nn.Conv1d(width, width, 3, padding=spacing, dilation=spacing), nn.ReLU(),
            nn.Conv1d(width, width, 1),
        )  # fmt: skip

    def forward(self, x: Tensor, speakers: Tensor | None = None) -> Tensor:
        told = x if self.voice is None or speakers is None else x + self.voice(speakers)[:, :, None]
        return x + self.change(told)


class Speaking(nn.Module):
    """Code vectors [B, D, t] and speakers [B] -> spectrograms [B, bands, T]."""

    def __init__(self, config: VoiceConfig) -> None:
        super().__init__()
        width, classes = config.width, config.classes
        self.start = nn.Conv1d(config.dimensions, width, 3, padding=1)
        self.steps = nn.ModuleList([Step(width, 2**i, classes) for i in range(config.blocks)])
        self.doubling = nn.ModuleList([nn.ConvTranspose1d(width, width, 4, 2, 1) for _ in range(config.halvings)])
        self.finer = nn.ModuleList([Step(width, 1, classes) for _ in range(config.halvings)])
        self.end = nn.Sequential(nn.ReLU(), nn.Conv1d(width, config.image[1], 3, padding=1))

    def forward(self, vectors: Tensor, speakers: Tensor) -> Tensor:
        x = self.start(vectors)
        for step in self.steps:
            x = step(x, speakers)
        for double, step in zip(self.doubling, self.finer, strict=True):
            x = step(double(x), speakers)
        return self.end(x)


class VoiceVQVAE(nn.Module):
    """Spectrograms [B, 1, bands, T] -> code numbers [B, t], and these with a speaker [B] -> spectrograms. T must be a
    multiple of 2^halvings, and t is T divided by it; the length is free."""

    Config = VoiceConfig
    title = "voice VQ-VAE"
    is_generative = False

    def __init__(self, config: VoiceConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        halving: list[nn.Module] = []
        for _ in range(config.halvings):
            halving += [nn.ReLU(), nn.Conv1d(width, width, 4, 2, 1)]
        self.encoder = nn.Sequential(
            nn.Conv1d(config.image[1], width, 3, padding=1), *halving,
            *(Step(width, 1) for _ in range(config.blocks)), nn.ReLU(), nn.Conv1d(width, config.dimensions, 1),
        )  # fmt: skip
        self.quantiser = Quantiser(config.codes, config.dimensions)
        self.decoder = Speaking(config)

    def heard(self, x: Tensor) -> Tensor:
        """Code numbers [B, t] for spectrograms [B, 1, bands, T]."""
        return self.quantiser.nearest(self._vectors(x))[:, 0]

    def spoken(self, numbers: Tensor, speakers: Tensor) -> Tensor:
        """Spectrograms [B, 1, bands, T] in [0, 1] of code numbers [B, t], each said by a speaker [B]."""
        return self._decoded(self.quantiser.lookup(numbers[:, None]), speakers).clamp(0, 1)

    def recon_per_image(self, x: Tensor, vectors: Tensor, speakers: Tensor) -> Tensor:
        """-log p(x | codes, speaker) for code vectors [B, D, 1, t] and speakers [B]: [B], nats per image."""
        return gaussian_nll(self._decoded(vectors, speakers), x, math.log(self.config.sigma))

    def loss(self, x: Tensor, labels: Tensor | None = None, context: Context = PLAIN) -> VQVAETerms:
        """The terms of eq. 3, with the speaker [B] known to the decoder. In training the encoder's bands are stretched
        at random, as a shorter or longer throat would, while the decoder is to give the true ones: what identifies the
        voice is then of less use to the codes."""
        assert labels is not None, "the decoder is told who speaks"
        said = self.quantiser(self._vectors(self._stretched(x, context) if self.training else x), context)
        recon = self.recon_per_image(x, said.vectors, labels).mean()
        total = recon + said.codebook + self.config.beta * said.commitment
        return VQVAETerms(total, recon, said.codebook.detach(), said.commitment.detach(), said.perplexity)

    def _vectors(self, x: Tensor) -> Tensor:
        """[B, D, 1, t]. Each band's mean over time, which tells of the voice and the microphone, is taken out first."""
        return self.encoder(x[:, 0] - x[:, 0].mean(2, keepdim=True))[:, :, None]

    def _decoded(self, vectors: Tensor, speakers: Tensor) -> Tensor:
        return self.decoder(vectors[:, :, 0], speakers.to(vectors.device).long()).float()[:, None]

    def _stretched(self, x: Tensor, context: Context) -> Tensor:
        """[B, 1, bands, T] with the bands of each moved by a factor of 1 - stretch to 1 + stretch."""
        factor = 1 + self.config.stretch * (2 * context.uniform((len(x), 1), x) - 1)
        bands = x.shape[2]
        at = torch.arange(bands, device=x.device) * factor  # [B, bands]: where each band is taken from
        low = at.long().clamp(0, bands - 1)
        share = (at - low).clamp(0, 1)[:, None, :, None]

        def taken(place: Tensor) -> Tensor:
            return x.gather(2, place.clamp(0, bands - 1)[:, None, :, None].expand_as(x))

        return ((1 - share) * taken(low) + share * taken(low + 1)) * (at < bands)[:, None, :, None]
