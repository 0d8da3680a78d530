"""Every recipe builds, and every bundled model is what its recipe says."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pytest
import torch

from vae_core.checkpoints import CONFIG, METRICS, WEIGHTS, bundled, read_bundled
from vae_core.data import DATASETS, LESSON_DATA
from vae_core.errors import InvalidInput
from vae_core.folders import BUNDLED_CHECKPOINTS
from vae_core.imaging.corruption import KINDS
from vae_core.models import MODELS, LatentModel, RestoringModel
from vae_core.recipes import BANKS, RECIPES, changed, in_bank, judge_of
from vae_core.recipes.reduction import LATENTS_REDUCTION
from vae_core.training import TrainSettings

IN_LESSONS = {"names": 26_559, "voices": 2700, "spoken_digits": 2700}  # training images of data that are not bundled
HELD_OUT = {"names": 2_935, "voices": 300, "spoken_digits": 300}  # where they are not 10,000
LARGEST_BUNDLE = 155 * 10**6  # bytes


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_builds(name: str) -> None:
    recipe = RECIPES[name]
    assert recipe.name == name
    dataset, config = (DATASETS | LESSON_DATA)[recipe.data], recipe.config
    assert config.image == dataset.shape or getattr(config, "codes_of", "") in RECIPES
    kind: Any = MODELS[recipe.model]
    terms = kind(config).loss(torch.rand(2, *config.image), torch.zeros(2))
    assert terms.total.isfinite()
    if recipe.model == "classifier":
        assert config.classes == len(dataset.class_names)
    if recipe.data in DATASETS:
        judge = RECIPES[judge_of(recipe.data) or ""]
        assert (judge.model, judge.data) == ("classifier", recipe.data)


@pytest.mark.parametrize("name", [name for name in RECIPES if not in_bank(name)])
def test_a_name_says_what_the_recipe_is(name: str) -> None:
    recipe, config = RECIPES[name], RECIPES[name].config
    short = {"mnist": "mnist", "fashion_mnist": "fashion", "sprites": "sprites", "cifar10": "cifar"}[recipe.data]
    expected = {
        "classifier": lambda: f"{short}-classifier",
        "autoencoder": lambda: f"{short}-{config.latent}d-ae",
        "vae": lambda: f"{short}-{config.latent}d-vae-beta{config.beta:g}",
    }[recipe.model]()
    assert name == expected


def test_settings_can_be_changed_wherever_they_belong() -> None:
    recipe = RECIPES["mnist-2d-vae-beta1"]
    other = changed(recipe, {"beta": 4, "latent": 10, "epochs": 3, "hidden": [64, 32], "kl_schedule": "warm-up"})
    assert (other.config.beta, other.config.latent, other.config.hidden) == (4, 10, (64, 32))
    assert (other.training.epochs, other.training.kl_schedule) == (3, "warm-up")
    assert other.training.batch == recipe.training.batch and other.data == recipe.data
    assert changed(recipe, {}) == recipe
    assert recipe.config.beta == 1.0, "the recipe itself stays"


@pytest.mark.parametrize(
    ("key", "value", "named"),
    [("betta", 1, "betta"), ("latent", 0, "latent"), ("latent", 10**6, "latent"), ("epochs", -1, "epochs"),
     ("beta", "four", "beta"), ("latent", 2.5, "latent"), ("latent", True, "latent"), ("hidden", 3, "hidden"),
     ("lr", None, "lr")],
)  # fmt: skip
def test_a_change_that_cannot_be_is_named(key: str, value: Any, named: str) -> None:
    with pytest.raises(InvalidInput, match=named):
        changed(RECIPES["mnist-2d-vae-beta1"], {key: value})


def test_the_recipes_are_those_that_the_pages_show() -> None:
    plane = [f"2d-{kind}" for kind in ("ae", *(f"vae-beta{beta}" for beta in ("0.1", "0.5", 1, 2, 4, 8)))]
    assert set(RECIPES) == {
        *(f"{data}-{model}" for data in ("mnist", "fashion") for model in (*plane, "classifier")),
        "mnist-10d-ae", *(f"mnist-10d-vae-beta{beta}" for beta in (1, 4)),
        *(f"sprites-10d-vae-beta{beta}" for beta in (1, 2, 4, 8, 16)), "sprites-classifier", "cifar-classifier",
        *(recipe.name for bank in BANKS.values() for recipe in bank),
    }  # fmt: skip


def test_the_bank_of_the_page_on_reduction_differs_in_the_latent_size_alone() -> None:
    bank = BANKS["reduction"]
    assert [recipe.name for recipe in bank] == [f"mnist-{latent}d-ae-mse" for latent in LATENTS_REDUCTION]
    assert [recipe.config.latent for recipe in bank] == list(LATENTS_REDUCTION)
    assert len({str(changed(recipe, {"latent": 2, "epochs": 1}).config) for recipe in bank}) == 1
    assert {(recipe.model, recipe.config.likelihood, recipe.config.sigma) for recipe in bank} == {
        ("autoencoder", "gaussian", 1.0)
    }


def test_the_denoising_autoencoder_is_trained_on_every_kind_of_noise() -> None:
    [recipe] = BANKS["denoising"]
    assert (recipe.name, recipe.model, recipe.data) == ("mnist-denoising-ae", "denoising", "mnist")
    assert recipe.config.kinds == KINDS and recipe.config.highest < 1, "so that there are levels beyond"


def test_no_other_page_offers_a_bank() -> None:
    from ui.cards import model_cards

    assert not set(model_cards()) & {recipe.name for bank in BANKS.values() for recipe in bank}


def test_every_recipe_is_bundled_and_nothing_else() -> None:
    assert set(bundled()) == set(RECIPES)
    assert {path.name for path in BUNDLED_CHECKPOINTS.iterdir()} == set(RECIPES)
    for folder in bundled().values():
        assert {path.name for path in folder.iterdir()} == {CONFIG, WEIGHTS, METRICS}, folder.name


def test_the_bundle_stays_small() -> None:
    assert sum(path.stat().st_size for path in BUNDLED_CHECKPOINTS.rglob("*") if path.is_file()) <= LARGEST_BUNDLE


@pytest.mark.parametrize("name", bundled())
def test_a_bundled_model_is_what_its_recipe_says(name: str) -> None:
    recipe, checkpoint = RECIPES[name], read_bundled(name)
    assert (checkpoint.name, checkpoint.dataset, checkpoint.model_name) == (name, recipe.data, recipe.model)
    assert checkpoint.model.config == recipe.config
    # What was not yet a setting when it was trained stood at today's default.
    told = {
        field.name: checkpoint.training[field.name]
        for field in fields(TrainSettings)
        if field.name in checkpoint.training
    }
    assert told.keys() >= {"epochs", "batch", "lr", "warmup", "clip", "precision", "seed", "kl_start"}
    plain = json.loads(json.dumps(asdict(recipe.training)))  # JSON has no tuples
    wanted = {key: value for key, value in plain.items() if key in told}
    assert recipe.training.precision == "auto" and told["precision"] in ("float32", "bfloat16")
    assert told == wanted | {"precision": told["precision"]}
    counts = {"mnist": 60_000, "fashion_mnist": 60_000, "sprites": 727_280, "cifar10": 50_000} | IN_LESSONS
    images = counts[recipe.data]
    training = recipe.training
    if not training.labels and not training.patience:
        assert checkpoint.training["steps"] == training.epochs * ((training.images or images) // training.batch)
    assert checkpoint.training["seconds"] > 0 and checkpoint.training["device"]


@pytest.mark.parametrize("name", bundled())
def test_a_bundled_model_is_stored_as_float16(name: str) -> None:
    """So the server decodes with the very numbers that the browser gets."""
    folder: Path = bundled()[name]
    assert json.loads((folder / CONFIG).read_text())["weights"] == "float16"
    state = read_bundled(name).model.state_dict()
    assert all(torch.equal(tensor, tensor.half().float()) for tensor in state.values())


@pytest.mark.parametrize("name", bundled())
def test_a_bundled_model_carries_its_held_out_scores(name: str) -> None:
    checkpoint = read_bundled(name)
    metrics = checkpoint.metrics
    classes = RECIPES[name].training.labels
    whole = HELD_OUT.get(checkpoint.dataset, 10_000)
    assert metrics["held_out"] == whole if not classes else 800 * len(classes) < metrics["held_out"] < 10_000
    if checkpoint.model_name == "classifier":
        small = 0.12 if in_bank(name) else 0.0  # the eyes of the lesson on results judge nothing
        assert metrics["accuracy"] > (0.75 if checkpoint.dataset == "cifar10" else 0.88) - small
        return
    if checkpoint.model_name == "pixelcnn":  # it knows code maps, not pictures
        assert metrics["saved"] > 0.1
        return
    if isinstance(checkpoint.model, RestoringModel):  # a colouriser is not trained for the error of red, green and blue
        assert metrics["psnr"] > (20 if checkpoint.model.needs_colour else metrics["baseline_psnr"])
        return
    recon, kl = metrics["recon"], metrics.get("kl", 0.0)
    config = checkpoint.model.config
    is_density = getattr(config, "likelihood", "") == "gaussian_learned" or getattr(config, "sigma", 1.0) < 0.39
    assert recon > 0 or is_density, "a density may be above 1"
    if isinstance(checkpoint.model, LatentModel):
        assert 0 <= metrics["continuity"]["no_class"]["mean"] <= 1
        assert 0 < metrics["completeness"]["precision"]["mean"] <= 1
    if checkpoint.model.is_generative:
        assert metrics["elbo"] == pytest.approx(-(recon + kl)), "at beta 1, whatever beta it was trained with"
        assert sum(metrics["kl_per_latent"]) == pytest.approx(kl, rel=1e-4)
    else:
        assert "kl" not in metrics and "elbo" not in metrics, "an autoencoder has neither"
