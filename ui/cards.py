"""What the pickers and captions need to know of every model here: the bundled ones, then the finished runs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import streamlit as st
import torch

from ui.text import plain
from vae_core.checkpoints import CONFIG, METRICS, WEIGHTS, Description, bundled, read_description
from vae_core.data import dataset, unchanged
from vae_core.errors import InvalidInput
from vae_core.folders import runs_folder
from vae_core.latent.traversals import order_by_kl
from vae_core.metrics.stored import wrong_scores
from vae_core.models import MODELS, is_latent
from vae_core.recipes import RECIPES, in_bank
from vae_core.runs.folder import NAME
from vae_core.runs.transfer import wrong_training

FAMILY_TITLES = {"fashion_mnist": "Fashion"}  # where the dataset's own title is too long for a picker
NETWORKS = {"mlp": "MLP", "conv": "convolutional", "residual": "residual"}
LONGEST = 20  # letters of a name in a figure
RUN = "run:"  # how the name of a run's card begins


@dataclass(frozen=True)
class ModelCard:
    """What is known of a model without its weights."""

    name: str  # of a bundled model, or "run:NAME@HASH", where a run that was trained again has another hash
    dataset: str  # for vae_core.data.dataset
    model_name: str  # key in MODELS
    latent: int
    beta: float | None  # None for an autoencoder
    network: str
    likelihood: str
    metrics: dict[str, Any]
    training: dict[str, Any]
    run: str | None = None  # the run that made it; None for a bundled one

    @property
    def family(self) -> str:
        """Models that may be compared: same data, same number of latents."""
        return f"{FAMILY_TITLES.get(self.dataset, dataset(self.dataset).title)} {self.latent}-D"

    @property
    def variant(self) -> str:
        """What tells the members of a family apart."""
        if self.run is not None:
            return f"run {self.run}"
        return "autoencoder" if self.beta is None else f"beta {self.beta:g}"

    @property
    def short(self) -> str:
        """The same for a figure, where beta is a letter and room is scarce."""
        name = self.variant if self.run is not None else self.variant.replace("beta", "β")
        return name if len(name) <= LONGEST else f"{name[: LONGEST - 7]}…{name[-6:]}"

    @property
    def role(self) -> str:
        """Which of the compared kinds it is, for its colour."""
        return "autoencoder" if self.beta is None else "vae"

    @property
    def title(self) -> str:
        kind = MODELS[self.model_name].title if self.beta is None else f"VAE, β = {self.beta:g}"
        return f"{self.run}: {kind}" if self.run is not None else kind[0].upper() + kind[1:]

    @property
    def caption(self) -> str:
        latents = "1 latent" if self.latent == 1 else f"{self.latent} latents"
        network = NETWORKS.get(self.network, self.network)
        return f"{self.title}, {latents}, {network}, trained on {dataset(self.dataset).title}{self._kl_words}"

    @property
    def _kl_words(self) -> str:
        """How the weight of the KL moved in the training, where it did."""
        if self.beta is None:
            return ""
        first_weight = self.training.get("kl_start", 1.0) * self.beta
        return {
            "fall": f" with a KL whose weight fell from {first_weight:g} to {self.beta:g}"
            if first_weight != self.beta
            else "",
            "warm-up": " with a KL that was faded in",
            "cyclical": f" with a KL that was faded in {self.training.get('kl_cycles', 'several')} times",
            "capacity": f" with a KL drawn to {self.training.get('capacity', 0):g} nats",
        }.get(self.training.get("kl_schedule", "fall"), "")

    @property
    def by_kl(self) -> list[int]:
        """The latents, the one with the largest KL first; in their own order where no KL was measured."""
        per_latent = self.metrics.get("kl_per_latent")
        return order_by_kl(torch.tensor(per_latent)).tolist() if per_latent else list(range(self.latent))


def card_of(told: Description, name: str, folder: Path, run: str | None = None) -> tuple[ModelCard, str | None]:
    """A model's card, and a sentence where its scores are damaged. InvalidInput for what no page could use."""
    called = name if run is None else f"the run {run}"
    if wrong := wrong_training(told.training):
        raise InvalidInput(f"{folder / CONFIG}: what it says of the training is damaged ({', '.join(wrong)}).")
    wrong = wrong_scores(told.metrics, told.settings.latent)
    complaint = None
    if wrong:
        address = name if run is None else folder
        complaint = (
            f"The scores of {called} are damaged ({', '.join(wrong)}), so none is shown. "
            f"Measure them again: `python -m vae_core evaluate {address} --write`."
        )
    card = ModelCard(
        name=name,
        dataset=told.dataset,
        model_name=told.model_name,
        latent=told.settings.latent,
        beta=getattr(told.settings, "beta", None),
        network=told.settings.network,
        likelihood=told.settings.likelihood,
        metrics={} if wrong else told.metrics,
        training=told.training,
        run=run,
    )
    return card, complaint


