"""A run on disk: one training, what it was asked to do and all that it has written so far.

    config.json           what to train: the recipe, the device, the owner; never changed
    state.json            queued, starting, running, stopped, failed or finished, and a sentence where it helps
    events.jsonl          one line a logged step
    heartbeat.json        the worker's last sign of life
    lock                  held by the worker while it lives
    stop                  a request to stop
    sample.safetensors    the held-out images that the frames show
    frames/               the latent plane and some pictures at steps of the training
    snapshot.safetensors  everything that training needs to go on
    worker.log            what a worker in the background said
    model/                the finished model

Whoever watches only reads. Every file is written whole, but for the last line of the events.
"""

from __future__ import annotations

import json
import re
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from reprlib import repr as shown
from typing import Any, NamedTuple

from torch import Tensor

from vae_core.data import Dataset, unchanged
from vae_core.errors import InvalidInput
from vae_core.folders import runs_folder, write_whole
from vae_core.models import is_latent
from vae_core.recipes import Recipe
from vae_core.runs.config import CONFIG, RunConfig, new_config, read_config, write_json
from vae_core.runs.locks import is_locked, queue_lock
from vae_core.runs.reading import read_events, read_heartbeat, read_last_event, read_state, read_tensors

STATE, EVENTS, HEARTBEAT, LOCK, STOP = "state.json", "events.jsonl", "heartbeat.json", "lock", "stop"
SAMPLE, FRAMES, SNAPSHOT = "sample.safetensors", "frames", "snapshot.safetensors"
LOG, MODEL = "worker.log", "model"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
SLOW_AFTER = 30.0  # seconds without a sign of life, of a worker that lives
STARTING = 60.0  # seconds that a worker may take to load its libraries


class Status(NamedTuple):
    """Where a run stands."""

    state: str  # queued, running, slow, killed, stopped, failed or finished
    step: int = 0
    steps: int = 0  # 0: not known yet
    seconds: float = 0.0  # of training, over all sessions
    seconds_left: float | None = None  # while it runs
    message: str = ""
    place: int | None = None  # in the queue, from 1

    @property
    def is_alive(self) -> bool:
        return self.state in ("running", "slow")


class Frame(NamedTuple):
    """What the model made of the sample after so many steps."""

    step: int
    latents: Tensor  # [N, Z] float16: the means of the sample's codes
    recon: Tensor  # [<= 8, C, H, W] uint8: of the sample's first images
    samples: Tensor  # [16, C, H, W] uint8: of the same draws in every frame


@dataclass(frozen=True)
class Sample:
    """The held-out images that every frame shows."""

    index: Tensor  # [N] int64: where they stand in the test split
    labels: Tensor  # [N] uint8
    images: Tensor  # [<= 8, C, H, W] uint8: the first of them


