"""Latent map: where a model puts each picture, and what every other point of the plane decodes to."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import permutations
from typing import NamedTuple

import streamlit as st
import torch

from ui import cache, controls, frame
from ui.cache import ModelCard
from ui.draw_pad import draw_pad
from ui.latent_map import Outside, Pane, Pick, last_pick, latent_map, ship
from ui.palette import colours_of
from vae_core.data import DATASETS
from vae_core.data.uploads import read_picture
from vae_core.errors import InvalidInput
from vae_core.latent.browser import pack_decoder, pack_id
from vae_core.latent.pictures import enlarge
from vae_core.latent.projections import PROJECTIONS, project
from vae_core.models.vae import VAE

NEIGHBOURS = 8
NO_PICTURE, DRAW, UPLOAD = "none", "draw it", "upload it"
METHODS = {entry.title: name for name, entry in PROJECTIONS.items()}
COUNTS = ("1,000", "2,000", "5,000", "10,000")


def pane(card: ModelCard, colour: str) -> Pane:
    """One plane of the map."""
    decoder, points = cache.decoder_pack(card.name), cache.points_pack(card.name)
    thumbnails = cache.thumbnails_pack(card.dataset)
    gaussian = cache.source_of_codes(card.name)
    return Pane(
        title=card.title,
        colour=colour,
        decoder=pack_id(decoder),
        points=pack_id(points),
        thumbnails=pack_id(thumbnails),
        centre=gaussian.mean.tolist(),
        scale=gaussian.scale,
        covariance=gaussian.covariance.tolist(),
        gaussian="the prior" if card.beta is not None else "Gaussian fitted to the codes",
    )


def ship_all(cards: Sequence[ModelCard]) -> None:
    """Send the browser what the panes name; what two panes share goes once."""
    packs = [pack for card in cards for pack in (cache.decoder_pack(card.name), cache.points_pack(card.name))]
    for pack in dict.fromkeys([*packs, *(cache.thumbnails_pack(card.dataset) for card in cards)]):
        ship(pack, key=f"pack-{pack_id(pack)}")


def own_picture(dataset: str, side: int) -> torch.Tensor | None:
    """A picture [1, 1, H, W] drawn or uploaded here, or None."""
    way = controls.choose("A picture of your own", [NO_PICTURE, DRAW, UPLOAD], key="own")
    if way == DRAW:
        digits = dataset == "mnist"
        label = f"Draw a {'digit' if digits else 'picture'} with the mouse, a pen or a finger."
        drawing = draw_pad(key=f"pad-{dataset}", size=side, centre="mnist" if digits else "none", label=label)
        if drawing is None:
            st.caption("Draw something, and see above where the model puts it.")
            return None
        return torch.from_numpy(drawing.copy()).float()[None, None] / 255
    if way == UPLOAD:
        file = st.file_uploader("A picture of one thing on a plain ground", key=f"file-{dataset}")
        if file is None:
            return None
        try:
            upload = read_picture(file.getvalue(), side, DATASETS[dataset].upload_box)
        except InvalidInput as error:
            st.error(str(error))
            return None
        for note in upload.notes:
            st.caption(note)
        return upload.picture[None]
    return None


def outside(picture: torch.Tensor, cards: Sequence[ModelCard]) -> Outside:
    """A picture of one's own as each model encodes it."""
    posteriors = []
    with torch.inference_mode():
        for card in cards:
            posterior = cache.checkpoint(card.name).model.encode(picture)  # type: ignore[operator]
            std = None if posterior.is_deterministic else posterior.std[0].tolist()
            posteriors.append((posterior.mean[0].tolist(), std))
    return Outside("your picture", (picture * 255).round().int().flatten().tolist(), posteriors)


def neighbours(card: ModelCard, z: Sequence[float]) -> None:
    """The held-out images whose codes lie nearest to a point."""
    cloud, names = cache.encoded(card.name), DATASETS[card.dataset].class_names
    distances = torch.linalg.vector_norm(cloud.codes - torch.tensor(z), dim=1)
    nearest = distances.topk(NEIGHBOURS, largest=False)
    pictures = cache.held_out(card.dataset).images(nearest.indices)
    enlarged = enlarge(pictures, 4)[:, 0].numpy()
    captions = [
        f"{names[int(cloud.labels[i])]}: {distance:.2g}"
        for i, distance in zip(nearest.indices.tolist(), nearest.values.tolist(), strict=True)
    ]
    st.markdown(f"**Nearest held-out images** to this point, by distance between codes ({card.title})")
    st.image(list(enlarged), caption=captions, width=112)


class Place(NamedTuple):
    """How the map stands; the link is its only memory."""

    cursor: tuple[float, float]  # along the axes, in units that two panes share
    pin: int | None  # number of a held-out image
    axes: tuple[int, int]
    show: str


def place_in_link(family: str, card: ModelCard) -> Place:
    if st.session_state.get("family on the map", family) != family:  # another cloud: the old point means nothing
        for key in ("at", "pin", "axes"):
            controls.to_link(key, None)
    st.session_state["family on the map"] = family
    at = controls.vector_from_link("at", 2)
    pin = controls.index_from_link("pin", len(cache.held_out(card.dataset)), -1)
    pairs = [f"{i + 1},{j + 1}" for i, j in permutations(range(card.latent), 2)]
    usual = f"{card.by_kl[0] + 1},{card.by_kl[1] + 1}" if card.latent > 2 else "1,2"  # the two that carry most nats
    across, up = controls.option_from_link("axes", pairs, usual).split(",")
    gaussian = cache.source_of_codes(card.name)
    # It starts on a clear picture, for the middle is often between two.
    first = (cache.encoded(card.name).codes[0] - gaussian.mean) / gaussian.scale
    start = (float(first[int(across) - 1]), float(first[int(up) - 1]))
    return Place(
        cursor=(at[0], at[1]) if at else start,
        pin=None if pin < 0 else pin,
        axes=(int(across) - 1, int(up) - 1),
        show=controls.option_from_link("show", ("dots", "thumbnails"), "dots"),
    )


