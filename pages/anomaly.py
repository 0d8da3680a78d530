"""Anomaly detection: a model that knows some classes alone, three scores of strangeness, and a threshold by hand."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import streamlit as st
import torch
from torch import Tensor

from ui import cache, controls, frame
from ui.draw_pad import draw_pad
from ui.figures import PLOT
from ui.figures.anomaly import heat, heat_scale, outline_scatter, pair_heat
from ui.lessons import anomaly as lesson
from ui.lessons.anomaly import DATA, Classes, Detector, Scored
from ui.normal_form import JOB, pick_classes, train_here, training_of
from ui.palette import RUN_COLOURS
from ui.picture_rows import Row, picture_rows
from ui.sheet.axes import minus
from ui.threshold import Stakes, threshold_view
from vae_core.data import dataset
from vae_core.data.uploads import read_picture
from vae_core.errors import InvalidInput
from vae_core.metrics.anomaly import SCORES, error_map, mahalanobis, outline, strangeness
from vae_core.metrics.ranking import at_most, auroc, cheapest, confusion, precision_recall, rank

NORMAL, ANOMALOUS = RUN_COLOURS[:2]
START = 0.05  # the share of normal images that raise an alarm at the threshold where the page starts
SHOWN, TICK = 8, 0.5  # pictures in a row; seconds between two looks at a training
COSTS = {"1/10": 0.1, "1/3": 1 / 3, "1": 1.0, "3": 3.0, "10": 10.0, "30": 30.0, "100": 100.0}
SHARES = {"as among the test images": None, "50%": 0.5, "10%": 0.1, "1%": 0.01}
GROUPS = {
    "anomalies, lowest score": (True, False), "anomalies, highest": (True, True), "normal, highest": (False, True),
    "normal, lowest": (False, False),
}  # fmt: skip
BUT_ONE = (0, 2, 3, 4, 5, 6, 7, 8, 9)
DOTS = 2000  # held-out images in the scatter
DRAW, UPLOAD, MOST_MEGABYTES = "draw", "upload", 32


class Choice(NamedTuple):
    """What the controls say."""

    data: str
    classes: Classes
    score: str
    stakes: Stakes

    @property
    def words(self) -> str:
        """The normal classes, in words."""
        return ", ".join(dataset(self.data).class_names[label] for label in self.classes)


def pick() -> Choice:
    """Every control but the threshold."""
    with st.container(key="controls"):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            data = DATA[controls.choose("Data", list(DATA), key="data")]
            classes = pick_classes(data)
        with st.container(horizontal=True, vertical_alignment="bottom"):
            titles = {score.title: name for name, score in SCORES.items()}
            score = titles[controls.choose("Score", list(titles), key="score")]
            miss = controls.choose(
                "A miss costs as much as so many false alarms", list(COSTS), key="cost", default="10", style="slider"
            )
            share = controls.choose("Anomalies that arrive", list(SHARES), key="share", default="10%", style="select")
    return Choice(data, classes, score, Stakes(COSTS[miss], SHARES[share]))


def keep_threshold() -> None:
    """A hand let go of the threshold: put it into the link."""
    controls.to_link("t", f"{st.session_state['threshold']['release']['at']:.6g}")


def threshold_in_link(choice: Choice, made: Scored) -> float:
    """The threshold to begin with: from the link, else one that lets most of the normal images pass."""
    place = choice[:3]
    if st.session_state.setdefault("threshold of", place) != place:  # other scores: the old threshold means nothing
        st.session_state["threshold of"] = place
        controls.to_link("t", None)
    if told := controls.vector_from_link("t", 1):
        return told[0]
    ranking = made.rankings[choice.score]
    return float(f"{ranking.between(at_most(ranking, START)):.6g}")


def show_threshold(choice: Choice, found: Detector, made: Scored) -> float:
    """The figure of the page; returns the threshold."""
    score = SCORES[choice.score]
    others = "all other classes" if len(choice.classes) > 1 else f"all but {choice.words}"
    threshold = threshold_view(
        made.rankings[choice.score], made.scores[choice.score], made.anomalous,
        threshold_in_link(choice, made), key="threshold", score=(score.title, score.unit),
        kinds=(f"normal: {choice.words}", f"anomalous: {others}"), colours=(NORMAL, ANOMALOUS),
        stakes=choice.stakes, on_release=keep_threshold,
    )  # fmt: skip
    ranking = made.rankings[choice.score]
    where = "on this page" if found.on_the_page else "beforehand"
    st.caption(
        f"A VAE with {found.model.config.latent} latents, trained on {found.images:,} training images of "
        f"{dataset(choice.data).title} ({choice.words}), {where}. Scored: {frame.held_out_words(choice.data)} "
        f"{ranking.normal:,} of them are normal. Each heap is drawn as shares of its own kind; the last bar stands for "
        f"all scores beyond. Source of the score: {score.source}. "
        + (
            "" if choice.stakes.share is None else
            f"Precision and cost are computed for {choice.stakes.share:.0%} anomalies, from the same rates; the table "
            "counts the test images."
        )
    )  # fmt: skip
    return threshold


def show_pictures(choice: Choice, found: Detector, made: Scored, threshold: float) -> None:
    """Where in the picture the error is."""
    st.subheader("Where is the error?", anchor=False)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        group = controls.choose("Held-out images", list(GROUPS), key="group")
        order = lesson.in_order(made, choice.score, *GROUPS[group])
        sets = len(order) // SHOWN
        first = controls.index_from_link("set", sets, 0, "set of images")
        controls.another("Next ones", "set", first, sets)
    index = order[first * SHOWN : (first + 1) * SHOWN]
    values = made.scores[choice.score][index]
    shown = lesson.seen(found, cache.held_out(choice.data).images(torch.from_numpy(index.copy())))
    alarms = int((values >= threshold).sum())
    picture_rows(
        [
            Row("Held-out images", f"scores {values.min():.3g} to {values.max():.3g}, {alarms} alarms", shown.pictures,
                under=[f"{value:.3g}" for value in values]),
            Row("Rebuilt", "by a model of the normal", shown.rebuilt),
            Row("Squared error", "of each pixel", heat(shown.errors, 1.0)),
        ]
    )  # fmt: skip
    st.html(heat_scale("squared error of a pixel", 1.0))


def own_picture(choice: Choice, found: Detector, made: Scored, threshold: float) -> None:
    """A drawing or an upload, scored like the held-out images."""
    st.subheader("And a picture of yours?", anchor=False)
    pad, told = st.columns([4, 9], gap="medium")
    with pad:
        way = controls.choose("A picture of your own", [DRAW, UPLOAD], key="own")
        picture = drawn(choice.data) if way == DRAW else uploaded(choice.data)
    with told:
        if picture is None:
            if way == DRAW or st.session_state.get("file") is None:  # else an error stands there
                verb = "Draw" if way == DRAW else "Upload a picture of"
                st.info(f"{verb} something normal ({choice.words}), and something that is not: both are scored here.")
            return
        shown = lesson.seen(found, picture)
        grey = torch.cat([shown.pictures, shown.rebuilt]).expand(-1, 3, -1, -1)
        picture_rows([Row("Your picture", "rebuilt, squared error", torch.cat([grey, heat(shown.errors, 1.0)]))])
        scores = lesson.scores_of(found, picture)
        lines = [
            f"- **{SCORES[name].title}** {minus(f'{value:.4g}')}: above "
            f"{(made.scores[name][~made.anomalous] < value).mean():.0%} of the held-out normal images, above "
            f"{(made.scores[name][made.anomalous] < value).mean():.0%} of the anomalous ones"
            for name, value in scores.items()
        ]
        alarm = "**raises an alarm**" if scores[choice.score] >= threshold else "raises **no alarm**"
        st.markdown("\n".join(lines) + f"\n\nBy {SCORES[choice.score].title.lower()} and today's threshold it {alarm}.")


def drawn(data: str) -> Tensor | None:
    pixels = draw_pad(key="pad", size=dataset(data).shape[1])
    return None if pixels is None else torch.from_numpy(pixels.copy()).float()[None, None] / 255


def uploaded(data: str) -> Tensor | None:
    file = st.file_uploader("A picture of one thing on a plain ground", key="file", max_upload_size=MOST_MEGABYTES)
    try:
        upload = read_picture(file.getvalue(), dataset(data).shape[1], dataset(data).upload_box) if file else None
    except InvalidInput as error:
        st.error(str(error))
        return None
    for note in upload.notes if upload else ():
        st.caption(note)
    return upload.picture[None] if upload else None


def explore() -> None:
    """All that depends on what is normal."""
    choice = pick()
    job = training_of(choice.data, choice.classes)
    if not 0 < len(choice.classes) < len(dataset(choice.data).class_names):
        what = "nothing is normal" if not choice.classes else "nothing is left to be an anomaly"
        st.info(f"With this choice {what}: choose one to nine normal classes.")
        st.caption("Every model here is trained on the normal classes alone and scored on held-out images of all.")
        return
    found = lesson.detector(choice.data, choice.classes)
    with st.container(key="figure"):
        if found is None:
            train_here(choice.data, choice.classes, choice.words, job)
            return
        made = lesson.scored(choice.data, choice.classes, found.on_the_page)
        threshold = show_threshold(choice, found, made)
    show_pictures(choice, found, made, threshold)
    own_picture(choice, found, made, threshold)


@frame.part
def failure() -> None:
    """The digit that reconstruction error takes for normal; and every class against every other."""
    st.subheader("A well-known failure: is a 1 an anomaly?", anchor=False)
    measured = lesson.results()
    of_one, by_outline = measured["all_but_one"]["auroc"], measured["all_but_one"]["outline"]
    st.markdown(
        "A VAE that knows every digit **but 1** should find a 1 strange. By reconstruction error the AUROC is "
        f"**{of_one['error']:.2f}**, by \u2212ELBO {of_one['elbo']:.2f}, by latent distance {of_one['distance']:.2f}; "
        "0.5 is chance. The error lies along outlines, and a 1 has the shortest: the length of the outline alone, with "
        f"no model at all, ranks it below the others (AUROC {by_outline['alone']:.3f}). Per unit of outline the 1 *is* "
        f"strange: **{by_outline['error_per_unit']:.2f}**."
    )
    left, right = st.columns([6, 7], gap="medium")
    with left:
        show_outlines()
    with right:
        show_pairs(measured)


def show_outlines() -> None:
    """Error over the length of the outline, of what is normal and of the 1."""
    found, made = lesson.bundled_detector("mnist", BUT_ONE), lesson.scored("mnist", BUT_ONE, False)
    length, error, strange = lesson.outlines("mnist"), made.scores["error"], made.anomalous
    looks = (
        ("all digits but 1: normal", NORMAL, "circle", ~strange),
        ("1: the anomaly", ANOMALOUS, "diamond", strange),
    )
    groups = [(*look, length[:DOTS][own[:DOTS]], error[:DOTS][own[:DOTS]]) for *look, own in looks]
    limit = at_most(made.rankings["error"], START)
    figure = outline_scatter(groups, limit, f"{START:.0%} of the normal<br>lie above")
    st.plotly_chart(figure, config=PLOT, key="outlines")
    together = np.corrcoef(length[~strange], error[~strange])[0, 1]
    st.caption(
        f"The first {DOTS:,} of {frame.held_out_words('mnist')} Correlation over all normal ones: {together:.2f}. The "
        f"model was trained on {found.images:,} training images, with no 1 among them."
    )


def show_pairs(measured: dict[str, Any]) -> None:
    """The AUROC of every class against every other."""
    of, scored_by = st.columns(2)
    with of:
        title = controls.choose("Every class against every other", list(DATA), key="pairs", style="select")
    with scored_by:
        by = controls.choose("Score", [score.title for score in SCORES.values()], key="by", style="select")
    names, of_data = dataset(DATA[title]).class_names, measured[DATA[title]]
    score = next(name for name, each in SCORES.items() if each.title == by)
    table = np.column_stack([np.array(of_data["pairs"][score], float), of_data["auroc"][score]])
    st.plotly_chart(pair_heat(table, names, score=by), config=PLOT, key="pair areas")
    st.caption(
        f"Ten models, each trained on one class of {title} alone; {of_data['held_out']:,} held-out images. Mean AUROC "
        f"against all others: **{of_data['mean'][score]:.3f}**. One setting for all classes of both data sets, chosen "
        "by the AUROC of the reconstruction error, among labelled training images of MNIST that were kept back."
    )


SEEN = """
- **Rebuilding well is what a model learns for what it has seen.** Something else is rebuilt as if it were normal, and
  the difference is large where it departs from that: the error map shows the place.
