"""As a generative model: copies are good, so what becomes of codes that no image was encoded to?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import streamlit as st
import torch

from ui import cache, controls, frame
from ui.browser import ship
from ui.cards import ModelCard, families, model_cards
from ui.figures import PLOT
from ui.figures.generation import (
    box_over_dimensions,
    by_source,
    marked_sheet,
    scale_colours,
    scale_ticks,
)
from ui.hole_map import Legend, hole_map
from ui.lessons import generation as lesson
from ui.lessons.generation import (
    BOX,
    COPIES,
    GAUSSIAN,
    MANY,
    PRIOR,
    SIDE,
    SOURCES,
    Judged,
    Measured,
    compared,
    in_percent,
    percent,
)
from ui.palette import ROLE_COLOURS
from vae_core.data import dataset
from vae_core.errors import InvalidInput
from vae_core.latent.holes import Box, Share, box_near_data, data_radius, gaps, kinds_of, nearest, share_of
from vae_core.latent.pictures import to_bytes
from vae_core.latent.priors import fit_gaussian
from vae_core.metrics.continuity import THRESHOLD

COLUMNS, DRAWS = 12, 60  # pictures beside one another; draws on the screen
MOST_SEEDS = 1_000_000
DISTANCE, OPINION = "distance to data", "what the classifier says"
HOLE = (
    "A hole is what lies farther from every held-out code than 99 of 100 held-out codes from their nearest other one."
)
SHORT = {COPIES: "copies", BOX: "box", GAUSSIAN: "Gaussian", PRIOR: "prior"}


def pick() -> list[ModelCard]:
    """Of a family's models the autoencoder and the VAE to look at; one of them may be missing."""
    groups = families()
    if not groups:
        raise InvalidInput("There is no model here. Make one: `python -m vae_core train mnist-2d-ae`.")
    name = controls.choose("Data and latents", list(groups), key="data", style="select")
    shown = [card for card in groups[name] if card.role == "autoencoder"]
    if len(shown) > 1:
        named = {card.variant: card for card in reversed(shown)}
        shown = [named[controls.choose("The autoencoder", list(named)[::-1], key="autoencoder", style="select")]]
    vaes = [card for card in groups[name] if card.role == "vae"]
    return [*shown, *([controls.pick_model(vaes, label="The VAE", style="select")] if vaes else [])]


def show_copies(card: ModelCard) -> None:
    images = lesson.specimens(card.dataset, COLUMNS)
    originals = cache.held_out(card.dataset).images(torch.tensor(images))
    both = to_bytes(torch.cat([originals, lesson.copies(card.name, images)])).numpy()
    words = f"{len(images)} held-out images above, their copies by {card.title} below"
    lesson.show_sheet(marked_sheet(both, None, len(images)), words)


def show_draws(card: ModelCard, made: Judged) -> None:
    marked = None if made.unclear is None else made.unclear.numpy()
    sheet = marked_sheet(to_bytes(made.images).numpy(), marked, COLUMNS)
    lesson.show_sheet(sheet, f"{DRAWS} draws decoded by {card.title}")
    holes = share_of(made.holes)
    told = [f"**{holes.hits} of {DRAWS}** in a hole"]
    if made.unclear is not None and made.seen is not None:
        unclear = share_of(made.unclear)
        kinds = kinds_of(made.seen, len(dataset(card.dataset).class_names))
        told.insert(0, f"**{unclear.hits} of {DRAWS}** without a clear class, framed")
        told.append(f"worth **{kinds.value:.1f}** equally frequent classes")
    st.markdown("; ".join(told) + ".", help=HOLE)


def draw_all(cards: Sequence[ModelCard], source: str, seed: int) -> list[Judged]:
    """The draws on the screen, of each model."""
    return [lesson.drawn(card.name, source, DRAWS, seed) for card in cards]


