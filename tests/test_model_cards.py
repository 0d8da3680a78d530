"""What the pickers know of the bundled models, and that a folder that is wrong takes no other along."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.test_models import build
from ui import cards
from vae_core.checkpoints import CONFIG, write_metrics, write_model


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder of bundled models, and no runs; what is kept of the real one is forgotten before and after."""
    monkeypatch.setattr("vae_core.checkpoints.BUNDLED_CHECKPOINTS", tmp_path)
    monkeypatch.setenv("LATENT_RUNS", str(tmp_path / "runs"))
    cards._read_cards.clear()
    yield tmp_path
    cards._read_cards.clear()


def write(folder: Path, model_name: str, dataset: str = "mnist") -> None:
    model = build(model_name)
    write_model(folder, model, name=folder.name, model_name=model_name, dataset=dataset, training={})


def test_a_good_folder_becomes_a_card(bundle: Path) -> None:
    write(bundle / "mnist-2d-vae-beta1", "vae")
    write_metrics(bundle / "mnist-2d-vae-beta1", {"kl_per_latent": [0.1, 3.0, 2.0]})
    (card,) = cards.model_cards().values()
    assert (card.family, card.variant, card.role) == ("MNIST 3-D", "beta 1", "vae")
    assert card.by_kl == [1, 2, 0]
    assert cards.damaged_models() == []


def test_without_scores_the_latents_keep_their_order(bundle: Path) -> None:
    write(bundle / "mnist-2d-ae", "autoencoder")
    (card,) = cards.model_cards().values()
    assert card.by_kl == [0, 1, 2] and card.beta is None


@pytest.mark.parametrize(
    ("model_name", "dataset", "named"),
    [("classifier", "mnist", "'classifier'"), ("vae", "cifar", "'cifar'"), ("autoencoder", "mnist", "'autoencoder'")],
)
def test_a_folder_that_holds_another_model_is_named_and_left_out(
    bundle: Path, model_name: str, dataset: str, named: str
) -> None:
    write(bundle / "mnist-2d-vae-beta1", model_name, dataset)
    write(bundle / "mnist-2d-ae", "autoencoder")
    assert list(cards.model_cards()) == ["mnist-2d-ae"]
    (complaint,) = cards.damaged_models()
    assert "mnist-2d-vae-beta1" in complaint and named in complaint


def test_a_damaged_folder_is_named_and_left_out(bundle: Path) -> None:
    write(bundle / "mnist-2d-vae-beta1", "vae")
    write(bundle / "mnist-2d-ae", "autoencoder")
    (bundle / "mnist-2d-vae-beta1" / CONFIG).write_text("{")
    assert list(cards.model_cards()) == ["mnist-2d-ae"]
    (complaint,) = cards.damaged_models()
    assert CONFIG in complaint


@pytest.mark.parametrize(
    ("key", "value"),
    [("kl_per_latent", [0.1]), ("kl_per_latent", "three"), ("elbo", None), ("continuity", {"unevenness": 3.0}),
     ("completeness", [])],
)  # fmt: skip
def test_damaged_scores_are_named_and_the_model_stays(bundle: Path, key: str, value: object) -> None:
    write(bundle / "mnist-2d-vae-beta1", "vae")
    write_metrics(bundle / "mnist-2d-vae-beta1", {key: value})
    (card,) = cards.model_cards().values()
    assert card.metrics == {}
    (complaint,) = cards.damaged_models()
    assert key in complaint and "evaluate mnist-2d-vae-beta1" in complaint
