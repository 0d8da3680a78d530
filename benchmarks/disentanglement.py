"""How well does each objective give every factor of the sprites a latent of its own? Several seeds of each.

    python -m benchmarks.disentanglement RUNS [--train] [--write]

Scores the runs RUNS/RECIPE-seedN (N = 0, 1, 2) of every recipe of the lesson and of a beta-VAE that is trained longer,
as far as they are there, on the 10,000 held-out images; with --train those that are missing are trained there first
(some five minutes each on one core, the longer ones twenty). With --write the scores go to
assets/results/disentanglement.json, which the page shows.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from vae_core.checkpoints import CONFIG, Checkpoint, read_model
from vae_core.data import dataset
from vae_core.folders import ASSETS, write_whole
from vae_core.metrics import Trial
from vae_core.metrics.disentanglement import batch_total_correlation, dci, factor_vote, kl_parts, sap
from vae_core.metrics.mig import mig_of
from vae_core.recipes import BANKS, Recipe
from vae_core.recipes.disentanglement import CATEGORIES, IMAGES, SEEDS, TRAINING, longer
from vae_core.runs import trained

RESULTS = ASSETS / "results" / "disentanglement.json"
SHOWN = ("mig", "sap", "disentanglement", "completeness", "informativeness", "vote")


def score(checkpoint: Checkpoint) -> dict[str, Any]:
    """All scores of one trained model, on all held-out images."""
    source = dataset(checkpoint.dataset).load("test")
    assert source.factors is not None
    trial = Trial(checkpoint.model.eval(), source)
    codes, factors = trial.posterior[0], source.factors
    forest, gaps, parts = dci(codes, factors), mig_of(codes, factors), kl_parts(trial)
    found = {
        "mig": gaps.mig, "sap": sap(codes, factors, CATEGORIES).sap, "disentanglement": forest.disentanglement,
        "completeness": forest.completeness, "informativeness": forest.informativeness,
        "vote": factor_vote(codes, factors).accuracy, **{name: checkpoint.metrics[name] for name in ("recon", "kl")},
        **{name: part.item() for name, part in parts._asdict().items()},
        "in_batches": batch_total_correlation(trial, TRAINING.batch, IMAGES),
    }  # fmt: skip
    return {
        **{name: round(value, 4) for name, value in found.items()},
        "mig_per_factor": [round(gap, 4) for gap in gaps.mig_per_factor.tolist()],
        "steps": checkpoint.training["steps"], "seconds": checkpoint.training["seconds"],
    }  # fmt: skip


def model_of(recipe: Recipe, folder: Path, train: bool) -> Checkpoint | None:
    """A run's model; None where there is none and none is to be trained."""
    if train:
        return trained(recipe, folder)
    return read_model(folder / "model") if (folder / "model" / CONFIG).exists() else None


def measure(runs: Path, train: bool) -> dict[str, Any]:
    """By recipe and score: a list over the seeds that are there."""
    result: dict[str, Any] = {}
    for recipe in (*BANKS["disentanglement"], longer()):
        rows, seeds = [], []
        for seed in SEEDS:
            seeded = replace(recipe, training=replace(recipe.training, seed=seed))
            checkpoint = model_of(seeded, runs / f"{recipe.name}-seed{seed}", train)
            if checkpoint is None:
                print(f"{recipe.name} seed {seed}: no run")
                continue
            began = time.perf_counter()
            rows.append(score(checkpoint))
            seeds.append(seed)
            told = "  ".join(f"{name} {rows[-1][name]:.3f}" for name in SHOWN)
            print(f"{recipe.name} seed {seed}: {told}  ({time.perf_counter() - began:.0f} s)", flush=True)
        if rows:
            result[recipe.name] = {"seeds": seeds, **{name: [row[name] for row in rows] for name in rows[0]}}
            medians = "  ".join(f"{name} {statistics.median(result[recipe.name][name]):.3f}" for name in SHOWN)
            print(f"{recipe.name}, median of {len(rows)}: {medians}\n")
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, help="the folder of the runs")
    parser.add_argument("--train", action="store_true")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    found = measure(options.runs, options.train)
    if options.write:
        content = json.dumps({"held_out": len(dataset("sprites").load("test")), "methods": found}, indent=1) + "\n"
        write_whole(RESULTS, lambda file: file.write(content.encode()))


if __name__ == "__main__":
    main()
