"""How long a training will take here: from a second of it, and its scores from how long they took the last time."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import streamlit as st
import torch

from ui.cache import held_out
from vae_core.checkpoints import WEIGHTS, settings_from
from vae_core.data import ImageSource, Split, dataset
from vae_core.data.subset import subset
from vae_core.folders import runs_folder
from vae_core.models import MODELS
from vae_core.recipes import Recipe
from vae_core.runs import Run, runs
from vae_core.runs.queue import worker_threads
from vae_core.training import Estimate, TrainSettings, estimate, pick_device, resolved
from vae_core.training.memory import give_back

ONE_TRIAL = threading.Lock()  # two at once would measure each other
LONGEST_SCORING = 3600.0  # seconds; beyond, a run's folder was copied or written to later
REMEMBERED = 60.0  # seconds for which the runs of the past are not looked through again


def training_images(data: str) -> ImageSource:
    """The images of a dataset to train on, with the host; never older ones than those that now have this name."""
    return _training_images(data, dataset(data).stamp)


@st.cache_resource(show_spinner=False, max_entries=4)
def _training_images(data: str, stamp: str) -> ImageSource:
    return dataset(data).load("train")


def time_needed(recipe: Recipe, device: str, busy: bool) -> Estimate:
    """How long the training will take here, reckoned from a trial of a second; measured once for all that differs in
    nothing that costs time. `busy` says that another training holds the machine, so that its slower trial is not
    remembered as the machine's speed.

    Raises InvalidInput for data that cannot be had, a batch larger than they are, and a device that is too small.
    """
    training = replace(recipe.training, epochs=1, patience=0, seed=0, kl_schedule="constant", lr=1e-3, kl_start=1.0)
    training = resolved(training, pick_device(device))
    settings = {key: value for key, value in recipe.settings.items() if key != "beta"}
    key = json.dumps([settings, asdict(training)])
    one = _trial(recipe.data, dataset(recipe.data).stamp, recipe.model, key, device, busy)
    epochs = recipe.training.epochs
    return one._replace(steps=one.steps * epochs, seconds=one.seconds * epochs)


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Compute with so many threads, as the worker will."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@st.cache_resource(show_spinner=False, max_entries=64)
def _trial(data: str, stamp: str, model: str, key: str, device: str, busy: bool) -> Estimate:
    settings, training = json.loads(key)
    settings = {name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()}
    kind: Any = MODELS[model]
    asked: TrainSettings = settings_from(TrainSettings, training, "training")
    place = pick_device(device)

    def whole(split: Split) -> ImageSource:
        if place.type != "cpu":
            return dataset(data).load(split, place)
        return training_images(data) if split == "train" else held_out(data)

    with ONE_TRIAL, threads(worker_threads()):
        try:
            return estimate(
                kind(kind.Config(**settings)),
                subset(whole("train"), place, asked.labels, asked.images),
                asked,
                place,
                subset(whole("test"), place, asked.labels),
            )
        finally:
            give_back(place)


def scoring_seconds(recipe: Recipe) -> float | None:
    """How long the scores of the newest finished run with the same data and the same kind of network took here; None
    where there is no such run."""
    return _scoring_seconds(str(runs_folder()), *_kind_of(recipe))


def _kind_of(recipe: Recipe) -> tuple[str, str, str]:
    return recipe.data, recipe.model, getattr(recipe.config, "network", "")


@st.cache_data(show_spinner=False, ttl=REMEMBERED, max_entries=64)
def _scoring_seconds(folder: str, data: str, model: str, network: str) -> float | None:
    for run in runs():
        if _kind_of(run.config.recipe) == (data, model, network) and (taken := scored_for(run)) is not None:
            return taken
    return None


def scored_for(run: Run) -> float | None:
    """Seconds from the writing of a finished run's weights to its end; None where that cannot be told."""
    weights = Path(run.model_folder, WEIGHTS)
    if not run.is_finished or not weights.exists():
        return None
    taken = float(run.told().get("time", 0.0)) - weights.stat().st_mtime
    return taken if 0 < taken < LONGEST_SCORING else None


def lasting(seconds: float) -> str:
    """A duration as people say it: 40 s, 3 min, 1 h 20 min."""
    if seconds < 1:
        return "less than a second"
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
