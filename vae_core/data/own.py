"""Somebody's own images as a dataset: NAME.npz beside NAME.json in the folder own/ of the data cache."""

from __future__ import annotations

import hashlib
import os
import re
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from vae_core.data.base import Dataset, ImageSource, Split, StoredImages, read_split
from vae_core.data.collect import MOST_CLASSES, SIDES, Collected, Labelled, can_be_class, from_files
from vae_core.data.npz import from_npz
from vae_core.errors import InvalidInput
from vae_core.folders import data_cache, write_whole
from vae_core.strict_json import json_bytes, read_object

FORMAT = 1
PREFIX = "own-"  # of the dataset's name, so that no bundled one is ever hidden
NAME = re.compile(r"[A-Za-z0-9_-]{1,40}")
KEYS = {"format", "shape", "class_names", "train", "test", "grey", "origin", "bytes", "stamp"}
LARGEST_PICTURE = 100 * 2**20  # bytes of a file
LEAST_IMAGES = 20
HELD_OUT = 0.1  # of the images, where nobody said which
MOST_HELD_OUT = 10_000
SEED = 20_171  # of the choice of the held-out images
REMEDY = "Remove the data and add them again."
_writing = threading.Lock()


class Added(NamedTuple):
    """What was made of somebody's images."""

    name: str  # of the dataset, "own-NAME"
    train: int  # images
    test: int
    shape: tuple[int, int, int]  # C, H, W
    classes: tuple[str, ...]
    notes: tuple[str, ...]  # what was left out, changed or held out, in sentences


class Own(NamedTuple):
    """One of the user's own datasets."""

    dataset: Dataset
    train: int  # images
    test: int


def own_folder() -> Path:
    return data_cache() / "own"


def add_images(
    name: str, files: Iterable[tuple[str, bytes]], side: int | None = None, grey: bool = True, skip: bool = False
) -> Added:
    """Keep pictures, given as (path within a folder, content), as the dataset own-NAME; see `from_files`.

    Raises InvalidInput, and keeps nothing, for a name that is taken or no name, for pictures that cannot be used
    and for a folder that cannot be written.
    """
    _require_free(name)
    return _keep(name, from_files(files, side, grey, skip))


def add_folder(name: str, path: Path, side: int | None = None, grey: bool = True, skip: bool = False) -> Added:
    """As `add_images`, for a folder on this machine."""
    path = Path(path)
    if not path.is_dir():
        raise InvalidInput(f"There is no folder {path}; each of its sub-folders is taken for a class.")
    return add_images(name, _files_in(path), side, grey, skip)


def add_npz(name: str, content: Path | str | bytes, side: int | None = None, grey: bool | None = None) -> Added:
    """As `add_images`, for an .npz in our format: a path on this machine, or the bytes of the file. `grey` None
    leaves the channels as they are; see `from_npz`."""
    _require_free(name)
    return _keep(name, from_npz(content if isinstance(content, bytes) else Path(content), side, grey))


def remove(name: str) -> None:
    """Delete the images kept under a name (without "own-"). Raises InvalidInput where there are none."""
    _require_name(name)
    description, images = _paths(name)
    try:
        description.unlink()  # first: without it the images count for nothing
        images.unlink(missing_ok=True)
    except FileNotFoundError as error:
        raise InvalidInput(f"There are no data {name!r}; there are: {', '.join(names()) or 'none'}.") from error
    except OSError as error:
        raise InvalidInput(f"The data {name!r} cannot be removed ({error}).") from error


def names() -> list[str]:
    """The names (without "own-") under which something is kept, damaged or not."""
    return sorted(path.stem for path in own_folder().glob("*.json") if NAME.fullmatch(path.stem))


