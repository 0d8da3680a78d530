"""The worker: it trains one run from where it stands, and writes all that others read.

It may be killed at any moment. What it writes for good is written whole, in this order: the line of a step, the
frame of the step, then the snapshot; so everything up to the last snapshot is there, and what is beyond it is cut
off when the next worker goes on, and comes again. Only the frame of the end is drawn after the snapshot of the end,
from the weights that are kept; whoever goes on there draws it again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from vae_core.checkpoints import Checkpoint, read_model, round_weights, write_metrics, write_model
from vae_core.data import ImageSource
from vae_core.data.subset import subset
from vae_core.errors import InvalidInput
from vae_core.folders import runs_folder, write_whole
from vae_core.models import MODELS, LatentModel
from vae_core.recipes import Recipe
from vae_core.runs import queue
from vae_core.runs.board import Board
from vae_core.runs.code_maps import as_code_maps
from vae_core.runs.config import CONFIG
from vae_core.runs.eyes import with_eyes
from vae_core.runs.folder import EVENTS, SNAPSHOT, STOP, Run, Status
from vae_core.runs.pictures import Pictures, frame_steps
from vae_core.runs.scores import evaluate, held_out_source
from vae_core.runs.session import Session, Stopped, by_first, from_first, held, listening, sentence, tidy
from vae_core.training import Progress, State, Training, device_title, pick_device
from vae_core.training.distributed import Shard, any_of
from vae_core.training.held_out import score

SNAPSHOT_EVERY = 2.0  # seconds of training between two snapshots, at least
SNAPSHOT_SHARE = 20  # and at least so many times as long as the last one took to write

Watcher = Callable[[Progress], None]


def work(
    run: Run, *, tensorboard: bool = False, progress: Watcher | None = None, shard: Shard = Shard(),  # noqa: B008
) -> Status:  # fmt: skip
    """Train a run to its end, or until it is asked to stop, and tell how it ended: finished, stopped or failed.

    Under torchrun every process calls this with its shard, and the first one writes. Raises InvalidInput where
    another worker holds the run, and in the other processes where one fails; whatever goes wrong in the training
    becomes the state "failed" and its sentence.
    """
    with ExitStack() as stack:
        stack.enter_context(threads_kept())
        from_first(shard, lambda: stack.enter_context(held(run)))
        if from_first(shard, lambda: run.is_finished):
            return run.status()
        status = _Worker(run, shard, tensorboard, progress).work()
    if shard.world == 1 and run.folder.parent == runs_folder().absolute():
        with suppress(InvalidInput):  # whoever looks at the queue next is told
            queue.dispatch()
    return status


def trained(recipe: Recipe, folder: Path, device: str = "auto", progress: Watcher | None = None) -> Checkpoint:
    """The model that a recipe makes, trained in a run folder, or read from there where that was done before.

    Raises InvalidInput where the training does not come to its end, and where the folder's run has another recipe.
    """
    run = Run.open(folder) if (folder / CONFIG).exists() else Run.create(folder, recipe, device)
    if not is_of(run, recipe):
        raise InvalidInput(
            f"{folder} holds a run of another recipe, or of other settings; choose another folder, or delete it."
        )
    status = work(run, progress=progress)
    if status.state != "finished":
        raise InvalidInput(status.message or f"The run {folder} was stopped; start again to go on with it.")
    return read_model(run.model_folder)


def is_of(run: Run, recipe: Recipe) -> bool:
    """Whether a run was asked for just this recipe; a precision left open was decided when the run was created."""
    asked, training = run.config.recipe, recipe.training
    if training.precision == "auto":
        training = replace(training, precision=asked.training.precision)
    return asked == replace(recipe, settings=asdict(recipe.config), training=training)


@contextmanager
def threads_kept() -> Iterator[None]:
    """Leave PyTorch with as many threads as it had."""
    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)


def write_snapshot(run: Run, state: State) -> None:
    """All that training needs to go on, in one file; also with how many threads, for sums differ by it in the last
    digit."""
    facts = {**state.facts, "threads": torch.get_num_threads()}
    data = save({name: tensor.contiguous() for name, tensor in state.tensors.items()}, {"facts": json.dumps(facts)})
    write_whole(run.folder / SNAPSHOT, lambda file: file.write(data), durable=True)


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
        self.best = float("inf")  # score so far, by which early stopping keeps weights
        self.saved, self.saving = time.monotonic(), 0.0  # when the last snapshot was written, and how long that took

    def work(self) -> Status:
        """All of it. What went wrong becomes a state and a sentence; a mistake of ours is raised as well."""
        # Around the end, too: where one of several processes fails, torchrun asks the others to end while they say so.
        with listening(self.session):
            try:
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
                if told is None:
                    raise
                if not self.shard.is_first:
                    raise InvalidInput(told) from error  # it must not go on to wait for those that wait for it
                return status
            finally:
                if self.board:
                    self.board.close()

    def prepared(self) -> Training:
        """The training, where the last worker left it."""
        run, recipe, settings = self.run, self.recipe, self.recipe.training
        from_first(self.shard, self.begin)
        device, data = pick_device(run.config.device), run.data()
        torch.manual_seed(settings.seed)
        model = with_eyes(MODELS[recipe.model](recipe.config))
        source = subset(data.load("train", device), device, settings.labels, settings.images)
        source = as_code_maps(source, recipe.config, device)
        if tuple(source.shape) != tuple(recipe.config.image):
            raise InvalidInput(f"The model sees images {recipe.config.image}; {recipe.data} has {source.shape}.")
        held_out = as_code_maps(held_out_source(recipe.data, settings, device), recipe.config, device)
        training = self.session.training = Training(model, source, settings, device, held_out, shard=self.shard)
        if snapshot := from_first(self.shard, lambda: read_snapshot(run)):
            training.restore(snapshot)
            torch.set_num_threads(snapshot.facts.get("threads", torch.get_num_threads()))
        from_first(self.shard, lambda: self.make_ready(training, held_out))
        return training

    def begin(self) -> None:
        """Tell that somebody works on the run."""
        if self.run.told().get("state") != "starting":  # else the wish to stop came after the wish to start
            (self.run.folder / STOP).unlink(missing_ok=True)
        tidy(self.run)
        self.run.write_state("running")
        self.session.beat()

    def make_ready(self, training: Training, held_out: ImageSource) -> None:
        """Make ready what is written along the way."""
        run, model = self.run, training.model
        run.cut(training.step)
        self.best = min((score(event["held_out"]) for event in run.events() if "held_out" in event), default=self.best)
        self.board = Board(run, training.step) if self.wants_board else None
        if isinstance(model, LatentModel):
            self.pictures = Pictures(run, model, held_out, training.device)
            if training.step == 0:
                self.pictures.write(0)

    def train(self, training: Training) -> None:
        """To the end. Raises Stopped after a snapshot where a person wants it to stop."""
        log_every = max(1, min(50, training.steps // 20), training.steps // 1000)
        framed = frozenset(frame_steps(training.steps) if self.run.is_pictured else ())
        by_the_first = partial(by_first, self.shard, training.device)
        if self.wants_to_stop(training):
            raise Stopped
        for progress in training.run(log_every, framed):
            is_over = progress.step == progress.steps or progress.stopped_early
            is_framed = progress.step in framed and not is_over
            by_the_first(partial(self.tell, training, progress, is_framed))
            is_wanted = self.wants_to_stop(training)
            by_the_first(partial(self.save, training, is_over or is_wanted))
            if is_wanted and not is_over:
                raise Stopped
        by_the_first(partial(self.picture, training))  # after early stopping, the best weights

    def wants_to_stop(self, training: Training) -> bool:
        """Whether this process or any other was asked to: they stop together or not at all."""
        return self.session.stopping if self.shard.world == 1 else any_of(self.session.stopping, training.device)

    def tell(self, training: Training, progress: Progress, is_framed: bool) -> None:
        """Write what a line of the training says, and what belongs to it."""
        self.log(training, progress)
        if is_framed:
            self.picture(training)
        self.session.beat()

    def picture(self, training: Training) -> None:
        if self.pictures and not self.pictures.write(training.step):
            raise diverged("pictures", training)

    def log(self, training: Training, progress: Progress) -> None:
        facts = {key: getattr(progress, key) for key in ("step", "steps", "epoch", "seconds", "images_per_second")}
        event = {**facts, **progress.terms}
        if progress.held_out:
            event["held_out"] = progress.held_out
            if training.settings.patience and score(progress.held_out) < self.best:
                event["best"], self.best = True, score(progress.held_out)
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
        facts = {
            "steps": last["step"], "seconds": round(last["seconds"], 1), "device": device_title(training.device),
            "data_stamp": run.config.data_stamp,
        }  # fmt: skip
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
