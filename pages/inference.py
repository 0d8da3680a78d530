"""Variational inference: a Gaussian pushed towards a posterior, and log p(x) as the ELBO and what it lacks."""

from __future__ import annotations

import math

import numpy as np
import streamlit as st
import torch

from ui import cache, controls, frame
from ui.elbo_bars import COLOURS, DATA, MEAN, NODES, STD, elbo_bars
from ui.figures import INACTIVE, PLOT
from ui.figures.inference import LINES, bound_curve, ellipses, linear_lines, nearest_gaussians, posterior_map
from ui.jobs import begin, watched
from ui.lessons import inference as lesson
from ui.lessons import nearest
from ui.lessons.inference import DRAWS, Draws, Linear, LinearTrace
from ui.palette import RUN_COLOURS
from ui.picture_rows import Row, picture_rows
from ui.small_table import small_table
from vae_core.data import dataset
from vae_core.exact.cells import integrate
from vae_core.exact.curve import CURVES, CurveModel, Gaussian1D
from vae_core.exact.fits import diagonal_fit, gaussian_fits
from vae_core.exact.ppca import LinearVAE, fit_ppca
from vae_core.metrics.importance import importance_bounds, log_weights

REVERSE, FORWARD = COLOURS["q"], RUN_COLOURS[2]
STARTS = {"horseshoe": (1.4, -1.2), "S": (0.9, -0.6), "line": (1.2, 0.9)}  # x of each curve, to begin with
START_Q = Gaussian1D(-0.1, 0.4)
SIGMAS = ("0.3", "0.5", "0.8", "1.2")
LATENTS = ("2", "4", "8")
MOST_SEEDS = 1000
TICK = 1.0  # seconds between two looks at a training
BETWEEN = 0.4  # second coordinate of an x between the arms of the horseshoe
STATE = 84  # pixels for what is said of it


def pick_model() -> CurveModel:
    """The curve, and the noise around it."""
    curve = controls.choose("Curve f(z)", list(CURVES), key="curve")
    sigma = controls.choose("Noise around it, \u03c3", SIGMAS, key="sigma", default="0.5")
    return CurveModel(curve, float(sigma))


def left_by_hand(curve: str) -> tuple[tuple[float, float], Gaussian1D]:
    """x and q as the link has them, within what the view allows."""
    x, q = controls.vector_from_link("x", 2, DATA), controls.vector_from_link("q", 2, MEAN)
    start = STARTS[curve] if x is None else (x[0], x[1])
    return start, START_Q if q is None else Gaussian1D(q[0], min(max(q[1], STD[0]), STD[1]))


def keep() -> None:
    """Put into the link where a hand let go."""
    told = st.session_state["bars"].get("release")
    if told:
        controls.to_link("x", told["x"])
        controls.to_link("q", told["q"])


@frame.part
def push() -> None:
    """q by hand or by gradient descent, on a model that can be solved."""
    with st.container(key="controls", horizontal=True, vertical_alignment="bottom"):
        model = pick_model()
    with st.container(key="figure"):
        elbo_bars(model, *left_by_hand(model.curve), key="bars", on_release=keep)
    st.latex(
        r"\underbrace{\log p(x)}_{\text{fixed by } x} \;=\; "
        r"\underbrace{\mathbb{E}_{q}\!\left[\log \tfrac{p(x, z)}{q(z)}\right]}_{\text{ELBO: } q \text{ alone decides}}"
        r" \;+\; \underbrace{\mathrm{KL}\big(q(z) \,\|\, p(z \mid x)\big)}_{\text{never below } 0}"
    )
    st.latex(
        r"\text{ELBO} \;=\; \underbrace{\mathbb{E}_{q}[\log p(x \mid z)]}_{\text{reconstruction}}"
        r" \;-\; \underbrace{\mathrm{KL}\big(q(z) \,\|\, p(z)\big)}_{\text{leaving the prior}}"
    )
    st.caption(
        r"$x$: what was observed, a point of the plane. $z$: the latent, one number with the prior "
        r"$p(z) = \mathcal N(0, 1)$. $p(x \mid z) = \mathcal N(x; f(z), \sigma^2 I)$: $x$ lies around the curve. "
        r"$q(z) = \mathcal N(z; \mu, s^2)$: yours; $\mu$ its mean, $s$ its width. Numbers are sums over "
        f"{NODES:,} places of z, each by its own formula: nothing makes them add up but the mathematics. The descent "
        "takes steps along the natural gradient. Model and points are made up, none of them from an image."
    )


@frame.part
def directions() -> None:
    """Forward and reverse KL on a posterior with two peaks; a diagonal q on a correlated one."""
    st.subheader("Nearest in which direction?", anchor=False)
    left, right = st.columns(2, gap="large")
    with left:
        two_peaks()
    with right:
        tilted()


