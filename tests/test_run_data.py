"""A run and its model know on which images they were trained, and never pass others off as held out."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from tests.own_images import npz
from tests.running import VAE, add_blobs
from ui import cards
from vae_core.checkpoints import read_model
from vae_core.data import own
from vae_core.errors import InvalidInput
from vae_core.runs import Run, work
from vae_core.runs.scores import evaluate

pytestmark = pytest.mark.usefixtures("own_folder", "own_blobs")


def exchange() -> None:
    """Other images under the same name, of another shape too."""
    own.remove("blobs")
    own.add_npz("blobs", npz())


def test_a_run_keeps_to_the_images_that_it_was_created_for(own_folder: Path) -> None:
    run = Run.create(own_folder / "mine", VAE)
    assert run.config.data_stamp == run.data().stamp != ""
    own.remove("blobs")
    with pytest.raises(InvalidInput, match="no data 'own-blobs'"):
        run.data()
    own.add_npz("blobs", npz())
    with pytest.raises(InvalidInput, match=r"own-blobs are other images.*train anew"):
        run.data()
    own.remove("blobs")
    add_blobs()
    assert run.data().name == "own-blobs", "the same images may come back"
    bundled = Run.create(own_folder / "digits", replace(VAE, data="mnist"))
    assert bundled.config.data_stamp == "" and bundled.data().name == "mnist"


def test_a_run_is_not_trained_on_with_other_images(own_folder: Path) -> None:
    run = Run.create(own_folder / "mine", VAE, "cpu")
    work(run, progress=lambda line: os.kill(os.getpid(), signal.SIGTERM))
    assert run.status().state == "stopped"
    exchange()
    status = work(run)
    assert status.state == "failed" and "other images" in status.message
    own.remove("blobs")
    add_blobs()
    assert work(run).state == "finished"


def test_a_model_is_neither_scored_nor_shown_with_other_images(own_folder: Path) -> None:
    run = Run.create(own_folder / "mine", VAE, "cpu")
    assert work(run).state == "finished"
    model = read_model(run.model_folder)
    assert model.training["data_stamp"] == run.data().stamp
    assert [card.run for card in cards.model_cards().values() if card.run] == ["mine"]
    evaluate(model)
    exchange()
    with pytest.raises(InvalidInput, match="other images"):
        evaluate(model)
    assert [card.run for card in cards.model_cards().values() if card.run] == []
    assert any("other images" in told for told in cards.damaged_models())