@dataclass(frozen=True)
class Run:
    """One run. Reading is for everybody; `write_state`, `cut` and the like are for its worker and the queue."""

    folder: Path
    config: RunConfig

    @classmethod
    def create(cls, folder: Path, recipe: Recipe, device: str = "auto", owner: str = "") -> Run:
        """A new run that nobody works on yet. Raises InvalidInput for settings that the model refuses, and for a
        folder that holds something or cannot be written."""
        config = new_config(folder.name, recipe, device, owner)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if (folder / CONFIG).exists():
                raise InvalidInput(
                    f"{folder} holds a run or a model already; choose another folder, or go on with the run: "
                    f"`python -m vae_core resume {folder}`."
                )
            if any(folder.iterdir()):
                raise InvalidInput(f"{folder} is not empty; choose another folder for the run.")
            write_json(folder / STATE, {"state": "stopped", "message": "Not started yet.", "time": time.time()}, True)
            write_json(folder / CONFIG, config, durable=True)
        except OSError as error:
            raise InvalidInput(f"The run folder {folder} cannot be written ({error}); choose another.") from error
        return cls.open(folder)

    @classmethod
    def create_named(cls, name: str, recipe: Recipe, device: str = "auto", owner: str = "") -> Run:
        """A new run in the runs folder, under the name or the next free one: NAME-2, NAME-3, ..."""
        for number in count(1):
            folder = runs_folder() / check_name(name if number == 1 else f"{name}-{number}")
            try:
                folder.mkdir(parents=True)
            except FileExistsError:
                continue
            except OSError as error:
                raise InvalidInput(f"The run folder {folder} cannot be written ({error}).") from error
            try:
                return cls.create(folder, recipe, device, owner)
            except InvalidInput:
                with suppress(OSError):  # nothing but ours is in it, and the name is free again
                    shutil.rmtree(folder)
                raise
        raise AssertionError("there is always a next number")

    @classmethod
    def open(cls, folder: Path) -> Run:
        """The run in a folder. Raises InvalidInput for anything missing, foreign or newer than this version."""
        return cls(folder.absolute(), read_config(folder))

    @classmethod
    def find(cls, name: str) -> Run:
        """A run in the runs folder by its name. Raises InvalidInput where there is none."""
        folder = runs_folder() / check_name(name)
        if not (folder / CONFIG).exists():
            raise InvalidInput(f"There is no run {name} in {runs_folder()}; `python -m vae_core runs` names them.")
        return cls.open(folder)

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def model_folder(self) -> Path:
        return self.folder / MODEL

    @property
    def is_finished(self) -> bool:
        return self.told().get("state") == "finished"

    @property
    def is_pictured(self) -> bool:
        """Whether it has frames: what has no codes has no latent plane."""
        return is_latent(self.config.recipe.model)

    def status(self) -> Status:
        """Where the run stands now. One that says it runs is believed only while a worker holds its lock."""
        told, event = self.told(), self.last_event()
        state, message = told.get("state", "stopped"), told.get("message", "")
        step, steps, seconds = event.get("step", 0), event.get("steps", 0), event.get("seconds", 0.0)
        if state not in ("starting", "running"):
            place = self._place(told["time"]) if state == "queued" else None
            return Status(state, step, steps, seconds, None, message, place)
        beat = read_heartbeat(self.folder / HEARTBEAT)
        silence = time.time() - beat.get("time", 0.0)
        is_young = state == "starting" and time.time() - told["time"] < STARTING
        is_held = self.is_held(0.0 if silence < 3 else 0.1)
        if not is_held and self.told() != told:
            return self.status()  # it ended, or began, while we looked
        if not is_held and not is_young:
            return Status("killed", step, steps, seconds, None, message)
        if state == "running":
            step, steps = max(step, beat.get("step", 0)), beat.get("steps", steps)
        left = seconds / event["step"] * (steps - step) if event.get("step") else None
        is_slow = silence > SLOW_AFTER and not is_young
        return Status("slow" if is_slow else "running", step, steps, seconds, left, message)

    def events(self) -> list[dict[str, Any]]:
        """The logged lines; see `read_events`."""
        return read_events(self.folder / EVENTS)

    def last_event(self) -> dict[str, Any]:
        """The newest logged line, empty where there is none."""
        return read_last_event(self.folder / EVENTS)

    def held_out(self) -> dict[str, Any] | None:
        """The newest held-out terms, where there are any; under early stopping the best, whose weights are kept."""
        measured = [event for event in self.events() if "held_out" in event]
        best = [event for event in measured if event.get("best")]  # when they were measured
        return (best or measured)[-1]["held_out"] if measured else None

    def frames(self) -> list[int]:
        """The steps of which there is a frame, in order."""
        stems = (path.stem for path in (self.folder / FRAMES).glob("*.safetensors"))
        return sorted(int(stem) for stem in stems if stem.isdigit())

    def frame(self, step: int) -> Frame:
        """Raises InvalidInput where there is none of that step."""
        return Frame(step, **read_tensors(self.frame_file(step)))

    def sample(self) -> Sample:
        """Raises InvalidInput where nothing was trained yet, and for a model without pictures."""
        return Sample(**read_tensors(self.folder / SAMPLE))

    def request_stop(self) -> None:
        """Ask the worker to save and stop; a run that waits leaves the queue. Where nobody works nothing happens.
        Raises InvalidInput where the folder cannot be written."""
        with queue_lock():
            if self.told().get("state") == "queued":
                self.write_state("stopped", "Taken out of the queue.")
            elif self.status().is_alive:
                (self.folder / STOP).touch()

    def is_held(self, patience: float = 0.1) -> bool:
        """Whether a worker holds the lock; another reader holds it too, but for less than `patience` seconds. Of a
        run that we may not write to, another user's, only the worker's signs of life tell."""
        held = is_locked(self.folder / LOCK, patience)
        if held is not None:
            return held
        return time.time() - read_heartbeat(self.folder / HEARTBEAT).get("time", 0.0) < SLOW_AFTER

    def write_state(self, state: str, message: str = "") -> None:
        write_json(self.folder / STATE, {"state": state, "message": message, "time": time.time()}, durable=True)

    def frame_file(self, step: int) -> Path:
        return self.folder / FRAMES / f"{step:08d}.safetensors"

    def cut(self, step: int) -> None:
        """Forget what was logged after a step: training goes on from there and will log it again."""
        kept = [json.dumps(event) + "\n" for event in self.events() if event["step"] <= step]
        write_whole(self.folder / EVENTS, lambda file: file.write("".join(kept).encode()))
        for later in self.frames():
            if later > step:
                self.frame_file(later).unlink()

    def told(self) -> dict[str, Any]:
        """What its worker or the queue wrote last, be it true or out of date: state, message, time."""
        return read_state(self.folder / STATE)

    def data(self) -> Dataset:
        """The data that it was created for. Raises InvalidInput where they are gone, or are others by now."""
        return unchanged(self.config.recipe.data, self.config.data_stamp)

    def _place(self, since: float) -> int:
        siblings = ((read_state(path), path.parent.name) for path in self.folder.parent.glob(f"*/{STATE}"))
        waiting = ((told["time"], name) for told, name in siblings if told.get("state") == "queued")
        return 1 + sum(place < (since, self.name) for place in waiting)


def check_name(name: str) -> str:
    """A name that is safe as a folder and in a link. Raises InvalidInput for any other."""
    if not NAME.fullmatch(name):
        raise InvalidInput(
            f"The run name {shown(name)} cannot be used; choose up to 80 letters a-z, digits, '-', '_' and '.', "
            "the first a letter or a digit."
        )
    return name


def runs() -> list[Run]:
    """All runs, newest first; `damaged_runs` names those that cannot be read."""
    found = [entry for entry in _entries().values() if isinstance(entry, Run)]
    return sorted(found, key=lambda run: (run.config.created, run.name), reverse=True)


def damaged_runs() -> dict[str, str]:
    """Why a folder among the runs cannot be read as one, by its name."""
    return {name: str(entry) for name, entry in _entries().items() if isinstance(entry, InvalidInput)}


def _entries() -> dict[str, Run | InvalidInput]:
    found: dict[str, Run | InvalidInput] = {}
    for path in sorted(runs_folder().glob(f"*/{CONFIG}")):
        try:
            found[path.parent.name] = Run.open(path.parent)
        except InvalidInput as error:
            found[path.parent.name] = error
    return found
