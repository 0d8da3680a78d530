"""Finished runs in the explorers: their cards, and every page with models of every kind."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.conftest import blob_source
from tests.test_models import build
from tests.test_pages import NAMED, opened
from ui import cache, cards
from vae_core.checkpoints import CONFIG, METRICS, write_metrics, write_model
from vae_core.data import DATASETS
from vae_core.data.base import StoredImages
from vae_core.errors import InvalidInput
from vae_core.latent.pictures import png
from vae_core.models import VAE

BANKED = (  # lessons on models of their own, or on none, which no run joins
    "reduction", "compression", "denoising", "parts", "super_resolution", "colourisation", "anomaly", "signals",
    "latent_variables", "inference", "reparameterisation", "conditional", "discrete", "names", "vq_vae", "vq_vae2",
    "voice", "loss", "results", "disentanglement", "beyond_gaussian", "collapse", "limits",
)  # fmt: skip
EXPLORERS = [name for name in NAMED if name not in ("home", "train", "runs", *BANKED)]
LONG = "a-very-long-name.of-a-run_" + "x" * 34


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder of runs, and what is kept of models forgotten afterwards."""
    monkeypatch.setenv("LATENT_RUNS", str(tmp_path))
    yield tmp_path
    for kept in (cards._read_run, cache._held_out, cache._thumbnails_pack, cache._film):
        kept.clear()


@pytest.fixture
def colours(monkeypatch: pytest.MonkeyPatch) -> str:
    """A small data set in colour that no classifier knows."""
    data = replace(
        DATASETS["mnist"], name="patches", title="Patches", shape=(3, 12, 12), class_names=("a", "b", "c"),
        open_split=lambda split, device: blob_source(30, (3, 12, 12)), upload_box=None,
    )  # fmt: skip
    monkeypatch.setitem(DATASETS, "patches", data)
    return "patches"


def write_run(runs: Path, name: str, kind: str = "vae", data: str = "mnist", **settings: Any) -> Path:
    """The model folder of a finished run: a small model with random weights."""
    image = DATASETS[data].shape
    model = build(kind, **{"image": image, "network": "mlp", **settings})
    folder = runs / name / "model"
    write_model(folder, model, name=name, model_name=kind, dataset=data, training={"steps": 10, "device": "CPU"})
    return folder


def only_run() -> cards.ModelCard:
    (card,) = [card for card in cards.model_cards().values() if card.run]
    return card


def test_a_finished_run_follows_the_bundled_models(runs: Path) -> None:
    bundled = list(cards.model_cards())
    write_run(runs, "mine", latent=3, beta=2.0)
    assert list(cards.model_cards())[:-1] == bundled
    card = only_run()
    assert card.name.startswith("run:mine@") and (card.family, card.variant) == ("MNIST 3-D", "run mine")
    assert card.title == "mine: VAE, β = 2" and card.by_kl == [0, 1, 2]
    assert cards.families()["MNIST 3-D"] == [card] and cards.damaged_models() == []
    assert cache.checkpoint(card.name).model.config.latent == 3  # type: ignore[union-attr]


def test_a_run_joins_the_family_of_the_bundled_ones(runs: Path) -> None:
    write_run(runs, "mine", latent=2)
    family = cards.families()["MNIST 2-D"]
    assert family[-1].variant == "run mine" and len({card.variant for card in family}) == len(family) == 8


def test_a_run_that_was_trained_again_is_another_card_with_other_weights(runs: Path) -> None:
    folder = write_run(runs, "mine", latent=2)
    first = only_run()
    codes = cache.encoded(first.name).codes
    torch.manual_seed(5)
    write_run(runs, "mine", latent=2)
    second = only_run()
    assert first.name != second.name and first.variant == second.variant
    assert not torch.equal(codes, cache.encoded(second.name).codes)
    cache.checkpoint.clear()
    with pytest.raises(InvalidInput, match="trained again or deleted"):
        cache.checkpoint(first.name)
    (folder / CONFIG).unlink()
    assert not [card for card in cards.model_cards().values() if card.run]