def two_peaks() -> None:
    """Reverse KL takes one peak where there is little noise, forward KL covers both."""
    st.markdown("**Two peaks.** x lies between the horseshoe's arms: which arm did it come from?")
    first, second = st.columns(2)
    with first:
        sigma = controls.number("Noise \u03c3", 0.3, 0.8, 0.5, 0.05, key="noise")
    with second:
        across = controls.number("First coordinate of x", -0.6, 0.6, 0.1, 0.05, key="aside")
    found = nearest.fits("horseshoe", sigma, (across, BETWEEN))
    fits = [found.covering, *found.nearest[:2]]
    seeks = ": seeks" if found.seeks(found.nearest[0]) else ""
    names = ("least KL(p \u2016 q): covers", f"least KL(q \u2016 p){seeks}", "another minimum of it")[: len(fits)]
    looks = ((FORWARD, "solid"), (REVERSE, "solid"), (REVERSE, "dash"))
    shown = [(name, *fit.q, *look) for name, fit, look in zip(names, fits, looks, strict=False)]
    near = found.posterior.z.abs() <= 4.5
    z, density = found.posterior.z[near][::4].numpy(), found.posterior.density[near][::4].numpy()
    st.plotly_chart(nearest_gaussians(z, density, shown), config=PLOT, key="peaks")
    small_table(
        names,
        {
            "KL(q\u00a0\u2016\u00a0p)": [f"{fit.reverse:.2f}" for fit in fits],
            "KL(p\u00a0\u2016\u00a0q)": [f"{fit.forward:.2f}" for fit in fits],
        },
    )
    st.caption(
        "p: the exact posterior p(z|x) at x = "
        f"({across:g}, {BETWEEN:g}). Nats, by quadrature. KL(q \u2016 p) makes q avoid places where p is nearly 0, so "
        "with little noise it keeps to one peak, and where it starts decides which; with more, one as wide as both is "
        "nearer, and still narrower than p. KL(p \u2016 q) makes it cover all "
        "places where p is not, the empty middle included. One of two equal peaks costs log 2 = 0.69 nats."
    )


def tilted() -> None:
    """What a q without correlations makes of a correlated posterior."""
    st.markdown("**Two latents that go together.** A VAE's encoder usually has no correlation to give.")
    rho = controls.number("Correlation in the posterior", 0.0, 0.98, 0.9, 0.02, key="rho")
    fits = nearest.tilted(rho)
    looks = ((INACTIVE, "solid"), (REVERSE, "solid"), (FORWARD, "solid"), (COLOURS["kl"], "dot"))
    bells = [(fit.name, np.zeros(2), fit.covariance, *look) for fit, look in zip(fits, looks, strict=True)]
    st.plotly_chart(ellipses(bells, reach=2.4, height=420), config=PLOT, key="tilted")
    small_table(
        [fit.name for fit in fits[1:]],
        {
            "width": [f"{math.sqrt(fit.covariance[0, 0]):.2f}" for fit in fits[1:]],
            "KL(q\u00a0\u2016\u00a0p)": [f"{fit.reverse:.2f}" for fit in fits[1:]],
            "KL(p\u00a0\u2016\u00a0q)": [f"{fit.forward:.2f}" for fit in fits[1:]],
        },
    )
    st.caption(
        "Lines of 1 and 2 standard deviations, all in closed form, nats. The diagonal q that variational inference "
        rf"finds is too narrow: its width is $\sqrt{{1-\rho^2}}$, with $\rho$ the correlation, and the ELBO stays "
        rf"$-\tfrac12\log(1-\rho^2)$ = {-0.5 * math.log(1 - rho**2):.2f} nats below $\log p(x)$ however long one "
        "trains. A full covariance closes the gap."
    )


@frame.part
def real_models() -> None:
    """ELBO and importance-weighted bound of trained VAEs, as K grows."""
    measured = lesson.results()
    st.subheader("On real models: how far below log p(x) is the ELBO?", anchor=False)
    st.markdown(
        r"With more than two latents the exact posterior of a digit is out of reach, but many samples of $q$ bring the "
        r"bound nearer: "
        r"$\;\mathrm{ELBO} = \mathcal L_1 \le \mathcal L_K = \mathbb E\Big[\log \tfrac1K \sum_{k=1}^{K} "
        r"\tfrac{p(x, z_k)}{q(z_k \mid x)}\Big] \le \log p(x)$, with $z_1, \dots, z_K$ drawn from $q(z \mid x)$."
    )
    titles = {row.title: name for name, row in measured.rows.items()}
    default = next((title for title in titles if title == "2 latents, beta 1"), next(iter(titles)))
    title = controls.choose("VAE", list(titles), key="model", default=default, style="select")
    name = titles[title]
    row = measured.rows[name]
    left, right = st.columns(2, gap="medium")
    with left:
        figure = bound_curve(measured.samples, row.bound, row.evidence, COLOURS["q"], COLOURS["kl"])
        st.plotly_chart(figure, config=PLOT, key="bounds")
    with right:
        small_table(list(titles), measured.columns, list(titles).index(title))
        st.markdown(row.verdict(measured.samples[-1]))
    st.caption(
        f"VAEs trained on the training images of {dataset(lesson.DATA).title}; means over the first "
        f"{measured.images:,} of {frame.held_out_words(lesson.DATA)} They are binarised, each pixel drawn once with "
        "its grey value as the probability of 1, so that the decoder's Bernoulli gives a likelihood; the models were "
        "trained on grey ones, and their encoders, used to these, lose by it. log p(x) of models with two latents: by "
        "quadrature over the plane. Every K uses the same samples, in groups of K."
    )
    one_picture(name, title)


