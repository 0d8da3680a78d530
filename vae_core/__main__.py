"""The command line: list, train, resume, stop, runs, evaluate, export, add-data."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from vae_core.checkpoints import (
    CONFIG,
    Checkpoint,
    bundled,
    read_bundled,
    read_model,
    write_metrics,
)
from vae_core.data import dataset, own
from vae_core.errors import InvalidInput
from vae_core.folders import BUNDLED_CHECKPOINTS, runs_folder, write_whole
from vae_core.latent.browser import pack_decoder, pack_id
from vae_core.models import LatentModel
from vae_core.recipes import RECIPES, Recipe, changed
from vae_core.runs import Run, Status, damaged_runs, runs, work
from vae_core.runs.board import writer_class
from vae_core.runs.folder import MODEL, NAME
from vae_core.runs.scores import evaluate
from vae_core.runs.session import from_first
from vae_core.training import Progress, pick_device
from vae_core.training.device import DEVICES
from vae_core.training.distributed import Shard, join, leave

MODEL_HELP = "the name of a bundled model, else of a run; or the folder of a model or a run"
STOPPED = 130  # what a shell makes of a Ctrl-C: `train A && train B` does not go on to B


def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    try:
        return options.run(options) or 0
    except InvalidInput as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:  # before there was anything to save, or by somebody who would not wait for it
        return STOPPED


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m vae_core", description=__doc__)
    commands = top.add_subparsers(
        required=True, metavar="list | train | resume | stop | runs | evaluate | export | add-data"
    )

    def command(name: str, run: Any, words: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=words)
        added.set_defaults(run=run)
        return added

    command("list", run_list, "the recipes, and which of them are bundled as trained models")

    training = command("train", run_train, "make a model from its recipe; under torchrun on several devices")
    training.add_argument("recipe", help="a name from `list`")
    training.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="another value for a setting: beta=4, latent=10"
    )
    training.add_argument("--data", help="other data than the recipe's, bundled or your own")
    training.add_argument("--epochs", type=int, help="instead of the recipe's")
    training.add_argument("--seed", type=int, help="instead of the recipe's")
    training.add_argument("--device", choices=DEVICES, default="auto")
    training.add_argument("--out", type=Path, help="the folder of the run; default: runs/RECIPE, or the next free name")
    training.add_argument("--tensorboard", action="store_true", help="write the lines for TensorBoard, too")

    resuming = command("resume", run_resume, "go on with a run that was stopped, killed or failed")
    resuming.add_argument("name", metavar="RUN", help="a name from `runs`, or the run's folder")
    resuming.add_argument("--tensorboard", action="store_true", help="write the lines for TensorBoard, too")

    stopping = command("stop", run_stop, "ask a run to save and stop")
    stopping.add_argument("name", metavar="RUN", help="a name from `runs`, or the run's folder")

    command("runs", run_runs, "the trainings: what they do and how far they are")

    evaluation = command("evaluate", run_evaluate, "score a model on its held-out images")
    evaluation.add_argument("checkpoint", help=MODEL_HELP)
    evaluation.add_argument("--json", action="store_true", help="print all of it as JSON")
    evaluation.add_argument("--write", action="store_true", help="also write it to the folder's metrics.json")

    export = command("export", run_export, "write a model's decoder as the pack that the browser runs")
    export.add_argument("checkpoint", help=MODEL_HELP)
    export.add_argument("--out", type=Path, required=True, help="the file to write")

    adding = command("add-data", run_add_data, "make a dataset of your own images")
    adding.add_argument("name", help="what to call it; training then finds it as own-NAME")
    adding.add_argument("path", type=Path, help="a folder of images, each sub-folder a class, or an .npz in our format")
    adding.add_argument("--side", type=int, help="cut the middle square of every image, scaled to so many pixels")
    adding.add_argument("--skip", action="store_true", help="leave out files that cannot be used")
    adding.add_argument("--grey", action=argparse.BooleanOptionalAction, help="one channel instead of three")
    return top


def run_list(options: argparse.Namespace) -> None:
    trained = bundled()
    print(f"{'recipe':24} {'data':14} {'model':12} {'epochs':>6}  bundled")
    for recipe in RECIPES.values():
        mark = "yes" if recipe.name in trained else "no"
        print(f"{recipe.name:24} {recipe.data:14} {recipe.model:12} {recipe.training.epochs:6}  {mark}")


def run_train(options: argparse.Namespace) -> int:
    recipe = wanted_recipe(options)
    shard = join(pick_device(options.device))
    return go_on(from_first(shard, lambda: new_run(recipe, options)), options.tensorboard, shard)


def run_resume(options: argparse.Namespace) -> int:
    run = find_run(options.name)
    return go_on(run, options.tensorboard, join(pick_device(run.config.device)))


def wanted_recipe(options: argparse.Namespace) -> Recipe:
    """The recipe with the changes that the command line asks for, which its name tells."""
    if options.recipe not in RECIPES:
        raise InvalidInput(f"There is no recipe {options.recipe!r}; `python -m vae_core list` names them.")
    recipe, changes, told = RECIPES[options.recipe], dict(map(setting, options.set)), ""
    of_data: dict[str, Any] = {}
    if options.data:
        data = dataset(options.data)
        of_data = {"image": data.shape}
        if hasattr(recipe.config, "classes"):
            of_data["classes"] = len(data.class_names)
        recipe, told = replace(recipe, data=data.name), f"-on-{data.name}"
    given = {key: getattr(options, key) for key in ("epochs", "seed") if getattr(options, key) is not None}
    told += "".join(f"-{key}{value}" for key, value in changes.items())
    name = re.sub(r"[^\w.-]+", "_", recipe.name + told)[:60]
    return replace(changed(recipe, of_data | changes | given), name=name)


def setting(text: str) -> tuple[str, Any]:
    """KEY=VALUE -> the key and the value, which is read as JSON where it is JSON."""
    key, equals, value = text.partition("=")
    if not (key and equals):
        raise InvalidInput(f"--set {text[:60]!r} cannot be read; write KEY=VALUE, such as beta=4.")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value


def new_run(recipe: Recipe, options: argparse.Namespace) -> Run:
    if options.tensorboard:
        writer_class()  # said before the training, not after it
    if options.out:
        return Run.create(options.out, recipe, options.device)
    return Run.create_named(recipe.name, recipe, options.device)


def go_on(run: Run, tensorboard: bool, shard: Shard) -> int:
    """Train a run to its end, showing progress, and say how it ended."""
    with tqdm(desc=run.name, unit="step", disable=None if shard.is_first else True) as bar:
        status = work(run, tensorboard=tensorboard, progress=lambda line: show(bar, line), shard=shard)
    code = say_how_it_ended(run, status) if shard.is_first else 0
    leave()  # not where anything failed: see there
    return code


def show(bar: tqdm[Any], progress: Progress) -> None:
    bar.total = progress.steps
    shown = {key: f"{value:.4g}" for key, value in progress.terms.items() if isinstance(value, float)}
    bar.set_postfix({**shown, "images/s": f"{progress.images_per_second:.0f}"}, refresh=False)
    bar.update(progress.step - bar.n)


def say_how_it_ended(run: Run, status: Status) -> int:
    if status.state == "failed":
        raise InvalidInput(status.message)
    if status.state == "stopped":
        print(f"{run.name} was stopped at step {status.step} of {status.steps} and is saved; to go on with it:")
        print(f"python -m vae_core resume {run.folder}")
        return STOPPED
    checkpoint = read_model(run.model_folder)
    seconds, device = checkpoint.training["seconds"], checkpoint.training["device"]
    print(f"{run.name} on {device}: {seconds:.0f} s, written to {run.model_folder}")
    print_metrics(checkpoint.metrics)
    return 0


def run_stop(options: argparse.Namespace) -> None:
    run = find_run(options.name)
    before = run.status()
    run.request_stop()
    asked = before.is_alive or before.state == "queued"
    print(f"{run.name} was asked to stop." if asked else f"{run.name} is {before.state}; there is nothing to stop.")


def run_runs(options: argparse.Namespace) -> None:
    print(
        f"{'run':32} {'data':14} {'model':12} {'settings':24} {'state':10} {'step':>16} "
        f"{'recon':>8} {'elbo':>9} {'seconds':>8}"
    )
    for run in runs():
        recipe, status, scores = run.config.recipe, run.status(), run.held_out() or {}
        state = f"queued {status.place}" if status.state == "queued" else status.state
        recon, elbo = (f"{scores[key]:.2f}" if key in scores else "" for key in ("recon", "elbo"))
        print(
            f"{run.name:32} {recipe.data:14} {recipe.model:12} {settings_that_matter(recipe):24} {state:10} "
            f"{f'{status.step}/{status.steps}':>16} {recon:>8} {elbo:>9} {status.seconds:8.1f}"
        )
    for name, sentence in damaged_runs().items():
        print(f"{name}: {sentence}", file=sys.stderr)


def settings_that_matter(recipe: Recipe) -> str:
    settings = {**asdict(recipe.config), **asdict(recipe.training)}
    keys = ["latent", "beta", "epochs", *(["kl_schedule"] if settings["kl_schedule"] != "constant" else [])]
    return " ".join(f"{key}={settings[key]}" for key in keys if key in settings)


def find_run(name: str) -> Run:
    """A run by its folder or by its name in the runs folder."""
    if os.path.isdir(name):  # which, unlike Path.is_dir, is False for a name too long for a path
        return Run.open(Path(name))
    return Run.find(name)


def find(checkpoint: str) -> tuple[Path, Checkpoint]:
    """A model by its folder, by the folder of its run, by its bundled name, or by the name of its run."""
    if os.path.isdir(checkpoint):
        folder = Path(checkpoint)
        folder = folder / MODEL if (folder / MODEL / CONFIG).exists() else folder
        return folder, read_model(folder)
    if checkpoint in bundled():
        return BUNDLED_CHECKPOINTS / checkpoint, read_bundled(checkpoint)
    home = runs_folder() / checkpoint if NAME.fullmatch(checkpoint) else None
    if home and (home / MODEL / CONFIG).exists():  # of a run, or uploaded
        return home / MODEL, read_model(home / MODEL)
    if home and (home / CONFIG).exists():
        raise InvalidInput(f"The run {checkpoint} is {Run.open(home).status().state}; it has no model yet.")
    raise InvalidInput(
        f"There is no bundled model {checkpoint[:60]!r} and no run of that name; `python -m vae_core list` and "
        "`python -m vae_core runs` name what there is."
    )


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
    pack = pack_decoder(checkpoint.model.decoder, config.image, config.latent, checkpoint.model.pixels)
    try:
        write_whole(options.out, lambda file: file.write(pack))
    except OSError as error:
        raise InvalidInput(f"{options.out} cannot be written ({error}); choose another file with --out.") from error
    print(f"{checkpoint.name}: {len(pack):,} bytes, pack {pack_id(pack)}, written to {options.out}")


def run_add_data(options: argparse.Namespace) -> None:
    if options.path.suffix == ".npz":
        added = own.add_npz(options.name, options.path, options.side, options.grey)
    else:
        grey = options.grey is not False  # pictures from cameras have colours that most lessons do not need
        added = own.add_folder(options.name, options.path, options.side, grey, options.skip)
    print(f"{added.name}: {added.train:,} images to train on, {added.test:,} held out, {len(added.classes)} classes")
    for note in added.notes:
        print(note)


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
