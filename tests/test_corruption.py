"""The three kinds of noise, against what is known of them, and the model that is trained on them."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from tests.test_models import build, pictures
from vae_core.errors import InvalidInput
from vae_core.imaging.corruption import GAUSSIAN, KINDS, MASKING, SALT_AND_PEPPER, corrupt, corrupt_each
from vae_core.models import DenoisingAutoencoder
from vae_core.objective import Context


def draws(seed: int = 3) -> Context:
    return Context(generator=torch.Generator().manual_seed(seed))


def grey(count: int = 40, channels: int = 1) -> Tensor:
    return torch.full((count, channels, 28, 28), 0.25)


def test_gaussian_noise_has_its_standard_deviation_and_leaves_the_range() -> None:
    added = corrupt(grey(), GAUSSIAN, 0.5, draws()) - grey()
    assert added.mean().item() == pytest.approx(0, abs=0.01)
    assert added.std().item() == pytest.approx(0.5, abs=0.01)
    assert (added + 0.25).min() < 0 and (added + 0.25).max() > 1
    clipped = corrupt(grey(), GAUSSIAN, 0.5, draws(), clip=True)
    torch.testing.assert_close(clipped, (grey() + added).clamp(0, 1))


@pytest.mark.parametrize("channels", [1, 3])
def test_salt_and_pepper_replaces_a_share_half_by_1_and_half_by_0(channels: int) -> None:
    noisy = corrupt(grey(channels=channels), SALT_AND_PEPPER, 0.3, draws())
    assert (noisy == 1).double().mean().item() == pytest.approx(0.15, abs=0.01)
    assert (noisy == 0).double().mean().item() == pytest.approx(0.15, abs=0.01)
    assert ((noisy == 0) | (noisy == 1) | (noisy == 0.25)).all()
    assert (noisy == noisy[:, :1]).all(), "a pixel is lost in all channels, or in none"


def test_masking_sets_a_share_to_0() -> None:
    noisy = corrupt(grey(), MASKING, 0.3, draws())
    assert (noisy == 0).double().mean().item() == pytest.approx(0.3, abs=0.01)
    assert ((noisy == 0) | (noisy == 0.25)).all()


@pytest.mark.parametrize("kind", KINDS)
def test_level_0_changes_nothing_and_a_seed_decides(kind: str) -> None:
    x, _ = pictures()
    assert torch.equal(corrupt(x, kind, 0.0, draws()), x)
    assert torch.equal(corrupt(x, kind, 0.4, draws(1)), corrupt(x, kind, 0.4, draws(1)))
    assert not torch.equal(corrupt(x, kind, 0.4, draws(1)), corrupt(x, kind, 0.4, draws(2)))


@pytest.mark.parametrize("kind", [SALT_AND_PEPPER, MASKING])
def test_at_level_1_nothing_of_the_picture_is_left(kind: str) -> None:
    assert set(corrupt(grey(), kind, 1.0, draws()).unique().tolist()) <= {0.0, 1.0}


@pytest.mark.parametrize(
    ("kind", "level"),
    [("fog", 0.1), (GAUSSIAN, -0.1), (GAUSSIAN, math.inf), (MASKING, 1.1), (SALT_AND_PEPPER, math.nan)],
)
def test_a_kind_or_level_that_cannot_be_is_named(kind: str, level: float) -> None:
    with pytest.raises(InvalidInput, match=kind):
        corrupt(grey(), kind, level, draws())


def test_each_picture_gets_a_kind_and_a_level_of_its_own() -> None:
    noisy = corrupt_each(grey(600), KINDS, (0.2, 0.6), 0.5, draws())
    by_kind: dict[str, list[Tensor]] = {kind: [] for kind in KINDS}
    for picture in noisy:
        lost = picture != 0.25
        values = set(picture[lost].unique().tolist())
        by_kind[MASKING if values == {0.0} else SALT_AND_PEPPER if values == {0.0, 1.0} else GAUSSIAN].append(picture)
    shares = {kind: len(found) / 600 for kind, found in by_kind.items()}
    assert all(share == pytest.approx(1 / 3, abs=0.06) for share in shares.values()), shares
    lost = torch.stack([(picture == 0).double().mean() for picture in by_kind[MASKING]])
    assert 0.15 < lost.min() < 0.25 and 0.55 < lost.max() < 0.65
    inside = [float(picture.min()) >= 0 and float(picture.max()) <= 1 for picture in by_kind[GAUSSIAN]]
    assert sum(inside) / len(inside) == pytest.approx(0.5, abs=0.1), "a half of them is cut off"


def test_the_parts_of_a_batch_get_the_noise_of_the_whole() -> None:
    x, _ = pictures(8)
    whole = corrupt_each(x, KINDS, (0.1, 0.6), 0.5, draws())
    for rank in range(2):
        own = Context(rank=rank, world=2, generator=torch.Generator().manual_seed(3))
        rows = slice(4 * rank, 4 * rank + 4)
        assert torch.equal(corrupt_each(x[rows], KINDS, (0.1, 0.6), 0.5, own), whole[rows])


def test_the_loss_compares_with_the_clean_picture() -> None:
    model: DenoisingAutoencoder = build("denoising", lowest=0.5, highest=0.5, kinds=(MASKING,), clipped=0.0)
    x, _ = pictures()
    terms = model.loss(x, context=draws())
    noise = corrupt_each(x, (MASKING,), (0.5, 0.5), 0.0, draws())
    torch.testing.assert_close(terms.recon, model.recon_per_image(x, model.encode(noise).mean).mean())
    torch.testing.assert_close(model.denoise(noise), model.decode(model.encode(noise).mean))


def test_without_noise_it_is_a_plain_autoencoder() -> None:
    x, _ = pictures()
    model = build("denoising", lowest=0.0, highest=0.0)
    plain = build("autoencoder")
    plain.load_state_dict(model.state_dict())
    torch.testing.assert_close(model.loss(x).total, plain.loss(x).total)


@pytest.mark.parametrize(
    ("setting", "value"),
    [("kinds", ()), ("kinds", ("fog",)), ("lowest", -0.1), ("highest", 1.5), ("highest", math.nan), ("clipped", 2.0)],
)
def test_a_setting_out_of_range_is_named(setting: str, value: object) -> None:
    with pytest.raises(InvalidInput, match=setting):
        build("denoising", **{setting: value})
