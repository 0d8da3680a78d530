"""Time to a peer's quality: the 784-400-20 VAE on MNIST, trained by pythae and by us, by turns in one process.

    pip install -r requirements.txt -r requirements-dev.txt -r benchmarks/requirements.txt   (an environment of its own)
    python -m benchmarks.peer [--epochs N] [--threads N] [--device NAME] [--own-epochs N] [--own-lr LR] [--seed N]

pythae runs as it stands: its TrainingPipeline, BaseTrainer and VAE, the data as one float32 tensor, no workers, no
held-out data and no checkpoints between. After each of its epochs ours runs one of the same settings (Adam at a
constant 1e-3, batch 128; ours also clips gradients, and leaves out the last, smaller batch), in float32 and in
bfloat16, so whatever else the machine does meets all three. Then ours runs with a short schedule of its own, at the
same batch size, to see how soon it is as good as pythae is in the end.

Prints seconds and held-out loss (grey BCE + KL, nats per image, all 10,000 test images, evaluated by our code: the
weights of pythae's network are copied into ours) after every epoch, medians and ratios, and seconds to that loss.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import logging
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from pythae.models import VAE as PeersVAE
from pythae.models import VAEConfig as PeersConfig
from pythae.models.base.base_utils import ModelOutput
from pythae.models.nn import BaseDecoder, BaseEncoder
from pythae.pipelines import TrainingPipeline
from pythae.trainers import BaseTrainerConfig
from pythae.trainers.training_callbacks import TrainingCallback
from torch import Tensor, nn

from benchmarks.harness import median
from benchmarks.trainings import Point, curve, facts, fresh, score, wait_for, warm_up
from vae_core.data import DATASETS, ImageSource
from vae_core.models import VAE
from vae_core.training import TrainSettings, pick_device
from vae_core.training.device import DEVICES
from vae_core.training.settings import CHOICES

NETWORK = "784-400-20"
PRECISIONS = CHOICES["precision"]
SAME = TrainSettings(batch=128, lr=1e-3, lr_schedule="constant", warmup=0)


class PeersEncoder(BaseEncoder):
    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.mean, self.logvar = nn.Linear(784, 400), nn.Linear(400, 20), nn.Linear(400, 20)

    def forward(self, x: Tensor) -> ModelOutput:
        hidden = self.hidden(x.flatten(1)).relu()
        return ModelOutput(embedding=self.mean(hidden), log_covariance=self.logvar(hidden))


class PeersDecoder(BaseDecoder):
    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.pixels = nn.Linear(20, 400), nn.Linear(400, 784)

    def forward(self, z: Tensor) -> ModelOutput:
        pixels = self.pixels(self.hidden(z).relu()).sigmoid()
        return ModelOutput(reconstruction=pixels.unflatten(1, (1, 28, 28)))


def twin(peer: PeersVAE) -> VAE:
    """Our network with the weights of pythae's; strict, so both have the same layers of the same sizes."""
    ours, encoder, decoder = fresh(NETWORK), peer.encoder, peer.decoder
    layers = {
        "encoder.1": encoder.hidden.state_dict(),
        "encoder.3": {
            key: torch.cat([encoder.mean.state_dict()[key], encoder.logvar.state_dict()[key]])
            for key in ("weight", "bias")
        },
        "decoder.0": decoder.hidden.state_dict(),
        "decoder.2": decoder.pixels.state_dict(),
    }
    ours.load_state_dict({f"{layer}.{key}": value for layer, state in layers.items() for key, value in state.items()})
    return ours


class Turns(TrainingCallback):
    """Times and scores pythae's epochs, and lets the others run one of theirs after each."""

    def __init__(self, held_out: ImageSource, device: torch.device, others: dict[str, Iterator[Point]]) -> None:
        self.held_out, self.device, self.others = held_out, device, others
        self.curves: dict[str, list[Point]] = {name: [] for name in ("pythae", *others)}
        self.seconds = 0.0

    def on_epoch_begin(self, training_config: Any, **_: Any) -> None:
        wait_for(self.device)
        self.began = time.perf_counter()

    def on_epoch_end(self, training_config: Any, model: PeersVAE, **_: Any) -> None:
        wait_for(self.device)
        self.seconds += time.perf_counter() - self.began
        epoch = len(self.curves["pythae"]) + 1
        self.curves["pythae"].append(Point(epoch, self.seconds, score(twin(model), self.held_out)))
        for name, other in self.others.items():
            self.curves[name].append(next(other))
        line = "".join(f"{lap(points)[-1]:16.2f} {points[-1].loss:8.2f}" for points in self.curves.values())
        print(f"{epoch:5}{line}", flush=True)


