"""Grids, paths, traversals, priors and projections, against answers known beforehand."""

from __future__ import annotations

import math
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.distributions import Normal

from vae_core.errors import InvalidInput
from vae_core.latent import (
    PATHS,
    PROJECTIONS,
    blend,
    corners_grid,
    embed,
    factor_information,
    fit_gaussian,
    linear_grid,
    order_by_kl,
    prior_quantile_grid,
    project,
    spherical,
    standard_normal,
    step_sizes,
    straight,
    tile,
    traverse,
)
from vae_core.latent.projections import one_at_a_time


def draws(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


# grids


@pytest.mark.parametrize("coverage", [1.0, 0.9])
def test_quantile_grid_shares_the_prior_equally(coverage: float) -> None:
    n = 7
    axis = prior_quantile_grid(n, coverage).view(n, n, 2)[0, :, 0]
    masses = Normal(0.0, 1.0).cdf(axis).diff()  # between neighbours
    torch.testing.assert_close(masses, torch.full((n - 1,), coverage / n), atol=1e-6, rtol=0)
    torch.testing.assert_close(axis, -axis.flip(0))
    assert axis[n // 2] == 0


@pytest.mark.parametrize("grid", [prior_quantile_grid(3), linear_grid(3, 2.0)])
def test_grids_are_read_like_a_plot(grid: torch.Tensor) -> None:
    rows = grid.view(3, 3, 2)
    assert rows[0, :, 1].unique().numel() == 1 and rows[0, 0, 1] > rows[1, 0, 1] > rows[2, 0, 1]
    assert rows[:, 0, 0].unique().numel() == 1 and rows[0, 0, 0] < rows[0, 1, 0] < rows[0, 2, 0]


def test_linear_grid_spans_its_extent_about_its_centre() -> None:
    grid = linear_grid(5, 2.0, centre=(10.0, -1.0))
    assert grid[:, 0].unique().tolist() == [8, 9, 10, 11, 12]
    assert grid[:, 1].unique().tolist() == [-3, -2, -1, 0, 1]
    assert linear_grid(1, 2.0, centre=(10.0, -1.0)).tolist() == [[10, -1]]


def test_embedding_moves_the_two_axes_and_holds_the_rest() -> None:
    anchor = torch.tensor([1.0, 2.0, 3.0, 4.0])
    codes = embed(torch.tensor([[10.0, 20.0], [30.0, 40.0]]), anchor, axes=(3, 1))
    assert codes.tolist() == [[1, 20, 3, 10], [1, 40, 3, 30]]
    assert anchor.tolist() == [1, 2, 3, 4]


def test_tiling_keeps_reading_order() -> None:
    images = torch.arange(5.0)[:, None, None, None].expand(5, 1, 2, 3)
    sheet = tile(images, columns=2)
    assert sheet.shape == (1, 6, 6)
    assert sheet[0, ::2, ::3].tolist() == [[0, 1], [2, 3], [4, 0]]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: prior_quantile_grid(0), "from 1 to 100"),
        (lambda: prior_quantile_grid(10**9), "from 1 to 100"),
        (lambda: prior_quantile_grid(4, math.nan), "share above 0"),
        (lambda: prior_quantile_grid(4, 1.5), "share above 0"),
        (lambda: linear_grid(4, math.nan), "number above 0"),
        (lambda: linear_grid(4, math.inf), "number above 0"),
        (lambda: linear_grid(4, 1.0, centre=(math.nan, 0)), "two ordinary numbers"),
        (lambda: embed(torch.zeros(3, 2), torch.zeros(4), (1, 1)), "Latents 2 and 2"),
        (lambda: embed(torch.zeros(3, 2), torch.zeros(4), (0, 4)), "latents 1 to 4"),
        (lambda: embed(torch.zeros(3, 3), torch.zeros(4)), r"shape \(N, 2\)"),
        (lambda: tile(torch.zeros(0, 1, 2, 2), 3), "empty"),
        (lambda: straight(torch.zeros(2), torch.zeros(3), 5), "cannot lead"),
        (lambda: straight(torch.zeros(2), torch.zeros(2), 1), "from 2"),
        (lambda: spherical(torch.tensor([math.nan, 0.0]), torch.zeros(2), 5), "not finite"),
        (lambda: step_sizes(torch.zeros(1, 1, 4, 4)), "no steps"),
        (lambda: traverse(torch.zeros(3), 3, torch.zeros(2)), "latents 1 to 3"),
        (lambda: standard_normal(2).sample(0), "at least 1"),
        (lambda: standard_normal(2).sample(3, temperature=math.nan), "temperature"),
        (lambda: fit_gaussian(torch.zeros(1, 2)), "two or more"),
        (lambda: factor_information(torch.zeros(5, 2), torch.zeros(4, 1).long()), "do not belong together"),
        (lambda: factor_information(draws(5, 2), torch.zeros(5, 1).long()), "Factor 1 never changes"),
        (lambda: factor_information(draws(5, 2), draws(5, 1)), "whole numbers"),
        (lambda: project(torch.zeros(20, 3), "isomap"), "pca, tsne, umap"),
        (lambda: project(torch.zeros(20, 1)), "Z at least 2"),
        (lambda: project(torch.zeros(9, 3)), "from 10"),
        (lambda: project(torch.full((20, 3), math.nan)), "not finite"),
        (lambda: project(torch.ones(20, 3), "tsne"), "one and the same point"),
        (lambda: project(draws(20, 3), seed=-1), "whole number from 0"),
    ],
)
def test_bad_input_is_answered_in_a_sentence(call, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        call()


# paths


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS.keys())
def test_paths_end_where_they_should_and_take_batches(path) -> None:
    a, b = draws(4, 3), draws(4, 3, seed=1)
    whole = path(a, b, 9)
    assert whole.shape == (4, 9, 3) and whole.dtype == a.dtype
    assert torch.equal(whole[:, 0], a) and torch.equal(whole[:, -1], b)
    torch.testing.assert_close(path(a[1], b[1], 9), whole[1])


