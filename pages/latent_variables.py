"""Latent variable models: z first, then x; backwards it takes an integral, which is done here where it can be."""

from __future__ import annotations

import streamlit as st

from ui import controls, frame
from ui.curve_plane import curve_plane
from ui.figures import PLOT
from ui.figures.latent_variables import Window, error_lines, grid_times, posterior_map
from ui.lessons import latent_variables as lesson
from ui.lessons.latent_variables import CODES, COUNTS, CURVES, DATA, HALF, REPETITIONS
from ui.sheet.axes import minus
from vae_core.data import dataset
from vae_core.exact.cells import AS_FINE, CELLS, FINER, REACH, Summed, integrate, log_joint
from vae_core.exact.curve import CurveModel
from vae_core.exact.importance import effective_sample_size, log_mean_exp

START_Z, START_X = -0.7, (0.3, 1.5)
GOOD, FAIR = 0.1, 1.0  # nats: how near an estimate has to come, on the curve and for a digit


def start() -> tuple[float, list[float]]:
    """The code and the observation in the link."""
    given = controls.vector_from_link("at", 3, CODES)
    if given is None:
        return START_Z, list(START_X)
    return given[0], [min(HALF, max(-HALF, value)) for value in given[1:]]


@frame.part
def solve() -> None:
    """The model on the plane, solved; and what importance sampling makes of the same x."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="controls"):
        name = controls.choose("The curve f", list(CURVES), key="curve")
        sigma = controls.number(
            "Noise about it, sigma", 0.2, 0.8, 0.4, 0.1, key="sigma",
            help="x is drawn from a round Gaussian about f(z); this is its standard deviation.",
        )  # fmt: skip
    z, x = start()
    with st.container(key="figure"):
        z, x = curve_plane(lesson.scene(name, sigma), z, x, key="curve plane")
    if (z, x) != start():
        controls.to_link("at", [z, *x])
    st.caption(
        "A model made up for this page, trained on nothing: every number comes from its formula, none of them from an "
        "image. Exact here, to more digits than are shown: p(x), the posterior and the areas, by a sum over a fine "
        "grid of z. Only the draws are random. The curve is drawn where 99 of 100 codes are; a posterior that is "
        "narrower than any on it leaves its chart at the top."
    )
    estimate(name, sigma, (x[0], x[1]))


def estimate(name: str, sigma: float, x: tuple[float, float]) -> None:
    """log p(x) by draws instead of a grid, on the model where the truth is known."""
    st.subheader("And if only draws of z can be had?", anchor=False)
    found = lesson.compared(name, sigma, x)
    words, picture = st.columns([5, 8], gap="medium")
    with picture:
        figure = error_lines(COUNTS, found.lines, height=380)
        st.plotly_chart(figure, config=PLOT, key="curve errors")
    with words:
        st.markdown(
            r"Draw $K$ codes from a source $q$ and average their weights: "
            r"$\;\hat p(x) = \frac1K \sum_k \frac{p(x \mid z_k)\, p(z_k)}{q(z_k)}$. The prior wastes draws where $x$ "
            r"cannot come from; an encoder's $q(z \mid x)$ looks where it can."
        )
        truth, elbo, mean = minus(f"{found.truth:.3f}"), minus(f"{found.elbo:.3f}"), minus(f"{found.q.mean:.2f}")
        st.markdown(
            f"At the x above, log p(x) = **{truth}**. The encoder's q here is the best Gaussian there is, mean {mean}, "
            f"standard deviation {found.q.std:.2f}; its ELBO is {elbo}. The posterior has {peaks(found.modes)}. "
            f"{reached(found.lines, COUNTS, GOOD)}"
        )
    st.caption(
        f"Estimated: medians over {REPETITIONS} repetitions of the distance to the exact log p(x); bars from the 10th "
        "to the 90th of 100. A straight line of slope \u2212½ means: four times the draws, half the error."
    )


def peaks(count: int) -> str:
    return "one peak" if count == 1 else f"{count} peaks, and a Gaussian has one"


def reached(lines: list[lesson.Line], counts: list[int] | tuple[int, ...], error: float) -> str:
    """After how many draws each source is good, in a sentence."""
    parts = []
    for line in lines:
        count = lesson.needed(line, counts, error)
        parts.append(f"{line.name} " + (f"more than {counts[-1]:,}" if count is None else f"{count:,}"))
    return f"Draws until the error stays below {error:g} nats: {parts[0]}, {parts[1]}."


@frame.part
def why_not() -> None:
    """How long a plain grid takes with more latents."""
    st.subheader("Why not do the same for pictures?", anchor=False)
    st.markdown(
        "Every point of a plain grid is one picture decoded. Choose how fine it is; each latent more multiplies. "
        f"{AS_FINE} points along each latent are as fine as the smallest cells in the section below."
    )
    points = int(controls.number("Grid points along each latent, g", 5, 1000, AS_FINE, 5, key="points"))
    sizes = lesson.latent_sizes()
    seconds = [lesson.log_seconds(points, latents) for latents in sizes]
    texts = [lesson.duration(each) for each in seconds]
    st.plotly_chart(grid_times(sizes, seconds, texts, 2, lesson.LOG_AGE), config=PLOT, key="times")
    st.caption(
        "Computed for every Z among the bundled models: g to the power of Z decodes, at "
        f"{lesson.decodes_per_second():,.0f} a second. That speed was measured when this server first showed the page, "
        f"on the decoder of the VAE with two latents below, trained on {dataset(DATA).title}. Other decoders are "
        "faster or slower by a factor that such numbers do not notice."
    )


@frame.part
def two_latents() -> None:
    """The integral of a trained model, done: with two latents it can be."""
    st.subheader("With two latents it can be done: how likely is this digit?", anchor=False)
    digit = int(controls.choose("Held-out digit", list("0123456789"), key="digit", default="2", style="slider"))
    row = next(each for each in lesson.results()["rows"] if each["digit"] == digit)
    found = lesson.maps(digit)
    shown, whole, near = st.columns([3, 5, 5], gap="medium")
    with shown:
        st.image(frame.crisp(lesson.digits()[digit], 224), width=224)
        tell(found.exact, row["elbo"])
    with whole:
        plane = Window((-REACH, -REACH), 2 * REACH)
        figure = posterior_map(found.whole, plane, found.mean, found.std, found.window, height=420)
        st.plotly_chart(figure, config=PLOT, key="whole")
    with near:
        figure = posterior_map(found.near, found.window, found.mean, found.std, None, height=420)
        st.plotly_chart(figure, config=PLOT, key="near")
    st.markdown(
        f"99% of the posterior lie on a part of the plane that holds **{100 * found.prior_share:.2f}%** of the prior."
        f" So the sum took {found.exact.codes:,} codes, placed where they matter, instead of {AS_FINE**2:,} for a "
        "plain grid as fine."
    )
    st.caption(
        f"VAE, β = 1, 2 latents, trained on {dataset(DATA).title}; the first held-out image of each class, 10 of "
        f"{frame.held_out_words(DATA)} Pixels are rounded to black and white, so that the Bernoulli likelihood is one. "
        f"Exact up to the cells: {CELLS} x {CELLS} from \N{MINUS SIGN}{REACH:g} to {REACH:g}; those within "
        f"{FINER[0][0]:g} nats of the highest p(x, z) cut into {FINER[0][1]} x {FINER[0][1]}, and again those within "
        f"{FINER[1][0]:g}. Colours on the left: log p(z | x), from a plain grid of {lesson.SIDE} x {lesson.SIDE}, "
        f"darkest from {lesson.DEPTH:g} nats below the highest; on the right p(z | x) itself, in the smallest cells. "
        "White: what the encoder says instead, 1 and 2 standard deviations."
    )
    draws_of(row)


def tell(exact: Summed, elbo: float) -> None:
    """The evidence of a digit, just computed, and the bound beside it."""
    evidence, bound = (minus(f"{each:.3f}") for each in (exact.evidence, elbo))
    st.markdown(f"log p(x) = **{evidence}** nats  \nELBO {bound}: **{exact.evidence - elbo:.2f}** nats too low")


def draws_of(row: dict[str, lesson.Any]) -> None:
    """The same digit by importance sampling."""
    st.subheader("The same digit by draws", anchor=False)
    measured = lesson.results()
    lines = lesson.measured_lines(row)
    st.plotly_chart(error_lines(measured["counts"], lines, height=400), config=PLOT, key="digit errors")
    most = measured["counts"][-1]
    worth = ", those ".join(f"{line.name} count as {line.effective[-1]:,.0f}" for line in lines)
    st.markdown(
        f"Digit {row['digit']}. {reached(lines, measured['counts'], FAIR)} By the effective sample size of their "
        f"uneven weights, {most:,} draws {worth}."
    )
    st.caption(
        f"Measured beforehand by `python -m benchmarks.evidence`: medians over {measured['repetitions']} repetitions "
        "of the distance to the log p(x) that was summed up, bars from the 10th to the 90th of 100; same model, same "
        "held-out images. The ELBO above is estimated, too: the mean of log weights over all of the encoder's draws."
    )


SEEN = """
- **Forward is easy.** Draw z from the prior, decode, add noise. Nothing has to be integrated, and the dots fill the
  density p(x) by themselves.
