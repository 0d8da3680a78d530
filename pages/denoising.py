"""Denoising: damaged pictures, and what filters, a plain and a denoising autoencoder make of them."""

from __future__ import annotations

import math

import streamlit as st
import torch
from torch import Tensor

from ui import cache, controls, frame
from ui.draw_pad import draw_pad
from ui.figures import PLOT
from ui.figures.denoising import fidelity_curves
from ui.lessons import denoising as lesson
from ui.lessons.denoising import DATA, METHODS, NOISES, Noise
from ui.picture_rows import Row, picture_rows
from vae_core.data import dataset
from vae_core.data.uploads import read_picture
from vae_core.errors import InvalidInput
from vae_core.imaging.corruption import corrupt
from vae_core.imaging.filters import noise_level, non_local_means
from vae_core.metrics.fidelity import psnr, ssim
from vae_core.models import DenoisingAutoencoder

SHOWN = 7  # pictures in a row
HIGHEST, STEP = 0.9, 0.05
DRAW, UPLOAD = "draw", "upload"
MOST_MEGABYTES = 32


def pick_noise() -> tuple[str, float]:
    """Which noise, and how much of it."""
    controls.option_from_link("data", (dataset(DATA).title,), dataset(DATA).title)  # its models are all of one data set
    name = controls.choose("Noise", list(NOISES), key="noise", style="select")
    level = controls.number("Level", 0.0, HIGHEST, 0.5, STEP, key="level", help=NOISES[name].unit.capitalize() + ".")
    return name, level


def decibels(value: float) -> str:
    return "equal" if math.isinf(value) else f"{value:.1f} dB"


def show_rows(clean: Tensor, noise: Noise, level: float, seed: int, name: str) -> None:
    """Clean, damaged and mended pictures under one another."""
    noisy = lesson.damaged(clean, noise, level, seed)
    made = lesson.cleaned(clean, noisy, lesson.measured_at(noise, level)["filters"])
    picture_rows(
        [Row(name, "undamaged", clean)]
        + [
            Row(METHODS[key].title, f"{decibels(each.decibels)}, SSIM {each.alike:.2f}", each.pictures,
                METHODS[key].colour)
            for key, each in made.items()
        ]
    )  # fmt: skip


def show_curves(name: str, level: float) -> None:
    """PSNR and SSIM on all held-out images, over the level."""
    noise, measured = NOISES[name], lesson.results()
    rows = lesson.rows_of(noise)
    lowest, highest = measured["trained"]
    figure = fidelity_curves(
        [row["level"] for row in rows],
        [[row["psnr"][key] for row in rows] for key in METHODS],
        [[row["ssim"][key] for row in rows] for key in METHODS],
        [method.title.replace("autoencoder", "AE") for method in METHODS.values()],  # as the lecture shortens it
        [(method.colour, method.dash, method.symbol) for method in METHODS.values()],
        (lowest, highest),
        level,
        x=noise.unit,
    )
    st.plotly_chart(figure, config=PLOT, key="curves")


def verdict(name: str, level: float) -> str:
    """What was measured nearest to today's level, in a sentence."""
    row = lesson.measured_at(NOISES[name], level)
    gains = {key: value - row["psnr"]["noisy"] for key, value in row["psnr"].items() if key != "noisy"}
    first, second = sorted(gains, key=lambda key: -gains[key])[:2]
    beyond = " (beyond the network's training)" if row["level"] > lesson.results()["trained"][1] else ""
    return (
        f"All {lesson.results()['held_out']:,} held-out images, {name} {row['level']:g}{beyond}: the best is "
        f"**{METHODS[first].title.lower()}**, which gains **{gains[first]:+.1f} dB** on what it is given; next comes "
        f"{METHODS[second].title.lower()} with {gains[second]:+.1f} dB."
    )


