"""How many draws does an estimate of log p(x) need, drawn from the prior and from the encoder?

    python -m benchmarks.evidence [--digits 0 1 ...] [--repetitions 40] [--draws 8192] [--write]

One held-out digit of each class, its pixels rounded to black and white, under the bundled VAE with two latents: its
log p(x) summed up over the latent plane, which two latents still allow, and importance sampling beside it. With --write
the result takes its place in assets/results/evidence.json, for the page, which needs all ten digits.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from typing import Any

import torch
from torch import Tensor

from vae_core.checkpoints import read_bundled
from vae_core.data import dataset
from vae_core.exact.cells import integrate, log_joint
from vae_core.exact.importance import estimates
from vae_core.folders import ASSETS, write_whole

DATA, MODEL = "mnist", "mnist-2d-vae-beta1"
RESULTS = ASSETS / "results" / "evidence.json"
LOW, HIGH = 0.1, 0.9  # quantiles of the error over repetitions
SEED = 0
DIGITS = list(range(10))


def first_of_each(digits: list[int]) -> tuple[list[int], Tensor]:
    """The number of the first held-out image of each class, and these images [M, C, H, W] in black and white."""
    source = dataset(DATA).load("test")
    index = [int((source.labels == digit).nonzero()[0]) for digit in digits]
    return index, (source.images(torch.tensor(index)) >= 0.5).float()


def log_weights(model: Any, x: Tensor, mean: Tensor, std: Tensor, noise: Tensor) -> Tensor:
    """log p(x, z) - log q(z) of one image for draws z = mean + std * noise [R, K, Z] of a Gaussian q: [R, K]."""
    z = (mean + std * noise).flatten(0, 1)
    log_q = -0.5 * (noise.double() ** 2 + math.log(2 * math.pi)).sum(-1) - std.double().log().sum()
    return log_joint(model, x, z).view(noise.shape[:-1]) - log_q


def series(weights: Tensor, counts: tuple[int, ...], truth: float) -> dict[str, Any]:
    """Errors of log weights [R, K] over repetitions at every number of draws, nats."""
    found = estimates(weights, counts)
    error = found.error(truth)
    return {
        "median": rounded(error.median(0).values),
        "low": rounded(error.quantile(LOW, dim=0)),
        "high": rounded(error.quantile(HIGH, dim=0)),
        "effective": rounded(found.effective.median(0).values),
    }


def rounded(values: Tensor) -> list[float]:
    return [float(f"{value:.4g}") for value in values.tolist()]


@torch.inference_mode()
def measure(digits: list[int], repetitions: int, draws: int) -> dict[str, Any]:
    model: Any = read_bundled(MODEL).model
    index, x = first_of_each(digits)
    counts = tuple(2**power for power in range(draws.bit_length()) if 2**power <= draws)
    generator, shape = torch.Generator().manual_seed(SEED), (repetitions, draws, 2)
    of_prior = torch.randn(shape, generator=generator)  # the same draws for every digit
    rows = []
    for place, digit in enumerate(digits):
        began = time.monotonic()
        image = x[place : place + 1]
        truth, q = integrate(model, image).evidence, model.encode(image)
        prior = log_weights(model, image, torch.zeros(2), torch.ones(2), of_prior)
        encoder = log_weights(model, image, q.mean[0], q.std[0], torch.randn(shape, generator=generator))
        rows.append({
            "digit": digit, "image": index[place], "log_evidence": round(truth, 6),
            "elbo": round(float(encoder.mean()), 4),
            "prior": series(prior, counts, truth), "encoder": series(encoder, counts, truth),
        })  # fmt: skip
        print(json.dumps(rows[-1]), f"{time.monotonic() - began:.0f} s", flush=True)
    return {"model": MODEL, "counts": counts, "repetitions": repetitions, "quantiles": [LOW, HIGH], "rows": rows}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--digits", type=int, nargs="+", default=DIGITS)
    parser.add_argument("--repetitions", type=int, default=40)
    parser.add_argument("--draws", type=int, default=8192)
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    if asked.write and sorted(asked.digits) != DIGITS:
        parser.error("--write replaces the whole file, so it needs all ten digits: leave out --digits or --write")
    result = measure(asked.digits, asked.repetitions, asked.draws)
    if asked.write:
        write_whole(RESULTS, lambda file: file.write((json.dumps(result) + "\n").encode()))


if __name__ == "__main__":
    main()
