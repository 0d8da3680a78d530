"""Limits that no loss tells of: a code that sleeps, codes that no image has, pictures that never come; and cures."""

from __future__ import annotations

from functools import partial

import streamlit as st

from ui import cache, controls, frame
from ui.figures import PLOT
from ui.figures.collapse import by_class, excess_map
from ui.latent_rows import latent_rows
from ui.lessons import collapse as lesson
from ui.picture_rows import Row, picture_rows
from ui.sheet.axes import minus
from ui.small_table import small_table
from vae_core.data import dataset
from vae_core.latent.flow import Coupling
from vae_core.latent.grids import tile
from vae_core.latent.pictures import to_bytes
from vae_core.latent.priors import Mixture, aggregate_log_density
from vae_core.metrics.coverage import covered
from vae_core.models import AutoregressiveVAE
from vae_core.recipes.collapse import DEPTH

TURNS, MOST_SEEDS = 100, 1_000_000
IMAGES = 2000  # whose class benchmarks/collapse.py looked for
THROWS, COLUMNS, DOTS = 3, 12, 100
ACROSS, DOWN = 10, 5  # pictures of the first draws


@frame.part
def sleep() -> None:
    """Every latent moved, in a VAE that uses few of them."""
    st.subheader("A code that sleeps", anchor=False)
    with st.container(key="controls"):
        title = controls.choose("Trained with", list(lesson.WAYS), key="trained")
    way, names = lesson.WAYS[title], [lesson.deep_name(each) for each in lesson.WAYS.values()]
    strips, training = lesson.strips(lesson.deep_name(way)), cache.checkpoint(lesson.deep_name(way)).training
    with st.container(key="figure"):
        latent_rows(strips, max(lesson.strips(name)[0].kl for name in names))
    low, high = (minus(f"{end:g}") for end in lesson.REACHES[[0, -1]].tolist())
    st.caption(
        f"Each row: a latent, its KL to the prior, and pictures while it moves from {low} to {high}, the others at 0. "
        f"VAE with {DEPTH} hidden layers on each side and {len(strips)} latents, trained on MNIST in black and white, "
        f"{training['epochs']} epochs. Nats per image, means over all {frame.held_out_words(lesson.DATA)} Awake: more "
        f"than {lesson.AWAKE:g} nats. Class kept: reconstructions of the first {IMAGES:,} that our classifier takes "
        "for the image's class."
    )
    small_table(lesson.SHORT, lesson.compared(names), list(lesson.WAYS).index(title))
    st.markdown("**And the loss may like it.** Here the decoder also sees the pixels that it has drawn already:")
    same_dice(way)


def same_dice(way: str) -> None:
    """Ten codes and one throw of the dice."""
    ways = list(lesson.WAYS.values())
    name, names = lesson.before_name(way), [lesson.before_name(each) for each in ways]
    turn = controls.index_from_link("images", TURNS, 0, "set of images")
    seed = controls.index_from_link("dice", MOST_SEEDS, 0, "throw")
    with st.spinner("Drawing pixel by pixel"):
        throws = lesson.drawn(name, turn, seed=seed, throws=THROWS)
    x = lesson.black_and_white(lesson.specimens(turn))
    rows = [Row(f"Throw {throw + 1}", "the same dice for all", throws[throw]) for throw in range(THROWS)]
    left, right = st.columns([7, 5], gap="medium")
    with left:
        picture_rows([Row("Held-out images", "one of each class", x), *rows])
    with right:
        small_table(lesson.SHORT, lesson.compared(names), ways.index(way))
        with st.container(horizontal=True):
            ahead = partial(lesson.drawn, name, seed=seed, throws=THROWS)
            controls.another("Other images", "images", turn, TURNS, ahead=ahead)
            ahead = partial(lesson.drawn, name, turn, throws=THROWS)
            controls.another("Other dice", "dice", seed, MOST_SEEDS, ahead=ahead)
    config = lesson.model(name).config
    st.caption(
        f"VAE with {config.latent} latents, trained on MNIST in black and white, "
        f"{cache.checkpoint(name).training['epochs']} epochs; its decoder sees up to {config.window // 2} rows above. "
        "Each column is drawn from the code of the image on top, pixel by pixel. Where draws of one throw are alike, "
        f"their codes say the same. Class kept: draws from the codes of {IMAGES:,} held-out images."
    )


