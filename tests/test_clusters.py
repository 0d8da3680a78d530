"""Clusters against answers that are known: far blobs, scikit-learn, permutations; and costs by a false clock."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.cluster import AgglomerativeClustering, KMeans
from sklearn.metrics import (
    adjusted_rand_score,
    normalized_mutual_info_score,
    silhouette_score,
)
from sklearn.metrics.cluster import contingency_matrix

from vae_core.errors import InvalidInput
from vae_core.latent import clusters as core
from vae_core.latent.clusters import (
    Timing,
    agreement,
    by_size,
    contingency,
    costs,
    cut,
    distances,
    judged,
    k_means,
    merges,
    power_law,
    silhouette,
    turned,
)


def blobs(apart: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Four round clouds in five dimensions, 40, 30, 20 and 10 points, in a mixed order; and who is whose."""
    chance = np.random.default_rng(seed)
    labels = chance.permutation(np.repeat(np.arange(4), (40, 30, 20, 10)))
    middles = apart * np.eye(5)[:4]
    return middles[labels] + chance.normal(size=(100, 5)), labels


def found(points: np.ndarray, method: str, k: int) -> np.ndarray:
    return k_means(points, k) if method == "k-means" else cut(merges(points), k)


@pytest.mark.parametrize("method", ["k-means", "hierarchical"])
def test_blobs_far_apart_are_found_exactly(method: str) -> None:
    points, labels = blobs(apart=100)
    result = judged(found(points, method, 4), distances(points), labels)
    assert result.agreement == pytest.approx((1, 1, 1))
    assert result.silhouette > 0.95
    assert result.k == 4
    assert np.array_equal(result.clusters, labels)  # the labels were numbered by size, too
    scores = {k: silhouette(distances(points), found(points, method, k)) for k in range(2, 9)}
    assert max(scores, key=scores.__getitem__) == 4  # without labels, the silhouette finds how many there are


@pytest.mark.parametrize("k", [2, 3, 7, 15])
def test_clusters_are_those_of_scikit_learn(k: int) -> None:
    points, _ = blobs(apart=2)
    ours, theirs = cut(merges(points), k), AgglomerativeClustering(k).fit(points).labels_
    assert adjusted_rand_score(ours, theirs) == 1
    assert adjusted_rand_score(k_means(points, k), KMeans(k, n_init=3, random_state=0).fit(points).labels_) == 1


def test_a_tree_can_be_cut_into_as_many_clusters_as_points() -> None:
    points, _ = blobs(apart=2)
    tree = merges(points)
    for k in (2, 99, 100):
        assert len(np.unique(cut(tree, k))) == k
    for k in (1, 101):
        with pytest.raises(InvalidInput, match="choose from 2 to 100"):
            cut(tree, k)


def test_scores_are_those_of_scikit_learn() -> None:
    points, labels = blobs(apart=3)
    clusters = k_means(points, 5)
    assert silhouette(distances(points), clusters) == pytest.approx(silhouette_score(points, clusters), abs=1e-9)
    assert agreement(labels, clusters).ari == pytest.approx(adjusted_rand_score(labels, clusters))
    assert agreement(labels, clusters).nmi == pytest.approx(normalized_mutual_info_score(labels, clusters))
    assert np.array_equal(contingency(labels, clusters, 4), contingency_matrix(labels, clusters).T)


def test_a_silhouette_by_hand() -> None:
    """Two pairs on a line: 0, 1 and 10, 11. For 0: a = 1, b = 10.5; for 1: a = 1, b = 9.5; the others mirror them."""
    points, clusters = np.array([[0.0], [1.0], [10.0], [11.0]]), np.array([0, 0, 1, 1])
    assert silhouette(distances(points), clusters) == pytest.approx((9.5 / 10.5 + 8.5 / 9.5) / 2)


def test_agreement_does_not_depend_on_how_either_is_numbered() -> None:
    points, labels = blobs(apart=2)
    clusters, chance = k_means(points, 6), np.random.default_rng(1)
    first = agreement(labels, clusters)
    again = agreement(chance.permutation(4)[labels], chance.permutation(6)[clusters])
    assert again == pytest.approx(first)
    assert first.purity >= 0.4  # what one single cluster would have


