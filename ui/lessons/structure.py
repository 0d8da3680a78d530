"""What the lesson on structure without labels keeps: points to cluster, their clusterings, and slow work on a page."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import streamlit as st
import torch
from torch import Tensor

from ui.cache import checkpoint, encoded, held_out
from ui.cards import ModelCard
from ui.figures.structure import Card, Measured, Series
from ui.palette import ROLE_COLOURS, RUN_COLOURS
from vae_core.data import dataset
from vae_core.latent.clusters import (
    COSTS,
    LEAST,
    ROUNDS,
    Clustering,
    Law,
    Timing,
    contingency,
    costs,
    cut,
    distances,
    judged,
    k_means,
    merges,
    power_law,
    turned,
)
from vae_core.latent.pictures import png

PIXELS, CODES = "raw pixels", "codes"
K_MEANS, HIERARCHICAL = "k-means", "hierarchical"
IMAGES, LARGE_IMAGES = 2000, 1000  # that are clustered; the second of images with more than MANY_PIXELS
MANY_PIXELS = 1024
MOST_CLUSTERS = 20
MEMBERS = (2, 3)  # rows and columns of the sheet under a cluster's mean
SIZES = tuple(250 * 2**i for i in range(6))  # images whose clustering is timed
TIMED_K = 10  # clusters then
NO_ARI = 0.05  # below it, agreement is called none
ALL_OF_MNIST = 60_000  # images, for which the cost is extrapolated
BUDGET = 4.0  # seconds that a timed fit may take


def clustered(data: str) -> int:
    """How many held-out images of a dataset are clustered: the first so many, so that curves over k come soon."""
    source = held_out(data)
    return min(len(source), IMAGES if math.prod(source.shape) <= MANY_PIXELS else LARGE_IMAGES)


def most_clusters(data: str) -> int:
    return max(2, min(MOST_CLUSTERS, clustered(data) - 1))


def raw(card: ModelCard, source: str, count: int) -> np.ndarray:
    """The first held-out images [N, D] as the model's codes, or as their pixels; fewer where there are fewer."""
    if source == CODES:
        return encoded(card.name).codes[:count].numpy()
    images = held_out(card.dataset)
    return images.images(torch.arange(min(count, len(images)))).flatten(1).numpy()


def labels_of(data: str) -> np.ndarray:
    """The labels [N] of the images that are clustered."""
    return held_out(data).labels[: clustered(data)].long().numpy()


@dataclass(frozen=True)
class Points:
    """What is clustered, and how far everything lies from everything."""

    places: np.ndarray  # [N, D] codes, or pixels turned onto their principal axes
    between: np.ndarray  # [N, N] Euclidean distances


class Sweep:
    """The clusterings of one set of points by one method, each made when it is first asked for, then kept."""

    def __init__(self, points: Points, labels: np.ndarray, method: str) -> None:
        self.points, self.labels, self.method = points, labels, method
        self.known: dict[int, Clustering] = {}
        self._tree: np.ndarray | None = None
        self._turn = threading.Lock()  # whoever waits for another visitor's k finds it done

    def at(self, k: int) -> Clustering:
        with self._turn:
            if k not in self.known:
                self.known[k] = judged(self._clusters(k), self.points.between, self.labels)
            return self.known[k]

    def _clusters(self, k: int) -> np.ndarray:
        if self.method == K_MEANS:
            return k_means(self.points.places, k)
        if self._tree is None:
            self._tree = merges(self.points.places)
        return cut(self._tree, k)


def points(card: ModelCard, source: str) -> Points:
    return _codes(card.name) if source == CODES else _pixels(card.dataset, dataset(card.dataset).stamp)


@st.cache_resource(show_spinner="Measuring the distances between codes", max_entries=8)
def _codes(name: str) -> Points:
    cloud = encoded(name)
    places = cloud.codes[: clustered(checkpoint(name).dataset)].numpy()
    return Points(places, distances(places))