@st.cache_resource(show_spinner=False)
def _read_cards() -> tuple[dict[str, ModelCard], list[str]]:
    """The bundled models that can be used, and a sentence on each that cannot."""
    folders = bundled()
    cards, damaged = {}, []
    offered = (name for name, recipe in RECIPES.items() if recipe.model != "classifier" and not in_bank(name))
    for name in [name for name in offered if name in folders]:
        try:
            told = read_description(folders[name])
            require_recipe(told, name)
            cards[name], complaint = card_of(told, name, folders[name])
        except InvalidInput as error:  # one damaged folder does not take the others along
            complaint = str(error)
        damaged += [complaint] if complaint else []
    return cards, damaged


def require_recipe(told: Description, name: str) -> None:
    """A folder whose config is another model's would show its pictures under a wrong name."""
    recipe = RECIPES[name]
    if (told.model_name, told.dataset) != (recipe.model, recipe.data):
        raise InvalidInput(
            f"The model folder {name} holds the model {told.model_name[:60]!r} of the data {told.dataset[:60]!r}; "
            f"it must be {recipe.model!r} of {recipe.data!r}. Make it again: `python -m vae_core train {name}`."
        )


@dataclass(frozen=True)
class FoundRun:
    """A run's model folder as it was read once: its card, or what is wrong with it."""

    card: ModelCard | None
    image: tuple[int, int, int]
    complaint: str | None


@st.cache_resource(show_spinner=False, max_entries=512)
def _read_run(folder: str, weights: str, scores: str) -> FoundRun:
    """A finished run's card. The stamps of its files are part of the key, so that no changed folder is read from
    here; what has no plain code has no card, and nothing is wrong with it."""
    run = Path(folder).parent.name
    try:
        told = read_description(Path(folder))
        if not is_latent(told.model_name):
            return FoundRun(None, (0, 0, 0), None)
        card, complaint = card_of(told, f"{RUN}{run}@{weights}", Path(folder), run)
    except InvalidInput as error:
        return FoundRun(None, (0, 0, 0), f"The run {run} cannot be used: {plain(str(error))}")
    return FoundRun(card, told.settings.image, complaint)


def _stamp(*paths: Path) -> str:
    """Another text whenever one of the files is another: from their places, times and sizes."""
    found = [(str(path), s.st_mtime_ns, s.st_size, s.st_ino) for path in paths if (s := _stat(path)) is not None]
    return hashlib.sha256(repr(found).encode()).hexdigest()[:12]


def _stat(path: Path) -> Any:
    try:
        return path.stat()
    except OSError:
        return None


def found_runs() -> dict[Path, FoundRun]:
    """The model folders of all finished runs, the newest first. Looked up every time: a run may end, or be deleted,
    at any moment; only what changed is read."""
    configs = [(path, stat.st_mtime_ns) for path in runs_folder().glob(f"*/model/{CONFIG}") if (stat := _stat(path))]
    found = {}
    for config, _ in sorted(configs, key=lambda each: (-each[1], str(each[0]))):
        folder = config.parent
        if not NAME.fullmatch(folder.parent.name):
            continue  # something that is still being written, or none of ours
        weights = _stamp(config, folder / WEIGHTS)
        found[folder] = fitting(_read_run(str(folder), weights, _stamp(folder / METRICS)))
    return found


def fitting(found: FoundRun) -> FoundRun:
    """The same, under a name that also tells of its data; refused where these are not here (any more), or are not
    those that it was trained on: others by the same name, or of another shape."""
    if found.card is None:
        return found
    try:
        data = unchanged(found.card.dataset, found.card.training.get("data_stamp"))
    except InvalidInput as error:
        told = f"The run {found.card.run} cannot be shown without its data. {plain(str(error))}"
        return FoundRun(None, found.image, told)
    if tuple(data.shape) != tuple(found.image):
        return FoundRun(
            None,
            found.image,
            f"The run {found.card.run} takes images of shape {tuple(found.image)}, but {found.card.dataset} has "
            f"{tuple(data.shape)}; train it again.",
        )
    return replace(found, card=replace(found.card, name=found.card.name + data.stamp))


def run_folder(name: str) -> Path:
    """The model folder behind the name of a run's card. InvalidInput where it is another model's by now, or gone."""
    for folder, found in found_runs().items():
        if found.card is not None and found.card.name == name:
            return folder
    run = name.removeprefix(RUN).rpartition("@")[0][:60]
    raise InvalidInput(f"The run {run} was trained again or deleted meanwhile; reload the page to see what there is.")


def model_cards() -> dict[str, ModelCard]:
    """The latent variable models by name: the bundled ones in the order of the recipes, then the runs."""
    runs = [found.card for found in found_runs().values() if found.card is not None]
    return _read_cards()[0] | {card.name: card for card in runs}


def damaged_models() -> list[str]:
    """What is wrong with models that cannot be used, a sentence each."""
    return _read_cards()[1] + [found.complaint for found in found_runs().values() if found.complaint]


def families() -> dict[str, list[ModelCard]]:
    """All models, grouped by what may be compared."""
    groups: dict[str, list[ModelCard]] = {}
    for card in model_cards().values():
        groups.setdefault(card.family, []).append(card)
    return groups