def test_clusters_by_chance_agree_by_no_more_than_chance() -> None:
    chance = np.random.default_rng(2)
    score = agreement(chance.integers(0, 10, 5000), chance.integers(0, 10, 5000))
    assert abs(score.ari) < 0.005
    assert 0 < score.nmi < 0.01
    assert agreement(np.arange(50) % 5, np.zeros(50, int)).ari == 0


def test_purity_rises_to_one_when_every_point_is_alone() -> None:
    labels = np.arange(30) % 3
    assert agreement(labels, np.arange(30)).purity == 1


def test_the_largest_cluster_comes_first_and_ties_keep_the_order_of_their_points() -> None:
    assert by_size(np.array([7, 2, 2, 5, 2, 5, 7, 9])).tolist() == [1, 0, 0, 2, 0, 2, 1, 3]


def test_a_seed_settles_the_clusters() -> None:
    points, _ = blobs(apart=1)
    assert np.array_equal(k_means(points, 8, seed=3), k_means(points, 8, seed=3))


@pytest.mark.parametrize("shape", [(60, 20), (20, 60)])
def test_turned_points_keep_every_distance_and_lose_idle_directions(shape: tuple[int, int]) -> None:
    points = np.random.default_rng(0).normal(size=shape)
    points[:, 5:9] = 0.25  # pixels that are the same in all images
    places = turned(points)
    assert places.shape == (shape[0], 16 if shape[0] > shape[1] else 19)
    assert distances(places) == pytest.approx(distances(points), rel=1e-5, abs=1e-5)
    assert (np.diff(places.var(axis=0)) <= 1e-6).all()  # the largest variance first


def test_what_cannot_be_clustered_is_refused_in_a_sentence() -> None:
    points, _ = blobs(apart=1)
    with pytest.raises(InvalidInput, match=r"\(N, D\)"):
        k_means(points[0], 2)
    with pytest.raises(InvalidInput, match="fewer than points"):
        k_means(points[:4], 4)
    with pytest.raises(InvalidInput, match="2 or more"):
        k_means(points, 1)
    with pytest.raises(InvalidInput, match="not finite"):
        merges(np.full((9, 2), np.nan))
    with pytest.raises(InvalidInput, match="only 2 different points"):
        k_means(np.repeat([[0.0], [1.0]], 10, axis=0), 5)


class FalseClock:
    """Time passes only by the work that is done."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("power", [1, 2])
def test_costs_find_the_exponent_and_keep_to_the_budget(power: int, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FalseClock()

    def work(points: np.ndarray, k: int) -> None:
        clock.now += 1e-6 * len(points) ** power

    monkeypatch.setitem(core.COSTS, "k-means", work)
    sizes = [250 * 2**i for i in range(8)]
    measured = list(costs(np.zeros((20_000, 3)), "k-means", 10, sizes, 4.0, clock))
    assert [each.points for each in measured] == [n for n in sizes if n <= (2000 if power == 2 else 16_000)]
    assert power_law(measured) == pytest.approx((power, 1e-6, 0), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("method", core.COSTS)
def test_costs_of_both_methods_are_measured(method: str) -> None:
    points, _ = blobs(apart=2)
    measured = list(costs(points, method, 4, [20, 40, 80, 160], 60.0))
    assert [each.points for each in measured] == [20, 40, 80]  # there are but 100
    assert all(each.seconds > 0 for each in measured)


@pytest.mark.parametrize(("power", "fixed"), [(1.0, 0.005), (2.0, 0.0), (2.37, 0.001)])
def test_a_law_is_found_under_its_fixed_cost(power: float, fixed: float) -> None:
    timings = [Timing(n, fixed + 1e-7 * n**power) for n in (250, 500, 1000, 2000, 4000)]
    assert power_law(timings) == pytest.approx((power, 1e-7, fixed), rel=1e-4, abs=1e-9)
    assert power_law(timings).seconds(8000) == pytest.approx(fixed + 1e-7 * 8000**power, rel=1e-4)


def test_few_timings_are_no_law() -> None:
    with pytest.raises(InvalidInput, match="4 or more"):
        power_law([Timing(10, 1.0), Timing(20, 2.0), Timing(40, 4.0)])