def test_new_scores_are_seen_and_the_model_is_the_same(runs: Path) -> None:
    folder = write_run(runs, "mine", latent=2)
    name = only_run().name
    write_metrics(folder, {"recon": 3.0, "kl_per_latent": [0.0, 1.0]})
    assert only_run().name == name and only_run().by_kl == [1, 0]
    (folder / METRICS).write_text('{"recon": "much"}')
    assert only_run().metrics == {}
    (complaint,) = cards.damaged_models()
    assert "recon" in complaint and "the run mine" in complaint and str(folder) in complaint


def test_an_unchanged_run_is_read_once(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_run(runs, "mine")
    write_run(runs, "other")
    read: list[Path] = []
    original = cards.read_description
    monkeypatch.setattr(cards, "read_description", lambda folder: (read.append(folder), original(folder))[1])
    cards._read_cards()  # the bundled ones may be read here for the first time
    read.clear()
    for _ in range(3):
        assert len([card for card in cards.model_cards().values() if card.run]) == 2
    assert sorted(folder.parent.name for folder in read) == ["mine", "other"]


def test_the_newest_run_comes_first(runs: Path) -> None:
    for age, name in enumerate(("new", "older", "oldest")):
        config = write_run(runs, name) / CONFIG
        os.utime(config, (1e9 - age, 1e9 - age))
    assert [card.run for card in cards.model_cards().values() if card.run] == ["new", "older", "oldest"]


def damage_json(folder: Path) -> None:
    (folder / CONFIG).write_text("{")


def other_data(folder: Path) -> None:
    change(folder, dataset="own-gone")


def other_shape(folder: Path) -> None:
    change(folder, dataset="sprites")


def other_images(folder: Path) -> None:
    change(folder, training={"data_stamp": "0123456789abcdef"})


def a_picture_for_data(folder: Path) -> None:
    change(folder, dataset="![x](http://y.org)")


def endless_training(folder: Path) -> None:
    text = (folder / CONFIG).read_text("utf-8")
    (folder / CONFIG).write_text(text.replace('"steps": 10', '"kl_start": 1e999'), "utf-8")


def odd_training(folder: Path) -> None:
    change(folder, training={"kl_start": "abc"})


def change(folder: Path, **values: Any) -> None:
    config = json.loads((folder / CONFIG).read_text("utf-8"))
    (folder / CONFIG).write_text(json.dumps({**config, **values}), "utf-8")


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (damage_json, "JSON"), (other_data, "own-gone"), (other_shape, "images of shape"), (odd_training, r"kl\_start"),
        (other_images, "other images than those"), (endless_training, "1e999"),
        (a_picture_for_data, r"!\[x\](http\://y.org)"),
    ],
)  # fmt: skip
def test_a_damaged_run_is_named_and_takes_no_other_along(runs: Path, damage: Any, named: str) -> None:
    damage(write_run(runs, "broken"))
    write_run(runs, "good")
    assert only_run().run == "good"
    (complaint,) = cards.damaged_models()
    assert "broken" in complaint and named in complaint


def test_a_classifier_and_what_is_no_run_have_no_card(runs: Path) -> None:
    write_run(runs, "judge", "classifier")
    write_run(runs, ".half-written")
    write_run(runs, "with a blank")
    assert not [card for card in cards.model_cards().values() if card.run] and cards.damaged_models() == []


def test_use_of_latents_is_what_the_scores_would_say(runs: Path) -> None:
    card = next(card for card in cards.model_cards().values() if card.name == "mnist-2d-vae-beta1")
    use = cache.use_of_latents(card.name)
    assert use.kl == pytest.approx(card.metrics["kl_per_latent"], rel=1e-4)
    assert use.activity == pytest.approx(card.metrics["activity"], rel=1e-4)
    assert use.images == card.metrics["held_out"]


