"""How many bits for which error? Quantised codes of autoencoders, range-coded, beside JPEG and WebP.

    python -m benchmarks.compression [--latents 1 2 4 8 16 32 64] [--write]

Held-out MNIST images, all 10,000, in files of 1,000: the codes of the bundled autoencoders of the page Dimensionality
reduction, written by vae_core.latent.coding with tables fitted on the 60,000 training images and read back; and sheets
as JPEG and WebP, also of pictures made smaller before. Every file's whole length counts. Pictures are compared as
bytes. With --write the numbers go to assets/results/compression.json and the tables to mnist-tables.safetensors.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import numpy as np
import torch
from PIL import __version__ as pillow
from safetensors.torch import save
from torch import Tensor

from vae_core.checkpoints import read_bundled
from vae_core.data import dataset
from vae_core.folders import ASSETS, write_whole
from vae_core.latent.codecs import FORMATS, Setting, jpeg_overhead, sheet_file, sheet_images
from vae_core.latent.coding import Quantiser, cross_entropy, decibels, entropy, fit_table, read, write
from vae_core.latent.pictures import to_bytes
from vae_core.recipes.reduction import LATENTS_REDUCTION

STEPS = (4.0, 2.0, 1.0, 0.5, 0.25, 0.125)  # in standard deviations of the training codes
FILE = 1000  # images in a file
ALONE = 200  # images that are written as files of their own
QUALITIES = {"JPEG": (1, 2, 3, 5, 7, 10, 15, 20, 30, 40, 55), "WebP": (0, 1, 2, 3, 4, 5, 7, 10, 15)}
SIDES = (None, 21, 14, 10, 7)  # pixels; None: as they are


def error(pictures: Tensor, pixels: Tensor) -> float:
    """Mean squared error per pixel of pictures uint8, on the scale 0 to 1."""
    return ((pictures.double() - pixels.double()) / 255).square().mean().item()


def encoded(model: Any, images: Any) -> Tensor:
    with torch.inference_mode():
        return torch.cat([model.encode(images.images(index)).mean for index in torch.arange(len(images)).split(500)])


def decoded(model: Any, codes: Tensor) -> Tensor:
    with torch.inference_mode():
        return torch.cat([to_bytes(model.decode(part)) for part in codes.split(500)])


def of_latent(latent: int, train: Any, test: Any) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """One autoencoder at every step: a row of the results, and its tables."""
    model = read_bundled(f"mnist-{latent}d-ae-mse").model
    known, new = encoded(model, train), encoded(model, test)
    centre, spread = known.mean(0), known.var(0).mean().sqrt()
    tensors = {f"{latent}.centre": centre, f"{latent}.spread": spread}
    points = []
    for place, step in enumerate(STEPS):
        quantiser = Quantiser(centre, (spread * step).expand(latent))
        seen, symbols = quantiser.symbols(known), quantiser.symbols(new)
        tables = [fit_table(column) for column in seen.T]
        files = [write(part, tables) for part in np.split(symbols, len(symbols) // FILE)]
        back = np.concatenate([read(file, tables, FILE) for file in files])
        assert (back == symbols).all(), "what was written is not what is read"
        escaped = sum(int(table.escaped(column).sum()) for table, column in zip(tables, symbols.T, strict=True))
        point = {
            "step": step,
            "bits": 8 * sum(map(len, files)) / len(symbols),
            "cross_entropy": float(cross_entropy(symbols, tables).sum()),
            "entropy": sum(entropy(column) for column in symbols.T),
            "escaped": escaped,
            "error": error(decoded(model, quantiser.codes(back)), test.pixels),
        }
        points.append(point)
        shown = f"{point['bits']:9.2f} {point['cross_entropy']:9.2f} {point['entropy']:9.2f} {escaped:7}"
        print(f"{latent:3} {step:6g} {shown} {decibels(point['error']):8.2f}", flush=True)
        tensors[f"{latent}.{place}.lowest"] = torch.tensor([table.lowest for table in tables], dtype=torch.int32)
        sizes = [len(table.frequencies) for table in tables]
        tensors[f"{latent}.{place}.sizes"] = torch.tensor(sizes, dtype=torch.int32)
        frequencies = np.concatenate([table.frequencies for table in tables])
        tensors[f"{latent}.{place}.frequencies"] = torch.from_numpy(frequencies.astype(np.int32))
    weights = sum(parameter.numel() for parameter in model.decoder.parameters())
    row = {
        "latent": latent,
        "weights": weights,
        "unquantised": error(decoded(model, new), test.pixels),
        "points": points,
    }
    return row, tensors


def of_format(name: str, pixels: Tensor) -> dict[str, Any]:
    """JPEG or WebP at every quality and size, on sheets; and how large files of one picture are."""
    height, width = pixels.shape[-2:]
    points = []
    for side in SIDES:
        for quality in QUALITIES[name]:
            setting = Setting(name, quality, side)
            files = [sheet_file(part, setting) for part in pixels.split(FILE)]
            pictures = torch.cat([sheet_images(file, FILE, height, width) for file in files])
            point = {
                "quality": quality,
                "side": side,
                "bits": 8 * sum(map(len, files)) / len(pixels),
                "error": error(pictures, pixels),
            }
            if name == "JPEG":
                point["overhead"] = 8 * sum(map(jpeg_overhead, files)) / len(pixels)
            points.append(point)
            words = f"{decibels(point['error']):8.2f}"
            words += f"  of it headers {point['overhead']:.2f}" if name == "JPEG" else ""
            print(f"{name} {side or height:2} {quality:3} {point['bits']:9.2f} {words}", flush=True)
    lowest = Setting(name, min(QUALITIES[name]))
    alone = [sheet_file(pixels[place : place + 1], lowest) for place in range(ALONE)]
    result: dict[str, Any] = {"points": points, "alone": 8 * sum(map(len, alone)) / ALONE}
    if name == "JPEG":
        result["alone_overhead"] = 8 * sum(map(jpeg_overhead, alone)) / ALONE
    print(f"{name}: a file for each digit, coarsest quality: {result['alone']:.0f} bits")
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latents", type=int, nargs="+", default=list(LATENTS_REDUCTION))
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    began = time.perf_counter()
    train, test = dataset("mnist").load("train"), dataset("mnist").load("test")
    pixels: Tensor = test.pixels  # type: ignore[attr-defined]
    print(f"  Z   step      bits  crossent   entropy escaped  PSNR, dB   ({len(test):,} held-out images)")
    rows, tensors = [], {}
    for latent in options.latents:
        row, found = of_latent(latent, train, test)
        rows.append(row)
        tensors |= found
    formats = {name: of_format(name, pixels) for name in FORMATS}
    print(f"{time.perf_counter() - began:.0f} s")
    if options.write:
        result = {
            "data": "mnist", "held_out": len(test), "trained_on": len(train), "file": FILE, "alone": ALONE,
            "steps": STEPS, "pillow": pillow, "rows": rows, "formats": formats,
        }  # fmt: skip
        text = json.dumps(result, indent=1) + "\n"
        write_whole(ASSETS / "results" / "compression.json", lambda file: file.write(text.encode()))
        write_whole(ASSETS / "results" / "mnist-tables.safetensors", lambda file: file.write(save(tensors)))


if __name__ == "__main__":
    main()
