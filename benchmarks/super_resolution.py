"""How near do a network's enlarged pictures come to the original, beside nearest, bicubic and Lanczos?

    python -m benchmarks.super_resolution [--data mnist cifar10] [--factors 2 4] [--images 10000] [--write]

PSNR and SSIM against the original, means over the held-out pictures. Each is made small once, every small pixel the
mean of those that it covers, rounded to 8 bits; this small picture is what every method is given, and what it makes of
it is cut off at [0, 1] and rounded to 8 bits. Nearest and Lanczos (three lobes) are Pillow's; of the two usual bicubic
kernels, a = -0.5 (Pillow) and a = -0.75 (PyTorch, OpenCV), the one with the larger PSNR on training images is taken.
"again": the enlarged picture made small once more, root mean square difference to the given one in steps of 8 bits.
"read": the share of digits that their classifier reads rightly. "otherwise": PSNR where the small picture
was made by antialiased bicubic reduction instead, which the network has never met. The test set must be whole.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import torch
from torch import Tensor

from vae_core.checkpoints import read_bundled
from vae_core.data import dataset
from vae_core.errors import InvalidInput
from vae_core.folders import ASSETS, write_whole
from vae_core.imaging.resampling import (
    BICUBIC,
    INTERPOLATORS,
    SHARP_BICUBIC,
    eight_bits,
    enlarged,
    interpolated,
    reduced,
)
from vae_core.metrics.fidelity import psnr, ssim
from vae_core.recipes import judge_of

RESULTS = ASSETS / "results" / "super_resolution.json"
MODELS = {"mnist": "mnist", "cifar10": "cifar"}  # dataset: how its models' names begin
FACTORS = (2, 4)
JUDGED = "mnist"  # whose pictures a classifier reads
METHODS = (*INTERPOLATORS, "network")
TUNED_ON, BATCH = 1000, 500  # images


def bicubics(clean: Tensor, factor: int) -> dict[str, float]:
    """PSNR of both bicubic kernels on training images."""
    small = reduced(clean, factor)
    made = {name: eight_bits(enlarged(small, factor, name)) for name in (BICUBIC, SHARP_BICUBIC)}
    return {name: round(psnr(each, clean).mean().item(), 3) for name, each in made.items()}


@torch.inference_mode()
def measure(data: str, factor: int, train: Tensor, test: Tensor, labels: Tensor) -> dict[str, Any]:
    """One row of the table."""
    network: Any = read_bundled(f"{MODELS[data]}-{factor}x").model
    judge: Any = read_bundled(str(judge_of(data))).model if data == JUDGED else None
    tuned = bicubics(train, factor)
    if max(tuned, key=lambda name: tuned[name]) != INTERPOLATORS["bicubic"]:
        raise InvalidInput(f"Of the bicubic kernels {tuned} another one is the better; name it in INTERPOLATORS.")
    sums: dict[str, dict[str, float]] = {}

    def add(what: str, name: str, value: Tensor) -> None:
        of = sums.setdefault(what, {})
        of[name] = of.get(name, 0.0) + value.double().sum().item() / len(test)

    for x, truth in zip(test.split(BATCH), labels.split(BATCH), strict=True):
        small, other = reduced(x, factor), reduced(x, factor, BICUBIC)
        if judge:
            add("read", "original", judge(x).argmax(1) == truth)
        for name, made in (interpolated(small, factor) | {"network": eight_bits(network.restored(small))}).items():
            add("psnr", name, psnr(made, x))
            add("ssim", name, ssim(made, x))
            add("again", name, (255 * (reduced(made, factor) - small)).square().mean((1, 2, 3)))
            if judge:
                add("read", name, judge(made).argmax(1) == truth)
        for name, made in (interpolated(other, factor) | {"network": eight_bits(network.restored(other))}).items():
            add("otherwise", name, psnr(made, x))
    sums["again"] = {name: value**0.5 for name, value in sums["again"].items()}
    digits = {"psnr": 2, "ssim": 4, "again": 2, "read": 4, "otherwise": 2}
    means = {what: {name: round(each, digits[what]) for name, each in of.items()} for what, of in sums.items()}
    return {"data": data, "factor": factor, "held_out": len(test), "bicubics": tuned, **means}


def told(row: dict[str, Any]) -> str:
    """A row in Markdown."""
    cells = " | ".join(f"{row['psnr'][name]:.2f} dB, {row['ssim'][name]:.3f}" for name in METHODS)
    gain = row["psnr"]["network"] - row["psnr"]["bicubic"]
    return f"| {row['data']} {row['factor']}x | {cells} | {gain:+.2f} dB |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--factors", nargs="+", type=int, choices=FACTORS, default=list(FACTORS))
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    rows = []
    for data in options.data:
        train, source = dataset(data).load("train"), dataset(data).load("test")
        if options.write and len(source) < 10_000:
            raise InvalidInput(f"There are {len(source):,} test images of {data} here; --write needs all 10,000.")
        index = torch.arange(min(options.images, len(source)))
        for factor in options.factors:
            began = time.perf_counter()
            row = measure(
                data, factor, train.images(torch.arange(TUNED_ON)), source.images(index), source.labels[index].long()
            )
            rows.append(row)
            print(f"{told(row)} {len(index):,} held-out images, {time.perf_counter() - began:.0f} s", flush=True)
            print(json.dumps(row), flush=True)
    if options.write:
        write(rows)


def write(rows: list[dict[str, Any]]) -> None:
    """Put what was measured beside what was measured before, on as many images."""
    known = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
    by_name = {
        (row["data"], row["factor"]): row
        for row in known.get("rows", [])
        if row["held_out"] == rows[0]["held_out"] and known["tuned_on"] == TUNED_ON
    }
    by_name |= {(row["data"], row["factor"]): row for row in rows}
    result = {"tuned_on": TUNED_ON, "rows": list(by_name.values())}
    write_whole(RESULTS, lambda file: file.write((json.dumps(result, indent=1) + "\n").encode()))


if __name__ == "__main__":
    main()
