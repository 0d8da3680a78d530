"""The loss: one dial under three names, likelihoods beside each other, the KL by draws, and the loss without a KL."""

from __future__ import annotations

import math

import streamlit as st
import torch

from ui import cache, controls, frame
from ui.figures import PLOT
from ui.figures import loss as figures
from ui.figures.loss import Line
from ui.kl_draws import COLOURS as KIND_COLOURS
from ui.kl_draws import MEAN, WIDTH, kl_draws
from ui.lessons import loss as lesson
from ui.lessons.loss import DATA, PAIR
from ui.palette import RUN_COLOURS
from ui.picture_rows import Row, picture_rows
from ui.sheet.axes import minus
from ui.small_table import small_table
from vae_core.exact.kl import ESTIMATORS, closed_form, single_draws
from vae_core.exact.pixel import charge, mass
from vae_core.metrics.decoder_scale import DecoderScale
from vae_core.recipes.loss import PIXELS, WEIGHT_PAIR, sigma_of

PICTURES, SAMPLES = 8, 10  # in a row: on the dial, and below
COLOURS = (*RUN_COLOURS, "#7b818c")
START_Q = (1.0, 0.3)  # mean and width
DRAWS = ("1", "3", "10", "30", "100", "300", "1,000", "3,000", "10,000")
MOST_SEEDS = 1000
ON, OFF = PAIR
SIDES = {OFF: ("KL\u00a0off", RUN_COLOURS[1]), ON: ("KL\u00a0on", RUN_COLOURS[0])}


# ---------------------------------------------------------------- one dial


@frame.part
def turn() -> None:
    """A trained model at every stop of the dial."""
    stops = lesson.dial()
    titles = [stop.title for stop in stops]
    start = next(stop.title for stop in stops if math.isclose(stop.c, 1.0))
    with st.container(key="controls"):
        chosen = controls.choose(
            r"One dial under three names, $1/C = \beta = 2\sigma^2$: from hardly any KL to nothing but KL",
            titles, key="dial", default=start, style="slider",
        )  # fmt: skip
    today = stops[titles.index(chosen)]
    scales = [lesson.scale(stop.name) for stop in stops]
    bounds = [scale.elbo(stop.sigma) for scale, stop in zip(scales, stops, strict=True)]
    left, right = st.columns([7, 5], gap="medium")
    with left, st.container(key="figure"):
        place = titles.index(chosen)
        learned = next(i for i, stop in enumerate(stops) if stop.learned)
        figure = figures.dial(
            [stop.ticks for stop in stops], [max(bounds) - bound for bound in bounds],
            [scale.squared_error for scale in scales], [scale.kl for scale in scales], place, learned,
        )  # fmt: skip
        st.plotly_chart(figure, config=PLOT, key="dial figure")
    with right, st.container(key="beside"):
        copies, samples = lesson.pictures(today.name, PICTURES)
        picture_rows(
            [
                Row("Held-out images", "", cache.held_out(DATA).images(torch.arange(PICTURES))),
                Row("Reconstructions", "one draw each", copies),
                Row("Samples", "codes from the prior", samples),
            ]
        )
        st.markdown(lesson.verdict(today))
    st.latex(
        r"{C\,\lVert x-\hat x\rVert^2 + \mathrm{KL}} \;=\; {C\,\big(\lVert x-\hat x\rVert^2 + \beta\,\mathrm{KL}\big)},"
        r"\quad\allowbreak {\beta = \tfrac1C}"
    )
    st.latex(
        r"-\log \mathcal N(x;\hat x, \sigma^2 I) = "
        r"\tfrac{1}{2\sigma^2}\lVert x-\hat x\rVert^2 + D\log\sigma + \tfrac D2\log 2\pi,\quad"
        r"\allowbreak {C = \tfrac{1}{2\sigma^2}}"
    )
    st.caption(
        r"$x$: an image of $D$ = "
        + f"{PIXELS} pixels; "
        + r"$\hat x$: what the decoder makes of its code; $C$: weight "
        r"of the squared error, summed over the pixels; $\beta$: weight of the KL beside it; $\sigma$: scale of the "
        "decoder's Gaussian. "
        f"{len(stops)} VAEs with 2 latents, the same small MLP, each trained on MNIST with its own C "
        f"({lesson.epochs()} epochs); means over {frame.held_out_words(DATA)} ELBO: with its constants, "
        "each with its own \u03c3; densities may be above 1, so it may be above 0."
    )


# ---------------------------------------------------------------- likelihoods


