"""Structure without labels: images in clusters, as pixels and as codes; how many, and at what cost."""

from __future__ import annotations

from itertools import count
from typing import Any

import numpy as np
import streamlit as st
import torch

from ui import controls, frame
from ui.cards import ModelCard, families
from ui.figures import PLOT
from ui.figures.structure import (
    HEIGHT,
    MAP_HEIGHT,
    cluster_cards,
    contingency_heat,
    cost_lines,
    group_map,
    letter,
    score_curves,
)
from ui.lessons import structure as lesson
from ui.lessons.structure import CODES, HIERARCHICAL, K_MEANS, PIXELS
from vae_core.data import dataset
from vae_core.errors import InvalidInput
from vae_core.latent.clusters import (
    STARTS,
    Clustering,
    Timing,
    agreement,
    contingency,
    costs,
    cut,
    k_means,
    merges,
    power_law,
    silhouette,
)
from vae_core.latent.projections import PROJECTIONS, project

BY_CLUSTER, BY_LABEL = "cluster", "label"
SLOW = [name for name in PROJECTIONS if name != "pca"]
PARTS = 6  # clusterings after which the curves are drawn anew while they come


def pick() -> tuple[ModelCard, str, str]:
    """Data and model, what is clustered, and how."""
    groups = families()
    if not groups:
        raise InvalidInput("There is no model here. Make one: `python -m vae_core train mnist-10d-vae-beta1`.")
    data, model, source, method = st.columns([2, 2, 2.2, 2.4])
    with data:
        family = controls.choose("Data and latents", list(groups), key="data", default="MNIST 10-D", style="select")
    with model:
        card = controls.pick_model(groups[family], style="select")
    with source:
        chosen = controls.choose("Cluster the", (PIXELS, CODES), key="of")
    with method:
        by = controls.choose("by", (K_MEANS, HIERARCHICAL), key="by")
    return card, chosen, by


def has_labels(data: str) -> bool:
    return len(dataset(data).class_names) > 1


@frame.part
def explore() -> None:
    """Everything that depends on the clusters; only this part runs again."""
    with st.container(key="controls"):
        card, source, method = pick()
    with st.container(key="figure"):
        left, right = st.columns([3, 2], gap="medium")
    with right:
        most = lesson.most_clusters(card.dataset)
        k = int(controls.number("Number of clusters, k", 2, most, min(10, most), 1, key="k")) if most > 2 else 2
        revealed = has_labels(card.dataset) and controls.switch("Reveal the labels", False, key="labels")
    with left:
        found = lesson.sweep(card, source, method).at(k)
        st.html(cluster_cards(lesson.cards_of(card.dataset, found.clusters, revealed=revealed)))
    words_below(card, source, method, k)
    with right:
        curves(card, method, k, revealed)
    if revealed:
        labels_say(card, source, method, k)
    maps(card, source, found, revealed)
    cost(card, source)


def words_below(card: ModelCard, source: str, method: str, k: int) -> None:
    what = "their pixels" if source == PIXELS else f"their {card.latent}-number codes"
    how = f"k-means, the best of {STARTS} starts" if method == K_MEANS else "hierarchical clustering (Ward)"
    frame.honesty(
        [card],
        f"The first {frame.held_out_words(card.dataset, lesson.clustered(card.dataset))[:-1]}, a subset, in {k} "
        f"clusters of {what} by {how}; all scores are over this subset. A is the largest cluster. Large: the mean of "
        "all its images; small: six of them, drawn by chance.",
    )


