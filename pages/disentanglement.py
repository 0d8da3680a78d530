"""Disentanglement: five objectives on one question, whether each factor gets a latent of its own."""

from __future__ import annotations

import statistics
from typing import Any

import streamlit as st
import torch

from ui import cache, controls, frame
from ui.browser import ship
from ui.figures import PLOT, factor_heat
from ui.figures.disentanglement import LOOKS, PARTS, kl_made_of, over_seeds
from ui.lessons import disentanglement as lesson
from ui.lessons.disentanglement import DATA
from ui.picture_rows import Row as PictureRow
from ui.picture_rows import picture_rows
from ui.scrubbers import Pane, Row, traversal_view
from ui.sheet.axes import minus
from ui.small_table import small_table
from vae_core.data.sprites import FACTORS
from vae_core.latent.browser import pack_id
from vae_core.losses import decomposed_kl, stratified_log_weights
from vae_core.metrics.disentanglement import dci, factor_vote, sap
from vae_core.metrics.mig import mig_of
from vae_core.models.factor_vae import FactorVAE
from vae_core.models.tcvae import TCVAE
from vae_core.recipes.disentanglement import IMAGES, TRAINING
from vae_core.recipes.explorers import SPRITES_FIRST_WEIGHT

VIEW, IN_LINK = "rows", ("z", "z2")  # of the two panes: what a hand has made of the codes
LEAST = 0.05  # of a factor's entropy; a latent that tells less does not know it
METRICS = {
    "mig": "MIG", "sap": "SAP", "disentanglement": "DCI<br>disentanglement", "completeness": "DCI<br>completeness",
    "informativeness": "DCI<br>informativeness", "vote": "FactorVAE<br>metric",
}  # fmt: skip
PUBLISHED = {  # dSprites, InfoGAN-CR (Lin et al. 2020), table 1
    "VAE": {"mig": 0.10, "disentanglement": 0.30, "vote": 0.63},
    "β-VAE": {"mig": 0.21, "disentanglement": 0.41, "vote": 0.63},
    "β-TCVAE": {"mig": 0.45, "disentanglement": 0.29, "vote": 0.62},
    "FactorVAE": {"mig": 0.40, "disentanglement": 0.70, "vote": 0.83},
}
TITLES = ("VAE", "β-VAE", lesson.LONGER, "β-TCVAE", "FactorVAE", "Capacity")
COLOURS = dict(zip(TITLES, (colour for colour, _ in LOOKS), strict=True))


def pick() -> tuple[int, int]:
    """The factor to look for, and the held-out image at which all begin."""
    hearts = lesson.hearts()
    with st.container(horizontal=True, vertical_alignment="bottom", key="controls"):
        factor = FACTORS.index(controls.choose("Factor", FACTORS, key="factor", default=FACTORS[2]))
        place = controls.index_from_link("image", len(hearts), 0)
        image = hearts[place]
        st.image(frame.crisp(cache.held_out(DATA).images(torch.tensor([image]))[0], 64), width=64)
        if st.button("Another image"):
            controls.to_link("image", (place + 1) % len(hearts))
            st.rerun()  # the whole page: the board below begins at the same image
    return factor, image


@frame.part
def one_factor() -> None:
    """The latent that knows most of a factor, in every model; apart from the rest, which stays as it is."""
    factor, image = pick()
    rows = []
    for title, method in lesson.methods().items():
        latent, share, other = lesson.known(method.model).best(factor)
        made = lesson.turned(method.model, image, latent)
        told = f"z{latent + 1}: {share:.0%}"
        told = f"{told}, next {other:.0%}" if share >= LEAST else f"no latent ({told})"
        words = f"{told}<br>moves {made.drift.centre:.1f} px<br>area \N{MULTIPLICATION SIGN} {made.drift.area:.2f}"
        rows.append(PictureRow(title, words, made.pictures, COLOURS[title]))
    with st.container(key="figure"):
        picture_rows(rows)
    steps = sorted({cache.checkpoint(method.model).training["steps"] for method in lesson.methods().values()})
    st.caption(
        f"In each model, trained on rendered sprites (seed 0; {' or '.join(f'{step:,}' for step in steps)} steps), the "
        f"latent that knows most of **{FACTORS[factor]}**, from \u22122 to 2; the others rest at the code of the "
        "small held-out image. Percent: the share of this factor's entropy that the latent tells, and the latent that "
        f"knows it next best; below {LEAST:.0%}: no latent. Moves: how far the centre of mass wanders along the row; "
        "area: the largest over the smallest. Decoded on the server."
    )


def base_of(pane: int, name: str, image: int) -> tuple[list[float], list[float]]:
    """The code at which a pane stands, and the one that Reset returns to; another model or image starts anew."""
    home = [float(f"{value:.4g}") for value in cache.code_of(name, image)]
    place, mark = (name, image), f"turned {pane}"
    if st.session_state.setdefault(mark, place) != place:
        controls.to_link(IN_LINK[pane], None)
        st.session_state[mark] = place
    return controls.vector_from_link(IN_LINK[pane], len(home)) or home, home