- **Backward takes an integral.** Which z may have made an x is p(z) p(x | z), divided by its own area. The area is
  the evidence p(x): how likely the model finds x, whatever the z. The posterior is the same curve, blown up until
  its area is one; where two stretches of the curve come near x it has two peaks.
- **On a line that integral is a sum.** Every further latent multiplies the number of points, each of them a run of the
  decoder. With two latents it takes a fraction of a second, if the points are put where they matter. With ten even the
  coarse first look that finds out where would take thousands of years, and a fine grid longer than there has been a
  universe.
- **Draws instead of a grid.** Importance sampling has no such power in it, but it depends on where one draws. Few of
  the prior's draws meet the posterior of a real digit, and until one does the estimate is hundreds of nats off: to come
  within one nat takes a thousand draws and more. For half of the ten digits one draw of the encoder's is as good.
- **An encoder may look in the wrong place.** Then its draws converge far too slowly. Look at the digit 5: 8,192 of them
  count as 4, and nine times in ten their estimate is still more than 13 nats too low. The prior's draws, poor as they
  are, end higher: that shows what is missing, since such an estimate is hardly ever much too high.
"""
LECTURE = r"""
**7.4 Latent Variable Models**: sample z from the prior, then x from the likelihood; the posterior cannot be computed
directly, hence approximations. **7.5 Variational Inference** begins with the same integral,

$$p_\theta(x) = \int p_\theta(x \mid z)\, p(z)\, dz, \qquad
p_\theta(z \mid x) = \frac{p_\theta(x \mid z)\, p(z)}{p_\theta(x)},$$

where $z$ is the latent variable with prior $p(z) = \mathcal N(0, I)$, $p_\theta(x \mid z)$ the likelihood that the
decoder gives, and $p_\theta(x)$ the evidence. The curve's likelihood is $\mathcal N(f(z), \sigma^2 I)$, as in Rocca's
article, *Understanding Variational Autoencoders*, under "Mathematical details of VAEs".

The mean weight is unbiased for $p(x)$; its logarithm is too low on average, by about half of the weights' relative
variance over $K$. With $K = 1$ its mean is the ELBO; with growing $K$ it is the bound of the importance-weighted
autoencoder (Burda, Grosse and Salakhutdinov 2016).
"""

frame.opening(
    "Which hidden code made this x, and how likely was x at all?",
    "Draw z, then x: the dots fill the density. Then drag the pink ring and read backwards: which z may it come from?",
)
solve()
why_not()
two_latents()
frame.closing(
    SEEN,
    [CurveModel, log_mean_exp, effective_sample_size, log_joint, integrate],
    LECTURE,
)
