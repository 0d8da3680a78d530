"""MNIST: 70,000 handwritten digits (LeCun, Cortes and Burges), bundled whole."""

from __future__ import annotations

import torch

from vae_core.data.base import Dataset, ImageSource, Split, StoredImages, read_split
from vae_core.folders import BUNDLED_DATA

SHAPE = (1, 28, 28)
CLASSES = tuple("0123456789")


def open_split(split: Split, device: torch.device | str) -> ImageSource:
    return StoredImages(*read_split(BUNDLED_DATA / "mnist.npz", split, SHAPE, len(CLASSES)), device)


MNIST = Dataset(
    name="mnist",
    title="MNIST",
    shape=SHAPE,
    class_names=CLASSES,
    origin="Y. LeCun, C. Cortes, C. J. C. Burges: The MNIST database of handwritten digits",
    licence="CC BY-SA 3.0",
    open_split=open_split,
    upload_box=20,
)
