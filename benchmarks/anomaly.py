"""Does a model that knows one class alone find the others strange? AUROC of three scores, for every class.

    python -m benchmarks.anomaly [--models FOLDER] [--write]
    python -m benchmarks.anomaly --choose [--write]

Each bundled model of the bank "anomaly" was trained on the training images of one class; all 10,000 test images are
scored, its own class as the normal one, all others as anomalies. Also: every class against each other, and digit 1
against a model that was trained on all digits but 1. With --write the numbers go to assets/results/anomaly.json, and
where each model puts its training images (mean and covariance of its codes) to anomaly.safetensors.

--choose tells how the settings were chosen, once for all classes and both sets of data: each candidate is trained on
ten classes of the first 50,000 training images of MNIST and scored on the other 10,000. No test image is looked at.
Taken is the smallest code whose mean AUROC by reconstruction error is within 0.001 of the best.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor

from vae_core.checkpoints import read_bundled, read_model
from vae_core.data import ImageSource, dataset
from vae_core.data.subset import Subset, subset
from vae_core.folders import ASSETS, write_whole
from vae_core.latent.priors import fit_gaussian
from vae_core.metrics.anomaly import DRAWS, SCORES, Strangeness, codes_of_all, outlines_of_all, strangeness_of_all
from vae_core.metrics.ranking import auroc, average_precision, rank
from vae_core.models import VAE
from vae_core.recipes import BANKS, RECIPES, changed
from vae_core.training import Training

RESULTS, CODES = ASSETS / "results" / "anomaly.json", ASSETS / "results" / "anomaly.safetensors"
CANDIDATES = [
    {"likelihood": "bernoulli", "latent": 16},
    *({"likelihood": "gaussian_learned", "latent": latent} for latent in (8, 16, 32)),
]
KEPT_BACK = 50_000  # training images of MNIST before those on which candidates are scored


def scores_of(model: Any, known: ImageSource, held_out: ImageSource) -> dict[str, np.ndarray]:
    """Every score of all held-out images [N], float32 as on the page."""
    parts = [part for _, part in strangeness_of_all(model, held_out, fit_gaussian(codes_of_all(model, known)))]
    return {name: torch.cat([getattr(part, name) for part in parts]).float().numpy() for name in Strangeness._fields}


def areas(scores: dict[str, np.ndarray], anomalous: np.ndarray, among: np.ndarray | None = None) -> dict[str, float]:
    """The AUROC of each score, over all images or those `among` which it is asked for."""
    among = np.ones_like(anomalous) if among is None else among
    return {name: round(auroc(rank(values[among], anomalous[among])), 4) for name, values in scores.items()}


def measure(models: Path | None) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """All models of the bank: the results, and the tensors that the page needs beside the weights."""
    result: dict[str, Any] = {"draws": DRAWS}
    tensors: dict[str, Tensor] = {}
    for recipe in BANKS["anomaly"]:
        held_out = dataset(recipe.data).load("test")
        known = subset(dataset(recipe.data).load("train"), "cpu", recipe.training.labels)
        model = (read_bundled(recipe.name) if models is None else read_model(models / recipe.name / "model")).model
        normal = fit_gaussian(codes_of_all(model, known))
        tensors |= {f"{recipe.name}.mean": normal.mean, f"{recipe.name}.cholesky": normal.cholesky.contiguous()}
        tensors[f"{recipe.name}.images"] = torch.tensor(len(known))
        labels = held_out.labels.numpy()
        scores, anomalous = scores_of(model, known, held_out), ~np.isin(labels, recipe.training.labels)
        found = areas(scores, anomalous)
        print(f"{recipe.name:24}" + "".join(f"{name:>10} {value:.4f}" for name, value in found.items()), flush=True)
        if len(recipe.training.labels) > 1:
            length = outlines_of_all(held_out)
            by_outline = areas({"alone": length, "error_per_unit": scores["error"] / length}, anomalous)
            print(f"{'':24}{by_outline}")
            result["all_but_one"] = {"classes": list(recipe.training.labels), "auroc": found, "outline": by_outline}
            continue
        [own] = recipe.training.labels
        of_data = result.setdefault(recipe.data, {
            "held_out": len(held_out),
            **{kind: {name: [] for name in SCORES} for kind in ("auroc", "average_precision", "pairs")},
        })  # fmt: skip
        pairs = [
            areas(scores, anomalous, (labels == own) | (labels == other)) if other != own else dict.fromkeys(SCORES)
            for other in range(10)
        ]
        for name in SCORES:
            of_data["auroc"][name].append(found[name])
            of_data["average_precision"][name].append(round(average_precision(rank(scores[name], anomalous)), 4))
            of_data["pairs"][name].append([pair[name] for pair in pairs])
    for data in ("mnist", "fashion_mnist"):
        result[data]["mean"] = {name: round(float(np.mean(result[data]["auroc"][name])), 4) for name in SCORES}
        print(f"{data:24}" + "".join(f"{name:>10} {value:.4f}" for name, value in result[data]["mean"].items()))
    return result, tensors


def choose() -> list[dict[str, Any]]:
    """Every candidate on training images that it was not trained on: mean AUROC over the ten digits."""
    whole, device = dataset("mnist").load("train"), torch.device("cpu")
    learned, kept_back = (Subset(whole, where) for where in torch.arange(len(whole)).split(KEPT_BACK))
    rows = []
    for candidate in CANDIDATES:
        began, found = time.perf_counter(), []
        for own in range(10):
            recipe = changed(RECIPES[f"mnist-only-{own}"], candidate)
            known = subset(learned, device, (own,))
            torch.manual_seed(recipe.training.seed)
            model = VAE(recipe.config)
            for _ in Training(model, known, replace(recipe.training, labels=()), device).run(10**6):
                pass
            model.requires_grad_(False)
            found.append(areas(scores_of(model, known, kept_back), kept_back.labels.numpy() != own))
        means = {name: round(float(np.mean([each[name] for each in found])), 4) for name in SCORES}
        rows.append({**candidate, "auroc": means})
        cells = "".join(f"{name:>10} {value:.4f}" for name, value in means.items())
        print(f"{candidate!s:56}{cells} {time.perf_counter() - began:6.0f} s", flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, help="the runs of freshly trained models; else the bundled ones")
    parser.add_argument("--choose", action="store_true")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    tensors: dict[str, Tensor] = {}
    if options.choose:
        found = {"choice": {"images": KEPT_BACK, "candidates": choose()}}
    else:
        found, tensors = measure(options.models)
    if options.write:
        result = (json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}) | found
        write_whole(RESULTS, lambda file: file.write((json.dumps(result, indent=1) + "\n").encode()))
        if tensors:
            write_whole(CODES, lambda file: file.write(save(tensors)))


if __name__ == "__main__":
    main()
