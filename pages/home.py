"""Home: what this is, where each chapter of the lecture is shown, and what runs here."""

from __future__ import annotations

import streamlit as st

from ui.cache import decoded_plane
from ui.cards import NETWORKS, damaged_models, families, model_cards
from ui.frame import go_through_the_router
from vae_core.data import dataset
from vae_core.runs.queue import worker_threads
from vae_core.training import device_title, pick_device

SHOWN = "mnist-2d-vae-beta1"
NO_BREAK = "\N{NO-BREAK SPACE}"
SIDE = 18  # pictures along one side of the decoded plane

# As in the menu: chapter of the lecture, its question, the page that answers it.
CHAPTERS = {
    "Autoencoders": (
        ("2 to 5", "What can be learned without labels?", "structure"),
        ("6.6", "What does a deep autoencoder keep that PCA loses?", "reduction"),
        ("6.3, 6.4", "What does each part of an autoencoder do?", "parts"),
        ("6.5", "An autoencoder copies well. Can it also draw?", "generation"),
        ("6.6", "Can a network see the digit under the noise?", "denoising"),
        ("6.6", "Can a network put back the detail that a small picture has lost?", "super_resolution"),
        ("6.6", "Which colours did the grey photograph have?", "colourisation"),
        ("6.6", "How does a model notice what it has never seen?", "anomaly"),
        ("6.6", "Does a network that has only seen normal heartbeats notice a sick one?", "signals"),
        ("6.1, 6.4", "How few bits does a digit need?", "compression"),
    ),
    "Variational inference": (
        ("7.4, 7.5", "Which hidden code made this x, and how likely was x at all?", "latent_variables"),
        ("7.5, 7.6", "How near can a Gaussian come to the exact posterior?", "inference"),
        ("7.7", "How can a gradient pass through a random draw?", "reparameterisation"),
        ("7.8", "What does the weight between reconstruction and KL mean?", "loss"),
        ("7.9", "What does a trained VAE give back, and what does it make up?", "results"),
    ),
    "Latent spaces": (
        ("6.3", "Where does an encoder put each picture, and what lies between?", "latent_map"),
        ("7.4", "What does the whole plane decode to?", "sampling_grid"),
        ("7.3", "What does a path from one picture to another pass through?", "interpolation"),
        ("7.6, 7.8", "Why is a variational latent space continuous and complete?", "continuity_completeness"),
        ("7.10", "What does each latent mean, and what does beta change?", "traversals"),
    ),
    "Variants": (
        ("7.10", "Does one latent turn the shape, and nothing else?", "disentanglement"),
        ("7.10", "Once the class is known, what is left for the code to say?", "conditional"),
        ("7.10", "What if a code were a word, and not a point?", "discrete"),
        ("7.11", "What if the posterior is no Gaussian?", "beyond_gaussian"),
        ("7.10, 7.11", "What lies between two names?", "names"),
        ("7.10", "Can a picture be written in a few numbered tiles?", "vq_vae"),
        ("7.10", "What does each of two levels know?", "vq_vae2"),
        ("7.10", "Who is speaking, once a voice is a row of codes?", "voice"),
    ),
    "Limits": (
        ("7.11", "What goes wrong in a VAE whose loss looks fine?", "collapse"),
        ("7.11", "Which limits of a VAE can be tuned away?", "limits"),
    ),
    "Training": (
        ("7.6, 7.8", "How does a latent space come to be?", "train"),
        ("7.10, 7.11", "What changed when the settings changed?", "runs"),
    ),
}
COLUMNS = (("Autoencoders", "Variational inference"), ("Latent spaces", "Variants", "Limits", "Training"))


def show_chapters(group: str) -> None:
    """The pages of one group of the menu: each with its question and the chapters of the lecture that it belongs to."""
    st.subheader(group, anchor=False)
    for chapter, question, page in CHAPTERS[group]:
        with st.container(gap=None):
            st.page_link(f"pages/{page}.py")
            st.markdown(f"{question} :gray[{chapter.replace(' ', NO_BREAK)}]")


go_through_the_router()
words, picture = st.columns([5, 4], gap="large", vertical_alignment="top")
with words:
    st.title("See what a latent space is", anchor=False)
    st.markdown(
        "An autoencoder squeezes a picture into a few numbers and opens it again. Here you move through those "
        "numbers by hand and watch the picture follow: first through an autoencoder, then through a "
        "**variational** one, whose plane is *continuous* (near codes, similar pictures) and *complete* "
        "(codes drawn from the prior give meaningful pictures). How far each claim holds, you can measure."
    )
    if st.button("Move through a latent plane", type="primary", icon=":material/arrow_forward:"):
        st.switch_page("pages/latent_map.py")
with picture:
    if SHOWN in model_cards():
        st.image(
            decoded_plane(SHOWN, SIDE),
            caption=f"{SIDE} x {SIDE} points of a plane, each decoded by a VAE with two latents trained on MNIST",
            alt="A plane of digits that change smoothly into one another",
            width="stretch",
        )
    else:
        st.info("No trained model is bundled here. Make one: `python -m vae_core train mnist-2d-vae-beta1`.")

st.caption("Grey numbers are the chapters of the lecture.")
with st.container(key="chapters"):
    for side, names in zip(st.columns(2, gap="large"), COLUMNS, strict=True):
        with side:
            for name in names:
                show_chapters(name)

st.subheader("What runs here", anchor=False)
for complaint in damaged_models():
    st.warning(complaint)
st.markdown(
    f"Whatever your hand drags is decoded in your own browser, from the model's own weights. The server decodes the "
    f"rest on its CPU; training takes the best device that it has: **{device_title(pick_device(), worker_threads())}**."
)
st.dataframe(
    [
        {
            "model": card.title,
            "data": dataset(card.dataset).title,
            "latents": card.latent,
            "network": NETWORKS.get(card.network, card.network),
            "-ELBO, nats per image": -card.metrics["elbo"]
            if "elbo" in card.metrics and card.beta is not None
            else None,
            "steps": card.training.get("steps"),
            "trained on": card.training.get("device"),
        }
        for cards in families().values()
        for card in cards
    ],
    hide_index=True,
    placeholder="",
    column_config={
        "-ELBO, nats per image": st.column_config.NumberColumn(format="%.1f"),
        "steps": st.column_config.NumberColumn(format="localized"),
    },
)
st.caption(
    "Scores are measured on all held-out images of each dataset. On the grey images of MNIST and Fashion-MNIST "
    "the reconstruction term is grey BCE. An autoencoder has no ELBO."
)
