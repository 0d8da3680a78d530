"""Two heaps of scores and a threshold between them: dragged in the browser, with all that follows from it."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import streamlit as st

from ui.browser import bundle, newest
from vae_core.metrics.ranking import Ranking, auroc, average_precision, cheapest

_view = st.components.v2.component("anomaly_threshold", **bundle(Path(__file__).parent, "threshold"))

BARS = 56
BEYOND = 0.995  # the share of the scores that the axis holds; its last bar stands for the others


@dataclass(frozen=True)
class Stakes:
    """What a mistake costs, in false alarms, and which share of what arrives is anomalous (None: as it was ranked)."""

    miss: float = 1.0
    share: float | None = None


def axis(scores: np.ndarray) -> tuple[float, float]:
    """Where the axis of the scores [N] begins and ends."""
    low, high = float(scores.min()), float(np.quantile(scores, BEYOND))
    return low, max(high, low + 1e-6)


def heaps(scores: np.ndarray, anomalous: np.ndarray, ends: tuple[float, float]) -> list[list[float]]:
    """How the normal and the anomalous ones spread over BARS equal bars: shares of each kind, [2][BARS]."""
    edges = np.linspace(*ends, BARS + 1)
    counts = [np.histogram(np.clip(scores[kind], *ends), edges)[0] for kind in (~anomalous, anomalous)]
    return [(count / count.sum()).round(5).tolist() for count in counts]


def threshold_view(
    ranking: Ranking,
    scores: np.ndarray,
    anomalous: np.ndarray,
    threshold: float,
    *,
    key: str,
    score: tuple[str, str],
    kinds: tuple[str, str],
    colours: tuple[str, str],
    things: str = "pictures",
    stakes: Stakes = Stakes(),
    on_release: Callable[[], None] | None = None,
) -> float:
    """Show scores [N] and a threshold to drag; returns where the hand let go last, at first `threshold`.

    `score`: name and unit; `kinds`: what is normal and what is anomalous here, in words; `things`: what is
    scored.
    """
    share = ranking.share if stakes.share is None else stakes.share
    best = cheapest(ranking, stakes.miss, 1.0, share)
    data = {
        "ends": axis(scores),
        "bars": heaps(scores, anomalous, axis(scores)),
        "thresholds": _packed(ranking.thresholds[1:], "<f4"),
        "hits": _packed(ranking.hits[1:], "<u4"),
        "alarms": _packed(ranking.false_alarms[1:], "<u4"),
        "sizes": [ranking.normal, ranking.anomalous],
        "areas": [auroc(ranking), average_precision(ranking, share)],
        "share": share,
        "counted": stakes.share is None,
        "miss": stakes.miss,
        "best": None if math.isinf(best.threshold) else float(f"{ranking.between(best.threshold):.6g}"),
        "least": best.cost,
        "score": list(score),
        "kinds": list(kinds),
        "colours": list(colours),
        "things": things,
        "at": threshold,
    }
    told = _view(key=key, data=data, on_release_change=on_release or (lambda: None)).get("release")
    return float(newest(key, told, threshold))


def _packed(values: np.ndarray, dtype: str) -> str:
    return base64.b64encode(np.ascontiguousarray(values, dtype=dtype).tobytes()).decode("ascii")
