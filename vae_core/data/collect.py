"""Pictures from a folder, brought into the form of a dataset; what does not fit is named."""

from __future__ import annotations

import io
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

from vae_core.data.uploads import FORMATS, MOST_PIXELS
from vae_core.errors import InvalidInput

SIDES = (4, 256)  # pixels
MOST_IMAGES = 200_000
MOST_BYTES = 2 * 2**30  # of all pixels together, one byte a channel
MOST_CLASSES = 255
LONGEST_CLASS = 60  # characters
NAMED = 5  # files that a sentence names
ONE_CLASS = "images"


class Labelled(NamedTuple):
    images: np.ndarray  # [N, C, H, W] uint8
    labels: np.ndarray  # [N] uint8


class Collected(NamedTuple):
    """What somebody brought, ready to be kept."""

    train: Labelled
    test: Labelled | None  # None: some of `train` are to be held out
    classes: tuple[str, ...]
    origin: str
    notes: tuple[str, ...]  # what was left out or changed, in sentences


class Unusable(Exception):
    """Why one file cannot be used, in a few words."""


def from_files(
    files: Iterable[tuple[str, bytes]], side: int | None = None, grey: bool = True, skip: bool = False
) -> Collected:
    """Pictures from (path within a folder, content) pairs: each sub-folder is a class. Where the folder holds just
    the two folders train and test, these are the splits and their sub-folders the classes.

    `side` cuts every picture to its middle square and scales it to so many pixels; without it all must have one
    size. What is no usable picture, or of another size than most, is left out with `skip`; otherwise InvalidInput
    names it. Files that systems hide (.DS_Store and the like) count for nothing.
    """
    require_side(side)
    pictures: list[tuple[str, np.ndarray]] = []
    refused: list[str] = []
    changes: Counter[str] = Counter()
    size = 0
    for path, content in files:
        if _is_hidden(path):
            continue
        try:
            picture, changed = decoded(content, side, grey)
        except Unusable as error:
            refused.append(f"{shown(path)} ({error})")
        else:
            pictures.append((path, picture))
            changes.update(changed)
            size += picture.nbytes
        require_room(len(pictures) + len(refused), size)
    total = len(pictures) + len(refused)
    pictures, others = _of_one_size(pictures)
    refused += others
    if refused and not skip:
        raise InvalidInput(
            f"{len(refused):,} of {total:,} files cannot be used: {some(refused)}. "
            "Cut all to squares of one side, skip what cannot be used, or mend these files."
        )
    notes = [f"{len(refused):,} of {total:,} files were left out: {some(refused)}."] if refused else []
    notes += [f"{count:,} of {total:,} pictures {change}." for change, count in changes.items()]
    if not pictures:
        raise InvalidInput(f"There is no picture among {total:,} files; {', '.join(FORMATS)} are read.")
    return _sorted_out(pictures, notes)


def _sorted_out(pictures: list[tuple[str, np.ndarray]], notes: list[str]) -> Collected:
    """Pictures of one size in the order of their paths, by class; apart where the outermost folders are just train
    and test."""
    pictures = sorted(pictures, key=lambda entry: entry[0])  # browsers and file systems have orders of their own
    parts = [_parts(path) for path, _ in pictures]
    apart = all(len(part) > 1 for part in parts) and {part[0] for part in parts} == {"train", "test"}
    folders = [part[1:] if apart else part for part in parts]
    owners = [folder[0] if len(folder) > 1 else ONE_CLASS for folder in folders]
    classes = tuple(sorted(set(owners)))
    require_classes(classes)
    numbers = {name: number for number, name in enumerate(classes)}
    labels = np.array([numbers[owner] for owner in owners], dtype=np.uint8)
    images = np.stack([picture for _, picture in pictures])
    origin = f"{len(pictures):,} pictures in a folder"
    if not apart:
        return Collected(Labelled(images, labels), None, classes, origin, tuple(notes))
    test = np.array([part[0] == "test" for part in parts])
    notes.append("The folders train and test were taken for the pictures to learn from and the held-out ones.")
    train, held_out = Labelled(images[~test], labels[~test]), Labelled(images[test], labels[test])
    return Collected(train, held_out, classes, origin, tuple(notes))


