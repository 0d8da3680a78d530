"""PCA, principal angles, the linear autoencoder that finds PCA's subspace, and training on all data at once."""

from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest
import torch
from playwright.sync_api import Browser
from sklearn.decomposition import PCA as Reference
from torch import Tensor

from ui.browser import source
from vae_core.checkpoints import round_weights
from vae_core.errors import InvalidInput
from vae_core.latent.browser import pack_decoder
from vae_core.latent.pca import PCA, Moments, moments, pca, principal_angles
from vae_core.models import LinearAutoencoder
from vae_core.training.full_batch import curve_down, glide

IMAGE = (1, 4, 6)
PIXELS = 24


class Drawn:
    """Images whose pixels hang together, with a mean far from zero."""

    def __init__(self, count: int = 5000) -> None:
        noise = torch.Generator().manual_seed(4)
        mix = torch.randn(PIXELS, PIXELS, generator=noise) * 0.8 ** torch.arange(PIXELS)[:, None]
        self.x = (torch.randn(count, PIXELS, generator=noise) @ mix + 3).view(count, *IMAGE)

    def __len__(self) -> int:
        return len(self.x)

    def images(self, index: Tensor) -> Tensor:
        return self.x[index]


@pytest.fixture(scope="module")
def drawn() -> Drawn:
    return Drawn()


@pytest.fixture(scope="module")
def data(drawn: Drawn) -> Moments:
    return moments(drawn)


@pytest.fixture(scope="module")
def found(data: Moments) -> PCA:
    return pca(data, PIXELS)


def test_moments_are_those_of_numpy(drawn: Drawn, data: Moments) -> None:
    flat = drawn.x.flatten(1).double().numpy()
    np.testing.assert_allclose(data.mean, flat.mean(0), atol=1e-6)
    np.testing.assert_allclose(data.covariance, np.cov(flat.T, bias=True), atol=1e-5)
    assert data.images == len(flat)


def test_pca_is_that_of_scikit_learn(drawn: Drawn, found: PCA) -> None:
    flat = drawn.x.flatten(1).double().numpy()
    reference = Reference(svd_solver="full").fit(flat)
    np.testing.assert_allclose(found.variances, reference.explained_variance_ * (1 - 1 / len(flat)), atol=1e-5)
    np.testing.assert_allclose(found.variances / found.total, reference.explained_variance_ratio_, atol=1e-6)
    leading = np.abs((found.directions * reference.components_).sum(1))[:8]  # up to their sign
    np.testing.assert_allclose(leading, 1, atol=1e-6)
    reference = Reference(5, svd_solver="full").fit(flat)
    theirs = reference.inverse_transform(reference.transform(flat))
    np.testing.assert_allclose(found.decode(found.encode(flat, 5)), theirs, atol=1e-3)


def test_pca_keeps_all_with_all_its_components(drawn: Drawn, found: PCA) -> None:
    flat = drawn.x[:7].flatten(1).double().numpy()
    np.testing.assert_allclose(found.decode(found.encode(flat)), flat, atol=1e-10)
    largest = np.take_along_axis(found.directions, np.abs(found.directions).argmax(1)[:, None], 1)
    assert (largest > 0).all(), "the sign is settled"


@pytest.mark.parametrize("angle", [0.0, 1e-6, 0.5, 45.0, 89.9999, 90.0])
def test_a_known_angle(angle: float) -> None:
    """Two planes that share a line and are an angle apart; small angles keep their digits."""
    a = np.eye(5)[:, :2]
    b = a.copy()
    b[[1, 3], 1] = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    mixed = b @ np.array([[2.0, 1.0], [-3.0, 0.5]])  # another basis of the same plane
    np.testing.assert_allclose(principal_angles(a, mixed), [0, angle], atol=1e-9, rtol=1e-6)


@pytest.mark.parametrize(("k", "other"), [(3, 3), (5, 2), (2, 5)])
def test_angles_are_those_of_scipy(k: int, other: int) -> None:
    linalg = import_module("scipy.linalg")  # scikit-learn brings it along
    chance = np.random.default_rng(0)
    a, b = chance.normal(size=(20, k)), chance.normal(size=(20, other))
    theirs = np.degrees(linalg.subspace_angles(a, b))[::-1]  # scipy's fall
    np.testing.assert_allclose(principal_angles(a, b), theirs, atol=1e-9)


def test_what_cannot_be_reduced_is_named(data: Moments) -> None:
    with pytest.raises(InvalidInput, match="1 to 24"):
        pca(data, 25)
    with pytest.raises(InvalidInput, match="no variance"):
        moments(Drawn(1))
    with pytest.raises(InvalidInput, match="one length"):
        principal_angles(np.eye(3), np.eye(4))


