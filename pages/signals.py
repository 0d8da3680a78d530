"""Anomalies in signals: an autoencoder that has seen only normal heartbeats, and beats that are none."""

from __future__ import annotations

import numpy as np
import streamlit as st

from ui import controls, frame
from ui.figures import PLOT
from ui.figures.signals import (
    NORMAL_COLOUR,
    STRANGE_COLOUR,
    area_curves,
    beat_figure,
    class_lines,
    kind_bars,
    score_heap,
)  # fmt: skip
from ui.jobs import begin, watched
from ui.lessons import signals as lesson
from ui.lessons.signals import GROUPS, LATENTS, METHODS, OWN, RECORDED, SIMULATED, Task, Trace, View, called, missing
from ui.signal_form import own_signals
from ui.text import plain
from ui.threshold import threshold_view
from vae_core.data.heartbeats import integrated
from vae_core.data.signal_csv import read_signals
from vae_core.data.signals import SignalSource
from vae_core.detectors import new_training, strangeness
from vae_core.errors import InvalidInput
from vae_core.metrics.ranking import auroc, rank

JOB, TRACE, SHOWN = "signals job", "signals trace", "signals shown"
TICK = 1.0  # seconds between two looks at a training, which each look slows down
STATE = 62  # pixels for what is said of it
MOST_STARTS, MOST_RANKS = 1000, 200


def pick_task(name: str) -> tuple[Task | None, str]:
    """The signals of today, None where there are none yet; and why they were refused. That is handed on, not raised:
    a training that goes on must be seen, and stopped, whatever is uploaded meanwhile."""
    try:
        if name == RECORDED:
            return lesson.recorded_task(lesson.ecg_stamp()), ""
        return lesson.simulated_task() if name == SIMULATED else own_signals(), ""
    except InvalidInput as error:
        return None, str(error)


@frame.guarded
def explore() -> None:
    """Train, look at a beat and what is made of it, and set a threshold."""
    busy = JOB in st.session_state
    with st.container(key="controls", horizontal=True, vertical_alignment="bottom"):
        name = controls.choose("Signals", (RECORDED, SIMULATED, OWN), key="data", style="select")
        latent = int(controls.choose("Numbers per signal (latent size)", LATENTS, key="latent", default="2"))
        pressed = st.button(
            "Train on normal ones" if name != OWN else "Train", type="primary", key="train", disabled=busy,
            help="A fresh network, from random weights; each time another start.",
        )  # fmt: skip
    task, refused = pick_task(name)
    trace: Trace | None = st.session_state.get(TRACE)
    key = task.key if task is not None else name
    if trace is not None and (trace.task.key, trace.latent) != (key, latent):
        trace = None  # of other signals, or another network
    start = controls.next_start("start", MOST_STARTS, pressed and trace is not None)
    if pressed and task is not None:
        trace = st.session_state[TRACE] = Trace(task, latent, start)
        begin(JOB, lesson.train(trace))
    if pressed and task is None and not refused:
        st.warning(missing(name))
    if refused:
        st.error(refused)
    state = st.container(height=STATE, border=False)  # as high in every state, so that the figure stays where it is
    with state:
        goes_on = watched(JOB)
        view = trace.view if trace is not None else None
        if not goes_on and not refused:
            st.markdown(standing(name, task, trace))
    if refused:
        return
    if view is None and name == RECORDED:
        view, trace = lesson.stored(), None
    if view is None:
        before_training(task)
        return
    if view.strange is None:
        without_labels(view, task, trace)
    else:
        with_labels(view, name, task, trace, goes_on)


def standing(name: str, task: Task | None, trace: Trace | None) -> str:
    """What is on the screen, in a sentence."""
    if trace is not None and trace.view is not None:
        how = "Trained here" if trace.ended else "Stopped"
        area = f" AUROC **{auroc(trace.view.ranking()):.3f}**." if trace.view.strange is not None else ""
        return f"{how}: {trace.step:,} steps on {len(trace.task.train):,} signals in {trace.seconds:.1f} s.{area}"
    if name == RECORDED:
        view = lesson.stored()
        again = (
            "Press Train to watch one learn." if task is not None else "The beats themselves are not on this machine."
        )
        return f"Stored: a network with {view.latent} latents, AUROC **{auroc(view.ranking()):.3f}**. {again}"
    return "Nothing is trained yet: press Train, it takes some seconds." if task is not None else ""


def before_training(task: Task | None) -> None:
    """What the signals look like, class by class."""
    if task is None:
        return
    test = task.test
    labels = test.labels if test.labels is not None else np.zeros(len(test), int)
    names = [*test.class_names] if test.labels is not None else ["all signals"]
    present = [place for place in range(len(names)) if (labels == place).any()][:6]
    groups = [test.values[labels == place] for place in present]
    low, high = zip(*(np.quantile(each, (0.05, 0.95), axis=0) for each in groups), strict=True)
    odd = [task.strange is not None and names[place] != task.normal for place in present]
    with st.container(key="figure"):
        means = [each.mean(axis=0) for each in groups]
        figure = class_lines(means, low, high, [names[place] for place in present], odd, unit=test.unit)
        st.plotly_chart(figure, config=PLOT, key="classes")
    st.caption(
        f"The mean signal of each class, and in the shade nine tenths of its signals. The network will be trained on "
        f"{len(task.train):,} {'normal ' if task.normal else ''}signals and score {len(test):,}"
        f"{' held-out ones' if task.held_out else ', the same ones'}. Source: {plain(task.source)}."
    )


