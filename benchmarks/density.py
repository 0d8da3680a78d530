"""How likely are digits under models beyond the plain VAE, and how do their samples look to a classifier?

    python -m benchmarks.density [--models mnist-bound1 ...] [--from FOLDER] [--images 10000] [--samples 5000]
                                 [--precision float32] [--write]
    python -m benchmarks.density --check mnist-bound1

NLL in nats on the test images of MNIST, binarised once by a fixed seed: minus the importance-weighted bound with 5,000
samples of q(z | x), and the bounds with fewer (Burda, Grosse and Salakhutdinov 2016). A VAE-GAN has no likelihood of
pixels, so it has none. Samples: the Frechet distance, precision and coverage in the features of our own classifier of
digits, 10,000 pictures (the decoder's means) against all 10,000 grey test images; precision and coverage in five parts
of 2,000. With --write a row of each model goes to assets/results/density.json. --check tells what bfloat16 and the
float16 of the weights change on 200 images: the one lifts the bound by 0.06, as any noise in a weight does; the other
nothing.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vae_core.checkpoints import Checkpoint, read_bundled, read_model
from vae_core.data import dataset
from vae_core.data.binarise import Binarised
from vae_core.folders import ASSETS, write_whole
from vae_core.metrics.completeness import scores, seen
from vae_core.metrics.frechet import frechet_distance
from vae_core.metrics.importance import Bounds, CpuNoise, importance_bounds
from vae_core.metrics.trial import Trial, spread
from vae_core.recipes import BANKS

DATA, JUDGE, SEED = "mnist", "mnist-classifier", 0  # of the binarisation and of all draws
MODELS = [recipe.name for recipe in BANKS["beyond"] if recipe.name != "mnist-adversarial-2d"]
SAMPLES = (1, 5, 50, 500, 5000)
PARTS = 5  # in which precision and coverage are told
RESULTS = ASSETS / "results" / "density.json"


def read(name: str, folder: Path | None) -> Checkpoint:
    """A bundled model, or one as `train --out FOLDER/NAME` left it."""
    return read_bundled(name) if folder is None else read_model(folder / name / "model")


def density(model: Any, images: int, most: int, precision: str) -> dict[str, Any]:
    """The bounds at every number of samples up to `most`."""
    source = Binarised(dataset(DATA).load("test"), SEED)
    counts = [count for count in SAMPLES if count <= most]
    began = time.perf_counter()
    found: Bounds | None = None
    for done, bounds in importance_bounds(model, source, counts, images, SEED, precision=precision):
        found = bounds
        if done % 500 == 0:
            print(f"  {done:6,} images, {time.perf_counter() - began:6.0f} s", flush=True)
    assert found is not None
    return {
        "samples": counts, "images": images, "bound": [round(value, 3) for value in found.bound],
        "standard_error": [round(value, 3) for value in found.standard_error],
        "effective": round(found.effective, 1), "arithmetic": precision,
    }  # fmt: skip


@torch.inference_mode()
def drawn(model: Any, count: int) -> Tensor:
    """Pictures [count, C, H, W] of codes from the prior."""
    noise = CpuNoise(torch.Generator().manual_seed(SEED))
    codes = (
        model.prior_codes(count, noise)
        if hasattr(model, "prior_codes")
        else noise.normal(torch.empty(count, model.config.latent))
    )
    return torch.cat([model.decode(part) for part in codes.split(500)])


@torch.inference_mode()
def samples(model: Any) -> dict[str, Any]:
    """What our classifier's features say of as many samples as there are test images."""
    trial = Trial(model.eval(), dataset(DATA).load("test"), read_bundled(JUDGE).model.eval())
    pictures = drawn(model, len(trial))
    real = seen(trial, (trial.images(index) for index in trial.batches()))
    fake = seen(trial, iter(pictures.split(trial.batch)))
    parts = [scores(a, b) for a, b in zip(real.chunk(PARTS), fake.chunk(PARTS), strict=True)]
    return {
        "frechet": round(frechet_distance(real, fake), 2),
        "pictures": len(pictures),
        **{
            key: [round(value, 4) for value in spread(torch.tensor([getattr(part, key) for part in parts]))[:2]]
            for key in ("precision", "coverage")
        },
    }


def row(name: str, folder: Path | None, images: int, most: int, precision: str) -> dict[str, Any]:
    """All that is told of one model."""
    found = read(name, folder)
    model: Any = found.model
    training = found.training
    told: dict[str, Any] = {
        "model": name,
        "steps": training["steps"],
        "seconds": round(training["seconds"], 1),
        "device": training["device"],
        **samples(model),
    }
    if found.model_name != "vae_gan" and images:
        told |= density(model, images, most, precision)
    return told


def write(told: dict[str, Any]) -> None:
    """Put a model beside those that were measured before."""
    known = json.loads(RESULTS.read_text("utf-8"))["models"] if RESULTS.exists() else []
    by_name = {each["model"]: each for each in known}
    by_name[told["model"]] = by_name.get(told["model"], {}) | told
    result = {"seed": SEED, "judge": JUDGE, "models": [by_name[name] for name in MODELS if name in by_name]}
    write_whole(RESULTS, lambda file: file.write((json.dumps(result, indent=1) + "\n").encode()))


def check(name: str, folder: Path | None) -> None:
    """What rounding does to the figure: bfloat16 products, and weights as the files keep them."""
    found: Any = read(name, folder).model
    for precision in ("float32", "bfloat16"):
        print(name, precision, density(found, 200, SAMPLES[-1], precision)["bound"], flush=True)
    found.load_state_dict({key: tensor.half().float() for key, tensor in found.state_dict().items()})
    print(name, "weights rounded to float16", density(found, 200, SAMPLES[-1], "float32")["bound"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=MODELS)
    parser.add_argument("--from", dest="folder", type=Path, help="runs of freshly trained models; else the bundled")
    parser.add_argument("--images", type=int, default=10_000, help="0: samples alone, the bounds stay as they are")
    parser.add_argument("--samples", type=int, default=SAMPLES[-1])
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--check", choices=MODELS)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    if options.check:
        check(options.check, options.folder)
        return
    for name in options.models:
        told = row(name, options.folder, options.images, options.samples, options.precision)
        print(json.dumps(told), flush=True)
        if options.write:
            write(told)


if __name__ == "__main__":
    main()
