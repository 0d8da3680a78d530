"""How well do autoencoders take noise away, beside a median filter and non-local means?

    python -m benchmarks.denoising [--kinds gaussian ...] [--levels 0.1 0.5 ...] [--images 10000] [--write]

PSNR and SSIM against the clean picture, means over the held-out images, at every level of every kind of noise.
Gaussian noise is measured as it is added to pixels in [0, 1], and once more clipped to [0, 1]; "noisy" is always what
the methods are given. Both filters' settings are chosen for each kind and level by PSNR on training images, so they
may know the level; the networks are not told it. With --write the kinds that were measured take their places in
assets/results/denoising.json, for the page.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from vae_core.checkpoints import read_bundled
from vae_core.data import dataset
from vae_core.folders import ASSETS, write_whole
from vae_core.imaging.corruption import GAUSSIAN, KINDS, corrupt
from vae_core.imaging.filters import PATCHES, SIZES, STRENGTHS, median, non_local_means
from vae_core.metrics.fidelity import psnr, ssim
from vae_core.objective import Context

DATA, PLAIN, DENOISING = "mnist", "mnist-10d-ae", "mnist-denoising-ae"
RESULTS = ASSETS / "results" / "denoising.json"
LEVELS = (0.1, 0.2, 0.35, 0.5, 0.7, 0.9)
TUNED_ON, BATCH = 100, 500  # images
METHODS = ("noisy", "median", "non-local means", "autoencoder", "denoising")


def tuned(clean: Tensor, noisy: Tensor) -> dict[str, Any]:
    """The settings of both filters that give the largest PSNR on training images."""

    def score(pictures: Tensor) -> float:
        return psnr(pictures, clean).mean().item()

    size = max(SIZES, key=lambda size: score(median(noisy, size)))
    choices = list(itertools.product(PATCHES, STRENGTHS))
    patch, strength = max(choices, key=lambda choice: score(non_local_means(noisy, *choice)))
    return {"size": size, "patch": patch, "strength": strength}


def methods(settings: dict[str, Any]) -> dict[str, Callable[[Tensor], Tensor]]:
    """What turns noisy pictures into clean ones, by name."""
    networks: dict[str, Any] = {name: read_bundled(name).model for name in (PLAIN, DENOISING)}

    def through(name: str) -> Callable[[Tensor], Tensor]:
        model = networks[name]
        return lambda noisy: model.decode(model.encode(noisy).mean)

    return {
        "noisy": lambda noisy: noisy,
        "median": lambda noisy: median(noisy, settings["size"]),
        "non-local means": lambda noisy: non_local_means(noisy, settings["patch"], settings["strength"]),
        "autoencoder": through(PLAIN),
        "denoising": through(DENOISING),
    }


@torch.inference_mode()
def measure(kind: str, clip: bool, level: float, train: Tensor, test: Tensor) -> dict[str, Any]:
    """One row: settings of the filters, PSNR and SSIM of each method."""
    draws = Context(generator=torch.Generator().manual_seed(round(1000 * level)))
    settings = tuned(train, corrupt(train, kind, level, draws, clip))
    known = methods(settings)
    sums = {name: torch.zeros(2, dtype=torch.float64) for name in METHODS}
    for clean in test.split(BATCH):
        noisy = corrupt(clean, kind, level, draws, clip)
        for name in METHODS:
            made = known[name](noisy)
            sums[name] += torch.stack([psnr(made, clean).sum(), ssim(made, clean).sum()])
    means = {name: (total / len(test)).tolist() for name, total in sums.items()}
    return {
        "level": level,
        "filters": settings,
        "psnr": {name: round(mean[0], 2) for name, mean in means.items()},
        "ssim": {name: round(mean[1], 3) for name, mean in means.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--levels", type=float, nargs="+", default=list(LEVELS))
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    train = dataset(DATA).load("train").images(torch.arange(TUNED_ON))
    source = dataset(DATA).load("test")
    test = source.images(torch.arange(min(options.images, len(source))))
    print(f"PSNR in dB (SSIM), means over {len(test):,} of {len(source):,} held-out images of {DATA}")
    print(f"{'level':>5}" + "".join(f"{name:>16}" for name in METHODS) + "   over noisy   median, patch, h       s")
    series = []
    every = [(kind, clip) for kind in options.kinds for clip in ((False, True) if kind == GAUSSIAN else (False,))]
    for kind, clip in every:
        print(f"{kind}{', clipped to [0, 1]' if clip else ', not clipped' if kind == GAUSSIAN else ''}")
        rows = []
        for level in options.levels:
            began = time.perf_counter()
            row = measure(kind, clip, level, train, test)
            rows.append(row)
            cells = "".join(f"{row['psnr'][name]:8.2f} ({row['ssim'][name]:.3f})" for name in METHODS)
            gain = row["psnr"]["denoising"] - row["psnr"]["noisy"]
            told = "{size}, {patch}, {strength:.2f}".format(**row["filters"])
            print(f"{level:5}{cells} {gain:+9.2f} dB {told:>18} {time.perf_counter() - began:7.1f}", flush=True)
        series.append({"kind": kind, "clip": clip, "rows": rows})
    if options.write:
        write(series, len(test))


def write(series: list[dict[str, Any]], images: int) -> None:
    """Put what was measured beside the kinds that were measured before, on as many images."""
    config: Any = read_bundled(DENOISING).model.config
    known = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
    by_kind = {(each["kind"], each["clip"]): each for each in known.get("series", []) if known["held_out"] == images}
    by_kind |= {(each["kind"], each["clip"]): each for each in series}
    result = {
        "data": DATA, "held_out": images, "tuned_on": TUNED_ON, "trained": [config.lowest, config.highest],
        "series": list(by_kind.values()),
    }  # fmt: skip
    write_whole(RESULTS, lambda file: file.write((json.dumps(result, indent=1) + "\n").encode()))


if __name__ == "__main__":
    main()