@frame.part
def likelihoods() -> None:
    """What each charges for one pixel, and what comes of training with it."""
    st.subheader("One pixel, five prices", anchor=False)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        grey = controls.number("Grey value x of the pixel", 0.0, 1.0, 0.6, 0.05, key="grey")
        on = controls.choose("Pull on the", ["prediction", "logit before the sigmoid"], key="pull")
    prediction = torch.linspace(0.005, 0.995, 199)
    lines = []
    for title, (_, sigma) in lesson.contestants().items():
        found = charge(prediction, grey, sigma)
        pull = found.by_prediction if on == "prediction" else found.by_logit
        lines.append(Line(title, found.cost.numpy(), pull.abs().numpy()))
    left, right = st.columns(2, gap="medium")
    left.plotly_chart(figures.pixel_costs(prediction.numpy(), lines, grey, COLOURS), config=PLOT, key="costs")
    right.plotly_chart(figures.pixel_pulls(prediction.numpy(), lines, grey, COLOURS, on), config=PLOT, key="pulls")
    st.html(figures.legend(list(lesson.contestants()), COLOURS))
    at = min(max(grey, 0.005), 0.995)
    own = charge(torch.tensor([grey]), grey, None).cost.item()
    st.caption(
        "Computed by the losses that the models are trained with, constants included. All are lowest at the pixel's "
        "own grey, the dotted line; they differ in how hard they pull there. Grey BCE is not 0 there but "
        f"{own:.2f} nats, and exp(\u2212grey BCE) at that prediction adds up to {mass(torch.tensor(at)).item():.2f} "
        "over all greys from 0 to 1. The density of a likelihood adds up to 1."
    )
    st.markdown("**Trained with each.** The same network and the same training, another reconstruction term:")
    table()
    left, right = st.columns(2, gap="large")
    with left:
        pitfalls()
    with right:
        samples()
    st.caption(
        f"VAEs with 2 latents, trained on MNIST; means over {frame.held_out_words(DATA)} Nats per image. Last column: "
        "every decoder's pictures taken as the means of a Gaussian with the best scale, so that all can be compared. "
        "Samples: the same codes from the prior for all."
    )


def table() -> None:
    """The trained models, in figures that can be compared."""
    scales = {title: (lesson.scale(name), sigma) for title, (name, sigma) in lesson.contestants().items()}
    small_table(
        list(scales),
        {
            "error of a pixel, RMS": [f"{scale.rmse:.3f}" for scale, _ in scales.values()],
            "KL, nats": [f"{scale.kl:.2f}" for scale, _ in scales.values()],
            "\u2212ELBO, its own \u03c3": [
                "none" if sigma is None else minus(f"{-scale.elbo(sigma):,.0f}") for scale, sigma in scales.values()
            ],
            "\u2212ELBO, \u03c3 = RMS error": [minus(f"{-scale.elbo(scale.rmse):.0f}") for scale, _ in scales.values()],
        },
        len(scales) - 1,
    )


def samples() -> None:
    """What each decodes codes from the prior to."""
    picture_rows(
        [
            Row(f"{title[0].upper()}{title[1:]}", "", lesson.pictures(name, PICTURES)[1], colour)
            for (title, (name, _)), colour in zip(lesson.contestants().items(), COLOURS, strict=True)
        ]
    )


def pitfalls() -> None:
    """Two ways in which a loss says less than it seems to, in numbers."""
    averaged, summed = (lesson.scale(lesson.weight_name(c)) for c in (1 / PIXELS, 1.0))
    bce = cache.checkpoint(lesson.BCE).metrics["recon"]
    least = lesson.results()["least_bce"]
    st.markdown(
        f"**Averaged over pixels, summed over latents.** `mse_loss(...).mean() + kl.sum()` looks like C = 1. It is "
        f"C = 1/{PIXELS}, so beta = {PIXELS}: a decoder with \u03c3 = {sigma_of(1 / PIXELS):.1f} on pixels from 0 to "
        "1. "
        f"Its KL ends at {averaged.kl:.2f} nats, that of the sum at {summed.kl:.2f}; every sample is the same mean "
        "picture. Sum both, and average over the batch alone."
    )
    st.markdown(
        f"**Grey BCE.** The model trained with it scores {bce:.1f} nats of it per image; a perfect copy would still "
        f"score {least:.1f}. As exp(\u2212grey BCE) adds up to at most ½ over a pixel's greys, it is the probability "
        "of nothing, and no paper's nats on black-and-white images can be set beside it. As a loss it works: on the "
        "logit it pulls by exactly the error, even where the sigmoid is flat and the squared error lets go."
    )


