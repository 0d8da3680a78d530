"""Arrays of pictures from an .npz, checked strictly: no pickle, and nothing unpacked before its size is known."""

from __future__ import annotations

import io
import math
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np
from PIL import Image

from vae_core.data.collect import (
    MOST_CLASSES,
    ONE_CLASS,
    SIDES,
    Collected,
    Labelled,
    fitted,
    require_room,
    require_side,
    shown,
    some,
)
from vae_core.errors import InvalidInput

ARRAYS = ("train_images", "train_labels", "test_images", "test_labels")
NEEDED = (
    "An .npz holds train_images, uint8 [N, H, W] or [N, C, H, W], and may hold train_labels [N], test_images and "
    "test_labels"
)


def from_npz(content: Path | bytes, side: int | None = None, grey: bool | None = None) -> Collected:
    """Arrays in our format from a file or its content; labels and test arrays may be missing.

    `grey` makes all pictures grey (True) or RGB (False), `side` scales as for files; None leaves them as they are.
    Raises InvalidInput for anything else than such arrays. Sizes are read, and refused, before any array is.
    """
    require_side(side)
    arrays = _read_npz(content)
    splits: list[Labelled] = []
    for split in ("train", "test"):
        if f"{split}_images" in arrays:
            images = _checked_images(f"{split}_images", arrays[f"{split}_images"])
            labels = _checked_labels(f"{split}_labels", arrays.get(f"{split}_labels"), len(images))
            splits.append(Labelled(_as_asked(images, side, grey), labels))
        elif f"{split}_labels" in arrays:
            raise InvalidInput(f"The .npz has {split}_labels but no {split}_images. {NEEDED}.")
    if len(splits) == 2:
        _require_pair(splits[0], splits[1], "train_labels" in arrays, "test_labels" in arrays)
    last = max(int(split.labels.max(initial=0)) for split in splits)
    classes = tuple(map(str, range(last + 1))) if "train_labels" in arrays else (ONE_CLASS,)
    return Collected(splits[0], splits[1] if len(splits) == 2 else None, classes, "arrays in an .npz", ())


def _as_asked(images: np.ndarray, side: int | None, grey: bool | None) -> np.ndarray:
    """Arrays [N, C, H, W] as asked for; untouched where nothing is."""
    channels = images.shape[1] if grey is None else (1 if grey else 3)
    if channels == images.shape[1] and (side is None or images.shape[2:] == (side, side)):
        return images
    one = images.shape[1] == 1
    pictures = (Image.fromarray(image[0] if one else image.transpose(1, 2, 0)) for image in images)
    return np.stack([fitted(picture, side, channels) for picture in pictures])


def _read_npz(content: Path | bytes) -> dict[str, np.ndarray]:
    """The arrays of an .npz by name. Nothing is unpacked before its size is known and allowed."""
    try:
        with zipfile.ZipFile(io.BytesIO(content) if isinstance(content, bytes) else content) as archive:
            members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            if foreign := sorted(members.keys() - set(ARRAYS)):
                raise InvalidInput(f"The .npz holds {some([shown(name) for name in foreign])}. {NEEDED}.")
            if "train_images" not in members:
                raise InvalidInput(f"The .npz lacks train_images. {NEEDED}.")
            require_room(0, sum(info.file_size for info in archive.infolist()))
            return {name: _read_array(archive, info) for name, info in members.items()}
    except InvalidInput:
        raise
    except OSError as error:
        raise InvalidInput(f"The .npz cannot be read ({error}).") from error
    except Exception as error:  # no zip, cut short, encrypted, pickled objects: all mean one thing to people
        raise InvalidInput(
            f"This is no .npz that can be read ({type(error).__name__}: {error}). {NEEDED}; "
            "np.savez_compressed writes one."
        ) from error


def _read_array(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> np.ndarray:
    """One array, after its header has been found to promise just what the file holds."""
    with archive.open(info) as file:
        shape, dtype = _header(file)
        if dtype.hasobject:
            raise InvalidInput(f"{info.filename} holds Python objects (a pickle), which are never read. {NEEDED}.")
        if math.prod(shape) * dtype.itemsize + file.tell() != info.file_size:
            raise InvalidInput(f"{info.filename} promises {shape} {dtype} but is of another size: it is damaged.")
    with archive.open(info) as file:
        return np.ascontiguousarray(np.lib.format.read_array(file, allow_pickle=False))


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    shape, _, dtype = readers[np.lib.format.read_magic(file)](file)
    return shape, dtype


def _checked_images(name: str, images: np.ndarray) -> np.ndarray:
    """Images [N, H, W] or [N, C, H, W] -> [N, C, H, W]."""
    found = f"{name} is {images.dtype} {images.shape}"
    if images.ndim == 3:
        images = images[:, None]
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1] not in (1, 3):
        raise InvalidInput(f"{found}; it must be uint8 [N, H, W], or [N, C, H, W] with 1 or 3 channels, 0 to 255.")
    if not all(SIDES[0] <= side <= SIDES[1] for side in images.shape[2:]):
        raise InvalidInput(f"{found}; the sides must be {SIDES[0]} to {SIDES[1]} pixels.")
    if not len(images):
        raise InvalidInput(f"{found}; it holds no picture.")
    require_room(len(images), images.nbytes)
    return images


def _checked_labels(name: str, labels: np.ndarray | None, count: int) -> np.ndarray:
    """Labels [N] of any whole numbers that are small enough; all 0 where there are none."""
    if labels is None:
        return np.zeros(count, np.uint8)
    if labels.dtype.kind not in "ui" or labels.shape != (count,):
        raise InvalidInput(f"{name} is {labels.dtype} {labels.shape}; it must be whole numbers ({count},).")
    if labels.min() < 0 or labels.max() >= MOST_CLASSES:
        raise InvalidInput(
            f"{name} goes from {labels.min()} to {labels.max()}; allowed are 0 to {MOST_CLASSES - 1}, "
            f"at most {MOST_CLASSES} classes."
        )
    return labels.astype(np.uint8)


def _require_pair(train: Labelled, test: Labelled, train_labels: bool, test_labels: bool) -> None:
    if train.images.shape[1:] != test.images.shape[1:]:
        raise InvalidInput(
            f"train_images are {train.images.shape[1:]} and test_images {test.images.shape[1:]}; "
            "both must have one shape."
        )
    if train_labels != test_labels:
        raise InvalidInput("Either both train_labels and test_labels are given, or neither.")
    require_room(len(train.images) + len(test.images), train.images.nbytes + test.images.nbytes)