def linear(latent: int = 3) -> LinearAutoencoder:
    return LinearAutoencoder(LinearAutoencoder.Config(image=IMAGE, latent=latent)).double()


def test_the_error_from_the_moments_is_the_error_over_all_images(drawn: Drawn, data: Moments) -> None:
    model = linear()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
        x = drawn.x.double()
        flat, middle = x.flatten(1), x.flatten(1).mean(0)
        exact = Moments(middle, (flat - middle).T @ (flat - middle) / len(flat), len(flat))
        coded = flat @ model.matrices[0].T + model.matrices[1]
        directly = (coded @ model.matrices[2].T + model.matrices[3] - flat).square().sum() / len(flat)
        torch.testing.assert_close(model.squared_error(exact.mean, exact.covariance), directly)


@pytest.mark.parametrize("latent", [1, 3, 6])
def test_a_trained_linear_autoencoder_spans_the_subspace_of_pca_in_a_basis_of_its_own(
    data: Moments, found: PCA, latent: int
) -> None:
    model = linear(latent)
    centre = torch.zeros(PIXELS, dtype=torch.float64)
    covariance = data.covariance
    losses = [step.loss for step in curve_down(model, lambda: model.squared_error(centre, covariance), 600, 20, 1e-9)]
    assert losses == sorted(losses, reverse=True)
    basis = model.matrices[2].detach().numpy()
    directions = found.directions[:latent].T
    assert principal_angles(basis, directions)[-1] < 0.5
    whole = model.about(data.mean).squared_error(data.mean, covariance)
    assert losses[-1] == pytest.approx(whole.item()), "with the mean put back it errs as much"
    assert losses[-1] == pytest.approx(found.total - found.variances[:latent].sum(), rel=1e-4)
    if latent > 1:
        cosines = np.abs((basis / np.linalg.norm(basis, axis=0) * directions).sum(0))
        assert cosines.min() < 0.95


def test_turned_latents_reconstruct_the_same(drawn: Drawn) -> None:
    model = linear().float()
    x = drawn.x[:9]
    with torch.no_grad():
        other = model.turned(0.7)
        torch.testing.assert_close(other.mean(other.encode(x).mean), model.mean(model.encode(x).mean))
        assert not torch.allclose(other.matrices[2], model.matrices[2], atol=1e-3)
        torch.testing.assert_close(other.encode(x).mean[:, 2], model.encode(x).mean[:, 2])


def test_pictures_are_clipped_and_the_error_is_not() -> None:
    model = linear().float()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(2.0)
    z = torch.ones(2, 3)
    assert model.decode(z).max() == 1 < model.mean(z).min()
    x = torch.ones(2, *IMAGE)
    assert model.recon_per_image(x, z)[0].item() == pytest.approx(
        PIXELS * (0.5 * 49 + 0.5 * np.log(2 * np.pi)), rel=1e-5
    )


def test_descents_tell_where_they_stand_and_end() -> None:
    class Bowl(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.at = torch.nn.Parameter(torch.tensor([4.0, -3.0]))

        def forward(self) -> Tensor:
            return (self.at * torch.tensor([1.0, 5.0])).square().sum() + 1

    bowl = Bowl()
    assert [step.step for step in glide(bowl, bowl, 45, 0.3, every=20)] == [20, 40, 45]
    bowl = Bowl()
    told = list(curve_down(bowl, bowl, 1000, 10, 1e-6))
    assert told[-1].step < 100 and told[-1].loss == pytest.approx(1, abs=1e-6), "ends where nothing more is gained"


@pytest.mark.browser
def test_the_browser_clips_as_pytorch_does(browser: Browser) -> None:
    model = linear().float()
    with torch.no_grad():
        model.matrices[2].mul_(8)
        model.matrices[3].add_(0.5)
    round_weights(model, "float16")
    codes = torch.randn(5, 3)
    pack = list(pack_decoder(model.decoder, IMAGE, 3, model.pixels))
    page = browser.new_page()
    script = source("decoder.js") + "\nreturn codes.map((z) => Array.from(makeDecoder(parsePack(bytes)).decode(z)));"
    told = page.evaluate(
        f"([pack, codes]) => {{ const bytes = new Uint8Array(pack);\n{script} }}", [pack, codes.tolist()]
    )
    page.close()
    expected = model.decode(codes).detach()
    assert 0 < (expected == 0).float().mean() < 1 and (expected == 1).any()
    np.testing.assert_allclose(np.array(told).reshape(5, *IMAGE), expected, atol=1e-5)