def curves(card: ModelCard, method: str, k: int, revealed: bool) -> None:
    """Scores against k, for pixels and codes; what is not known yet is worked out here, and can be stopped."""
    sweeps = {PIXELS: lesson.sweep(card, PIXELS, method), CODES: lesson.sweep(card, CODES, method)}
    with st.container(height=HEIGHT + 8, border=False):
        place = st.empty()
    status = st.container(key="scores_said").empty()  # its room is kept by the style of the cards
    most = lesson.most_clusters(card.dataset)

    def draw(stage: str) -> None:
        figure = score_curves(
            [lesson.series(card, source, sweeps[source]) for source in sweeps], k, most, revealed=revealed
        )
        place.plotly_chart(figure, config=PLOT, key=f"curves {stage}")

    wanted = [(source, each) for source in (CODES, PIXELS) for each in range(2, most + 1)]
    missing = [(source, each) for source, each in wanted if each not in sweeps[source].known]
    if lesson.was_stopped("curves") and missing:
        draw("stopped")
        with status.container():
            st.button("Stopped. Work out the rest", key="go on")
        return
    if missing:
        draw("first")
        bar = lesson.Bar(status, "curves", "Scores")
        for number, (source, each) in enumerate(missing):
            bar(number / len(missing), f"Clustering the {source}, k = {each}")
            try:
                sweeps[source].at(each)
            except InvalidInput:  # fewer different points than clusters: its curve ends
                continue
            if each == most or number % PARTS == PARTS - 1:
                draw(f"with {source} {each}")
    draw("all")
    status.caption(lesson.favourites(sweeps, revealed))


def labels_say(card: ModelCard, source: str, method: str, k: int) -> None:
    """Clusters against labels: the table, and the scores of both kinds of points at this k."""
    st.subheader("What the labels say", anchor=False)
    classes = dataset(card.dataset).class_names
    left, right = st.columns([3, 2], gap="medium")
    found = {each: lesson.sweep(card, each, method).at(k) for each in (PIXELS, CODES)}
    with left:
        table = contingency(lesson.labels_of(card.dataset), found[source].clusters, len(classes))
        st.plotly_chart(contingency_heat(table, classes), config=PLOT, key="contingency")
        st.caption(f"Images of each label (across) in each cluster of {source} (down); bright: more than half of it.")
    with right:
        st.table([lesson.scores_row(each, clustering) for each, clustering in found.items()])
        st.markdown(
            "**Purity** is the share of images whose label is the most frequent one of their cluster; it tends to "
            "rise with the number of clusters, so it proves little. **ARI** counts pairs of images that both sides "
            "keep together or apart, less what chance would give: 0 is chance, 1 is perfect. **NMI** is the "
            "information that clusters and labels share, from 0 to 1."
        )


def maps(card: ModelCard, source: str, found: Clustering, revealed: bool) -> None:
    """The same images in the plane, by PCA, t-SNE and UMAP."""
    st.subheader("The same images in a plane, three times", anchor=False)
    places = lesson.points(card, source).places
    if places.shape[1] < 2:
        st.info("These codes are a single number each: they lie on a line, and there is no plane to lay them out in.")
        return
    left, right = st.columns([1, 2], vertical_alignment="bottom")
    with left:
        colour = controls.choose("Colour", (BY_CLUSTER, BY_LABEL), key="colour")
    with right:
        all_three = controls.switch("t-SNE and UMAP, too (slow the first time)", False, key="maps")
    groups, names = found.clusters, [letter(i) for i in range(found.k)]
    if colour == BY_LABEL:
        groups, names = lesson.labels_of(card.dataset), list(dataset(card.dataset).class_names)
    columns = st.columns(len(PROJECTIONS))
    if lesson.was_stopped("maps"):
        all_three = False
        st.info("Stopped. Choose a colour, or anything else above, to start again; what is done is kept.")
    drawn = [name for name in PROJECTIONS if all_three or name not in SLOW]
    spots = [column.container(height=MAP_HEIGHT + 16, border=False).empty() for column in columns[: len(drawn)]]
    for column, name in zip(columns[len(drawn) :], SLOW, strict=False):
        column.caption(f"{PROJECTIONS[name].title}: not drawn yet. Use the switch above.")
    for place, name in zip(spots, drawn, strict=True):
        flat = laid_out(places, name, place)
        figure = group_map(flat, groups, names, axis=PROJECTIONS[name].title)
        place.plotly_chart(figure, config=PLOT, key=f"map {name}")
    st.caption(
        f"{source.capitalize()} of the same {len(places):,} held-out images as above, a subset. A colour is a {colour}"
        f"{', of the clustering above' if colour == BY_CLUSTER else ''}"
        f"{'; beyond ten they repeat, so read the names' if len(names) > 10 else ''}. "
        "PCA is exact; t-SNE and UMAP keep neighbours together, but the width of a gap or of a group means little. "
        "Neither was told a label."
    )


