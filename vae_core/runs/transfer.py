"""A model in one file, to take it elsewhere: a zip of its config, its weights and its scores.

A zip that comes from elsewhere is read as if an enemy had made it: nothing is unpacked by the names in it, no more
is inflated than the model that it describes can have, and only one that `read_model` accepts is kept.
"""

from __future__ import annotations

import io
import tempfile
import zipfile
import zlib
from pathlib import Path
from reprlib import repr as shown
from typing import Any

import torch

from vae_core.checkpoints import CONFIG, DTYPES, METRICS, WEIGHTS, read_description, read_model
from vae_core.errors import InvalidInput
from vae_core.folders import runs_folder
from vae_core.metrics.stored import wrong_scores
from vae_core.models import MODELS
from vae_core.runs.folder import MODEL, NAME, check_name
from vae_core.runs.remove import UPLOADED, sweep
from vae_core.strict_json import LARGEST, parsed
from vae_core.training.settings import WHOLE

NEEDED, ALLOWED = (CONFIG, WEIGHTS), (CONFIG, WEIGHTS, METRICS)
LARGEST_ZIP = 2**30  # bytes
HEADER = 2**20  # bytes of names and shapes before the weights
PART = 2**20  # bytes inflated at a time
A_TIME = (1980, 1, 1, 0, 0, 0)  # the same model makes the same file
NO_MODEL = f"This file is no model of ours, a zip of {CONFIG}, {WEIGHTS} and, where it was scored, {METRICS}"
UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, OSError)
TRAINING = {
    "kl_start": float, "kl_schedule": str, "kl_cycles": int, "capacity": float, "binarise": bool, "steps": int,
    "device": str, "data_stamp": str | None,
}  # fmt: skip
LARGEST_NUMBER = 1e300  # beyond, arithmetic with it fails
PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def zip_model(folder: Path) -> bytes:
    """A model folder as a zip. Raises InvalidInput where it is no whole model."""
    read_description(folder)
    file = io.BytesIO()
    try:
        with zipfile.ZipFile(file, "w") as archive:
            for name in ALLOWED:
                if name in NEEDED or (folder / name).exists():
                    entry = zipfile.ZipInfo(name, A_TIME)
                    archive.writestr(entry, (folder / name).read_bytes(), zipfile.ZIP_DEFLATED)
    except OSError as error:
        raise InvalidInput(f"The model in {folder} cannot be read ({error}).") from error
    return file.getvalue()


def unzip_model(content: bytes, name: str) -> Path:
    """Keep a zipped model as the finished run of a name; returns its model folder, runs_folder()/NAME/model.

    Raises InvalidInput, in one sentence, for a name that is none or is taken and for anything that is not just the
    files of one whole model with latents; nothing is kept then.
    """
    home = runs_folder() / check_name(name)
    if home.exists():
        raise InvalidInput(f"There is a run {name} already; choose another name.")
    try:
        runs_folder().mkdir(parents=True, exist_ok=True)
        parent = tempfile.TemporaryDirectory(dir=runs_folder(), prefix=UPLOADED)
    except OSError as error:
        raise InvalidInput(f"The model cannot be kept in {runs_folder()} ({error}).") from error
    with parent as place:
        folder = Path(place) / name / MODEL
        _unpack(content, folder)
        _require_model(folder)
        try:
            folder.parent.rename(home)  # whole or not at all
        except OSError as error:
            reason = "there is one already" if home.exists() else error
            raise InvalidInput(f"The model cannot be kept as {home} ({reason}); choose another name.") from error
    sweep()
    return home / MODEL


def wrong_training(training: dict[str, Any]) -> list[str]:
    """The keys of what a model's config tells of its training that are not what pages rely on."""
    wrong = [key for key, kind in TRAINING.items() if key in training and not _fits(training[key], kind)]
    if "labels" in training and not _are_labels(training["labels"]):
        wrong.append("labels")
    if "images" in training and not _is_whole(training["images"], *WHOLE["images"]):
        wrong.append("images")
    return wrong


def _are_labels(value: Any) -> bool:
    """Whether this is a list of labels, each once."""
    return isinstance(value, list) and all(_is_whole(each, 0, 255) for each in value) and len(set(value)) == len(value)