def keep(key: str) -> None:
    """The hand let go: put into the link how the map stands now."""
    if pick := last_pick(key):
        controls.to_link("at", pick.cursor)
        controls.to_link("pin", pick.index)
        controls.to_link("axes", f"{pick.axes[0] + 1},{pick.axes[1] + 1}" if len(pick.z) > 2 else None)
        controls.to_link("show", pick.show if pick.show != "dots" else None)


def kept_code(card: ModelCard, place: Place, pick: Pick | None) -> list[float] | None:
    """The code that was pinned or let go on; with more than two latents a bare place does not say all of it."""
    if place.pin is not None:
        return cache.encoded(card.name).codes[place.pin].tolist()
    if card.latent == 2 and "at" in st.query_params:
        gaussian = cache.source_of_codes(card.name)
        return (gaussian.mean + gaussian.scale * torch.tensor(place.cursor)).tolist()
    return list(pick.z) if pick is not None and pick.pane == 0 else None


@frame.part
def explorer(family: str, cards: list[ModelCard]) -> None:
    """The map, the nearest images, and a place for a picture of one's own; apart from the pickers above."""
    above, between, below = st.container(), st.container(), st.container()
    key = "map-" + "-".join(card.name for card in cards)
    dataset = cards[0].dataset
    with below:
        picture = own_picture(dataset, DATASETS[dataset].shape[1])
    own = None if picture is None else outside(picture, cards)
    with above:
        place = place_in_link(family, cards[0])
        ship_all(cards)
        pick = latent_map(
            [pane(card, colour) for card, colour in zip(cards, colours_of([c.role for c in cards]), strict=True)],
            key=key,
            axes=place.axes,
            cursor=place.cursor,
            show=place.show,  # type: ignore[arg-type]
            pin=place.pin if own is None else own,
            on_pick=partial(keep, key),
        )
    code = kept_code(cards[0], place, pick) if own is None else own.posteriors[0][0]
    if code is not None:
        with between:
            neighbours(cards[0], code)


@frame.part
def whole_cloud(card: ModelCard) -> None:
    """All latents at once, laid out in the plane by PCA, t-SNE or UMAP."""
    from ui.figures import PLOT, cloud

    st.subheader(f"All {card.latent} latents at once", anchor=False)
    st.markdown(
        "A slice shows two latents and holds the others still. A projection shows the whole cloud, but bends it: "
        "distances between far groups mean little in t-SNE and UMAP, and no point of this plane can be decoded."
    )
    left, right = st.columns(2)
    with left:
        method = controls.choose("Projection", list(METHODS), key="projection")
    with right:
        shown = controls.choose("Held-out images", COUNTS, key="shown", default="2,000")
    count = int(shown.replace(",", ""))
    encoded = cache.encoded(card.name)
    place = st.empty()
    if st.session_state.pop("projection stopped", False):
        place.info("Stopped. Choose a projection to start again.")
        return
    with place.container(height=520, border=False):
        bar = st.progress(0.0, f"{method}: starting")
        st.button("Stop", on_click=lambda: st.session_state.update({"projection stopped": True}))
        points = project(encoded.codes[:count], METHODS[method], progress=lambda share, text: bar.progress(share, text))
    names = DATASETS[card.dataset].class_names
    figure = cloud(points.numpy(), encoded.labels[:count].numpy(), names, axis=method)
    place.plotly_chart(figure, config=PLOT, key="cloud")
    st.caption(
        f"{method} of the codes of the first {count:,} of 10,000 held-out images; {card.title}. "
        "A projection is computed once and then kept on the server's disk."
    )


frame.opening(
    "Does every point of the plane decode to a picture?",
    "A dot is a held-out image, its colour the class. Move over the plane, then compare with the autoencoder.",
)
with st.container(key="controls"):
    left, middle, right = st.columns([2, 7, 2])
with left:
    family, cards = controls.pick_family()
with middle:
    first = controls.pick_model(cards)
with right:
    second = controls.pick_second_model(cards, first)
shown = [first] if second is None else [first, second]
with st.container(key="figure"):
    explorer(family, shown)
frame.honesty(
    shown,
    f"All 10,000 held-out images of {DATASETS[first.dataset].title}; a dot is an image's code (for a VAE the mean of "
    "its posterior). Every picture is decoded in your browser from the model's weights."
    + (
        " The numbers of two models' latents have nothing to do with each other." if second and first.latent > 2 else ""
    ),
)
if first.latent > 2:
    whole_cloud(first)
frame.closing(
    "- **Every** point decodes to something; the question is whether it is meaningful. Far from the dots an "
    "autoencoder has never been asked, and anything may come out.\n"
    "- A VAE pays for leaving the prior, so its cloud fills the circles without large gaps, and neighbours look "
    "alike.\n"
    "- The ellipse around a pinned image is its posterior: all its draws must decode to nearly the same picture. "
    "That is what makes a variational plane continuous.",
    [VAE, pack_decoder],
    "Chapter 6 (encoder, bottleneck, decoder; the interactive demo) and 6.5, where an autoencoder is tried as a "
    "generative model; then chapter 7.3, where the same plane belongs to a VAE.",
)
