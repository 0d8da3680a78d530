"""Given names as pictures of letters: 1 x 16 x 27, a row for each place of the word, a column for each letter.

The list is not bundled: its licence is not stated. Put `names.txt`, a name a line, into the folder that LATENT_DATA
names. Every name counts once; one in ten, chosen by a hash of its letters, is held out.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from vae_core.data.base import Dataset, ImageSource, Split, StoredImages
from vae_core.errors import InvalidInput
from vae_core.folders import data_cache

LETTERS = "abcdefghijklmnopqrstuvwxyz"
END = 0  # the column of what closes a name; letters follow from 1
LONGEST = 15  # letters of a name; one more place is for the end
SHAPE = (1, LONGEST + 1, len(LETTERS) + 1)
HELD_OUT = 10  # one name in so many
LARGEST_LIST, LARGEST_FILE = 100_000, 2_000_000  # names; bytes
FEWEST = 100  # names that a list needs for training


def names_path() -> Path:
    return data_cache() / "names.txt"


def read_word(text: str) -> str:
    """A name in small letters, as the models know it. Raises InvalidInput, with what to try, for what is none."""
    word = text.strip().lower()
    if not word:
        raise InvalidInput(f"There is no name yet; type 1 to {LONGEST} letters from a to z.")
    strange = next((letter for letter in word if letter not in LETTERS), None)
    if strange is not None:
        bare = "".join(letter for letter in unicodedata.normalize("NFKD", word) if letter in LETTERS)[:LONGEST]
        hint = f"; try {bare!r}" if bare else ""
        shown = {" ": "a blank", "\t": "a tab"}.get(strange, repr(strange))
        raise InvalidInput(f"{_cut(word)} contains {shown}; the models know the letters a to z alone{hint}.")
    if len(word) > LONGEST:
        raise InvalidInput(
            f"{_cut(word)} has {len(word)} letters; the models know names of up to {LONGEST}; try {word[:LONGEST]!r}."
        )
    return word


def _cut(word: str) -> str:
    return repr(word if len(word) <= 30 else word[:29] + "…")


def one_hot(words: Sequence[str]) -> np.ndarray:
    """Words of a to z as pictures uint8 [N, 1, 16, 27]: 255 at each letter and at the end, rows behind it are empty."""
    pictures = np.zeros((len(words), *SHAPE), np.uint8)
    for picture, word in zip(pictures, words, strict=True):
        numbers = [LETTERS.index(letter) + 1 for letter in word] + [END]
        picture[0, range(len(numbers)), numbers] = 255
    return pictures


def pictures_of(words: Sequence[str]) -> Tensor:
    """The same in [0, 1]: float32 [N, 1, 16, 27]."""
    return torch.from_numpy(one_hot(words)).float() / 255


def spelled(numbers: Tensor) -> list[str]:
    """Words for letters by number [B, T]; what follows the first end does not count."""
    return ["".join(LETTERS[n - 1] for n in row[: row.index(END) if END in row else None]) for row in numbers.tolist()]


def is_held_out(word: str) -> bool:
    """Whether a name is kept from training: by its letters alone, so that it is so on every machine."""
    return int.from_bytes(hashlib.sha256(word.encode()).digest()[:4], "big") % HELD_OUT == 0


class WordList(NamedTuple):
    """What a text file held."""

    words: list[str]  # each once, in the order of the file
    repeated: int  # lines that repeat an earlier one
    refused: list[str]  # a sentence for each line that cannot be used


def read_list(content: bytes) -> WordList:
    """The names of a text file, one a line. Raises InvalidInput for a file that is no such text, or is too large."""
    if len(content) > LARGEST_FILE:
        raise InvalidInput(
            f"The file has {len(content) / 1e6:.1f} MB; a list of names may have {LARGEST_FILE / 1e6:g}. "
            "Give a shorter one."
        )
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise InvalidInput(
            f"The file is no text in UTF-8 (byte {error.start}); give a plain .txt file with a name on each line."
        ) from error
    words: dict[str, None] = {}
    repeated, refused = 0, []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            word = read_word(line)
        except InvalidInput as error:
            refused.append(f"Line {number}: {error}")
            continue
        repeated += word in words
        words[word] = None
    if not words:
        why = f" {refused[0]}" if refused else ""
        raise InvalidInput(f"The file holds no name that can be used; it needs a name on each line.{why}")
    if len(words) > LARGEST_LIST:
        raise InvalidInput(f"The file holds {len(words):,} names; allowed are {LARGEST_LIST:,}. Give a shorter one.")
    return WordList(list(words), repeated, refused)


def names_of(split: Split) -> list[str]:
    """The names of one split, in the order of the file. Raises InvalidInput where the file is missing or of no use."""
    path = names_path()
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InvalidInput(
            f"The names are not on this machine ({path}: {error.strerror}). They are not bundled, for their licence is "
            "not stated; put a text file with a name on each line there. What is trained already needs none."
        ) from error
    found = read_list(content)
    if found.refused:
        raise InvalidInput(f"{path}: {len(found.refused)} lines cannot be used. {found.refused[0]}")
    if len(found.words) < FEWEST:
        raise InvalidInput(f"{path} holds {len(found.words)} different names; a training needs {FEWEST} or more.")
    return [word for word in found.words if is_held_out(word) == (split == "test")]


def open_split(split: Split, device: torch.device | str) -> ImageSource:
    words = names_of(split)
    return StoredImages(one_hot(words), np.zeros(len(words), np.uint8), device)


NAMES = Dataset(
    name="names",
    title="given names",
    shape=SHAPE,
    class_names=("name",),
    origin=(
        "names.txt as it comes with makemore (A. Karpathy): 32,033 given names, drawn from lists of the United States' "
        "Social Security Administration"
    ),
    licence="not stated with the list; so it is not bundled",
    open_split=open_split,
    grey=False,
)