# ---------------------------------------------------------------- the KL


def keep_q() -> None:
    """A hand let go of q: put it into the link."""
    told = st.session_state["kl"].get("release")
    if told:
        controls.to_link("q", told["q"])


@frame.part
def by_draws() -> None:
    """The KL of a Gaussian moved by hand, by its formula and from draws."""
    st.subheader("The KL needs no draws. What if it did?", anchor=False)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        count = controls.choose("Draws K", DRAWS, key="draws", default="10", style="slider")
        seed = controls.index_from_link("seed", MOST_SEEDS, 0, "seed")
        controls.another("Other draws", "seed", seed, MOST_SEEDS)
    draws = int(count.replace(",", ""))
    mean, width = controls.vector_from_link("q", 2, MEAN) or START_Q
    q = (mean, min(max(width, WIDTH[0]), WIDTH[1]))
    kl_draws(lesson.noise(seed), draws, q, key="kl", on_release=keep_q)
    st.latex(
        r"\mathrm{KL}(q\,\|\,p) = {\tfrac12\big(\mu^2 + s^2 - 1 - \log s^2\big)}"
        r"\;=\; {\mathbb E_q\Big[\log\tfrac{q(z)}{p(z)}\Big]} \;\approx\; "
        r"{\tfrac1K\sum_{k=1}^K \log\tfrac{q(z_k)}{p(z_k)}},\quad\allowbreak {z_k \sim q}"
    )
    st.caption(
        r"$q = \mathcal N(\mu, s^2)$: yours; $p = \mathcal N(0, 1)$: the prior. Made up, no image. Log-ratio: the sum "
        r"above. Entropy known: only $-\log p(z_k)$ is drawn. Never negative: $(r-1)-\log r$ with $r = p(z)/q(z)$, "
        r"right on average, too; but where $s \le \sqrt{1/2}$, as in most encoders, its variance is infinite: it waits "
        "for draws that hardly ever come. At most 300 draws are shown. Computed in your browser."
    )
    of_images(draws, seed)


def of_images(draws: int, seed: int) -> None:
    """The same for the posteriors of a trained model."""
    st.markdown(f"**In a trained model.** The KL of {lesson.IMAGES} digits, from K = {draws:,} draws each:")
    kind = controls.choose("Estimated by", ESTIMATORS, key="kind")
    found = lesson.per_image(kind, draws, seed)
    left, right = st.columns([7, 5], gap="medium", vertical_alignment="center")
    with left:
        figure = figures.exact_against_drawn(found.exact.numpy(), found.estimate.numpy(), KIND_COLOURS[kind])
        st.plotly_chart(figure, config=PLOT, key="per image")
    off = (found.estimate - found.exact).double()
    right.markdown(
        f"Mean over the digits: **{minus(f'{found.estimate.mean().item():.2f}')}** nats from draws, "
        f"**{found.exact.mean().item():.2f}** by the formula.\n\nA single digit is off by "
        f"**{off.square().mean().sqrt().item():.2f}** nats (root mean square)."
    )
    right.markdown(
        "In training one draw serves for the reconstruction, which has no formula. For the KL the formula costs "
        "nothing and has no noise. Other priors and posteriors (mixtures, flows) have none; there one draws."
    )
    st.caption(
        "VAE with the learned scale, 2 latents, trained on MNIST; the first "
        f"{lesson.IMAGES} of {frame.held_out_words(DATA)} Points outside the axis are not shown."
    )


# ---------------------------------------------------------------- without a KL


