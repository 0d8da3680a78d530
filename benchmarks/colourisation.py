"""How far from the truth are the colours that two networks give to grey photographs, and how lively are they?

    python -m benchmarks.colourisation [--images 10000] [--write]

Over the held-out images: delta E (CIE 1976) and the mean absolute difference of a and b, against the true colours, and
the mean chroma, the distance from grey, of what was made and of the truth. Beside the networks stand no colour at all
and the mean colour of the training images. Draws are made at several temperatures; "best of n" is the draw of n with
the least delta E, chosen by somebody who knows the truth. With --write all of it goes to
assets/results/colourisation.json, for the page, with the bundled images that each network misses most.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from typing import Any

import torch
from torch import Tensor

from vae_core.checkpoints import read_bundled
from vae_core.data import ImageSource, dataset
from vae_core.data.base import StoredImages, read_split
from vae_core.data.cifar10 import BUNDLED, CLASSES, SHAPE
from vae_core.errors import InvalidInput
from vae_core.folders import ASSETS, write_whole
from vae_core.imaging.colour import colour_error, delta_e, srgb_to_lab
from vae_core.models.colouriser import UNIT, coloured
from vae_core.objective import Context

DATA, MEAN, DRAWN = "cifar10", "cifar-colouriser", "cifar-colouriser-vae"
RESULTS = ASSETS / "results" / "colourisation.json"
TEMPERATURES = (0.0, 0.5, 1.0, 1.5)
BEST_OF = (1, 2, 5, 10)
BATCH, MISSED = 25, 14  # images at a time; bundled images that are shown as failures
SEED = 0


@torch.inference_mode()
def mean_colour(source: ImageSource) -> Tensor:
    """The mean a and b [2] over all pixels of all images."""
    parts = torch.arange(len(source)).split(1000)
    return torch.stack([srgb_to_lab(source.images(p))[:, 1:].mean((2, 3)).sum(0) for p in parts]).sum(0) / len(source)


class Sums:
    """Adds up what colour_error tells of every image, by method."""

    def __init__(self) -> None:
        self.parts: dict[str, list[Tensor]] = defaultdict(list)

    def add(self, name: str, rows: Tensor) -> None:
        """Rows [B, 3] of delta E, a and b, chroma."""
        self.parts[name].append(rows.double())

    def means(self, name: str) -> dict[str, float]:
        values = torch.cat(self.parts[name]).mean(0).tolist()
        return dict(zip(("delta_e", "ab", "chroma"), (round(value, 3) for value in values), strict=True))


def rows_of(made: Tensor, truth: Tensor) -> Tensor:
    """Delta E, difference of a and b, chroma of each picture [B, 3, H, W]: [B, 3]."""
    return torch.stack(list(colour_error(made, truth)), dim=1)


@torch.inference_mode()
def measure(test: ImageSource, count: int, ab: Tensor, mean: Any, drawn: Any) -> dict[str, Any]:
    """Everything over the first `count` held-out images."""
    sums, nats, apart = Sums(), defaultdict(float), 0.0
    kl = torch.zeros(drawn.config.latents, dtype=torch.float64)
    noise = torch.Generator().manual_seed(SEED)
    for index in torch.arange(count).split(BATCH):
        x, share = test.images(index), len(index) / count
        shown = mean.degraded(x)
        sums.add("truth", rows_of(x, x))
        sums.add("grey", rows_of(mean.baseline(shown), x))
        sums.add("mean colour", rows_of(coloured(shown, (ab / UNIT).view(1, 2, 1, 1).expand(len(x), 2, *SHAPE[1:])), x))
        sums.add("average", rows_of(mean.restored(shown), x))
        draws = torch.randn(len(x), max(BEST_OF), drawn.config.latents, generator=noise)
        made = drawn.drawn(shown, draws)  # [B, N, 3, H, W]
        each = torch.stack([rows_of(one, x) for one in made.unbind(1)], dim=1)  # [B, N, 3]
        for temperature in TEMPERATURES:
            one = rows_of(drawn.drawn(shown, temperature * draws[:, :1])[:, 0], x) if temperature != 1 else each[:, 0]
            sums.add(f"T {temperature:g}", one)
        for n in BEST_OF:
            best = each[:, :n, 0].argmin(1)
            sums.add(f"best {n}", each[torch.arange(len(x)), best])
        apart += share * delta_e(srgb_to_lab(made[:, 0]), srgb_to_lab(made[:, 1])).mean().item()
        nats["average"] += share * mean.loss(x).recon.item()
        terms = drawn.loss(x, context=Context(generator=noise))
        nats["recon"] += share * terms.recon.item()
        kl += share * terms.kl_per_latent.double()
        print(f"\r{int(index[-1]) + 1:,} of {count:,}", end="", flush=True)
    likely = {"average": nats["average"], "recon": nats["recon"], "kl": kl.sum().item()}
    return {
        "methods": {name: sums.means(name) for name in ("truth", "grey", "mean colour", "average")},
        "temperatures": [{"temperature": t, **sums.means(f"T {t:g}")} for t in TEMPERATURES],
        "best_of": [{"n": n, **sums.means(f"best {n}")} for n in BEST_OF],
        "between_two_draws": round(apart, 3),
        "nats": {name: round(value, 2) for name, value in likely.items()},
        "kl_per_latent": [round(value, 3) for value in kl.tolist()],
    }  # fmt: skip


@torch.inference_mode()
def missed(mean: Any) -> list[int]:
    """Of the bundled held-out images, those that the average answer misses by the largest delta E, the worst first."""
    bundled = StoredImages(*read_split(BUNDLED, "test", SHAPE, len(CLASSES)))
    x = bundled.images(torch.arange(len(bundled)))
    return colour_error(mean.restored(mean.degraded(x)), x).delta_e.argsort(descending=True)[:MISSED].tolist()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    test, train = dataset(DATA).load("test"), dataset(DATA).load("train")
    count = min(options.images, len(test))
    if options.write and count < (dataset(DATA).held_out or 0):
        raise InvalidInput(f"There are {count} held-out images here; --write wants all {dataset(DATA).held_out}.")
    mean, drawn = read_bundled(MEAN).model, read_bundled(DRAWN).model
    began = time.perf_counter()
    ab = mean_colour(train)
    found = {
        "data": DATA, "held_out": count, "trained_on": len(train),
        "mean_ab": [round(value, 3) for value in ab.tolist()], **measure(test, count, ab, mean, drawn),
        "missed": missed(mean),
    }  # fmt: skip
    report(found)
    print(f"{time.perf_counter() - began:.0f} s")
    if options.write:
        write_whole(RESULTS, lambda file: file.write((json.dumps(found, indent=1) + "\n").encode()))


def report(found: dict[str, Any]) -> None:
    """The table, on a terminal."""
    print(f"\n{'':16}{'delta E':>10}{'a, b':>10}{'chroma':>10}   means over {found['held_out']:,} held-out images")
    rows = list(found["methods"].items())
    rows += [(f"draw, T = {row['temperature']:g}", row) for row in found["temperatures"]]
    rows += [(f"best of {row['n']}", row) for row in found["best_of"]]
    for name, row in rows:
        print(f"{name:16}{row['delta_e']:10.2f}{row['ab']:10.2f}{row['chroma']:10.2f}")
    nats = found["nats"]
    print(f"delta E between two draws of one photograph: {found['between_two_draws']:.2f}")
    print("-log p(a, b | L), nats per image: average {average:.1f}; VAE {recon:.1f} + {kl:.1f}".format(**nats))
    print("KL per latent: " + " ".join(f"{value:.2f}" for value in found["kl_per_latent"]))


if __name__ == "__main__":
    main()
