"""Limits of a VAE that one can measure: settings, blur, few images, cost, and scores of samples that disagree."""

from __future__ import annotations

from string import ascii_uppercase

import streamlit as st
import torch

from ui import cache, controls, frame
from ui.closeup import Close, closeup
from ui.figures import PLOT
from ui.figures.limits import cost_lines, edge_lines, learning_curves, rank_lines
from ui.lessons import limits as lesson
from ui.picture_rows import Row, picture_rows
from ui.settings_map import settings_map
from ui.sheet.axes import minus
from ui.small_table import small_table
from vae_core.exact.densities import memory_log_density, mixed_log_density
from vae_core.latent.blur import best_picture, shares
from vae_core.latent.grids import tile
from vae_core.latent.sample_sets import sample_sets
from vae_core.metrics.cost import cost
from vae_core.metrics.frechet import frechet_distance
from vae_core.metrics.sharpness import edge_energy, sharpness
from vae_core.models import DropoutVAE
from vae_core.recipes.limits import BETAS_LIMITS, LATENTS_LIMITS, limits_name

MAP = "map"
SCORES = tuple(each.name for each in lesson.CELLS)
START = (2, 3)  # beta 1, 16 latents
PICTURES = 16  # of a set of samples, in a square
OTHERS = 8  # images in a row
STOPPED = "early stopping"
TOP = 400.0  # nats, where the curves are cut off


@frame.part
def settings() -> None:
    """The map of trained models."""
    cells = lesson.results()["map"]
    rows, columns = (len(lesson.AXES.rows[1]), len(lesson.AXES.columns[1]))
    kept = controls.index_from_link("cell", rows * columns, START[0] * columns + START[1], "cell")
    with st.container(key="figure"):
        settings_map(
            lesson.AXES,
            lesson.map_scores(),
            lesson.map_pictures(),
            lesson.originals(),
            key=MAP,
            sheet=(lesson.COLUMNS, 1 + lesson.SAMPLE_ROWS),
            score=controls.option_from_link("score", SCORES, SCORES[0]),
            at=divmod(kept, columns),
            on_release=keep,
        )
    training = cache.checkpoint(lesson.WHOLE).training
    st.caption(
        f"{rows * columns} VAEs, one for each cell, fully connected with 64-64 hidden units in each half, trained on "
        f"MNIST for {training['epochs']} epochs, one seed. "
        f"Scores over all {frame.held_out_words(lesson.DATA)} FID and edges of "
        f"{cells['samples']:,} samples, precision and coverage of 5 times 2,000, by our digit classifier: "
        "compare them within this table only."
    )


def keep() -> None:
    """A hand chose a cell or a score: put them into the link."""
    told = st.session_state[MAP].get("release")
    if told:
        row, column = told["at"]
        controls.to_link("cell", row * len(lesson.AXES.columns[1]) + column)
        controls.to_link("score", told["score"])


@frame.part
def blurred() -> None:
    """One code, and the mean of the images that share it."""
    st.subheader("Blur is a mean of what is possible", anchor=False)
    source = cache.held_out(lesson.DATA)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        latent = controls.choose("Latents", [str(each) for each in LATENTS_LIMITS], key="latents")
        beta = controls.choose("beta", [f"{each:g}" for each in BETAS_LIMITS], key="beta", default="1")
        number = controls.index_from_link("image", len(source), 0)
        controls.another("Another image", "image", number, len(source))
    name = limits_name(float(beta), int(latent))
    found = lesson.blur(name, number)

    def edges(picture: torch.Tensor) -> str:
        return f"edges {sharpness(picture[None], found.image[None]):.0%}"

    left, right = st.columns([7, 5], gap="large")
    with left:
        closeup(
            [
                Close("Held-out image", "edges 100%", found.image),
                Close("Decoded", edges(found.decoded), found.decoded),
                Close(f"Mean of {found.images:,.0f}", edges(found.mean), found.mean),
                Close("One draw", edges(found.drawn), found.drawn),
            ],
            columns=4,
        )
        picture_rows([Row("Neighbours", f"the likeliest of {found.images:,.0f}", found.likeliest)])
        st.caption(
            f"Model {name}, trained on MNIST; image {number} of {frame.held_out_words(lesson.DATA)} "
            f"Neighbours: of the first {lesson.KNOWN:,} training images, each with the share by which it may have led "
            f"to this code; here they count as {found.images:,.0f} equal ones. Their mean is the best answer to this "
            "code that any decoder could give for these images. One draw: every pixel black or white by chance."
        )
    with right:
        cells = lesson.results()["map"]["cells"]
        own = [cells[limits_name(float(beta), each)] for each in LATENTS_LIMITS]
        rebuilt, drawn = ([cell[key] for cell in own] for key in ("sharp_rebuilt", "sharp_samples"))
        figure = edge_lines(LATENTS_LIMITS, rebuilt, drawn, LATENTS_LIMITS.index(int(latent)))
        st.plotly_chart(figure, config=PLOT, key="edges")
        st.caption(f"At beta {beta}; edges: squared differences of neighbouring pixels, summed over all images.")
    left, right = st.columns(2)
    left.latex(r"\arg\min_{\hat x}\; \mathbb{E}_{p(x \mid z)} \lVert x - \hat x \rVert^2 = \mathbb{E}[x \mid z]")
    right.latex(r"\mathbb{E}[x \mid z] = \frac{\sum_n q(z \mid x_n)\, x_n}{\sum_n q(z \mid x_n)}")
    st.caption(
        r"$x$: image; $z$: code; $\hat x$: what is decoded; $x_n$: training images; $q(z \mid x_n)$: the encoder's "
        "posterior. The cross-entropy has the same optimum. A VAE is sampled by showing this mean: a true draw from "
        r"$p(x \mid z)$ decides every pixel by itself, which looks like noise on the edge, not like a sharper digit."
    )


