"""PSNR and SSIM against scikit-image, and against answers that are known."""

from __future__ import annotations

import math

import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from vae_core.errors import InvalidInput
from vae_core.metrics.fidelity import psnr, ssim

SHAPES = [(3, 1, 28, 28), (2, 3, 32, 40), (1, 1, 9, 7)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("strength", [0.02, 0.5])
def test_both_agree_with_scikit_image(shape: tuple[int, ...], strength: float) -> None:
    x = torch.rand(shape)
    y = (x + strength * torch.randn(shape)).clamp(0, 1)
    decibels, alike = psnr(x, y), ssim(x, y)
    assert decibels.shape == alike.shape == (shape[0],)
    for place, (one, other) in enumerate(zip(x.double().numpy(), y.double().numpy(), strict=True)):
        assert decibels[place].item() == pytest.approx(peak_signal_noise_ratio(one, other, data_range=1), abs=1e-9)
        expected = structural_similarity(one, other, data_range=1, channel_axis=0)
        assert alike[place].item() == pytest.approx(expected, abs=1e-9)


def test_answers_that_are_known() -> None:
    x = torch.rand(4, 1, 12, 12)
    assert torch.isinf(psnr(x, x)).all()
    torch.testing.assert_close(ssim(x, x), torch.ones(4, dtype=torch.float64))
    torch.testing.assert_close(psnr(x, x + 0.1), torch.full((4,), 20.0, dtype=torch.float64), rtol=0, atol=1e-4)
    black, white = torch.zeros(1, 1, 8, 8), torch.ones(1, 1, 8, 8)
    assert psnr(black, white).item() == 0
    assert ssim(black, white).item() == pytest.approx(0.01**2 / (1 + 0.01**2))
    noise = torch.randn(64, 1, 28, 28, generator=torch.Generator().manual_seed(2))
    wide = torch.zeros_like(noise)
    assert psnr(wide, 0.5 * noise).mean().item() == pytest.approx(-20 * math.log10(0.5), abs=0.05)


def test_pictures_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(InvalidInput, match=r"\(1, 1, 8, 8\)"):
        psnr(torch.zeros(2, 1, 8, 8), torch.zeros(1, 1, 8, 8))
    with pytest.raises(InvalidInput, match="B, C, H, W"):
        ssim(torch.zeros(8, 8), torch.zeros(8, 8))
    with pytest.raises(InvalidInput, match="window of 7"):
        ssim(torch.zeros(1, 1, 6, 9), torch.zeros(1, 1, 6, 9))
