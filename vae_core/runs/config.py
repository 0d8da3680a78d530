"""What a run was asked to do: config.json of its folder, written once and read strictly."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from reprlib import repr as shown
from typing import Any

from vae_core.checkpoints import settings_from, versions
from vae_core.errors import InvalidInput
from vae_core.folders import write_whole
from vae_core.models import MODELS
from vae_core.recipes import Recipe
from vae_core.training import TrainSettings

FORMAT = 1
CONFIG = "config.json"
LARGEST_JSON = 2**20  # bytes
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


def new_config(name: str, recipe: Recipe, device: str, owner: str) -> dict[str, Any]:
    """A config as JSON, every setting spelled out, so that it means the same under other defaults.

    Raises InvalidInput for an unknown model and for settings that it refuses.
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
            "training": asdict(recipe.training),
        },
        "device": device,
        "owner": owner,
        "created": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "versions": versions(),
    }


def read_config(folder: Path) -> RunConfig:
    """The config of a run's folder. Raises InvalidInput, naming the key, for anything missing, foreign or newer."""
    where = folder / CONFIG
    config = _read_strictly(where)
    version = config.get("format")
    if isinstance(version, int) and version > FORMAT:
        raise InvalidInput(
            f"{where} has format {version}: a newer version wrote it; this one reads {FORMAT}, so update the project."
        )
    keys = {"format", *(field.name for field in fields(RunConfig))}
    if version != FORMAT or config.keys() != keys:
        found = ", ".join(sorted(config))[:200] or "nothing"
        raise InvalidInput(
            f"{folder} holds no run: {CONFIG} has the keys {found}; a run's has {', '.join(sorted(keys))}."
        )
    for key in TEXTS:
        if not isinstance(config[key], str):
            raise InvalidInput(f"{where}: {key} is {shown(config[key])}; it must be a text.")
    if not isinstance(config["versions"], dict):
        raise InvalidInput(f"{where}: versions is {shown(config['versions'])}; it must be an object.")
    recipe = _recipe(config["recipe"], str(where))
    return RunConfig(recipe=recipe, versions=config["versions"], **{key: config[key] for key in TEXTS})


def write_json(path: Path, content: dict[str, Any]) -> None:
    data = (json.dumps(content, indent=2, allow_nan=False) + "\n").encode()
    write_whole(path, lambda file: file.write(data))


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


def _read_strictly(path: Path) -> dict[str, Any]:
    try:
        data = path.read_bytes() if path.stat().st_size <= LARGEST_JSON else b""
    except FileNotFoundError as error:
        raise InvalidInput(f"There is no run in {path.parent}; `python -m vae_core runs` names them.") from error
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read ({error}).") from error
    try:
        content = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"{path} cannot be read as JSON ({error}); the run's folder is damaged.") from error
    if not isinstance(content, dict):
        raise InvalidInput(f"{path} holds a {type(content).__name__}; it must hold an object.")
    return content
