"""Pictures made small and large by filters: what Pillow and PyTorch make of them, and what must not change."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn.functional import avg_pool2d, interpolate

from vae_core.errors import InvalidInput
from vae_core.imaging.resampling import (
    AREA,
    BICUBIC,
    FILTERS,
    LANCZOS,
    NEAREST,
    OF_PILLOW,
    SHARP_BICUBIC,
    eight_bits,
    enlarged,
    interpolated,
    reduced,
    resized,
    weights,
)

x = torch.rand(2, 3, 12, 20, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("name", OF_PILLOW)
@pytest.mark.parametrize("size", [(6, 10), (24, 40), (5, 33)])
def test_a_batch_becomes_what_pillow_makes_of_each_picture(name: str, size: tuple[int, int]) -> None:
    made = resized(x, *size, name)
    for picture, expected in zip(x.flatten(0, 1), made.flatten(0, 1), strict=True):
        one = np.asarray(Image.fromarray(picture.numpy()).resize(size[::-1], OF_PILLOW[name]))
        np.testing.assert_allclose(expected.numpy(), one, atol=1e-5)


def test_the_area_is_the_mean_and_both_bicubic_kernels_are_those_of_pytorch() -> None:
    torch.testing.assert_close(resized(x, 6, 10, AREA), avg_pool2d(x, 2))
    torch.testing.assert_close(resized(x, 24, 40, SHARP_BICUBIC), interpolate(x, size=(24, 40), mode="bicubic"))
    smooth = interpolate(x, size=(6, 10), mode="bicubic", antialias=True)
    torch.testing.assert_close(resized(x, 6, 10, BICUBIC), smooth, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize(("before", "after"), [(7, 28), (16, 32), (5, 5)])
def test_a_flat_picture_stays_flat_and_an_equal_size_changes_nothing(name: str, before: int, after: int) -> None:
    matrix = weights(name, before, after)
    torch.testing.assert_close(matrix.sum(1), torch.ones(after))
    if before == after:
        torch.testing.assert_close(matrix, torch.eye(before))


def test_a_small_picture_is_one_that_a_file_can_hold() -> None:
    small = reduced(x, 4)
    assert small.shape == (2, 3, 3, 5)
    assert torch.equal((255 * small).round() / 255, small)
    torch.testing.assert_close(small, avg_pool2d(x, 4), rtol=0, atol=0.5001 / 255)
    assert torch.equal(eight_bits(torch.tensor([-1.0, 0.5, 2.0])), torch.tensor([0.0, 128 / 255, 1.0]))


def test_every_interpolation_keeps_to_the_range_and_to_the_small_picture() -> None:
    small = reduced((x > 0.5).float(), 2)
    made = interpolated(small, 2)
    assert list(made) == ["nearest", "bicubic", "lanczos"]
    for picture in made.values():
        assert picture.shape == x.shape and picture.min() >= 0 and picture.max() <= 1
    assert torch.equal(reduced(made["nearest"], 2), small), "made small again it is what was given"
    assert resized(small, 12, 20, LANCZOS).max() > 1, "negative weights leave the range"
    assert torch.equal(enlarged(small, 2, NEAREST), small.repeat_interleave(2, -1).repeat_interleave(2, -2))


def test_bfloat16_does_not_reach_it() -> None:
    exact = resized(x, 24, 40, LANCZOS)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(resized(x, 24, 40, LANCZOS), exact)
        assert (weights(LANCZOS, 12, 24) @ x).dtype == torch.bfloat16, "elsewhere it would"


@pytest.mark.parametrize("name", FILTERS)
def test_what_inference_has_kept_lets_a_gradient_pass(name: str) -> None:
    weights.cache_clear()
    with torch.inference_mode():
        resized(x, 6, 10, name)
    given = x.clone().requires_grad_()
    resized(given, 6, 10, name).sum().backward()
    assert given.grad is not None and given.grad.abs().sum() > 0


def test_what_cannot_be_resampled_is_told() -> None:
    with pytest.raises(InvalidInput, match="12 x 20 cannot be made 3 times smaller"):
        reduced(x, 3)
    with pytest.raises(InvalidInput, match="'box'"):
        weights("box", 4, 8)
    with pytest.raises(InvalidInput, match="from 1"):
        weights(AREA, 4, 0)