def with_labels(view: View, name: str, task: Task | None, trace: Trace | None, goes_on: bool) -> None:
    """A beat and what is made of it, above a threshold to be dragged and what follows from it."""
    shown = f"{name}|{view.latent}|{trace.start if trace else 'stored'}|{task.key if task else ''}"
    if st.session_state.setdefault(SHOWN, shown) != shown:  # another network: its scores have another scale
        controls.to_link("at", None)
        st.session_state[SHOWN] = shown
    noun = "signal" if name == OWN else "beat"
    assert view.strange is not None
    picture, heaps = st.container(), st.container()
    with heaps:
        asked = controls.vector_from_link("at", 1, 1e30)
        threshold = threshold_view(
            view.ranking(), view.score, view.strange, asked[0] if asked else view.threshold(), key=f"threshold {shown}",
            score=("Root mean squared error", view.unit), kinds=(f"normal {noun}s", f"strange {noun}s"),
            colours=(NORMAL_COLOUR, STRANGE_COLOUR), things=f"{noun}s",
        )  # fmt: skip
        if threshold != view.threshold() and (asked is None or threshold != asked[0]):
            controls.to_link("at", [threshold])
    with picture:
        show_beat(view, threshold, noun)
    st.caption(lesson.honest(view, name, task, trace is not None, noun))
    if goes_on:
        return  # what follows waits for the end
    left, right = st.columns([6, 5], gap="medium")
    with left:
        show_kinds(view, threshold, noun)
    with right:
        show_methods(view, name, trace)


def show_beat(view: View, threshold: float, noun: str) -> None:
    """One signal of a kind that is asked for, what the network rebuilds, and where it is off."""
    left, right = st.columns([8, 4], gap="medium")
    with right, st.container(horizontal=True, vertical_alignment="bottom"):
        group = controls.choose(
            f"Show a {noun} that is", list(GROUPS), key="group", style="select", default="strange, noticed"
        )
        order = lesson.drawable(view, group, threshold)
        nth = controls.index_from_link("nth", 10_000, 0, noun)
        controls.another("Another one", "nth", nth, 10_000, disabled=len(order) < 2)
    if not len(order):
        with left:
            st.info(f"No {noun} that can be drawn is “{group}” at this threshold. Move it, or choose another kind.")
        return
    drawn = int(order[nth % len(order)])
    place = int(view.places[drawn])
    with left, st.container(key="figure"):
        figure = beat_figure(view.values[drawn], view.rebuilt[drawn], unit=view.unit, noun=noun)
        st.plotly_chart(figure, config=PLOT, key="beat")
    score = float(view.score[place])
    assert view.labels is not None
    with right:
        st.metric(off_by(view), f"{score:.3g}", border=False)
        alarm = "**Alarm**" if view.alarms(threshold)[place] else "No alarm"
        st.markdown(f"{alarm}: the threshold is {threshold:.3g}.  \nLabel: **{plain(view.names[view.labels[place]])}**")
        st.caption(
            f"{nth % len(order) + 1} of {len(order):,} of this kind, in an order by chance; {called(view, place)}."
        )


def off_by(view: View) -> str:
    """What the number beside a signal is, with its unit."""
    return f"Off by (root mean square), {plain(view.unit)}"


def show_kinds(view: View, threshold: float, noun: str) -> None:
    st.subheader("Which kinds are noticed?", anchor=False)
    found = lesson.kinds(view, threshold)
    figure = kind_bars(
        [each.name for each in found],
        [each.alarms / each.members for each in found],
        [f"{each.alarms:,} of {each.members:,}" for each in found],
        [f"AUROC {each.area:.3f}" if each.area is not None else "" for each in found],
        [each.area is not None for each in found],
    )
    st.plotly_chart(figure, config=PLOT, key="kinds")
    st.caption(
        f"At the threshold above. For the normal {noun}s an alarm is a false one. AUROC: each kind against these."
    )


def show_methods(view: View, name: str, trace: Trace | None) -> None:
    st.subheader("Does it take a network?", anchor=False)
    areas = {method: auroc(view.ranking(method)) for method in METHODS}
    series = lesson.results()["series"].get({RECORDED: "ecg5000", SIMULATED: "simulated"}.get(name, ""))
    if series is not None:
        rows = series["rows"]
        today = (view.latent, areas["network"]) if trace is not None else None
        figure = area_curves(
            [row["latent"] for row in rows], [row["network"]["auroc"] for row in rows],
            [row["pca"]["auroc"] for row in rows], series["mean"]["auroc"], today,
        )  # fmt: skip
        st.plotly_chart(figure, config=PLOT, key="areas")
    best = max(areas, key=lambda method: areas[method])
    told = "; ".join(
        f"{METHODS[method].lower() if method != 'pca' else 'PCA'} {area:.3f}" for method, area in areas.items()
    )
    st.markdown(f"With {view.latent} latents or components, AUROC: {told}. Best: **{METHODS[best]}**.")
    if series is not None:
        seeds = len(series["rows"][0]["network"]["auroc"])
        st.caption(
            f"Stored curves: every method learned from {series['trained_on']:,} normal beats and scored "
            f"{series['held_out']:,} held-out ones; the network from {seeds} seeds, its mean and its range."
        )


