"""The worker: it trains one run from where it stands, and writes all that others read.

It may be killed at any moment. What it writes for good is written whole, in this order: the line of a step, the
frame of the step, then the snapshot; so everything up to the last snapshot is there, and what is beyond it is cut
off when the next worker goes on, and comes again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from vae_core.checkpoints import Checkpoint, read_model, round_weights, write_metrics, write_model
from vae_core.data import dataset
from vae_core.errors import InvalidInput
from vae_core.folders import runs_folder, write_whole
from vae_core.models import MODELS, LatentModel
from vae_core.recipes import Recipe
from vae_core.runs import queue
from vae_core.runs.board import Board
from vae_core.runs.config import CONFIG
from vae_core.runs.folder import EVENTS, SNAPSHOT, STOP, Run, Status
from vae_core.runs.pictures import Pictures, frame_steps
from vae_core.runs.scores import evaluate, held_out_source
from vae_core.runs.session import Session, Stopped, from_first, held, listening, sentence, tidy
from vae_core.training import Progress, State, Training, device_title, pick_device
from vae_core.training.distributed import Shard, any_of

SNAPSHOT_EVERY = 2.0  # seconds of training between two snapshots, at least
SNAPSHOT_SHARE = 20  # and at least so many times as long as the last one took to write

Watcher = Callable[[Progress], None]


def work(
    run: Run, *, tensorboard: bool = False, progress: Watcher | None = None, shard: Shard = Shard(),  # noqa: B008
) -> Status:  # fmt: skip
    """Train a run to its end, or until it is asked to stop, and tell how it ended: finished, stopped or failed.

    Under torchrun every process calls this with its shard, and the first one writes. Raises InvalidInput where
    another worker holds the run; whatever goes wrong in the training becomes the state "failed" and its sentence.
    """
    with ExitStack() as stack:
        from_first(shard, lambda: stack.enter_context(held(run)))
        if from_first(shard, lambda: run.is_finished):
            return run.status()
        status = _Worker(run, shard, tensorboard, progress).work()
    if shard.world == 1 and run.folder.parent == runs_folder().absolute():
        queue.dispatch()
    return status


def trained(recipe: Recipe, folder: Path, device: str = "auto", progress: Watcher | None = None) -> Checkpoint:
    """The model that a recipe makes, trained in a run folder, or read from there where that was done before.

    Raises InvalidInput where the training does not come to its end.
    """
    run = Run.open(folder) if (folder / CONFIG).exists() else Run.create(folder, recipe, device)
    status = work(run, progress=progress)
    if status.state != "finished":
        raise InvalidInput(status.message or f"The run {folder} was stopped; start again to go on with it.")
    return read_model(run.model_folder)


def write_snapshot(run: Run, state: State) -> None:
    """All that training needs to go on, in one file."""
    data = save(
        {name: tensor.contiguous() for name, tensor in state.tensors.items()}, {"facts": json.dumps(state.facts)}
    )
    write_whole(run.folder / SNAPSHOT, lambda file: file.write(data))


def read_snapshot(run: Run) -> State | None:
    """The last snapshot, None before the first. Raises InvalidInput for a damaged file."""
    path = run.folder / SNAPSHOT
    try:
        with safe_open(path, "pt") as file:
            facts = json.loads(file.metadata()["facts"])
            return State({name: file.get_tensor(name) for name in file.keys()}, facts)  # noqa: SIM118
    except FileNotFoundError:
        return None
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise InvalidInput(f"{path} is damaged ({error}); delete it to train the run anew.") from error


def diverged(what: str, training: Training) -> FloatingPointError:
    return FloatingPointError(
        f"The {what} stopped being numbers by step {training.step} of {training.steps}. Try a smaller learning rate "
        f"than {training.settings.lr:g}, or float32."
    )


class _Worker:
    """One process' work on one run, under the run's lock."""

    def __init__(self, run: Run, shard: Shard, tensorboard: bool, watcher: Watcher | None) -> None:
        self.run, self.recipe, self.shard, self.watcher = run, run.config.recipe, shard, watcher
        self.session = Session(run)
        self.wants_board = tensorboard
        self.board: Board | None = None
        self.pictures: Pictures | None = None
        self.saved, self.saving = time.monotonic(), 0.0  # when the last snapshot was written, and how long that took

    def work(self) -> Status:
        """All of it. What went wrong becomes a state and a sentence; a mistake of ours is raised as well."""
        try:
            with listening(self.session):
                training = self.prepared()
                self.train(training)
                if self.shard.is_first:
                    self.finish(training)
            return self.end("finished")
        except Stopped:
            return self.end("stopped")
        except Exception as error:
            told = sentence(error, self.run)
            status = self.end("failed", told or f"A mistake of ours: {type(error).__name__}: {error}")
            if told is None or not self.shard.is_first:
                raise
            return status
        finally:
            if self.board:
                self.board.close()

    def prepared(self) -> Training:
        """The training, where the last worker left it."""
        run, recipe, settings = self.run, self.recipe, self.recipe.training
        if self.shard.is_first:
            if run.told().get("state") != "starting":  # else the wish to stop came after the wish to start
                (run.folder / STOP).unlink(missing_ok=True)
            tidy(run)
            run.write_state("running")
            self.session.beat()
        device = pick_device(run.config.device)
        torch.manual_seed(settings.seed)
        model = MODELS[recipe.model](recipe.config)
        source = dataset(recipe.data).load("train", device)
        if tuple(source.shape) != tuple(recipe.config.image):
            raise InvalidInput(f"The model sees images {recipe.config.image}; {recipe.data} has {source.shape}.")
        held_out = held_out_source(recipe.data, settings, device)
        training = self.session.training = Training(model, source, settings, device, held_out, shard=self.shard)
        if snapshot := from_first(self.shard, lambda: read_snapshot(run)):
            training.restore(snapshot)
        if self.shard.is_first:
            run.cut(training.step)
            self.board = Board(run, training.step) if self.wants_board else None
            if isinstance(model, LatentModel):
                self.pictures = Pictures(run, model, held_out, device)
                if training.step == 0:
                    self.pictures.write(0)
        return training

    def train(self, training: Training) -> None:
        """To the end. Raises Stopped after a snapshot where a person wants it to stop."""
        log_every = max(1, min(50, training.steps // 20), training.steps // 1000)
        framed = frozenset(frame_steps(training.steps) if self.run.is_pictured else ())
        self.session.check()
        for progress in training.run(log_every, framed):
            is_over = progress.step == progress.steps or progress.stopped_early
            if self.shard.is_first:
                self.log(training, progress)
                pictures = self.pictures if progress.step in framed or is_over else None
                if pictures and not pictures.write(progress.step):
                    raise diverged("pictures", training)
            is_wanted = self.session.stopping
            if self.shard.world > 1:  # they stop together or not at all
                is_wanted = any_of(is_wanted, training.device)
            if self.shard.is_first:
                self.save(training, must=is_over or is_wanted)
                self.session.beat()
            if is_wanted and not is_over:
                raise Stopped

    def log(self, training: Training, progress: Progress) -> None:
        facts = {key: getattr(progress, key) for key in ("step", "steps", "epoch", "seconds", "images_per_second")}
        held_out = {"held_out": progress.held_out} if progress.held_out else {}
        event = {**facts, **progress.terms, **held_out}
        try:
            line = json.dumps(event, allow_nan=False) + "\n"
        except ValueError as error:  # the training's own terms are looked at by the loop
            raise diverged("held-out terms", training) from error
        with (self.run.folder / EVENTS).open("ab") as file:
            file.write(line.encode())
        if self.board:
            self.board.write(event)
        if self.watcher:
            self.watcher(progress)

    def save(self, training: Training, must: bool) -> None:
        """A snapshot, now and then."""
        began = time.monotonic()
        if must or began - self.saved >= max(SNAPSHOT_EVERY, SNAPSHOT_SHARE * self.saving):
            # The last update may have broken the weights though the loss before it was fine.
            if not all(parameter.isfinite().all() for parameter in training.model.parameters()):
                raise diverged("weights", training)
            write_snapshot(self.run, training.state())
            self.saved = time.monotonic()
            self.saving = self.saved - began

    def finish(self, training: Training) -> None:
        """The model folder, and the model's scores."""
        run, recipe, last = self.run, self.recipe, self.run.last_event()
        round_weights(training.model, "float16")
        facts = {"steps": last["step"], "seconds": round(last["seconds"], 1), "device": device_title(training.device)}
        write_model(
            run.model_folder, training.model, name=recipe.name, model_name=recipe.model, dataset=recipe.data,
            training={**asdict(recipe.training), **facts}, weights="float16",
        )  # fmt: skip
        write_metrics(run.model_folder, evaluate(read_model(run.model_folder), self.scored))

    def scored(self, share: float, title: str) -> None:
        """Before every metric: some take many seconds on a small machine, in which nothing else would move."""
        self.session.check()
        self.session.beat()
        self.run.write_state("running", f"Trained; now its scores: {title.lower()}.")

    def end(self, state: str, message: str = "") -> Status:
        if self.shard.is_first:
            with suppress(OSError):  # on a full disk: that nobody holds the lock any more tells as much
                (self.run.folder / STOP).unlink(missing_ok=True)
                self.run.write_state(state, message)
        return self.run.status()._replace(state=state, message=message)
