"""How strange a picture is to a VAE that was trained on normal ones alone: three scores, more means stranger."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from vae_core.errors import InvalidInput
from vae_core.latent.priors import Gaussian
from vae_core.losses import kl_to_standard_normal
from vae_core.metrics.trial import Source

DRAWS = 4  # of z for each picture, behind its ELBO
BATCH = 1000  # pictures at a time


class Score(NamedTuple):
    """A score by description; `source`: the paper it stands in, in words for the screen."""

    title: str
    unit: str
    source: str


SCORES = {
    "error": Score("Reconstruction error", "squared error, summed over pixels", "Sakurada and Yairi 2014"),
    "elbo": Score("\u2212ELBO", "nats", "Kingma and Welling 2014; An and Cho 2015 score by its first term alone"),
    "distance": Score("Latent distance", "Mahalanobis distance", "Denouden et al. 2018"),
}


class Strangeness(NamedTuple):
    """The three scores of N pictures."""

    error: Tensor  # [N]
    elbo: Tensor  # [N]
    distance: Tensor  # [N]


def error_map(model: Any, x: Tensor) -> Tensor:
    """The squared error of every pixel of pictures, rebuilt from the mean of their posterior; both [B, C, H, W]."""
    return (model.decode(model.encode(x).mean) - x).square()


def outline(x: Tensor) -> Tensor:
    """The length of the outlines in pictures [B, C, H, W], dark to light: [B], in pixels. It is their total variation,
    the sum of all steps between pixels side by side and one above the other (after Rudin, Osher and Fatemi 1992)."""
    across, down = (x[..., 1:] - x[..., :-1]).abs(), (x[..., 1:, :] - x[..., :-1, :]).abs()
    return across.sum((1, 2, 3)) + down.sum((1, 2, 3))


def mahalanobis(codes: Tensor, normal: Gaussian) -> Tensor:
    """How far codes [N, Z] lie from the centre of the normal ones, in standard deviations along their way: [N]."""
    away = (codes - normal.mean).double()
    return torch.linalg.solve_triangular(normal.cholesky.double(), away.T, upper=False).norm(dim=0)


def strangeness(model: Any, x: Tensor, normal: Gaussian, generator: torch.Generator, draws: int = DRAWS) -> Strangeness:
    """The scores of pictures [B, C, H, W], [B] each, in float64.

    `error`: |x - decode(mean)|^2, summed over pixels. `elbo`: E_q[-log p(x | z)] + KL(q(z | x) || p(z)) in nats, with
    beta 1 and `draws` samples of z. `distance`: that of the posterior mean from the `normal` Gaussian, fitted to the
    posterior means of normal training pictures. Raises InvalidInput for a model without a posterior.
    """
    posterior = model.encode(x)
    mean, logvar = posterior.mean, posterior.logvar
    if logvar is None:
        raise InvalidInput("An autoencoder has no ELBO; choose a VAE.")
    recon = torch.zeros(len(x), dtype=torch.float64)
    for _ in range(draws):
        z = mean + torch.exp(0.5 * logvar) * torch.randn(mean.shape, generator=generator)
        recon += model.recon_per_image(x, z).double() / draws
    kl = kl_to_standard_normal(mean.double(), logvar.double()).sum(1)
    error = (model.decode(mean) - x).square().sum((1, 2, 3))
    return Strangeness(error.double(), recon + kl, mahalanobis(mean, normal))


def strangeness_of_all(
    model: Any, source: Source, normal: Gaussian, seed: int = 0, draws: int = DRAWS
) -> Iterator[tuple[int, Strangeness]]:
    """The scores of all N pictures of a source, a batch after the other: how many are done, and theirs."""
    generator = torch.Generator().manual_seed(seed)
    with torch.inference_mode():
        done = 0
        for index in _batches(source):
            done += len(index)
            yield done, strangeness(model, source.images(index), normal, generator, draws)


def codes_of_all(model: Any, source: Source) -> Tensor:
    """Posterior means [N, Z] of all N pictures of a source."""
    with torch.inference_mode():
        return torch.cat([model.encode(source.images(index)).mean for index in _batches(source)])


def outlines_of_all(source: Source) -> np.ndarray:
    """The length of the outline of every picture of a source: [N], in pixels."""
    return torch.cat([outline(source.images(index)) for index in _batches(source)]).numpy()


def _batches(source: Source) -> tuple[Tensor, ...]:
    return torch.arange(len(source)).split(BATCH)
