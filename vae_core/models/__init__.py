"""Models, one a file. To add one: write its file (config, network, loss) and name its class here."""

from __future__ import annotations

from vae_core.models.autoencoder import Autoencoder
from vae_core.models.base import LatentModel, LossTerms, Posterior
from vae_core.models.classifier import Classifier
from vae_core.models.denoising import DenoisingAutoencoder
from vae_core.models.linear import LinearAutoencoder
from vae_core.models.vae import VAE

MODELS: dict[str, type[Autoencoder] | type[VAE] | type[Classifier]] = {
    "autoencoder": Autoencoder,
    "denoising": DenoisingAutoencoder,
    "linear": LinearAutoencoder,
    "vae": VAE,
    "classifier": Classifier,
}

__all__ = [
    "MODELS", "VAE", "Autoencoder", "Classifier", "DenoisingAutoencoder", "LatentModel", "LinearAutoencoder",
    "LossTerms", "Posterior",
]  # fmt: skip
