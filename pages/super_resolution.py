"""Super-resolution: small pictures made large again, by filters and by a network; and what the network invents."""

from __future__ import annotations

import math
from collections.abc import Callable

import streamlit as st
import torch
from torch import Tensor

from ui import cache, controls, frame
from ui.closeup import Close, closeup
from ui.draw_pad import draw_pad
from ui.figures import PLOT
from ui.figures.super_resolution import fidelity_dots
from ui.lessons import super_resolution as lesson
from ui.lessons.super_resolution import FACTORS, KINDS, METHODS, NETWORK, Enlarged, Kind
from ui.picture_rows import Row, picture_rows
from ui.sheet.axes import minus
from ui.small_table import small_table
from vae_core.data import dataset
from vae_core.data.uploads import Upload, read_photograph, read_picture
from vae_core.errors import InvalidInput
from vae_core.imaging.resampling import reduced, resized, weights
from vae_core.metrics.fidelity import psnr, ssim
from vae_core.models import SuperResolution

SHOWN, FAILED = 6, 9  # pictures in a row: held-out ones, and failures
CLASS, LEAST = "read as another class", "least gained"
DRAW, UPLOAD = "draw", "upload"
SIDES = ("32", "64", "128")  # pixels of a photograph of one's own
MOST_MEGABYTES = 32


def decibels(value: float) -> str:
    return "equal" if math.isinf(value) else f"{value:.1f} dB"


def pick() -> tuple[Kind, int]:
    """Which pictures, and how much smaller they are made."""
    kind = KINDS[controls.choose("Pictures", list(KINDS), key="data")]
    return kind, FACTORS[controls.choose("Made smaller by", list(FACTORS), key="factor")]


def show_rows(clean: Tensor, done: Enlarged) -> None:
    """The originals, and what each method makes of the small ones, under one another."""
    height, width = done.small.shape[-2:]
    rows = [
        Row(
            method.title,
            f"{f'{height} x {width} were given; ' if name == 'nearest' else ''}"
            f"{decibels(done.made[name].decibels.mean().item())}, SSIM {done.made[name].alike.mean():.2f}",
            done.made[name].pictures,
            method.colour,
        )
        for name, method in METHODS.items()
    ]
    rows.append(Row("Original", f"{clean.shape[-2]} x {clean.shape[-1]} pixels", clean))
    picture_rows(rows)


def show_closely(clean: Tensor, done: Enlarged, which: int, columns: int) -> None:
    """One picture, large: what was given, what the best filter and the network make of it, and what it was."""
    names = ("nearest", "lanczos", NETWORK) if columns == 2 else tuple(METHODS)
    closeup(
        [
            Close(
                METHODS[name].title,
                f"{decibels(done.made[name].decibels[which].item())}, SSIM {done.made[name].alike[which]:.2f}",
                done.made[name].pictures[which],
                METHODS[name].colour,
            )
            for name in names
        ]
        + [Close("Original", f"{clean.shape[-2]} x {clean.shape[-1]} pixels", clean[which])],
        columns,
    )


@frame.part
def explore() -> None:
    """Held-out pictures made small and large again; one of them closely; the numbers over all of them."""
    with st.container(key="controls", horizontal=True, vertical_alignment="bottom"):
        kind, factor = pick()
        source = cache.held_out(kind.data)
        sets = len(source) // SHOWN
        first = controls.index_from_link("set", sets, 0, "set of pictures")
        look = int(controls.choose("Look closely at", [str(each + 1) for each in range(SHOWN)], key="look")) - 1
        controls.another("Other pictures", "set", first, sets)
    clean, done = lesson.held_out_enlarged(kind, factor, tuple(range(first * SHOWN, (first + 1) * SHOWN)))
    left, right = st.columns([8, 5], gap="medium")
    with left, st.container(key="figure"):
        show_rows(clean, done)
    with right:
        show_closely(clean, done, look, columns=2)
    st.caption(
        f"{SHOWN} of {frame.held_out_words(kind.data)} Beside the rows: means over these {SHOWN}. Each "
        f"small pixel is the mean of {factor} x {factor}, rounded to 8 bits; this small picture is all that any "
        "method is given, and what it makes is cut off at black and white "
        f"and rounded to 8 bits as well. The network was trained on the training images of {dataset(kind.data).title}, "
        "made small in the same way; it has seen none of these."
    )
    over_all(kind, factor)
    invented(kind, factor)
    own_picture(kind, factor)


