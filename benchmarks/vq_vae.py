"""The lesson on VQ-VAEs: how far samples of a learned prior, and maps by chance, are from held-out images.

    python -m benchmarks.vq_vae

The Frechet distance is taken between features of our own classifiers, so it compares with no published one. What comes
out is stored in assets/results/vq_vae.json, which the page shows. About a minute on one CPU
core. Where CIFAR-10 is in the data cache, photographs are compared with all 10,000 held-out ones, else with the 500
that are bundled.
"""

from __future__ import annotations

import json
import math
from typing import Any

import torch
from torch import Tensor

from vae_core.checkpoints import bundled, read_bundled
from vae_core.data import dataset
from vae_core.folders import ASSETS, write_whole
from vae_core.metrics.frechet import frechet_distance
from vae_core.recipes import judge_of

PRIORS = {"photographs": "cifar-vq-prior", "digits": "mnist-vq-prior"}
RESULTS = ASSETS / "results" / "vq_vae.json"
SAMPLES = 2000
BATCH = 250
SEED = 20_171


@torch.inference_mode()
def measured(name: str) -> dict[str, Any]:
    """FIDs of a prior's samples, of maps by chance and of held-out images' own maps; labels in equal shares."""
    loaded = read_bundled(name)
    prior: Any = loaded.model
    vq: Any = read_bundled(prior.config.codes_of).model
    judged_by = str(judge_of(loaded.dataset))
    judge: Any = read_bundled(judged_by).model
    source, noise = dataset(loaded.dataset).load("test"), torch.Generator().manual_seed(SEED)
    sides = prior.config.image[1:]

    def features(pictures: Tensor) -> Tensor:
        return judge.features(pictures).float()

    real, copies, drawn, chance = [], [], [], []
    for at in torch.arange(len(source)).split(BATCH):
        x = source.images(at)
        real.append(features(x))
        if len(copies) * BATCH < SAMPLES:
            copies.append(features(vq.decode_numbers(vq.numbers(x))))
    for at in torch.arange(SAMPLES).split(BATCH):
        labels = at % prior.config.classes
        maps = prior.sample(torch.rand(len(at), *sides, generator=noise), labels)
        drawn.append(features(vq.decode_numbers(maps)))
        maps = torch.randint(prior.config.codes, (len(at), *sides), generator=noise)
        chance.append(features(vq.decode_numbers(maps)))
    images = torch.cat(real)
    return {
        "prior": frechet_distance(images, torch.cat(drawn)),
        "chance": frechet_distance(images, torch.cat(chance)),
        "copies": frechet_distance(images, torch.cat(copies)),
        "samples": SAMPLES,
        "images": len(source),
        "judge": judged_by,
        "uniform_nats": math.log(prior.config.codes),
    }


def main() -> None:
    torch.set_num_threads(1)
    found = {title: measured(name) for title, name in PRIORS.items() if name in bundled()}
    for title, row in found.items():
        print(title, {key: round(value, 2) if isinstance(value, float) else value for key, value in row.items()})
    write_whole(RESULTS, lambda file: file.write(json.dumps(found, indent=1).encode()))


if __name__ == "__main__":
    main()
