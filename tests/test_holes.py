"""Holes: distances on a grid, the share of a box near data, and the errors of shares, all with known answers."""

from __future__ import annotations

import math

import pytest
import torch
from torch.distributions import Beta

from vae_core.errors import InvalidInput
from vae_core.latent.grids import linear_grid
from vae_core.latent.holes import (
    Box,
    box_near_data,
    box_of,
    data_radius,
    gaps,
    kinds_of,
    nearest,
    share_of,
    window_grid,
    window_of,
)

GRID = linear_grid(11, 5.0)  # the whole numbers from -5 to 5, crossed


def test_distance_to_a_grid_of_codes() -> None:
    points = torch.tensor([[0.0, 0.0], [0.5, 0.5], [0.3, 0.0], [8.0, 9.0]])
    assert nearest(points, GRID).tolist() == pytest.approx([0, math.sqrt(0.5), 0.3, 5.0])


def test_no_code_is_its_own_neighbour_unless_it_is_there_twice() -> None:
    assert gaps(GRID).tolist() == pytest.approx([1.0] * 121)
    assert gaps(torch.cat([GRID, GRID[:1]]))[[0, 1, -1]].tolist() == pytest.approx([0, 1, 0])


def test_distances_agree_with_the_plain_formula_beyond_one_block() -> None:
    codes, points = torch.randn(1203, 5) * 40, torch.randn(701, 5) * 40
    apart = (points[:, None].double() - codes[None].double()).norm(dim=-1)
    assert torch.allclose(nearest(points, codes).double(), apart.amin(dim=1), atol=1e-4)
    own = (codes[:, None].double() - codes[None].double()).norm(dim=-1) + torch.eye(1203) * 1e9
    assert torch.allclose(gaps(codes).double(), own.amin(dim=1), atol=1e-4)


def test_small_distances_far_from_the_origin_are_not_lost() -> None:
    codes = torch.tensor([[1000.0, 1000.0], [1000.01, 1000.0], [900.0, 900.0]])
    assert float(gaps(codes)[0]) == pytest.approx(0.01, rel=0.01)


def test_radius_holds_the_neighbours_of_so_many_codes() -> None:
    line = torch.cat([torch.arange(0.0, 100), torch.tensor([110.0])])[:, None]  # the last one stands 11 apart
    assert data_radius(line, 0.99) == pytest.approx(1.0)
    assert data_radius(line, 1.0) == pytest.approx(11.0)


def test_codes_that_are_all_one_still_have_a_unit() -> None:
    same = torch.ones(20, 2)
    radii = nearest(torch.tensor([[1.0, 1.0], [2.0, 1.0]]), same) / data_radius(same)
    assert float(radii[0]) == 0 and float(radii[1]) > 1
    assert window_of(box_of(same)) == ((0.0, 0.0), (2.0, 2.0))


def test_box_holds_all_codes_and_is_drawn_from_evenly() -> None:
    box = box_of(GRID * torch.tensor([1.0, 2.0]))
    assert box.low.tolist() == [-5, -10] and box.high.tolist() == [5, 10]
    draws = box.sample(20_000, torch.Generator().manual_seed(0))
    assert bool((draws >= box.low).all() and (draws <= box.high).all())
    assert draws.mean(dim=0).tolist() == pytest.approx([0, 0], abs=0.15)
    assert draws.std(dim=0).tolist() == pytest.approx([10 / math.sqrt(12), 20 / math.sqrt(12)], rel=0.02)


def test_share_of_a_box_near_data() -> None:
    """On a line with codes at 0, 1, ..., 10 and 30 (radius 1), 12 of 30 lie within 1 of a code."""
    line = torch.cat([torch.arange(0.0, 11), torch.tensor([30.0])])[:, None]
    near = share_of(nearest(Box(torch.zeros(1), torch.full((1,), 30.0)).sample(40_000), line) <= 1.0)
    assert near.value == pytest.approx(12 / 30, abs=4 * near.standard_error)
    full = box_near_data(GRID, 5000)  # of a square lattice with a radius of 1 everything is near
    assert full.value == 1.0 and full.hits == full.draws == 5000


def test_the_same_ball_fills_less_of_a_box_the_more_dimensions() -> None:
    values = [box_near_data(torch.randn(3000, d), 1000).value for d in (2, 4, 8)]
    assert values == sorted(values, reverse=True) and values[-1] < 0.2 < values[0]


def test_share_has_the_error_of_its_posterior() -> None:
    found = share_of(torch.arange(50) < 9)
    assert (found.value, found.hits, found.draws) == (0.18, 9, 50)
    assert found.standard_error == pytest.approx(float(Beta(10.0, 42.0).variance.sqrt()), rel=1e-5)
    assert share_of(torch.zeros(50, dtype=torch.bool)).standard_error > 0.01  # 0 of 50 is not never
    with pytest.raises(InvalidInput, match="one or more"):
        share_of(torch.zeros(0, dtype=torch.bool))


def test_kinds_count_equally_frequent_classes() -> None:
    assert kinds_of(torch.arange(1000) % 10, 10) == pytest.approx((10.0, 0.0), abs=1e-5)
    assert kinds_of(torch.full((50,), 3), 10) == pytest.approx((1.0, 0.0), abs=1e-9)
    skewed = torch.tensor([0] * 90 + [1] * 10)
    entropy = -(0.9 * math.log(0.9) + 0.1 * math.log(0.1))
    assert kinds_of(skewed, 4).value == pytest.approx(math.exp(entropy))


def test_error_of_the_kinds_is_their_spread_over_repetitions() -> None:
    chances = torch.tensor([0.5, 0.25, 0.15, 0.1])
    found = [kinds_of(torch.multinomial(chances, 1000, replacement=True), 4) for _ in range(300)]
    spread = torch.tensor([kinds.value for kinds in found]).std()
    assert float(spread) == pytest.approx(found[0].standard_error, rel=0.2)


def test_window_is_a_square_around_the_box_and_its_grid_lies_inside() -> None:
    window = window_of(Box(torch.tensor([-4.0, 0.0]), torch.tensor([4.0, 2.0])), margin=0.0)
    assert window == ((-4.0, -3.0), (4.0, 5.0))
    grid = window_grid(window, 4)
    assert grid[0].tolist() == [-3, 4] and grid[3].tolist() == [3, 4] and grid[-1].tolist() == [3, -2]


def test_codes_that_say_nothing_are_refused() -> None:
    for codes in (torch.zeros(1, 2), torch.zeros(5), torch.tensor([[0.0], [math.nan]])):
        with pytest.raises(InvalidInput, match="say nothing of holes"):
            box_of(codes)
        with pytest.raises(InvalidInput, match="say nothing of holes"):
            gaps(codes)
