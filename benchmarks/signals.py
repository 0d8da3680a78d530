"""Does an autoencoder that has seen only normal heartbeats notice the others? Beside PCA and the mean beat.

    LATENT_DATA=... python -m benchmarks.signals [--data ecg5000 simulated] [--latents 1 2 4 8 16 32] [--seeds 3]
        [--write]

Recorded beats (ECG5000, where the data folder holds ecg5000.npz) and simulated ones. Each method learns from the normal
training beats alone; all held-out beats are then scored by the root mean squared error of what it rebuilds. The
networks are trained as on the page Anomalies in signals, from several seeds. With --write the figures go to
assets/results/signals.json, and with them what the page shows where the recorded beats are not at hand: the scores of
one network, and some beats.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any, NamedTuple

import numpy as np

from vae_core.data.heartbeats import ECG_SOURCE, NORMAL, SIMULATED_BEATS, ecg5000, ecg_path, simulated
from vae_core.data.signals import Signals, split_by_label
from vae_core.detectors import (
    Detector,
    MeanSignal,
    Network,
    PrincipalComponents,
    alarm_threshold,
    new_training,
    strangeness,
)
from vae_core.folders import ASSETS, write_whole
from vae_core.metrics.ranking import auroc, average_precision, rank

RESULTS = ASSETS / "results" / "signals.json"
LATENTS = (1, 2, 4, 8, 16, 32)
SHOWN, SEED = 2, 0  # latents and seed of the network whose scores are kept
SHARE = 0.95  # of the training beats below the threshold by which the kept beats are sorted
EXAMPLES = {"passed": 6, "false alarm": 4, "noticed": 10, "missed": 6}
DATA = ("ecg5000", "simulated")


class Task(NamedTuple):
    """Normal signals to learn from, and others to score."""

    name: str
    train: np.ndarray  # [N, L]
    test: Signals


def tasks() -> list[Task]:
    """Recorded beats, where they are here, and simulated ones."""
    beats = simulated(*SIMULATED_BEATS)
    split = split_by_label(beats, NORMAL)
    assert beats.labels is not None
    scored = Signals(beats.title, beats.values[split.scored], beats.labels[split.scored], beats.class_names, beats.unit)
    found = [Task("simulated", beats.values[split.train], scored)]
    if (recorded := ecg5000()) is not None:
        train, test = recorded
        found.insert(0, Task("ecg5000", train.values[train.labels == NORMAL], test))
    else:
        print(f"No recorded beats: {ecg_path()} is missing.")
    return found


def trained(values: np.ndarray, latent: int, seed: int) -> Network:
    network, training = new_training(values, latent, seed)
    for _ in training.run(training.steps):
        pass
    return network


def scored(detector: Detector, test: Signals) -> dict[str, float]:
    """How well a detector tells normal from strange, and how much it misses of normal signals."""
    strange = test.labels != NORMAL
    scores = strangeness(detector, test.values)
    ranking = rank(scores, strange)
    return {
        "auroc": round(auroc(ranking), 4),
        "average_precision": round(average_precision(ranking), 4),
        "error": float(f"{scores[~strange].mean():.4g}"),
    }


def measured(task: Task, latents: list[int], seeds: int) -> dict[str, Any]:
    """All methods at every latent size."""
    rows = []
    for latent in latents:
        began = time.perf_counter()
        networks = [scored(trained(task.train, latent, seed), task.test) for seed in range(seeds)]
        row = {
            "latent": latent,
            "network": {key: [each[key] for each in networks] for key in networks[0]},
            "pca": scored(PrincipalComponents(task.train, latent), task.test),
        }
        rows.append(row)
        print(
            f"{task.name:>10} {latent:7} {np.mean(row['network']['auroc']):10.4f} +- "
            f"{np.std(row['network']['auroc']):.4f} {row['pca']['auroc']:10.4f}"
            f" {np.mean(row['network']['error']):12.4f} {row['pca']['error']:10.4f} {time.perf_counter() - began:7.0f}",
            flush=True,
        )
    mean = scored(MeanSignal(task.train), task.test)
    print(f"{task.name:>10}  the mean beat alone: {mean['auroc']:.4f}, error {mean['error']:.4f}")
    return {"trained_on": len(task.train), "held_out": len(task.test), "rows": rows, "mean": mean}


def kept(task: Task) -> dict[str, Any]:
    """The scores of one network, of PCA and of the mean beat, and some held-out beats, drawn by chance from those
    that the network got right and wrong."""
    detectors: dict[str, Detector] = {
        "network": trained(task.train, SHOWN, SEED),
        "pca": PrincipalComponents(task.train, SHOWN),
        "mean": MeanSignal(task.train),
    }
    scores = {name: strangeness(each, task.test.values) for name, each in detectors.items()}
    known = {name: strangeness(each, task.train) for name, each in detectors.items()}
    labels = task.test.labels
    assert labels is not None
    alarm, strange = scores["network"] >= alarm_threshold(known["network"], SHARE), labels != NORMAL
    groups = {
        "passed": ~strange & ~alarm, "false alarm": ~strange & alarm, "noticed": strange & alarm,
        "missed": strange & ~alarm,
    }  # fmt: skip
    draws = np.random.default_rng(SEED)
    places = [
        int(place)
        for name, count in EXAMPLES.items()
        for place in spread(np.flatnonzero(groups[name]), labels, count, draws)
    ]
    rebuilt = detectors["network"].rebuilt(task.test.values[places])
    return {
        "latent": SHOWN,
        "seed": SEED,
        "labels": "".join(map(str, labels)),
        "scores": {name: short(each) for name, each in scores.items()},
        "training_scores": {name: short(each) for name, each in known.items()},
        "examples": [
            {"row": place, "values": short(values), "rebuilt": short(line)}
            for place, values, line in zip(places, task.test.values[places], rebuilt, strict=True)
        ],
    }


def spread(places: np.ndarray, labels: np.ndarray, count: int, draws: np.random.Generator) -> list[int]:
    """So many places, drawn by chance, from all labels in turn, that no rare class is forgotten."""
    piles = [list(draws.permutation(places[labels[places] == label])) for label in np.unique(labels[places])]
    taken: list[int] = []
    while len(taken) < count and any(piles):
        for pile in filter(None, piles):
            taken.append(pile.pop())
    return taken[:count]


def short(values: np.ndarray) -> list[float]:
    """Four digits are more than a screen shows."""
    return [float(f"{value:.4g}") for value in values]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", nargs="+", choices=DATA, default=list(DATA))
    parser.add_argument("--latents", type=int, nargs="+", default=list(LATENTS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    print("AUROC over all held-out beats; error: root mean square, mean over held-out normal ones")
    print(f"network: mean +- deviation over {options.seeds} seeds")
    print(f"{'':10} {'latents':>7} {'network':>20} {'PCA':>10} {'error':>12} {'of PCA':>10} {'s':>7}")
    for task in tasks():
        if task.name in options.data:
            series = measured(task, options.latents, options.seeds)
            if options.write:
                write(task, series)


def write(task: Task, series: dict[str, Any]) -> None:
    """Put what was measured beside what was measured before; of recorded beats, what the page shows as well."""
    known = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
    result = {
        "source": ECG_SOURCE,
        "series": known.get("series", {}) | {task.name: series},
        "kept": kept(task) if task.name == "ecg5000" else known.get("kept"),
    }
    write_whole(RESULTS, lambda file: file.write((json.dumps(result, separators=(",", ":")) + "\n").encode()))


if __name__ == "__main__":
    main()