@frame.part
def cheats() -> None:
    """Two trainings that differ in the KL alone, step by step."""
    st.subheader("What does a VAE do when nobody asks for the KL?", anchor=False)
    trainings = lesson.trainings()
    steps = [f"{step:,}" for step in trainings[OFF]]
    chosen = controls.choose("Training step", steps, key="step", default=steps[-1], style="slider")
    looks = {name: trainings[name][int(chosen.replace(",", ""))] for name in SIDES}
    labels = cache.held_out(DATA).labels.numpy()
    *columns, last = st.columns(3, gap="small")
    for column, (name, (title, _)) in zip(columns, SIDES.items(), strict=True):
        mean = looks[name].mean.numpy()
        figure = figures.cloud(mean, labels[: len(mean)], lesson.reach(), f"<b>{title}</b>")
        column.plotly_chart(figure, config=PLOT, key=f"cloud {name}")
    groups = [(title, looks[name].logvar.flatten().numpy(), colour) for name, (title, colour) in SIDES.items()]
    last.plotly_chart(figures.logvar_bars(groups, (-20.0, 2.0)), config=PLOT, key="log-variances")
    left, right = st.columns([7, 6], gap="medium", vertical_alignment="center")
    with left:
        small_table(
            [title for title, _ in SIDES.values()],
            {
                "means spread by": [f"{looks[name].spread:.2f}" for name in SIDES],
                "width of a posterior": [f"{looks[name].width:.3f}" for name in SIDES],
                "squared error": [f"{looks[name].squared_error:.1f}" for name in SIDES],
                "KL, nats": [f"{looks[name].kl:,.1f}" for name in SIDES],
            },
        )
    right.markdown(
        "Tiny variances and far-apart means are one cheat up to a change of scale. What counts is the spread of the "
        "means over the width of a posterior: "
        + " against ".join(f"**{looks[name].spread / looks[name].width:,.0f}**" for name in SIDES)
        + "."
    )
    shown = len(looks[OFF].mean)
    st.caption(
        f"Two VAEs with C = {WEIGHT_PAIR:g}, trained on MNIST from the same weights; the first {shown} of "
        f"{frame.held_out_words(DATA)} Colour: the digit. Both clouds are drawn at one scale; ring: two standard "
        "deviations of the prior. "
        "Squared error: decoded from the means, summed over pixels. Log-variances are cut off at \u221220 in training."
    )
    samples = {name: lesson.pictures(name, SAMPLES) for name in SIDES}
    picture_rows(
        [
            Row("Held-out images", f"the first {SAMPLES}", cache.held_out(DATA).images(torch.arange(SAMPLES))),
            *(Row(SIDES[name][0], "copies", samples[name][0], SIDES[name][1]) for name in SIDES),
            *(Row(SIDES[name][0], "codes from the prior, decoded", samples[name][1], SIDES[name][1]) for name in SIDES),
        ]
    )
    st.caption("After the whole training. The same draws from the prior for both.")


SEEN = r"""
- **C, beta and the decoder's variance are one number.** A Gaussian decoder charges the squared error divided by
  $2\sigma^2$. So a weight C on the error, a weight 1/C on the KL and a belief about the noise are the same choice.
- **The data know which.** Among all scales the ELBO is largest where $\sigma$ is the root mean squared error of a
  pixel. The model that learns it stops there, and its ELBO is the best on the dial. That says what is likely, not what
  is useful: for smoother planes or other ends one may still choose another beta.
- **Too little C, and the code falls silent.** Once the noise that the decoder believes in is larger than what a latent
  could explain, the latent costs more than it saves: KL 0, one mean picture for all.
- **Every likelihood wants the same prediction, at another price.** The price decides what is worth a nat. An average
  over pixels divides it by their number without a word.
- **The KL of two Gaussians has a formula.** Draws get there, too, by $1/\sqrt K$. An estimator that is never
  negative looks safer, and misses most of the KL where the posterior is narrow.
- **Without a KL a VAE is an autoencoder that has to fight noise.** It moves the means apart and shrinks the widths,
  until the noise no longer matters; where the prior's draws fall, there is little of what it knows.
"""
LECTURE = r"""
**7.8 Loss Function**: reconstruction plus KL, with mean squared error or binary cross-entropy as usual choices; and
**7.6 Evidence Lower Bound (ELBO)**, where $p(x \mid \hat x) = e^{-|x-\hat x|^2}$: up to its constant the Gaussian with
$\sigma^2 = \tfrac12$, the stop C = 1 of the dial.

The article ends with $\;\mathrm{loss} = C\,\lVert x-\hat x\rVert^2 + \mathrm{KL}[N(\mu_x, \sigma_x), N(0, I)]$,
$C = 1/(2c)$, with $c$ the variance of the decoder, and names both cheats: punctual distributions, and means far
apart, which its note calls the same up to a change of scale.

A learned scale: Rybkin, Daniilidis and Levine 2021 (sigma-VAE). When latents fall silent in the linear case: Lucas,
Tucker, Grosse and Norouzi 2019. Grey BCE: Loaiza-Ganem and Cunningham 2019.
"""

frame.opening(
    "What does the weight between reconstruction and KL mean?",
    "Move the dial: a trained VAE stands at every stop. The one at the diamond found its own place in training.",
)
turn()
likelihoods()
by_draws()
cheats()
frame.closing(SEEN, [DecoderScale, charge, single_draws, closed_form], LECTURE)
