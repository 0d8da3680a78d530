"""What a dataset is: a description, and sources of images that live on one device."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import torch
from torch import Tensor

from vae_core.data.streaming import Streamed, free_memory, stays_on_device
from vae_core.errors import InvalidInput

Split = Literal["train", "test"]
SPLITS: tuple[Split, ...] = ("train", "test")


class ImageSource(Protocol):
    """N images on one device, fetched by index; nobody asks whether they are stored or rendered."""

    shape: tuple[int, int, int]  # C, H, W
    labels: Tensor  # [N] uint8, on the CPU
    factors: Tensor | None  # [N, F] int64 on the CPU, where the generating factors are known
    is_resident: bool  # on the device; if not, ask with an index on the CPU, and not within a recorded step

    def __len__(self) -> int: ...

    def images(self, index: Tensor) -> Tensor:
        """Images [B, C, H, W] in [0, 1] on the source's device for an index [B], on the same device."""
        ...


class StoredImages:
    """Images kept as uint8 on the device, a quarter of the memory of float32, converted batch by batch; where they
    would take more than half of a CUDA device's free memory, they stay with the host and are streamed."""

    factors: Tensor | None = None

    def __init__(self, images: np.ndarray, labels: np.ndarray, device: torch.device | str = "cpu") -> None:
        device = torch.device(device)
        self.pixels = torch.from_numpy(images)  # [N, C, H, W] uint8
        self.labels = torch.from_numpy(labels)
        self.shape: tuple[int, int, int] = tuple(images.shape[1:])
        self.is_resident = stays_on_device(self.pixels.nbytes, free_memory(device))
        self._streamed = None if self.is_resident else Streamed(self.pixels, device)
        if self.is_resident:
            self.pixels = self.pixels.to(device)

    def __len__(self) -> int:
        return len(self.pixels)

    def images(self, index: Tensor) -> Tensor:
        batch = self._streamed.batch(index) if self._streamed else self.pixels[index]
        return batch.float().div_(255)


@dataclass(frozen=True)
class Dataset:
    """A dataset by description; `load` brings one split of it to a device."""

    name: str
    title: str
    shape: tuple[int, int, int]  # C, H, W
    class_names: tuple[str, ...]
    origin: str
    licence: str
    open_split: Callable[[Split, torch.device | str], ImageSource]
    factor_names: tuple[str, ...] = ()
    factor_sizes: tuple[int, ...] = ()
    upload_box: int | None = (
        None  # side in pixels into which the ink of an uploaded picture is scaled; None: no cutting
    )
    grey: bool = True  # pixels between 0 and 1: their cross-entropy is no likelihood ("grey BCE")
    held_out: int | None = None  # test images in all, where a machine may hold only some of them
    stamp: str = ""  # of data that can be exchanged under its name: another content, another stamp

    def load(self, split: Split, device: torch.device | str = "cpu") -> ImageSource:
        """One split on one device. Raises InvalidInput for an unknown split or unusable files."""
        if split not in SPLITS:
            raise InvalidInput(f"There is no split {split!r} of {self.title}; choose one of {', '.join(SPLITS)}.")
        return self.open_split(split, device)


def read_split(
    path: Path,
    split: Split,
    shape: tuple[int, int, int],
    classes: int,
    remedy: str = "Delete the file to have it made again.",
) -> tuple[np.ndarray, np.ndarray]:
    """Images [N, C, H, W] and labels [N], both uint8, from an .npz in our format, checked strictly.

    Raises InvalidInput, which ends with the `remedy`, for a file that is no such .npz.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            images, labels = arrays[f"{split}_images"], arrays[f"{split}_labels"]
    except FileNotFoundError as error:
        raise InvalidInput(f"{path} is missing; a fresh copy of the project brings it along.") from error
    except Exception as error:  # a truncated zip, a foreign file or a missing array: all mean one thing to people
        raise InvalidInput(
            f"{path} is no dataset in our format ({type(error).__name__}: {error}); it needs the arrays "
            f"{split}_images and {split}_labels. {remedy}"
        ) from error
    problem = None
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != shape:
        problem = f"{split}_images is {images.dtype} {images.shape}; it must be uint8 (N, {', '.join(map(str, shape))})"
    elif labels.dtype != np.uint8 or labels.shape != images.shape[:1]:
        problem = f"{split}_labels is {labels.dtype} {labels.shape}; it must be uint8 ({len(images)},)"
    elif len(images) == 0:
        problem = f"{split}_images holds no image"
    elif labels.max() >= classes:
        problem = f"{split}_labels goes up to {labels.max()}; there are {classes} classes"
    if problem:
        raise InvalidInput(f"{path}: {problem}. {remedy}")
    return images, labels