def show_pair(cards: Sequence[ModelCard], source: str, made: Sequence[Judged]) -> None:
    """Copies and draws of each model in its own column."""
    columns = st.columns(2, gap="medium")
    for card, column, drawn in zip(cards, columns, made, strict=False):
        with column:
            st.html(
                f'<div style="font-weight:600"><span style="display:inline-block;width:12px;height:12px;'
                f'border-radius:3px;margin-right:8px;background:{ROLE_COLOURS[card.role]}"></span>{card.title}: '
                '<span style="font-weight:400">held-out images, and its copies</span></div>'
            )
            show_copies(card)
            st.markdown(f"Draws, codes {lesson.place_words(card, source)}:")
            show_draws(card, drawn)
    if len(cards) == 1:
        missing = "VAE" if cards[0].role == "autoencoder" else "autoencoder"
        columns[1].info(
            f"There is no {missing} with {cards[0].latent} latents of {dataset(cards[0].dataset).title} here, so one "
            "model stands alone. Train one (on the page Train): it then appears beside it."
        )


def show_numbers(cards: Sequence[ModelCard], source: str) -> None:
    """The same three numbers for many draws from every place, and for copies."""
    st.subheader(f"And of {MANY:,} draws?", anchor=False)
    places = [COPIES, *SOURCES]
    with st.container(key="numbers"):
        pairs = [(card.name, place) for card in cards for place in places]
        work = [lambda pair=pair: lesson.measured(*pair) for pair in pairs]
        found = dict(zip(pairs, lesson.slowly(work, "Measuring"), strict=True))
        names, colours = [card.title for card in cards], [ROLE_COLOURS[card.role] for card in cards]
        classes = len(dataset(cards[0].dataset).class_names)
        charts: list[tuple[str, Callable[[Measured], tuple[float, float] | None], float]] = [
            ("without a clear class, %", lambda one: in_percent(one.unclear), 60),
            ("in a hole, %", lambda one: in_percent(one.holes), 104),
            (f"kinds, of {classes}", lambda one: one.kinds, 1.06 * classes),
        ]
        for column, (title, number, top) in zip(st.columns(3), charts, strict=True):
            values = [[number(found[card.name, place]) for place in places] for card in cards]
            known = [value[0] for own in values for value in own if value]
            if not known:
                continue
            figure = by_source(
                [SHORT[place] for place in places],
                SHORT[source],
                names,
                [[value[0] if value else None for value in own] for own in values],
                [[value[1] if value else None for value in own] for own in values],
                colours,
                y=title,
                top=max(top, 1.15 * max(known)),
            )
            column.plotly_chart(figure, config=PLOT, key=f"chart {title}")
    st.markdown(verdict(cards, source, found))
    data = cards[0].dataset
    st.caption(
        ("" if cache.has_judge(data) else f"No classifier knows {dataset(data).title}, so only holes are counted. ")
        + f"Dot: {MANY:,} draws from each place, not those above, or copies of the first {MANY:,} held-out images. "
        f"Bar: 95% interval; behind ±: one standard error. *Without a clear class*: our "
        f"classifier gives less than {THRESHOLD} to every class. *In a hole*: farther from every held-out code than 99 "
        "of 100 held-out codes are from their nearest other one; so of codes that come from data 1% would be. "
        "*Kinds*: how many equally frequent classes the classifier's answers are worth."
    )


def verdict(cards: Sequence[ModelCard], source: str, found: dict[tuple[str, str], Measured]) -> str:
    """What today's numbers say, in words; a difference within two standard errors counts as none."""
    told = []
    for card in cards:
        draws, images = found[card.name, source], found[card.name, COPIES]
        assert draws.holes is not None
        if draws.unclear is None or images.unclear is None:
            told.append(f"**{card.title}**: {percent(draws.holes)} of the draws lie in a hole.")
            continue
        told.append(
            f"**{card.title}**: {percent(draws.unclear)} of the draws from {source} have no clear class, against "
            f"{percent(images.unclear)} of its copies: {compared(draws.unclear, images.unclear)}. "
            f"{percent(draws.holes)} lie in a hole."
        )
    if len(cards) == 2:
        one, two = (found[card.name, source].unclear for card in cards)
        if one and two:
            told.append(f"Draws without a clear class, autoencoder against VAE: {compared(one, two)}.")
    return "  \n".join(told)


def keep_spots() -> None:
    """A hand let go on the map: put the spots into the link."""
    spots = st.session_state["holes"]["release"]["at"]
    controls.to_link("spots", [value for spot in spots for value in spot])