@frame.part
def explore() -> None:
    """Held-out images and one's own, damaged alike."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="controls"):
        name, level = pick_noise()
        source = cache.held_out(DATA)
        sets = len(source) // SHOWN
        first = controls.index_from_link("set", sets, 0, "set of images")
        controls.another("Other images", "set", first, sets)
    noise, measured = NOISES[name], lesson.results()
    x = source.images(torch.arange(first * SHOWN, (first + 1) * SHOWN))
    left, right = st.columns([8, 5], gap="medium")
    with left, st.container(key="figure"):
        show_rows(x, noise, level, first, "Held-out images")
    with right:
        show_curves(name, level)
    st.markdown(verdict(name, level))
    filters = lesson.measured_at(noise, level)["filters"]
    st.caption(
        f"Rows: {SHOWN} of {frame.held_out_words(DATA)} Beside them: means over these {SHOWN}; curves: means over "
        f"{measured['held_out']:,}. Both networks were trained on the training images of {dataset(DATA).title}: the "
        "plain one on clean ones, the denoising one on all three kinds of noise, at levels from "
        f"{measured['trained'][0]:g} to {measured['trained'][1]:g}; nobody tells it kind or level. The filters know "
        f"both: their settings gave the best PSNR on {measured['tuned_on']} training images (median of "
        f"{filters['size']} x {filters['size']}; non-local means in its fast mode, patches of {filters['patch']}, "
        f"h = {filters['strength']:g}, the noise estimated from each picture)."
    )
    st.caption(
        "Noise is applied to pixels in [0, 1]. Gaussian noise leaves that range: the methods are given it as it is, "
        "the screen cuts it off, and so does *Gaussian, clipped* before anybody sees it. The noisy line is measured "
        "on what the methods are given; clipping alone already brings it nearer to a picture that is mostly black."
    )
    own_picture(noise, name, level)


def own_picture(noise: Noise, name: str, level: float) -> None:
    """Draw or upload a picture, and damage it the same way, several times."""
    st.subheader("And a picture of yours?", anchor=False)
    pad, rows = st.columns([4, 9], gap="medium")
    with pad:
        way = controls.choose("A picture of your own", [DRAW, UPLOAD], key="own")
        picture = drawn() if way == DRAW else uploaded()
    with rows:
        if picture is None:
            st.info("Draw a digit, or something that is no digit at all: it is damaged and mended here.")
            return
        show_rows(picture.expand(SHOWN, -1, -1, -1), noise, level, SHOWN, "Your picture")
        st.caption(
            f"One picture, damaged {SHOWN} times by {name} {level:g}, with {SHOWN} draws of the noise. What no "
            "training image looks like, the network mends into something that some do."
        )


def drawn() -> Tensor | None:
    pixels = draw_pad(key="pad", size=dataset(DATA).shape[1])
    return None if pixels is None else torch.from_numpy(pixels.copy()).float()[None, None] / 255


def uploaded() -> Tensor | None:
    file = st.file_uploader("A picture of one thing on a plain ground", key="file", max_upload_size=MOST_MEGABYTES)
    if file is None:
        return None
    try:
        upload = read_picture(file.getvalue(), dataset(DATA).shape[1], dataset(DATA).upload_box)
    except InvalidInput as error:
        st.error(str(error))
        return None
    for note in upload.notes:
        st.caption(note)
    return upload.picture[None]


SEEN = """
- **A denoising autoencoder is an autoencoder with another task.** It is shown a damaged picture and its loss compares
  what it makes with the clean one. Copying is of no use, so it has to learn which pictures there are.
- **A filter knows pictures in general, the network knows digits.** The median and non-local means use only that
  neighbours, or patches, look alike. Against weak Gaussian noise that is enough, and a network that squeezes
  everything through its code may lose what they keep. Where noise is strong, only what is known of digits helps.
- **The plain autoencoder is no denoiser by birth.** Its small code cannot hold noise, but its encoder has never met
  any: much of it throws the code off, and what is decoded is a clean picture of something else.
- **Beyond the trained levels** the curves fall, and what comes out still looks like a digit, sometimes another one. A
  mended picture is the network's guess; nothing in it says where it guessed.
- **The number depends on what is counted.** PSNR is the mean squared error in decibels; SSIM compares means, variances
  and correlation in small windows. They need not agree on which method is best.
"""
LECTURE = r"""
**6.6 Applications**, denoising: add noise, feed the noisy input, compare the output with the clean original, update the
weights. **6.7 Challenges**: an autoencoder may just copy; noise on the input takes that way out.

With $\tilde x \sim q(\tilde x \mid x)$ the damaged picture, the training makes
$\;\mathbb{E}_x\,\mathbb{E}_{\tilde x}\,[-\log p(x \mid z = e(\tilde x))]\;$ small, where $e$ is the encoder (Vincent,
Larochelle, Bengio and Manzagol 2008). Its best answer is the mean of all clean pictures that could have become
$\tilde x$, hence soft where several could. $\mathrm{PSNR} = -10 \log_{10}$ of the mean squared error for pixels in
$[0, 1]$.
"""

frame.opening(
    "Can a network see the digit under the noise?",
    "Choose a noise and raise its level, also beyond what the network was trained on; then damage a picture of yours.",
)
explore()
frame.closing(
    SEEN,
    [corrupt, DenoisingAutoencoder, non_local_means, noise_level, psnr, ssim],
    LECTURE,
)
