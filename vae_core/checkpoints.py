"""A model on disk: a folder of config.json, model.safetensors and metrics.json, read strictly.

No pickle anywhere. Every file is written under a temporary name and then renamed.
"""

from __future__ import annotations

import platform
import types
import typing
from dataclasses import asdict, dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from reprlib import repr as shown  # a few dozen characters of anything
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from vae_core.errors import InvalidInput
from vae_core.folders import BUNDLED_CHECKPOINTS, write_whole
from vae_core.models import MODELS
from vae_core.strict_json import json_bytes, read_object

FORMAT = 1
CONFIG, WEIGHTS, METRICS = "config.json", "model.safetensors", "metrics.json"
DTYPES = {"float32": torch.float32, "float16": torch.float16}
LARGEST_WEIGHTS = 2**30  # bytes; a file beyond is none of ours
KEYS = {"format", "name", "model", "model_config", "dataset", "weights", "training", "versions"}


@dataclass(frozen=True)
class Description:
    """What a model folder tells of its model without its weights."""

    name: str
    model_name: str  # its key in MODELS
    settings: Any  # of its class's Config
    dataset: str  # its key in DATASETS
    weights: str  # its key in DTYPES
    training: dict[str, Any]  # settings, device, seconds
    metrics: dict[str, Any]  # held-out scores; empty where none were written


@dataclass(frozen=True)
class Checkpoint:
    """A model with all that is known of it. The model is shared by everyone who loads it: never change it."""

    name: str
    model: nn.Module
    model_name: str  # its key in MODELS
    dataset: str  # its key in DATASETS
    training: dict[str, Any]  # settings, device, seconds
    metrics: dict[str, Any]  # held-out scores; empty where none were written


def versions() -> dict[str, str]:
    return {"python": platform.python_version(), "torch": torch.__version__}


def round_weights(model: nn.Module, weights: str) -> None:
    """Round all that a model keeps, its parameters and a codebook's moving means, in place to the precision in which
    it will be stored, so that what is evaluated, what is saved and what the browser decodes with are the same numbers.
    """
    with torch.no_grad():
        for tensor in model.state_dict().values():
            tensor.copy_(tensor.to(DTYPES[weights]))


def write_model(
    folder: Path, model: nn.Module, *, name: str, model_name: str, dataset: str, training: dict[str, Any],
    weights: str = "float32",
) -> None:  # fmt: skip
    """Write a model folder, without metrics. Raises InvalidInput where the folder cannot be written."""
    config = {
        "format": FORMAT,
        "name": name,
        "model": model_name,
        "model_config": asdict(model.config),  # type: ignore[call-overload]
        "dataset": dataset,
        "weights": weights,
        "training": training,
        "versions": versions(),
    }
    tensors = {key: value.detach().to("cpu", DTYPES[weights]).contiguous() for key, value in model.state_dict().items()}
    try:
        write_whole(folder / WEIGHTS, lambda file: file.write(save(tensors)), durable=True)
        write_whole(folder / CONFIG, lambda file: file.write(json_bytes(config)), durable=True)
        (folder / METRICS).unlink(missing_ok=True)  # they were another model's
    except OSError as error:
        raise InvalidInput(f"The model cannot be written to {folder} ({error}); choose another with --out.") from error


def write_metrics(folder: Path, metrics: dict[str, Any]) -> None:
    """Write the scores of a model to its folder. Raises InvalidInput where the folder cannot be written."""
    try:
        write_whole(folder / METRICS, lambda file: file.write(json_bytes(metrics)), durable=True)
    except OSError as error:
        raise InvalidInput(f"The scores cannot be written to {folder} ({error}).") from error


def read_description(folder: Path) -> Description:
    """What a model folder says of its model: all but the weights.

    Raises InvalidInput, naming the file and the key, for anything missing, unknown or of a wrong type.
    """
    if not folder.is_dir():
        raise InvalidInput(f"There is no model folder {folder}; `python -m vae_core list` names the bundled ones.")
    where = folder / CONFIG
    config = _read_json(where)
    if missing := KEYS - config.keys():
        raise InvalidInput(f"{where} lacks {_names(missing)}.")
    if unknown := config.keys() - KEYS:
        raise InvalidInput(f"{where} has the unknown key {_names(unknown)}; allowed: {_names(KEYS)}.")
    if config["format"] != FORMAT:
        raise InvalidInput(f"{where} has format {shown(config['format'])}; this version reads {FORMAT}.")
    for key in ("name", "model", "dataset", "weights"):
        if not isinstance(config[key], str):
            raise InvalidInput(f"{where}: {key} is {shown(config[key])}; it must be a text.")
    for key in ("model_config", "training", "versions"):
        if not isinstance(config[key], dict):
            raise InvalidInput(f"{where}: {key} is {shown(config[key])}; it must be an object.")
    if config["model"] not in MODELS:
        raise InvalidInput(f"{where}: unknown model {shown(config['model'])}; known: {_names(MODELS)}.")
    if config["weights"] not in DTYPES:
        raise InvalidInput(f"{where}: weights are {shown(config['weights'])}; allowed: {_names(DTYPES)}.")
    return Description(
        name=config["name"],
        model_name=config["model"],
        settings=settings_from(MODELS[config["model"]].Config, config["model_config"], str(where)),
        dataset=config["dataset"],
        weights=config["weights"],
        training=config["training"],
        metrics=_read_json(folder / METRICS) if (folder / METRICS).exists() else {},
    )


