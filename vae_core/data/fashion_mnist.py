"""Fashion-MNIST: 70,000 pictures of clothes (Xiao, Rasul and Vollgraf 2017, arXiv:1708.07747).

The 10,000 test images are bundled. The training images come from a converted copy in the data cache, or
through torchvision's downloader, which then leaves such a copy there.
"""

from __future__ import annotations

import tempfile
from http.client import HTTPException
from pathlib import Path

import numpy as np
import torch

from vae_core.data.base import Dataset, ImageSource, Split, StoredImages, read_split
from vae_core.errors import InvalidInput
from vae_core.folders import BUNDLED_DATA, data_cache, write_whole

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
            download(path)
    return StoredImages(*read_split(path, split, SHAPE, len(CLASSES)), device)


def download(path: Path) -> None:
    """Fetch all of Fashion-MNIST with torchvision and write it to `path` in our format."""
    from torchvision.datasets import FashionMNIST

    arrays: dict[str, np.ndarray] = {}
    try:
        with tempfile.TemporaryDirectory() as folder:
            for split in ("train", "test"):
                source = FashionMNIST(folder, train=split == "train", download=True)
                arrays[f"{split}_images"] = source.data.numpy()[:, None]
                arrays[f"{split}_labels"] = source.targets.numpy().astype(np.uint8)
    except (
        OSError,
        RuntimeError,
        HTTPException,
    ) as error:  # no network, a broken line, or torchvision's own "not found or corrupted"
        raise InvalidInput(
            f"The training images of Fashion-MNIST are not on this machine and could not be downloaded ({error}). "
            f"Connect to the internet once, or copy fashion_mnist.npz to {path}."
        ) from error
    try:
        write_whole(path, lambda file: np.savez_compressed(file, allow_pickle=False, **arrays))
    except OSError as error:
        raise InvalidInput(
            f"Fashion-MNIST was downloaded but cannot be kept in {path.parent} ({error}); "
            "set LATENT_DATA to a folder that can be written."
        ) from error


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
