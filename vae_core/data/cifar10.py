"""CIFAR-10: 60,000 small colour photographs of ten kinds of things (Krizhevsky 2009).

500 of the 10,000 test images are bundled, the first 50 of each class, in their order. Everything else comes from a
converted copy in the data cache, or through torchvision's downloader, which then leaves such a copy there.
"""

from __future__ import annotations

import numpy as np
import torch

from vae_core.data.base import Dataset, ImageSource, Split, StoredImages, read_split
from vae_core.data.download import download
from vae_core.folders import BUNDLED_DATA, data_cache

SHAPE = (3, 32, 32)
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
BUNDLED = BUNDLED_DATA / "cifar10_test.npz"


def open_split(split: Split, device: torch.device | str) -> ImageSource:
    """The training images are fetched where they are not here; for the test images the bundled ones will do."""
    path = data_cache() / "cifar10.npz"
    if split == "train" and not path.exists():
        download(path, "CIFAR-10", fetch)
    chosen = path if split == "train" or path.exists() else BUNDLED
    return StoredImages(*read_split(chosen, split, SHAPE, len(CLASSES)), device)


def fetch(folder: str, train: bool) -> tuple[np.ndarray, np.ndarray]:
    from torchvision.datasets import CIFAR10 as Downloaded

    source = Downloaded(folder, train=train, download=True)
    return np.ascontiguousarray(source.data.transpose(0, 3, 1, 2)), np.asarray(source.targets)


CIFAR10 = Dataset(
    name="cifar10",
    title="CIFAR-10",
    shape=SHAPE,
    class_names=CLASSES,
    origin="A. Krizhevsky: Learning Multiple Layers of Features from Tiny Images (2009)",
    licence="none stated; free for research and teaching, with the source named",
    open_split=open_split,
    upload_box=SHAPE[1],
    held_out=10_000,
)
