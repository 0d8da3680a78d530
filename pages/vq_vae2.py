"""The VQ-VAE-2: two levels of code maps, what each of them knows, and a prior for either."""

from __future__ import annotations

from functools import partial

import streamlit as st
import torch

from ui import cache, controls, frame
from ui.code_map import code_map
from ui.figures import PLOT
from ui.figures.vq_vae2 import by_size
from ui.lessons import scores
from ui.lessons import vq_vae2 as lesson
from ui.picture_rows import Row, picture_rows
from ui.small_table import small_table
from ui.swap_board import swap_board
from vae_core.data import dataset
from vae_core.models import VQVAE2, PixelCNN
from vae_core.runs.code_maps import CodeMaps

VIEW, OF = "levels view", "levels of"  # the component, and the image whose codes are in the link
SIDE = 5  # images on the board, either way
COLUMNS, TIMES = 10, 3  # tops that are drawn, and bottoms for each
MOST_SEEDS = 1_000_000
ANY = "each in turn"


@frame.part
def explore() -> None:
    """A held-out image as two code maps, whose codes can be swapped."""
    source = cache.held_out(lesson.DATA)
    with st.container(horizontal=True, vertical_alignment="bottom", key="controls"):
        level = controls.choose("Map whose codes are shown", lesson.LEVELS, key="level")
        number = controls.index_from_link("image", len(source), 0)
        controls.another("Another image", "image", number, len(source))
    picture = source.images(torch.tensor([number]))
    own = dict(zip(lesson.LEVELS, lesson.maps_of(picture), strict=True))
    at = codes_in_link(number, own)
    both, alone = lesson.decoded(at["top"], at["bottom"])
    with st.container(key="figure"):
        code_map(
            picture[0],
            both,
            lesson.book(level),
            lesson.usage(level),
            key=VIEW,
            of=f"{level} {number}",
            own=own[level],
            at=at[level],
            also={"top alone": alone},
            on_release=keep_codes,
        )
    config = lesson.model().config
    counts = {each: sum(map(len, rows)) for each, rows in own.items()}
    bits = {each: count * torch.tensor(config.codes).log2() for each, count in counts.items()}
    st.caption(
        f"VQ-VAE-2 trained on {dataset(lesson.DATA).title}: {len(own['top'])} x {len(own['top'])} codes on top "
        f"({bits['top']:.0f} bits an image) and {len(own['bottom'])} x {len(own['bottom'])} below "
        f"({bits['bottom']:.0f} bits), out of two books of {config.codes}. Image {number} of "
        f"{frame.held_out_words(lesson.DATA)} Swapped: {changed(own, at, 'top')} of the top, "
        f"{changed(own, at, 'bottom')} of the bottom. The large picture is decoded from both maps. In training the "
        f"bottom was left out for {config.blank:.0%} of the images, which the paper does not do: so the "
        "decoder knows what to make of the top alone. A code is shown as the mean of its cells in the first "
        f"{lesson.BEHIND_BOOK} of these images: one of the top seen alone, one of the bottom by what it adds to the "
        "top, on grey."
    )


def codes_in_link(number: int, own: dict[str, lesson.Map]) -> dict[str, lesson.Map]:
    """The code maps in the link, the encoder's where there are none. Another image begins with its own."""
    if st.session_state.setdefault(OF, number) != number:
        for level in own:
            controls.to_link(level, None)
        st.session_state[OF] = number
    found = {}
    for level, rows in own.items():
        width, most = len(rows[0]), lesson.model().config.codes - 1
        flat = controls.vector_from_link(level, len(rows) * width, most, least=0, whole=True)
        found[level] = rows if flat is None else torch.tensor(flat).long().view(-1, width).tolist()
    return found


def keep_codes() -> None:
    """A hand chose other codes: put them into the link."""
    told = st.session_state[VIEW].get("release")
    if told and told["of"].split()[-1] == str(st.session_state[OF]):
        controls.to_link(told["of"].split()[0], [code for line in told["at"] for code in line])


def changed(own: dict[str, lesson.Map], at: dict[str, lesson.Map], level: str) -> int:
    return int((torch.tensor(own[level]) != torch.tensor(at[level])).sum())


@frame.part
def swap() -> None:
    """Every top with every bottom."""
    st.subheader("What goes along when a top moves to another picture?", anchor=False)
    left, right = st.columns([7, 5], gap="large")
    source = cache.held_out(lesson.DATA)
    with right:
        first = controls.index_from_link("first", len(source), 0)
        controls.another("Other images", "first", first, len(source), by=SIDE)
        st.plotly_chart(by_size(lesson.SIZES, *lesson.by_size()), config=PLOT, key="sizes")
        told = scores(lesson.NAME, "top_unexplained", "unexplained")
        st.markdown(
            f"Of all the variance the top alone explains {1 - told['top_unexplained']:.0%}, both "
            f"{1 - told['unexplained']:.0%}."
        )
    mixed = lesson.swapped(first, SIDE)
    with left:
        swap_board([mixed.pictures, mixed.alone], ["top of", "alone"], mixed.pictures, "bottom of", mixed.mixed)
    st.caption(
        "A row has the top map of its first picture, which the second shows alone; a column has the bottom map of the "
        "picture above it; framed: both of the same. Sizes: the means of patches of 8 pixels, what those of 4 add to "
        "them, what those of 2 add, and the rest. Explained: share of the variance of that part, over "
        f"{lesson.scored_on()} Nearer, in squared error: of {lesson.results()['swapped']:,} mixed "
        "pictures of two held-out images each, those that are nearer to the one whose top they have."
    )


