"""What the VAEs of the lesson on results give back and make up: likelihood, error, sharpness, distance of the samples.

    python -m benchmarks.results [--data mnist fashion cifar] [--write]

Every model over all held-out images of its data: the ELBO under the scale of the Gaussian that was learned with the
model (the perceptual one's is fitted to its error and moves nothing else), the copies of the codes' means, and 10,000
samples of the prior. Sharpness is edge energy as a share of that of the held-out images. Frechet distances are taken
in the features of our own classifier of the data, and in those of the smaller one through which the perceptual model
was trained; `floor` is that of as many training images.

With --write the parts that were measured take their places in assets/results/results.json. About a minute for digits
or clothes and four for photographs on one CPU core; these need all of CIFAR-10 in the data cache.
"""

from __future__ import annotations

import argparse
import json
import math
from typing import Any

import torch
from torch import Tensor

from vae_core.checkpoints import read_bundled
from vae_core.data import dataset
from vae_core.folders import ASSETS, write_whole
from vae_core.latent.sample_sets import from_prior
from vae_core.metrics.decoder_scale import decoder_scale
from vae_core.metrics.frechet import frechet_distance
from vae_core.metrics.sharpness import sharpness
from vae_core.metrics.trial import Trial
from vae_core.recipes import judge_of
from vae_core.recipes.results import DATA_RESULTS, KINDS_RESULTS, eyes_name, result_name

RESULTS = ASSETS / "results" / "results.json"
SAMPLES = 10_000
BATCH = 500


@torch.inference_mode()
def features(judge: Any, pictures: Tensor) -> Tensor:
    return torch.cat([judge.features(part).float() for part in pictures.split(BATCH)])


@torch.inference_mode()
def missed(eyes: Any, x: Tensor, again: Tensor) -> list[float]:
    """Mean squared difference at every depth of what the eyes see in two sets of pictures [N, C, H, W]."""
    sums = torch.zeros(eyes.depths, dtype=torch.float64)
    for one, other in zip(x.split(BATCH), again.split(BATCH), strict=True):
        pairs = zip(eyes(one), eyes(other), strict=True)
        sums += torch.stack([(a - b).double().square().mean() * len(one) for a, b in pairs])
    return (sums / len(x)).tolist()


@torch.inference_mode()
def variances(eyes: Any, x: Tensor) -> list[float]:
    """Variance of the features of pictures [N, C, H, W] at every depth, each feature's own, averaged over them."""
    first: list[Any] = [0.0] * eyes.depths
    second: list[Any] = [0.0] * eyes.depths
    for part in x.split(BATCH):
        for depth, seen in enumerate(eyes(part)):
            first[depth] = first[depth] + seen.double().sum(0)
            second[depth] = second[depth] + seen.double().square().sum(0)
    pairs = zip(first, second, strict=True)
    return [(squares / len(x) - (sums / len(x)) ** 2).mean().item() for sums, squares in pairs]


def measured(short: str) -> dict[str, Any]:
    """Everything about the models of one dataset."""
    data = DATA_RESULTS[short]
    source = dataset(data).load("test")
    x = source.images(torch.arange(len(source)))
    judges = {"judge": str(judge_of(data)), "eyes": eyes_name(short)}
    classifiers = {title: read_bundled(name).model for title, name in judges.items()}
    real = {title: features(judge, x) for title, judge in classifiers.items()}
    training = dataset(data).load("train").images(torch.arange(SAMPLES))
    eyes: Any = read_bundled(result_name(short, "perceptual")).model
    rows = {}
    for kind in KINDS_RESULTS:
        loaded = read_bundled(result_name(short, kind))
        model: Any = loaded.model
        with torch.inference_mode():
            copies = torch.cat([model.decode(model.encode(part).mean) for part in x.split(BATCH)])
        samples = from_prior(model, SAMPLES)
        scale, sigma = decoder_scale(Trial(model, source)), model.log_sigma.exp().item()
        elbo, mse = scale.elbo(sigma), (copies - x).double().square().mean().item()
        rows[kind] = {
            "elbo": round(elbo, 2),
            "kl": round(scale.kl, 2),
            "sigma": round(sigma, 5),
            "bits": round(8 - elbo / scale.pixels / math.log(2), 4),
            "mse": round(mse, 6),
            "psnr": round(-10 * math.log10(mse), 3),
            "sharp_copies": round(sharpness(copies, x), 4),
            "sharp_samples": round(sharpness(samples, x), 4),
            "missed": [round(value, 8) for value in missed(eyes.eyes, x, copies)],
            **{f"fid_{t}": round(frechet_distance(real[t], features(j, samples)), 3) for t, j in classifiers.items()},
            "weights": sum(parameter.numel() for parameter in model.parameters()),
            "epochs": loaded.training["epochs"],
            "seconds": loaded.training["seconds"],
        }
        print(short, kind, rows[kind], flush=True)
    return {
        "held_out": len(x), "samples": SAMPLES, **judges, "models": rows,
        "variance": [round(value, 8) for value in variances(eyes.eyes, x)],
        "floor": {t: round(frechet_distance(real[t], features(j, training)), 3) for t, j in classifiers.items()},
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", choices=list(DATA_RESULTS), default=list(DATA_RESULTS))
    parser.add_argument("--write", action="store_true", help="keep the results")
    options = parser.parse_args()
    torch.set_num_threads(1)
    before = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
    found = before | {short: measured(short) for short in options.data}
    if options.write:
        text = json.dumps({short: found[short] for short in DATA_RESULTS if short in found}, indent=1) + "\n"
        write_whole(RESULTS, lambda file: file.write(text.encode()))


if __name__ == "__main__":
    main()
