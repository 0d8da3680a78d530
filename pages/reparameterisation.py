"""The reparameterisation trick: a Gaussian that looks for a point by three estimates of one gradient, and a VAE."""

from __future__ import annotations

import streamlit as st
import torch

from ui import cache, controls, frame
from ui.drawing import drawing
from ui.figures import PLOT
from ui.figures.reparameterisation import Curve, elbo_lines, graph, numbers, variance_lines
from ui.gradient_paths import SHOWN, Plane, Walker, gradient_paths
from ui.jobs import begin, watched
from ui.lessons import reparameterisation as lesson
from ui.lessons.reparameterisation import CONTESTANTS, DATA, LOOKS, WIDTHS, Race, Spread
from ui.palette import RUN_COLOURS
from ui.picture_rows import Row, picture_rows
from ui.sheet.axes import minus
from vae_core.data import dataset
from vae_core.exact.draws import Backward, backward, draw
from vae_core.exact.draws import descend as descend_by_torch
from vae_core.exact.point import (
    LOST,
    TARGET,
    Settings,
    descend,
    pathwise,
    resting_place,
    score_function,
    variance,
)

WINDOW = (-4.0, 9.0)  # of both coordinates
RINGS = (2, 10, 25, 50, 75, 100)
MOST_DRAWS, MOST_STARTS = 1000, 1000  # seeds in a link
TICK, STATE = 1.0, 84  # seconds between two looks at a training; pixels for what is said of it
PICTURES = 8
OPENING = 3  # the step that is shown first: in the first ones some arrows are hidden under the mean


# ---------------------------------------------------------------- three Gaussians


def pick() -> Settings:
    """The descent that is asked for; it also starts where the link says."""
    draws = controls.choose("Draws per step, K", lesson.DRAWS, key="draws", default="1")
    rate = controls.choose("Learning rate", lesson.RATES, key="rate", default="0.02")
    width = controls.choose(r"Width of the Gaussian, $\sigma$", list(WIDTHS), key="width", default=lesson.FIXED)
    start = controls.vector_from_link("start", 2, WINDOW[1], least=WINDOW[0]) or [0.0, 0.0]
    seed = controls.index_from_link("seed", MOST_DRAWS, 0, "seed")
    controls.another("Other draws", "seed", seed, MOST_DRAWS)
    learns, weight = WIDTHS[width]
    return Settings(
        draws=int(draws), rate=float(rate), steps=lesson.STEPS, start=(start[0], start[1]), learns_sigma=learns,
        kl_weight=weight, seed=seed,
    )  # fmt: skip


def keep_place() -> None:
    """A hand paused the descents, or clicked where they are to begin: put it into the link."""
    told = st.session_state["paths"]["release"]
    if told["start"] is not None:
        controls.to_link("start", told["start"])
    controls.to_link("at", None if told["at"] == OPENING else int(told["at"]))


