"""What the lesson on anomalies in signals keeps: signals, a training on the normal ones, and how strange all are."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from ui.jobs import Work
from ui.lessons import expect, read_results, usable
from vae_core.data.heartbeats import (
    ECG_CLASSES,
    ECG_LENGTH,
    ECG_SOURCE,
    NORMAL,
    SIMULATED_BEATS,
    ecg5000,
    ecg_path,
    simulated,
)  # fmt: skip
from vae_core.data.signal_csv import LabelColumn, read_signals
from vae_core.data.signals import Signals, Split, split_by_label, split_by_place, standardised
from vae_core.detectors import (
    Detector,
    MeanSignal,
    Network,
    PrincipalComponents,
    alarm_threshold,
    new_training,
    squared_errors,
    strangeness,
)  # fmt: skip
from vae_core.errors import InvalidInput
from vae_core.folders import ASSETS
from vae_core.metrics.ranking import Ranking, auroc, rank

RESULTS = ASSETS / "results" / "signals.json"
REMEDY = "Make it again: `python -m benchmarks.signals --write`."
RECORDED, SIMULATED, OWN = "recorded (ECG5000)", "simulated", "your CSV"
LATENTS = ("1", "2", "4", "8", "16", "32")
SHARE = 0.95  # of the training signals below the threshold, to begin with
EVERY, LOOKS = 50, 5  # steps between two words on how far it is; of these, one in so many scores the signals
METHODS = {"network": "Autoencoder", "pca": "PCA", "mean": "Mean signal"}


class Task(NamedTuple):
    """Signals to learn from, and signals to score; `strange` [N] says which of these are, where it is known."""

    key: str  # another one for other signals
    train: np.ndarray  # [M, L]
    test: Signals
    normal: str  # the name of the normal class; "" without labels
    strange: np.ndarray | None
    held_out: bool  # none of the scored was trained on
    source: str


def task_of(key: str, signals: Signals, split: Split, normal: int | None, source: str) -> Task:
    """The signals of one file or simulation, parted into those to learn from and those to score."""
    places = split.scored
    labels = signals.labels[places] if signals.labels is not None and normal is not None else None
    lines = signals.lines[places] if signals.lines is not None else None
    names = signals.class_names if labels is not None else ()
    test = Signals(signals.title, signals.values[places], labels, names, signals.unit, lines)
    strange = labels != normal if labels is not None else None
    known = signals.class_names[normal] if normal is not None and labels is not None else ""
    return Task(key, signals.values[split.train], test, known, strange, split.held_out, source)


def ecg_stamp() -> str:
    """Another text for another file of recorded beats; empty where there is none."""
    path = ecg_path()
    return f"{path}|{path.stat().st_mtime_ns}" if path.is_file() else ""


@st.cache_resource(show_spinner=False, max_entries=2)
def recorded_task(stamp: str) -> Task | None:
    """The recorded beats; None where the file is not here. InvalidInput for a damaged file."""
    found = ecg5000() if stamp else None
    if found is None:
        return None
    train, test = found
    assert train.labels is not None and test.labels is not None
    values = train.values[train.labels == NORMAL]
    return Task("ecg5000", values, test, ECG_CLASSES[NORMAL], test.labels != NORMAL, True, ECG_SOURCE)


@st.cache_resource(show_spinner="Simulating heartbeats")
def simulated_task() -> Task:
    """Simulated beats: half of the normal ones to learn from."""
    beats = simulated(*SIMULATED_BEATS)
    source = "heartbeats simulated with the dynamical model of McSharry, Clifford, Tarassenko and Smith (2003)"
    return task_of("simulated", beats, split_by_label(beats, NORMAL), NORMAL, source)


def read_file(stamp: str, _file: UploadedFile, labels: LabelColumn, scaled: bool) -> Signals:
    """Somebody's signals, by the stamp of the file; `scaled`: each to mean 0 and deviation 1. InvalidInput for what
    cannot be read."""
    found = _read_once(stamp, _file, labels, scaled)
    if isinstance(found, str):
        raise InvalidInput(found)
    return found


@st.cache_resource(show_spinner="Reading the file", max_entries=4)
def _read_once(stamp: str, _file: UploadedFile, labels: LabelColumn, scaled: bool) -> Signals | str:
    """Signals, or why they are refused: during a training the page asks every second."""
    try:
        signals = read_signals(_file.getvalue(), _file.name, labels)
        return standardised(signals) if scaled else signals
    except InvalidInput as error:
        return str(error)


@st.cache_resource(show_spinner=False, max_entries=4)
def own_task(key: str, _signals: Signals, normal: int | None, share: float) -> Task:
    """Somebody's signals: with a normal class, half of it is learned; without, the first `share` of the file."""
    split = split_by_place(_signals, share) if normal is None else split_by_label(_signals, normal)
    return task_of(key, _signals, split, normal, f"your file {_signals.title}")