@st.cache_resource(show_spinner="Measuring the distances between images", max_entries=4)
def _pixels(data: str, stamp: str) -> Points:
    places = turned(held_out(data).images(torch.arange(clustered(data))).flatten(1).numpy())
    return Points(places, distances(places))


def sweep(card: ModelCard, source: str, method: str) -> Sweep:
    """All that is known of the clusterings; the same object for every visitor."""
    name = card.name if source == CODES else f"pixels of {card.dataset}{dataset(card.dataset).stamp}"
    return _sweep(name, method, card)


@st.cache_resource(show_spinner=False, max_entries=32)
def _sweep(name: str, method: str, _card: ModelCard) -> Sweep:
    source = CODES if name == _card.name else PIXELS
    return Sweep(points(_card, source), labels_of(_card.dataset), method)


def cards_of(data: str, clusters: np.ndarray, *, revealed: bool) -> list[Card]:
    """Each cluster's mean picture, a few of its members drawn by chance, and its label if that is to be shown."""
    images, names = held_out(data).images(torch.arange(len(clusters))), dataset(data).class_names
    table = contingency(labels_of(data), clusters, len(names))
    chance, found = np.random.default_rng(0), []
    for number, row in enumerate(table):
        own = chance.permutation(np.flatnonzero(clusters == number))
        best = int(row.argmax())
        found.append(
            Card(
                mean=png(images[own].mean(dim=0)),
                members=png(_sheet(images[own[: math.prod(MEMBERS)]])),
                size=len(own),
                word=names[best] if revealed else None,
                share=row[best] / len(own),
                hue=best,
            )
        )
    return found


def _sheet(images: Tensor) -> Tensor:
    """A few images [n, C, H, W] as one sheet [C, 2 H, 3 W] in reading order; black where there are too few."""
    rows, columns = MEMBERS
    missing = images.new_zeros((rows * columns - len(images), *images.shape[1:]))
    grid = torch.cat([images, missing]).unflatten(0, MEMBERS)  # [rows, columns, C, H, W]
    return grid.permute(2, 0, 3, 1, 4).flatten(3, 4).flatten(1, 2)


class Bar:
    """Progress in the place where a result will be, with the time that is left, and a Stop that works: pressing it
    ends the run at the next report. What is done at once, because it was kept, shows no bar."""

    def __init__(self, place: Any, part: str, what: str) -> None:
        self.place, self.part, self.what = place, part, what
        self.began = time.monotonic()
        self.bar: Any = None

    def __call__(self, share: float, text: str) -> None:
        if self.bar is None and share < 1:
            with self.place.container(border=False):
                self.bar = st.progress(0.0)
                st.button("Stop", key=f"stop {self.what}", on_click=self._stop)
        if self.bar is not None:
            self.bar.progress(min(1.0, share), f"{text}{self._left(share)}")

    def _stop(self) -> None:
        st.session_state[f"stopped {self.part}"] = True

    def _left(self, share: float) -> str:
        passed = time.monotonic() - self.began
        return f", about {passed / share * (1 - share):.0f} s left" if passed > 1 and share > 0.12 else ""


def was_stopped(part: str) -> bool:
    """Whether Stop was pressed in a part of the page; true once."""
    return st.session_state.pop(f"stopped {part}", False)


timing = threading.Lock()  # two measurements at once would time each other


def measure(
    card: ModelCard,
    source: str,
    results: dict[str, list[Timing]],
    report: Callable[[float, str], None],
) -> None:
    """Time both methods on more and more held-out images; `results` fills as it goes, and `report` hears of it."""
    while not timing.acquire(timeout=0.5):
        report(0.0, "Waiting for another measurement to end")
    try:
        report(0.0, "Fetching the images")
        everything = raw(card, source, SIZES[-1])
        for method, (start, end) in zip(COSTS, ((0.0, 0.1), (0.1, 1.0)), strict=True):  # shares of the bar
            results[method] = []
            report(start, f"{method}: first fit")
            for each in costs(everything, method, TIMED_K, SIZES, BUDGET):
                results[method].append(each)
                done = (each.points / SIZES[-1]) ** 2  # for the larger ones take much longer
                report(start + (end - start) * done, f"{method}: {each.points:,} images took {each.seconds:.2g} s")
        report(1.0, "Measured")
    finally:
        timing.release()