def _is_whole(value: Any, low: int, high: int) -> bool:
    return type(value) is int and low <= value <= high


def _fits(value: Any, kind: Any) -> bool:
    if kind in (int, float):
        return type(value) in (int, kind) and abs(value) < LARGEST_NUMBER
    return isinstance(value, kind)


def _unpack(content: bytes, folder: Path) -> None:
    """Write the files of a zip into a folder, if they are just those of a model."""
    if len(content) > LARGEST_ZIP:
        raise InvalidInput(f"The file has {len(content):,} bytes; a zipped model has at most {LARGEST_ZIP:,}.")
    folder.mkdir(parents=True)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = _entries(archive)
            for name in (CONFIG, METRICS):
                if name in entries:
                    data = _inflate(archive, entries[name], LARGEST)
                    parsed(data)
                    (folder / name).write_bytes(data)
            (folder / WEIGHTS).write_bytes(_inflate(archive, entries[WEIGHTS], _size_of_weights(folder)))
    except InvalidInput:
        raise
    except UNREADABLE as error:  # damaged, cut short, packed in another way: all mean one thing to people
        reason = str(error)[:100] or type(error).__name__
        raise InvalidInput(f"{NO_MODEL}, that can be read ({reason}); download it again.") from error


def _entries(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """The files of a zip by name, if they are just those of a model."""
    names = archive.namelist()
    if strange := [name for name in names if name not in ALLOWED]:
        raise InvalidInput(f"{NO_MODEL}: it also holds {strange[0][:60]!r}.")
    if missing := [name for name in NEEDED if name not in names]:
        raise InvalidInput(f"{NO_MODEL}: it lacks {' and '.join(missing)}.")
    if len(set(names)) < len(names):
        raise InvalidInput(f"{NO_MODEL}: it holds a file twice.")
    if any(entry.flag_bits & 1 for entry in archive.infolist()):
        raise InvalidInput(f"{NO_MODEL}, that can be read: it is encrypted.")
    if any(entry.compress_type not in PACKINGS for entry in archive.infolist()):
        raise InvalidInput(f"{NO_MODEL}, that can be read: it is packed in another way than deflated.")
    return {entry.filename: entry for entry in archive.infolist()}


def _inflate(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, largest: int) -> bytes:
    """One file of a zip; the size that the zip claims for it is not believed."""
    parts, size = [], 0
    with archive.open(entry) as file:
        while part := file.read(PART):
            size += len(part)
            if size > largest:
                raise InvalidInput(f"{entry.filename} in the zip has more than {largest:,} bytes, too many for it.")
            parts.append(part)
    return b"".join(parts)


def _size_of_weights(folder: Path) -> int:
    """The most bytes that the weights of the model described in a folder may take."""
    try:
        told = read_description(folder)
    except InvalidInput as error:
        raise InvalidInput(_about_zip(folder, error)) from error
    with torch.device("meta"):  # shapes without memory
        tensors = MODELS[told.model_name](told.settings).state_dict().values()
    return HEADER + sum(tensor.numel() for tensor in tensors) * DTYPES[told.weights].itemsize


def _require_model(folder: Path) -> None:
    """A whole latent variable model with scores that can be relied on."""
    try:
        loaded = read_model(folder)
    except InvalidInput as error:
        raise InvalidInput(_about_zip(folder, error)) from error
    config: Any = loaded.model.config
    if not hasattr(config, "latent"):
        raise InvalidInput(f"The zip holds a {loaded.model_name}; only models with latents can be shown here.")
    for name in (loaded.name, loaded.dataset):  # pages show both
        if not NAME.fullmatch(name):
            raise InvalidInput(f"The zip's model or its data are called {shown(name)}, which is no name of ours.")
    if wrong := wrong_training(loaded.training) + wrong_scores(loaded.metrics, config.latent):
        raise InvalidInput(f"The zip holds values that cannot be right ({', '.join(wrong)}); download it again.")


def _about_zip(folder: Path, error: InvalidInput) -> str:
    """What is wrong with a model that was just unpacked, without the place where that happened."""
    return f"The zip holds no model that can be used: {error}".replace(f"{folder}/", "")
