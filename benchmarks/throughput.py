"""Images a second against the batch size: float32 and bfloat16, step by step and as a CUDA graph; and what is lost.

    python -m benchmarks.throughput [--networks NAME ...] [--batches N ...] [--precisions NAME ...] [--seconds S]
                                    [--device NAME] [--threads N]

MNIST, Adam, the engine's own loop without held-out scores. By turns with it runs a floor: forward, backward and
optimiser on one batch that already lies there as floats. Prints, for every case, the median images a second, the
share of a step that the floor does not need (shuffling, gathering, converting, schedules, clipping, sums, Python;
for a graph that share is negative, as the floor launches every kernel from Python), on CUDA also the share of time
in which no kernel runs (torch.profiler), and the peak of memory: on CUDA what PyTorch allocated, on a CPU what the
whole process had resident.
"""

from __future__ import annotations

import argparse
import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from benchmarks.harness import median
from benchmarks.trainings import NETWORKS, facts, fresh, wait_for
from vae_core.data import DATASETS, ImageSource
from vae_core.training import Training, TrainSettings, pick_device
from vae_core.training.device import DEVICES
from vae_core.training.settings import CHOICES

PRECISIONS = CHOICES["precision"]
WARM_UP = 20  # steps before the clock runs
LAP = 10  # steps between two looks at the clock


def engine_steps(training: Training) -> Iterator[object]:
    """Every item is LAP steps further."""
    return training.run(log_every=LAP)


def floor_steps(network: str, x: torch.Tensor, precision: str) -> Iterator[object]:
    """The same for a loop that does nothing but forward, backward and optimiser."""
    model = fresh(network).to(x.device)
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3, fused=x.device.type != "mps")
    while True:
        for _ in range(LAP):
            with torch.autocast(x.device.type, torch.bfloat16, enabled=precision == "bfloat16"):
                loss = model.loss(x).total
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        yield


def timed(steps: Iterator[object], device: torch.device) -> float:
    """Seconds a step of the next lap."""
    wait_for(device)
    began = time.perf_counter()
    next(steps)
    wait_for(device)
    return (time.perf_counter() - began) / LAP


def idle_share(steps: Iterator[object], device: torch.device) -> float:
    """The share of a few laps in which the GPU runs no kernel and copies nothing; one stream, so nothing overlaps."""
    wait_for(device)
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as profiler:
        began = time.perf_counter()
        for _ in range(5):
            next(steps)
        wait_for(device)
        taken = time.perf_counter() - began
    busy = sum(event.time_range.elapsed_us() for event in profiler.events() if event.device_type == DeviceType.CUDA)
    return 1 - busy / 1e6 / taken


def forget_peak(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # Linux: the peak begins anew at what is resident now


def peak_mebibytes(device: torch.device) -> float | None:
    """Since `forget_peak`; None where the system does not tell."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 2**10
    return None


def measure(
    network: str, batch: int, precision: str, graph: bool, source: ImageSource, device: torch.device, seconds: float
) -> str:
    """One line of the table."""
    settings = TrainSettings(epochs=10_000, batch=batch, precision=precision)
    forget_peak(device)
    engine = engine_steps(Training(fresh(network), source, settings, device, recorder=graph))
    for _ in range(WARM_UP // LAP):
        next(engine)
    peak = peak_mebibytes(device)
    floor = floor_steps(network, source.images(torch.arange(batch, device=device)), precision)
    for _ in range(WARM_UP // LAP):
        next(floor)
    ours, floors = [], []
    until = time.perf_counter() + seconds
    while time.perf_counter() < until or len(ours) < 3:
        ours.append(timed(engine, device))
        floors.append(timed(floor, device))
    step = median(ours)
    idle = f"{idle_share(engine, device):8.1%}" if device.type == "cuda" else f"{'-':>8}"
    memory = f"{peak:10,.0f}" if peak is not None else f"{'-':>10}"
    lost = 1 - median(floors) / step
    how = "graph" if graph else "eager"
    case = f"{network:15} {batch:6} {precision:9} {how:6}"
    return f"{case} {batch / step:12,.0f} {step * 1e3:9.3f} {lost:7.1%} {idle} {memory}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", choices=list(NETWORKS), default=list(NETWORKS))
    parser.add_argument("--batches", type=int, nargs="+", default=[32, 64, 128, 256, 512, 1024, 2048])
    parser.add_argument("--precisions", nargs="+", choices=PRECISIONS, default=PRECISIONS)
    parser.add_argument("--seconds", type=float, default=2.0, help="for each case")
    parser.add_argument("--device", choices=DEVICES, default="auto")
    parser.add_argument("--threads", type=int, help="of the CPU; default: PyTorch's choice")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    device = pick_device(options.device)
    source = DATASETS["mnist"].load("train", device)
    print(facts(device))
    if device.type != "cuda":
        print("no graph: a CUDA graph needs an NVIDIA GPU")
    title = f"{'network':15} {'batch':>6} {'precision':9} {'step':6} {'images/s':>12} {'ms a step':>9}"
    print(f"{title} {'lost':>7} {'idle':>8} {'peak MiB':>10}")
    for network in options.networks:
        for batch in options.batches:
            for precision in options.precisions:
                for graph in (False, True) if device.type == "cuda" else (False,):
                    print(measure(network, batch, precision, graph, source, device, options.seconds), flush=True)


if __name__ == "__main__":
    main()
