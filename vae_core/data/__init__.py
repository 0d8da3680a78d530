"""Datasets, one a file. To add one: write its file and name it here."""

from __future__ import annotations

from vae_core.data.base import Dataset, ImageSource, Split
from vae_core.data.fashion_mnist import FASHION_MNIST
from vae_core.data.mnist import MNIST
from vae_core.data.sprites import SPRITES

DATASETS: dict[str, Dataset] = {
    "mnist": MNIST,
    "fashion_mnist": FASHION_MNIST,
    "sprites": SPRITES,
}

__all__ = ["DATASETS", "Dataset", "ImageSource", "Split"]