def spots_in_link(cards: Sequence[ModelCard], made: Sequence[Judged]) -> list[tuple[float, float]]:
    """The spots to begin with: from the link, else of each model the draw that lies farthest from data."""
    names = tuple(card.name for card in cards)
    if st.session_state.setdefault("models on the map", names) != names:  # another plane: the old spot means nothing
        st.session_state["models on the map"] = names
        controls.to_link("spots", None)
    if told := controls.vector_from_link("spots", 2 * len(cards)):
        return [(told[i], told[i + 1]) for i in range(0, len(told), 2)]
    far = [one.codes[int(one.radii.argmax())].tolist() for one in made]
    return [(round(x, 3), round(y, 3)) for x, y in far]


def show_map(cards: Sequence[ModelCard], made: Sequence[Judged]) -> None:
    """Where the holes are, and which draws fell into them."""
    st.subheader("Where do the draws fall?", anchor=False)
    if (latent := cards[0].latent) != 2:
        st.info(
            f"Codes of {latent} latents lie in no plane, so there is no map of their holes: the numbers above count "
            "them all the same. With two latents (Data and latents, at the top) there is a map."
        )
        return
    layers = (DISTANCE, OPINION) if cache.has_judge(cards[0].dataset) else (DISTANCE,)
    st.markdown(
        f"White dots are the {DRAWS} draws above, the dashed box holds all codes of the model. "
        "Point at a spot to see its decode."
    )
    layer = controls.choose("Colour the plane by", layers, key="colour")
    parts = range(lesson.PARTS if layer == OPINION else 0)
    work = [lambda card=card, part=part: lesson.opinions(card.name, part) for card in cards for part in parts]
    says = list(
        lesson.slowly(
            work, f"The classifier looks at {SIDE * SIDE:,} pictures of each plane (choose the distance to stop)"
        )
    )
    patches = []
    for place, (card, drawn, spot) in enumerate(zip(cards, made, spots_in_link(cards, made), strict=True)):
        ship(cache.decoder_pack(card.name), key=f"decoder {place}")
        patches.append(lesson.patch(card, drawn, says[place * len(parts) : (place + 1) * len(parts)], spot))
    legend = Legend("distance to the nearest held-out code, in data radii", scale_colours(), scale_ticks())
    if layer == OPINION:
        legend = Legend("The colour is the class, as written; the paler, the less sure the classifier is.")
    hole_map(patches, legend, key="holes", on_release=keep_spots)
    st.caption(
        f"{SIDE} x {SIDE} cells, each measured at its middle, against the codes of "
        f"{len(lesson.met(cards[0].name).codes):,} held-out images (of a VAE one draw from each posterior, as its "
        "decoder met them in training). The line stands at 1 data radius, within which 99 of 100 held-out codes "
        "of that model have another one; beyond it lies a hole."
    )


@frame.part
def explore() -> None:
    """Everything that depends on where codes come from."""
    head = st.container()
    with st.container(horizontal=True, vertical_alignment="bottom", key="controls"):
        cards = pick()
        source = controls.choose("Codes come from", SOURCES, key="source")
        seed = controls.index_from_link("seed", MOST_SEEDS, 0, "draw")
        draw = partial(draw_all, cards, source)
        controls.another("Draw again", "seed", seed, MOST_SEEDS, primary=True, ahead=draw)
    autoencoders = [card for group in families().values() for card in group if card.role == "autoencoder"]
    with head:
        frame.opening(
            "It copies well. Can it also draw?",
            f"{'Both models copy. Give them' if len(cards) > 1 else 'The model copies. Give it'} codes of no image: "
            "choose where these come from, draw again"
            + ("; then take more latents." if any(card.latent > 2 for card in autoencoders) else "."),
        )
    with st.container(key="figure"):
        with st.spinner("Decoding"):
            made = draw(seed)
        show_pair(cards, source, made)
    known = lesson.met(cards[0].name)
    frame.honesty(
        cards,
        f"{DRAWS} draws each, none of them from an image; copied: {COLUMNS} of "
        f"{frame.held_out_words(cards[0].dataset)} Boxes, Gaussians and holes are measured on the codes of "
        f"{len(known.codes):,} held-out images{judge_and_error(cards)}",
    )
    show_numbers(cards, source)
    show_map(cards, made)
    show_dimensions(cards)


def judge_and_error(cards: Sequence[ModelCard]) -> str:
    """Who judges, and how good the copies of all held-out images are, where that was measured."""
    data = cards[0].dataset
    judge = (
        f"; judged by {cache.classifier(data).name}, trained on the training images" if cache.has_judge(data) else ""
    )
    told = "; ".join(f"{card.title}: {card.metrics['recon']:.1f}" for card in cards if "recon" in card.metrics)
    error = f" Reconstruction error ({frame.likelihood_words(cards[0])}, nats per image): {told}." if told else ""
    return f"{judge}.{error}"


