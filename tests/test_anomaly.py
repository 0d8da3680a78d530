"""The scores of strangeness on a model whose every term is known."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.conftest import blob_source
from vae_core.errors import InvalidInput
from vae_core.latent.priors import fit_gaussian, standard_normal
from vae_core.metrics.anomaly import (
    codes_of_all,
    error_map,
    mahalanobis,
    outline,
    outlines_of_all,
    strangeness,
    strangeness_of_all,
)
from vae_core.models import VAE, Autoencoder

SPREAD = 0.5


class Linear:
    """q(z | x) = N(x / 2, SPREAD^2) and p(x | z) = N(x; z, 1), without its constants, on pictures of 1 x 1 x 2."""

    def encode(self, x: Tensor) -> SimpleNamespace:
        mean = 0.5 * x.flatten(1)
        return SimpleNamespace(mean=mean, logvar=torch.full_like(mean, 2 * math.log(SPREAD)))

    def decode(self, z: Tensor) -> Tensor:
        return z[:, None, None]

    def recon_per_image(self, x: Tensor, z: Tensor) -> Tensor:
        return 0.5 * (x - self.decode(z)).square().sum((1, 2, 3))


def noise() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_every_score_of_a_known_model() -> None:
    x = torch.tensor([[[[2.0, 4.0]]], [[[0.0, 0.0]]]])
    told = strangeness(Linear(), x, standard_normal(2), noise(), draws=20_000)
    np.testing.assert_allclose(told.error, [1 + 4, 0])
    # E|x - z|^2 / 2 with z ~ N(x/2, 1/4), and KL(N(m, 1/4) || N(0, 1)) for each of two latents
    recon = [0.5 * (5 + 2 * SPREAD**2), 0.5 * 2 * SPREAD**2]
    kl = [0.5 * (5 + 2 * (SPREAD**2 - 1 - 2 * math.log(SPREAD))), SPREAD**2 - 1 - 2 * math.log(SPREAD)]
    np.testing.assert_allclose(told.elbo, np.add(recon, kl), atol=0.03)
    np.testing.assert_allclose(told.distance, [math.sqrt(5), 0])
    np.testing.assert_allclose(error_map(Linear(), x)[0, 0, 0], [1, 4])


def test_the_distance_is_that_of_the_formula() -> None:
    codes = torch.randn(200, 3, generator=noise()) @ torch.tensor([[2.0, 0, 0], [1, 1, 0], [0, 3, 0.2]]) + 5
    found = mahalanobis(codes[:20], fit_gaussian(codes))
    inverse = np.linalg.inv(np.cov(codes.double().T.numpy()))
    away = (codes[:20] - codes.mean(0)).double().numpy()
    expected = [math.sqrt(each @ inverse @ each) for each in away]
    np.testing.assert_allclose(found, expected, rtol=1e-3)


def test_the_outline_of_a_square() -> None:
    x = torch.zeros(3, 1, 10, 10)
    x[1, :, 2:6, 3:7] = 1.0
    x[2, :, 2:6, 3:7] = 0.5
    assert outline(x).tolist() == [0, 16, 8]


def test_batches_score_as_one_and_a_seed_repeats() -> None:
    torch.manual_seed(0)
    model = VAE(VAE.Config(image=(1, 12, 12), latent=3, hidden=(16,), likelihood="gaussian_learned")).eval()
    source, normal = blob_source(1200), standard_normal(3)
    parts = list(strangeness_of_all(model, source, normal))
    assert [done for done, _ in parts] == [1000, 1200] and [len(part.error) for _, part in parts] == [1000, 200]
    again = list(strangeness_of_all(model, source, normal))
    assert all(torch.equal(one.elbo, two.elbo) for (_, one), (_, two) in zip(parts, again, strict=True))
    x = source.images(torch.arange(1200))
    with torch.inference_mode():
        whole = strangeness(model, x, normal, noise())
    torch.testing.assert_close(torch.cat([part.error for _, part in parts]), whole.error)
    torch.testing.assert_close(torch.cat([part.distance for _, part in parts]), whole.distance)
    torch.testing.assert_close(codes_of_all(model, source), model.encode(x).mean.detach())
    np.testing.assert_allclose(outlines_of_all(source), outline(x), rtol=1e-6)


def test_a_model_without_a_posterior_is_refused() -> None:
    model = Autoencoder(Autoencoder.Config(image=(1, 12, 12), latent=3, hidden=(16,))).eval()
    with pytest.raises(InvalidInput, match="no ELBO"):
        strangeness(model, torch.rand(2, 1, 12, 12), standard_normal(3), noise())
