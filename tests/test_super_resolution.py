"""The network that enlarges: what it is shown, where its training begins, what it takes, and what it learns."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn.functional import avg_pool2d, interpolate

from vae_core.data.base import StoredImages
from vae_core.errors import InvalidInput
from vae_core.metrics import evaluate_all
from vae_core.metrics.fidelity import psnr
from vae_core.models import SuperResolution
from vae_core.models.super_resolution import SuperResolutionConfig
from vae_core.recipes import BANKS
from vae_core.training import TrainSettings, train


def build(**settings: Any) -> SuperResolution:
    return SuperResolution(SuperResolutionConfig(**{"width": 8, "blocks": 1, **settings})).eval()


def squares(count: int, side: int = 16) -> StoredImages:
    """Bright squares on a dark ground, at any place: an edge between two small pixels can be found again."""
    draws = torch.Generator().manual_seed(5)
    corner = torch.randint(0, side - 7, (count, 2), generator=draws)
    pixels = torch.zeros(count, 1, side, side, dtype=torch.uint8)
    for picture, (top, left) in zip(pixels, corner.tolist(), strict=True):
        picture[:, top : top + 7, left : left + 7] = 255
    return StoredImages(pixels.numpy(), torch.zeros(count, dtype=torch.uint8).numpy())


@pytest.mark.parametrize("factor", [2, 3, 4])
@pytest.mark.parametrize("image", [(1, 12, 24), (3, 24, 12)])
def test_it_is_shown_means_and_begins_next_to_bicubic(factor: int, image: tuple[int, int, int]) -> None:
    model, x = build(image=image, factor=factor), torch.rand(4, *image)
    shown = model.degraded(x)
    torch.testing.assert_close(shown, avg_pool2d(x, factor), rtol=0, atol=0.5001 / 255)
    assert torch.equal((255 * shown).round() / 255, shown), "8 bits"
    bicubic = interpolate(shown, scale_factor=factor, mode="bicubic").clamp(0, 1)
    torch.testing.assert_close(model.baseline(shown), bicubic)
    with torch.no_grad():
        torch.testing.assert_close(model.restored(shown), bicubic, rtol=0, atol=0.05)


def test_it_takes_pictures_of_any_size() -> None:
    model = build(factor=4)
    with torch.no_grad():
        assert model.restored(torch.rand(1, 3, 5, 9)).shape == (1, 3, 20, 36)


def test_what_it_adds_at_a_pixel_depends_on_the_neighbourhood_only() -> None:
    """Far from the border, a picture moved by a small pixel is enlarged into one moved by a large step."""
    model, small = build(), torch.rand(1, 3, 20, 20)
    with torch.no_grad():
        whole, moved = model.mean(small), model.mean(small.roll(1, -1))
    torch.testing.assert_close(whole[..., 12:-14, 12:-14], moved[..., 12:-14, 14:-12], rtol=0, atol=1e-5)


def test_it_learns_where_edges_are() -> None:
    """More than any interpolation knows: squares of a size that is always the same."""
    source, unseen = squares(256), squares(320).images(torch.arange(256, 320))
    model = build(image=(1, 16, 16), width=16)
    settings = TrainSettings(epochs=20, batch=32, lr=4e-3, precision="float32")
    for _ in train(model, source, settings, torch.device("cpu")):
        pass
    model.eval()
    with torch.no_grad():
        shown = model.degraded(unseen)
        gain = psnr(model.restored(shown), unseen) - psnr(model.baseline(shown), unseen)
    assert gain.mean() > 3


def test_its_scores_are_those_of_the_whole_set() -> None:
    model, source = build(image=(1, 16, 16)), squares(30)
    found = evaluate_all(model, source)
    x = source.images(torch.arange(30))
    with torch.no_grad():
        shown = model.degraded(x)
        assert found["psnr"] == pytest.approx(psnr(model.restored(shown), x).mean().item(), abs=1e-4)
        assert found["baseline_psnr"] == pytest.approx(psnr(model.baseline(shown), x).mean().item(), abs=1e-4)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"factor": 5}, "factor is 5"), ({"factor": 3}, "divides both sides"), ({"image": (2, 32, 32)}, "image"),
        ({"width": 0}, "width is 0"), ({"blocks": 65}, "blocks is 65"), ({"image": (3, 512, 32)}, "sides of 4 to 256"),
    ],
)  # fmt: skip
def test_settings_that_cannot_be_are_named(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        build(**settings)


def test_there_is_a_recipe_for_every_choice_of_the_lesson() -> None:
    names = {recipe.name: recipe for recipe in BANKS["super-resolution"]}
    assert set(names) == {"cifar-2x", "cifar-4x", "mnist-2x", "mnist-4x"}
    for name, recipe in names.items():
        assert recipe.config.factor == int(name[-2]) and recipe.data == {"c": "cifar10", "m": "mnist"}[name[0]]
