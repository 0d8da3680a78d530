"""Random changes of pictures against plain loops, with known draws; and what the draws are asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor

from vae_core.training.augment import augment


def handed_out(*draws: Tensor) -> Callable[[tuple[int, ...]], Tensor]:
    """Known noise in place of random noise; each draw must be asked for in its own shape."""
    rest = list(draws)

    def uniform(shape: tuple[int, ...]) -> Tensor:
        draw = rest.pop(0)
        assert draw.shape == shape
        return draw

    return uniform


def random(shape: Sequence[int]) -> Tensor:
    return torch.rand(tuple(shape))


def pictures(count: int, channels: int = 2, height: int = 5, width: int = 4) -> Tensor:
    """Every pixel has a value of its own, none of them 0."""
    return (torch.arange(count * channels * height * width) + 1.0).view(count, channels, height, width) / 1000


def moved_plainly(picture: Tensor, down: int, right: int) -> Tensor:
    """One picture [C, H, W], moved pixel by pixel."""
    _, height, width = picture.shape
    moved = torch.zeros_like(picture)
    for row in range(height):
        for column in range(width):
            if 0 <= row + down < height and 0 <= column + right < width:
                moved[:, row + down, column + right] = picture[:, row, column]
    return moved


def test_nothing_switched_on_changes_and_draws_nothing() -> None:
    x = pictures(3)
    assert augment(x, handed_out()) is x


def test_every_shift_is_the_one_that_was_drawn() -> None:
    """All 49 shifts by up to 3 pixels, one picture each: the draws k/7 are the shifts -3 ... 3."""
    steps = torch.arange(7)
    by = torch.cartesian_prod(steps, steps) - 3
    x = pictures(49)
    found = augment(x, handed_out((by + 3.5) / 7), shift=3)
    assert found.dtype == x.dtype
    for picture, result, (down, right) in zip(x, found, by.tolist(), strict=True):
        assert torch.equal(result, moved_plainly(picture, down, right))


def test_the_ends_of_the_draws_are_the_largest_shifts() -> None:
    least, most = 0.0, 1 - 2.0**-24  # the float32 numbers that a generator gives
    found = augment(pictures(2), handed_out(torch.tensor([[least, least], [most, most]])), shift=2)
    assert torch.equal(found[0], moved_plainly(pictures(2)[0], -2, -2))
    assert torch.equal(found[1], moved_plainly(pictures(2)[1], 2, 2))


def test_a_shift_beyond_the_picture_leaves_nothing() -> None:
    assert augment(pictures(1), handed_out(torch.tensor([[0.999, 0.5]])), shift=9).count_nonzero() == 0


def test_half_of_the_pictures_are_mirrored_left_to_right() -> None:
    x = pictures(3)
    found = augment(x, handed_out(torch.tensor([0.49, 0.5, 0.0])), flip=True)
    assert torch.equal(found, torch.stack([x[0].flip(2), x[1], x[2].flip(2)]))
    flipped = augment(pictures(4000, 1, 1, 2), random, flip=True)
    share = (flipped[:, 0, 0, 0] > flipped[:, 0, 0, 1]).float().mean().item()
    assert abs(share - 0.5) < 4 * 0.5 / 4000**0.5


def test_a_picture_is_moved_and_then_mirrored() -> None:
    x = pictures(1)
    found = augment(x, handed_out(torch.tensor([[0.9, 0.9]]), torch.tensor([0.1])), shift=1, flip=True)
    assert torch.equal(found[0], moved_plainly(x[0], 1, 1).flip(2))


def test_binarised_pixels_are_drawn_with_their_grey_value() -> None:
    x = torch.tensor([0.0, 0.25, 0.5, 1.0]).view(1, 1, 2, 2)
    found = augment(x, handed_out(torch.tensor([0.0, 0.25, 0.4999, 0.9999]).view(1, 1, 2, 2)), binarise=True)
    assert found.flatten().tolist() == [0, 0, 1, 1] and found.dtype == torch.float32
    many = augment(torch.full((1, 1, 200, 200), 0.3), random, binarise=True)
    assert abs(many.mean().item() - 0.3) < 4 * (0.3 * 0.7 / 40_000) ** 0.5
    assert not torch.equal(augment(many * 0.5, random, binarise=True), augment(many * 0.5, random, binarise=True))


def test_all_at_once_binarises_the_moved_picture() -> None:
    x = (pictures(1, 1, 4, 4) * 1000 > 8).float()
    draws = handed_out(torch.tensor([[0.1, 0.9]]), torch.tensor([0.1]), torch.full((1, 1, 4, 4), 0.5))
    found = augment(x, draws, binarise=True, shift=1, flip=True)
    assert torch.equal(found[0], moved_plainly(x[0], -1, 1).flip(2))


def test_every_shift_is_as_likely_as_the_next() -> None:
    middle = torch.zeros(9000, 1, 3, 3)
    middle[:, :, 1, 1] = 1
    counts = augment(middle, random, shift=1).sum(0).flatten()
    assert counts.sum() == 9000
    assert ((counts - 1000).abs() < 5 * (1000 * 8 / 9) ** 0.5).all()


@pytest.mark.parametrize("settings", [{"shift": 2}, {"flip": True}, {"binarise": True}])
def test_it_takes_no_shape_from_a_value(settings: dict[str, int | bool]) -> None:
    """On the meta device there are no values: code that looks at one cannot run there, nor in a CUDA graph."""
    x = torch.empty(6, 3, 8, 8, device="meta")
    found = augment(x, lambda shape: torch.empty(shape, device="meta"), **settings)  # type: ignore[arg-type]
    assert found.shape == x.shape and found.device.type == "meta"
