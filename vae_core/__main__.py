"""The command line: list, train, evaluate, export."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from vae_core.checkpoints import (
    CONFIG,
    Checkpoint,
    bundled,
    read_bundled,
    read_description,
    read_model,
    round_weights,
    write_metrics,
    write_model,
)
from vae_core.data import DATASETS
from vae_core.errors import InvalidInput
from vae_core.folders import BUNDLED_CHECKPOINTS, PROJECT, write_whole
from vae_core.latent.browser import pack_decoder, pack_id
from vae_core.metrics import evaluate_all
from vae_core.models import MODELS, LatentModel
from vae_core.recipes import RECIPES, Recipe, judge_of
from vae_core.training import device_title, pick_device, train
from vae_core.training.device import DEVICES


def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    try:
        options.run(options)
    except (InvalidInput, FloatingPointError) as error:  # FloatingPointError: the training diverged
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m vae_core", description=__doc__)
    commands = top.add_subparsers(required=True, metavar="list | train | evaluate | export")

    listing = commands.add_parser("list", help="the recipes, and which of them are bundled as trained models")
    listing.set_defaults(run=run_list)

    training = commands.add_parser("train", help="make a model from its recipe")
    training.add_argument("recipe", help="a name from `list`")
    training.add_argument("--epochs", type=int, help="instead of the recipe's")
    training.add_argument("--seed", type=int, help="instead of the recipe's")
    training.add_argument("--device", choices=DEVICES, default="auto")
    training.add_argument("--out", type=Path, help="the model folder to write; default: runs/RECIPE")
    training.set_defaults(run=run_train)

    evaluation = commands.add_parser("evaluate", help="score a model on its held-out images")
    evaluation.add_argument("checkpoint", help="a model folder, or the name of a bundled model")
    evaluation.add_argument("--json", action="store_true", help="print all of it as JSON")
    evaluation.add_argument("--write", action="store_true", help="also write it to the folder's metrics.json")
    evaluation.set_defaults(run=run_evaluate)

    export = commands.add_parser("export", help="write a model's decoder as the pack that the browser runs")
    export.add_argument("checkpoint", help="a model folder, or the name of a bundled model")
    export.add_argument("--out", type=Path, required=True, help="the file to write")
    export.set_defaults(run=run_export)
    return top


def run_list(options: argparse.Namespace) -> None:
    trained = bundled()
    print(f"{'recipe':24} {'data':14} {'model':12} {'epochs':>6}  bundled")
    for recipe in RECIPES.values():
        mark = "yes" if recipe.name in trained else "no"
        print(f"{recipe.name:24} {recipe.data:14} {recipe.model:12} {recipe.training.epochs:6}  {mark}")


def run_train(options: argparse.Namespace) -> None:
    if options.recipe not in RECIPES:
        raise InvalidInput(f"There is no recipe {options.recipe!r}; `python -m vae_core list` names them.")
    recipe = RECIPES[options.recipe]
    changes = {key: getattr(options, key) for key in ("epochs", "seed") if getattr(options, key) is not None}
    recipe = replace(recipe, training=replace(recipe.training, **changes))
    folder = options.out or PROJECT / "runs" / recipe.name
    device = pick_device(options.device)
    require_writable(folder, recipe.name)
    checkpoint = fit(recipe, folder, device)
    print(f"{recipe.name} on {device_title(device)}: {checkpoint.training['seconds']:.0f} s, written to {folder}")
    metrics = evaluate(checkpoint)
    write_metrics(folder, metrics)
    print_metrics(metrics)


def require_writable(folder: Path, name: str) -> None:
    """Said before the training, not after it; and no model is replaced by one of another name."""
    if (folder / CONFIG).exists() and (there := read_description(folder).name) != name:
        raise InvalidInput(f"{folder} holds the model {there}; choose another folder for {name} with --out.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InvalidInput(f"The folder {folder} cannot be written ({error}); choose another with --out.") from error


def fit(recipe: Recipe, folder: Path, device: torch.device) -> Checkpoint:
    """Train a model from its recipe, showing progress, and write its folder (without metrics)."""
    torch.manual_seed(recipe.training.seed)
    kind: Any = MODELS[recipe.model]
    model = kind(kind.Config(**recipe.settings))
    source = DATASETS[recipe.data].load("train", device)
    progress = None
    with tqdm(desc=recipe.name, unit="step", disable=None) as bar:
        for progress in train(model, source, recipe.training, device):
            bar.total = progress.steps
            shown = {key: f"{value:.4g}" for key, value in progress.terms.items() if isinstance(value, float)}
            bar.set_postfix({**shown, "images/s": f"{progress.images_per_second:.0f}"}, refresh=False)
            bar.update(progress.step - bar.n)
    assert progress is not None
    round_weights(model, "float16")
    training = {
        **asdict(recipe.training), "steps": progress.steps, "seconds": round(progress.seconds, 1),
        "device": device_title(device),
    }  # fmt: skip
    write_model(
        folder,
        model,
        name=recipe.name,
        model_name=recipe.model,
        dataset=recipe.data,
        training=training,
        weights="float16",
    )
    return read_model(folder)


def find(checkpoint: str) -> tuple[Path, Checkpoint]:
    """A model by its folder or by its bundled name."""
    if os.path.isdir(checkpoint):  # which, unlike Path.is_dir, is False for a name too long for a path
        return Path(checkpoint), read_model(Path(checkpoint))
    return BUNDLED_CHECKPOINTS / checkpoint, read_bundled(checkpoint)


def run_evaluate(options: argparse.Namespace) -> None:
    folder, checkpoint = find(options.checkpoint)
    metrics = evaluate(checkpoint)
    if options.write:
        write_metrics(folder, metrics)
    if options.json:
        print(json.dumps(metrics, indent=2))
    else:
        print_metrics(metrics)


def run_export(options: argparse.Namespace) -> None:
    _, checkpoint = find(options.checkpoint)
    if not isinstance(checkpoint.model, LatentModel):
        raise InvalidInput(f"{checkpoint.name} is a {checkpoint.model_name}; only a model with a decoder is exported.")
    config = checkpoint.model.config
    pack = pack_decoder(checkpoint.model.decoder, config.image, config.latent)
    try:
        write_whole(options.out, lambda file: file.write(pack))
    except OSError as error:
        raise InvalidInput(f"{options.out} cannot be written ({error}); choose another file with --out.") from error
    print(f"{checkpoint.name}: {len(pack):,} bytes, pack {pack_id(pack)}, written to {options.out}")


def evaluate(checkpoint: Checkpoint) -> dict[str, Any]:
    """Score a model on the test split of its dataset, with the bundled classifier of that dataset as judge."""
    dataset = DATASETS.get(checkpoint.dataset)
    if dataset is None:
        raise InvalidInput(f"{checkpoint.name} names the unknown dataset {checkpoint.dataset!r}.")
    source = dataset.load("test")
    judge = None
    if checkpoint.model_name != "classifier":
        name = judge_of(checkpoint.dataset)
        judge = read_bundled(name).model if name else None  # without one, what needs a judge is left out
    return evaluate_all(checkpoint.model, source, judge)


def print_metrics(metrics: dict[str, Any], indent: str = "") -> None:
    for key, value in metrics.items():
        if isinstance(value, dict):
            print(f"{indent}{key}")
            print_metrics(value, indent + "  ")
        else:
            shown = f"{value:.4f}" if isinstance(value, float) else value
            if isinstance(value, list):
                shown = " ".join(f"{item:.3f}" if isinstance(item, float) else str(item) for item in value)
            print(f"{indent}{key:24} {shown}")


if __name__ == "__main__":
    sys.exit(main())
