"""The scores of a finished model on the held-out images of its data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from vae_core.checkpoints import Checkpoint, read_bundled
from vae_core.data import ImageSource, dataset, unchanged
from vae_core.data.binarise import Binarised
from vae_core.data.subset import subset
from vae_core.errors import InvalidInput
from vae_core.metrics import evaluate_all
from vae_core.models import ConditionalVAE, LatentModel
from vae_core.recipes import judge_of
from vae_core.runs.code_maps import as_code_maps
from vae_core.runs.transfer import wrong_training
from vae_core.training import TrainSettings

BINARISED = 0  # the seed of the one draw of black and white on which every model of binarised data is scored


def held_out_source(data: str, training: TrainSettings | dict[str, Any], device: Any = "cpu") -> ImageSource:
    """The test split as a model trained so is to be scored on it."""
    asked = asdict(training) if isinstance(training, TrainSettings) else training
    source = subset(dataset(data).load("test", device), device, asked.get("labels", ()))
    return Binarised(source, BINARISED) if asked.get("binarise", False) else source


def evaluate(checkpoint: Checkpoint, progress: Callable[[float, str], None] | None = None) -> dict[str, Any]:
    """Score a model on the test split of its dataset, with the bundled classifier of that dataset as judge. Raises
    InvalidInput where the data are other images by now than those that it was trained on, and where what it tells of
    its training is damaged."""
    if wrong := wrong_training(checkpoint.training):
        raise InvalidInput(
            f"What {checkpoint.name} tells of its training cannot be right ({', '.join(wrong)}); train it anew."
        )
    unchanged(checkpoint.dataset, checkpoint.training.get("data_stamp"))
    source = as_code_maps(held_out_source(checkpoint.dataset, checkpoint.training), checkpoint.model.config)
    judge = None
    if isinstance(checkpoint.model, LatentModel | ConditionalVAE):
        name = judge_of(checkpoint.dataset)
        judge = read_bundled(name).model if name else None  # without one, what needs a judge is left out
    return evaluate_all(checkpoint.model, source, judge, progress=progress)
