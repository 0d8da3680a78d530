"""Datasets that torchvision brings: fetched once, kept in our format, and a sentence where there is no internet."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path

import numpy as np

from vae_core.errors import InvalidInput
from vae_core.folders import write_whole

Fetch = Callable[[str, bool], tuple[np.ndarray, np.ndarray]]  # (folder, train) -> images [N, C, H, W], labels [N]


def download(path: Path, title: str, fetch: Fetch) -> None:
    """Fetch both splits with torchvision and write them to `path` in our format.

    Raises InvalidInput where they cannot be fetched, or not be kept.
    """
    arrays: dict[str, np.ndarray] = {}
    try:
        with tempfile.TemporaryDirectory() as folder:
            for split in ("train", "test"):
                images, labels = fetch(folder, split == "train")
                arrays[f"{split}_images"], arrays[f"{split}_labels"] = images, labels.astype(np.uint8)
    except (
        OSError,
        RuntimeError,
        HTTPException,
    ) as error:  # no network, a broken line, or torchvision's own "not found or corrupted"
        raise InvalidInput(
            f"The training images of {title} are not on this machine and could not be downloaded ({error}). "
            f"Connect to the internet once, or copy {path.name} to {path}."
        ) from error
    try:
        write_whole(path, lambda file: np.savez_compressed(file, allow_pickle=False, **arrays))
    except OSError as error:
        raise InvalidInput(
            f"{title} was downloaded but cannot be kept in {path.parent} ({error}); "
            "set LATENT_DATA to a folder that can be written."
        ) from error