@frame.part
def few_images() -> None:
    """What is learned by heart, and what helps."""
    st.subheader("Few images are learned by heart", anchor=False)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        images = lesson.FEW[controls.choose("Training images", list(lesson.FEW), key="images")]
        cure = controls.choose("Cure", lesson.cures_of(images), key="cure")
    every = {title: lesson.few(images, title) for title in lesson.cures_of(images)}
    today, name = every[cure], lesson.few_models()[images, lesson.CURES[cure]]
    whole = lesson.results()["few"]["models"][lesson.WHOLE]
    left, right = st.columns([8, 5], gap="large")
    with left:
        curves = {title: row["curve"] for title, row in every.items()}
        figure = learning_curves(curves, cure, whole["held_out"], f"{whole['images']:,} images", TOP)
        st.plotly_chart(figure, config=PLOT, key="curves")
    with right:
        small_table(
            [*every, f"all {whole['images']:,} images"],
            {
                "training": [f"{row['train']:.1f}" for row in [*every.values(), whole]],
                "held out": [f"{row['held_out']:.1f}" for row in [*every.values(), whole]],
                "gap": [gap(row) for row in [*every.values(), whole]],
            },
            strong=list(every).index(cure),
        )
        st.markdown(verdict(cure, every))
    few, many = (cache.checkpoint(each).training for each in (name, lesson.WHOLE))
    number = torch.arange(OTHERS)
    x, other = lesson.known_images().images(number), cache.held_out(lesson.DATA).images(number)
    for column, title, pictures in zip(st.columns(2), ("Training images", "Held-out images"), (x, other), strict=True):
        with column:
            picture_rows([Row(title, "as they are", pictures), Row("Rebuilt", cure, lesson.rebuild(name, pictures))])
    st.caption(
        f"Model {name}, trained on the first {images:,} images of MNIST, 16 latents, beta 1, "
        f"{taught(cure, today['curve']):,} steps of {few['batch']} images ({whole['images']:,} images: "
        f"{many['steps']:,} of {many['batch']}). \u2212ELBO (grey BCE), nats per image; table: the finished models "
        f"over all their training images and all {frame.held_out_words(lesson.DATA)} Training curves are means over "
        "the 50 steps before; with dropout, of the network that is missing units. Early stopping chose its step by the "
        "held-out images, so its figure flatters it a little."
    )


def gap(row: dict[str, float]) -> str:
    """How many nats dearer held-out images are than training images."""
    return minus(f"{row['held_out'] - row['train']:.1f}")


def taught(cure: str, curve: dict[str, list[float]]) -> int:
    """The step whose weights are shown: the last one, or the best one of early stopping."""
    best = min(range(len(curve["step"])), key=curve["held_out"].__getitem__) if cure == STOPPED else -1
    return int(curve["step"][best])


def verdict(cure: str, every: dict[str, dict[str, float]]) -> str:
    """What the table says of a cure."""
    plain, own = every["no cure"], every[cure]
    if cure == "no cure":
        return (
            f"The gap between held-out and training images is **{own['held_out'] - own['train']:.0f} nats**: the "
            "model has learned these very images."
        )
    gained = plain["held_out"] - own["held_out"]
    return f"Against no cure, held-out images cost **{abs(gained):.0f} nats {'less' if gained > 0 else 'more'}**."