@frame.part
def holes() -> None:
    """What the prior promises and the codes do not keep."""
    st.subheader("Codes that no image has", anchor=False)
    st.markdown(
        "Samples begin with a code from the prior. Training saw only the codes of images, whose crowd, the *aggregate "
        "posterior*, need not be the prior. Fit something to that crowd afterwards, and draw from the fit."
    )
    planes = lesson.offered(lesson.PLANES)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        title = controls.choose("VAE with two latents", list(planes), key="beta", default="beta 0.1")
        kind = controls.choose("Codes drawn from", list(lesson.PRIORS), key="prior")
        seed = controls.index_from_link("seed", MOST_SEEDS, 0, "draw")
        name, prior = planes[title], lesson.PRIORS[kind]
        unclear = partial(lesson.unclear, name, prior, DOTS)
        controls.another("Other draws", "seed", seed, MOST_SEEDS, ahead=unclear)
    with st.spinner("Decoding"):
        without_class = unclear(seed)
    ground, made = lesson.plane(name, prior), lesson.draws(name, prior, DOTS, seed)
    left, right = st.columns(2, gap="medium")
    with left:
        figure = excess_map(ground.excess.numpy(), ground.low, ground.high, made.codes.numpy(), lesson.REACH)
        st.plotly_chart(figure, config=PLOT, key="excess")
    with right:
        small_table(list(lesson.PRIORS), prior_columns(name), list(lesson.PRIORS).index(kind))
        st.image(frame.crisp(tile(to_bytes(made.pictures[: ACROSS * DOWN]), ACROSS), 560), width="stretch")
    what = "the prior N(0, I)" if prior == "normal" else f"the {kind}"
    st.caption(
        f"VAE, {title}, 2 latents, trained on MNIST. Orange: {what} promises codes that images hardly have, a hole; "
        f"blue: images are there, and {what} hardly draws them. Dots: {DOTS} draws, {without_class} of them without a "
        f"clear class; the first {ACROSS * DOWN} decoded. log q(z): the aggregate posterior of "
        f"{frame.held_out_words(lesson.DATA)} Smoothed by a cell. Fits: to the codes of "
        f"{lesson.results()['fitted']:,} training images."
    )
    with st.expander("What the columns count"):
        st.markdown(columns_told())
    st.latex(r"\log p(z) - \log \frac{1}{N} \sum_{n=1}^{N} q(z \mid x_n)")
    st.caption(
        r"$p(z)$: the prior, or what takes its place; $q(z \mid x_n)$: the posterior of image $x_n$; the mean over all "
        r"$N$ images is $q(z)$."
    )
    deep(seed)


def prior_columns(name: str) -> dict[str, list[str]]:
    """The scores of a model's samples, a row for each prior."""
    found = [lesson.measured(name, prior) for prior in lesson.PRIORS.values()]
    columns = {
        "covered": [f"{each['coverage']:.0%}" for each in found],
        "FID": [f"{each['frechet']:.0f}" for each in found],
        "unclear": [f"{each['unclear']:.0%}" for each in found],
        "in holes": [f"{each['holes']:.0%}" for each in found],
    }
    return columns | ({"gain, nats": [f"{each['gain']:.2f}" for each in found]} if "gain" in found[0] else {})


def columns_told() -> str:
    found = lesson.results()
    return (
        f"Of {found['draws']} x {found['samples']:,} samples, beside as many held-out images; by the features and the "
        "word of our classifier.\n\n"
        "- **gain**: nats that the ELBO of a held-out image gains when the fit takes the prior's place\n"
        "- **in holes**: codes farther from every held-out code than 99 of 100 held-out codes are from another\n"
        f"- **unclear**: pictures in which the classifier sees no class with a probability of {lesson.CLEAR}\n"
        "- **covered**: held-out images to which a sample is nearer than their fifth-nearest other image; other "
        f"held-out images in the samples' place cover {found['of_data']['coverage']:.0%}\n"
        "- **FID**: Fréchet distance to all 10,000; not by an Inception network, so compare these with each other alone"
    )


def deep(seed: int) -> None:
    """The same where no map can be drawn."""
    offered = lesson.offered(lesson.DEEP)
    if not offered:
        return
    st.markdown("**With ten latents** no map shows the holes, but the samples do.")
    title = controls.choose("Model", list(offered), key="deep", default="the autoencoder")
    name = offered[title]
    picture_rows(
        [
            Row(
                "From N(0, I)" if prior == "normal" else f"From the {kind}",
                f"FID {lesson.measured(name, prior)['frechet']:.0f}",
                lesson.draws(name, prior, COLUMNS, seed).pictures,
            )
            for kind, prior in lesson.PRIORS.items()
        ]
    )
    small_table(list(lesson.PRIORS), prior_columns(name))
    st.caption(
        f"{title[0].upper()}{title[1:]}, 10 latents, trained on MNIST. Fits: to the codes of "
        f"{lesson.results()['fitted']:,} training images."
        + (" It has no ELBO that could gain." if "gain" not in lesson.measured(name, "normal") else "")
    )