def one_picture(name: str, title: str) -> None:
    """The same for one held-out picture, drawn now."""
    st.markdown(f"**One digit, now.** {DRAWS:,} samples of q by the VAE with {title}:")
    source = cache.held_out(lesson.DATA)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        image = controls.index_from_link("image", len(source), 3)
        controls.another("Another digit", "image", image, len(source))
        pressed = st.button("Draw samples", type="primary", help="Each time other samples.")
    seed = st.session_state.setdefault("draw seed", 0)
    kept: Draws | None = st.session_state.get("drawn")
    place = st.empty()
    if pressed:
        seed = st.session_state["draw seed"] = seed + 1
        with place.container(height=520, border=False):
            bar = st.progress(0.0, "Drawing")
            for share, words, found in lesson.draw(name, image, seed):
                bar.progress(min(1.0, share), words)
                kept = found or kept
        st.session_state["drawn"] = kept
    with place.container():
        if kept is None or (kept.name, kept.image) != (name, image):
            picture, words = st.columns([3, 11], gap="medium")
            with picture:
                show_digit(lesson.binarised().images(torch.tensor([image]))[0], image)
            words.info("Press *Draw samples*.")
        else:
            show_draws(kept)


def show_digit(picture: torch.Tensor, number: int) -> None:
    st.image(frame.crisp(picture, 224), caption=f"held-out image no. {number}, binarised", width="stretch")


def show_draws(drawn: Draws) -> None:
    """The digit, its bound over K, and where there is a plane the exact posterior with q on it."""
    columns = st.columns([3, 6, 5] if drawn.heat is not None else [3, 11], gap="medium")
    with columns[0]:
        show_digit(drawn.picture[0], drawn.image)
        st.markdown(drawn.worth)
    truth = None if drawn.plane is None else drawn.plane.evidence
    with columns[1]:
        figure = bound_curve(lesson.results().samples, drawn.bound, truth, COLOURS["q"], COLOURS["kl"])
        st.plotly_chart(figure, config=PLOT, key="bound of one")
    if drawn.heat is not None and drawn.window is not None:
        with columns[2]:
            mean, std = (each.double().numpy() for each in drawn.q)
            st.plotly_chart(posterior_map(drawn.heat, drawn.window, mean, std, COLOURS["q"]), config=PLOT, key="plane")
    st.caption(f"{frame.held_out_words(lesson.DATA, 1)} {drawn.told}")


def straight() -> None:
    """Probabilistic PCA: the one case in which a VAE can be checked."""
    st.subheader("Where the answer is known: a linear VAE and probabilistic PCA", anchor=False)
    st.markdown(
        r"With a linear decoder, $p(x \mid z) = \mathcal N(x; Wz + m, \sigma^2 I)$, everything has a closed form: "
        r"the best $W$ and $\sigma$, $\log p(x)$, and the posterior. Train a VAE with linear maps by its ELBO alone; "
        "does it find them?"
    )
    busy = "linear vae" in st.session_state
    with st.container(horizontal=True, vertical_alignment="bottom"):
        latent = int(controls.choose("Latents", LATENTS, key="latents", default="4"))
        pressed = st.button("Train the linear VAE", type="primary", disabled=busy, help="Each time from another start.")
    trace: LinearTrace | None = st.session_state.get("linear vae trace")
    seed = controls.index_from_link("start", MOST_SEEDS, 0, "start")
    if pressed:
        if trace is not None:
            seed = (seed + 1) % MOST_SEEDS
            controls.to_link("start", seed)
        trace = st.session_state["linear vae trace"] = LinearTrace(latent, seed)
        begin("linear vae", lesson.train_linear(trace))
    with st.container(height=STATE, border=False):  # as high in every state, so that the figure stays where it is
        goes_on = watched("linear vae")
        if trace is not None and trace.latent != latent and not goes_on:
            trace = None
        if not goes_on:
            st.markdown(trace.told if trace is not None else "Press the button: some seconds, from random weights.")
    shown = trace if trace is not None else LinearTrace(latent, seed)
    show_training(shown, lesson.linear(shown.latent))
    st.caption(
        f"The first {lesson.TRAINED_ON:,} training images of {dataset(lesson.DATA).title}, averaged down to 14 x 14 "
        "pixels, grey; trained on all of them at once, with both terms of the ELBO in closed form (Adam). Densities "
        "may exceed 1, so nats may be above 0. Right: the posterior of the first held-out digit, in two latents, "
        "exact for the VAE's own decoder, and what its encoder says. Below: the columns of W as pictures, the longest "
        "first; blue takes ink away, red adds."
    )


