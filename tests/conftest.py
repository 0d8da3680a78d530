"""What all tests share: one CPU thread, caches of their own, tiny models and tiny data."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from playwright.sync_api import Browser, expect
from torch import Tensor

from benchmarks import harness
from ui import frame
from vae_core.data.base import StoredImages
from vae_core.runs import worker

torch.set_num_threads(1)
expect.set_options(timeout=60_000)  # milliseconds: a busy machine is slow, not wrong


@pytest.fixture(scope="session", autouse=True)
def own_caches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test reads or writes the caches of whoever runs it; so every test starts without a downloaded dataset."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LATENT_DATA", str(tmp_path_factory.mktemp("data")))
        patch.setenv("LATENT_CACHE", str(tmp_path_factory.mktemp("projections")))
        patch.setenv("LATENT_RUNS", str(tmp_path_factory.mktemp("runs")))
        yield


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)  # a page that an earlier test ran may have set another number


@pytest.fixture(autouse=True)
def without_the_router(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that a test runs alone does not ask for the app around it."""
    monkeypatch.setattr(frame, "go_through_the_router", lambda: None)


@pytest.fixture
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of runs."""
    monkeypatch.setenv("LATENT_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


@pytest.fixture
def own_blobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of data with nothing but own-blobs in it."""
    from tests.running import add_blobs  # which needs `blobs` from here

    monkeypatch.setenv("LATENT_DATA", str(tmp_path / "data"))
    add_blobs()


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """A snapshot at every line of a training."""
    monkeypatch.setattr(worker, "SNAPSHOT_EVERY", 0.0)
    monkeypatch.setattr(worker, "SNAPSHOT_SHARE", 0)


@pytest.fixture(scope="session")
def app() -> Iterator[str]:
    """The address of the app, running in a process of its own."""
    with harness.served(harness.APP) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium; where there is none the browser tests fail, for a skipped test proves nothing."""
    with harness.chromium() as running:
        yield running


def blobs(count: int, image: tuple[int, int, int], classes: int = 3) -> tuple[Tensor, Tensor]:
    """Pictures uint8 [N, C, H, W] that are easy to learn, and labels [N]: the class says which band is bright."""
    labels = torch.arange(count) % classes
    pixels = torch.randint(0, 60, (count, *image), generator=torch.Generator().manual_seed(1))
    band = image[1] // classes
    for label in range(classes):
        pixels[labels == label, :, label * band : (label + 1) * band] += 180
    return pixels.to(torch.uint8), labels.to(torch.uint8)


def blob_source(count: int = 96, image: tuple[int, int, int] = (1, 12, 12), classes: int = 3) -> StoredImages:
    """The same as a source of images, as a dataset would give it."""
    pixels, labels = blobs(count, image, classes)
    return StoredImages(pixels.numpy(), labels.numpy())


def files_in(folder: Path) -> dict[str, bytes]:
    """Every file under a folder with its bytes, to see that nothing was overwritten or left behind."""
    return {os.path.relpath(path, folder): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
