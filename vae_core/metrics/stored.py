"""Scores that come from a file: whether they are what a reader may rely on."""

from __future__ import annotations

from typing import Any

from vae_core.metrics import METRICS
from vae_core.metrics.trial import Spread

PER_LATENT = ("kl_per_latent", "activity")
SINGLE = ("recon", "kl", "elbo", "mig")
LARGEST = 1e300  # beyond, arithmetic with a number fails
COUNTED = {"continuity": ("pairs", "steps"), "completeness": ("draws", "samples")}  # how much a score was taken over


def wrong_scores(metrics: dict[str, Any], latent: int) -> list[str]:
    """The keys of a metrics.json that are not what pages rely on; a score that was not measured is simply absent."""
    wrong: list[str] = [key for key in PER_LATENT if key in metrics and not _numbers(metrics[key], latent)]
    wrong += [key for key in SINGLE if key in metrics and not _numbers([metrics[key]], 1)]
    if "held_out" in metrics and not _whole(metrics["held_out"]):
        wrong.append("held_out")
    if "factor_information" in metrics and not _table(metrics["factor_information"], latent):
        wrong.append("factor_information")
    for name, entry in METRICS.items():
        if entry.nested and name in metrics:
            group = metrics[name] if isinstance(metrics[name], dict) else {}
            wrong += [f"{name} {number}" for number in entry.numbers if not _spread(group.get(number))]
            wrong += [f"{name} {key}" for key in COUNTED.get(name, ()) if not _whole(group.get(key))]
            wrong += _wrong_of_data(name, group)
    return wrong


def _wrong_of_data(name: str, group: dict[str, Any]) -> list[str]:
    """What the data themselves reach, where it stands there: spreads under `of_data`, or `NUMBER_of_data`."""
    reached = group.get("of_data", {})
    good = isinstance(reached, dict) and all(map(_spread, reached.values()))
    wrong = [] if good else [f"{name} of_data"]
    return wrong + [
        f"{name} {key}" for key in group if key.endswith("_of_data") and not _numbers([group[key]], 1)
    ]  # fmt: skip


def _numbers(values: Any, count: int) -> bool:
    """Whether this is a list of so many finite numbers."""
    good = isinstance(values, list) and len(values) == count
    return good and all(
        isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LARGEST for value in values
    )


def _table(rows: Any, count: int) -> bool:
    """Whether this is a list of so many rows of equally many numbers."""
    good = isinstance(rows, list) and len(rows) == count and all(isinstance(row, list) for row in rows)
    return good and all(_numbers(row, len(rows[0])) for row in rows)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _spread(value: Any) -> bool:
    return isinstance(value, dict) and _numbers([value.get(key) for key in Spread._fields], len(Spread._fields))
