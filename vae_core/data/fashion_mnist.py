"""Fashion-MNIST: 70,000 pictures of clothes (Xiao, Rasul and Vollgraf 2017, arXiv:1708.07747).

The 10,000 test images are bundled. The training images come from a converted copy in the data cache, or
through torchvision's downloader, which then leaves such a copy there.
"""

from __future__ import annotations

import numpy as np
import torch

from vae_core.data.base import Dataset, ImageSource, Split, StoredImages, read_split
from vae_core.data.download import download
from vae_core.folders import BUNDLED_DATA, data_cache

SHAPE = (1, 28, 28)
CLASSES = (
    "T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot",
)  # fmt: skip


def open_split(split: Split, device: torch.device | str) -> ImageSource:
    if split == "test":
        path = BUNDLED_DATA / "fashion_mnist_test.npz"
    else:
        path = data_cache() / "fashion_mnist.npz"
        if not path.exists():
            download(path, "Fashion-MNIST", fetch)
    return StoredImages(*read_split(path, split, SHAPE, len(CLASSES)), device)


def fetch(folder: str, train: bool) -> tuple[np.ndarray, np.ndarray]:
    from torchvision.datasets import FashionMNIST

    source = FashionMNIST(folder, train=train, download=True)
    return source.data.numpy()[:, None], source.targets.numpy()


FASHION_MNIST = Dataset(
    name="fashion_mnist",
    title="Fashion-MNIST",
    shape=SHAPE,
    class_names=CLASSES,
    origin="H. Xiao, K. Rasul, R. Vollgraf: Fashion-MNIST (Zalando Research), arXiv:1708.07747",
    licence="MIT",
    open_split=open_split,
    upload_box=28,
)