@dataclass(frozen=True)
class View:
    """N scored signals, some or all of which can be drawn."""

    labels: np.ndarray | None  # [N]
    names: tuple[str, ...]
    strange: np.ndarray | None  # [N]
    scores: dict[str, np.ndarray]  # by method: [N]
    training_scores: dict[str, np.ndarray]  # by method: [M]
    places: np.ndarray  # [D], which of the N can be drawn
    values: np.ndarray  # [D, L]
    rebuilt: np.ndarray  # [D, L], by the network
    latent: int
    unit: str
    lines: np.ndarray | None = None  # [N]

    @property
    def score(self) -> np.ndarray:
        """By the network, in float32 as the browser gets them: then both count the same alarms."""
        return self.scores["network"].astype(np.float32)

    def threshold(self, share: float = SHARE) -> float:
        """What this share of the training signals scores no more than; in float32, like the scores."""
        return float(np.float32(alarm_threshold(self.training_scores["network"], share)))

    def alarms(self, threshold: float) -> np.ndarray:
        """Which of the signals raise an alarm [N], as the browser counts them: the threshold itself is one."""
        return self.score.astype(np.float64) >= threshold

    def ranking(self, method: str = "network") -> Ranking:
        assert self.strange is not None
        scores = self.score if method == "network" else self.scores[method]
        return rank(scores, self.strange)


@st.cache_resource(show_spinner=False)
def results() -> dict[str, Any]:
    """What benchmarks/signals.py measured. InvalidInput where the file is missing or damaged."""
    found = read_results(RESULTS, REMEDY)
    with usable(RESULTS, REMEDY):
        for series in found["series"].values():
            expect(all(row["network"]["auroc"] and row["pca"]["auroc"] and row["latent"] for row in series["rows"]))
            expect(series["mean"]["auroc"] and series["trained_on"] and series["held_out"])
        kept = found["kept"]
        expect(all(len(kept["scores"][name]) == len(kept["labels"]) for name in METHODS))
        expect(all(len(kept["training_scores"][name]) for name in METHODS) and kept["latent"] and kept["examples"])
        expect(all(len(each[key]) == ECG_LENGTH for each in kept["examples"] for key in ("values", "rebuilt")))
    return found


@st.cache_resource(show_spinner=False)
def stored() -> View:
    """The recorded beats as a network scored them that was trained before; some of them can be drawn."""
    kept = results()["kept"]
    labels = np.array(list(map(int, kept["labels"])))
    examples = kept["examples"]
    return View(
        labels=labels,
        names=ECG_CLASSES,
        strange=labels != NORMAL,
        scores={name: np.array(kept["scores"][name]) for name in METHODS},
        training_scores={name: np.array(kept["training_scores"][name]) for name in METHODS},
        places=np.array([each["row"] for each in examples]),
        values=np.array([each["values"] for each in examples]),
        rebuilt=np.array([each["rebuilt"] for each in examples]),
        latent=kept["latent"],
        unit="standard deviations",
    )


@dataclass
class Trace:
    """A training on the page as it goes, and how strange the signals are to the network as it stands."""

    task: Task
    latent: int
    start: int  # the seed
    step: int = 0
    steps: int = 0
    seconds: float = 0.0
    view: View | None = None
    ended: bool = False
    simple: dict[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)  # scores of the other methods

    def note(self, network: Network, step: int) -> None:
        """Score all signals with the network as it stands."""
        test, train = self.task.test, self.task.train
        if not self.simple:
            others: dict[str, Detector] = {"pca": PrincipalComponents(train, self.latent), "mean": MeanSignal(train)}
            for name, each in others.items():
                self.simple[name] = (strangeness(each, test.values), strangeness(each, train))
        rebuilt = network.rebuilt(test.values)
        scores = np.sqrt(squared_errors(test.values, rebuilt).mean(axis=1))
        self.view = View(
            labels=test.labels,
            names=test.class_names,
            strange=self.task.strange,
            scores={"network": scores} | {name: both[0] for name, both in self.simple.items()},
            training_scores={"network": strangeness(network, train)}
            | {name: both[1] for name, both in self.simple.items()},
            places=np.arange(len(test)),
            values=test.values,
            rebuilt=rebuilt.astype(np.float32),
            latent=self.latent,
            unit=test.unit,
            lines=test.lines,
        )
        self.step = step


