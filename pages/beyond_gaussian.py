"""Beyond the Gaussian: flows, more draws, two levels, and critics in the place of the KL and of the pixels."""

from __future__ import annotations

import streamlit as st
import torch

from ui import cache, controls, frame
from ui.figures import PLOT
from ui.figures.beyond import density_map, gap_bars
from ui.lessons import beyond as lesson
from ui.picture_rows import Row, picture_rows
from ui.small_table import small_table
from vae_core.bending import FAMILIES, fit
from vae_core.exact.told import REACH, TOLD, Told
from vae_core.models import IWAE, VAEGAN, AdversarialAutoencoder, InverseFlowVAE, LadderVAE
from vae_core.models.inverse_flow import FlowStep

WINDOW = 4.0  # standard deviations of the prior, of a crowd's plane
MOST_SEEDS = 1_000_000
COPIES, SAMPLES = "copies of held-out digits", "samples from the prior"


@frame.part
def bend() -> None:
    """One posterior, one family of q, and what it loses."""
    found = lesson.fits()
    with st.container(horizontal=True, vertical_alignment="bottom", key="controls"):
        kind = controls.choose(
            "Two hidden numbers; what was told is", list(TOLD), key="told", default="their distance from 0",
            style="select",
        )  # fmt: skip
        family = controls.choose("q(z)", list(FAMILIES), key="q")
    shown = lesson.maps(kind, family)
    left, middle, right = st.columns(3, gap="small")
    with left, st.container(key="figure"):
        st.plotly_chart(density_map(shown.posterior, REACH, "exact posterior p(z|x)"), config=PLOT, key="p")
    with middle:
        st.plotly_chart(density_map(shown.q, REACH, f"q(z): {family}", shown.line), config=PLOT, key="q map")
    with right, st.container(key="beside"):
        st.plotly_chart(gap_bars(found.below[kind], family), config=PLOT, key="gaps")
    st.caption(
        f"Told: {kind}: {lesson.FORMULAS[kind]}, up to noise of {Told(kind).sigma:g}; the prior of both is N(0, 1). "
        f"Dashed: where {lesson.SHARE:.0%} of the posterior lies. Both maps share one scale. KL(q \u2016 p) = "
        f"{found.kl[kind][family]:.2f} nats. Summed over a grid; the bound of 10 draws by {found.draws:,} draws. The "
        "posteriors are made up, none of them from an image; each q was fitted to one posterior, and trained on "
        "nothing else."
    )
    st.latex(
        r"{z^{(t)}_i = g_i\, z^{(t-1)}_i + (1 - g_i)\, m_i},\quad\allowbreak "
        r"{(m_i, g_i) = \text{network}_t(z^{(t-1)}_1, \dots, z^{(t-1)}_{i-1})},\quad\allowbreak "
        r"{\log q(z) = \log \mathcal N(z^{(0)}) - \sum_{t, i} \log g_i}"
    )
    st.caption(
        r"A flow: $z^{(0)}$ is a draw of a Gaussian, $z = z^{(T)}$ after $T$ steps; $g_i$ between 0 and 1 is a gate, "
        r"$m_i$ a target. Each number listens to those before it alone, so the determinant is a product of gates."
    )


@frame.part
def crowds() -> None:
    """What becomes of the prior: nobody's, each one's, the crowd's."""
    names = lesson.offered({name: words for name, words in lesson.CROWDS.values()})
    if len(names) < len(lesson.CROWDS):
        return
    st.subheader("Must each picture pay for leaving the prior, or only all of them together?", anchor=False)
    for column, (title, (name, words)) in zip(st.columns(3, gap="small"), lesson.CROWDS.items(), strict=True):
        found = lesson.crowd(name, WINDOW)
        with column:
            st.markdown(f"**{title[0].upper()}{title[1:]}**: {words}")
            st.plotly_chart(lesson.crowd_figure(name, WINDOW), config=PLOT, key=f"crowd {name}")
            kl = "No q(z|x), so no KL" if found.kl is None else f"Mean KL of one q(z|x): {found.kl:.1f} nats"
            beyond = f"; outside the window: {found.outside:,}" if found.outside else ""
            st.markdown(f"{kl}. Crowd to prior: **{found.distance:.2f}**{beyond}.")
    st.caption(
        f"Two latents, trained on the grey images of MNIST; codes of the first {lesson.CODES:,} of "
        f"{frame.held_out_words(lesson.DATA)} Where there is a q(z|x), one draw of it for each. Crowd to prior: the "
        "Fr\u00e9chet distance between Gaussians fitted to the codes and to the prior, 0 where mean and covariance "
        "agree."
    )