@frame.part
def missing() -> None:
    """Which of the data no sample comes near."""
    st.subheader("Pictures that never come", anchor=False)
    offered = lesson.samplers()
    title = controls.choose("Samples of", list(offered), key="samples", style="select")
    name, prior = offered[title]
    found, told = lesson.results(), lesson.measured(name, prior)
    left, right = st.columns([6, 7], gap="large")
    with left:
        names = dataset(lesson.DATA).class_names
        figure = by_class(
            names, told["classes"], found["classes"], told["class_coverage"], found["of_data"]["coverage"]
        )
        st.plotly_chart(figure, config=PLOT, key="classes")
    with right:
        images, twins, _ = lesson.missed(name, prior)
        half = len(images) // 2
        picture_rows(
            [
                Row("Held-out images", "least covered", images[:half]), Row("Nearest sample", "to each", twins[:half]),
                Row("Held-out images", "the next ones", images[half:]), Row("Nearest sample", "to each", twins[half:]),
            ]
        )  # fmt: skip
        small_table(
            list(offered),
            {
                "covered": [f"{lesson.measured(*each)['coverage']:.0%}" for each in offered.values()],
                "recall": [f"{lesson.measured(*each)['recall']:.0%}" for each in offered.values()],
                "precision": [f"{lesson.measured(*each)['precision']:.0%}" for each in offered.values()],
                "FID": [f"{lesson.measured(*each)['frechet']:.0f}" for each in offered.values()],
            },
            list(offered).index(title),
        )
    shares = zip(told["classes"], found["classes"], dataset(lesson.DATA).class_names, strict=True)
    rarest = min(shares, key=lambda each: each[0] / each[1])
    st.caption(
        f"VAE, {title}, trained on MNIST. Rarest beside the data: {rarest[2]}, {rarest[0]:.0%} of the samples and "
        f"{rarest[1]:.0%} of the images. {found['draws']} x {found['samples']:,} samples beside as many held-out "
        "images. An image is covered if a sample lies nearer to it than its fifth-nearest other image, by the features "
        f"of our classifier; other held-out images in the samples' place cover {found['of_data']['coverage']:.0%}. The "
        "classes of the samples are the classifier's word."
    )


SEEN = """
- **A code that is not read falls asleep.** In a deep network it has little to say at first, while its KL costs from the
  first step: nearly all latents fall asleep, and moving one moves nothing. Nothing warns; the training just goes on.
- **Free bits wake all latents here; fading the KL in does not.** A latent that may keep some nats for nothing has no
  reason to fall asleep.
- **A strong decoder can do without a code.** It guesses each pixel from those before, and the ELBO is the better for
  it: the loss alone would not choose free bits. Nor is awake yet useful: the digit is still mostly the dice's.
- **The prior is a promise.** Where it promises codes that no image has, samples are undefined; where images have codes
  that it hardly draws, samples are missing. Neither is seen in a reconstruction.
- **What was fitted afterwards draws where images are.** That needs no new training of the VAE, and works for an
  autoencoder, which has no prior at all.
- **Good samples are not all samples.** Precision can be near 1 while most images have no sample near them: two latents
  cannot hold what tells them apart, and a large beta keeps less still. Where prior and codes agree already, as at beta
  8, a fit mends nothing: what never comes was never kept. More latents, a smaller beta, the class: the table tells how
  far each helps.
"""
LECTURE = r"""
**7.11 Limitations and Challenges** names *posterior collapse* (the model ignores the latent variables), *mode collapse*
(samples from a part of the latent space only) and the *Gaussian assumption*.

$$\mathrm{ELBO} = \mathbb{E}_{q(z \mid x)}[\log p(x \mid z)] - \mathrm{KL}(q(z \mid x)\,\|\,p(z)),\qquad
\frac{1}{N}\sum_n \mathrm{KL}(q(z \mid x_n)\,\|\,p(z)) = I(n; z) + \mathrm{KL}(q(z)\,\|\,p(z))$$

$I(n; z)$: the nats that a code tells of its image, 0 when it sleeps; $\mathrm{KL}(q(z)\,\|\,p(z))$: what the crowd of
codes pays for not being the prior (Hoffman and Johnson 2016), and what a fitted prior gets back. Collapse beside strong
decoders: Bowman et al. 2016 (who fade the KL in), Chen et al. 2017; free bits: Kingma et al. 2016. Holes between prior
and aggregate posterior: Rezende and Viola 2018; a second stage fitted to the codes: Dai and Wipf 2019 (a second VAE),
Ghosh et al. 2020 (a mixture, for autoencoders). Coverage and density: Naeem et al. 2020; recall: Kynkaanniemi et al.
2019.
"""

frame.opening(
    "What goes wrong in a VAE whose loss looks fine?",
    "Choose how it was trained and see which of its latents move anything. Below: codes that no image has, and "
    "pictures that never come.",
)
sleep()
st.divider()
holes()
st.divider()
missing()
frame.closing(SEEN, [AutoregressiveVAE, Mixture, Coupling, aggregate_log_density, covered], LECTURE)