def laid_out(places: np.ndarray, method: str, place: Any) -> np.ndarray:
    """Points [N, 2]; a slow projection shows how far it is where its picture will be."""
    bar = lesson.Bar(place, "maps", PROJECTIONS[method].title) if method in SLOW else None
    return project(torch.from_numpy(places), method, progress=bar).numpy()


@frame.part
def cost(card: ModelCard, source: str) -> None:
    """How long a fit takes as the images become more, measured here and now."""
    st.subheader("What does it cost as n grows?", anchor=False)
    left, right = st.columns([3, 2], gap="medium")
    kept: dict[Any, dict[str, list[Timing]]] = st.session_state.setdefault("costs", {})
    key = (card.name if source == CODES else card.dataset, source)
    with right:
        st.markdown(
            f"Time a fit of {lesson.TIMED_K} clusters to n held-out images, as {source}, for n from {lesson.SIZES[0]} "
            f"to at most {lesson.SIZES[-1]:,}. On these axes a power of n is a straight line, its exponent the slope. "
            "Guess both exponents first."
        )
        pressed = st.button("Measure on this machine", key="measure", type="primary")
        status = st.empty()
    with left, st.container(height=436, border=False):
        place = st.empty()
    if pressed:
        results = kept[key] = {}
        bar, stages = lesson.Bar(status, "cost", "measuring"), count()

        def report(share: float, text: str) -> None:
            bar(share, text)
            draw_costs(place, results, f"at {next(stages)}")

        lesson.measure(card, source, results, report)
        status.empty()
    results = kept.get(key, {})
    draw_costs(place, results, "done")
    with right:
        st.markdown(lesson.costs_words(results))


def draw_costs(place: Any, results: dict[str, list[Timing]], stage: str) -> None:
    figure = cost_lines(lesson.measured(results), (lesson.SIZES[0], lesson.ALL_OF_MNIST))
    place.plotly_chart(figure, config=PLOT, key=f"costs {stage}")


frame.opening(
    "What can be learned without labels?",
    "Choose how many clusters there are. Guess what each holds, then reveal the labels; then try the codes.",
)
explore()
frame.closing(
    """
- **Groups are there without labels.** Nobody told the clustering what a three is, yet many clusters are mostly one
  digit. Others mix what looks alike: 4 with 9, 3 with 5 and 8.
- **How many?** The labels know ten, the data do not say so: one digit is written in several ways, and each may become
  a cluster of its own. The silhouette needs no labels, but it only measures how far apart clusters lie.
- **Codes against pixels.** In pixels every image is far from every other, so the silhouette is near zero. A few
  numbers that a model has learned to rebuild the image from keep what matters; compare the agreement at the same k.
- **A high silhouette is no proof.** Take the autoencoder with two latents: its codes lie in well separated arms, so
  its silhouette is the highest of all models here, yet its clusters agree less with the digits than those of raw
  pixels. A silhouette may compare clusterings of the same points; between spaces of different width it says little.
- **Found is what counts as near.** On sprites the clusters are places on the canvas, because position changes most
  pixels; the shape, which is the label, is not found at all.
- **Cost.** k-means looks at each point once a round; hierarchical clustering compares all pairs.
""",
    [k_means, merges, cut, silhouette, agreement, costs, power_law],
    r"""
**2. Introduction to Deep Unsupervised Learning**: hidden patterns without human-provided labels.
**3. DUL - Components**: silhouette and clustering accuracy as evaluation metrics; the table *Supervised vs Unsupervised
Learning* with the costs $\mathcal{O}(nkd)$ of k-means and $\mathcal{O}(n^2)$ of hierarchical clustering, where $n$ is
the number of images, $k$ that of clusters, and $d$ that of dimensions; and the number of clusters that must be chosen.
**4. DUL - Applications**: *Discovering Structure in Digits*. **5. DUL - Challenges**: it is difficult to assess what
was found, and in many dimensions the data are spread thin.
""",
)
