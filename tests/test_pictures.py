"""Pictures to keep hold the pixels that were decoded; the axes of a sheet stand where its codes are."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from ui.sheet.axes import place, plane_axis, round_values
from vae_core.errors import InvalidInput
from vae_core.latent.grids import linear_grid, prior_quantile_grid
from vae_core.latent.pictures import enlarge, gif, png, side_by_side, to_bytes


@pytest.mark.parametrize("channels", [1, 3])
def test_a_png_holds_every_pixel(channels: int) -> None:
    image = torch.rand(channels, 5, 7)
    read = np.asarray(Image.open(io.BytesIO(png(image))))
    expected = to_bytes(image).permute(1, 2, 0).squeeze(-1).numpy()
    assert np.array_equal(read, expected)


def test_pixels_are_rounded_not_cut_off() -> None:
    assert to_bytes(torch.tensor([0.0, 0.499 / 255, 0.501 / 255, 1.0])).tolist() == [0, 0, 1, 255]


def test_a_film_goes_there_and_back() -> None:
    frames = torch.linspace(0, 1, 5)[:, None, None, None].expand(5, 1, 8, 8)
    film = Image.open(io.BytesIO(gif(frames, seconds=1.0)))
    assert film.n_frames == 8  # type: ignore[attr-defined]  # five there, three back; the ends are not held twice
    shown = []
    for number in range(8):
        film.seek(number)
        shown.append(film.convert("L").getpixel((0, 0)))
    assert shown[:5] == sorted(shown[:5]) and shown[5:] == shown[3:0:-1]
    assert film.info["loop"] == 0 and film.info["duration"] == 250


def test_films_side_by_side_and_enlarged() -> None:
    left, right = torch.zeros(4, 1, 2, 2), torch.ones(4, 1, 2, 2)
    row = side_by_side([enlarge(left, 3), enlarge(right, 3)], gap=2)
    assert row.shape == (4, 1, 6, 14)
    assert row[0, 0, 0].tolist() == [0.0] * 6 + [1.0] * 2 + [1.0] * 6
    assert side_by_side([to_bytes(left), to_bytes(left)], gap=1)[..., 2].unique().tolist() == [255]


@pytest.mark.parametrize(
    "wrong", [torch.zeros(2, 4, 4), torch.zeros(4, 4), torch.full((1, 4, 4), torch.nan), torch.zeros(1, 0, 4)]
)
def test_what_is_no_picture_is_refused(wrong: torch.Tensor) -> None:
    with pytest.raises(InvalidInput):
        png(wrong)


def test_a_film_of_one_frame_is_refused() -> None:
    with pytest.raises(InvalidInput):
        gif(torch.zeros(1, 1, 4, 4))


@pytest.mark.parametrize("n", [5, 12])
@pytest.mark.parametrize("reach", [0.5, 3.0])
def test_a_code_lies_in_the_middle_of_its_picture(n: int, reach: float) -> None:
    coverage = torch.erf(torch.tensor(reach / 2**0.5)).item()
    for spacing, grid in (("linear", linear_grid(n, reach)), ("prior quantiles", prior_quantile_grid(n, coverage))):
        middles = [place(u, spacing, n, reach) for u in grid.view(n, n, 2)[0, :, 0].tolist()]
        assert middles == pytest.approx([(i + 0.5) / n for i in range(n)], abs=1e-5)


def test_ticks_are_round_and_few() -> None:
    assert round_values(-3, 3) == [-3, -2, -1, 0, 1, 2, 3]
    axis = plane_axis(1, "linear", 20, 3.0, mean=-4.5, std=13.6)
    assert axis.name == "latent 2"
    assert [text for _, text in axis.ticks] == ["\N{MINUS SIGN}40", "\N{MINUS SIGN}20", "0", "20"]
    assert all(0 <= at <= 1 for at, _ in axis.ticks)