def owned(name: str) -> Own:
    """One of the user's own datasets by its name (without "own-"), without opening its images.

    Raises InvalidInput, in one sentence, for a name that there is not and for files that are damaged.
    """
    if not NAME.fullmatch(name):
        raise InvalidInput(f"There are no data {name[:60]!r}; there are: {', '.join(names()) or 'none'}.")
    description, images = _paths(name)
    try:
        seen = [(stat.st_mtime_ns, stat.st_size) for stat in (description.stat(), images.stat())]
    except FileNotFoundError as error:
        raise InvalidInput(f"{error.filename} is missing. {REMEDY}") from error
    except OSError as error:
        raise InvalidInput(f"The data {name!r} cannot be read ({error}).") from error
    return _described(description, images, *seen)


def all_owned() -> tuple[list[Own], list[str]]:
    """The user's own datasets, and a sentence on each that is damaged."""
    whole, damaged = [], []
    for name in names():
        try:
            whole.append(owned(name))
        except InvalidInput as error:  # one damaged file does not take the others along
            damaged.append(str(error))
    return whole, damaged


def _require_name(name: str) -> None:
    if not NAME.fullmatch(name):
        raise InvalidInput(f"The name is {name[:60]!r}; allowed are 1 to 40 letters without accents, digits, _ and -.")


def _require_free(name: str) -> None:
    _require_name(name)
    if _paths(name)[0].exists():
        raise InvalidInput(f"There are data {name!r} already; choose another name, or remove them first.")


def _paths(name: str) -> tuple[Path, Path]:
    return own_folder() / f"{name}.json", own_folder() / f"{name}.npz"


