"""The Latent Space Explorer: `streamlit run app.py`. The pages in the order of the lecture, and what they share."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from ui.cache import share_the_cores, spare_the_collector
from vae_core.errors import InvalidInput

st.set_page_config(page_title="Latent Space Explorer", layout="wide", initial_sidebar_state="collapsed")

PAGES = {
    "": [st.Page("pages/home.py", title="Home", default=True)],
    "Autoencoders": [
        st.Page("pages/structure.py", title="Structure without labels"),
        st.Page("pages/reduction.py", title="Dimensionality reduction"),
        st.Page("pages/parts.py", title="Parts of an autoencoder"),
        st.Page("pages/generation.py", title="Generation"),
        st.Page("pages/denoising.py", title="Denoising"),
        st.Page("pages/super_resolution.py", title="Super-resolution"),
        st.Page("pages/colourisation.py", title="Colourisation"),
        st.Page("pages/anomaly.py", title="Anomaly detection"),
        st.Page("pages/signals.py", title="Anomalies in signals"),
        st.Page("pages/compression.py", title="Compression"),
    ],
    "Variational inference": [
        st.Page("pages/latent_variables.py", title="Latent variable models"),
        st.Page("pages/inference.py", title="Variational inference"),
        st.Page("pages/reparameterisation.py", title="Reparameterisation"),
        st.Page("pages/loss.py", title="The loss"),
        st.Page("pages/results.py", title="Results"),
    ],
    "Latent spaces": [
        st.Page("pages/latent_map.py", title="Latent map"),
        st.Page("pages/sampling_grid.py", title="Sampling grid"),
        st.Page("pages/interpolation.py", title="Interpolation"),
        st.Page("pages/continuity_completeness.py", title="Continuity and completeness"),
        st.Page("pages/traversals.py", title="Traversals"),
    ],
    "Variants": [
        st.Page("pages/disentanglement.py", title="Disentanglement"),
        st.Page("pages/conditional.py", title="Conditional VAE"),
        st.Page("pages/discrete.py", title="Discrete VAE"),
        st.Page("pages/beyond_gaussian.py", title="Beyond the Gaussian"),
        st.Page("pages/names.py", title="Names"),
        st.Page("pages/vq_vae.py", title="VQ-VAE"),
        st.Page("pages/vq_vae2.py", title="VQ-VAE-2"),
        st.Page("pages/voice.py", title="Voice"),
    ],
    "Limits": [
        st.Page("pages/collapse.py", title="Collapse, holes, missing modes"),
        st.Page("pages/limits.py", title="Settings, blur, cost, scores"),
    ],
    "Training": [
        st.Page("pages/train.py", title="Train"),
        st.Page("pages/runs.py", title="Runs"),
    ],
}

share_the_cores()
st.html(Path(__file__).parent / "assets" / "page.css")
page = st.navigation(PAGES, position="top")
try:
    page.run()
except InvalidInput as error:  # a damaged model or data set: a sentence, and the other pages stay usable
    st.error(str(error))
spare_the_collector(page.title)