def without_labels(view: View, task: Task | None, trace: Trace | None) -> None:
    """The strangest signals of a file without labels, by rank."""
    order = np.argsort(-view.score, kind="stable")
    picture, below = st.container(), st.container()
    with below:
        share = controls.number(
            "Threshold: so many of the signals trained on score no more, %", 50.0, 100.0, 95.0, 0.5, key="share"
        )
        threshold = view.threshold(share / 100)
        alarms = view.alarms(threshold)
        st.markdown(f"**{alarms.sum():,}** of {len(order):,} signals reach the threshold, {threshold:.3g}: alarm.")
        others = view.training_scores["network"] if task is not None and task.held_out else None
        figure = score_heap(view.score, others, threshold, unit=view.unit)
        st.plotly_chart(figure, config=PLOT, key="heap")
    with picture:
        left, right = st.columns([8, 4], gap="medium")
        with right:
            rank_ = int(controls.number("Rank (1: the strangest)", 1, min(MOST_RANKS, len(order)), 1, 1, key="rank"))
            place = int(order[rank_ - 1])
            st.metric(off_by(view), f"{view.score[place]:.3g}", border=False)
            st.markdown("**Alarm**" if alarms[place] else "No alarm")
            st.caption(f"Rank {rank_} of {len(order):,}: {called(view, place)}.")
        with left, st.container(key="figure"):
            figure = beat_figure(view.values[place], view.rebuilt[place], unit=view.unit, noun="signal")
            st.plotly_chart(figure, config=PLOT, key="beat")
    same = task is not None and not task.held_out
    st.caption(
        f"An autoencoder with {view.latent} latent{'s' * (view.latent > 1)}, made on this page: trained on "
        f"{len(view.training_scores['network']):,} signals of {plain(task.source) if task else 'your file'}. "
        + (
            "The ranked signals are the same ones, so none is held-out: the network has seen the strange ones as well, "
            "and finds them strange because they are few."
            if same
            else "The ranked signals are the other, held-out ones. If there are strange ones among the first half, the "
            "network has learned those, too."
        )
        + " Without labels nobody can say how many of the alarms are right."
    )


SEEN = """
- **Only normal signals were learned, and most others stand out.** The network can put together what it has seen. A
  signal of another shape is rebuilt as a normal one, and the gap between both is the alarm. The gap says *where* the
  signal is strange, not why.
- **A better copy is not a better alarm.** PCA with more components rebuilds the normal ones ever more exactly, and
  the strange ones as well: its area under the ROC curve rises at first, then falls. What helps is a bottleneck that has
  room for the normal ones and for nothing else. (On the recorded beats the network, trained for so short a
  time, gains little from more than four latents, and its area changes little.)
- **PCA belongs beside it.** It takes no training to speak of. On the recorded beats the network is ahead of it, with
  two numbers by very little; on the simulated ones PCA with four components is ahead of every network here.
- **The threshold is a decision.** It trades missed signals for false alarms. Without labels it can be set so that few
  of the training signals lie above it; how many new normal ones then raise an alarm, the table tells where there are
  labels.
- **Rare kinds hide in the total.** Some kinds are noticed nearly always, others resemble normal ones and are missed
  more often. The total speaks mostly of the kinds that are frequent.
"""
LECTURE = r"""
**6.6 Applications**, anomaly detection: an autoencoder that is trained on normal data rebuilds what is like them, and
the reconstruction error rises for what is not. Among the uses that are named there are fraud, faults of machines,
intrusions and rare diseases. **3 DUL - Components** names anomaly detection among what learning without labels is
used for.

The score of a signal $x$ of $L$ samples with encoder $e$ and decoder $d$ is
$\;s(x) = \sqrt{\tfrac1L \sum_{t=1}^{L} \big(x_t - d(e(x))_t\big)^2}$, in the unit of the signal; an alarm is raised
where $s(x) \ge \tau$. The training makes the Gaussian $-\log p(x \mid z)$, a squared error, small on normal signals
alone. The AUROC is the probability that a strange signal scores higher than a normal one.
"""

frame.opening(
    "Does a network that has only seen normal heartbeats notice a sick one?",
    "Train it on normal signals alone. First see what it makes of one signal; then, further down, drag the threshold.",
)
st.fragment(explore, run_every=TICK if JOB in st.session_state else None)()
frame.closing(
    SEEN,
    [new_training, strangeness, SignalSource, read_signals, integrated, rank],
    LECTURE,
)