def decoded(content: bytes, side: int | None, grey: bool) -> tuple[np.ndarray, list[str]]:
    """One picture, uint8 [C, H, W], and what was changed about it. Raises Unusable."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd files; what cannot be read raises
            image: Image.Image = Image.open(io.BytesIO(content), formats=FORMATS)
            _require_still(image, side)
            if side:
                image.draft(None, (2 * side, 2 * side))  # a photo need not be decoded at its full size
            image, changes = _plain(ImageOps.exif_transpose(image))
            return fitted(image, side, 1 if grey else 3), changes
    except Unusable:
        raise
    except Image.DecompressionBombError as error:
        raise Unusable("too many pixels") from error
    except Exception as error:  # decoders meet a damaged file with whatever error comes first
        raise Unusable("no picture that can be read") from error


def can_be_class(name: str) -> bool:
    return 0 < len(name) <= LONGEST_CLASS and name.isprintable()


def require_classes(classes: Sequence[str]) -> None:
    """InvalidInput where there are too many classes, or one has a name that no page could show."""
    if len(classes) > MOST_CLASSES:
        raise InvalidInput(f"There are {len(classes):,} classes; at most {MOST_CLASSES} are allowed.")
    for name in classes:
        if not can_be_class(name):
            raise InvalidInput(
                f"The class name {shown(name)!r} cannot be shown; allowed: 1 to {LONGEST_CLASS} printable characters. "
                "Rename the folder."
            )


def require_side(side: int | None) -> None:
    if side is not None and not SIDES[0] <= side <= SIDES[1]:
        raise InvalidInput(f"The side is {side} pixels; allowed: {SIDES[0]} to {SIDES[1]}.")


def require_room(images: int, size: int) -> None:
    if images > MOST_IMAGES:
        raise InvalidInput(f"There are more than {MOST_IMAGES:,} pictures; bring a part of them.")
    if size > MOST_BYTES:
        raise InvalidInput(
            f"The pictures take more than {MOST_BYTES / 2**30:g} GiB; bring fewer, or scale them to a smaller side."
        )


def _require_still(image: Image.Image, side: int | None) -> None:
    if image.width * image.height > MOST_PIXELS:
        raise Unusable(f"{image.width * image.height / 1e6:.0f} megapixels, at most {MOST_PIXELS // 10**6}")
    # MPO is how some phones save a photo: a JPEG whose further frames are previews.
    if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":
        raise Unusable("a moving picture")
    if side is None and not SIDES[0] <= min(image.size) <= max(image.size) <= SIDES[1]:
        raise Unusable(f"{image.width} x {image.height} pixels, allowed are {SIDES[0]} to {SIDES[1]}")


def _plain(image: Image.Image) -> tuple[Image.Image, list[str]]:
    """The picture with 8 bits a channel and nothing transparent."""
    if image.mode.startswith("I"):
        levels = np.asarray(image).astype(np.int64)
        if levels.min() < 0 or levels.max() > 0xFFFF:
            raise Unusable("more than 16 bits a pixel")
        return Image.fromarray(((levels + 128) // 257).astype(np.uint8)), ["had 16 bits a pixel; 8 were kept"]
    if image.mode == "F":
        raise Unusable("decimal grey levels, of which black and white are not known")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        paper = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(paper, image), ["had transparent parts; they were taken for white paper"]
    return image, []


def fitted(image: Image.Image, side: int | None, channels: int) -> np.ndarray:
    """[C, H, W] uint8, grey or RGB; with `side`, the middle square of the picture in that size."""
    image = image.convert("L" if channels == 1 else "RGB")
    if side:
        square = min(image.size)
        left, top = (image.width - square) // 2, (image.height - square) // 2
        # Bilinear, which Pillow widens where a picture shrinks: sharper kernels would put rims around the ink.
        image = image.crop((left, top, left + square, top + square)).resize((side, side), Image.Resampling.BILINEAR)
    pixels = np.array(image)
    return pixels[None] if channels == 1 else np.ascontiguousarray(pixels.transpose(2, 0, 1))


def _of_one_size(pictures: list[tuple[str, np.ndarray]]) -> tuple[list[tuple[str, np.ndarray]], list[str]]:
    """The pictures of the commonest size, and a few words on each of the others."""
    if not pictures:
        return [], []
    shape = Counter(picture.shape for _, picture in pictures).most_common(1)[0][0]
    others = [
        f"{shown(path)} ({picture.shape[2]} x {picture.shape[1]}, most are {shape[2]} x {shape[1]})"
        for path, picture in pictures
        if picture.shape != shape
    ]
    return [entry for entry in pictures if entry[1].shape == shape], others


def _parts(path: str) -> tuple[str, ...]:
    return PurePosixPath(path.replace("\\", "/").lstrip("/")).parts


def _is_hidden(path: str) -> bool:
    return any(part.startswith((".", "__MACOSX")) or part in ("Thumbs.db", "desktop.ini") for part in _parts(path))


def shown(path: str) -> str:
    """A path as a sentence can hold it."""
    text = "".join(letter if letter.isprintable() else "?" for letter in path)
    return text if len(text) <= 80 else f"...{text[-77:]}"


def some(words: Sequence[str]) -> str:
    rest = f" and {len(words) - NAMED:,} more" if len(words) > NAMED else ""
    return ", ".join(words[:NAMED]) + rest
