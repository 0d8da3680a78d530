"""What do depth, width, latent size, loss, activation, data and regularisation cost an autoencoder?

    python -m benchmarks.parts [--models parts-32d ...] [--write]

The bank of the page Parts, on the first 10,000 of the training images that each model was trained on (or all of them,
where they are fewer) and on all held-out images: squared error per pixel; cross-entropy (grey BCE) in nats per image,
whatever loss a model was trained with, so that both kinds can be compared under either; and the share of the originals'
edge energy that is left. Beside them what the mean training image misses, and the cross-entropy of the held-out images
with themselves, which is not zero for grey pixels. With --write the models that were measured take their places in
assets/results/parts.json, for the page.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy

from vae_core.checkpoints import read_bundled
from vae_core.data import dataset
from vae_core.folders import ASSETS, write_whole
from vae_core.losses import bernoulli_nll
from vae_core.metrics.sharpness import edge_energy
from vae_core.recipes import BANKS, RECIPES

DATA, BATCH = "mnist", 1000
MOST = 10_000  # training images that are measured on
RESULTS = ASSETS / "results" / "parts.json"
DEVIATIONS = 3.0  # of the codes, that a full bar on the page stands for


@torch.inference_mode()
def measured(model: Any, x: Tensor) -> tuple[dict[str, float], float]:
    """Scores over images [N, C, H, W], and three standard deviations of the codes about zero."""
    sums = dict.fromkeys(("squared", "cross", "kept", "there", "codes"), 0.0)
    for part in x.split(BATCH):
        code = model.encode(part).mean
        logits = model.decoder(code)
        rebuilt = torch.sigmoid(logits)
        sums["squared"] += (part - rebuilt).square().sum().item()
        sums["cross"] += bernoulli_nll(logits, part).sum().item()
        sums["kept"] += edge_energy(rebuilt).sum().item()
        sums["there"] += edge_energy(part).sum().item()
        sums["codes"] += code.square().sum().item()
    scores = {
        "squared": sums["squared"] / x.numel(),
        "cross": sums["cross"] / len(x),
        "sharpness": sums["kept"] / sums["there"],
    }
    return scores, DEVIATIONS * (sums["codes"] / len(x) / model.config.latent) ** 0.5


def row(name: str, train: Tensor, held_out: Tensor) -> dict[str, Any]:
    """All scores of one model; of the training images [N, C, H, W] only those that it was trained on."""
    model: Any = read_bundled(name).model
    trained_on = RECIPES[name].training.images or len(train)
    seen = train[: min(trained_on, MOST)]
    unseen, reach = measured(model, held_out)
    known = measured(model, seen)[0]
    return {"trained_on": trained_on, "measured_on": len(seen), "reach": reach, "train": known, "held_out": unseen}


def limits(train: Tensor, held_out: Tensor) -> dict[str, float]:
    """What no network is needed for, and what none can reach."""
    mean = train.mean(0, keepdim=True)
    return {
        "mean_picture": (held_out - mean).square().mean(dtype=torch.float64).item(),
        "least_cross": binary_cross_entropy(held_out, held_out, reduction="sum").item() / len(held_out),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    every = [recipe.name for recipe in BANKS["parts"]]
    parser.add_argument("--models", nargs="+", choices=every, default=every)
    parser.add_argument("--write", action="store_true", help="keep the results")
    options = parser.parse_args()
    sources = [dataset(DATA).load(split) for split in ("train", "test")]
    train, held_out = (source.images(torch.arange(len(source))) for source in sources)
    known = limits(train, held_out)
    print(
        f"{DATA}: {len(train):,} training and {len(held_out):,} held-out images; the mean training image misses "
        f"{known['mean_picture']:.4f} per pixel; the images' own grey BCE is {known['least_cross']:.1f} nats"
    )
    print(f"{'':28} {'squared error':>16} {'grey BCE, nats':>16} {'edges kept':>14} {'s':>6}")
    print(f"{'':28} {'train':>8}{'held out':>9} {'train':>7}{'held out':>9} {'train':>6}{'held out':>9}")
    rows = {}
    for name in options.models:
        began = time.perf_counter()
        rows[name] = row(name, train, held_out)
        a, b = rows[name]["train"], rows[name]["held_out"]
        print(
            f"{name:28} {a['squared']:8.4f}{b['squared']:9.4f} {a['cross']:7.1f}{b['cross']:9.1f} "
            f"{a['sharpness']:6.0%}{b['sharpness']:9.0%} {time.perf_counter() - began:6.1f}",
            flush=True,
        )
    if options.write:
        before = json.loads(RESULTS.read_text("utf-8"))["models"] if RESULTS.exists() else {}
        rows = {name: each for name, each in (before | rows).items() if name in every}
        result = {"data": DATA, "held_out": len(held_out), **known, "models": rows}
        write_whole(RESULTS, lambda file: file.write((json.dumps(result, indent=1) + "\n").encode()))


if __name__ == "__main__":
    main()
