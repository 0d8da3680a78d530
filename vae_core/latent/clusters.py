"""Clusters of images or of their codes, found without labels; and how far they agree with labels, where there are some.

Points are arrays [N, D]; a clustering is an array [N] of cluster numbers 0..K-1, the largest cluster first.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from vae_core.errors import InvalidInput

STARTS = 3  # of k-means; the best of them counts
ROUNDS = 10  # of the k-means whose time is taken: how many it would need until it rests is chance
ENOUGH = 0.1  # seconds; a quicker fit is repeated until so many have passed
LEAST = 4  # timings of which a law can be made
POWERS = np.arange(0.2, 4.005, 0.01)  # that are tried
FLAT = 1e-10  # share of the largest variance below which a direction is rounding, no variance


def k_means(points: np.ndarray, k: int, seed: int = 0, starts: int = STARTS) -> np.ndarray:
    """k-means (Lloyd 1982; started by k-means++, Arthur and Vassilvitskii 2007) by scikit-learn: [N]. The best of
    several starts, by the squared distance to the middles."""
    from sklearn.cluster import KMeans

    check(points, k)
    warnings.filterwarnings("ignore", "Number of distinct clusters")  # it becomes a sentence below
    with one_thread():
        found = by_size(KMeans(k, n_init=starts, random_state=seed).fit(points).labels_)
    if found.max() + 1 < k:
        raise InvalidInput(
            f"{k} clusters were asked for, but there are only {found.max() + 1} different points; choose fewer "
            "clusters, or a model whose latents are active."
        )
    return found


def one_thread() -> threadpool_limits:
    """Inside, scikit-learn's loops stay on one thread: for a few thousand points more are hardly faster, and on a busy
    machine their waiting for one another costs several times the work."""
    return threadpool_limits(1, user_api="openmp")


def merges(points: np.ndarray) -> np.ndarray:
    """Hierarchical clustering from below (Ward 1963) by scikit-learn: who is merged with whom, [N - 1, 2].

    Row i joins two groups to the group N + i; groups below N are single points. Each step joins the two whose union
    adds least to the squared distances to the middles. One tree holds the clusters for every k.
    """
    from sklearn.cluster import ward_tree

    check(points, 2)
    return np.asarray(ward_tree(points)[0])


def cut(tree: np.ndarray, k: int) -> np.ndarray:
    """The k clusters [N] of a tree of merges [N - 1, 2]: all but its last k - 1 merges are done."""
    count = len(tree) + 1
    if not 2 <= k <= count:
        raise InvalidInput(f"{k} clusters of {count} points were asked for; choose from 2 to {count}.")
    group = np.arange(2 * count - k)
    for step in range(count - k - 1, -1, -1):  # from the last merge that is done down to the first
        group[tree[step]] = group[count + step]
    return by_size(np.unique(group[:count], return_inverse=True)[1])


def by_size(clusters: np.ndarray) -> np.ndarray:
    """The same clusters, numbered anew from 0 by falling size; of two equal ones the first is whose point is first."""
    _, first, inverse, sizes = np.unique(clusters, return_index=True, return_inverse=True, return_counts=True)
    rank = np.empty(len(sizes), dtype=np.int64)
    rank[np.lexsort((first, -sizes))] = np.arange(len(sizes))
    return rank[inverse]


def distances(points: np.ndarray) -> np.ndarray:
    """Euclidean distances [N, N] between all points, for `silhouette`."""
    from sklearn.metrics import pairwise_distances

    return pairwise_distances(points)


def silhouette(between: np.ndarray, clusters: np.ndarray) -> float:
    """The mean silhouette (Rousseeuw 1987) over all points, from their distances [N, N]; it needs no labels.

    For a point, a is its mean distance to the others of its cluster and b that to the nearest other cluster; its
    silhouette is (b - a) / max(a, b), from -1 (in the wrong cluster) to 1 (far from all others), 0 where it is alone.
    """
    from sklearn.metrics import silhouette_score

    return float(silhouette_score(between, clusters, metric="precomputed"))


class Agreement(NamedTuple):
    """How far clusters agree with labels; none of the three depends on how either are numbered."""

    ari: float  # adjusted Rand index (Hubert and Arabie 1985): 1 the same, about 0 by chance; may be negative
    nmi: float  # mutual information over the mean entropy of the two, in [0, 1]; chance is not taken off
    purity: float  # share of the points whose label is their cluster's most frequent one; grows with every cluster


def agreement(labels: np.ndarray, clusters: np.ndarray) -> Agreement:
    """Clusters [N] against labels [N]."""
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    warnings.filterwarnings("ignore", "The number of unique classes is greater")  # many clusters are no mistake here
    largest = contingency(labels, clusters, int(labels.max()) + 1).max(axis=1)
    return Agreement(
        float(adjusted_rand_score(labels, clusters)),
        float(normalized_mutual_info_score(labels, clusters)),
        float(largest.sum() / len(labels)),
    )


def contingency(labels: np.ndarray, clusters: np.ndarray, classes: int) -> np.ndarray:
    """How many points of each cluster have each label: [K, classes]."""
    table = np.zeros((int(clusters.max()) + 1, classes), dtype=np.int64)
    np.add.at(table, (clusters, labels), 1)
    return table


@dataclass(frozen=True)
class Clustering:
    """One way to cut the points into k clusters, and what it scores."""

    clusters: np.ndarray  # [N]
    silhouette: float
    agreement: Agreement

    @property
    def k(self) -> int:
        return int(self.clusters.max()) + 1


def judged(clusters: np.ndarray, between: np.ndarray, labels: np.ndarray) -> Clustering:
    """Clusters [N] with their scores, from the distances [N, N] of the points and their labels [N]."""
    return Clustering(clusters, silhouette(between, clusters), agreement(labels, clusters))


def turned(points: np.ndarray) -> np.ndarray:
    """The points [N, D] on their own principal axes [N, R], as float32, without the directions in which nothing varies.

    A rotation and a shift: every distance stays, hence every clustering and silhouette; but pixels that are the same
    in all images, and dimensions beyond the number of points, cost nothing any more.
    """
    centred = np.asarray(points, dtype=np.float64) - points.mean(axis=0)
    if len(centred) < centred.shape[1]:
        variance, directions = np.linalg.eigh(centred @ centred.T)
        places = directions * np.sqrt(variance.clip(0))
    else:
        variance, directions = np.linalg.eigh(centred.T @ centred)
        places = centred @ directions
    return np.ascontiguousarray(places[:, variance > FLAT * variance[-1]][:, ::-1], dtype=np.float32)


def check(points: np.ndarray, k: int) -> None:
    if points.ndim != 2 or points.shape[1] < 1:
        raise InvalidInput(f"The points have shape {points.shape}; clustering needs (N, D).")
    if not 2 <= k < len(points):
        raise InvalidInput(
            f"{k} clusters of {len(points)} points were asked for; choose 2 or more, but fewer than points."
        )
    if not np.isfinite(points).all():
        raise InvalidInput("Some points are not finite, so they are far from everything; check the model's weights.")


class Timing(NamedTuple):
    points: int
    seconds: float


def timed_k_means(points: np.ndarray, k: int) -> None:
    """What is timed for k-means: one start and at most ROUNDS rounds."""
    from sklearn.cluster import KMeans

    KMeans(k, n_init=1, max_iter=ROUNDS, tol=0, random_state=0).fit(points)


COSTS: dict[str, Callable[[np.ndarray, int], object]] = {
    "k-means": timed_k_means,
    "hierarchical": lambda points, k: cut(merges(points), k),
}


def costs(
    points: np.ndarray,
    method: str,
    k: int,
    sizes: Sequence[int],
    budget: float,
    clock: Callable[[], float] = time.thread_time,
) -> Iterator[Timing]:
    """Seconds of one fit to the first n of the points [N, D], for rising sizes n, each when it is measured.

    Both methods run on one thread, and the usual clock counts what this thread computes; so a machine that has other
    things to do gives the same answer, only later.

    It ends before the first n that would take more than `budget` seconds, if time grew as fast as n squared.
    """
    warnings.filterwarnings("ignore", "Number of distinct clusters")
    COSTS[method](points[: sizes[0]], k)  # loads the library, once
    last: Timing | None = None
    for n in (size for size in sizes if size <= len(points)):
        if last is not None and last.seconds * (n / last.points) ** 2 > budget:
            return
        last = Timing(n, _seconds(partial(COSTS[method], points[:n], k), clock))
        yield last


def _seconds(work: Callable[[], object], clock: Callable[[], float]) -> float:
    """The mean of as many runs as make the clock's ticks small."""
    with one_thread():
        began, runs = clock(), 0
        while (passed := clock() - began) < ENOUGH:
            work()
            runs += 1
    return passed / runs


class Law(NamedTuple):
    """Seconds of a fit to n points: fixed + scale n^power."""

    power: float
    scale: float
    fixed: float  # what every fit costs, however few the points

    def seconds(self, points: float) -> float:
        return self.fixed + self.scale * points**self.power


def power_law(timings: Sequence[Timing]) -> Law:
    """The law with the least squared relative error over all timings; its power is found to two decimals.

    Without the fixed part, the time that a library spends before it begins would pass for a small exponent.
    """
    if len(timings) < LEAST:
        raise InvalidInput(f"{len(timings)} timings arrived; a law with a fixed cost needs {LEAST} or more.")
    n, seconds = np.array(timings, dtype=np.float64).T
    best, least = Law(1.0, 0.0, 0.0), np.inf
    for power in POWERS:
        columns = np.stack([np.ones_like(n), n**power]) / seconds
        fixed, scale = np.linalg.lstsq(columns.T, np.ones_like(n), rcond=None)[0]
        if fixed < 0:
            fixed, scale = 0.0, columns[1].sum() / (columns[1] ** 2).sum()
        error = float(((fixed * columns[0] + scale * columns[1] - 1) ** 2).sum())
        if error < least:
            best, least = Law(float(power), float(scale), float(fixed)), error
    return best
