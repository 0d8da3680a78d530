"""Compression: how many bits an image needs as a quantised code, beside JPEG and WebP."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st

from ui import cache, controls, frame
from ui.figures import PLOT
from ui.figures.compression import Curve, rate_curves, symbol_bars
from ui.lessons import compression as lesson
from ui.lessons.compression import DATA
from ui.palette import ROLE_COLOURS, RUN_COLOURS
from ui.picture_rows import Row, picture_rows
from vae_core.data import dataset
from vae_core.latent.codecs import FORMATS, Setting, sheet_file
from vae_core.latent.coding import Quantiser, Table, decibels, fit_table, read, write

SHOWN = 6  # images in a row
COLOURS = {"Autoencoder": ROLE_COLOURS["autoencoder"], "JPEG": RUN_COLOURS[2], "WebP": RUN_COLOURS[3]}
FRACTIONS = {0.5: "1/2", 0.25: "1/4", 0.125: "1/8"}


def step_words(step: float) -> str:
    return FRACTIONS.get(step, f"{step:g}")


def latents(count: int) -> str:
    return "1 latent" if count == 1 else f"{count} latents"


def pick() -> tuple[int, int]:
    """The latent size, and which of the steps."""
    controls.option_from_link("data", (dataset(DATA).title,), dataset(DATA).title)  # its models are all of one data set
    measured = lesson.results()
    sizes = [str(row["latent"]) for row in measured["rows"]]
    steps = [step_words(step) for step in measured["steps"]]
    latent = controls.choose("Numbers per image (latent size)", sizes, key="latent", default="16")
    step = controls.choose(
        "Step of the quantisation", steps, key="step", default="1/2",
        help="Every number of the code is rounded to a multiple of the step. Its unit is the standard deviation of "
        "the codes of the training images (root mean square over the latents).",
    )  # fmt: skip
    return int(latent), steps.index(step)


def setting_words(quality: int, side: int | None) -> str:
    return f"quality {quality}" + (f", shrunk to {side} pixels" if side else "")


def curve_of(row: dict, colour: str) -> Curve:
    points = row["points"]
    words = [f"step {step_words(point['step'])}" for point in points]
    name = f"autoencoder, {latents(row['latent'])}"
    return Curve(
        name, [p["bits"] for p in points], [decibels(p["error"]) for p in points], words, colour, str(row["latent"])
    )


def rival_of(format: str) -> Curve:
    points = lesson.hull(format)
    bits, heights = [p["bits"] for p in points], [decibels(p["error"]) for p in points]
    return Curve(format, bits, heights, [setting_words(p["quality"], p["side"]) for p in points], COLOURS[format])


def row(name: str, written: lesson.Written, shown: slice) -> Row:
    words = f"{written.bits:.1f} bits, {decibels(written.error):.1f} dB"
    return Row(name, words, written.pictures[shown], COLOURS[name])


@frame.part
def compare() -> None:
    """The same images as codes, as JPEG and as WebP of about equal size, and the curves of all of them."""
    measured = lesson.results()
    with st.container(key="controls", horizontal=True, vertical_alignment="bottom"):
        latent, place = pick()
        sets = lesson.images_in_a_file() // SHOWN
        first = controls.index_from_link("set", sets, 0, "set of images")
        controls.another("Other images", "set", first, sets)
    shown = slice(first * SHOWN, (first + 1) * SHOWN)
    coded = lesson.coded(latent, place)
    settings = [lesson.nearest(format, coded.written.bits) for format in FORMATS]
    sheets = [lesson.sheet(setting) for setting in settings]
    left, right = st.columns([7, 6], gap="medium")
    with left, st.container(key="figure"):
        rows = [Row("Held-out images", f"{8 * lesson.pixels()[0].numel():,} bits raw", lesson.pixels()[shown])]
        rows.append(row("Autoencoder", coded.written, shown))
        rows += [row(format, sheet, shown) for format, sheet in zip(FORMATS, sheets, strict=True)]
        picture_rows(rows)
        too_large = [
            f"{format} cannot go below {sheet.bits:.0f} bits"
            for format, sheet in zip(FORMATS, sheets, strict=True)
            if sheet.bits > 1.25 * coded.written.bits
        ]
        if too_large:
            st.markdown(f"**Not at equal size:** {'; '.join(too_large)}, even shrunk.")
    with right:
        today = curve_of(lesson.row_of(latent), COLOURS["Autoencoder"])
        others = [curve_of(each, COLOURS["Autoencoder"]) for each in measured["rows"] if each["latent"] != latent]
        figure = rate_curves(today, others, [rival_of(format) for format in FORMATS], place)
        st.plotly_chart(figure, config=PLOT, key="rates")
    say_what_was_written(coded, settings)
    say_the_price(latent, place)
    show_the_table(latent, place, coded)


def say_what_was_written(coded: lesson.Coded, settings: Sequence[Setting]) -> None:
    measured, count = lesson.results(), lesson.images_in_a_file()
    whole = "every number came back exactly" if coded.exact else "some numbers did not come back"
    st.caption(
        f"Rows: files of the first {count:,} of {frame.held_out_words(DATA)} Written just now; bits are whole files, "
        f"divided by {count:,}. The autoencoder, trained on {measured['trained_on']:,} training images for the least "
        f"squared error: {coded.written.size:,} bytes from a range coder, and {whole}; its tables promised "
        f"{coded.expected:.1f} bits per image. Curves: all {measured['held_out']:,}, in files of {measured['file']:,}."
    )
    with st.expander("How JPEG and WebP are counted"):
        jpeg, points = measured["formats"]["JPEG"], lesson.hull("JPEG")
        headers = np.mean([point["overhead"] for point in points])
        st.markdown(
            f"A JPEG of a single digit, at its coarsest, is {jpeg['alone']:,.0f} bits, {jpeg['alone_overhead']:,.0f} "
            f"of them headers and tables; a WebP {measured['formats']['WebP']['alone']:,.0f} bits (means of "
            f"{measured['alone']} digits). That would say more about headers than about pictures. So {count:,} digits "
            f"stand on one sheet: the headers then weigh {headers:.1f} bits per image in a JPEG, and stay counted. "
            "Both formats may also shrink the sheet before and enlarge it afterwards (Lanczos, bicubic), and only "
            "settings that no others and no mixture of two others beat are drawn. Rows: the settings nearest in size, "
            + " and ".join(f"{each.format} at {setting_words(each.quality, each.side)}" for each in settings)
            + f". Pillow {measured['pillow']}: progressive JPEG with tables made for the sheet; WebP by its slowest, "
            "best method, which keeps colour that a digit does not need, at little cost."
        )


def say_the_price(latent: int, place: int) -> None:
    """The weights are not in the bits of an image: when they are paid for."""
    price, row = lesson.price(latent, place), lesson.row_of(latent)
    height = decibels(row["points"][place]["error"])
    least = "as few as it can, " if price.rival_bits <= lesson.hull(price.rival)[0]["bits"] else ""
    sizes = (
        f"The bits leave out what the receiver must have beforehand: a decoder of {row['weights']:,} weights and the "
        f"tables, **{price.bits / 8e3:,.0f} kB** at {lesson.WEIGHT_BITS} bits each. For {height:.1f} dB {price.rival} "
        f"needs {least}{price.rival_bits:.0f} bits per image, the code {row['points'][place]['bits']:.1f}; "
    )
    if price.images is None:
        st.markdown(sizes + "so the decoder is **never** paid for.")
    else:
        st.markdown(sizes + f"so the decoder is paid for after **{price.images:,} images**.")


def show_the_table(latent: int, place: int, coded: lesson.Coded) -> None:
    """What the range coder expects of one latent, and what came."""
    st.subheader("Why fewer bits for what is expected?", anchor=False)
    names = [f"latent {each + 1}" for each in range(latent)]
    with st.columns([1, 3])[0]:
        which = names.index(controls.choose("Table of", names, key="of", style="select")) if latent > 1 else 0
    table: Table = lesson.coder(latent, place).tables[which]
    column = coded.symbols[:, which]
    cells = np.arange(table.lowest, table.lowest + len(table.frequencies) - 1)
    shares = table.frequencies[:-1] / table.frequencies.sum()
    seen = np.array([(column == cell).mean() for cell in cells])
    bits = table.bits(cells)
    figure = symbol_bars(cells.tolist(), shares.tolist(), seen.tolist(), bits.tolist(), COLOURS["Autoencoder"])
    st.plotly_chart(figure, config=PLOT, key="table")
    fixed = np.ceil(np.log2(len(cells)))
    st.caption(
        "Numbers on the bars, where there is room: bits that the cell costs, the negative logarithm of its share. On "
        f"average over the first {len(column):,} held-out images **{table.bits(column).mean():.2f} bits**; a number of "
        f"fixed length for {len(cells)} cells takes {fixed:.0f}. A cell that no training image fell into is written "
        f"as an escape and 16 plain bits: {int(table.escaped(column).sum())} times here."
    )


SEEN = """
- **A small code is not yet a small file.** A code of real numbers has no size in bits until it is rounded. The step
  decides: half of it costs about one bit more for every latent, and below some step the picture gains nothing more:
  then the bottleneck is what loses, not the rounding.
