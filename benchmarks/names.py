"""What the models of names make up, what they have by heart, and how their KL went while they were trained.

    python -m benchmarks.names --runs FOLDER [--models FOLDER] [--write]

Needs names.txt in the folder LATENT_DATA. `--runs` is the folder in which the bank "names" was trained (a run for each
recipe); without it the curves are kept as they are stored. Every model makes up 10,000 names from its prior, letters at
temperature 1; each is looked up in the training and in the held-out list. The bound is that of Burda et al. (2016) with
100 draws of the code, over every third held-out name, for the list begins with the commonest. With --write the numbers
go to assets/results/names.json.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch

from ui.lessons.names import KNOWN
from vae_core.checkpoints import read_bundled, read_model
from vae_core.data.names import NAMES, is_held_out, names_of, spelled
from vae_core.data.subset import Subset
from vae_core.folders import ASSETS, write_whole
from vae_core.latent.spelling import drawn
from vae_core.metrics.importance import importance_bounds
from vae_core.recipes import BANKS
from vae_core.runs.reading import read_events

RESULTS = ASSETS / "results" / "names.json"
SAMPLES, PART, DRAWS, EVERY, SEED = 10_000, 500, 100, 3, 0


def made_up(model: Any) -> list[str]:
    """Names from the prior."""
    generator = torch.Generator().manual_seed(SEED)
    words: list[str] = []
    for _ in range(SAMPLES // PART):
        codes = torch.randn(PART, model.config.latent, generator=generator)
        words += spelled(drawn(model, codes, 1.0, generator).numbers)
    return words


def history(run: Path) -> dict[str, list[float]]:
    """The held-out terms after every epoch; before the first step nothing was looked at."""
    seen = [event for event in read_events(run / "events.jsonl") if event.get("held_out")]
    return {
        "epoch": [round(event["epoch"], 2) for event in seen],
        **{term: [round(event["held_out"][term], 4) for event in seen] for term in ("kl", "recon", "elbo")},
    }


def spread() -> Subset:
    """Some held-out names, common and rare ones alike."""
    source = NAMES.load("test")
    return Subset(source, torch.arange(0, len(source), EVERY))


def measure(model: Any, training: set[str], held_out: set[str]) -> dict[str, Any]:
    words = made_up(model)
    shares = {
        "in_training": sum(word in training for word in words) / len(words),
        "in_held_out": sum(word in held_out for word in words) / len(words),
    }
    source = spread()
    *_, (_, bounds) = importance_bounds(model, source, (1, DRAWS), len(source), SEED)
    assert bounds is not None
    return {
        **{name: round(value, 4) for name, value in shares.items()},
        "new": round(1 - sum(shares.values()), 4),
        "distinct": round(len(set(words)) / len(words), 4),
        "bound": round(bounds.bound[-1], 3),
        "bound_standard_error": round(bounds.standard_error[-1], 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, help="the runs of freshly trained models; else the bundled ones")
    parser.add_argument("--runs", type=Path, help="the runs, for their curves")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    stored = json.loads(RESULTS.read_text("utf-8"))["models"] if RESULTS.exists() else {}
    training, held_out = set(names_of("train")), set(names_of("test"))
    models: dict[str, Any] = {}
    for recipe in BANKS["names"]:
        name = recipe.name
        model = (read_bundled(name) if options.models is None else read_model(options.models / name / "model")).model
        curves = history(options.runs / name) if options.runs else stored.get(name, {})
        models[name] = {**curves, **measure(model, training, held_out)}
        print(f"{name:20}" + "  ".join(f"{key} {models[name][key]}" for key in ("in_training", "in_held_out", "new",
              "distinct", "bound")), flush=True)  # fmt: skip
    found = {
        "training": len(training), "held_out": len(held_out), "samples": SAMPLES, "draws": DRAWS,
        "bounded": len(spread()),
        "known": len(KNOWN), "known_in_training": len(training & set(KNOWN)),
        "known_in_held_out": len(held_out & set(KNOWN)), "known_held_out_by_hash": sum(map(is_held_out, KNOWN)),
        "models": models,
    }  # fmt: skip
    if options.write:
        write_whole(RESULTS, lambda file: file.write((json.dumps(found, indent=1) + "\n").encode()))


if __name__ == "__main__":
    main()
