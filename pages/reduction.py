"""Dimensionality reduction: PCA, a linear and a deep autoencoder through the same bottleneck; what links them, and a
trap."""

from __future__ import annotations

import numpy as np
import streamlit as st
import torch

from ui import cache, controls, frame
from ui.browser import ship
from ui.figures import PLOT
from ui.figures.reduction import angle_lines, error_curves, error_line, plane_map, signed_pictures
from ui.jobs import begin, watched
from ui.lessons import reduction as lesson
from ui.lessons.reduction import DATA, METHODS, TITLES, Memory, Trace
from ui.line import line_view
from ui.palette import ROLE_COLOURS, RUN_COLOURS
from ui.picture_rows import Row, picture_rows
from vae_core.data import dataset
from vae_core.latent.browser import pack_decoder, pack_id
from vae_core.latent.pca import moments, pca, principal_angles
from vae_core.latent.pictures import to_bytes
from vae_core.models import LinearAutoencoder
from vae_core.training.full_batch import curve_down

COLOURS = {"pca": RUN_COLOURS[2], "linear": RUN_COLOURS[3], "deep": ROLE_COLOURS["autoencoder"]}
SHOWN, BASES = 6, 8  # images, and basis pictures, in a row
MAPPED = 2000  # dots on each map
TRAINED = ("2", "4", "8", "16", "32", "64")  # latent sizes of the linear autoencoder that is trained here
TICK = 0.5  # seconds between two looks at a training
STATE = 84  # pixels for what is said of it
STRANGERS = 1000  # held-out images that the memory is tried on
MOST_STARTS = 1000


def pick() -> int:
    """The latent size."""
    controls.option_from_link("data", (dataset(DATA).title,), dataset(DATA).title)  # its models are all of one data set
    sizes = [str(row["latent"]) for row in lesson.results()["rows"]]
    return int(controls.choose("Numbers per image (latent size)", sizes, key="latent", default="8"))


@frame.part
def compare() -> None:
    """The same held-out images through three bottlenecks, and the error at every latent size."""
    measured = lesson.results()
    source = cache.held_out(DATA)
    with st.container(key="controls", horizontal=True, vertical_alignment="bottom"):
        latent = pick()
        sets = len(source) // SHOWN
        first = controls.index_from_link("set", sets, 0, "set of images")
        controls.another("Other images", "set", first, sets)
    row = next(each for each in measured["rows"] if each["latent"] == latent)
    x = source.images(torch.arange(first * SHOWN, (first + 1) * SHOWN))
    left, right = st.columns([8, 5], gap="medium")
    with left, st.container(key="figure"):
        rows = [Row("Held-out images", "as they are", x)]
        for name in METHODS:
            share = row[name] / measured["variance"]
            pictures = lesson.reconstructed(name, latent, x)
            words = f"error {row[name]:.4f}, {share:.0%} of the variance"
            rows.append(Row(TITLES[name], words, pictures, COLOURS[name]))
        picture_rows(rows)
    with right:
        sizes = [each["latent"] for each in measured["rows"]]
        errors = [[each[name] for each in measured["rows"]] for name in METHODS]
        titles, colours = [TITLES[name] for name in METHODS], [COLOURS[name] for name in METHODS]
        figure = error_curves(sizes, errors, titles, colours, measured["variance"], latent)
        st.plotly_chart(figure, config=PLOT, key="errors")
    st.caption(
        f"All three trained on the {measured['trained_on']:,} training images of {dataset(DATA).title} for the least "
        "squared error. The numbers: mean squared error per pixel, and its share of the variance, over "
        f"{measured['held_out']:,} of {frame.held_out_words(DATA)} Pictures of PCA and of the linear autoencoder may "
        "leave the range of a pixel: they are cut off to be shown, not to be measured. The deep one: an MLP of widths "
        "256 and 128 each way."
    )


@frame.guarded
def maps() -> None:
    """The plane of each method, of the same images."""
    st.subheader("Two numbers per image: three maps", anchor=False)
    codes, labels = lesson.planes(), cache.held_out(DATA).labels[:MAPPED].numpy()
    told = next(row["same_class"] for row in lesson.results()["rows"] if "same_class" in row)
    for name, column in zip(METHODS, st.columns(3, gap="small"), strict=True):
        column.markdown(f"**{TITLES[name]}**: the nearest image is the same digit for {told[name]:.0%}")
        figure = plane_map(codes[name][:MAPPED], labels, dataset(DATA).class_names)
        column.plotly_chart(figure, config=PLOT, key=f"map {name}")
    st.caption(
        f"Dots: the first {MAPPED:,} of {frame.held_out_words(DATA)} The share is over all of them, and among all of "
        "them the nearest is looked for. No method has seen a label. Each axis has its own scale, and a few dots "
        "lie outside."
    )


