"""How soon is a VAE good? Held-out loss against seconds of training, for short schedules on MNIST.

    python -m benchmarks.plane_time [--network NAME] [--epochs N ...] [--lr LR] [--batch N] [--precision NAME]
                                    [--points N] [--seed N] [--device NAME] [--threads N]

For every number of epochs one training from scratch with the settings of the recipe of the 2-D models, but for a
cosine of that length from a higher learning rate, which a short training bears. Scores (grey BCE + KL, nats per
image, all 10,000 test images) are taken outside the clock. Before the first training the device is warmed up by a
few steps of the same shapes that count nowhere; building the step, a CUDA graph's capture included, counts in each.
Prints every curve, and when the loss that has to be reached was reached soonest.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import torch

from benchmarks.trainings import NETWORKS, PLANE, curve, facts, warm_up
from vae_core.data import DATASETS
from vae_core.recipes import RECIPES
from vae_core.training import pick_device
from vae_core.training.device import DEVICES
from vae_core.training.settings import CHOICES

# What has to be reached: nats, seconds. The seconds on a CPU are for two cores.
GOALS = {(PLANE, "cpu"): (145.0, 60.0), (PLANE, "cuda"): (142.5, 2.0), ("784-400-20", "cuda"): (105.5, 0.6)}
SHORTEST = {(PLANE, "cpu"): (2, 3), (PLANE, "cuda"): (4, 5), ("784-400-20", "cuda"): (6, 7)}  # epochs
LR = {PLANE: 8e-3, "784-400-20": 1e-2}  # first learning rate of the cosine


def main() -> None:
    recipe = RECIPES["mnist-2d-vae-beta1"].training
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", choices=list(NETWORKS), default=PLANE)
    parser.add_argument("--epochs", type=int, nargs="+", help="one training for each; default: a few short ones")
    parser.add_argument(
        "--lr", type=float, help=f"default: {', '.join(f'{lr:g} for {name}' for name, lr in LR.items())}"
    )
    parser.add_argument("--batch", type=int, default=recipe.batch)
    parser.add_argument("--precision", choices=CHOICES["precision"], default=recipe.precision)
    parser.add_argument("--points", type=int, default=4, help="scores an epoch")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", choices=DEVICES, default="auto")
    parser.add_argument("--threads", type=int, help="of the CPU; default: PyTorch's choice")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    device = pick_device(options.device)
    source, held_out = DATASETS["mnist"].load("train", device), DATASETS["mnist"].load("test")
    settings = replace(
        recipe, lr=options.lr or LR[options.network], batch=options.batch, precision=options.precision,
        seed=options.seed, warmup=100,
    )  # fmt: skip
    warm_up(options.network, settings, source, device)
    print(facts(device))
    goal = GOALS.get((options.network, device.type))
    shown = f"to reach: {goal[0]:g} nats within {goal[1]:g} s" if goal else "nothing to reach is set here"
    print(f"{options.network}, batch {settings.batch}, cosine from {settings.lr:g}, {settings.precision}; {shown}")
    soonest: tuple[float, int] | None = None
    for epochs in options.epochs or SHORTEST.get((options.network, device.type), (4, 6, 8)):
        print(f"\n{epochs} epochs\n{'epoch':>6} {'seconds':>8} {'nats':>8}")
        for point in curve(options.network, replace(settings, epochs=epochs), source, held_out, device, options.points):
            print(f"{point.epoch:6.2f} {point.seconds:8.2f} {point.loss:8.2f}", flush=True)
            if goal and point.loss <= goal[0] and (soonest is None or point.seconds < soonest[0]):
                soonest = point.seconds, epochs
    if goal:
        found = f"{soonest[0]:.2f} s, in the training of {soonest[1]} epochs" if soonest else "never"
        print(f"\n{goal[0]:g} nats were reached soonest after {found} (to reach: {goal[1]:g} s)")


if __name__ == "__main__":
    main()
