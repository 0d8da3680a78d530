"""Small images of somebody's own, as files and as arrays, for the tests of what is made of them."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import torch
from PIL import Image

from tests.conftest import blobs
from vae_core.data import dataset

Files = list[tuple[str, bytes]]


def encoded(pixels: np.ndarray, kind: str = "png", mode: str | None = None, **settings: Any) -> bytes:
    file = io.BytesIO()
    image = Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(file, kind, **settings)
    return file.getvalue()


def level(number: int, height: int = 8, width: int = 6) -> np.ndarray:
    """A grey picture that says which one it is."""
    return np.full((height, width), number, np.uint8)


def folder(count: int = 30, classes: tuple[str, ...] = ("dog", "cat")) -> Files:
    """Picture k is grey k and lies in the folder of class k modulo the number of classes."""
    return [(f"{classes[k % len(classes)]}/{k:03}.png", encoded(level(k))) for k in range(count)]


def npz(**changes: Any) -> bytes:
    images, labels = blobs(40, (1, 8, 8))
    arrays: dict[str, Any] = {"train_images": images.numpy(), "train_labels": labels.numpy()}
    file = io.BytesIO()
    np.savez_compressed(file, **{key: value for key, value in (arrays | changes).items() if value is not None})
    return file.getvalue()


def pixels_of(name: str, split: Any) -> np.ndarray:
    source = dataset(name).load(split)
    return (source.images(torch.arange(len(source))) * 255).round().to(torch.uint8).numpy()