def _files_in(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every file below a folder with its content, in order."""

    def refuse(error: OSError) -> None:
        raise InvalidInput(f"The folder cannot be read ({error}).") from error

    for inner, folders, files in os.walk(folder, onerror=refuse):
        folders.sort()
        for path in (Path(inner, file) for file in sorted(files)):
            yield path.relative_to(folder).as_posix(), _content(path)


def _content(path: Path) -> bytes:
    """What a file holds; nothing, which is no picture, where it is huge, no plain file, or cannot be read."""
    try:
        return path.read_bytes() if path.is_file() and path.stat().st_size <= LARGEST_PICTURE else b""
    except OSError:
        return b""


def _keep(name: str, found: Collected) -> Added:
    """Write collected images as own-NAME, wholly or not at all."""
    notes = list(found.notes)
    total = len(found.train.images) + (len(found.test.images) if found.test else 0)
    if total < LEAST_IMAGES:
        raise InvalidInput(f"There are {total} pictures that can be used; at least {LEAST_IMAGES} are needed.")
    train, test = (found.train, found.test) if found.test else _held_out(found.train)
    if not found.test:
        notes.append(f"{len(test.images):,} of {total:,} pictures, drawn at random, are held out.")
    arrays = {
        "train_images": train.images, "train_labels": train.labels,
        "test_images": test.images, "test_labels": test.labels,
    }  # fmt: skip
    shape: tuple[int, int, int] = tuple(train.images.shape[1:])
    digest = hashlib.sha256()
    for array in arrays.values():
        digest.update(np.ascontiguousarray(array).data)
    facts = {
        "format": FORMAT,
        "shape": shape,
        "class_names": found.classes,
        "train": len(train.images),
        "test": len(test.images),
        "grey": not all(_is_binary(split.images) for split in (train, test)),
        "origin": found.origin,
        "stamp": digest.hexdigest()[:16],
    }
    with _writing:
        _require_free(name)  # somebody else may have taken it meanwhile
        _write(name, arrays, facts)
    return Added(PREFIX + name, len(train.images), len(test.images), shape, found.classes, tuple(notes))


def _write(name: str, arrays: dict[str, np.ndarray], facts: dict[str, Any]) -> None:
    description, images = _paths(name)
    try:
        write_whole(images, lambda file: np.savez(file, allow_pickle=False, **arrays))
        text = json_bytes(facts | {"bytes": images.stat().st_size})
        write_whole(description, lambda file: file.write(text))
    except OSError as error:
        with suppress(OSError):
            images.unlink()
        raise InvalidInput(
            f"The data cannot be kept in {own_folder()} ({error}); free some space there, or set LATENT_DATA to "
            "another folder."
        ) from error


def _held_out(images: Labelled) -> tuple[Labelled, Labelled]:
    """The images but for a random tenth, and that tenth; the same ones whenever the same images are added."""
    count = len(images.labels)
    chosen = np.zeros(count, dtype=bool)
    size = min(max(1, round(count * HELD_OUT)), MOST_HELD_OUT)
    chosen[np.random.default_rng(SEED).permutation(count)[:size]] = True
    return Labelled(images.images[~chosen], images.labels[~chosen]), Labelled(
        images.images[chosen], images.labels[chosen]
    )


def _is_binary(images: np.ndarray) -> bool:
    """Whether all pixels are black or white. Looks at a thousand images at a time, to save memory."""
    parts = (images[start : start + 1000] for start in range(0, len(images), 1000))
    return all(bool(((part == 0) | (part == 255)).all()) for part in parts)


@lru_cache(maxsize=1000)
def _described(description: Path, images: Path, told: tuple[int, int], stored: tuple[int, int]) -> Own:
    """A dataset from its description; the times and sizes of both files are there to be cached by."""
    facts = _read_facts(description)
    if facts["bytes"] != stored[1]:
        raise InvalidInput(f"{images} is {stored[1]:,} bytes; it was written with {facts['bytes']:,}. {REMEDY}")
    shape, classes = tuple(facts["shape"]), tuple(facts["class_names"])
    dataset = Dataset(
        name=PREFIX + description.stem,
        title=f"{description.stem} (own data)",
        shape=shape,
        class_names=classes,
        origin=facts["origin"],
        licence="that of the images; whoever added them knows it",
        open_split=partial(_open_split, images, shape, len(classes)),
        grey=facts["grey"],
        stamp=facts["stamp"],
    )
    return Own(dataset, facts["train"], facts["test"])


def _open_split(
    path: Path, shape: tuple[int, int, int], classes: int, split: Split, device: torch.device | str
) -> ImageSource:
    return StoredImages(*read_split(path, split, shape, classes, REMEDY), device)


def _read_facts(path: Path) -> dict[str, Any]:
    """What a description says, every key known, none missing, every value of its kind."""
    facts = read_object(path, f"{path} is missing. {REMEDY}", REMEDY)
    if facts.keys() != KEYS:
        raise InvalidInput(f"{path} must hold an object with just {', '.join(sorted(KEYS))}. {REMEDY}")
    if facts["format"] != FORMAT:
        raise InvalidInput(f"{path} has another format than {FORMAT}, which this version reads. {REMEDY}")
    shape, classes = facts["shape"], facts["class_names"]
    good = {
        "shape": _are(int, shape) and len(shape) == 3 and shape[0] in (1, 3)
        and all(SIDES[0] <= side <= SIDES[1] for side in shape[1:]),
        "class_names": _are(str, classes) and 0 < len(set(classes)) == len(classes) <= MOST_CLASSES
        and all(map(can_be_class, classes)),
        "grey": isinstance(facts["grey"], bool),
        "origin": _are(str, [facts["origin"]]) and facts["origin"].isprintable(),
        "stamp": _are(str, [facts["stamp"]]) and re.fullmatch("[0-9a-f]{16}", facts["stamp"]),
        **{key: _are(int, [facts[key]]) and facts[key] > 0 for key in ("train", "test", "bytes")},
    }  # fmt: skip
    if wrong := [key for key, fine in good.items() if not fine]:
        raise InvalidInput(f"{path}: {', '.join(wrong)} cannot be used. {REMEDY}")
    return facts


def _are(kind: type, values: Any) -> bool:
    return isinstance(values, list) and all(type(value) is kind for value in values)