def over_all(kind: Kind, factor: int) -> None:
    """PSNR and SSIM of every method on the whole test set."""
    row, names = lesson.measured(kind, factor), list(METHODS)
    st.subheader(f"On all {row['held_out']:,} held-out pictures", anchor=False)
    left, right = st.columns([5, 7], gap="medium", vertical_alignment="center")
    with left:
        figure = fidelity_dots(
            [METHODS[name].title for name in names],
            [row["psnr"][name] for name in names],
            [row["ssim"][name] for name in names],
            [METHODS[name].colour for name in names],
        )
        st.plotly_chart(figure, config=PLOT, key="dots")
    with right:
        st.markdown(verdict(row))
        small_table(
            [f"{name}, {factor}" for name in KINDS for factor in FACTORS],
            {method.title: column(name) for name, method in METHODS.items()},
        )
    st.caption(
        f"Measured on the whole test set, also where this machine holds only a part of it. PSNR in dB and SSIM, means "
        f"over pictures. Lanczos with three lobes; of the two usual bicubic kernels the one that does better on "
        f"{lesson.results()['tuned_on']:,} training images. Where the same pictures are made small by a bicubic filter "
        f"instead, which the network has never met, it reaches {row['otherwise'][NETWORK]:.2f} dB, Lanczos "
        f"{row['otherwise']['lanczos']:.2f} dB."
    )


def verdict(row: dict) -> str:
    """What the network gains, and whether what it adds agrees with what it was given."""
    gain = {name: row["psnr"][NETWORK] - row["psnr"][name] for name in ("bicubic", "lanczos")}
    return (
        f"The network comes **{gain['bicubic']:+.1f} dB** nearer to the original than bicubic, and "
        f"{gain['lanczos']:+.1f} dB than Lanczos. Made small again, its picture is **{row['again'][NETWORK]:.1f}** of "
        f"255 steps off the given one (bicubic: {row['again']['bicubic']:.1f}): what it adds, the small picture does "
        "not forbid."
    )


def column(method: str) -> list[str]:
    """PSNR and SSIM of one method on every kind of pictures, at every factor."""
    rows = [lesson.measured(kind, factor) for kind in KINDS.values() for factor in FACTORS.values()]
    return [f"{row['psnr'][method]:.2f}, {row['ssim'][method]:.3f}" for row in rows]


def invented(kind: Kind, factor: int) -> None:
    """The network's failures among the held-out pictures."""
    st.subheader("What does it invent?", anchor=False)
    found, row = lesson.failures(kind, factor), lesson.measured(kind, factor)
    which = controls.choose("Held-out pictures", [CLASS, LEAST], key="wrong") if kind.judged else LEAST
    numbers = (found.changed if which == CLASS else found.least)[:FAILED]
    names = dataset(kind.data).class_names
    if which == CLASS:
        st.markdown(
            f"Read rightly by the classifier: {row['read']['original']:.1%} of the originals, "
            f"**{row['read'][NETWORK]:.1%}** of the network's pictures, {row['read']['lanczos']:.1%} of those by "
            f"Lanczos, {row['read']['nearest']:.1%} by Nearest (all {row['held_out']:,})."
        )
    else:
        gain = minus(f"{found.gains[0]:+.1f}")
        st.markdown(
            f"On {found.lost} of the {found.searched:,} pictures that were searched, the network is no nearer to the "
            f"original than Lanczos; where it gains least, that is {gain} dB."
        )
    if not len(numbers):
        st.info(f"None of the first {found.searched:,} held-out pictures changes its class here. Try 4x.")
        return
    x, done = lesson.held_out_enlarged(kind, factor, tuple(numbers.tolist()))

    def read_as(pictures: Tensor) -> list[str]:
        return [names[seen] for seen in lesson.read(kind, pictures).classes.tolist()]

    rows = [Row("Original", "as it was", x) if which == LEAST else Row("Original", "read as", x, under=read_as(x))]
    for name in ("nearest", "lanczos", NETWORK):
        made, method = done.made[name], METHODS[name]
        decibels_of = [f"{value:.1f}" for value in made.decibels.tolist()]
        words, under = ("PSNR, dB", decibels_of) if which == LEAST else ("read as", read_as(made.pictures))
        rows.append(Row(method.title, words, made.pictures, method.colour, under))
    picture_rows(rows)
    st.caption(
        f"The {len(numbers)} {'clearest' if which == CLASS else 'worst'} of the first {found.searched:,}. On this "
        f"machine: {frame.held_out_words(kind.data)} "
        + (
            "Shown are pictures whose original the classifier reads rightly, with a probability of at least "
            f"{lesson.CLEAREST:g}, and the network's otherwise: {found.of_class} in all. The classifier was trained on "
            "whole training images, and may itself err."
            if which == CLASS
            else "Sorted by the network's PSNR less that of Lanczos."
        )
    )


