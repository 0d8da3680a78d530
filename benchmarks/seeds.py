"""Do continuity and completeness depend on the seed? Trains recipes again with other seeds and scores them all.

    python -m benchmarks.seeds [--seeds 0 1 2] [--families "MNIST 2-D"] [--write]

Seed 0 is the bundled model. The others are trained as runs in runs/seeds (kept, so a second call only scores them).
With --write the scores go to assets/results/seeds.json, which the app shows beside the bundled models.
"""

from __future__ import annotations

import argparse
import json
import statistics
from dataclasses import replace
from typing import Any

from vae_core.checkpoints import Checkpoint, read_bundled
from vae_core.folders import ASSETS, PROJECT, write_whole
from vae_core.recipes import RECIPES
from vae_core.runs import trained
from vae_core.runs.scores import evaluate

COMPARED = {
    "MNIST 2-D": ("mnist-2d-ae", "mnist-2d-vae-beta1"),
    "Fashion 2-D": ("fashion-2d-ae", "fashion-2d-vae-beta1"),
}
VARIANTS = {"ae": "autoencoder", "beta1": "beta 1"}


def model_of(name: str, seed: int) -> Checkpoint:
    recipe = RECIPES[name]
    if seed == recipe.training.seed:
        return read_bundled(name)
    recipe = replace(recipe, training=replace(recipe.training, seed=seed))
    return trained(recipe, PROJECT / "runs" / "seeds" / f"{name}-seed{seed}")


def compared_scores(metrics: dict[str, Any]) -> dict[str, float]:
    return {
        "unevenness": metrics["continuity"]["unevenness"]["mean"],
        "no_class": metrics["continuity"]["no_class"]["mean"],
        "precision": metrics["completeness"]["precision"]["mean"],
        "density": metrics["completeness"]["density"]["mean"],
        "coverage": metrics["completeness"]["coverage"]["mean"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--families", nargs="+", choices=list(COMPARED), default=list(COMPARED))
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    results: dict[str, dict[str, dict[str, list[float]]]] = {}
    for family in options.families:
        for name in COMPARED[family]:
            variant = VARIANTS[name.rsplit("-", 1)[-1]]
            scores = [compared_scores(evaluate(model_of(name, seed))) for seed in options.seeds]
            results.setdefault(family, {})[variant] = {key: [round(s[key], 4) for s in scores] for key in scores[0]}
    for family, variants in results.items():
        print(f"\n{family}, seeds {' '.join(map(str, options.seeds))}: mean (lowest to highest)")
        for key in next(iter(variants.values())):
            row = "   ".join(
                f"{variant} {statistics.mean(values[key]):.3f} ({min(values[key]):.3f} to {max(values[key]):.3f})"
                for variant, values in variants.items()
            )
            print(f"  {key:24} {row}")
    if options.write:
        content = json.dumps({"seeds": options.seeds, **results}, indent=2) + "\n"
        write_whole(ASSETS / "results" / "seeds.json", lambda file: file.write(content.encode()))


if __name__ == "__main__":
    main()