- **Few latents finely rounded or many coarsely?** For each number of bits another latent size is best: follow the
  upper edge of the curves. From three bits on it belongs to steps of 1/2 and finer: to round many latents coarsely is
  worse than to keep fewer of them.
- **Bits follow expectation.** The range coder gives a frequent cell few bits and a rare one many; its file is as long
  as the cross-entropy says, to a fraction of a percent. It takes the latents for independent: what one tells of another
  would save more.
- **The gain is knowledge of digits, and it has a price.** JPEG and WebP know nothing of digits, and serve for every
  picture. The autoencoder knows nothing else, its decoder weighs as much as more than ten thousand coded digits, and
  it cannot go beyond its bottleneck: where many bits may be spent, WebP wins.
"""
LECTURE = r"""
**4 DUL - Applications** names compression; **6.1 Motivation** asks for it of an autoencoder, and **6.4 Architecture**
calls the latent size the place where too small forgets and too big does not compress.

A code $z$ becomes the cell $q = \mathrm{round}\big((z - c) / \Delta\big)$, with the centre $c$ and the step $\Delta$,
and comes back as $c + \Delta q$; spread evenly over a cell, it is off by $\Delta^2 / 12$ in the mean square. With the
share $p(q)$ that the table expects, an image costs $\;-\sum_i \log_2 p_i(q_i)\;$ bits over its latents $i$; averaged
over images that is the cross-entropy, and never less than the entropy (Shannon 1948). Coding with such shares to within
a fraction of a bit: Rissanen (1976), Pasco (1976), Martin (1979). For an error $D$ per pixel of values from 0 to 1,
$\;\mathrm{PSNR} = -10 \log_{10} D$.
"""

frame.opening(
    "How few bits does a digit need?",
    "Choose how many numbers a code has and how coarsely each is rounded: the ring marks it. The rows compare files of "
    "about equal size.",
)
cache.held_out(DATA)
compare()
frame.closing(SEEN, [Quantiser, fit_table, write, read, sheet_file, lesson.price], LECTURE)
