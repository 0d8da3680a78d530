"""A short training of a model, alone or as one of several processes: prints the terms of every step as JSON."""

from __future__ import annotations

import json
import sys

import torch

from tests.conftest import blob_source
from tests.test_models import build
from vae_core.training import Training, TrainSettings
from vae_core.training.distributed import Shard, join, leave


def main() -> None:
    device = torch.device("cpu")
    shard = join(device)
    run(device, shard)
    leave()


def run(device: torch.device, shard: Shard) -> None:
    torch.manual_seed(7)
    settings = TrainSettings(
        epochs=4, batch=32, lr=5e-3, warmup=2, precision="float32", free_bits=0.5, kl_schedule="capacity", capacity=3.0,
        binarise=True, shift=1,
    )  # fmt: skip
    model = build(sys.argv[1], dropout=0.3)
    training = Training(model, blob_source(96), settings, device, shard=shard)
    for step in training.run(log_every=1):
        if shard.is_first:
            print(json.dumps(step.terms), flush=True)


if __name__ == "__main__":
    main()