- **A score is only as good as the question it answers.** Reconstruction error counts what is wrong along all edges
  of a picture. A 1 has few, and pieces of other digits make it up: so it passes for normal, while an elaborate picture
  of a normal class raises an alarm. Divided by the length of the outline, the same error tells the 1 apart.
- **The ELBO adds how unusual the code is.** Here that changes little: what is wrong in 784 pixels outweighs it.
  **Latent distance** alone is weaker here: an encoder that has never met an anomaly may put it anywhere, also in the
  middle. {of_distance}
- **The AUROC needs no threshold, an alarm does.** Where it is best depends on what a miss and a false alarm cost, and
  on how rare anomalies are: with one in a hundred, most alarms are false even at a good threshold. The ROC does not
  see that; precision does.
- **The price was known from labelled anomalies.** Without any, one can still choose how many false alarms to bear.
"""
LECTURE = r"""
**6.6 Applications**, anomaly detection: an autoencoder trained on normal data rebuilds what is unlike it badly, and
the difference between a picture and its reconstruction is a map of where. The map on medical images shown there is the
input minus its reconstruction, with its sign; the map of this page is the square of that. **7.1 Motivation** names the
same use for VAEs; **7.6 Evidence Lower Bound (ELBO)** is the second score.

Reconstruction error: $\lVert x - \hat x \rVert^2$ with $\hat x = d(\mu(x))$, where $\mu$ is the mean of the encoder's
posterior and $d$ the decoder. $-\mathrm{ELBO} = \mathbb{E}_{q(z \mid x)}[-\log p(x \mid z)] +
\mathrm{KL}(q(z \mid x) \,\Vert\, p(z))$; with $p(x \mid z) = N(x;\, d(z),\, \sigma^2 I)$ and a learned $\sigma$ its
first term is the squared error divided by $2\sigma^2$, and a constant. Latent distance:
$\sqrt{(\mu(x) - m)^\top S^{-1} (\mu(x) - m)}$ with the mean $m$ and the covariance $S$ of the training images' codes.
"""

frame.opening(
    "How does a model notice what it has never seen?",
    "Choose what is normal and a score, then drag the threshold: what you catch and miss is counted and priced.",
)
st.fragment(frame.guarded(explore), run_every=TICK if JOB in st.session_state else None)()
failure()
frame.closing(
    SEEN.format(of_distance=lesson.told_of_distance()),
    [strangeness, error_map, mahalanobis, outline, rank, auroc, precision_recall, confusion, cheapest],
    LECTURE,
)
