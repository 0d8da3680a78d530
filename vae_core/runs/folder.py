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
import os
import re
import time
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from reprlib import repr as shown
from typing import Any, NamedTuple

from filelock import FileLock, Timeout
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from vae_core.errors import InvalidInput
from vae_core.folders import runs_folder, write_whole
from vae_core.recipes import Recipe
from vae_core.runs.config import CONFIG, RunConfig, new_config, read_config, write_json

STATE, EVENTS, HEARTBEAT, LOCK, STOP = "state.json", "events.jsonl", "heartbeat.json", "lock", "stop"
SAMPLE, FRAMES, SNAPSHOT = "sample.safetensors", "frames", "snapshot.safetensors"
LOG, MODEL = "worker.log", "model"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
SLOW_AFTER = 30.0  # seconds without a sign of life, of a worker that lives
STARTING = 60.0  # seconds that a worker may take to load its libraries
LONGEST_LINE = 2**17  # bytes; 1024 latents make about 2**15


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
            write_json(folder / STATE, {"state": "stopped", "message": "Not started yet.", "time": time.time()})
            write_json(folder / CONFIG, config)
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
            return cls.create(folder, recipe, device, owner)
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
        """Whether it has frames: a classifier has no latent plane."""
        return self.config.recipe.model != "classifier"

    def status(self) -> Status:
        """Where the run stands now. One that says it runs is believed only while a worker holds its lock."""
        told, event = self.told(), self.last_event()
        state, message = told.get("state", "stopped"), told.get("message", "")
        step, steps, seconds = event.get("step", 0), event.get("steps", 0), event.get("seconds", 0.0)
        if state not in ("starting", "running"):
            place = self._place(told["time"]) if state == "queued" else None
            return Status(state, step, steps, seconds, None, message, place)
        beat = _read(self.folder / HEARTBEAT)
        silence = time.time() - beat.get("time", 0.0)
        is_young = state == "starting" and time.time() - told["time"] < STARTING
        is_held = self.is_held(0.0 if silence < 3 else 0.1)
        if not is_held and self.told() != told:
            return self.status()  # it ended, or began, while we looked
        if not is_held and not is_young:
            return Status("killed", step, steps, seconds, None, message)
        if state == "running":
            step, steps = max(step, beat.get("step", 0)), beat.get("steps", steps)
        left = event["seconds"] / event["step"] * (steps - step) if event else None
        is_slow = silence > SLOW_AFTER and not is_young
        return Status("slow" if is_slow else "running", step, steps, seconds, left, message)

    def events(self) -> list[dict[str, Any]]:
        """The logged lines. A last line that is still being written is left for the next time."""
        try:
            lines = (self.folder / EVENTS).read_bytes().split(b"\n")
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in lines[:-1]]

    def last_event(self) -> dict[str, Any]:
        """The newest logged line, empty where there is none; the rest of the file is not read."""
        try:
            with (self.folder / EVENTS).open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - LONGEST_LINE))
                lines = file.read().split(b"\n")
        except FileNotFoundError:
            return {}
        return json.loads(lines[-2]) if len(lines) > 1 else {}

    def held_out(self) -> dict[str, Any] | None:
        """The newest held-out terms, where there are any."""
        return next((event["held_out"] for event in reversed(self.events()) if "held_out" in event), None)

    def frames(self) -> list[int]:
        """The steps of which there is a frame, in order."""
        stems = (path.stem for path in (self.folder / FRAMES).glob("*.safetensors"))
        return sorted(int(stem) for stem in stems if stem.isdigit())

    def frame(self, step: int) -> Frame:
        """Raises InvalidInput where there is none of that step."""
        return Frame(step, **_tensors(self.frame_file(step)))

    def sample(self) -> Sample:
        """Raises InvalidInput where nothing was trained yet, and for a classifier, which has no pictures."""
        return Sample(**_tensors(self.folder / SAMPLE))

    def request_stop(self) -> None:
        """Ask the worker to save and stop; a run that waits leaves the queue. Where nobody works nothing happens."""
        with queue_lock():
            if self.told().get("state") == "queued":
                self.write_state("stopped", "Taken out of the queue.")
                return
        if self.status().is_alive:
            (self.folder / STOP).touch()

    def is_held(self, patience: float = 0.1) -> bool:
        """Whether a worker holds the lock; another reader holds it too, but for less than `patience` seconds."""
        try:
            with FileLock(self.folder / LOCK, timeout=patience, poll_interval=0.02):
                return False
        except Timeout:
            return True

    def write_state(self, state: str, message: str = "") -> None:
        write_json(self.folder / STATE, {"state": state, "message": message, "time": time.time()})

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
        return _read(self.folder / STATE)

    def _place(self, since: float) -> int:
        siblings = ((_read(path), path.parent.name) for path in self.folder.parent.glob(f"*/{STATE}"))
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


def queue_lock() -> FileLock:
    """Whoever changes what waits in the queue holds it, for a moment."""
    runs_folder().mkdir(parents=True, exist_ok=True)
    return FileLock(runs_folder() / ".queue.lock", timeout=20)


def _entries() -> dict[str, Run | InvalidInput]:
    found: dict[str, Run | InvalidInput] = {}
    for path in sorted(runs_folder().glob(f"*/{CONFIG}")):
        try:
            found[path.parent.name] = Run.open(path.parent)
        except InvalidInput as error:
            found[path.parent.name] = error
    return found


def _read(path: Path) -> dict[str, Any]:
    """What a worker says of itself; nothing, where it has said nothing yet."""
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}


def _tensors(path: Path) -> dict[str, Tensor]:
    try:
        return load(path.read_bytes())
    except FileNotFoundError as error:
        raise InvalidInput(f"{path} is not there; nothing was written for that step yet.") from error
    except SafetensorError as error:
        raise InvalidInput(f"{path} is damaged ({error}).") from error
