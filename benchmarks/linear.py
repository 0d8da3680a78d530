"""Does a linear autoencoder find PCA's subspace? PCA, linear and deep autoencoders of the same latent sizes.

    python -m benchmarks.linear [--latents 1 2 4 8 16 32 64] [--seed 0] [--write]

The linear autoencoders are trained here, as the page Dimensionality reduction trains them; the deep ones are the
bundled models of that page. Errors are squared errors per pixel over all held-out images, PCA's and the linear models'
before any clipping. With --write they go to assets/results/reduction.json, and PCA and the linear models themselves to
assets/results/mnist-linear.safetensors, for the page.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor

from vae_core.checkpoints import read_bundled, round_weights
from vae_core.data import dataset
from vae_core.folders import ASSETS, write_whole
from vae_core.latent.pca import PCA, Moments, moments, pca, principal_angles
from vae_core.models import LinearAutoencoder
from vae_core.recipes.reduction import LATENTS_REDUCTION
from vae_core.training.full_batch import curve_down

STEPS, EVERY, TOLERANCE = 2500, 25, 1e-6  # as on the page
PLANE = 2  # latents of the maps


def trained(latent: int, mean: Tensor, covariance: Tensor, seed: int) -> tuple[LinearAutoencoder, int]:
    """A linear autoencoder and the steps that it took."""
    torch.manual_seed(seed)
    model = LinearAutoencoder(LinearAutoencoder.Config(latent=latent)).double()
    centre = torch.zeros_like(mean)
    *_, last = curve_down(model, lambda: model.squared_error(centre, covariance), STEPS, EVERY, TOLERANCE)
    return model.about(mean), last.step


def error(x: Tensor, pictures: Tensor) -> float:
    """Mean squared error per pixel."""
    return (x - pictures).square().mean(dtype=torch.float64).item()


def decoded(model: Any, x: Tensor) -> tuple[Tensor, Tensor]:
    """Codes and reconstructions, unclipped, of all images."""
    with torch.inference_mode():
        codes = torch.cat([model.encode(part).mean for part in x.split(500)])
        decode = model.mean if isinstance(model, LinearAutoencoder) else model.decode
        return codes, torch.cat([decode(part) for part in codes.split(500)])


def same_class(codes: Tensor, labels: Tensor) -> float:
    """The share of images whose nearest neighbour, by the distance of their codes [N, Z], is of their class."""
    places = torch.arange(len(codes))
    nearest = []
    for index in places.split(500):
        distances = torch.cdist(codes[index], codes)
        distances[torch.arange(len(index)), index] = torch.inf
        nearest.append(distances.argmin(1))
    return (labels[torch.cat(nearest)] == labels).float().mean().item()


def measure(
    latent: int, components: PCA, x: Tensor, labels: Tensor, data: Moments, seed: int
) -> tuple[dict[str, Any], Any]:
    """One row of the table, and the linear model of it."""
    began = time.perf_counter()
    linear, steps = trained(latent, data.mean, data.covariance, seed)
    seconds = time.perf_counter() - began
    round_weights(linear.float(), "float16")  # as it will be stored
    flat = x.flatten(1).double().numpy()
    found = {
        "pca": torch.from_numpy(components.encode(flat, latent)).float(),
        "linear": decoded(linear, x),
        "deep": decoded(read_bundled(f"mnist-{latent}d-ae-mse").model, x),
    }
    by_pca = torch.from_numpy(components.decode(components.encode(flat, latent))).view_as(x)
    codes = {"pca": found["pca"], "linear": found["linear"][0], "deep": found["deep"][0]}
    row = {
        "latent": latent,
        "pca": error(x, by_pca),
        "linear": error(x, found["linear"][1]),
        "deep": error(x, found["deep"][1]),
        "angle": float(principal_angles(linear.matrices[2].numpy(), components.directions[:latent].T)[-1]),
        "steps": steps,
        "seconds": seconds,
    }
    if latent == PLANE:
        row["same_class"] = {name: same_class(each, labels) for name, each in codes.items()}
    return row, linear


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latents", type=int, nargs="+", default=list(LATENTS_REDUCTION))
    parser.add_argument("--seed", type=int, default=0, help="of the linear models' first weights")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    began = time.perf_counter()
    data = moments(dataset("mnist").load("train"))
    components = pca(data, max(LATENTS_REDUCTION))
    print(f"PCA of {data.images:,} training images: {time.perf_counter() - began:.1f} s")
    held_out = dataset("mnist").load("test")
    x = held_out.images(torch.arange(len(held_out)))
    variance = error(x, x.mean(0, keepdim=True).expand_as(x))
    print(f"Squared error per pixel over {len(x):,} held-out images, and its share of their variance {variance:.5f}")
    print(f"{'Z':>3} {'PCA':>16} {'linear':>16} {'deep':>16} {'linear/PCA':>11} {'angle':>8} {'steps':>6} {'s':>6}")
    rows, tensors = [], {
        "pca.mean": torch.from_numpy(components.mean).float(),
        "pca.directions": torch.from_numpy(np.ascontiguousarray(components.directions)).float(),
        "pca.variances": torch.from_numpy(components.variances.copy()).float(),
        "pca.total": torch.tensor([components.total]).float(),
    }  # fmt: skip
    for latent in options.latents:
        row, linear = measure(latent, components, x, held_out.labels, data, options.seed)
        shown = "".join(f" {row[key]:.5f} ({row[key] / variance:6.1%})" for key in ("pca", "linear", "deep"))
        ratio = row["linear"] / row["pca"] - 1
        effort = f"{row['angle']:7.2f}° {row['steps']:6} {row['seconds']:6.1f}"
        print(f"{latent:3}{shown} {ratio:+11.3%} {effort}", flush=True)
        rows.append(row)
        tensors |= {f"linear.{latent}.{key}": value.half() for key, value in linear.state_dict().items()}
    if options.write:
        result = {"data": "mnist", "held_out": len(x), "trained_on": data.images, "variance": variance, "rows": rows}
        text = json.dumps(result, indent=2) + "\n"
        write_whole(ASSETS / "results" / "reduction.json", lambda file: file.write(text.encode()))
        write_whole(ASSETS / "results" / "mnist-linear.safetensors", lambda file: file.write(save(tensors)))


if __name__ == "__main__":
    main()