def keep_base() -> None:
    """A hand let go: put the code into the link."""
    told = st.session_state[VIEW]["release"]
    controls.to_link(IN_LINK[told["pane"]], told["z"])


def rows_of(found: lesson.Known) -> list[Row]:
    """The active latents, the one that carries most first, each with the factor that it knows most of."""
    rows = []
    for latent in found.awake:
        factor, share = found.favourite(latent)
        rows.append(Row(latent, found.kl[latent], label=f"{factor} {share:.0%}\n"))
    return rows


@frame.part
def two_models() -> None:
    """All latents of two models: under the hand, and by what they know."""
    hearts = lesson.hearts()
    matrices(board(hearts[controls.index_from_link("image", len(hearts), 0)]))


def board(image: int) -> list[str]:
    """Every latent of two models under the hand; returns which."""
    st.subheader("Every latent of two models", anchor=False)
    methods = list(lesson.methods())
    with st.container(horizontal=True, vertical_alignment="bottom"):
        left = controls.choose("Left", methods, key="left", style="select")
        start = methods[min(2, len(methods) - 1)]
        right = controls.choose("Right", methods, key="right", default=start, style="select")
    titles = [left, right]
    names = [lesson.methods()[title].model for title in titles]
    panes = []
    for number, (title, name) in enumerate(zip(titles, names, strict=True)):
        pack, found = cache.decoder_pack(name), lesson.known(name)
        ship(pack, key=f"decoder {number}")
        base, home = base_of(number, name, image)
        heading = f"{title}: MIG {found.mig:.2f}, {len(found.awake)} of {len(found.kl)} latents active"
        panes.append(Pane(pack_id(pack), base, rows_of(found), title=heading, home=home, colour=COLOURS[title]))
    traversal_view(panes, key=VIEW, steps=7, on_release=keep_base)
    st.caption(
        "The models and the image of above. Each row: the factor that this latent knows most of, and how much of its "
        "entropy; below, the nats that it carries, the largest first. Measured on all "
        f"{frame.held_out_words(DATA)} Inactive latents are left out. Decoded in your browser."
    )
    return titles


def matrices(titles: list[str]) -> None:
    """What every active latent knows of every factor."""
    st.subheader("Who knows what?", anchor=False)
    for place, (title, column) in enumerate(zip(titles, st.columns(2, gap="large"), strict=True)):
        found = lesson.known(lesson.methods()[title].model)
        column.markdown(f"**{title}:** share of a factor's entropy that a latent tells")
        figure = factor_heat(found.share[found.awake], [f"z{latent + 1}" for latent in found.awake], FACTORS)
        column.plotly_chart(figure, config=PLOT, key=f"heat {place}")
    st.caption(
        "A disentangled model has one bright cell in each column, and in each row at most one. Mutual information from "
        "histograms of 20 bins, over all held-out images. A square looks the same after a quarter turn and an ellipse "
        f"after half of one, so of **rotation** no code can tell more than {lesson.most_of_rotation():.0%}."
    )


def compare() -> None:
    """The scores over seeds, beside published ones."""
    st.subheader("Not one picture, but a score: and not one seed", anchor=False)
    scored = lesson.scored()
    st.plotly_chart(over_seeds(scored, METRICS), config=PLOT, key="over seeds")
    seeds = ", ".join(f"{title} {len(found['seeds'])}" for title, found in scored.items())
    steps = ", ".join(f"{title} {found['steps'][0]:,}" for title, found in scored.items())
    st.caption(
        f"Seeds: {seeds}. Steps: {steps}. All but the longer one were trained on {IMAGES:,} sprites, each seen once: a "
        "short training. "
        f"Scored on all {frame.held_out_words(DATA)} DCI by random forests of our choice, its informativeness on the "
        "half of them that the forests had not seen; the FactorVAE metric from groups of them that share a value, "
        "where guessing gives about 0.2; SAP takes the shape as classes, all other factors as numbers."
    )
    names, columns = list(scored), {}
    for key, name in (("mig", "MIG"), ("disentanglement", "DCI"), ("vote", "FactorVAE metric")):
        columns[name] = [
            f"{statistics.median(scored[title][key]):.2f} ({PUBLISHED[title][key]:.2f})"
            if title in PUBLISHED
            else f"{statistics.median(scored[title][key]):.2f} (\N{EN DASH})"
            for title in names
        ]
    small_table(names, columns)
    st.caption(
        "Ours: medians of the seeds; DCI: its disentanglement. In brackets, published: another data set (dSprites) and "
        "a far longer training (about 300,000 steps); table 1 of InfoGAN-CR (Lin, Thekumparampil, Fanti and Oh 2020). "
        "So they are to be read beside ours, not against them."
    )