@frame.part
def explore() -> None:
    """The same draws, three estimates of the gradient, three ways."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="controls"):
        settings = pick()
    found, noise = lesson.ways(settings)
    at = controls.index_from_link("at", lesson.STEPS + 1, OPENING, "step")
    walkers = []
    for name, way in found.items():
        look = LOOKS[name]
        walkers.append(Walker(name, look.title, look.words, look.colour, look.from_draws, *way))
    plane = Plane(TARGET, WINDOW, RINGS, RUN_COLOURS[2], LOST, prior=settings.kl_weight > 0)
    with st.container(key="figure"):
        gradient_paths(walkers, noise, plane, key="paths", at=at, on_release=keep_place)
    st.caption(f"{shown_words(settings)} {width_words(settings)}")


def shown_words(settings: Settings) -> str:
    width = f", or whose $\\sigma$ leaves 1/{LOST:g} to {LOST:g}," if settings.learns_sigma else ""
    some = f"{SHOWN} of the {settings.draws} draws of a step are shown. " if settings.draws > SHOWN else ""
    return (
        f"A computed toy problem, no data: the mean is to make $\\mathbb{{E}}\\,\\lVert x - t \\rVert^2$ small, "
        f"$t = ({TARGET[0]:g}, {TARGET[1]:g})$, the cross. Contours: the loss of a point. Ellipses: "
        f"$\\sigma$ and $2\\sigma$. {some}"
        f"All three use the same random numbers; a way that is further than {LOST:g} from 0{width} is given up."
    )


def width_words(settings: Settings) -> str:
    """What happens to a width that is learned."""
    if not settings.learns_sigma:
        return ""
    if settings.kl_weight:
        mean, sigma = resting_place(settings.kl_weight)
        return (
            f"With the KL to N(0, I) added, weight {settings.kl_weight:g}, the exact loss is smallest at $\\mu$ = "
            f"({mean[0]:.2f}, {mean[1]:.2f}) and $\\sigma$ = {sigma:.2f}: it pays for width and pulls the mean to 0."
        )
    return "$\\sigma$ only adds to this loss, $2\\sigma^2$, so it shrinks towards 0: nothing pays for keeping it."


# ---------------------------------------------------------------- how much the estimates vary


def curves(spreads: dict[str, Spread]) -> list[Curve]:
    return [
        Curve(
            LOOKS[name].short, LOOKS[name].colour, LOOKS[name].symbol, spread.places, spread.exact,
            [each.value for each in spread.measured], [each.error for each in spread.measured],
        )
        for name, spread in spreads.items()
    ]  # fmt: skip


@frame.guarded
def spread() -> None:
    """Variance against the number of draws, and against the distance."""
    st.subheader("Each is right on average. How far off is one estimate?", anchor=False)
    st.markdown(
        r"With $x_k = \mu + \sigma\varepsilon_k$ and $f(x) = \lVert x - t \rVert^2$: "
        r"pathwise $\;\frac1K\sum_k \nabla f(x_k)$; "
        r"score function $\;\frac1K\sum_k f(x_k)\,\varepsilon_k/\sigma$; "
        r"with a baseline $b$: $\;\frac1K\sum_k (f(x_k) - b)\,\varepsilon_k/\sigma$"
    )
    far, counts = lesson.over_distance(), lesson.over_draws()
    left, right = st.columns(2, gap="medium")
    figure = variance_lines(curves(counts), x="draws per estimate, K", log=True)
    left.plotly_chart(figure, config=PLOT, key="over draws")
    figure = variance_lines(curves(far), x="distance of the mean from the target", log=False)
    right.plotly_chart(figure, config=PLOT, key="over distance")
    ratio = counts["score"].exact[0] / counts["pathwise"].exact[0]
    st.caption(
        r"Variance summed over both coordinates of the gradient for the mean, $\sigma$ = 1. Lines: closed form. "
        f"Points: measured over {lesson.REPEATS:,} repetitions, with 95% error bars. Left: mean at (0, 0), where one "
        f"draw of the score function varies {ratio:,.0f} times as much as a pathwise one. Right: K = 1. Baseline: "
        "the mean loss, known here; leave-one-out takes the mean over the other draws and needs two."
    )


# ---------------------------------------------------------------- the graph


@frame.part
def graphs() -> None:
    """One draw by PyTorch, inside the graph and outside of it."""
    st.subheader("Where does the gradient stop?", anchor=False)
    seed = controls.index_from_link("draw", MOST_DRAWS, 0, "draw")
    inside, outside = (backward(way, (0.0, 0.0), (1.0, 1.0), TARGET, seed) for way in ("sample", "rsample"))
    left, middle, right = st.columns([8, 8, 10], gap="medium")
    for column, title, told in ((left, "Sampled inside", inside), (middle, "Noise from outside", outside)):
        with column:
            st.markdown(f"**{title}**")
            drawing(picture_of(told, told is inside), key=title)
    with right:
        st.markdown("**What PyTorch does with it**")
        st.code(
            "x = Normal(mu, sigma).sample()  # or:\nx = Normal(mu, sigma).rsample()\n"
            "loss = ((x - target) ** 2).sum()\nloss.backward()",
            language="python",
        )
        st.markdown(table(inside.complaint or "", seed))
        controls.another("Another draw", "draw", seed, MOST_DRAWS)
    st.caption(
        "Square: deterministic. Circle: random. Solid arrow: forward. Dashed arrow: gradient, as PyTorch computed it "
        "just now. Both draws are the same numbers; only what autograd knows of them differs."
    )


def picture_of(told: Backward, inside: bool) -> str:
    at_mean, at_sigma = (None if each is None else each.tolist() for each in (told.at_mean, told.at_sigma))
    return graph(
        inside=inside, loss=told.loss, x=told.x.tolist(), noise=told.noise.tolist(), at_x=told.at_x.tolist(),
        at_mean=at_mean, at_sigma=at_sigma,
    )  # fmt: skip


def table(complaint: str, seed: int) -> str:
    """What came of the two ways, as Markdown."""
    moved = [descend_by_torch(way, (0.0, 0.0), 1.0, TARGET, lesson.STEPS, 0.02, seed) for way in ("sample", "rsample")]
    useful = [f"{each.useful_steps} of {lesson.STEPS}" for each in moved]
    return (
        "| | `sample()` | `rsample()` |\n|---|---|---|\n"
        f"| `backward()` | *{complaint}* | works |\n"
        f"| steps with a gradient | {useful[0]} | {useful[1]} |\n"
        f"| the mean afterwards | {numbers(moved[0].mean)} | {numbers(moved[1].mean)} |"
    )


# ---------------------------------------------------------------- the same in a VAE


def pick_race() -> Race | None:
    """The training in this session, a new one where Train is pressed."""
    race: Race | None = st.session_state.get("race")
    start = controls.index_from_link("weights", MOST_STARTS, 0, "start")
    if st.button("Train three VAEs", type="primary", disabled="race job" in st.session_state,
                 help="Each time from other weights."):  # fmt: skip
        if race is not None:
            start = (start + 1) % MOST_STARTS
            controls.to_link("weights", start)
        race = st.session_state["race"] = lesson.new_race(start)
        begin("race job", lesson.run(race))
    return race


def in_a_vae() -> None:
    """Three VAEs that differ in how the gradient passes the draw, trained while you watch."""
    st.subheader("And in a VAE, where nothing complains?", anchor=False)
    st.markdown(
        "There the decoder has a gradient of its own and the KL another, so a cut between them goes unnoticed. "
        "Train three VAEs from the same weights, on the same images, with the same noise."
    )
    race = pick_race()
    with st.container(height=STATE, border=False):  # as high in every state, so that the figure stays put
        goes_on = watched("race job")
        if not goes_on:
            st.markdown(told(race) if race is not None else f"{lesson.VAE_STEPS} steps each, side by side.")
    left, right = st.columns([6, 7], gap="medium")
    known = race.known if race is not None else 0
    steps = race.steps[:known] if race is not None else []
    elbos = [race.elbo[name][:known] if race is not None else [] for name in CONTESTANTS]
    titles = [contestant.title for contestant in CONTESTANTS.values()]
    looks = [(contestant.colour, contestant.dash) for contestant in CONTESTANTS.values()]
    left.plotly_chart(elbo_lines(steps, elbos, titles, looks, lesson.VAE_STEPS), config=PLOT, key="elbo")
    with right:
        show_pictures(race, known)
    widths = ", ".join(str(width) for width in lesson.SETTINGS["hidden"])
    st.caption(
        f"MLPs of width {widths} with {lesson.SETTINGS['latent']} latents, trained on {lesson.BATCH} training images "
        f"of {dataset(DATA).title} a step. ELBO, the reconstruction as grey BCE, on the first {lesson.LOOKED_AT:,} of "
        f"{frame.held_out_words(DATA)} The score function subtracts the mean loss over the other images of the batch."
    )


def told(race: Race) -> str:
    """How a training ended."""
    if not race.known:
        return "Stopped before the first step. Press Train."
    words = [
        f"{contestant.title} **{minus(f'{race.elbo[name][-1]:.1f}')}** (KL {race.kl[name][-1]:.1f})"
        for name, contestant in CONTESTANTS.items()
    ]
    how = "Trained" if race.ended else "Stopped"
    return f"{how} after {race.steps[-1]} steps. ELBO, nats per image: {'; '.join(words)}."


def show_pictures(race: Race | None, known: int) -> None:
    """Held-out images, and what each VAE makes of them by now."""
    x = cache.held_out(DATA).images(torch.arange(PICTURES))
    rows = [Row("Held-out images", "as they are", x)]
    if race is not None:
        for name, contestant in CONTESTANTS.items():
            words = f"KL {race.kl[name][known - 1]:.2f} nats" if known else ""
            made = lesson.reconstructed(race.models[name], x)
            rows.append(Row(contestant.title.capitalize(), words, made, contestant.colour))
    picture_rows(rows)


SEEN = r"""
- **A draw has no derivative, a formula has one.** Written as $x = \mu + \sigma\varepsilon$ the draw is a sum and a
  product; the chance sits in $\varepsilon$, which has no parameters. So the gradient goes through $x$ to $\mu$ with
  factor 1 and to $\sigma$ with factor $\varepsilon$.
