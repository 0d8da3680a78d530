"""How far below log p(x) does the ELBO of a trained VAE lie? The importance-weighted bound as K grows.

    python -m benchmarks.importance [--images 200] [--models mnist-2d-vae-beta1 ...] [--write]

Nats per image on the first held-out images, binarised: each pixel drawn once, with its grey value as the probability
of 1, so that the Bernoulli decoder gives a likelihood. The models were trained on the grey images. Where a model has
two latents, log p(x) itself is computed as well, by quadrature over its plane. With --write the models that were
measured take their places in assets/results/importance.json, for the page.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import torch

from vae_core.checkpoints import read_bundled
from vae_core.data import dataset
from vae_core.data.binarise import Binarised
from vae_core.exact.cells import integrate
from vae_core.folders import ASSETS, write_whole
from vae_core.metrics.importance import importance_bounds

MODELS = (
    *(f"mnist-2d-vae-beta{beta}" for beta in ("0.1", "0.5", "1", "2", "4", "8")),
    *(f"mnist-10d-vae-beta{beta}" for beta in ("1", "4")),
)
SAMPLES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2500, 5000)
SEED = 0  # of the binarisation and of the draws
RESULTS = ASSETS / "results" / "importance.json"


def measure(name: str, images: int) -> dict[str, Any]:
    """One model: its bounds at every K, and the evidence where it can be computed."""
    checkpoint = read_bundled(name)
    model: Any = checkpoint.model
    source = Binarised(dataset(checkpoint.dataset).load("test"), SEED)
    *_, (_, found) = importance_bounds(model, source, SAMPLES, images, SEED)
    assert found is not None
    row: dict[str, Any] = {
        "model": name, "data": checkpoint.dataset, "latent": model.config.latent, "beta": model.config.beta,
        "bound": [round(value, 3) for value in found.bound],
        "standard_error": [round(value, 3) for value in found.standard_error],
        "effective": round(found.effective, 1),
    }  # fmt: skip
    if model.config.latent == 2:
        exact = [integrate(model, source.images(index)).evidence for index in torch.arange(images).split(1)]
        row["evidence"] = round(sum(exact) / images, 3)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    print(f"Nats per image, the first {options.images:,} held-out images, binarised; +- standard error over images")
    print(f"{'model':22}" + "".join(f"{f'K = {count}':>11}" for count in SAMPLES) + f"{'log p(x)':>11}   ESS      s")
    rows = []
    for name in options.models:
        began = time.perf_counter()
        row = measure(name, options.images)
        rows.append(row)
        told = f"{row['evidence']:11.2f}" if "evidence" in row else f"{'-':>11}"
        bounds = "".join(f"{value:11.2f}" for value in row["bound"])
        print(f"{name:22}{bounds}{told} {row['effective']:5.0f} {time.perf_counter() - began:6.1f}", flush=True)
        if options.write:  # after each: a long run that is ended loses none
            write(row, options.images)


def write(row: dict[str, Any], images: int) -> None:
    """Put a model beside those that were measured before, on as many images."""
    known = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
    same = known.get("images") == images and known.get("samples") == list(SAMPLES)
    by_name = {each["model"]: each for each in known["models"]} if same else {}
    by_name[row["model"]] = row
    result = {
        "images": images, "samples": list(SAMPLES), "seed": SEED,
        "models": [by_name[name] for name in MODELS if name in by_name],
    }  # fmt: skip
    write_whole(RESULTS, lambda file: file.write((json.dumps(result, indent=1) + "\n").encode()))


if __name__ == "__main__":
    main()