def link() -> None:
    """The linear autoencoder finds PCA's subspace, but not PCA's basis."""
    st.subheader("The link: does a linear autoencoder find PCA by itself?", anchor=False)
    st.markdown("Train one here from random weights, and watch the angles between its subspace and PCA's.")
    busy = "linear job" in st.session_state
    with st.container(horizontal=True, vertical_alignment="bottom"):
        latent = int(controls.choose("Latent size of the linear autoencoder", TRAINED, key="linear", default="8"))
        pressed = st.button(
            "Train", type="primary", key="train linear", disabled=busy, help="Each time from another start."
        )
    trace: Trace | None = st.session_state.get("linear trace")
    start = controls.next_start("start", MOST_STARTS, pressed and trace is not None)
    if pressed:
        trace = st.session_state["linear trace"] = Trace(latent, start)
        begin("linear job", lesson.train_linear(trace))
    with st.container(height=STATE, border=False):  # as high in every state, so that the figure stays where it is
        goes_on = watched("linear job")
        if trace is not None and trace.latent != latent and not goes_on:
            trace = None
        if not goes_on:
            st.markdown(told(trace) or f"Press Train. Below, the basis of one trained before, with {latent} latents.")
    known = trace.known if trace is not None else 0
    steps = trace.steps[:known] if trace is not None else []
    angles = np.array(trace.angles[:known]) if trace is not None and known else np.zeros((0, 1))
    last = max([400, *steps]) if goes_on or not steps else max(steps[-1], 1)
    st.plotly_chart(angle_lines(steps, angles, COLOURS["linear"], last), config=PLOT, key="angles")
    st.caption(
        "Every step follows the gradient of the loss over all training images at once (L-BFGS). The mean image is "
        "taken away first, as PCA does. A squared error of linear maps needs no more of the images than their "
        "covariance, so that is what is computed with. The training hears nothing of PCA; it ends where it gains no "
        "more."
    )
    show_bases(trace.model if trace is not None and trace.model is not None else lesson.linear().models[latent])


def told(trace: Trace | None) -> str:
    """How a training ended."""
    if trace is None or not trace.known:
        return ""
    how = "Ended by itself" if trace.ended else "Stopped"
    return (
        f"{how} after {trace.steps[-1]} steps: the largest of {trace.latent} angles is "
        f"**{trace.angles[-1][-1]:.2f}°**, the error on the training images {trace.excess[-1]:+.3%} beside PCA's."
    )


def show_bases(model: LinearAutoencoder) -> None:
    """The pictures that the latents add up, PCA's and the autoencoder's, and a turn that changes nothing else."""
    shape, latent = dataset(DATA).shape, model.config.latent
    directions = lesson.linear().pca.directions[:latent]
    degrees = controls.number(
        "Turn the plane of latents 1 and 2 by, degrees", 0, 360, 0, 5, key="turn",
        help="The decoder's first two basis pictures are turned into each other, and the codes the other way round.",
    )  # fmt: skip
    turned = model.turned(float(np.radians(degrees)))
    basis = turned.matrices[2].detach().double().numpy().T
    cosines = np.abs((basis / np.linalg.norm(basis, axis=1, keepdims=True) * directions).sum(1))
    x = cache.held_out(DATA).images(torch.arange(BASES))
    with torch.no_grad():
        pictures, before = (each.mean(each.encode(x).mean) for each in (turned, model.turned(0.0)))
    ours, theirs = (torch.from_numpy(signed_pictures(each[:BASES], *shape[1:])) for each in (basis, directions))
    angle = principal_angles(basis.T, directions.T)[-1]
    most = float((pictures - before).abs().max())
    changed = f"turned: pixels change by {most:.0e}" if degrees else "what it reconstructs"
    picture_rows(
        [
            Row("Basis of PCA", f"first {len(theirs)} of {latent}", theirs, COLOURS["pca"]),
            Row("Basis of the autoencoder", f"|cos| to PCA's: {min(cosines):.2f} to {max(cosines):.2f}", ours,
                COLOURS["linear"]),
            Row("Its pictures", changed, pictures),
        ]
    )  # fmt: skip
    st.caption(
        f"Basis pictures: what one latent adds to the image; blue takes away, red adds, each on its own scale. "
        f"Subspaces {angle:.2f}° apart at most, yet the pictures differ: turn them, and nothing that is decoded "
        f"changes. Reconstructed: {BASES} held-out images."
    )