def terms() -> None:
    """What each objective presses on, and what is left of it."""
    st.subheader("What each objective presses on", anchor=False)
    left, right = st.columns([6, 7], gap="large")
    with left:
        st.latex(r"\mathrm{KL}(q(z \mid x)\,\Vert\,p(z)) = I + \mathrm{TC} + D")
        for title, method in lesson.methods().items():
            st.markdown(f"**{title}** ${method.objective}$")
        st.caption(
            "$R$: reconstruction. $I$: how much a code tells about which image it came from. TC: total correlation, "
            "how far the latents are from independent. $D$: how far each latent by itself is from the prior. $C$: nats "
            "that the KL is held at. All but the VAE and Capacity start with a KL that weighs "
            f"{SPRITES_FIRST_WEIGHT:g} and let it fall to its weight during the first {TRAINING.kl_share:.0%} of the "
            "training: our recipe, not the papers'."
        )
    with right:
        scored = lesson.scored()
        parts = {
            title: {key: statistics.median(found[key]) for key in (*PARTS, "kl")} for title, found in scored.items()
        }
        st.plotly_chart(kl_made_of(parts), config=PLOT, key="parts")
        st.caption(
            "Medians of the seeds above; the number is the KL. Estimated from 1,000 codes against the mixture of the "
            "posteriors of all 10,000 held-out images: so I cannot come out above log 10,000 = 9.2 nats, and what a "
            "plain VAE has beyond that is counted as TC." + short_of_it(scored)
        )


def short_of_it(scored: dict[str, dict[str, Any]]) -> str:
    """What the batches of the training make of the total correlation."""
    found = scored["β-TCVAE"]
    taken_for = minus(f"{statistics.median(found['in_batches']):.1f}")
    return (
        f" The β-TCVAE itself sees {TRAINING.batch} images at a time and takes its TC of "
        f"{statistics.median(found['total_correlation']):.1f} nats for {taken_for}. The error grows with what the "
        "codes tell, so that it presses on information, too. The paper takes batches of 2,048."
    )


SEEN = """
- **Nothing in a plain VAE asks for one factor a latent.** Its KL and its reconstruction stay the same when the latents
  are turned into each other, so a row of its board moves, turns and grows the shape at once.
- **A weight on the whole KL (β-VAE) sorts, and silences.** Few latents stay awake, and these take the strongest
  factors: one the scale, and with it some of the shape, two the positions, which the model shown here (seed 0) still
  mixes and those of the two other seeds do not. Rotation, which saves fewer nats than it would cost, is given up. It
  would be hard to hold anyway: a turn is a circle, and one latent is a line.
- **A weight on the total correlation alone** (β-TCVAE, FactorVAE) asks for independence and would leave the
  information free. One measures it inside each batch; ours are small, so it mistakes information for dependence and
  puts latents to sleep, too. The other lets a critic tell codes from shuffled ones.
- **A capacity** lets the nats in slowly, so that factors arrive one after another.
- **The scores disagree**, because they ask different questions: whether a factor has one latent (MIG, SAP,
  completeness), whether a latent has one factor (DCI's disentanglement), whether all is told at all (informativeness).
  The plain VAE has the lowest MIG and the best FactorVAE metric: the others' three awake latents can name three of
  five factors, 0.6, and no more.
- **Seeds disagree, too:** one objective's MIG more than doubles from one seed to another. One lucky picture proves
  nothing.
"""
LECTURE = r"""
**7.10 Variants**, β-VAE: different latents should be uncorrelated, each about something else; its figure 3 turns
things by their azimuth in a β-VAE and in a plain VAE, where other features change along. This page does the same with
the rotation of a sprite. **7.11 Limitations and Challenges** names disentanglement, and better regularisation as a way
to go.

$$I = \mathrm{KL}(q(z, n) \,\Vert\, q(z)\,q(n)), \quad
\mathrm{TC} = \mathrm{KL}\Big(q(z) \,\Big\Vert\, \prod_j q(z_j)\Big), \quad
D = \sum_j \mathrm{KL}(q(z_j) \,\Vert\, p(z_j))$$

with $n$ the number of an image, $q(z)$ the mean of all posteriors, and $z_j$ one latent. Sources: Higgins et al. 2017
(β-VAE), Burgess et al. 2018 (capacity), Chen et al. 2018 (β-TCVAE, MIG), Kim and Mnih 2018 (FactorVAE and its metric),
Kumar et al. 2018 (SAP), Eastwood and Williams 2018 (DCI).
"""

frame.opening(
    "Does one latent turn the shape, and nothing else?",
    "Each row is another model, one of its latents moved. Choose a factor, and see what changes along with it.",
)


one_factor()
two_models()
frame.guarded(compare)()
frame.guarded(terms)()
frame.closing(SEEN, [TCVAE, FactorVAE, decomposed_kl, stratified_log_weights, mig_of, sap, dci, factor_vote], LECTURE)
