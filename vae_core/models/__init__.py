"""Models, one a file. To add one: write its file (config, network, loss) and name its class here."""

from __future__ import annotations

from typing import Any, Protocol

from torch import nn

from vae_core.models.adversarial import AdversarialAutoencoder
from vae_core.models.autoencoder import Autoencoder
from vae_core.models.autoregressive import AutoregressiveVAE
from vae_core.models.base import LatentModel, LossTerms, Posterior
from vae_core.models.classifier import Classifier
from vae_core.models.colouriser import Colouriser, VariationalColouriser
from vae_core.models.conditional import ConditionalVAE
from vae_core.models.denoising import DenoisingAutoencoder
from vae_core.models.discrete import DiscreteVAE
from vae_core.models.dropout import DropoutVAE
from vae_core.models.factor_vae import FactorVAE
from vae_core.models.inverse_flow import InverseFlowVAE
from vae_core.models.iwae import IWAE
from vae_core.models.ladder import LadderVAE
from vae_core.models.linear import LinearAutoencoder
from vae_core.models.names import NameVAE
from vae_core.models.perceptual import PerceptualVAE
from vae_core.models.pixelcnn import PixelCNN
from vae_core.models.restoring import RestoringModel
from vae_core.models.super_resolution import SuperResolution
from vae_core.models.tcvae import TCVAE
from vae_core.models.vae import VAE
from vae_core.models.vae_gan import VAEGAN
from vae_core.models.voice import VoiceVQVAE
from vae_core.models.vq_vae import VQVAE
from vae_core.models.vq_vae2 import VQVAE2


class Kind(Protocol):
    """What every class of MODELS offers: its settings, how it is called, and whether it has a prior to draw from."""

    Config: Any
    title: str
    is_generative: bool

    def __call__(self, config: Any) -> nn.Module: ...


MODELS: dict[str, Kind] = {
    "autoencoder": Autoencoder,
    "denoising": DenoisingAutoencoder,
    "linear": LinearAutoencoder,
    "vae": VAE,
    "dropout_vae": DropoutVAE,
    "tcvae": TCVAE,
    "factor_vae": FactorVAE,
    "iwae": IWAE,
    "inverse_flow": InverseFlowVAE,
    "ladder": LadderVAE,
    "adversarial": AdversarialAutoencoder,
    "vae_gan": VAEGAN,
    "perceptual": PerceptualVAE,
    "autoregressive": AutoregressiveVAE,
    "conditional": ConditionalVAE,
    "discrete": DiscreteVAE,
    "vq_vae": VQVAE,
    "vq_vae2": VQVAE2,
    "pixelcnn": PixelCNN,
    "names": NameVAE,
    "classifier": Classifier,
    "colouriser": Colouriser,
    "variational_colouriser": VariationalColouriser,
    "super_resolution": SuperResolution,
    "voice": VoiceVQVAE,
}


def is_latent(model: str) -> bool:
    """Whether a model of MODELS is a LatentModel, with codes [B, Z] that every explorer can show."""
    kind = MODELS[model]
    return isinstance(kind, type) and issubclass(kind, LatentModel)


__all__ = [
    "IWAE", "MODELS", "TCVAE", "VAE", "VAEGAN", "VQVAE", "VQVAE2", "AdversarialAutoencoder", "Autoencoder",
    "AutoregressiveVAE", "Classifier", "Colouriser", "ConditionalVAE", "DenoisingAutoencoder", "DiscreteVAE",
    "DropoutVAE", "FactorVAE",
    "InverseFlowVAE", "Kind", "LadderVAE", "LatentModel", "LinearAutoencoder", "LossTerms", "NameVAE",
    "PerceptualVAE", "PixelCNN", "Posterior", "RestoringModel", "SuperResolution", "VariationalColouriser",
    "VoiceVQVAE", "is_latent",
]  # fmt: skip