def own_picture(kind: Kind, factor: int) -> None:
    """A picture of one's own, made small and enlarged again."""
    st.subheader("And a picture of yours?", anchor=False)
    picture = own_photograph() if kind.data == "cifar10" else own_digit()
    if picture is None:
        return
    done = lesson.enlarged(kind, factor, picture[None])
    show_closely(picture[None], done, 0, columns=5)
    height, width = done.small.shape[-2:]
    st.caption(
        f"Made {height} x {width} pixels small, then {picture.shape[-2]} x {picture.shape[-1]} again. The network "
        f"knows {dataset(kind.data).title} only, at {' x '.join(map(str, dataset(kind.data).shape[1:]))} pixels: what "
        "it adds to anything else is what would be likely there."
    )


def own_digit() -> Tensor | None:
    """A drawing, or an uploaded digit, as MNIST has them: [1, H, W]."""
    way = controls.choose("A digit of your own", [DRAW, UPLOAD], key="own")
    side, box = dataset("mnist").shape[1], dataset("mnist").upload_box
    if way == DRAW:
        pad, words = st.columns([4, 9], gap="medium", vertical_alignment="center")
        with pad:
            pixels = draw_pad(key="pad", size=side)
        if pixels is None:
            words.info("Draw a digit: it is made small and large again below.")
            return None
        return torch.from_numpy(pixels.copy()).float()[None] / 255
    return uploaded("A picture of one digit on a plain ground", lambda content: read_picture(content, side, box))


def own_photograph() -> Tensor | None:
    """The middle square of an uploaded photograph: [3, H, W]."""
    told = "The training images have 32. The network takes any size, but has met pictures of no other."
    side = int(controls.choose("Pixels on each side, before it is made small", SIDES, key="side", help=told))

    def read(content: bytes) -> Upload:
        upload = read_photograph(content, side)
        return upload._replace(notes=upload.notes[:-1])  # the last tells its size, which stands below

    return uploaded("A photograph of one thing", read)


def uploaded(label: str, read: Callable[[bytes], Upload]) -> Tensor | None:
    file = st.file_uploader(label, key="file", max_upload_size=MOST_MEGABYTES)
    if file is None:
        return None
    try:
        upload = read(file.getvalue())
    except InvalidInput as error:
        st.error(str(error))
        return None
    for note in upload.notes:
        st.caption(note)
    return upload.picture


SEEN = """
- **The small picture leaves the answer open.** Very many large pictures become the same small one. Interpolation draws
  something smooth, whatever is shown; made small again, it is not even what was given. The network comes near the mean
  of those that its training images make likely, so it finds edges again where edges usually are.
- **It is an encoder-decoder with nothing in between.** Making the picture small is itself an encoder, a fixed one: it
  throws away three or fifteen numbers of every four or sixteen. The network is what learns the way back. Its own
  encoder finds features, many at every small pixel, so it has no bottleneck; its decoder spreads each pixel's
  features over a square of large pixels.
- **The less is left, the more is invented.** At 2x the network mostly sharpens what is there. At 4x a digit may become
  another one, drawn cleanly: nothing in the picture says what was seen and what was guessed. A number plate that is
  read off such a picture tells of the training images as much as of the car.
- **Nearest on average is not the same as sharp.** The squared error is least for the mean of all likely pictures, and
  a mean of sharp pictures is soft. A network that draws sharp textures instead looks better and, as a rule, scores
  worse.
"""
LECTURE = r"""
**6.6 Applications**, super-resolution: the input is a picture of low resolution, the output one of high resolution, and
the layers are convolutional.

With $D$ for making small, $y = D(x)$ is all that the network $g$ is shown, and its training makes
$\;\mathbb{E}_x \lVert g(D(x)) - x \rVert^2\;$ small. The best answer is $\;g(y) = \mathbb{E}[\,x \mid D(x) = y\,]$, the
mean of all pictures $x$ that become $y$. PSNR is $-10 \log_{10}$ of the mean squared error, for pixels in $[0, 1]$:
it asks for just this mean. That no method can be best at it and look natural as well was shown by Blau and
Michaeli (2018).

Here $g$ is a sharp bicubic enlargement plus what residual blocks at the low resolution and a sub-pixel convolution add
(Dong et al. 2014; Kim, Lee and Lee 2016; Shi et al. 2016; Lim et al. 2017).
"""

frame.opening(
    "Can a network put back the detail that a small picture has lost?",
    "Choose pictures and how much smaller they are made, and look closely at one. Then see what was invented.",
)
explore()
frame.closing(SEEN, [SuperResolution, reduced, resized, weights, psnr, ssim], LECTURE)
