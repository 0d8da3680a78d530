"""Colours in L, a, b against scikit-image, and what the two colourising networks learn where the answer is known."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from skimage import color
from torch import Tensor

from vae_core.data.base import StoredImages
from vae_core.errors import InvalidInput
from vae_core.imaging import colour
from vae_core.imaging.colour import chroma, colour_error, delta_e, lab_to_srgb, srgb_to_lab
from vae_core.models import Colouriser, VariationalColouriser
from vae_core.models.colouriser import UNIT, coloured
from vae_core.objective import Context
from vae_core.training import TrainSettings, train

IMAGE = (3, 4, 4)


def channels_last(x: Tensor) -> np.ndarray:
    return x.permute(0, 2, 3, 1).double().numpy()


def corners(count: int = 6) -> Tensor:
    """Pictures [B, 3, 16, 16] with black, white, nearly black and the corners of the cube among them."""
    x = torch.rand(count, 3, 16, 16)
    x[0] *= 0.05
    x[1, :, 0, :8] = torch.tensor([[i >> bit & 1 for i in range(8)] for bit in range(3)]).float()
    return x


def test_lab_is_what_scikit_image_makes() -> None:
    x = corners()
    np.testing.assert_allclose(channels_last(srgb_to_lab(x)), color.rgb2lab(channels_last(x)), atol=2e-4)


def test_mixed_precision_moves_no_colour() -> None:
    x = corners()
    with torch.autocast("cpu", torch.bfloat16):
        lab = srgb_to_lab(x)
        back = lab_to_srgb(lab)
    assert torch.equal(lab, srgb_to_lab(x)) and torch.equal(back, lab_to_srgb(lab))


def test_srgb_is_what_scikit_image_makes_also_of_what_no_screen_shows() -> None:
    lab = torch.stack([100 * torch.rand(5, 16, 16), *(220 * torch.rand(2, 5, 16, 16) - 110)], dim=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it tells of colours that there are not
        expected = color.lab2rgb(channels_last(lab))
    np.testing.assert_allclose(channels_last(lab_to_srgb(lab)), expected, atol=1e-5)
    assert lab_to_srgb(lab).min() == 0 and lab_to_srgb(lab).max() == 1


def test_there_and_back() -> None:
    x = corners()
    torch.testing.assert_close(lab_to_srgb(srgb_to_lab(x)), x, atol=1e-4, rtol=0)


def test_grey_has_no_chroma_and_lightness_from_0_to_100() -> None:
    grey = torch.linspace(0, 1, 16).expand(1, 3, 1, 16)
    lab = srgb_to_lab(grey)
    assert chroma(lab).max() < 0.01
    assert lab[0, 0, 0, 0] == pytest.approx(0, abs=1e-4) and lab[0, 0, 0, -1] == pytest.approx(100, abs=1e-3)


def test_delta_e_is_what_scikit_image_makes() -> None:
    one, other = srgb_to_lab(corners()), srgb_to_lab(torch.rand(6, 3, 16, 16))
    expected = color.deltaE_cie76(channels_last(one), channels_last(other))
    np.testing.assert_allclose(delta_e(one, other).numpy(), expected, rtol=1e-5)


def test_the_error_of_no_colour_is_the_chroma_of_the_truth() -> None:
    x = corners()
    grey = coloured(srgb_to_lab(x)[:, :1] / UNIT, torch.zeros(6, 2, 16, 16))
    told = colour_error(grey, x)
    torch.testing.assert_close(told.delta_e, chroma(srgb_to_lab(x)).mean((1, 2)), atol=2e-3, rtol=0)
    torch.testing.assert_close(told.ab, srgb_to_lab(x)[:, 1:].abs().mean((1, 2, 3)), atol=2e-3, rtol=0)
    assert told.chroma.max() < 0.01
    assert colour_error(x, x).delta_e.max() == 0


def test_what_inference_has_kept_lets_a_gradient_pass() -> None:
    colour._constants.cache_clear()
    with torch.inference_mode():
        lab_to_srgb(srgb_to_lab(corners()))
    x = corners().requires_grad_()
    lab_to_srgb(srgb_to_lab(x)).sum().backward()
    assert x.grad is not None and x.grad.abs().sum() > 0


def test_no_colour_of_a_screen_goes_beyond_110() -> None:
    """The largest |a| and |b| lie on the faces of the cube of colours."""
    faces = torch.stack(torch.meshgrid(*[torch.linspace(0, 1, 33)] * 3, indexing="ij")).flatten(1)
    faces = faces[:, (faces == 0).any(0) | (faces == 1).any(0)]
    assert 105 < srgb_to_lab(faces[None, :, None])[:, 1:].abs().max() < 110


@pytest.mark.parametrize("shape", [(3, 8, 8), (2, 1, 8, 8)])
def test_pictures_without_three_colours_are_named(shape: tuple[int, ...]) -> None:
    for convert in (srgb_to_lab, lab_to_srgb):
        with pytest.raises(InvalidInput, match="no three colours"):
            convert(torch.zeros(shape))


def two_colours(count: int) -> Tensor:
    """Flat pictures [B, 3, 4, 4] of one lightness, half of them reddish (a = 30), half greenish (a = -30)."""
    a = torch.where(torch.arange(count) % 2 == 0, 30.0, -30.0).view(-1, 1, 1).expand(-1, *IMAGE[1:])
    return lab_to_srgb(torch.stack([torch.full_like(a, 60), a, torch.zeros_like(a)], dim=1))


def taught(model: Colouriser) -> Any:
    pixels = (255 * two_colours(64)).round().byte().numpy()
    settings = TrainSettings(epochs=150, batch=64, lr=1e-2, warmup=0, clip=1000.0, precision="float32")
    for _ in train(model, StoredImages(pixels, np.zeros(64, np.uint8)), settings, torch.device("cpu")):
        pass
    return model.requires_grad_(False).eval()


def test_the_average_answers_with_neither_of_two_colours() -> None:
    model = taught(Colouriser(Colouriser.Config(IMAGE, channels=(8,))))
    x = two_colours(2)
    assert UNIT * model.colours(model.degraded(x))[:, 0].abs().max() < 6, "between +30 and -30 lies grey"
    assert colour_error(model.restored(model.degraded(x)), x).delta_e.mean() == pytest.approx(30, abs=5)


def test_draws_of_the_variational_one_are_now_the_one_colour_now_the_other() -> None:
    model = taught(VariationalColouriser(VariationalColouriser.Config(IMAGE, channels=(8,), latents=1)))
    shown = model.degraded(two_colours(1))
    made = model.drawn(shown, torch.randn(1, 400, 1, generator=torch.Generator().manual_seed(1)))[0]
    a = srgb_to_lab(made)[:, 1].mean((1, 2))
    assert (a > 12).float().mean() > 0.25 and (a < -12).float().mean() > 0.25
    assert model.loss(two_colours(64)).kl > math.log(2) - 0.1, "which of two colours it was takes a bit"


def small() -> VariationalColouriser:
    return VariationalColouriser(VariationalColouriser.Config((3, 16, 8), channels=(4, 6), latents=3)).eval()


def test_many_draws_at_once_are_those_one_by_one() -> None:
    model, x, z = small(), torch.rand(2, 3, 16, 8), torch.randn(2, 4, 3)
    shown = model.degraded(x)
    assert shown.shape == (2, 1, 16, 8) and shown.min() >= 0 and shown.max() <= 1
    made = model.drawn(shown, z)
    assert made.shape == (2, 4, 3, 16, 8)
    for picture in range(2):
        for draw in range(4):
            alone = coloured(shown[picture, None], model.colours(shown[picture, None], z[picture, draw, None]))[0]
            torch.testing.assert_close(made[picture, draw], alone)
    torch.testing.assert_close(model.restored(shown), model.drawn(shown, torch.zeros(2, 1, 3))[:, 0])


def test_what_is_shown_is_kept_where_a_screen_can_show_it() -> None:
    model, x = small(), 0.3 + 0.4 * torch.rand(2, 3, 16, 8)
    shown = model.degraded(x)
    for made in (model.baseline(shown), model.restored(shown)):
        torch.testing.assert_close(model.degraded(made), shown, atol=1e-3, rtol=0)


def test_the_bound_is_the_squared_error_with_its_constants_plus_the_kl() -> None:
    model, x = small(), torch.rand(5, 3, 16, 8)
    draws = [Context(generator=torch.Generator().manual_seed(2)) for _ in range(2)]
    terms, z = model.loss(x, context=draws[0]), model.posterior(x).sample(draws[1])
    truth = srgb_to_lab(x)[:, 1:] / UNIT
    normal = torch.distributions.Normal(model.colours(model.degraded(x), z), model.log_sigma.exp())
    torch.testing.assert_close(terms.recon, -normal.log_prob(truth).sum((1, 2, 3)).mean())
    posterior = model.posterior(x)
    kl = torch.distributions.kl_divergence(
        torch.distributions.Normal(posterior.mean, posterior.std), torch.distributions.Normal(0.0, 1.0)
    ).mean(0)
    torch.testing.assert_close(terms.kl_per_latent, kl)
    torch.testing.assert_close(terms.total, terms.recon + terms.kl)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("image", (1, 32, 32)), ("image", (3, 30, 32)), ("image", (3, 10**6, 8)), ("channels", ()),
        ("channels", (10**6,)), ("activation", "eval"), ("sigma", 0.0), ("sigma", math.nan), ("latents", 0),
        ("latents", 10**9), ("beta", -1.0), ("beta", math.nan),
    ],
)  # fmt: skip
def test_a_setting_out_of_range_is_named(setting: str, value: object) -> None:
    named = "image|channels" if setting == "image" else setting
    with pytest.raises(InvalidInput, match=named) as error:
        VariationalColouriser.Config(**{setting: value})  # type: ignore[arg-type]
    assert "allowed" in str(error.value)
