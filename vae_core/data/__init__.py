"""Datasets, one a file, and the user's own. To add one that everybody has: write its file and name it here."""

from __future__ import annotations

from vae_core.data import own
from vae_core.data.base import Dataset, ImageSource, Split
from vae_core.data.cifar10 import CIFAR10
from vae_core.data.fashion_mnist import FASHION_MNIST
from vae_core.data.mnist import MNIST
from vae_core.data.names import NAMES
from vae_core.data.spoken_digits import SPOKEN_DIGITS, VOICES
from vae_core.data.sprites import SPRITES
from vae_core.errors import InvalidInput

DATASETS: dict[str, Dataset] = {
    "mnist": MNIST,
    "fashion_mnist": FASHION_MNIST,
    "sprites": SPRITES,
    "cifar10": CIFAR10,
}
# Of a single lesson, and not bundled: no page offers them, nor needs them for what is trained already.
LESSON_DATA: dict[str, Dataset] = {"names": NAMES, "voices": VOICES, "spoken_digits": SPOKEN_DIGITS}

__all__ = [
    "DATASETS", "LESSON_DATA", "Dataset", "ImageSource", "Split", "damaged_datasets", "dataset", "datasets",
    "unchanged",
]  # fmt: skip


def dataset(name: str) -> Dataset:
    """A dataset by name: one of DATASETS or LESSON_DATA, or "own-NAME" for what somebody added here.

    Raises InvalidInput for a name that there is not, and for own data that are damaged.
    """
    if found := (DATASETS | LESSON_DATA).get(name):
        return found
    short = name.removeprefix(own.PREFIX)
    if short == name or short not in own.names():
        raise InvalidInput(f"There are no data {name[:60]!r}; choose one of {', '.join(_names())}.")
    return own.owned(short).dataset


def unchanged(name: str, stamp: str | None) -> Dataset:
    """The dataset of a name, for who knew it when it had this stamp; None says nothing.

    Raises InvalidInput as `dataset` does, and where the name stands for other images by now: among those that are
    held out may be some on which a model was trained.
    """
    found = dataset(name)
    if stamp is not None and found.stamp != stamp:
        raise InvalidInput(
            f"The data {name} are other images than those that the model was made for; add these again under that "
            "name, or train anew."
        )
    return found


def datasets() -> dict[str, Dataset]:
    """Every dataset that can be used here by name: the bundled ones first, then the user's own. Opens no images."""
    return DATASETS | {found.dataset.name: found.dataset for found in own.all_owned()[0]}


def damaged_datasets() -> list[str]:
    """What is wrong with own data that cannot be used, a sentence each."""
    return own.all_owned()[1]


def _names() -> list[str]:
    return [*DATASETS, *(own.PREFIX + name for name in own.names())]
