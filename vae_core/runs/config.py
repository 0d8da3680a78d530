"""What a run was asked to do: config.json of its folder, written once and read strictly."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from reprlib import repr as shown
from typing import Any

from vae_core.checkpoints import settings_from, versions
from vae_core.data import dataset
from vae_core.errors import InvalidInput
from vae_core.folders import write_whole
from vae_core.models import MODELS
from vae_core.recipes import Recipe
from vae_core.strict_json import json_bytes, read_object
from vae_core.training import TrainSettings, pick_device, resolved

FORMAT = 1
CONFIG = "config.json"
TEXTS = ("name", "device", "owner", "created")


@dataclass(frozen=True)
class RunConfig:
    """What to train, where, and for whom."""

    name: str
    recipe: Recipe
    device: str
    owner: str
    created: str  # ISO 8601, UTC
    versions: dict[str, str]
    data_stamp: str | None = None  # of the content of its data; None: nobody looked at it


def new_config(name: str, recipe: Recipe, device: str, owner: str) -> dict[str, Any]:
    """A config as JSON, every setting spelled out, so that it means the same under other defaults and elsewhere.

    Raises InvalidInput for an unknown model, for settings that it refuses and for a device that is not here.
    """
    if recipe.model not in MODELS:
        raise InvalidInput(f"There is no model {shown(recipe.model)}; choose one of {', '.join(MODELS)}.")
    return {
        "format": FORMAT,
        "name": name,
        "recipe": {
            "name": recipe.name,
            "data": recipe.data,
            "model": recipe.model,
            "settings": asdict(MODELS[recipe.model].Config(**recipe.settings)),
            "training": asdict(resolved(recipe.training, pick_device(device))),
        },
        "device": device,
        "owner": owner,
        "created": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "versions": versions(),
        "data_stamp": _stamp(recipe.data),
    }


def read_config(folder: Path) -> RunConfig:
    """The config of a run's folder. Raises InvalidInput, naming the key, for anything missing, foreign or newer."""
    where = folder / CONFIG
    missing = f"There is no run in {folder}; `python -m vae_core runs` names them."
    config = read_object(where, missing, "The run's folder is damaged.")
    version = config.get("format")
    if isinstance(version, int) and version > FORMAT:
        raise InvalidInput(
            f"{where} has format {version}: a newer version wrote it; this one reads {FORMAT}, so update the project."
        )
    keys = {"format", *(field.name for field in fields(RunConfig))}
    if version != FORMAT or config.keys() | {"data_stamp"} != keys:  # which the first runs did not write
        found = ", ".join(sorted(config))[:200] or "nothing"
        raise InvalidInput(
            f"{folder} holds no run: {CONFIG} has the keys {found}; a run's has {', '.join(sorted(keys))}."
        )
    for key in TEXTS:
        if not isinstance(config[key], str):
            raise InvalidInput(f"{where}: {key} is {shown(config[key])}; it must be a text.")
    if not isinstance(config["versions"], dict):
        raise InvalidInput(f"{where}: versions is {shown(config['versions'])}; it must be an object.")
    stamp = config.get("data_stamp")
    if not isinstance(stamp, str | None):
        raise InvalidInput(f"{where}: data_stamp is {shown(stamp)}; it must be a text or null.")
    recipe = _recipe(config["recipe"], str(where))
    texts = {key: config[key] for key in TEXTS}
    return RunConfig(recipe=recipe, versions=config["versions"], data_stamp=stamp, **texts)


def write_json(path: Path, content: dict[str, Any], durable: bool = False) -> None:
    data = json_bytes(content)
    write_whole(path, lambda file: file.write(data), durable)


def _stamp(data: str) -> str | None:
    """The stamp of the data as they are now. Those that are not here are missed by whoever begins to train."""
    try:
        return dataset(data).stamp
    except InvalidInput:
        return None


def _recipe(given: Any, where: str) -> Recipe:
    names = {field.name for field in fields(Recipe)}
    if not isinstance(given, dict) or given.keys() != names:
        raise InvalidInput(f"{where}: recipe is {shown(given)}; it must be an object of {', '.join(sorted(names))}.")
    for key, kind in (("name", str), ("data", str), ("model", str), ("settings", dict), ("training", dict)):
        if not isinstance(given[key], kind):
            raise InvalidInput(f"{where}: {key} is {shown(given[key])}; it must be of the type {kind.__name__}.")
    if given["model"] not in MODELS:
        raise InvalidInput(f"{where}: unknown model {shown(given['model'])}; known: {', '.join(MODELS)}.")
    settings = settings_from(MODELS[given["model"]].Config, given["settings"], where)
    training = settings_from(TrainSettings, given["training"], where)
    return Recipe(given["name"], given["data"], given["model"], asdict(settings), training)
