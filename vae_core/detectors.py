"""Three ways to notice a strange signal: each rebuilds it from what is usual, and what it misses is its strangeness."""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from vae_core.data.signals import Scale, SignalSource, scale_of
from vae_core.latent.pca import PCA, Moments, pca
from vae_core.models import Autoencoder
from vae_core.training import Training, TrainSettings

HIDDEN = (64, 32)  # widths of the network
SIGMA = 0.1  # of the Gaussian likelihood, in units of the scale
STEPS, BATCH = 2500, 32  # of the training: as many for few signals as for many
PART = 4096  # signals that go through the network at a time


class Detector(Protocol):
    """Rebuilds signals [N, L], in their own units, as well as what it has learned allows."""

    def rebuilt(self, values: np.ndarray) -> np.ndarray: ...


class MeanSignal:
    """Knows one signal: the mean of those it was shown."""

    def __init__(self, values: np.ndarray) -> None:
        self.mean = values.mean(axis=0, dtype=np.float64)  # [L]

    def rebuilt(self, values: np.ndarray) -> np.ndarray:
        return np.broadcast_to(self.mean, values.shape)


class PrincipalComponents:
    """Knows the mean and the K directions along which the signals that it was shown differ most."""

    def __init__(self, values: np.ndarray, components: int) -> None:
        x = values.astype(np.float64)
        mean = x.mean(axis=0)
        covariance = (x - mean).T @ (x - mean) / len(x)
        moments = Moments(torch.from_numpy(mean), torch.from_numpy(covariance), len(x))
        self.pca: PCA = pca(moments, min(components, x.shape[1]))

    def rebuilt(self, values: np.ndarray) -> np.ndarray:
        return self.pca.decode(self.pca.encode(values.astype(np.float64)))


class Network:
    """An autoencoder, and the scale on which it was trained."""

    def __init__(self, model: Autoencoder, scale: Scale) -> None:
        self.model, self.scale = model, scale

    def rebuilt(self, values: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            parts = [self._decoded(part) for part in self.scale.to_unit(values).split(PART)]
        return self.scale.from_unit(torch.cat(parts))

    def _decoded(self, x: Tensor) -> Tensor:
        return self.model.decode(self.model.encode(x).mean)


def squared_errors(values: np.ndarray, rebuilt: np.ndarray) -> np.ndarray:
    """The squared error of every sample, in squared units of the signals: [N, L]."""
    return (values.astype(np.float64) - rebuilt) ** 2


def strangeness(detector: Detector, values: np.ndarray) -> np.ndarray:
    """The score of signals [N, L]: the root mean squared error over their samples, in their own units, [N]. More means
    stranger."""
    return np.sqrt(squared_errors(values, detector.rebuilt(values)).mean(axis=1))


def new_training(values: np.ndarray, latent: int, seed: int = 0, steps: int = STEPS) -> tuple[Network, Training]:
    """An untrained network with so many latents, and its training on signals [N, L], which goes on in `run()`.

    Raises InvalidInput where all samples are the same.
    """
    source = SignalSource(values, scale_of(values))
    torch.manual_seed(seed)
    model = Autoencoder(Autoencoder.Config(source.shape, latent, hidden=HIDDEN, likelihood="gaussian", sigma=SIGMA))
    batch = min(BATCH, len(source))
    epochs = math.ceil(steps / (len(source) // batch))
    settings = TrainSettings(epochs=epochs, batch=batch, seed=seed, precision="float32")
    return Network(model, source.scale), Training(model, source, settings, torch.device("cpu"))


def alarm_threshold(training_scores: np.ndarray, share: float) -> float:
    """The score that this share of the training signals does not reach: a threshold that needs no label."""
    return float(np.quantile(training_scores, share))
