"""The VQ-VAE-2: whom the reconstruction reaches, what swaps and left-out bottoms do, and the prior given a map."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch

from tests.conftest import blob_source
from vae_core.checkpoints import read_bundled
from vae_core.data import dataset
from vae_core.errors import InvalidInput
from vae_core.metrics import METRICS, Trial
from vae_core.metrics.vq_vae2 import PATCHES, bands, coarse
from vae_core.models import VQVAE2, PixelCNN
from vae_core.models.pixelcnn import enlarged, numbers_of
from vae_core.objective import Context
from vae_core.runs import code_maps
from vae_core.runs.code_maps import CodeMaps, as_code_maps

IMAGE = (3, 16, 24)


def small(**settings: Any) -> VQVAE2:
    torch.manual_seed(0)
    shape = {"image": IMAGE, "codes": 16, "dimensions": 4, "width": 8, "narrow": 4, "restart": 0.0}
    return VQVAE2(VQVAE2.Config(**{**shape, **settings}))


def prior(**settings: Any) -> PixelCNN:
    torch.manual_seed(0)
    shape = {"image": (2, 4, 6), "codes": 7, "given": 5, "width": 8, "layers": 3, "classes": 2}
    return PixelCNN(PixelCNN.Config(**{**shape, **settings})).eval()


# Two levels.


@pytest.mark.parametrize(("image", "top", "bottom"), [(IMAGE, (2, 3), (4, 6)), ((1, 12, 12), (2, 2), (3, 3))])
def test_maps_and_pictures_have_their_sizes(
    image: tuple[int, int, int], top: tuple[int, int], bottom: tuple[int, int]
) -> None:
    model, x = small(image=image).eval(), torch.rand(5, *image)
    found = model.numbers(x)
    assert (found.top.shape[1:], found.bottom.shape[1:]) == (top, bottom)
    for made in (model.decode_levels(*found), model.decode_levels(found.top)):
        assert made.shape == x.shape and made.min() >= 0 and made.max() <= 1


def test_what_is_encoded_is_what_the_loss_sees() -> None:
    model, x = small().eval(), torch.rand(5, *IMAGE)
    top, bottom, unfolded = model.quantised(x)
    found = model.numbers(x)
    assert torch.equal(found.top, top.numbers) and torch.equal(found.bottom, bottom.numbers)
    error = (x - model.decoder(torch.cat([unfolded, bottom.vectors], 1))) ** 2
    sigma = model.config.sigma
    expected = (error / (2 * sigma**2) + math.log(sigma * math.sqrt(2 * math.pi))).sum((1, 2, 3)).mean()
    torch.testing.assert_close(model.loss(x).recon, expected)


def reached(blank: float) -> dict[str, bool]:
    """Which parts the gradient of the reconstruction of a training step reaches."""
    model, x = small(blank=blank, beta=0.0).train(), torch.rand(6, *IMAGE)
    model.loss(x).recon.backward()
    parts = {"beside": model.beside, "halve": model.halve, "unfold": model.unfold, "decoder": model.decoder}
    slopes = {name: [each.grad for each in part.parameters()] for name, part in parts.items()}
    slopes["blank"] = [model.blank.grad]
    return {name: any(each is not None and bool(each.any()) for each in own) for name, own in slopes.items()}


def test_a_bottom_that_is_left_out_learns_nothing_from_the_picture() -> None:
    everything = {"beside": True, "halve": True, "unfold": True, "decoder": True, "blank": True}
    assert reached(0.0) == {**everything, "blank": False}
    assert reached(1.0) == {**everything, "beside": False}
    assert reached(0.5) == everything


def test_only_the_images_that_are_left_out_lose_their_bottom() -> None:
    model = small()
    vectors = torch.randn(4, 4, 2, 2, requires_grad=True)
    left_out = torch.tensor([True, False, False, True])
    with torch.no_grad():
        model.blank.copy_(torch.arange(4.0))
    mixed = model.without(vectors, left_out)
    assert torch.equal(mixed[1:3], vectors[1:3])
    assert torch.equal(mixed[0], torch.arange(4.0)[:, None, None].expand(4, 2, 2))
    mixed.sum().backward()
    assert vectors.grad is not None and vectors.grad.flatten(1).sum(1).tolist() == [0, 16, 16, 0]
    assert model.blank.grad is not None and model.blank.grad.tolist() == [8.0] * 4


def test_the_share_that_is_left_out_is_that_of_the_settings() -> None:
    """And the same whatever the number of processes: each keeps its part of the same draws."""
    whole = Context(generator=torch.Generator().manual_seed(2)).uniform((4000,), torch.zeros(1)) < 0.25
    assert whole.float().mean().item() == pytest.approx(0.25, abs=0.03)
    parts = [
        Context(rank=rank, world=2, generator=torch.Generator().manual_seed(2)).uniform((2000,), torch.zeros(1)) < 0.25
        for rank in range(2)
    ]
    assert torch.equal(torch.cat(parts), whole)


def test_from_the_top_alone_is_the_picture_of_a_blank_bottom() -> None:
    model = small().eval()
    with torch.no_grad():
        model.blank.copy_(torch.tensor([1.0, -1.0, 0.5, 2.0]))
        model.bottom.codes[3] = model.blank
    top = torch.randint(16, (5, 2, 3))
    torch.testing.assert_close(model.decode_levels(top), model.decode_levels(top, torch.full((5, 4, 6), 3)))
    assert not torch.allclose(model.decode_levels(top), model.decode_levels(top, torch.full((5, 4, 6), 4)))


def test_the_bottom_is_chosen_given_the_top() -> None:
    """Another top codebook, other bottom numbers, though the picture is the same."""
    model, x = small().eval(), torch.rand(20, *IMAGE)
    with torch.no_grad():
        for book in (model.top, model.bottom):
            book.codes.normal_(std=0.3)
        before = model.numbers(x)
        model.top.codes.add_(3.0)
        after = model.numbers(x)
    assert (before.bottom != after.bottom).any()


def test_scores_of_a_model_that_knows_one_picture() -> None:
    """A decoder of zeros says black, from whatever level."""
    model, source = small().eval(), blob_source(30, IMAGE)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    found = METRICS["two_levels"].compute(Trial(model, source))
    x = source.images(torch.arange(30)).double()
    share = ((x**2).mean() / x.var(correction=0)).item()
    assert found.unexplained == found.top_unexplained == pytest.approx(share, rel=1e-5)
    means = coarse(x, PATCHES[0])
    large = ((means**2).mean() / means.var(correction=0)).item()
    assert found.top_bands.tolist() == pytest.approx([large, 1, 1, 1], rel=1e-5), "it explains nothing of the detail"
    torch.testing.assert_close(found.bands, found.top_bands)
    assert found.perplexity_top == found.perplexity_bottom == pytest.approx(1)
    assert len(found.usage_top) == 16 and found.usage_bottom.sum().item() == pytest.approx(1)


@pytest.mark.parametrize("sides", [(16, 24), (11, 9)])
def test_a_picture_and_its_squares_are_the_sums_of_its_parts(sides: tuple[int, int]) -> None:
    x = torch.rand(2, 3, *sides)
    parts = bands(x)
    torch.testing.assert_close(parts.sum(0), x)
    torch.testing.assert_close((parts**2).sum(), (x**2).sum())
    torch.testing.assert_close(parts[0, 1, 2, 9, 8], x[1, 2, 8:16, 8:16].mean())
    grey = bands(torch.full((1, 1, *sides), 0.3))
    assert grey[1:].abs().max() < 1e-6 and torch.allclose(grey[0], torch.tensor(0.3))


@pytest.mark.parametrize(
    ("setting", "value"), [("blank", 1.5), ("blank", math.nan), ("codes", 1), ("image", (3, 30, 32))]
)
def test_a_setting_out_of_range_is_named(setting: str, value: object) -> None:
    with pytest.raises(InvalidInput, match=setting):
        VQVAE2.Config(**{setting: value})  # type: ignore[arg-type]


# The prior given a map.


def test_no_code_sees_itself_or_what_comes_after_but_the_given_map_around_it() -> None:
    model, label = prior(layers=5), torch.tensor([1])
    numbers, given = torch.randint(7, (1, 4, 6)), torch.randint(5, (1, 2, 3))
    start = model.logits(numbers, label, given=given)
    for place in range(24):
        other = numbers.clone().view(-1)
        other[place] = (other[place] + 1) % 7
        moved = (model.logits(other.view(1, 4, 6), label, given=given) != start).any(1).flatten()
        assert not moved[: place + 1].any() and moved[place + 1 :].all()
    for place in range(6):
        other = given.clone().view(-1)
        other[place] = (other[place] + 1) % 5
        moved = (model.logits(numbers, label, given=other.view(1, 2, 3)) != start).any(1)[0]
        row, column = divmod(place, 3)
        assert moved[2 * row : 2 * row + 2, 2 * column : 2 * column + 2].all(), "the cells that it stands for know it"
        assert moved[0, 0], "and so does the very first cell, of what comes after it"


def test_a_cell_sees_the_given_map_four_cells_around_it() -> None:
    model = prior(image=(2, 8, 8), layers=2)
    numbers, given = torch.randint(7, (1, 8, 8)), torch.randint(5, (1, 4, 4))
    other = given.clone()
    other[0, 3, 3] = (other[0, 3, 3] + 1) % 5
    moved = (model.logits(numbers, given=other) != model.logits(numbers, given=given)).any(1)[0]
    assert moved[2:, 2:].all(), "the cells 6 and 7 of each side, and four before them"
    assert not moved[:2, :2].any()


def test_without_a_given_map_nothing_has_changed() -> None:
    """The parameters that a prior over one level has, and a given map that it has no use for."""
    model = prior(image=(1, 4, 6), given=0)
    assert not any("given" in name or "coarse" in name or "around" in name for name in model.state_dict())
    numbers = torch.randint(7, (3, 4, 6))
    told = torch.randint(5, (3, 2, 3))
    assert torch.equal(model.logits(numbers), model.logits(numbers, given=told))


def test_a_prior_that_needs_a_map_says_so() -> None:
    with pytest.raises(InvalidInput, match="coarser code map"):
        prior().sample(torch.rand(2, 4, 6))
    for settings in ({"image": (1, 4, 6)}, {"given": 0}, {"given": 1}, {"level": -1}):
        with pytest.raises(InvalidInput):
            prior(**settings)


def test_a_sample_is_drawn_from_the_chances_that_the_loss_knows() -> None:
    model, uniform, labels = prior(), torch.rand(30, 4, 6), torch.arange(30) % 2
    given = torch.randint(5, (30, 2, 3))
    drawn = model.sample(uniform, labels, given=given)
    below = model.logits(drawn, labels, given=given).softmax(1).cumsum(1)
    assert torch.equal(drawn, (uniform[:, None] >= below).sum(1).clamp_max(6))


def test_samples_have_the_conditional_frequencies_that_were_learned() -> None:
    """Given 0 the cells are all 0 or all 1, one time in four; given 1 they are all 2."""
    torch.manual_seed(1)
    given = (torch.arange(64) % 2).view(-1, 1, 1)
    codes = torch.where(given == 1, 2, (torch.arange(64) % 8 == 0).long().view(-1, 1, 1)).expand(64, 2, 2)
    pictures = torch.stack([codes / 3, enlarged(given, (2, 2)) / 2], 1)
    model = prior(image=(2, 2, 2), codes=3, given=2, classes=0, width=16, layers=2, dropout=0.0).train()
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(80):
        optimiser.zero_grad()
        model.loss(pictures).total.backward()
        optimiser.step()
    generator = torch.Generator().manual_seed(0)
    for told, expected in ((0, [0.75, 0.25, 0.0]), (1, [0.0, 0.0, 1.0])):
        maps = model.eval().sample(torch.rand(2000, 2, 2, generator=generator), given=torch.full((2000, 1, 1), told))
        shares = torch.bincount(maps[:, 0, 0], minlength=3) / 2000
        assert shares.tolist() == pytest.approx(expected, abs=0.05)
        assert (maps == maps[:, :1, :1]).float().mean() > 0.97, "all cells of a map alike"


def test_an_enlarged_map_has_each_code_over_its_cells() -> None:
    found = enlarged(torch.tensor([[[1, 2], [3, 4]]]), (3, 4))
    assert found.tolist() == [[[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4]]]
    assert torch.equal(enlarged(found, (3, 4)), found)


def test_code_maps_of_a_level_bring_the_given_map_along(monkeypatch: pytest.MonkeyPatch) -> None:
    model, source, at = small(codes=13).eval(), blob_source(20, IMAGE), torch.tensor([4, 1])
    expected = model.numbers(source.images(at))
    tops, bottoms = CodeMaps(source, model), CodeMaps(source, model, level=1, given=True)
    assert (tops.shape, bottoms.shape) == ((1, 2, 3), (2, 4, 6))
    assert torch.equal(numbers_of(tops.images(at), 13), expected.top)
    found = bottoms.images(at)
    assert torch.equal(numbers_of(found, 13), expected.bottom)
    assert torch.equal(numbers_of(found[:, 1:], 13), enlarged(expected.top, (4, 6)))
    bundle: Any = type("Found", (), {"model": model})
    monkeypatch.setattr(code_maps, "read_bundled", lambda name: bundle)
    config = PixelCNN.Config(image=(2, 4, 6), codes=13, codes_of="a-model", level=1, given=13)
    assert as_code_maps(source, config).shape == (2, 4, 6)
    for wrong in (replace(config, given=12), replace(config, level=2), replace(config, level=0)):
        with pytest.raises(InvalidInput):
            as_code_maps(source, wrong)


# What is bundled.


def test_the_bundled_model_uses_both_levels() -> None:
    found = read_bundled("cifar-vq2").metrics
    assert found["unexplained"] <= 0.07, "as the VQ-VAE of one level is asked for"  # type: ignore[operator]
    assert found["unexplained"] < 0.5 * found["top_unexplained"] and found["top_unexplained"] < 0.6  # type: ignore[operator]
    assert found["top_bands"] == sorted(found["top_bands"]), "the top is about what is large"  # type: ignore[type-var]
    assert min(found["perplexity_top"], found["perplexity_bottom"]) > 0.4 * 512  # type: ignore[type-var, operator]


def test_the_bundled_prior_is_surprised_by_a_top_of_another_image() -> None:
    """And its own top costs about what its scores say: it belongs to the bundled maps."""
    checkpoint, model = read_bundled("cifar-vq2-bottom"), read_bundled("cifar-vq2").model
    maps = CodeMaps(dataset("cifar10").load("test"), model, level=1, given=True)  # type: ignore[arg-type]
    at = torch.arange(200)
    x, labels = maps.images(at), maps.labels[at]
    own = checkpoint.model.loss(x, labels).per_code.item()  # type: ignore[operator]
    other = torch.stack([x[:, 0], x[:, 1].roll(1, 0)], 1)
    assert own == pytest.approx(checkpoint.metrics["code_nats"], rel=0.1)
    assert checkpoint.model.loss(other, labels).per_code.item() > own + 0.05  # type: ignore[operator]