@frame.part
def pictures() -> None:
    """The same images copied, or samples drawn, by every model."""
    names = lesson.offered(lesson.KINDS)
    if not names:
        return
    st.subheader(f"{len(names)} models side by side", anchor=False)
    seed = controls.index_from_link("seed", MOST_SEEDS, 0, "draw")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        which = controls.choose("Show", [SAMPLES, COPIES], key="show")
        if which == SAMPLES:
            controls.another("Other samples", "seed", seed, MOST_SEEDS)
    rows = []
    if which == COPIES:
        x = cache.held_out(lesson.DATA).images(torch.arange(lesson.COLUMNS))
        rows.append(Row("Held-out images", f"the first {lesson.COLUMNS}", x))
    for name in names:
        title, changed = lesson.KINDS[name]
        made = lesson.copies(name) if which == COPIES else lesson.samples(name, seed)
        rows.append(Row(title[0].upper() + title[1:], changed, made))
    picture_rows(rows)
    st.caption(
        f"Means of the decoders, trained on MNIST: the VAE-GAN on grey images, all others on black and white drawn "
        f"anew at every step. There are {frame.held_out_words(lesson.DATA)} A copy goes through one draw of q(z|x). "
        "Under each name: what the model changes."
    )


@frame.part
def compare() -> None:
    """All models in one table."""
    st.subheader("What each gains, in numbers", anchor=False)
    rows = lesson.table()
    if not rows:
        st.info("Nothing was measured yet. Do it: `python -m benchmarks.density --write`.")
        return
    columns = [key for key in rows[0] if key != "model"]
    small_table([row["model"] for row in rows], {key: [told(key, row[key]) for row in rows] for key in columns})
    st.caption(lesson.caption())


def told(column: str, value: float | None) -> str:
    """A number of the table as text."""
    digits = {"minutes": 0, "precision": 2, "coverage": 2}.get(column, 1 if "chet" in column else 2)
    return "\u2013" if value is None else f"{value:.{digits}f}"


SEEN = """
- **A flow bends q until it fits.** Each step is cheap to draw from and tells its own density; a few of them make a ring
  or a banana out of a Gaussian, and the gap between the ELBO and log p(x) all but closes. A straight tilt needs one
  step. On digits the flow gains little on the VAE of equal length: compare their ELBO and their NLL in the table.
- **A peak that q never visits stays unseen.** Told the product of two numbers, the flow takes one of the two arms:
  the ELBO punishes q for being where p is not. The missing arm costs about log 2 = 0.69 nats.
- **More draws are another way.** With ten draws only the best need to hit: q may be too wide, and the bound is far
  tighter all the same. KL(q || p) even grows.
- **Two levels** let the upper code say what the lower one should expect, so that p(z1) is no plain Gaussian any more.
- **A critic can stand in for the KL** (adversarial autoencoder): the crowd of codes is drawn to the prior, while each
  picture's code is nearly a point. Samples work; the ELBO is poor.
- **A critic can stand in for the pixels** (VAE-GAN): a copy is good where the critic sees no difference, and no
  likelihood of images is left to compare.
"""
LECTURE = r"""
**7.11 Limitations and Challenges** names the Gaussian assumption; **Future directions** name normalising flows and
hierarchical VAEs. The flow is the lecture's reference [5] (Kingma et al. 2016), the adversarial autoencoder
its reference [6] of the first part (Makhzani et al. 2015).

$$\log p(x) - \mathrm{ELBO} = \mathrm{KL}(q(z \mid x)\,\|\,p(z \mid x)),\qquad
\mathcal L_K = \mathbb E\Big[\log \tfrac1K \sum_{k=1}^{K} \tfrac{p(x, z_k)}{q(z_k \mid x)}\Big]$$

with $x$ the image, $z$ its code, $K$ the number of draws: a nearer $q$ or a larger $K$ closes the gap.
"""

frame.opening(
    "What if the posterior is no Gaussian?",
    "Choose what was told about two hidden numbers, then a family of q: how much does it lose? Below, critics that "
    "replace the KL and the pixels.",
)
bend()
st.divider()
crowds()
st.divider()
pictures()
st.divider()
compare()
frame.closing(
    SEEN,
    [FlowStep, fit, InverseFlowVAE.draw, LadderVAE.draw, IWAE.loss, AdversarialAutoencoder.loss, VAEGAN.loss],
    LECTURE,
)
