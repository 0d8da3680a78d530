"""Models, one a file. To add one: write its file (config, network, loss) and name its class here."""

from __future__ import annotations

from vae_core.models.autoencoder import Autoencoder
from vae_core.models.base import LatentModel, LossTerms, Posterior
from vae_core.models.classifier import Classifier
from vae_core.models.colouriser import Colouriser, VariationalColouriser
from vae_core.models.conditional import ConditionalVAE
from vae_core.models.denoising import DenoisingAutoencoder
from vae_core.models.discrete import DiscreteVAE
from vae_core.models.linear import LinearAutoencoder
from vae_core.models.restoring import RestoringModel
from vae_core.models.super_resolution import SuperResolution
from vae_core.models.vae import VAE

MODELS: dict[
    str, type[LatentModel] | type[ConditionalVAE] | type[DiscreteVAE] | type[Classifier] | type[RestoringModel]
] = {
    "autoencoder": Autoencoder,
    "denoising": DenoisingAutoencoder,
    "linear": LinearAutoencoder,
    "vae": VAE,
    "conditional": ConditionalVAE,
    "discrete": DiscreteVAE,
    "classifier": Classifier,
    "colouriser": Colouriser,
    "variational_colouriser": VariationalColouriser,
    "super_resolution": SuperResolution,
}

__all__ = [
    "MODELS", "VAE", "Autoencoder", "Classifier", "Colouriser", "ConditionalVAE", "DenoisingAutoencoder", "DiscreteVAE",
    "LatentModel", "LinearAutoencoder", "LossTerms", "Posterior", "RestoringModel", "SuperResolution",
    "VariationalColouriser",
]  # fmt: skip