@frame.part
def draw() -> None:
    """A top from its prior, then bottoms given it."""
    st.subheader("Draw the whole first, then the details: two priors", anchor=False)
    st.latex(r"p(c_1, c_2 \mid y) \;=\; p(c_1 \mid y)\; p(c_2 \mid c_1, y)")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        classes = dataset(lesson.DATA).class_names
        label = controls.choose("Class", [ANY, *classes], key="class", style="select")
        seed = controls.index_from_link("seed", MOST_SEEDS, 0, "draw")
        asked = None if label == ANY else classes.index(label)
        draw_maps = partial(lesson.drawn, COLUMNS, TIMES, label=asked)
        controls.another("Other maps", "seed", seed, MOST_SEEDS, ahead=draw_maps)
    with st.spinner("Drawing code after code"):
        made = draw_maps(seed)
    found, held_out = lesson.results(), cache.held_out(lesson.DATA)
    own = torch.arange(len(held_out)) if asked is None else (held_out.labels == asked).nonzero()[:, 0]
    names = ("Bottoms given the tops", "again, for the same tops", "and again")
    words = (f"FID {found['priors']:.0f}", "", "")
    picture_rows(
        [
            Row("Tops from their prior", f"seen alone, FID {found['tops']:.0f}", made.tops),
            *(Row(*each) for each in zip(names, words, made.whole, strict=True)),
            Row("Bottoms by chance", f"same tops, FID {found['chance_below']:.0f}", made.chance_below),
            Row("Both by chance", f"FID {found['chance']:.0f}", made.chance),
            Row(
                "Held-out images",
                f"by way of their codes, FID {found['copies']:.0f}",
                lesson.copies(held_out.images(own[:COLUMNS])),
            ),
        ]
    )
    st.caption(
        f"$c_1$: top map; $c_2$: bottom map; $y$: class. Two PixelCNNs trained on the code maps of the training images "
        f"of {dataset(lesson.DATA).title}; the second one sees the top map around each cell, four cells to every side. "
        f"FID: between {found['samples']:,} samples and {found['images']:,} held-out images, by the features of our "
        f"own classifier ({found['judge']}), so it compares with no published one."
    )


@frame.part
def compare() -> None:
    """One level and two levels, in numbers."""
    st.subheader("Are two levels better than one?", anchor=False)
    small_table(lesson.COMPARED, lesson.columns())
    one, two = cache.checkpoint(lesson.ONE_LEVEL), cache.checkpoint(lesson.NAME)
    st.caption(
        f"Both trained on {dataset(lesson.DATA).title}, not alike: one level {one.training['epochs']} epochs at width "
        f"{one.model.config.width}, two levels {two.training['epochs']} at width {two.model.config.width}. "  # type: ignore[union-attr]
        f"All over {lesson.scored_on()} Copies and samples: {lesson.results()['samples']:,}. Bits under "
        "the priors: what the maps of a held-out image cost, its class known; the bottom map after the top map."
    )


SEEN = """
- **Each level has its own codebook.** The top map has a quarter of the bottom's cells; the bottom is chosen once the
  top is known, so it need not repeat what that says.
- **The top alone is a blurred picture**: where things are, and their colours. A mixed picture has these from its top,
  and outlines and texture rather from its bottom: parts of 4 pixels or more come from the top, most of the smaller ones
  from the bottom.
- **Samples come in the same order:** a small map first, for which a prior can see the whole, then the large one given
  it. One top has many bottoms; they differ in detail. Those by chance are worse than those of the
  prior.
- **Two levels are not better by themselves.** The copies have a smaller error, for more bits; the samples are no nearer
  to held-out images than those of one level, whose map of 8 x 8 a prior sees as a whole anyway. In the paper's larger
  pictures it could not.
"""
LECTURE = r"""
**7.10 Variants**, VQ-VAE-2 (Razavi, van den Oord and Vinyals 2019): the lecture's picture of $256 \times 256$ pixels
becomes quantised latent maps of $64 \times 64$ and $32 \times 32$, and the decoder reconstructs it from both. Here
$32 \times 32$ pixels become maps of $8 \times 8$ and $4 \times 4$: the same ratios.
"""

frame.opening(
    "What does each of two levels know?",
    "Choose a cell of the top map or of the bottom map, then a code from its book: the picture is decoded anew.",
)
explore()
st.divider()
swap()
st.divider()
draw()
st.divider()
compare()
frame.closing(SEEN, [VQVAE2, PixelCNN, CodeMaps], LECTURE)