def test_a_wide_model_has_fewer_codes_in_the_browser(runs: Path, colours: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MOST_NUMBERS", 100)
    write_run(runs, "wide", data=colours, latent=10)
    cloud = cache.encoded(only_run().name)
    assert cloud.codes.shape == (10, 10) and cloud.labels.shape == (10,)


def complaints(page: Any) -> list[str]:
    return [shown.value for shown in (*page.exception, *page.error, *page.warning)]


KINDS: dict[str, dict[str, Any]] = {
    "one latent": {"latent": 1},
    "three latents": {"latent": 3},
    "many latents": {"latent": 200},
    "Gaussian": {"latent": 2, "likelihood": "gaussian"},
    "learned sigma": {"latent": 4, "likelihood": "gaussian_learned"},
    "convolutional": {"latent": 2, "network": "conv"},
}


@pytest.mark.parametrize("lesson", EXPLORERS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_page_shows_a_run_of_every_kind(runs: Path, lesson: str, kind: str) -> None:
    for name, model in ((LONG, "vae"), ("plain", "autoencoder")):
        write_run(runs, name, model, **KINDS[kind])
    family = f"MNIST {KINDS[kind]['latent']}-D"
    page = opened(lesson, data=family, model=f"run {LONG}")
    assert complaints(page) == []
    assert any(LONG in caption.value for caption in page.caption)


@pytest.mark.parametrize("lesson", EXPLORERS)
@pytest.mark.parametrize("latent", [1, 3])
def test_every_page_shows_colour_pictures_that_no_classifier_knows(
    runs: Path, colours: str, lesson: str, latent: int
) -> None:
    for name, model in (("mine", "vae"), ("second", "vae"), ("plain", "autoencoder")):
        write_run(runs, name, model, colours, latent=latent)
    page = opened(lesson, data=f"Patches {latent}-D", model="run mine", answer="true", own="draw it")
    assert complaints(page) == []
    told = " ".join(caption.value for caption in page.caption)
    assert "trained on Patches" in told
    assert "30 held-out images of Patches" in told or lesson == "sampling_grid"


def test_home_names_every_model_and_what_cannot_be_used(runs: Path) -> None:
    write_run(runs, "mine", latent=1024)
    damage_json(write_run(runs, "broken"))
    page = opened("home")
    assert not page.exception and not page.error
    assert "mine: VAE, β = 1" in list(page.dataframe[0].value["model"])
    assert any("broken" in said.value for said in page.warning)


def test_pages_say_what_a_data_set_without_a_classifier_lacks(runs: Path, colours: str) -> None:
    for name, model in (("mine", "vae"), ("plain", "autoencoder")):
        write_run(runs, name, model, colours, latent=2)
    for lesson in ("interpolation", "continuity_completeness"):
        page = opened(lesson, data="Patches 2-D", answer="true")
        assert any("classifier" in told.value and "Patches" in told.value for told in page.info)


def test_a_line_of_codes_is_decoded_in_reading_order(runs: Path) -> None:
    write_run(runs, "line", latent=1)
    made = cache.decoded_line(only_run().name, "linear", 3.0, 4)
    assert made.codes.shape == (16, 1) and torch.allclose(made.codes[:, 0], torch.linspace(-3, 3, 16))
    share = torch.special.ndtr(cache.decoded_line(only_run().name, "prior quantiles", 8.0, 4).codes[:, 0].double())
    assert torch.allclose(share, (torch.arange(16).double() + 0.5) / 16, atol=1e-4)


@pytest.mark.parametrize("light", [True, False])
def test_an_own_picture_is_given_to_the_model_as_its_data_are(
    runs: Path, light: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = np.full((20, 1, 28, 28), 255 if light else 0, np.uint8)
    source = StoredImages(pixels, np.zeros(20, np.uint8))
    data = replace(DATASETS["mnist"], name="paper", title="Paper", open_split=lambda split, device: source)
    monkeypatch.setitem(DATASETS, "paper", data)
    write_run(runs, "mine", data="paper", latent=2)
    encoded: list[torch.Tensor] = []
    original = VAE.encode
    monkeypatch.setattr(VAE, "encode", lambda self, x: (encoded.append(x), original(self, x))[1])
    page = opened("latent_map", data="Paper 2-D", own="upload it")
    drawing = torch.ones(1, 40, 40)
    drawing[:, 15:25, 15:25] = 0.0  # dark ink on light paper
    page.file_uploader[0].set_value(("mine.png", png(drawing), "image/png")).run()
    assert complaints(page) == []
    border = encoded[-1][0, 0, 0].mean()
    assert border > 0.9 if light else border < 0.1
    assert any("that way round" in said.value for said in page.caption) == light
    assert any("it was inverted" in said.value for said in page.caption) != light