def show_dimensions(shown: Sequence[ModelCard]) -> None:
    """How little of the box is near data as the latents become more."""
    st.subheader("Why do more latents make it worse?", anchor=False)
    data = shown[0].dataset
    stamp = dataset(data).stamp
    most = lesson.principal(data, stamp).shape[1]
    sizes = [size for size in lesson.DIMENSIONS if size <= most]
    there = {(card.latent, card.role): card for card in [*reversed(list(plain_models(data))), *shown]}
    cards = list(there.values())
    with st.container(key="dimensions"):
        work: list[Callable[[], Share]] = [
            *(lambda size=size: lesson.near_data_linear(data, stamp, size) for size in sizes),
            *(lambda card=card: lesson.near_data(card.name) for card in cards),
        ]
        shares = list(lesson.slowly(work, "Counting"))
        dots = [(card.title, card.latent, ROLE_COLOURS[card.role]) for card in cards]
        figure = box_over_dimensions(sizes, shares[: len(sizes)], dots, shares[len(sizes) :])
        st.plotly_chart(figure, config=PLOT, key="box over latents")
    st.caption(
        f"The share of the box's volume that lies within one data radius of a code; {MANY:,} uniform draws against the "
        f"codes of the first {lesson.FEW:,} of {frame.held_out_words(data)} The bars are 95% intervals. Grey line: "
        "codes of the best linear autoencoder of each size, the principal components. Dots: the models here. "
        "More images would find more of the box near data, in every dimension."
    )


def plain_models(data: str) -> Iterator[ModelCard]:
    """The bundled autoencoders and plain VAEs of a dataset, of sizes that are on the axis."""
    for card in model_cards().values():
        if (
            (card.dataset, card.run) == (data, None)
            and card.beta in (None, 1.0)
            and card.latent <= lesson.DIMENSIONS[-1]
        ):
            yield card


frame.go_through_the_router()
explore()
frame.closing(
    """
- **A copy asks little.** To return an image, a model needs a place for its code; what the decoder makes of all other
  places is in nobody's loss. A draw asks exactly that.
- **The box has corners.** In the plane a large part of it is empty already, most of all for the autoencoder, whose
  codes stretch in long arms; with every further latent the empty part grows, until nearly every uniform draw falls
  into a hole. That is geometry, and it happens to the VAE's box just as well.
- **A hole need not look like one.** With two latents the decoder goes on into the corners with the nearest kind of
  picture, often with a clear class: count how few *kinds* come out of the box. A classifier may be sure of a picture
  far from all data. So read the three numbers together.
- **A better place helps both.** From the fitted Gaussian far fewer draws miss the data. With two latents the two models
  then draw about as many clear digits, and to say that an autoencoder cannot draw would be too strong. What the VAE
  has of its own is a place known in advance: its codes fill the prior, so nothing has to be fitted afterwards.
- **More latents, better copies, worse draws.** Compare MNIST 2-D with 10-D: the copies become sharp, and from every
  place a larger share of the draws is no clear digit, even from the VAE's prior. Look at the autoencoder with ten
  latents, too: sharp copies, and from the prior hardly a clear digit, as the lecture shows it.
""",
    [Box.sample, gaps, data_radius, nearest, box_near_data, share_of, fit_gaussian, lesson.draw_codes],
    """
**6.5 Autoencoders as generative models**: sample a new vector from the latent space and decode it. The lecture's
answer is that it does not work, and shows the copies beside the draws. **7.1 Motivation** and **7.4 Latent variable
models**: a VAE is trained so that codes may be drawn from $p(z) = \\mathcal{N}(0, I)$, where $z$ is the code and $I$
the identity matrix. **7.9 Results**: its copies and its draws.

Uniform in the box means $z_i \\sim U(\\min_n z_{n,i}, \\max_n z_{n,i})$ for each latent $i$ over all codes $z_n$; the
fitted Gaussian is $\\mathcal{N}(\\hat\\mu, \\hat\\Sigma)$ with the mean $\\hat\\mu$ and the covariance $\\hat\\Sigma$
of the codes.
""",
)
