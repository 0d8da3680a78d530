"""Rankings against scikit-learn and against answers counted by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn import metrics as known

from vae_core.errors import InvalidInput
from vae_core.metrics.ranking import (
    at_most,
    auroc,
    average_precision,
    cheapest,
    confusion,
    costs,
    precision_recall,
    rank,
    roc,
)

# By hand: from the top anomalous, normal, anomalous and normal at once, normal.
SCORES, TRUTH = np.array([1.0, 5.0, 3.0, 4.0, 3.0]), np.array([False, True, True, False, False])


def drawn(ties: bool, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Overlapping scores [N] of both kinds, some of them equal where asked for."""
    noise = np.random.default_rng(seed)
    truth = noise.random(500) < 0.3
    scores = noise.normal(size=500) + truth
    return (scores.round(1) if ties else scores), truth


@pytest.mark.parametrize("ties", [False, True])
def test_curves_and_areas_are_scikit_learns(ties: bool) -> None:
    scores, truth = drawn(ties)
    ranking = rank(scores, truth)
    assert auroc(ranking) == pytest.approx(known.roc_auc_score(truth, scores), abs=1e-12)
    assert average_precision(ranking) == pytest.approx(known.average_precision_score(truth, scores), abs=1e-12)
    x, y, thresholds = known.roc_curve(truth, scores, drop_intermediate=False)
    np.testing.assert_allclose(roc(ranking).x, x)
    np.testing.assert_allclose(roc(ranking).y, y)
    np.testing.assert_allclose(ranking.thresholds, thresholds)
    precision, recall, _ = known.precision_recall_curve(truth, scores)
    curve = precision_recall(ranking)
    np.testing.assert_allclose(curve.x[::-1], recall)
    np.testing.assert_allclose(curve.y[::-1], precision)


@pytest.mark.parametrize("ties", [False, True])
def test_confusion_at_any_threshold_is_scikit_learns(ties: bool) -> None:
    scores, truth = drawn(ties)
    ranking = rank(scores, truth)
    for threshold in (*scores[:20], 0.05, -99, 99, math.inf):
        [[passed, false_alarms], [misses, hits]] = known.confusion_matrix(truth, scores >= threshold)
        assert confusion(ranking, threshold) == (hits, misses, false_alarms, passed)


def test_a_small_ranking_by_hand() -> None:
    ranking = rank(SCORES, TRUTH)
    assert list(ranking.thresholds) == [math.inf, 5, 4, 3, 1]
    assert list(ranking.hits) == [0, 1, 1, 2, 2] and list(ranking.false_alarms) == [0, 0, 1, 2, 3]
    assert (ranking.anomalous, ranking.normal, ranking.share) == (2, 3, 0.4)
    # Of six pairs: 5 beats all three normal ones; 3 beats 1, equals 3, loses to 4.
    assert auroc(ranking) == pytest.approx((3 + 1 + 0.5) / 6)
    assert confusion(ranking, 4) == (1, 1, 1, 2) and confusion(ranking, 4.5) == (1, 1, 0, 3)
    assert [at_most(ranking, rate) for rate in (0, 0.34, 0.99, 1)] == [5, 4, 3, 1]
    assert [ranking.between(threshold) for threshold in (5, 4, 1, math.inf)] == [4.5, 3.5, 1, math.inf]


def test_a_perfect_a_reversed_and_a_useless_score() -> None:
    truth = np.array([True] * 3 + [False] * 7)
    for scores, area in ((truth * 1.0, 1.0), (-1.0 * truth, 0.0), (np.zeros(10), 0.5)):
        assert auroc(rank(scores, truth)) == area
    assert average_precision(rank(np.zeros(10), truth)) == pytest.approx(0.3), "chance is the share"


def test_the_share_of_anomalies_moves_precision_but_not_the_roc() -> None:
    scores, truth = drawn(False)
    ranking = rank(scores, truth)
    # Every normal picture ten times over: what the reweighted curve has to be.
    copies = np.where(truth, 1, 10)
    repeated = rank(np.repeat(scores, copies), np.repeat(truth, copies))
    assert auroc(repeated) == pytest.approx(auroc(ranking))
    assert average_precision(ranking, repeated.share) == pytest.approx(average_precision(repeated))
    assert average_precision(repeated) < average_precision(ranking)
    np.testing.assert_allclose(precision_recall(ranking, ranking.share), precision_recall(ranking))


def test_the_cheapest_threshold_is_the_cheapest() -> None:
    scores, truth = drawn(True)
    ranking = rank(scores, truth)
    for miss, false_alarm in ((1, 1), (20, 1), (1, 20)):
        best = cheapest(ranking, miss, false_alarm)
        each = [
            (miss * (truth & (scores < threshold)).sum() + false_alarm * (~truth & (scores >= threshold)).sum()) / 500
            for threshold in ranking.thresholds
        ]
        np.testing.assert_allclose(costs(ranking, miss, false_alarm), each)
        assert best.cost == pytest.approx(min(each)) and best.threshold in ranking.thresholds
    assert cheapest(ranking, 0, 1) == (math.inf, 0), "where misses are free, no alarm is best"
    assert confusion(ranking, cheapest(ranking, 1, 0).threshold).misses == 0
    assert cheapest(ranking, 1, 1, share=1e-4).threshold > cheapest(ranking, 1, 1, share=0.9).threshold


@pytest.mark.parametrize(
    ("scores", "truth", "named"),
    [([1, 2], [True], "same length"), ([[1, 2]], [[True, False]], "same length"),
     ([1, math.nan], [True, False], "1 of 2"), ([1, math.inf], [True, False], "not finite"),
     ([1, 2], [True, True], "normal"), ([1, 2], [False, False], "anomalous"), ([], [], "None of the 0")],
)  # fmt: skip
def test_what_cannot_be_ranked_is_named(scores: list[float], truth: list[bool], named: str) -> None:
    with pytest.raises(InvalidInput, match=named):
        rank(np.array(scores), np.array(truth, bool))


@pytest.mark.parametrize("share", [0, 1, -0.5, math.nan])
def test_a_share_of_anomalies_that_cannot_be_is_refused(share: float) -> None:
    ranking = rank(SCORES, TRUTH)
    with pytest.raises(InvalidInput, match="share of anomalous"):
        precision_recall(ranking, share)
    with pytest.raises(InvalidInput, match="share of anomalous"):
        cheapest(ranking, 1, 1, share)


def test_a_cost_or_a_threshold_that_cannot_be_is_refused() -> None:
    with pytest.raises(InvalidInput, match="-1"):
        costs(rank(SCORES, TRUTH), -1, 1)
    with pytest.raises(InvalidInput, match="not a number"):
        confusion(rank(SCORES, TRUTH), math.nan)