def run_pythae(images: Tensor, settings: TrainSettings, device: torch.device, turns: Turns) -> None:
    """pythae's own way from a tensor of images to a trained model; its chatter is kept from the table."""
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(io.StringIO()):
        logging.disable(logging.INFO)
        config = BaseTrainerConfig(
            output_dir=folder,
            num_epochs=settings.epochs,
            learning_rate=settings.lr,
            per_device_train_batch_size=settings.batch,
            train_dataloader_num_workers=0,
            optimizer_cls="Adam",
            seed=settings.seed,
            no_cuda=device.type != "cuda",
        )
        shape = PeersConfig(input_dim=(1, 28, 28), latent_dim=20, reconstruction_loss="bce")
        torch.manual_seed(settings.seed)
        model = PeersVAE(shape, encoder=PeersEncoder(), decoder=PeersDecoder())
        TrainingPipeline(model, config)(images, callbacks=[turns])
        logging.disable(logging.NOTSET)


def lap(points: list[Point]) -> list[float]:
    """Seconds of each epoch."""
    return [after.seconds - before for after, before in zip(points, [0.0, *(p.seconds for p in points)], strict=False)]


def reached(points: list[Point], goal: float) -> str:
    hit = next((point for point in points if point.loss <= goal), None)
    if hit is None:
        return f"not reached in {points[-1].seconds:.2f} s ({points[-1].loss:.2f} nats)"
    return f"{hit.seconds:8.2f} s, epoch {hit.epoch:.4g} ({hit.loss:.2f} nats)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=10, help="of pythae and of ours beside it")
    parser.add_argument("--own-epochs", type=int, default=4, help="of our own schedule, a cosine")
    parser.add_argument("--own-lr", type=float, default=1e-2, help="at which that begins")
    parser.add_argument("--threads", type=int, help="of the CPU; default: PyTorch's choice")
    parser.add_argument("--device", choices=DEVICES, default="auto")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    device = pick_device(options.device)
    source, held_out = DATASETS["mnist"].load("train", device), DATASETS["mnist"].load("test")
    images = source.images(torch.arange(len(source), device=device)).cpu()
    same = replace(SAME, epochs=options.epochs, seed=options.seed)
    others = {
        f"ours {precision}": curve(NETWORK, replace(same, precision=precision), source, held_out, device)
        for precision in PRECISIONS
    }
    for precision in PRECISIONS:
        warm_up(NETWORK, replace(same, precision=precision), source, device)
    print(facts(device))
    turns = Turns(held_out, device, others)
    print(f"{'':5}" + "".join(f"{name:>25}" for name in turns.curves))
    print(f"{'epoch':5}" + "".join(f"{'seconds':>16} {'nats':>8}" for _ in turns.curves))
    run_pythae(images, same, device, turns)
    peer = turns.curves["pythae"]
    for name, points in turns.curves.items():
        seconds = median(lap(points))
        print(f"{name:16} {seconds:7.3f} s an epoch (median), {seconds / median(lap(peer)):.2f} of pythae's")
    print("to reach: at most 0.5 on 2 CPU cores\n")

    goal = peer[-1].loss
    print(f"until pythae's loss after {len(peer)} epochs ({goal:.2f} nats):")
    for name, points in turns.curves.items():
        print(f"{name + ', same settings':48} {reached(points, goal)}")
    own = replace(same, epochs=options.own_epochs, lr=options.own_lr, lr_schedule="cosine", warmup=100)
    for precision in PRECISIONS:
        points = list(curve(NETWORK, replace(own, precision=precision), source, held_out, device))
        title = f"ours {precision}, cosine from {own.lr:g}, {own.epochs} epochs"
        print(f"{title:48} {reached(points, goal)}")
        print("    " + ", ".join(f"{point.loss:.2f} at {point.seconds:.2f} s" for point in points))


if __name__ == "__main__":
    main()