def show_training(trace: LinearTrace, found: Linear) -> None:
    """Bound and evidence over the steps; the two posteriors of one digit."""
    known = trace.known
    left, right = st.columns([8, 5], gap="medium")
    with left:
        lines = [each[:known] for each in (trace.steps, trace.elbo, trace.evidence)]
        figure = linear_lines(lines[0], lines[1], lines[2], found.best, lesson.STEPS, (COLOURS["q"], COLOURS["kl"]))
        st.plotly_chart(figure, config=PLOT, key="linear lines")
    with right:
        exact, q = trace.ellipses[known - 1] if known else (found.posterior, None)
        shown = [("exact posterior" + ("" if q else " by pPCA"), *exact, INACTIVE, "solid")]
        shown += [("q", *q, COLOURS["q"], "dash")] if q else []
        st.plotly_chart(ellipses(shown, height=LINES), config=PLOT, key="linear ellipses")
    theirs, ours, cosines = lesson.bases(found.ppca, trace.decoder)
    rows = [Row("pPCA's W", "what each latent adds", theirs, INACTIVE)]
    if ours is not None and cosines is not None:
        rows.append(Row("The VAE's W", f"|cos| {min(cosines):.2f} to {max(cosines):.2f}", ours, COLOURS["q"]))
    with st.columns([3, 1] if trace.latent > 4 else [1, 1])[0]:
        picture_rows(rows)


SEEN = """
- **log p(x) is one number, the ELBO is as good as q.** Whatever q you choose, ELBO and KL to the exact posterior add up
  to the same log p(x). So making the ELBO large makes the KL small, although the posterior never had to be computed.
  That is the whole trick.
- **The gap is the price of q's family.** On the straight line the posterior is a Gaussian, and the KL goes to zero.
  Between the arms of the horseshoe, towards the gap between its ends, it has two peaks. With little noise the best
  Gaussian takes one, with more it spans both: some nats stay missing either way. In the very middle, (0, 0), every
  place of the curve is equally far: there the posterior is the prior.
- **The direction matters.** Variational inference minimises KL(q || p): q goes where p surely is, too narrow rather
  than too wide. KL(p || q) covers everything, but it takes averages over p, which is what is unknown.
- **A diagonal covariance has its price, too,** wherever latents go together in the posterior.
- **On a trained model** the importance-weighted bound tells how much the ELBO lacks at least. It rises with K, but it
  only sees places that q visits: where q is far too narrow, or sits on one peak of two, even 5,000 samples stay short.
- **In the linear case** the exact posterior is a Gaussian. The VAE ends with q equal to it, at pPCA's maximum. Its q is
  diagonal, so the bound is tight only where the latents do not go together: that draws it to pPCA's own directions,
  slowly. A linear autoencoder ends with any.
"""
LECTURE = r"""
**7.5 Variational Inference**: the integral that cannot be computed, $q(z)$ in place of $p(z \mid x)$, and
$\log p(x) = KL(q(z) \| p(z \mid x)) + L$. **7.6 Evidence Lower Bound (ELBO)**: $L$ as reconstruction minus
$KL(q(z) \| p(z))$.

The bound with $K$ samples: Burda, Grosse and Salakhutdinov (2016), *Importance weighted autoencoders*. Probabilistic
PCA: Tipping and Bishop (1999). That a linear VAE has no other maxima: Lucas, Tucker, Grosse and Norouzi (2019). Both
directions of the KL: Bishop (2006), section 10.1.
"""

frame.opening(
    "How near can a Gaussian come to the exact posterior?",
    "Drag the peak of q onto the grey posterior, and watch the bars. Then drag x into the gap of the horseshoe, "
    "near (0, 2): two peaks.",
)
push()
directions()
real_models()
st.fragment(frame.guarded(straight), run_every=TICK if "linear vae" in st.session_state else None)()
frame.closing(
    SEEN,
    [CurveModel, gaussian_fits, diagonal_fit, importance_bounds, log_weights, integrate, fit_ppca, LinearVAE],
    LECTURE,
)
