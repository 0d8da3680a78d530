"""The parts of an autoencoder: encoder, bottleneck, decoder and loss, and what changing one of them costs."""

from __future__ import annotations

from typing import Any

import streamlit as st
import torch
from torch import Tensor

from ui import cache, controls, frame
from ui.figures import PLOT
from ui.figures.parts import LOSS, Network, Sums, difference, error_bars, network
from ui.lessons import parts as lesson
from ui.lessons.parts import CHANGES, DATA, KNOWN
from ui.picture_rows import Row, picture_rows
from vae_core.data import dataset
from vae_core.latent.anatomy import Anatomy, anatomy, through
from vae_core.losses import bernoulli_nll, gaussian_nll
from vae_core.metrics.sharpness import edge_energy
from vae_core.models import Autoencoder

SHOWN = 7  # pictures in a row
SETS = KNOWN // SHOWN
SPLITS = ("held-out", "training")


def pick() -> tuple[str, str, int, str, int]:
    """What is changed, to what, and the latent size, where only what was trained can be chosen; then which split goes
    in, and which pictures of it. In two rows, so that nothing moves where a choice has longer names than another."""
    controls.option_from_link("data", (dataset(DATA).title,), dataset(DATA).title)  # its models are all of one data set
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = controls.choose("What do you change?", list(CHANGES), key="change", default="Width")
        split = controls.choose("Image going in", SPLITS, key="split")
        first = controls.index_from_link("set", SETS, 0, "set of images")
        controls.another("Next", "set", first, SETS, help="Other images.")
    change = CHANGES[name]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        value = controls.choose(change.label, list(change.values), key="to", default=change.usual)
        sizes = [str(size) for size in change.latents]
        latent = int(controls.choose("Latent size", sizes, key="latent", default="32"))
    return name, value, latent, split, first


def told(values: Any) -> Any:
    """Layers as arrays of one picture."""
    return [layer.values[0].numpy() for layer in values]


def own_errors(name: str, x: Tensor, going: Anatomy) -> list[tuple[str, str]]:
    """The squared error of one picture, and the loss that its model was trained with where that is another."""
    model: Any = cache.checkpoint(name).model
    found = [("this picture, squared error", f"{lesson.squared_error(x, going.rebuilt[:1]):.4f}")]
    if model.config.likelihood == "bernoulli":
        nats = model.recon_per_image(x, going.code.values[:1]).item()
        found.append(("trained with: cross-entropy", f"{nats:.1f} nats"))
    return found


def drawing(going: Anatomy, x: Tensor, split: str, name: str) -> str:
    """The first picture's way through the network."""
    scores = lesson.results().models[name]
    full = lesson.results().mean_picture
    return network(
        Network(
            picture=x[0, 0].numpy(),
            encoder=told(going.encoder),
            code=going.code.values[0].numpy(),
            decoder=told(going.decoder),
            rebuilt=going.rebuilt[0, 0].numpy(),
            weights=(going.encoder_weights, going.decoder_weights),
            reach=scores.reach,
            going_in=f"{split} image",
            own_errors=own_errors(name, x[:1], going),
            errors=[
                Sums("training images", scores.train.squared, full),
                Sums("held-out images", scores.held_out.squared, full),
            ],
        )
    )


def show_rows(name: str, first: int) -> None:
    """Training and held-out pictures, what is rebuilt of them, and where that is wrong."""
    index = torch.arange(first * SHOWN, (first + 1) * SHOWN)
    groups = (
        ("Training images", lesson.known_images()[index]),
        ("Held-out images", cache.held_out(DATA).images(index)),
    )
    for (title, x), column in zip(groups, st.columns(2, gap="medium"), strict=True):
        rebuilt = lesson.inside(name, x).rebuilt
        kept = edge_energy(rebuilt).sum() / edge_energy(x).sum()
        wrong = torch.from_numpy(difference(x[:, 0].numpy(), rebuilt[:, 0].numpy()))
        with column:
            picture_rows(
                [
                    Row(title, "as they are", x),
                    Row("Rebuilt", f"edges {kept:.0%} as strong", rebuilt),
                    Row("Error", f"{lesson.squared_error(x, rebuilt):.4f} per pixel", wrong, LOSS),
                ]
            )


