"""What the models of the lesson on the loss score with a Gaussian decoder of any scale, and how the codes of two of
them come to be.

    python -m benchmarks.loss [--models FOLDER] [--only scores|histories] [--write]

Every model of the bank "loss" is scored on all 10,000 test images: squared error and KL, from which its ELBO follows
at every scale. The pair with and without a KL is trained once more, as its recipes say, and the posteriors of the first
held-out images are kept at some of its steps. With --write the numbers go to assets/results/loss.json, the posteriors
to loss.safetensors.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from vae_core.checkpoints import read_bundled, read_model
from vae_core.data import dataset
from vae_core.exact.pixel import least_cross_entropy
from vae_core.folders import ASSETS, write_whole
from vae_core.losses import kl_to_standard_normal
from vae_core.metrics import Trial
from vae_core.metrics.decoder_scale import decoder_scale
from vae_core.models import VAE
from vae_core.recipes import BANKS, RECIPES
from vae_core.recipes.loss import PAIR
from vae_core.training import Training

RESULTS, POSTERIORS = ASSETS / "results" / "loss.json", ASSETS / "results" / "loss.safetensors"
LOOKS = (0, 20, 50, 100, 200, 400, 700, 1000, 1500, 2000, 2808)  # steps
SHOWN = 600  # held-out images


def score(name: str, models: Path | None) -> dict[str, float]:
    """A model's squared error and KL, and its grey BCE where it was trained with it."""
    found = read_bundled(name) if models is None else read_model(models / name / "model")
    scale = decoder_scale(Trial(found.model, dataset("mnist").load("test")))
    print(f"{name:14} squared error {scale.squared_error:7.3f}   rmse {scale.rmse:.4f}   KL {scale.kl:8.3f}   "
          f"-ELBO at the rmse {-scale.elbo(scale.rmse):9.2f}", flush=True)  # fmt: skip
    return {"squared_error": scale.squared_error, "kl": scale.kl}


def history(name: str) -> tuple[dict[str, Tensor], list[dict[str, float]]]:
    """Train a recipe's model again: the posteriors of the first held-out images [looks, N, Z] in half precision, and
    what all of these images cost."""
    recipe, cpu = RECIPES[name], torch.device("cpu")
    source = dataset("mnist").load("test")
    x = source.images(torch.arange(SHOWN))
    torch.manual_seed(recipe.training.seed)
    model = VAE(recipe.config)
    training = Training(model, dataset("mnist").load("train"), recipe.training, cpu)
    kept, rows = [look(model, x)], [costs(model, x, 0)]
    for progress in training.run(10**6, LOOKS):
        kept.append(look(model, x))
        rows.append(costs(model, x, progress.step))
        print(name, rows[-1], flush=True)
    assert [row["step"] for row in rows] == list(LOOKS), "the recipe's training has another length by now"
    means, logvars = (torch.stack(each).half() for each in zip(*kept, strict=True))
    return {f"{name}.mean": means, f"{name}.logvar": logvars}, rows


@torch.inference_mode()
def look(model: VAE, x: Tensor) -> tuple[Tensor, Tensor]:
    posterior = model.eval().encode(x)
    assert posterior.logvar is not None
    return posterior.mean, posterior.logvar


@torch.inference_mode()
def costs(model: VAE, x: Tensor, step: int) -> dict[str, float]:
    """Squared error of the images decoded from their means, and KL: averages over images."""
    mean, logvar = look(model, x)
    error = (model.decode(mean) - x).square().sum((1, 2, 3)).mean().item()
    return {"step": step, "squared_error": error, "kl": kl_to_standard_normal(mean, logvar).sum(1).mean().item()}


def least_bce() -> float:
    """The mean grey BCE of perfect copies of the test images."""
    source = dataset("mnist").load("test")
    parts = [least_cross_entropy(source.images(index)) for index in torch.arange(len(source)).split(500)]
    return torch.cat(parts).mean().item()


def scores(models: Path | None) -> dict[str, Any]:
    return {
        "held_out": len(dataset("mnist").load("test")),
        "least_bce": least_bce(),
        "models": {recipe.name: score(recipe.name, models) for recipe in BANKS["loss"]},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, help="the runs of freshly trained models; else the bundled ones")
    parser.add_argument("--only", choices=("scores", "histories"))
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    result: dict[str, Any] = {}
    tensors: dict[str, Tensor] = {}
    if options.only != "histories":
        result = scores(options.models)
    if options.only != "scores":
        result["history"] = {}
        for name in PAIR:
            found, result["history"][name] = history(name)
            tensors |= found
    if options.write:
        result = (json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}) | result
        write_whole(RESULTS, lambda file: file.write((json.dumps(result, indent=1) + "\n").encode()))
        if tensors:
            write_whole(POSTERIORS, lambda file: file.write(save(tensors)))


if __name__ == "__main__":
    main()