def read_model(folder: Path) -> Checkpoint:
    """Rebuild a model from its folder, on the CPU, ready to use.

    Raises InvalidInput as `read_description` does, and for weights that are missing, truncated, foreign or of a
    wrong shape.
    """
    told = read_description(folder)
    with torch.device("meta"):  # shapes without memory or random numbers
        model = MODELS[told.model_name](told.settings)
    model.load_state_dict(_read_tensors(folder / WEIGHTS, model, DTYPES[told.weights]), assign=True)
    model.requires_grad_(False).eval()
    return Checkpoint(told.name, model, told.model_name, told.dataset, told.training, told.metrics)


def settings_from(kind: type, given: dict[str, Any], where: str) -> Any:
    """Build a settings dataclass from JSON: every key known, none missing, every type right. Settings that the first
    files of their kind did not have may be missing: the dataclass says in LATER what their absence meant."""
    given = {**getattr(kind, "LATER", {}), **given}
    hints = typing.get_type_hints(kind)
    names = {field.name for field in fields(kind)}
    if unknown := given.keys() - names:
        raise InvalidInput(f"{where}: unknown setting {_names(unknown)} for {kind.__name__}; allowed: {_names(names)}.")
    if missing := names - given.keys():
        raise InvalidInput(f"{where}: the setting {_names(missing)} of {kind.__name__} is missing.")
    values = {}
    for key, value in given.items():
        if not _fits(value, hints[key]):
            expected = (
                getattr(hints[key], "__name__", str(hints[key])) if not typing.get_args(hints[key]) else hints[key]
            )
            raise InvalidInput(f"{where}: {key} is {shown(value)}; it must be {expected}.")
        values[key] = tuple(value) if isinstance(value, list) else value
    try:
        return kind(**values)
    except InvalidInput as error:  # a size out of range, say: the settings know what, we know where
        raise InvalidInput(f"{where}: {error}") from error


def bundled() -> dict[str, Path]:
    """The bundled models by name: every folder in assets/checkpoints that has a config."""
    return {path.parent.name: path.parent for path in sorted(BUNDLED_CHECKPOINTS.glob(f"*/{CONFIG}"))}


def read_bundled(name: str) -> Checkpoint:
    """A bundled model by name; the name is looked up, never used as a path. Raises InvalidInput if unknown."""
    folders = bundled()
    if name not in folders:
        near = get_close_matches(name[:100], folders, n=3)
        meant = f" Did you mean {' or '.join(near)}?" if near else ""
        raise InvalidInput(
            f"There is no bundled model {shown(name)}; `python -m vae_core list` names all {len(folders)}.{meant}"
        )
    return read_model(folders[name])


def _fits(value: Any, hint: Any) -> bool:
    """Whether a JSON value has an annotated type: the plain ones, unions with None, and tuples."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, option) for option in arguments)
    if origin is tuple:
        if not isinstance(value, list | tuple):
            return False
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return all(_fits(item, arguments[0]) for item in value)
        return len(value) == len(arguments) and all(map(_fits, value, arguments))
    if hint is type(None):
        return value is None
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, hint) and not (hint is int and isinstance(value, bool))


def _read_json(path: Path) -> dict[str, Any]:
    missing = f"{path} is missing; a model folder holds {CONFIG}, {WEIGHTS} and {METRICS}."
    return read_object(path, missing, "Copy the model folder again.")


def _read_tensors(path: Path, model: nn.Module, dtype: torch.dtype) -> dict[str, Tensor]:
    """All tensors of a model, as float32, from a file that holds just these."""
    try:
        if (size := path.stat().st_size) > LARGEST_WEIGHTS:
            raise InvalidInput(f"{path} is {size:,} bytes; ours stay below {LARGEST_WEIGHTS:,}.")
        found = load(path.read_bytes())
    except FileNotFoundError as error:
        raise InvalidInput(f"{path} is missing; a model folder holds {CONFIG}, {WEIGHTS} and {METRICS}.") from error
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read ({error}); copy the model folder again.") from error
    except SafetensorError as error:
        raise InvalidInput(
            f"{path} is truncated or no safetensors file ({error}); copy the model folder again."
        ) from error
    expected = model.state_dict()
    if missing := expected.keys() - found.keys():
        raise InvalidInput(f"{path} lacks the tensor {_names(missing)}.")
    if unknown := found.keys() - expected.keys():
        raise InvalidInput(f"{path} holds the foreign tensor {_names(unknown)}.")
    for key, tensor in found.items():
        if tensor.shape != expected[key].shape or tensor.dtype != dtype:
            raise InvalidInput(
                f"{path}: {key} is {tensor.dtype} {tuple(tensor.shape)}; the config asks for "
                f"{dtype} {tuple(expected[key].shape)}."
            )
        if not tensor.isfinite().all():
            raise InvalidInput(f"{path}: {key} holds values that are not finite; copy the model folder again.")
    return {key: tensor.float() for key, tensor in found.items()}


def _names(keys: Any) -> str:
    names = ", ".join(sorted(map(str, keys)))
    return names if len(names) <= 1000 else names[:1000] + " ..."