def test_straight_steps_are_equal() -> None:
    path = straight(torch.tensor([0.0, 0.0]), torch.tensor([4.0, 8.0]), 5)
    assert path.tolist() == [[0, 0], [1, 2], [2, 4], [3, 6], [4, 8]]


def test_slerp_is_the_textbook_formula_and_keeps_the_norm() -> None:
    a, b = 3 * torch.nn.functional.normalize(draws(2, 6), dim=1)
    angle = torch.arccos((a @ b) / 9)
    t = torch.linspace(0, 1, 11)[:, None]
    expected = (torch.sin((1 - t) * angle) * a + torch.sin(t * angle) * b) / torch.sin(angle)
    path = spherical(a, b, 11)
    torch.testing.assert_close(path, expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(path.norm(dim=1), torch.full((11,), 3.0))


def test_slerp_of_unequal_ends_never_leaves_their_lengths() -> None:
    angle = torch.tensor(math.pi - 1e-3)  # nearly opposite: where the formula on the raw ends goes far astray
    path = spherical(torch.tensor([1.0, 0.0]), 2 * torch.stack([angle.cos(), angle.sin()]), 21)
    torch.testing.assert_close(path.norm(dim=1), torch.linspace(1, 2, 21))


def test_slerp_where_there_is_no_arc() -> None:
    a = torch.tensor([1.0, 2.0, 3.0])
    torch.testing.assert_close(spherical(a, 3.3 * a, 5), straight(a, 3.3 * a, 5))
    torch.testing.assert_close(spherical(a, 0 * a, 5), straight(a, 0 * a, 5))
    half_circle = spherical(a, -a, 9)
    torch.testing.assert_close(half_circle.norm(dim=1), a.norm().expand(9))
    torch.testing.assert_close(half_circle.diff(dim=0).norm(dim=1).std(), torch.tensor(0.0), atol=1e-5, rtol=0)
    one = torch.tensor([1.0])
    assert spherical(one, -one, 3).tolist() == [[1], [0], [-1]]


def test_corners_grid_is_bilinear() -> None:
    corners = [torch.tensor([x, y]) for y in (1.0, 0.0) for x in (0.0, 1.0)]
    torch.testing.assert_close(corners_grid(*corners, 4), (linear_grid(4, 0.5, centre=(0.5, 0.5))))


def test_step_sizes_of_a_blend_are_the_distance_shared_equally() -> None:
    a, b = draws(2, 1, 4, 4)
    steps = step_sizes(blend(a, b, 9))
    torch.testing.assert_close(steps, ((a - b).norm() / 8).expand(8))
    jump = torch.zeros(2, 3, 1, 2, 2)  # two films of three frames
    jump[1, 2] = 1
    assert step_sizes(jump).tolist() == [[0, 0], [0, 2]]


# traversals, priors


def test_traversal_moves_one_latent() -> None:
    base = torch.tensor([1.0, 2.0, 3.0])
    assert traverse(base, 1, torch.tensor([-1.0, 0.0])).tolist() == [[1, -1, 3], [1, 0, 3]]
    assert base.tolist() == [1, 2, 3]
    assert order_by_kl(torch.tensor([0.1, 3.0, 0.1, 2.0])).tolist() == [1, 3, 0, 2]


def test_factor_information_finds_the_latent_that_answers() -> None:
    factors = torch.randint(0, 4, (4000, 2), generator=torch.Generator().manual_seed(0))
    codes = torch.stack([draws(4000), factors[:, 1] * -2.0, factors[:, 0] // 2 + 0.0, torch.zeros(4000)], dim=1)
    found = factor_information(codes, factors)
    torch.testing.assert_close(found.entropy, torch.full((2,), math.log(4)), atol=1e-2, rtol=0)
    # noise: only the bias (20 - 1)(4 - 1) / 2N = .007; a copy: all; the half of one factor: log 2; dead: nothing
    assert found.information[0].max() < 0.02
    torch.testing.assert_close(found.share[1, 1], torch.tensor(1.0))
    torch.testing.assert_close(found.information[2, 0], torch.tensor(math.log(2)), atol=1e-2, rtol=0)
    torch.testing.assert_close(found.information[3], torch.zeros(2), atol=1e-6, rtol=0)


def test_fitted_gaussian_has_the_codes_mean_and_covariance() -> None:
    codes = draws(5000, 3) @ draws(3, 3, seed=1) + torch.tensor([5.0, 0.0, -5.0])
    gaussian = fit_gaussian(codes)
    samples = gaussian.sample(100_000, torch.Generator().manual_seed(2))
    torch.testing.assert_close(gaussian.mean, codes.mean(0))
    torch.testing.assert_close(samples.T.cov(), codes.T.cov(), atol=0.15, rtol=0)
    assert torch.equal(gaussian.sample(2, temperature=0), gaussian.mean.expand(2, 3))
    assert fit_gaussian(torch.zeros(10, 2)).sample(5).abs().max() < 1e-3  # codes without any spread


# projections


def two_clouds(count: int = 60) -> torch.Tensor:
    codes = draws(count, 5)
    codes[: count // 2, 2] += 30
    return codes


def test_pca_is_the_plane_of_largest_variance() -> None:
    codes = draws(500, 4) * torch.tensor([1.0, 9.0, 0.1, 3.0])
    points = project(codes, "pca", cache_dir="/dev/null/nowhere")  # a cache that cannot be written costs nothing
    variances = torch.linalg.eigvalsh(codes.double().T.cov()).flip(0)[:2]
    torch.testing.assert_close(points.double().T.cov(), torch.diag(variances), atol=1e-3, rtol=1e-4)
    assert torch.corrcoef(torch.stack([points[:, 0], codes[:, 1]]))[0, 1] > 0.99  # and its sign is settled


@pytest.mark.filterwarnings("ignore:Tensorflow not installed:ImportWarning")  # umap-learn's, hidden outside tests
@pytest.mark.parametrize("method", PROJECTIONS)
def test_projections_keep_clouds_apart_report_and_repeat(method: str, tmp_path: Path) -> None:
    codes, heard = two_clouds(), []
    points = project(codes, method, 0, lambda share, text: heard.append((share, text)), tmp_path)
    assert points.shape == (60, 2) and points.dtype == torch.float32 and points.isfinite().all()
    apart = torch.cdist(points, points)
    apart.fill_diagonal_(torch.inf)
    assert ((apart.argmin(dim=1) < 30) == (torch.arange(60) < 30)).all()  # nearest neighbours share a cloud
    shares = [share for share, _ in heard]
    assert shares == sorted(shares) and shares[-1] == 1 and all(text for _, text in heard)
    if method != "pca":
        assert any(0.3 < share < 0.9 for share in shares)  # told on the way, not only at the end
    again = project(codes, method, 0, cache_dir=tmp_path / "elsewhere")
    torch.testing.assert_close(again, points)


def test_a_kept_projection_is_read_and_a_damaged_one_made_again(tmp_path: Path) -> None:
    codes = two_clouds()
    points = project(codes, cache_dir=tmp_path)
    (file,) = tmp_path.iterdir()
    np.savez(file, points=points.numpy() + 1)
    torch.testing.assert_close(project(codes, cache_dir=tmp_path), points + 1)  # it was really read

    whole = file.read_bytes()
    other_shape, not_finite = tmp_path / "other.npz", tmp_path / "nan.npz"
    np.savez(other_shape, points=np.zeros((3, 2), dtype=np.float32))
    np.savez(not_finite, points=np.full((60, 2), np.nan, dtype=np.float32))
    heard: list[str] = []
    for damage in (whole[:100], b"", b"no archive", other_shape.read_bytes(), not_finite.read_bytes()):
        file.write_bytes(damage)
        heard.clear()
        torch.testing.assert_close(project(codes, "pca", 0, lambda _, text: heard.append(text), tmp_path), points)
        assert any("damaged" in text for text in heard)
        torch.testing.assert_close(project(codes, cache_dir=tmp_path), points)  # and mended


def test_a_projection_depends_on_codes_method_and_seed(tmp_path: Path) -> None:
    codes = two_clouds()
    for other in (codes, codes + 1e-3):
        for seed in (0, 1):
            project(other, "pca", seed, cache_dir=tmp_path)
    assert len(list(tmp_path.iterdir())) == 4


def test_cache_folder_comes_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LATENT_CACHE", str(tmp_path / "kept"))
    project(two_clouds())
    assert len(list((tmp_path / "kept").glob("pca-*.npz"))) == 1


def test_projections_wait_for_each_other_and_can_be_stopped(tmp_path: Path) -> None:
    class Stop(Exception):
        pass

    def stop(share: float, text: str) -> None:
        raise Stop(text)

    with one_at_a_time, pytest.raises(Stop, match="Waiting"):
        project(two_clouds(), "pca", 0, stop, tmp_path)
    assert not one_at_a_time.locked() and not list(tmp_path.iterdir())
    with pytest.raises(Stop):
        project(two_clouds(), "tsne", 0, stop, tmp_path)
    assert not one_at_a_time.locked()


def test_what_others_print_during_tsne_is_not_swallowed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def shout(share: float, text: str) -> None:
        other = threading.Thread(target=print, args=("hello from elsewhere",))
        other.start()
        other.join()

    project(two_clouds(), "tsne", 0, shout, tmp_path)
    printed = capsys.readouterr().out
    assert "hello from elsewhere" in printed and "[t-SNE]" not in printed