- **The score function also gets there, without a derivative of the loss.** It moves the mean away from draws in
  proportion to their loss. Far from the target all draws are about equally bad, and what tells them apart drowns in
  what they share. A baseline takes the shared part away, at no cost to the mean of the estimate; some noise stays. It
  is what remains where a draw is discrete and cannot be written as a smooth formula.
- **More draws help, by $1/K$.** Only leave-one-out gains more than that from the first few, as its baseline gets
  better, too. The pathwise variance does not grow with the distance from the target, so that one draw a step, which
  a VAE takes, is enough.
- **Sampled inside, PyTorch complains here and stays silent in a VAE.** There the loss still has gradients, of the
  decoder and of the KL. The encoder hears of the KL alone, makes every posterior the prior (KL 0), and the decoder
  learns to draw the same mean picture for all.
- **A width that only disturbs is learned away.** In this loss $\sigma$ goes to 0. In a VAE the KL pays for width:
  with it, $\sigma$ settles.
"""
LECTURE = r"""
**7.7 Reparameterization Trick**: the problem, the solution $z = \mu + \sigma\cdot\epsilon$, the graph of deterministic
and random nodes, and the toy problem, learn $\mu \in \mathbb{R}^2$ to minimise
$\mathbb{E}_{x \sim N(\mu, I)}\,\lVert x - (5, 5) \rVert_2^2$. The article draws the same graph twice, without and with
the trick, before its last loss.