@frame.part
def costs() -> None:
    """What a model costs, over the side of the image and over the latents."""
    st.subheader("Pixels cost, latents hardly do", anchor=False)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        measure = controls.choose("Cost", list(lesson.MEASURES), key="cost")
        against = controls.choose("Over", list(lesson.AGAINST), key="over")
    found = lesson.results()["cost"]
    lines, points = lesson.cost_of(measure, against)
    left, right = st.columns([6, 6], gap="large")
    with left:
        x, y = lesson.AGAINST[against][1], lesson.MEASURES[measure][1]
        st.plotly_chart(cost_lines(lines, points, x=x, y=y), config=PLOT, key="costs")
    with right:
        for name, (sizes, values) in lines.items():
            grown = values[-1] / values[0]
            st.markdown(
                f"**{name.capitalize()}**: {sizes[-1] / sizes[0]:.0f} times the {against} costs **{grown:.2g} times** "
                "as much."
            )
        small_table(
            [lesson.OURS[row["name"]] for row in found["ours"]],
            {
                "weights": [f"{row['parameters'] / 1e6:.2f} M" for row in found["ours"]],
                "mult.": [f"{row['multiplications'] / 1e6:.2f} M" for row in found["ours"]],
                "s / epoch": [f"{row['epoch']:.0f}" for row in found["ours"]],
                "MB / step": [f"{row['memory'] / 1e6:.0f}" for row in found["ours"]],
            },
        )
    st.caption(
        "Weights and multiplications counted; memory, counted: every weight four times (Adam) and what a step on "
        f"{found['batch']} images keeps; time: processor time of one core, float32, from the "
        "median of 8 steps on random pixels. Lines: two untrained VAEs with 16 latents, or with pictures of 32 pixels "
        "a side; crosses: models of this app, trained on MNIST or sprites."
    )


@frame.part
def judges() -> None:
    """Six sets of samples under six scores."""
    st.subheader("Which samples are best? It depends on who is asked", anchor=False)
    names = list(lesson.ranks())
    name = controls.choose("Samples of", names, key="set", style="select")
    letters = dict(zip(names, ascii_uppercase, strict=False))
    found = lesson.results()["sets"]
    values = {each: lesson.written(each) for each in lesson.sets()}
    left, right = st.columns([8, 4], gap="large")
    with left:
        figure = rank_lines(list(lesson.JUDGED), lesson.ranks(), values, letters, name)
        st.plotly_chart(figure, config=PLOT, key="ranks")
    with right:
        sheet = tile(lesson.of_set(name, PICTURES), int(PICTURES**0.5))
        closeup([Close(name, f"{PICTURES} of {found['samples']:,} samples", sheet)], columns=1)
        st.markdown(lesson.told_of_sets())
    columns = {title: [row[place] for row in values.values()] for place, title in enumerate(lesson.JUDGED)}
    titles = [f"{letters.get(each, chr(8211))}  {each}" for each in values]
    small_table(titles, columns, strong=list(values).index(name))
    st.caption(
        f"{found['samples']:,} samples of each, of VAEs trained on MNIST with 16 latents; log-likelihood of the first "
        f"{found['judged']:,} held-out images, black and white by one draw: for VAEs a lower bound with "
        f"{found['draws']} importance samples. By heart: all {found['memory']:,} training images, each pixel turned "
        f"over with probability {found['flip']:g}; shown and scored without that. The other scores: by our digit "
        "classifier, against as many held-out images; last row: other held-out images in the samples' place."
    )


SEEN = """
- **Settings matter, and no cell of the map is best at everything.** Where beta is small the code tells much and
  reconstructions are sharp, but samples fall between the codes; where it is large, latents fall asleep and samples
  become alike. Up to beta 3, spare latents change little; at 10 they are in the way.
- **Blur is not a bug of the network.** For one code several images are possible, and the answer with the least error
  is their mean. More latents or a smaller beta make the code tell more, so fewer images share it; then reconstructions
  sharpen. Samples need not.
- **Few images are learned by heart.** Training images get ever cheaper, held-out ones ever dearer. On 100
  of them, stopping early, dropout and weight decay all help; on 1,000, dropout costs a little. More images help most.
- **Cost follows the pixels.** With the side of an image, weights and multiplications grow up to its square; the
  latents are a small part of it.
- **A score of samples is an answer to one question.** A mixture of one per cent model and noise loses at most
  ln 100 = 4.6 nats; a memory that repeats its training images looks perfect and is a bad model of new ones.
"""
LECTURE = r"""
**7.11 Limitations and Challenges** names over-smooth pictures, sensitivity to settings such as the weight of the KL,
the cost of training and the trouble with evaluating samples. The essay's chapters **Criticisms and challenges of VAEs**
and **The Countenance of Overfitting in VAEs** add few images.

The mixture: $p'(x) = 0.01\, p(x) + 0.99\, n(x) \ge 0.01\, p(x)$, so $\log p'(x) \ge \log p(x) - \log 100$, with $p$ the
model's and $n$ the noise's density (Theis, van den Oord and Bethge 2016).
"""

frame.opening(
    "Which limits of a VAE can be tuned away?",
    "Every cell is a trained model: point at one to see what it makes, and colour the map by another score.",
)
lesson.results()  # where nothing was measured, one sentence instead of five
settings()
st.divider()
blurred()
st.divider()
few_images()
st.divider()
costs()
st.divider()
judges()
frame.closing(
    SEEN,
    [shares, best_picture, edge_energy, DropoutVAE, cost, mixed_log_density, memory_log_density, frechet_distance,
     sample_sets],
    LECTURE,
)  # fmt: skip
