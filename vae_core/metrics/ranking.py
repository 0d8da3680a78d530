"""How well a score puts what is anomalous above what is normal: at every threshold, and over all of them.

A picture raises an alarm where its score is at least the threshold. `rank` counts alarms at every threshold that
makes a difference; everything else here is read from these counts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from vae_core.errors import InvalidInput


class Confusion(NamedTuple):
    """What becomes of N pictures at one threshold."""

    hits: int  # anomalous, alarm
    misses: int  # anomalous, no alarm
    false_alarms: int  # normal, alarm
    passed: int  # normal, no alarm


class Curve(NamedTuple):
    """A curve in the unit square, from the highest threshold to the lowest."""

    x: np.ndarray  # [T]
    y: np.ndarray  # [T]


class Price(NamedTuple):
    """A threshold and what it costs, for each picture that arrives."""

    threshold: float
    cost: float


@dataclass(frozen=True)
class Ranking:
    """Alarms at each of T falling thresholds; the first is infinite, where nothing raises an alarm."""

    thresholds: np.ndarray  # [T] float64
    hits: np.ndarray  # [T] int64, anomalous pictures that score at least the threshold
    false_alarms: np.ndarray  # [T] int64, normal ones
    anomalous: int  # pictures
    normal: int

    @property
    def hit_rate(self) -> np.ndarray:
        """The share of the anomalous pictures that raise an alarm, at each threshold: [T]. Also called recall."""
        return self.hits / self.anomalous

    @property
    def false_alarm_rate(self) -> np.ndarray:
        """The share of the normal pictures that raise an alarm, at each threshold: [T]."""
        return self.false_alarms / self.normal

    @property
    def share(self) -> float:
        """The share of anomalous pictures among all."""
        return self.anomalous / (self.anomalous + self.normal)

    def between(self, threshold: float) -> float:
        """A threshold that raises the same alarms, halfway to the next lower score (or, where there is none, itself):
        a rounded one still does."""
        place = int(np.searchsorted(-self.thresholds, -threshold, side="right")) - 1
        near = self.thresholds[place : place + 2]
        return float(near.mean()) if np.isfinite(near).all() else threshold


def rank(scores: np.ndarray, anomalous: np.ndarray) -> Ranking:
    """Scores [N], where more means more anomalous, and truth [N] -> alarms at every threshold. Equal scores stay
    together. Raises InvalidInput for scores that are not finite, and where one of the two kinds is missing."""
    scores, truth = np.asarray(scores, np.float64), np.asarray(anomalous, bool)
    if scores.ndim != 1 or scores.shape != truth.shape:
        raise InvalidInput(f"Scores {scores.shape} and truth {truth.shape}; both must be lists of the same length.")
    if not np.isfinite(scores).all():
        raise InvalidInput(f"{(~np.isfinite(scores)).sum()} of {len(scores)} scores are not finite numbers.")
    if truth.all() or not truth.any():
        kind = "normal" if truth.all() else "anomalous"
        raise InvalidInput(f"None of the {len(scores)} pictures is {kind}; a ranking needs pictures of both kinds.")
    order = np.argsort(-scores, kind="stable")
    scores, truth = scores[order], truth[order]
    last = np.append(np.nonzero(np.diff(scores))[0], len(scores) - 1)  # of each group of equal scores
    hits = np.cumsum(truth)[last]
    return Ranking(
        thresholds=np.concatenate([[math.inf], scores[last]]),
        hits=np.concatenate([[0], hits]),
        false_alarms=np.concatenate([[0], last + 1 - hits]),
        anomalous=int(truth.sum()),
        normal=int((~truth).sum()),
    )


def roc(ranking: Ranking) -> Curve:
    """Hit rate over false alarm rate, the receiver operating characteristic (Fawcett 2006)."""
    return Curve(ranking.false_alarm_rate, ranking.hit_rate)


def auroc(ranking: Ranking) -> float:
    """The area under the ROC: the probability that an anomalous picture scores higher than a normal one, equal
    scores counted half (Hanley and McNeil 1982). 0.5 is chance; below it, the score is better turned round."""
    return float(np.trapezoid(ranking.hit_rate, ranking.false_alarm_rate))


def precision_recall(ranking: Ranking, share: float | None = None) -> Curve:
    """Precision over recall; precision is the share of the alarms that are right, and 1 where there is no alarm.

    Unlike the ROC it depends on how many of the pictures are anomalous. With a `share` in (0, 1) it is what it would
    be if that share of them were: each kind is weighted, the rates stay.
    """
    share = ranking.share if share is None else _checked(share)
    right, wrong = share * ranking.hit_rate, (1 - share) * ranking.false_alarm_rate
    alarms = right + wrong
    precision = np.divide(right, alarms, out=np.ones_like(alarms), where=alarms > 0)
    return Curve(ranking.hit_rate, precision)


def average_precision(ranking: Ranking, share: float | None = None) -> float:
    """Precision averaged over recall, by steps and without interpolation: sum_n (R_n - R_{n-1}) P_n. A score by
    chance reaches the share of the anomalous."""
    recall, precision = precision_recall(ranking, share)
    return float((np.diff(recall) * precision[1:]).sum())


def confusion(ranking: Ranking, threshold: float) -> Confusion:
    """How many pictures of each kind raise an alarm at a threshold, and how many do not."""
    if math.isnan(threshold):
        raise InvalidInput("The threshold is not a number; give one, or infinity for no alarm at all.")
    # Thresholds fall: the last one that is no lower than the one asked for stands for it.
    place = int(np.searchsorted(-ranking.thresholds, -threshold, side="right")) - 1
    hits, false_alarms = int(ranking.hits[place]), int(ranking.false_alarms[place])
    return Confusion(hits, ranking.anomalous - hits, false_alarms, ranking.normal - false_alarms)


def costs(ranking: Ranking, miss: float, false_alarm: float, share: float | None = None) -> np.ndarray:
    """What each threshold costs [T] for each picture that arrives, if a miss and a false alarm cost so much and the
    given share of the pictures is anomalous (by default, the share among those that were ranked)."""
    share = ranking.share if share is None else _checked(share)
    if not (0 <= miss < math.inf and 0 <= false_alarm < math.inf):
        raise InvalidInput(f"A miss costs {miss!r} and a false alarm {false_alarm!r}; allowed: numbers from 0.")
    return share * miss * (1 - ranking.hit_rate) + (1 - share) * false_alarm * ranking.false_alarm_rate


def cheapest(ranking: Ranking, miss: float, false_alarm: float, share: float | None = None) -> Price:
    """The threshold that costs least; of several, the highest."""
    prices = costs(ranking, miss, false_alarm, share)
    place = int(prices.argmin())
    return Price(float(ranking.thresholds[place]), float(prices[place]))


def at_most(ranking: Ranking, rate: float) -> float:
    """The lowest threshold at which no more than this share of the normal pictures raises an alarm."""
    return float(ranking.thresholds[ranking.false_alarm_rate <= rate][-1])


def _checked(share: float) -> float:
    if not 0 < share < 1:
        raise InvalidInput(f"The share of anomalous pictures is {share!r}; allowed: a number between 0 and 1.")
    return share
