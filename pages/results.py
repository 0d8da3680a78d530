"""Results: what trained VAEs give back and make up, and what sharpness costs in likelihood."""

from __future__ import annotations

from typing import Any

import streamlit as st

from ui import cache, controls, frame
from ui.closeup import Close, closeup
from ui.figures import PLOT
from ui.figures.results import Placed, plane
from ui.lessons import results as lesson
from ui.lessons.results import COLUMNS, KINDS, WORDS
from ui.palette import RUN_COLOURS
from ui.picture_rows import Row, picture_rows
from ui.sheet.axes import minus
from ui.small_table import small_table
from vae_core.data import dataset
from vae_core.metrics.frechet import frechet_distance
from vae_core.metrics.sharpness import edge_energy, sharpness
from vae_core.models import PerceptualVAE
from vae_core.models.parts import ResidualBlock
from vae_core.recipes.results import DATA_RESULTS

COLOURS = dict(zip(KINDS, RUN_COLOURS, strict=False))
MOST_SEEDS = 1_000_000
START = "Fashion-MNIST"


def pick() -> tuple[str, int]:
    """The data, and which held-out images."""
    found = lesson.choices()
    with st.container(horizontal=True, vertical_alignment="bottom", key="controls"):
        short = found[controls.choose("Data", list(found), key="data", default=START)]
        last = st.session_state.setdefault("data shown", short)
        if last != short:  # the rows of other data are other ones, and maybe fewer
            st.session_state["data shown"] = short
            controls.to_link("row", None)
        row = controls.index_from_link("row", lesson.pages(short), 0, "row")
        controls.another("Other images", "row", row, lesson.pages(short))
    return short, row


def copies(short: str, row: int) -> None:
    """Held-out images, and what every model gives back of them."""
    entry = lesson.measured()[short]
    rows = [Row("Held-out images", "never seen in training", lesson.originals(short, row))]
    for kind, title in KINDS.items():
        told = entry["models"][kind]
        words = f"{WORDS[kind]}<br>PSNR {told['psnr']:.1f} dB"
        rows.append(Row(title, words, lesson.copies(short, kind, row), COLOURS[kind]))
    with st.container(key="figure"):
        picture_rows(rows)
    data = DATA_RESULTS[short]
    latent: Any = cache.checkpoint(lesson.result_name(short, "conv")).model.config.latent  # type: ignore[union-attr]
    st.caption(
        f"Three VAEs with {latent} latents, each trained on {dataset(data).title} for {told['epochs']} epochs, a short "
        f"training. Shown: {COLUMNS} of {frame.held_out_words(data)} A copy is decoded from the mean of q(z|x). PSNR "
        f"over all {entry['held_out']:,}: 10 log(1 / mean squared error), to base 10; more is nearer."
    )


@frame.part
def samples(short: str) -> None:
    """Codes drawn from the prior, decoded by every model."""
    st.subheader("And what does it make up?", anchor=False)
    seed = controls.index_from_link("seed", MOST_SEEDS, 0, "draw")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        temperature = controls.number("Temperature", 0.0, 1.5, 1.0, 0.1, key="temperature")
        controls.another("Other samples", "seed", seed, MOST_SEEDS)
    entry = lesson.measured()[short]
    rows = []
    for kind, title in KINDS.items():
        words = f"Fr\u00e9chet {entry['models'][kind]['fid_judge']:.1f}" if temperature == 1 else WORDS[kind]
        rows.append(Row(title, words, lesson.samples(short, kind, seed, temperature), COLOURS[kind]))
    picture_rows(rows)
    st.caption(
        "No image went in: z is drawn from N(0, I) and multiplied by the temperature, 1 for the prior itself; the same "
        "draws for all three. Shown: the decoder's mean, without the noise that its Gaussian would add. At "
        f"temperature 0 every draw is z = 0. Fr\u00e9chet distance: {entry['samples']:,} samples against "
        f"{entry['held_out']:,} held-out images, temperature 1, less is nearer."
    )


def compare(short: str) -> None:
    """Sharpness against likelihood, and all the numbers."""
    st.subheader("Sharper or likelier?", anchor=False)
    entry = lesson.measured()[short]
    models = entry["models"]
    placed = [
        Placed(title, models[kind]["bits"], models[kind]["sharp_copies"], models[kind]["sharp_samples"], COLOURS[kind])
        for kind, title in KINDS.items()
    ]
    st.plotly_chart(plane(placed), config=PLOT, key="plane")
    st.caption(
        "Filled: copies; hollow: samples. Sharpness: squared differences of neighbouring pixels, as a share of those "
        f"of the {entry['held_out']:,} held-out images. More is not always better: noise and patterns that no image "
        "has count as edges too. Bits per dimension: minus the ELBO over the numbers in an image, for grey values of "
        "256 steps; without the noise that would spread each over its step, so an approximation."
    )
    formats = {
        "ELBO": lambda row: minus(f"{row['elbo']:,.0f}"),
        "KL": lambda row: f"{row['kl']:.1f}",
        "bits per dim": lambda row: f"{row['bits']:.3f}",
        "PSNR": lambda row: f"{row['psnr']:.2f}",
        "sharp copies": lambda row: f"{row['sharp_copies']:.2f}",
        "samples": lambda row: f"{row['sharp_samples']:.2f}",
        "Fr\u00e9chet": lambda row: f"{row['fid_judge']:.1f}",
        "by its eyes": lambda row: f"{row['fid_eyes']:.1f}",
        "weights": lambda row: f"{row['weights']:,}",
        "minutes": lambda row: f"{row['seconds'] / 60:.1f}",
    }
    small_table(list(KINDS.values()), {name: [told(models[kind]) for kind in KINDS] for name, told in formats.items()})
    st.caption(
        "ELBO: log-density of pixels in [0, 1] in nats per image, so it may be above 0; one draw of q(z|x), a Gaussian "
        "of one scale for all pixels. Two models learn that scale with their loss; the perceptual VAE's is fitted to "
        "its error and changes nothing else, so its ELBO is told, not trained for. Fr\u00e9chet distances in the "
        "features of our own classifiers, comparable on this page only: the judge took no part in any of these "
        "trainings; the eyes are those that the perceptual VAE learned to please, so they flatter it. As many training "
        f"images score {entry['floor']['judge']:.1f} and {entry['floor']['eyes']:.1f}. Minutes on one thread "
        "of a CPU, beside other work and so only roughly, without the eyes' own training."
    )


