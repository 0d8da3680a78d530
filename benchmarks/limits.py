"""What beta and the latent size do, what few images do, what it costs, and how far scores of samples disagree.

    python -m benchmarks.limits [--parts map few cost sets] [--runs FOLDER] [--write]

map   every model of the bank "limits" over beta and latent size: its held-out scores, and those of 10,000 samples from
      the prior: FID by features of our classifier, and edge energy as a share of that of the held-out images.
few   the models on few images: -ELBO (grey BCE) on their training images and on all held-out ones; with --runs the
      curves, from the folder that holds the runs. Training lines are means over the steps before, as in the training.
cost  weights, multiplications and memory are counted; the time of a training step is measured, as processor time of
      one core, for two networks at several image sides and latent sizes and for some models of this app.
sets  six sets of 2,500 samples under six scores. Log-likelihoods are of 1,000 held-out images, black and white by one
      fixed draw: importance-weighted bounds with 500 samples for the VAEs, exact for the memory of training images;
      its probability of a flipped pixel is chosen on training images that are not in the memory.

With --write the parts that were measured take their places in assets/results/limits.json.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vae_core.checkpoints import read_bundled
from vae_core.data import ImageSource, dataset
from vae_core.data.binarise import Binarised
from vae_core.exact.densities import coin_log_density, memory_log_density, mixed_log_density
from vae_core.folders import ASSETS, write_whole
from vae_core.latent.sample_sets import (
    BETAS,
    DRAWN,
    LEARNED,
    LOOSE,
    MIXED,
    NOISE,
    PLAIN,
    TIGHT,
    bits,
    from_prior,
    sample_sets,
)
from vae_core.metrics.completeness import scores as completeness_scores
from vae_core.metrics.cost import cost
from vae_core.metrics.frechet import frechet_distance
from vae_core.metrics.importance import importance_bounds
from vae_core.metrics.sharpness import sharpness
from vae_core.models import VAE
from vae_core.recipes.limits import BETAS_LIMITS, FEW_LIMITS, LATENTS_LIMITS, few_name, limits_name
from vae_core.runs.folder import Run
from vae_core.training import Training, TrainSettings, device_title, pick_device
from vae_core.training.held_out import held_out_terms

DATA, JUDGE = "mnist", "mnist-classifier"
RESULTS = ASSETS / "results" / "limits.json"
SAMPLES = 10_000  # behind a cell of the map
CPU = torch.device("cpu")
SIDES, LATENTS = (16, 32, 64, 128), (2, 8, 32, 128, 512)
NETWORKS: dict[str, dict[str, Any]] = {
    "fully connected": {"network": "mlp", "hidden": (512, 256, 128)},
    "convolutional": {"network": "conv", "channels": (32, 64), "hidden": (256,)},
}
COST_LATENT, COST_SIDE, COST_BATCH, STEPS = 16, 32, 64, 8
OURS = ("limits-beta1-16d", "mnist-2d-vae-beta1", "mnist-10d-vae-beta1", "sprites-10d-vae-beta1")
SET, JUDGED, DRAWS = 2500, 1000, 500  # samples in a set; images of a likelihood, and draws for each
SURE = 0.9  # probability of a class from which on the classifier is sure
FLIPS = (0.02, 0.04, 0.06, 0.08, 0.1, 0.12)
MODEL = limits_name(1.0, 16)  # whose samples appear in three of the sets


def whole(split: str) -> Tensor:
    source = dataset(DATA).load(split)
    return source.images(torch.arange(len(source)))


@torch.inference_mode()
def features(x: Tensor) -> Tensor:
    judge: Any = read_bundled(JUDGE).model
    return torch.cat([judge.features(part) for part in x.split(500)])


def measure_map() -> dict[str, Any]:
    x = whole("test")
    real, cells = features(x), {}
    for beta in BETAS_LIMITS:
        for latent in LATENTS_LIMITS:
            name = limits_name(beta, latent)
            loaded = read_bundled(name)
            samples, told = from_prior(loaded.model, SAMPLES), loaded.metrics
            with torch.inference_mode():
                rebuilt = torch.cat([loaded.model.decode(loaded.model.encode(part).mean) for part in x.split(1000)])
            cells[name] = {
                **{key: round(told[key], 3) for key in ("recon", "kl", "elbo", "active_latents")},
                **{key: round(told["completeness"][key]["mean"], 4) for key in ("precision", "coverage")},
                "fid": round(frechet_distance(real, features(samples)), 3),
                "sharp_samples": round(sharpness(samples, x), 4),
                "sharp_rebuilt": round(sharpness(rebuilt, x), 4),
                "seconds": round(loaded.training["seconds"], 1),
            }
            print(name, cells[name], flush=True)
    return {"samples": SAMPLES, "held_out": len(x), "cells": cells}


def of_images(name: str, x: Tensor, labels: Tensor) -> float:
    """-ELBO of a bundled model over images [N, C, H, W], nats per image."""

    class Images:
        is_resident = True

        def __init__(self) -> None:
            self.labels = labels

        def __len__(self) -> int:
            return len(x)

        def images(self, index: Tensor) -> Tensor:
            return x[index]

    return -held_out_terms(read_bundled(name).model, Images(), CPU)["elbo"]  # type: ignore[arg-type]


def measure_few(runs: Path | None, before: dict[str, Any]) -> dict[str, Any]:
    train, test = (dataset(DATA).load(split) for split in ("train", "test"))
    x, held_out, rows = whole("train"), whole("test"), {}
    names = {few_name(images, cure): images for images, cure in FEW_LIMITS} | {MODEL: len(train)}
    for name, images in names.items():
        rows[name] = {
            "images": images,
            "train": round(of_images(name, x[:images], train.labels[:images]), 2),
            "held_out": round(of_images(name, held_out, test.labels), 2),
            "curve": curve(runs / name) if runs else before["models"][name]["curve"],
        }
        print(name, {key: value for key, value in rows[name].items() if key != "curve"}, flush=True)
    return {"held_out": len(held_out), "models": rows}


def curve(folder: Path) -> dict[str, list[float]]:
    """Steps, and -ELBO at each on training and on held-out images."""
    told = [event for event in Run.open(folder).events() if "held_out" in event]
    return {
        "step": [event["step"] for event in told],
        "train": [round(event["recon"] + event["kl"], 2) for event in told],
        "held_out": [round(-event["held_out"]["elbo"], 2) for event in told],
    }


def seconds_per_step(model: Any) -> float:
    """Processor time of a training step in float32 on random pictures, the median of a few."""

    class Noise:
        is_resident, labels = True, torch.zeros(COST_BATCH)

        def __init__(self) -> None:
            self.x = torch.rand(COST_BATCH, *model.config.image)

        def __len__(self) -> int:
            return COST_BATCH

        def images(self, index: Tensor) -> Tensor:
            return self.x[index]

    settings = TrainSettings(epochs=STEPS + 2, batch=COST_BATCH, lr=1e-5, precision="float32")
    taken, mark = [], time.process_time()
    for _ in Training(model, Noise(), settings, CPU).run(log_every=1):  # type: ignore[arg-type]
        taken.append(time.process_time() - mark)
        mark = time.process_time()
    return sorted(taken[2:])[STEPS // 2]


def cost_row(model: Any, **told: Any) -> dict[str, Any]:
    model.train().requires_grad_(True)  # a bundled model is frozen, and would keep nothing
    found, seconds = cost(model, COST_BATCH), seconds_per_step(model)
    row = {
        **told,
        "parameters": found.parameters,
        "multiplications": found.multiplications,
        "memory": found.memory,
        "epoch": round(seconds * 60_000 / COST_BATCH, 2),
    }
    print(row, flush=True)
    return row


def measure_cost() -> dict[str, Any]:
    torch.set_num_threads(1)

    def built(title: str, side: int, latent: int) -> dict[str, Any]:
        config = VAE.Config(image=(1, side, side), latent=latent, **NETWORKS[title])
        return cost_row(VAE(config), network=title, side=side, latent=latent)

    ours = [read_bundled(name).model for name in OURS]
    return {
        "machine": device_title(pick_device("cpu")),
        "batch": COST_BATCH,
        "side": [built(title, side, COST_LATENT) for title in NETWORKS for side in SIDES],
        "latent": [built(title, COST_SIDE, latent) for title in NETWORKS for latent in LATENTS],
        "ours": [
            cost_row(model, name=name, side=model.config.image[1], latent=model.config.latent)  # type: ignore[union-attr]
            for name, model in zip(OURS, ours, strict=True)
        ],
    }


def log_density(model: Any, source: ImageSource) -> float:
    *_, (_, found) = importance_bounds(model, source, [DRAWS], JUDGED)
    assert found is not None
    return found.bound[0]


def of_memory(train: Tensor, black_white: Tensor) -> tuple[float, float]:
    """Log-density of held-out pictures [B, D] under the memory of all training images, and the best flip."""
    memory = bits(train).flatten(1)
    known, probe = memory[SET:], memory[:SET][:500]
    flip = max(FLIPS, key=lambda each: memory_log_density(probe, known, each).mean().item())
    return memory_log_density(black_white, memory, flip).mean().item(), flip


def measure_sets() -> dict[str, Any]:
    test = dataset(DATA).load("test")
    train, x = whole("train"), whole("test")
    real = x[:SET]
    black_white = Binarised(test, 0)
    first = black_white.images(torch.arange(JUDGED)).flatten(1)
    models = {beta: read_bundled(limits_name(beta, 16)).model for beta in BETAS}
    density = {beta: log_density(model, black_white) for beta, model in models.items()}  # type: ignore[arg-type]
    memory, flip = of_memory(train, first)
    one, coin = torch.tensor([density[1.0]]), coin_log_density(first[:1])
    mixture = mixed_log_density(one, coin, 1 - NOISE).item()
    log_p = {PLAIN: density[1.0], DRAWN: density[1.0], LOOSE: density[0.1], TIGHT: density[3.0], MIXED: mixture,
             LEARNED: memory}  # fmt: skip
    known = dataset(DATA).load("train")
    made = sample_sets(models, known.images, len(known), SET) | {"held-out images": lambda: x[SET : 2 * SET]}
    judge: Any = read_bundled(JUDGE).model
    of_real, rows = features(real), {}
    for title, make in made.items():
        samples = make()
        seen = features(samples)
        near = completeness_scores(of_real, seen)
        with torch.inference_mode():
            sure = torch.cat([judge(part).softmax(-1).amax(-1) for part in samples.split(500)]) > SURE
        rows[title] = {
            "density": round(log_p[title], 2) if title in log_p else None,
            "fid": round(frechet_distance(of_real, seen), 2),
            "precision": round(near.precision, 4),
            "coverage": round(near.coverage, 4),
            "edges": round(sharpness(samples, real), 4),
            "sure": round(sure.double().mean().item(), 4),
        }
        print(title, rows[title], flush=True)
    return {
        "samples": SET,
        "judged": JUDGED,
        "draws": DRAWS,
        "flip": flip,
        "memory": len(train),
        "noise": NOISE,
        "sets": rows,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = ("map", "few", "cost", "sets")
    parser.add_argument("--parts", nargs="+", choices=parts, default=parts)
    parser.add_argument("--runs", type=Path, help="the folder of the runs on few images, for their curves")
    parser.add_argument("--write", action="store_true", help="keep the results")
    options = parser.parse_args()
    before = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
    measure: dict[str, Callable[[], dict[str, Any]]] = {
        "map": measure_map,
        "few": lambda: measure_few(options.runs, before.get("few", {})),
        "cost": measure_cost,
        "sets": measure_sets,
    }
    found = {part: measure[part]() for part in options.parts}
    if options.write:
        text = json.dumps(before | found, indent=1) + "\n"
        write_whole(RESULTS, lambda file: file.write(text.encode()))


if __name__ == "__main__":
    main()