def best_k(known: Sequence[Clustering], score: Callable[[Clustering], float]) -> int:
    """The number of clusters with the best score; the smallest of equals."""
    return max(known, key=lambda each: (score(each), -each.k)).k


def series(card: ModelCard, source: str, sweep: Sweep) -> Series:
    known = [found for _, found in sorted(sweep.known.copy().items())]
    model = "autoencoder" if card.beta is None and not card.run else card.title
    return Series(
        name=source if source == PIXELS else f"codes of the {model}",
        colour=ROLE_COLOURS["blend" if source == PIXELS else card.role],
        k=[found.k for found in known],
        silhouette=[found.silhouette for found in known],
        ari=[found.agreement.ari for found in known],
        nmi=[found.agreement.nmi for found in known],
    )


def favourites(sweeps: dict[str, Sweep], revealed: bool) -> str:
    """Which k each score would choose."""
    best = {
        source: (
            best_k(list(sweep.known.values()), lambda found: found.silhouette),
            best_k(list(sweep.known.values()), lambda found: found.agreement.ari),
        )
        for source, sweep in sweeps.items()
    }
    words = " and ".join(f"k = {alone} for {source}" for source, (alone, _) in best.items())
    told = f"By its silhouette alone one would choose {words}."
    if not revealed:
        return told
    if all(found.agreement.ari < NO_ARI for sweep in sweeps.values() for found in sweep.known.values()):
        return f"{told} ARI stays near 0 for every k: what these clusters sort by is not the label."
    words = " and ".join(f"k = {both} for {source}" for source, (_, both) in best.items())
    return f"{told} ARI is highest at {words}."


def scores_row(source: str, found: Clustering) -> dict[str, str]:
    score = found.agreement
    return {
        f"k = {found.k}": source,
        "silhouette": f"{round(found.silhouette, 2) + 0:.2f}",  # never -0.00
        "ARI": f"{round(score.ari, 2) + 0:.2f}",
        "NMI": f"{score.nmi:.2f}",
        "purity": f"{100 * score.purity:.0f}%",
    }


def laws(results: dict[str, list[Timing]]) -> dict[str, Law]:
    return {method: power_law(timings) for method, timings in results.items() if len(timings) >= LEAST}


def measured(results: dict[str, list[Timing]]) -> list[Measured]:
    """What was timed, for the figure."""
    found, lines = laws(results), []
    for (method, timings), colour in zip(results.items(), RUN_COLOURS[2:], strict=False):
        law = found.get(method)
        line = Measured(method, colour, [each.points for each in timings], [each.seconds for each in timings])
        if law is not None:
            beyond = [(n, law.seconds(n)) for n in np.geomspace(timings[-1].points, ALL_OF_MNIST, 20)]
            line = replace(line, power=law.power, later=beyond)
        lines.append(line)
    return [line for line in lines if line.points]


def costs_words(results: dict[str, list[Timing]]) -> str:
    """The exponents, and what they would mean for all of MNIST."""
    lines = [
        f"- **{method}**: {1000 * law.fixed:.1f} ms and a time that grows as n to the {law.power:.2f}; "
        f"{ALL_OF_MNIST:,} images would take {lasting(law.seconds(ALL_OF_MNIST))}."
        for method, law in laws(results).items()
    ]
    if not lines:
        return ""
    memory = ALL_OF_MNIST**2 / 2 * 8 / 1e9
    return "\n".join(lines) + (
        f"\n\nThe times for {ALL_OF_MNIST:,} are extrapolated (dashed). k-means ran one start and at most {ROUNDS} "
        "rounds; both used one processor core. Hierarchical clustering also holds all n² / 2 distances: "
        f"{memory:.0f} GB for {ALL_OF_MNIST:,}; its exponent may rise above 2 as they outgrow the fast memory."
    )


def lasting(seconds: float) -> str:
    return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