def trap() -> None:
    """One latent that remembers a few images, and what it makes of the places between them."""
    st.subheader("The trap: one number per image, and no error at all?", anchor=False)
    st.markdown(
        "An encoder may put N images on a line, and a decoder with many weights may learn them by heart. "
        "Train it, then move along the line: what lies between two memorised images?"
    )
    busy = "memory job" in st.session_state
    left, right = st.columns([2, 3], vertical_alignment="bottom")
    with left:
        count = int(controls.number("Images to memorise, N", 2, 30, 10, 1, key="images"))
    pressed = right.button(
        "Memorise", type="primary", key="train memory", disabled=busy, help="Each time other images."
    )
    memory: Memory | None = st.session_state.get("memory")
    start = controls.next_start("draw", MOST_STARTS, pressed and memory is not None)
    if pressed:
        memory = st.session_state["memory"] = lesson.new_memory(count, start)
        begin("memory job", lesson.memorise(memory))
    if watched("memory job") and memory is not None:
        known = len(memory.errors)
        figure = error_line(memory.steps[:known], memory.errors[:known], COLOURS["deep"], lesson.MEMORY_STEPS)
        st.plotly_chart(figure, config=PLOT, key="memory errors")
    elif memory is None or len(memory.images) != count or not memory.errors:
        st.markdown(f"Press Memorise: {lesson.MEMORY_STEPS} steps on {count} training images, a few seconds.")
    else:
        show_line(memory)


def show_line(memory: Memory) -> None:
    """The line with its marks, and the error on the memorised images beside that on others."""
    model = memory.model
    strangers = cache.held_out(DATA).images(torch.arange(STRANGERS))
    with torch.no_grad():
        codes = model.encode(memory.images).mean[:, 0].numpy()
        missed = lesson.error(strangers, model.decode(model.encode(strangers).mean))
    pack = pack_decoder(model.decoder, model.config.image, 1, model.pixels)
    ship(pack, key="line decoder")
    line_view(pack_id(pack), codes, to_bytes(memory.images).numpy(), key="line")
    weights = sum(parameter.numel() for parameter in model.parameters())
    pixels = memory.images.numel()
    known = f"{memory.errors[-1]:.5f}" if memory.errors[-1] >= 5e-6 else "less than 0.00001"
    st.caption(
        f"{'Trained' if memory.ended else 'Stopped'} after {memory.steps[-1]} steps on {len(memory.images)} training "
        f"images ({pixels:,} pixels) with {weights:,} weights. Squared error per pixel: **{known}** on the "
        f"memorised images, **{missed:.4f}** on the first {STRANGERS:,} of {frame.held_out_words(DATA)}"
    )


SEEN = """
- **PCA is the best that straight lines can do.** It keeps the directions along which the images differ most; what is
  left over is the error. A deep autoencoder may bend its surface to follow the data, so it needs fewer numbers for
  the same error. The gap is widest for a few numbers; with many PCA misses little, too.
- **A linear autoencoder finds PCA's subspace, not PCA's basis.** Its loss knows only the product of the two matrices,
  so any invertible change of the latents that the decoder takes back leaves it as it was. Hence no latent of it has a
  rank or a meaning of its own. PCA settles the matter by asking for more: directions at right angles, ordered by
  variance.
- **A small bottleneck alone does not forbid learning by heart.** One real number has room for many images when the
  networks around it are large enough. The error on the memorised images is nearly zero, on others it is not, and
  between two marks the line shows mixtures or smears that are no memory of anything. What helps is more data than
  the network can hold, and held-out images to tell.
"""
LECTURE = r"""
**6.6 Applications**, dimensionality reduction, with its figure of PCA beside an autoencoder on MNIST; **6.4
Architecture** on the latent size (too big memorises, too small forgets) and on width; **6.7 Challenges**, where an
autoencoder copies without learning. What PCA costs stands in the table of **3 DUL - Components**.

With the mean $\mu$ and the covariance $C$ of the images, encoder $z = Ex + e$ and decoder $\hat x = Dz + d$, the linear
autoencoder makes
$\;\mathrm{tr}\big((I - DE)\, C\, (I - DE)^\top\big) + \lVert \mu - D(E\mu + e) - d \rVert^2\;$ small. For every
invertible $A$ the pair $DA^{-1}, AE$ does as well as $D, E$. That the best subspace is spanned by the leading
eigenvectors of $C$ was shown by Bourlard and Kamp (1988) and by Baldi and Hornik (1989); the latter also show that
every other place where the gradient vanishes is a saddle, so that there is no second best to be caught in.
"""

frame.opening(
    "What does a deep autoencoder keep that PCA loses?",
    "Choose how many numbers an image is squeezed into; then compare the rows, and watch where the curves part.",
)
compare()
maps()
for name, section in (("linear job", link), ("memory job", trap)):
    st.fragment(frame.guarded(section), run_every=TICK if name in st.session_state else None)()
frame.closing(
    SEEN,
    [moments, pca, principal_angles, LinearAutoencoder, curve_down, lesson.new_memory],
    LECTURE,
)