def trained_unlike(name: str, latent: int) -> str:
    """What else differs where the number of training images does: read off the models."""
    told = [
        f"{' and '.join([', '.join(values[:-1]), values[-1]] if values[:-1] else values)}: {steps:,} steps of {batch} "
        f"images, learning rate {lr:g}"
        for (steps, batch, lr), values in lesson.trainings(name, latent).items()
    ]
    if name == "Data":
        return f"**Not the images alone differ here.** {'; '.join(told)}. The bars show all of it together."
    steps, batch, lr = next(iter(lesson.trainings("Width", latent)))
    return (
        f"{CHANGES[name].label} {'; '.join(told)}. The models on {lesson.ALL:,} images had {steps:,} steps of {batch}, "
        f"at {lr:g}: so compare those here with each other only."
    )


def show_costs(name: str, value: str, latent: int) -> None:
    """Training and held-out error over what is changed; beside it over the latent size, or by another measure."""
    change = CHANGES[name]
    if name in ("Data", "Regularisation"):
        st.markdown(trained_unlike(name, latent))
    values, models = list(change.values), [(each, latent) for each in change.values]
    left, right = st.columns(2, gap="medium")
    with left:
        bars(name, values, models, value, change.label, "squared")
    with right:
        if name == "Loss":
            bars(name, values, models, value, change.label, "cross")
        elif len(change.latents) > 1:
            of_sizes = [(value, size) for size in change.latents]
            bars(name, [str(size) for size in change.latents], of_sizes, str(latent), "Latent size", "squared")
        else:
            bars(name, values, models, value, change.label, "sharpness")


def bars(name: str, titles: list[str], models: list[tuple[str, int]], today: str, x: str, measure: str) -> None:
    """One chart of errors: of all these values and latent sizes, today's strong."""
    found = lesson.results()
    scores = [found.models[lesson.model_name(name, value, latent)] for value, latent in models]
    y, limit, limit_name = {
        "squared": ("squared error per pixel", found.mean_picture, "the mean picture for all"),
        "cross": ("grey BCE, nats per image", found.least_cross, "the images against themselves"),
        "sharpness": ("strength of the edges", 1.0, "the images themselves"),
    }[measure]
    train, held_out = ([getattr(getattr(each, split), measure) for each in scores] for split in ("train", "held_out"))
    figure = error_bars(
        titles, train, held_out, titles.index(today), x=x.lower(), y=y, limit=limit, limit_name=limit_name
    )
    st.plotly_chart(figure, config=PLOT, key=f"{measure} over {x}")


def verdict(name: str, value: str, latent: int) -> str:
    """What the numbers say of today's model."""
    found = lesson.results()
    scores = found.models[lesson.model_name(name, value, latent)]
    train, held_out = scores.train, scores.held_out
    words = (
        f"Squared error on training images **{train.squared:.4f}**, on held-out ones **{held_out.squared:.4f}** "
        f"({held_out.squared / train.squared:.1f} times); the edges of these, rebuilt, are "
        f"**{held_out.sharpness:.0%}** as strong as the originals'. "
    )
    if train.squared > 0.95 * found.mean_picture:
        return words + "It has learned the mean picture and no more: with these settings the training stays there."
    if held_out.squared > 1.5 * train.squared and held_out.squared > 0.95 * found.mean_picture:
        as_well = "better" if held_out.squared > found.mean_picture else "nearly as well"
        return words + f"It knows its images by heart: for any other, the mean picture would do {as_well}."
    if held_out.squared > 1.5 * train.squared:
        return words + "Much of what it knows are its training images themselves."
    if held_out.sharpness < 0.4:
        return words + "It does not learn by heart, it forgets: new or known, what is rebuilt is blurred."
    nearly = "nearly " if held_out.squared >= 1.05 * train.squared else ""
    return words + f"It rebuilds new images {nearly}as well as those that it was trained on."


@frame.part
def explore() -> None:
    """The network of today, and what it costs."""
    with st.container(key="controls"):
        change, value, latent, split, first = pick()
    name = lesson.model_name(change, value, latent)
    index = torch.tensor([first * SHOWN])
    x = lesson.known_images()[index] if split == SPLITS[1] else cache.held_out(DATA).images(index)
    going = lesson.inside(name, x)
    with st.container(key="figure"):
        st.html(drawing(going, x, split, name))
    st.markdown(verdict(change, value, latent))
    show_costs(change, value, latent)
    st.caption(caption(name, going))
    st.subheader("Known by heart, or understood?", anchor=False)
    show_rows(name, first)
    st.caption(
        f"{SHOWN} of the first {KNOWN} training images, on which every model here was trained, and {SHOWN} of "
        f"{frame.held_out_words(DATA)} Error: red where the rebuilt picture is too light, blue where it is too dark, "
        "one scale for all. Edges: squared differences of neighbouring pixels, as a share of the originals'."
    )


