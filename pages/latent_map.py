"""Latent map: where a model puts each picture, and what every other point of the plane decodes to."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import streamlit as st
import torch

from ui import cache, controls, frame
from ui.browser import ship
from ui.cards import ModelCard
from ui.draw_pad import draw_pad
from ui.latent_map import Outside, Pane, Pick, covariance_of, last_pick, latent_map
from ui.palette import colours_of
from vae_core.data import dataset
from vae_core.data.uploads import read_picture
from vae_core.errors import InvalidInput
from vae_core.latent.browser import pack_decoder, pack_id
from vae_core.latent.projections import PROJECTIONS, project
from vae_core.models.vae import VAE

NEIGHBOURS = 8
LOOKED_AT = 100  # held-out images, to see whether the data are light on dark
NO_PICTURE, DRAW, UPLOAD = "none", "draw it", "upload it"
METHODS = {entry.title: name for name, entry in PROJECTIONS.items()}
COUNTS = (1000, 2000, 5000)  # and all


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
        covariance=covariance_of(gaussian),
        gaussian="the prior" if card.beta is not None else "Gaussian fitted to the codes",
    )


def ship_all(cards: Sequence[ModelCard]) -> None:
    """Send the browser what the panes name; what two panes share goes once."""
    packs = [pack for card in cards for pack in (cache.decoder_pack(card.name), cache.points_pack(card.name))]
    for pack in dict.fromkeys([*packs, *(cache.thumbnails_pack(card.dataset) for card in cards)]):
        ship(pack, key=f"pack-{pack_id(pack)}")


def own_picture(data: str) -> torch.Tensor | None:
    """A picture [1, 1, H, W] drawn or uploaded here, or None."""
    channels, side, width = dataset(data).shape
    if channels != 1 or side != width:
        st.caption(f"A picture of your own cannot be tried on {dataset(data).title}: only on square grey pictures.")
        return None
    way = controls.choose("A picture of your own", [NO_PICTURE, DRAW, UPLOAD], key="own")
    if way == DRAW:
        digits = data == "mnist"
        label = f"Draw a {'digit' if digits else 'picture'} with the mouse, a pen or a finger."
        drawing = draw_pad(key=f"pad-{data}", size=side, centre="mnist" if digits else "none", label=label)
        if drawing is None:
            st.caption("Draw something, and see above where the model puts it.")
            return None
        return as_the_data(torch.from_numpy(drawing.copy()).float()[None, None] / 255, data)
    if way == UPLOAD:
        file = st.file_uploader("A picture of one thing on a plain ground", key=f"file-{data}", max_upload_size=32)
        if file is None:
            return None
        try:
            upload = read_picture(file.getvalue(), side, dataset(data).upload_box)
        except InvalidInput as error:
            st.error(str(error))
            return None
        for note in upload.notes:
            if not (is_on_light_paper(data) and "inverted" in note):  # it will be turned round again
                st.caption(note)
        return as_the_data(upload.picture[None], data)
    return None


def is_on_light_paper(data: str) -> bool:
    """Whether most held-out images have a light border."""
    source = cache.held_out(data)
    sample = source.images(torch.arange(min(LOOKED_AT, len(source))))
    border = torch.cat([sample[..., 0, :], sample[..., -1, :], sample[..., :, 0], sample[..., :, -1]], dim=-1)
    return bool(border.median() > 0.5)


def as_the_data(picture: torch.Tensor, data: str) -> torch.Tensor:
    """A picture [1, 1, H, W] of light ink on black, turned round where the data are dark on light."""
    if not is_on_light_paper(data):
        return picture
    st.caption("These data are dark on light paper, so the model is given your picture that way round.")
    return 1 - picture


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
    cloud, names = cache.encoded(card.name), dataset(card.dataset).class_names
    distances = torch.linalg.vector_norm(cloud.codes - torch.tensor(z), dim=1)
    nearest = distances.topk(min(NEIGHBOURS, len(distances)), largest=False)
    pictures = cache.held_out(card.dataset).images(nearest.indices)
    captions = [
        f"{names[int(cloud.labels[i])]}: {distance:.2g}"
        for i, distance in zip(nearest.indices.tolist(), nearest.values.tolist(), strict=True)
    ]
    st.markdown(f"**Nearest held-out images** to this point, by distance between codes ({card.title})")
    st.image([frame.crisp(picture, 112) for picture in pictures], caption=captions, width=112)


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
    pin = controls.index_from_link("pin", len(cache.encoded(card.name).codes), -1)
    across, up = axes_in_link(card)
    gaussian = cache.source_of_codes(card.name)
    # It starts on a clear picture, for the middle is often between two.
    first = (cache.encoded(card.name).codes[0] - gaussian.mean) / gaussian.scale
    start = (float(first[across]), float(first[up]))
    return Place(
        cursor=(at[0], at[1]) if at else start,
        pin=None if pin < 0 else pin,
        axes=(across, up),
        show=controls.option_from_link("show", ("dots", "thumbnails"), "dots"),
    )


def axes_in_link(card: ModelCard) -> tuple[int, int]:
    """Which two latents span the plane, counted from 0; to begin with those that carry most nats."""
    usual = (card.by_kl[0], card.by_kl[1]) if card.latent > 2 else (0, 1)
    if (arrived := st.query_params.get("axes")) is None:
        return usual
    if named := re.fullmatch(r"(\d{1,4}),(\d{1,4})", arrived):
        across, up = (int(number) - 1 for number in named.groups())
        if across != up and all(0 <= axis < card.latent for axis in (across, up)):
            return across, up
    st.warning(
        f"The link asks for axes = {arrived[:60]!r}; allowed: two different latents from 1 to {card.latent}, "
        f"separated by a comma. {usual[0] + 1},{usual[1] + 1} is shown."
    )
    del st.query_params["axes"]
    return usual


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
    with below:
        picture = own_picture(cards[0].dataset)
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
    encoded = cache.encoded(card.name)
    most = len(encoded.codes)
    with right:
        counts = [f"{count:,}" for count in (*(count for count in COUNTS if count < most), most)]
        shown = controls.choose("Held-out images", counts, key="shown", default="2,000")
    count = int(shown.replace(",", ""))
    place = st.empty()
    if st.session_state.pop("projection stopped", False):
        place.info("Stopped. Choose a projection to start again.")
        return
    with place.container(height=520, border=False):
        bar = st.progress(0.0, f"{method}: starting")
        st.button("Stop", on_click=lambda: st.session_state.update({"projection stopped": True}))
        points = project(encoded.codes[:count], METHODS[method], progress=lambda share, text: bar.progress(share, text))
    names = dataset(card.dataset).class_names
    figure = cloud(points.numpy(), encoded.labels[:count].numpy(), names, axis=method)
    place.plotly_chart(figure, config=PLOT, key="cloud")
    st.caption(
        f"{method} of the codes of the first {frame.held_out_words(card.dataset, count)} {card.title}. "
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
    if first.latent > 1:
        explorer(family, shown)
    else:
        st.info(f"{first.title} has one latent, so its codes lie on a line, and there is no plane to move over.")
        st.page_link("pages/traversals.py", label="Move along its latent", icon=":material/arrow_forward:")
frame.honesty(
    shown,
    f"{frame.held_out_words(first.dataset, len(cache.encoded(first.name).codes))} A dot is an image's code (for a VAE "
    "the mean of its posterior). Every picture is decoded in your browser from the model's weights."
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
