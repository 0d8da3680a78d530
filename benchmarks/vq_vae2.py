"""The lesson on VQ-VAE-2: how far samples of its priors are from held-out images, and what a swapped top takes along.

    python -m benchmarks.vq_vae2 [--write]

The Frechet distance is taken between features of our own classifier, as in benchmarks/vq_vae.py, so it compares with no
published one. --write stores what comes out in assets/results/vq_vae2.json, which the page shows. A few minutes on one
CPU core. Where CIFAR-10 is in the data cache, samples are compared with all 10,000 held-out images, else with the 500
that are bundled.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from typing import Any

import torch
from torch import Tensor

from vae_core.checkpoints import read_bundled
from vae_core.data import dataset
from vae_core.folders import ASSETS, write_whole
from vae_core.metrics.frechet import frechet_distance
from vae_core.metrics.vq_vae2 import PATCHES, bands
from vae_core.recipes import judge_of

RESULTS = ASSETS / "results" / "vq_vae2.json"
SAMPLES = 2000
BATCH = 250
SEED = 20_191


@torch.inference_mode()
def measured() -> dict[str, Any]:
    """FIDs of both priors' samples, of maps by chance at one level or both, and of held-out images' own maps; labels in
    equal shares. And where a swapped picture is nearer to which of the two."""
    top_prior: Any = read_bundled("cifar-vq2-top").model
    bottom_prior: Any = read_bundled("cifar-vq2-bottom").model
    vq: Any = read_bundled("cifar-vq2").model
    judged_by = str(judge_of("cifar10"))
    judge: Any = read_bundled(judged_by).model
    source, noise = dataset("cifar10").load("test"), torch.Generator().manual_seed(SEED)
    found: dict[str, list[Tensor]] = defaultdict(list)

    def seen(name: str, pictures: Tensor) -> None:
        found[name].append(judge.features(pictures).float())

    for at in torch.arange(len(source)).split(BATCH):
        x = source.images(at)
        seen("images", x)
        if at[0] < SAMPLES:
            top, bottom = vq.numbers(x)
            seen("copies", vq.decode_levels(top, bottom))
    for at in torch.arange(SAMPLES).split(BATCH):
        labels, sides = at % top_prior.config.classes, bottom_prior.config.image[1:]
        top = top_prior.sample(torch.rand(len(at), *top_prior.config.image[1:], generator=noise), labels)
        bottom = bottom_prior.sample(torch.rand(len(at), *sides, generator=noise), labels, given=top)
        seen("priors", vq.decode_levels(top, bottom))
        seen("tops", vq.decode_levels(top))
        bottom = torch.randint(vq.config.codes, bottom.shape, generator=noise)
        seen("chance_below", vq.decode_levels(top, bottom))
        seen("chance", vq.decode_levels(torch.randint(vq.config.codes, top.shape, generator=noise), bottom))
    images = torch.cat(found.pop("images"))
    return {
        **{name: frechet_distance(images, torch.cat(parts)) for name, parts in found.items()},
        **swaps(vq, source),
        "samples": SAMPLES,
        "images": len(source),
        "judge": judged_by,
    }


def swaps(vq: Any, source: Any) -> dict[str, Any]:
    """Pictures made of one image's top and another's bottom: the share that is nearer to the image that gave the top,
    for each part of a picture from large to small."""
    nearer = torch.zeros(len(PATCHES) + 1)
    count = min(SAMPLES, len(source))
    for at in torch.arange(count).split(BATCH):
        above, below = source.images(at), source.images((at + 1) % count)
        mixed = vq.decode_levels(vq.numbers(above).top, vq.numbers(below).bottom)
        own, other = (bands(mixed - each).square().sum((2, 3, 4)) for each in (above, below))  # [4, B]
        nearer += (own < other).sum(1)
    return {"swapped": count, "nearer_to_top": (nearer / count).tolist()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--write", action="store_true", help=f"store the numbers in {RESULTS.name}")
    write = parser.parse_args().write
    torch.set_num_threads(1)
    found = measured()
    print({key: round(value, 3) if isinstance(value, float) else value for key, value in found.items()})
    if write:
        write_whole(RESULTS, lambda file: file.write(json.dumps(found, indent=1).encode()))


if __name__ == "__main__":
    main()