With $p$ the density of the draws, the score function rests on $\nabla_\mu p = p\,\nabla_\mu \log p$:
$\;\nabla_\mu \mathbb{E} f(x) = \mathbb{E}\,[f(x)\,\nabla_\mu \log p(x)]$ (REINFORCE, Williams 1992); the pathwise
gradient on $\mathbb{E} f(x) = \mathbb{E}_\varepsilon f(\mu + \sigma\varepsilon)$ (Kingma and Welling 2014; Rezende,
Mohamed and Wierstra 2014). In $D$ dimensions, $a = \lVert \mu - t \rVert^2$, from one draw: pathwise variance
$4D\sigma^2$; with the mean loss as baseline $4a(D+1) + 2\sigma^2 D(D+4)$; without any, $a^2 D/\sigma^2$ and more.
"""

frame.opening(
    "How can a gradient pass through a random draw?",
    "Press Play: three Gaussians look for the cross. Then give them more draws, or let them learn their width.",
)
explore()
spread()
graphs()
st.fragment(frame.guarded(in_a_vae), run_every=TICK if "race job" in st.session_state else None)()
frame.closing(
    SEEN,
    [pathwise, score_function, variance, descend, draw, lesson.SampledInside, lesson.ByScoreFunction],
    LECTURE,
)