def train(trace: Trace) -> Work:
    """Train a network on the normal signals until its steps are done; the others are scored now and then."""
    yield 0.0, "Starting"
    network, training = new_training(trace.task.train, trace.latent, trace.start)
    trace.steps = training.steps
    began = time.monotonic()
    for look, told in enumerate(training.run(EVERY), 1):
        trace.seconds = time.monotonic() - began
        if look % LOOKS == 0 or told.step == told.steps:
            trace.note(network, told.step)
        left = trace.seconds / told.step * (told.steps - told.step)
        yield told.step / told.steps, f"Step {told.step:,} of {told.steps:,}, about {left:.0f} s more"
    trace.ended = True


class Kind(NamedTuple):
    """One class of signals at a threshold."""

    name: str
    members: int
    alarms: int
    area: float | None  # AUROC of this class against the normal one; None for the normal one itself


def kinds(view: View, threshold: float) -> list[Kind]:
    """Every class that occurs: how many of it raise an alarm, and how well the score tells it from the normal ones."""
    assert view.labels is not None and view.strange is not None
    found = []
    for label, name in enumerate(view.names):
        own = view.labels == label
        if not own.any():
            continue
        among = own | ~view.strange
        area = auroc(rank(view.score[among], view.strange[among])) if view.strange[own].any() else None
        found.append(Kind(name, int(own.sum()), int(view.alarms(threshold)[own].sum()), area))
    return found


GROUPS = {  # what the page offers to look at: strange, alarm
    "strange, noticed": (True, True),
    "strange, missed": (True, False),
    "normal, alarm": (False, True),
    "normal, let pass": (False, False),
}


def drawable(view: View, group: str, threshold: float) -> np.ndarray:
    """Which of the signals that can be drawn belong to a group at a threshold, in an order by chance: places among
    those that can be drawn."""
    assert view.strange is not None
    strange, alarm = GROUPS[group]
    fits = (view.strange[view.places] == strange) & (view.alarms(threshold)[view.places] == alarm)
    order = np.random.default_rng(0).permutation(len(view.places))
    return order[fits[order]]


def missing(name: str) -> str:
    if name == OWN:
        return "There are no signals to train on yet; upload a file first."
    return (
        f"The recorded beats are not on this machine (`{ecg_path()}` is missing), so nothing can be trained on them; "
        "what was measured before is shown. The simulated ones can be trained on anywhere."
    )


def called(view: View, place: int) -> str:
    """How to find a signal again."""
    return f"line {view.lines[place]} of the file" if view.lines is not None else f"place {place} among those scored"


def honest(view: View, name: str, task: Task | None, here: bool, noun: str) -> str:
    """Which network (trained here or before), which data, how many, held out or not."""
    count, learned = len(view.score), len(view.training_scores["network"])
    strange = int(view.strange.sum()) if view.strange is not None else 0
    which = "made on this page" if here else "stored, made before with the same settings"
    told = (
        f"An autoencoder with {view.latent} latent{'s' * (view.latent > 1)}, {which}: trained on {learned:,} normal "
        f"{noun}s and nothing else. Scored: {count:,} held-out {noun}s, {strange:,} of them strange. The threshold "
        f"begins where {SHARE:.0%} of the training {noun}s lie below it; no label is used for that. "
        "A miss and a false alarm cost 1 each."
    )
    if name == RECORDED:
        drawn = "" if here else f" Stored to be drawn: {len(view.places)} of the scored."
        return (
            f"{told}{drawn} Data: {ECG_SOURCE}; all from one person with severe heart failure, labelled by a "
            "program: “normal” means the usual beat of this heart, not a healthy heart."
        )
    if name == SIMULATED:
        what = task.source if task is not None else ""
        return f"{told} Simulated, not recorded: {what}; what is strange about the strange ones is ours."
    return f"{told} The normal ones were parted in halves by chance."