@frame.part
def closer(short: str, row: int) -> None:
    """One picture, and what each loss sees of its copies."""
    st.subheader("What does each loss see?", anchor=False)
    chosen = controls.choose("Picture", [str(place + 1) for place in range(COLUMNS)], key="picture")
    place = int(chosen) - 1
    found = lesson.errors(short, row, place)
    maps = lesson.in_common(found)
    original = lesson.originals(short, row)[place]
    for kind, title in KINDS.items():
        seen = found[kind]
        names = ["Pixels", *(f"Depth {depth}" for depth in range(1, len(seen.maps)))]
        shown = zip(names, maps[kind], seen.missed, strict=True)
        pictures = [
            Close("Original", "held-out", original),
            Close(title, "copy", seen.copy, COLOURS[kind]),
            *(Close(name, f"{share:.0%} missed", each) for name, each, share in shown),
        ]
        closeup(pictures, columns=len(pictures), narrow=3)
    average = "; ".join(
        f"{title.lower()}: "
        + ", ".join(
            f"{missed / unit:.0%}"
            for missed, unit in zip(
                lesson.measured()[short]["models"][kind]["missed"], lesson.measured()[short]["variance"], strict=True
            )
        )
        for kind, title in KINDS.items()
    )
    st.caption(
        "Bright: wrong, by the root of the squared error; each column on one scale for the three models. Pixels: what "
        "the first two compare. Depth: what the small classifier's convolutions answer after each ReLU, which the "
        "perceptual VAE compares. Missed: squared error as a share of the variance between images, of this picture. "
        f"Mean over all held-out images, by depth: {average}."
    )


SEEN = """
- **A VAE gives back the large and loses the fine.** Its copies keep place, shape and shade; edges come back soft,
  because where the code leaves several pictures possible, the best answer to a squared error is their mean.
- **More layers help, within limits.** On every dataset the residual VAE copies nearer and has the better ELBO, and
  has more to compute; it is still blurred, for the loss asks for the mean all the same.
- **Another loss, another picture.** Compared by features, a soft edge is a large error: the copies have more edges than
  those of the same network trained on pixels, and the likelihood is lower. Not all of these edges are the image's:
  on photographs a fine grid appears, which no image has.
- **Samples are worse than copies**, in every model: the prior holds places where no image was ever encoded.
- **Who judges matters.** On clothes and photographs the eyes that the perceptual VAE was trained with call its samples
  the best. To a judge that took no part they are the worst of the clothes, and about as far off as the others of the
  photographs. On digits nothing is gained, and both call its samples the worst.
"""
LECTURE = r"""
**7.9 Results** of the lecture shows reconstructions and generations on MNIST, generations on CIFAR-10 at 32 x 32
pixels, and links to the deep feature consistent VAE (Hou et al. 2017). Its loss, as trained here:

$$\mathcal L = \sum_{l} w_l\, \frac{D}{n_l}\, \lVert f_l(x) - f_l(\hat x) \rVert^2 + w_0\, \lVert x - \hat x \rVert^2 +
\mathrm{KL}(q(z \mid x)\,\|\,p(z))$$

with $x$ the image of $D$ numbers, $\hat x$ what the decoder makes of a draw of $z$, $f_l$ the $n_l$ features of a
classifier at depth $l$, which stays as it is, and $w$ the weights. Hou et al. take a network trained on ImageNet and
faces of 64 x 64 pixels; ours is a small one, trained on the same data, and our pixel term keeps the colours.
"""

frame.opening(
    "What does a trained VAE give back, and what does it make up?",
    "Choose the data and compare the rows: where are copies soft? Below, draw samples, and see what sharpness costs.",
)
data, at = pick()
frame.guarded(copies)(data, at)
st.divider()
samples(data)
st.divider()
frame.guarded(compare)(data)
st.divider()
closer(data, at)
frame.closing(
    SEEN,
    [PerceptualVAE.perceived, PerceptualVAE.loss, ResidualBlock, edge_energy, sharpness, frechet_distance],
    LECTURE,
)