def caption(name: str, going: Anatomy) -> str:
    """Which model, which data, and what a square is."""
    found, loaded = lesson.results(), cache.checkpoint(name)
    scores, config = found.models[name], loaded.model.config
    loss = "cross-entropy" if config.likelihood == "bernoulli" else "squared error"  # type: ignore[union-attr]
    wide = ""
    narrowest = min(layer.units for layer in going.encoder)
    if narrowest < going.code.units:
        wide = f" The narrowest layer here is a hidden one, of {narrowest}: that is the true bottleneck."
    return (
        f"Model {name}, trained on {scores.trained_on:,} training images of {dataset(DATA).title} with the "
        f"{loss}, {loaded.training['steps']:,} steps.{wide} Every square of the drawing is one number and as large as "
        "one pixel, each layer on its own scale: the stronger the colour, the larger; grey is negative. Bars of the "
        f"code: full at three standard deviations. Means: over {scores.measured_on:,} of its training images and over "
        f"all {frame.held_out_words(DATA)} Full bars of the loss: the mean picture for all."
    )


SEEN = """
- **Encoder, bottleneck, decoder, loss.** The encoder turns 784 numbers into a few, the decoder turns these into 784
  again, and the loss says how far that is from the picture. The code is all that passes from one half to the other.
- **A small code forgets.** Pictures that share a code get one answer, and the best one is their mean: that is why,
  after training on all images, what is rebuilt from two numbers is blurred, on training images as on new ones.
- **Few images are learned by heart.** Trained on 100 images, the network rebuilds these far better than any other, and
  turns new ones into something like them: sharp, and wrong. A small bottleneck alone does not prevent it. With
  1,000 and with 10,000 images new ones fare better; but these networks also took fewer and larger steps, so how much of
  that the images alone do is not shown here.
- **Width and depth.** A wider network is better here at every latent size. A deeper one need not be: after as many
  steps it may be behind, on training images, too, so it has not learned these by heart. A narrow hidden layer is a
  bottleneck, too.
- **Two losses, two scales.** Their own numbers cannot be compared. Under one measure they can: by cross-entropy the
  network that was trained with it wins, and by squared error it does not lose here.
- **Against learning by heart** the means differ: see which of them lowers the error on held-out images, and which only
  raises that on training images. Early stopping looked at the held-out images, so its number flatters it a little.
"""
LECTURE = r"""
**6.3 Introduction** names the parts: encoder, decoder, bottleneck and loss, with the mean squared error as the usual
one and binary cross-entropy for data that are yes or no. **6.4 Architecture** asks how deep, how wide, how large the
code should be, which activation, whether both halves must be alike (here they are), and what keeps a network from
learning by heart; its example takes 784 pixels to 32 numbers, as the network here does at first.

With encoder $e$ and decoder $d$ a picture $x$ of $D = 784$ pixels becomes the code $z = e(x)$ and the picture
$\hat x = d(z)$. The losses:

$$\text{squared error} = \frac{1}{D} \sum_{i=1}^{D} (x_i - \hat x_i)^2, \qquad
\text{cross-entropy} = -\sum_{i=1}^{D} \big( x_i \log \hat x_i + (1 - x_i) \log (1 - \hat x_i) \big).$$

Among all pictures that share a code, both are smallest on average where $\hat x_i$ is the mean of $x_i$. That mean is
soft wherever these pictures differ, which is what blurs. Cross-entropy is a likelihood of black and white pixels only;
for grey ones it is called grey BCE here, and where $\hat x = x$ it is not zero. Dropout here takes away pixels of the
picture that goes in, at random a quarter of them, as in a denoising autoencoder with masking noise.
"""

frame.opening(
    "What does each part of an autoencoder do?",
    "Follow one picture from left to right. Then change a part, or the training images, and watch the errors.",
)
explore()
frame.closing(SEEN, [Autoencoder, anatomy, through, bernoulli_nll, gaussian_nll, edge_energy], LECTURE)
