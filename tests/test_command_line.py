"""`python -m vae_core`: every command, and one sentence for whatever cannot be done."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tqdm import tqdm

from tests.conftest import blob_source, files_in
from vae_core import __main__ as command_line
from vae_core.checkpoints import CONFIG, METRICS, WEIGHTS, read_model
from vae_core.data import DATASETS, dataset
from vae_core.folders import PROJECT
from vae_core.latent.browser import read_header
from vae_core.recipes import RECIPES, Recipe
from vae_core.runs import Run
from vae_core.runs.folder import MODEL
from vae_core.training import TrainSettings

IMAGE = (1, 12, 12)
TRAINING = TrainSettings(epochs=2, batch=32, warmup=0)
SMALL = {"image": IMAGE, "hidden": (16,)}
EYES = {"image": IMAGE, "classes": 3, "channels": (4, 8), "features": 8}
TINY = {
    "tiny-vae": Recipe("tiny-vae", "tiny", "vae", {**SMALL, "beta": 2.0}, TRAINING),
    "tiny-ae": Recipe("tiny-ae", "tiny", "autoencoder", SMALL, TRAINING),
    "tiny-classifier": Recipe("tiny-classifier", "tiny", "classifier", EYES, TRAINING),
    "tiny-explosion": Recipe("tiny-explosion", "tiny", "vae", SMALL, replace(TRAINING, lr=1e30)),
}


def run(*arguments: str | Path) -> int:
    return command_line.main([str(argument) for argument in arguments])


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Recipes and a dataset that take no time, and bundled models in a folder of their own."""
    dataset = replace(
        DATASETS["mnist"], name="tiny", title="Tiny", shape=IMAGE, class_names=("a", "b", "c"),
        open_split=lambda split, device: blob_source(96 if split == "train" else 60),
    )  # fmt: skip
    monkeypatch.setitem(DATASETS, "tiny", dataset)
    for name, recipe in TINY.items():
        monkeypatch.setitem(RECIPES, name, recipe)
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    monkeypatch.setattr("vae_core.checkpoints.BUNDLED_CHECKPOINTS", bundle)
    monkeypatch.setattr(command_line, "BUNDLED_CHECKPOINTS", bundle)
    monkeypatch.setenv("LATENT_RUNS", str(tmp_path / "runs"))
    assert run("train", "tiny-classifier", "--device", "cpu", "--out", tmp_path / "judge") == 0
    shutil.copytree(tmp_path / "judge" / MODEL, bundle / "tiny-classifier")
    return tmp_path


def test_list_names_every_recipe_and_whether_it_is_bundled(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert run("list") == 0
    lines = {line.split()[0]: line.split() for line in capsys.readouterr().out.splitlines()}
    assert set(lines) == {"recipe", *RECIPES}
    assert lines["tiny-classifier"][-1] == "yes" and lines["tiny-vae"][-1] == "no"
    assert lines["tiny-vae"][1:4] == ["tiny", "vae", "2"]


@pytest.mark.parametrize("name", ["tiny-vae", "tiny-ae"])
def test_train_writes_a_run_with_a_model_and_its_scores(
    tiny: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    out = tiny / "out"
    assert run("train", name, "--epochs", "3", "--seed", "5", "--device", "cpu", "--out", out) == 0
    assert Run.open(out).is_finished
    assert set(files_in(out / MODEL)) == {CONFIG, WEIGHTS, METRICS}
    checkpoint = read_model(out / MODEL)
    assert (checkpoint.name, checkpoint.dataset) == (name, "tiny")
    assert {"epochs": 3, "seed": 5, "batch": 32, "steps": 9}.items() <= checkpoint.training.items()
    assert checkpoint.metrics["held_out"] == 60
    assert f"written to {out / MODEL}" in capsys.readouterr().out


def test_training_again_gives_the_same_weights(tiny: Path) -> None:
    for folder in ("one", "two"):
        assert run("train", "tiny-vae", "--device", "cpu", "--out", tiny / folder) == 0
    assert (tiny / "one" / MODEL / WEIGHTS).read_bytes() == (tiny / "two" / MODEL / WEIGHTS).read_bytes()
    assert (tiny / "one" / MODEL / METRICS).read_bytes() == (tiny / "two" / MODEL / METRICS).read_bytes()


def test_without_a_folder_a_run_gets_the_next_free_name(tiny: Path) -> None:
    for _ in range(2):
        assert run("train", "tiny-vae", "--epochs", "1", "--device", "cpu") == 0
    assert {path.name for path in (tiny / "runs").iterdir() if path.is_dir()} == {"tiny-vae", "tiny-vae-2"}


def test_settings_are_changed_and_the_name_tells(tiny: Path) -> None:
    changes = ("--set", "beta=4", "--set", "latent=3", "--set", "hidden=[8, 8]", "--set", "kl_schedule=warm-up")
    assert run("train", "tiny-vae", *changes, "--epochs", "1", "--device", "cpu") == 0
    (folder,) = (path for path in (tiny / "runs").iterdir() if path.is_dir())
    assert folder.name.startswith("tiny-vae-beta4-latent3")
    recipe = Run.open(folder).config.recipe
    assert (recipe.config.beta, recipe.config.latent, recipe.config.hidden) == (4, 3, (8, 8))
    assert (recipe.training.kl_schedule, recipe.training.epochs) == ("warm-up", 1)
    assert read_model(folder / MODEL).model.config == recipe.config


def test_a_recipe_on_other_data_takes_their_size(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LATENT_DATA", str(tiny / "data"))
    colours = np.arange(24 * 10 * 8 * 3, dtype=np.uint8).reshape(24, 3, 10, 8)
    np.savez(tiny / "mine.npz", train_images=colours, train_labels=np.arange(24, dtype=np.uint8) % 4)
    assert run("add-data", "mine", tiny / "mine.npz") == 0
    for recipe in ("tiny-vae", "tiny-classifier"):
        settings = ("--set", "batch=8", *(("--set", "channels=[4]") if recipe == "tiny-classifier" else ()))
        assert run("train", recipe, "--data", "own-mine", *settings, "--device", "cpu", "--out", tiny / recipe) == 0
        found = Run.open(tiny / recipe).config.recipe
        assert found.data == "own-mine" and found.config.image == (3, 10, 8)
        assert recipe == "tiny-vae" or found.config.classes == 4


def test_training_shows_how_far_it_is(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()

    def on_a_screen(**settings: Any) -> Any:
        return tqdm(**{**settings, "disable": False, "file": screen, "ncols": 200, "mininterval": 0})

    monkeypatch.setattr(command_line, "tqdm", on_a_screen)
    assert run("train", "tiny-vae", "--device", "cpu", "--out", tiny / "shown") == 0
    last = screen.getvalue().splitlines()[-1].split("\r")[-1]
    assert "shown: 100%" in last and "6/6" in last
    assert all(f"{term}=" in last for term in ("total", "recon", "kl", "images/s"))


# Stop, go on, look


def test_a_run_is_stopped_and_gone_on_with(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Stopped by the same signal as in a shell, here from within."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command_line, "show", lambda bar, line: os.kill(os.getpid(), signal.SIGINT))
        assert run("train", "tiny-vae", "--device", "cpu") == 130
    told = capsys.readouterr().out
    assert "was stopped at step" in told and f"python -m vae_core resume {tiny / 'runs' / 'tiny-vae'}" in told
    assert run("stop", "tiny-vae") == 0 and "nothing to stop" in capsys.readouterr().out
    assert run("resume", "tiny-vae") == 0 and Run.find("tiny-vae").is_finished
    before = files_in(tiny / "runs")
    assert run("resume", tiny / "runs" / "tiny-vae") == 0, "which only tells what there is"
    assert files_in(tiny / "runs") == before


def test_runs_are_listed_with_how_far_they_are(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        run("train", "tiny-vae", "--set", "kl_schedule=cyclical", "--device", "cpu", "--out", tiny / "runs/done") == 0
    )
    Run.create(tiny / "runs" / "waits", TINY["tiny-ae"]).write_state("queued")
    (tiny / "runs" / "broken").mkdir()
    (tiny / "runs" / "broken" / CONFIG).write_text("{")
    capsys.readouterr()
    assert run("runs") == 0
    captured = capsys.readouterr()
    rows = {line.split()[0]: line for line in captured.out.splitlines()}
    assert set(rows) == {"run", "done", "waits"}
    elbo = Run.find("done").events()[-1]["held_out"]["elbo"]
    for told in ("tiny ", "vae", "latent=2 beta=2.0 epochs=2 kl_schedule=cyclical", "finished", "6/6", f"{elbo:.2f}"):
        assert told in rows["done"]
    assert "queued 1" in rows["waits"] and "0/0" in rows["waits"]
    assert captured.err.startswith("broken: ") and "damaged" in captured.err


def test_after_early_stopping_the_scores_are_those_of_the_model(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = ("epochs=200", "lr=0.05", "lr_schedule=constant", "patience=3", "precision=float32")
    changes = [part for setting in settings for part in ("--set", setting)]
    assert run("train", "tiny-vae", *changes, "--device", "cpu", "--out", tiny / "runs" / "patient") == 0
    measured = [event["held_out"]["elbo"] for event in Run.find("patient").events() if "held_out" in event]
    assert f"{max(measured):.2f}" != f"{measured[-1]:.2f}"
    capsys.readouterr()
    assert run("runs") == 0
    row = capsys.readouterr().out.splitlines()[-1].split()
    assert f"{max(measured):.2f}" in row and f"{measured[-1]:.2f}" not in row


# Scores and packs


def test_evaluate_prints_what_training_wrote(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tiny / "out"
    run("train", "tiny-vae", "--device", "cpu", "--out", out)
    before = files_in(out)
    for folder in (out, out / MODEL):
        capsys.readouterr()
        assert run("evaluate", folder, "--json") == 0
        printed: dict[str, Any] = json.loads(capsys.readouterr().out)
        assert printed == json.loads((out / MODEL / METRICS).read_text())
    assert run("evaluate", out) == 0
    assert "recon" in capsys.readouterr().out
    assert files_in(out) == before


def test_evaluate_writes_only_when_asked(tiny: Path) -> None:
    out = tiny / "out"
    run("train", "tiny-vae", "--device", "cpu", "--out", out)
    scores = out / MODEL / METRICS
    written = scores.read_bytes()
    scores.unlink()
    assert run("evaluate", out) == 0 and not scores.exists()
    assert run("evaluate", out, "--write") == 0 and scores.read_bytes() == written


def test_evaluate_finds_a_run_by_name(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Run.create_named("waits", TINY["tiny-ae"])
    assert run("train", "tiny-vae", "--device", "cpu") == 0
    capsys.readouterr()
    assert run("evaluate", "tiny-vae", "--json") == 0
    assert json.loads(capsys.readouterr().out) == json.loads((tiny / "runs/tiny-vae" / MODEL / METRICS).read_text())
    assert run("export", "tiny-vae", "--out", tiny / "decoder.bin") == 0
    assert run("evaluate", "waits") == 2
    assert "waits is stopped; it has no model yet" in capsys.readouterr().err


def test_evaluate_finds_a_bundled_model_by_name(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert run("evaluate", "tiny-classifier", "--json") == 0
    assert 0 <= json.loads(capsys.readouterr().out)["accuracy"] <= 1


MISTAKES: dict[str, tuple[list[str], str]] = {
    "unknown recipe": (["train", "mnist-3d"], "'mnist-3d'"),
    "a path as recipe": (["train", "../tiny-vae"], "no recipe"),
    "no epochs": (["train", "tiny-vae", "--epochs", "0"], "epochs is 0"),
    "negative seed": (["train", "tiny-vae", "--seed", "-1"], "seed is -1"),
    "unknown model": (["evaluate", "mnist-2d-vae-beta3"], "'mnist-2d-vae-beta3'"),
    "a path out of the bundle": (["evaluate", "../bundle-of-others"], "no bundled model"),
    "an endless name": (["evaluate", "x" * 5000], "no bundled model"),
    "a folder that is no model": (["evaluate", str(PROJECT / "assets")], "config.json is missing"),
    "a training that diverges": (["train", "tiny-explosion"], "smaller learning rate"),
    "an output that is a file": (["train", "tiny-vae", "--out", str(PROJECT / "LICENSE")], "LICENSE"),
    "an output that is the project": (["train", "tiny-vae", "--out", str(PROJECT)], "not empty"),
    "a setting without a value": (["train", "tiny-vae", "--set", "beta"], "KEY=VALUE"),
    "an unknown setting": (["train", "tiny-vae", "--set", "wings=2"], "'wings'"),
    "a setting of a wrong type": (["train", "tiny-vae", "--set", "beta=much"], "beta is 'much'"),
    "no latents": (["train", "tiny-vae", "--set", "latent=0"], "latent is 0"),
    "a million latents": (["train", "tiny-vae", "--set", "latent=1000000"], "latent is 1000000"),
    "a batch larger than the data": (["train", "tiny-vae", "--set", "batch=97"], "batch of 97"),
    "unknown data": (["train", "tiny-vae", "--data", "mine"], "'mine'"),
    "an unknown run to resume": (["resume", "nobody"], "no run nobody"),
    "an unknown run to stop": (["stop", "nobody"], "no run nobody"),
    "a path that is no run": (["resume", str(PROJECT / "assets")], "no run in"),
    "a run name that is a path": (["resume", "../bundle/nobody"], "run name"),
    "an endless run name": (["resume", "x" * 5000], "run name"),
    "data that are not there": (["add-data", "mine", "/nowhere/at/all"], "/nowhere/at/all"),
    "an .npz that is not there": (["add-data", "mine", "/nowhere/at/all.npz"], "all.npz"),
}
FAILS_AT_WORK = {"a training that diverges", "a batch larger than the data"}  # which leaves a run that tells so


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_one_sentence(tiny: Path, capsys: pytest.CaptureFixture[str], case: str) -> None:
    arguments, named = MISTAKES[case]
    licence = (PROJECT / "LICENSE").read_bytes()
    if arguments[0] == "train" and "--out" not in arguments:
        arguments = [*arguments, "--out", str(tiny / "out")]
    capsys.readouterr()
    assert run(*arguments) == 2
    if case in FAILS_AT_WORK:
        assert Run.open(tiny / "out").status().state == "failed" and not (tiny / "out" / MODEL).exists()
    else:
        assert files_in(tiny / "out") == {} and not (tiny / "runs").exists()
    captured = capsys.readouterr()
    sentence = captured.err.splitlines()[-1]
    assert sentence.startswith("error: ") and named in sentence
    assert "Traceback" not in captured.err and captured.out == ""
    assert (PROJECT / "LICENSE").read_bytes() == licence


@pytest.mark.parametrize(
    "arguments", [[], ["paint"], ["train"], ["train", "tiny-vae", "--device", "tpu"], ["train", "x", "--epochs", "two"]]
)
def test_wrong_usage_shows_the_usage(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        run(*arguments)
    assert stopped.value.code == 2
    assert "usage: python -m vae_core" in capsys.readouterr().err


def test_as_a_program(tmp_path: Path) -> None:
    def python(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "vae_core", *arguments]
        return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)

    wrong = python("evaluate", str(tmp_path))
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr.startswith("error: ") and "config.json is missing" in wrong.stderr
    assert len(wrong.stderr.splitlines()) == 1


def test_export_writes_the_pack_that_the_browser_runs(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("train", "tiny-vae", "--device", "cpu", "--out", tiny / "out") == 0
    assert run("export", tiny / "out", "--out", tiny / "decoder.bin") == 0
    header = read_header((tiny / "decoder.bin").read_bytes())
    assert (header["kind"], header["image"], header["latent"]) == ("decoder", [1, 12, 12], 2)
    assert run("export", "tiny-classifier", "--out", tiny / "none.bin") == 2
    assert "only a model with a decoder" in capsys.readouterr().err
    assert not (tiny / "none.bin").exists()


def test_a_run_is_never_replaced(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("train", "tiny-vae", "--device", "cpu", "--out", tiny / "out") == 0
    before = files_in(tiny / "out")
    assert run("train", "tiny-vae", "--device", "cpu", "--out", tiny / "out") == 2
    assert "resume" in capsys.readouterr().err
    assert files_in(tiny / "out") == before


def test_own_images_become_data(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LATENT_DATA", str(tiny / "data"))
    for number in range(24):
        folder = tiny / "pictures" / ("cats" if number % 2 else "dogs")
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((20, 24, 3), number * 10, np.uint8)).save(folder / f"{number}.png")
    (tiny / "pictures" / "cats" / "notes.png").write_text("no picture")
    capsys.readouterr()
    assert run("add-data", "pets", tiny / "pictures", "--side", "16") == 2
    assert "notes.png" in capsys.readouterr().err
    assert run("add-data", "pets", tiny / "pictures", "--side", "16", "--skip") == 0
    told = capsys.readouterr().out
    assert "own-pets: 22 images to train on, 2 held out, 2 classes" in told and "notes.png" in told
    assert dataset("own-pets").shape == (1, 16, 16)
    assert run("add-data", "coloured", tiny / "pictures", "--side", "16", "--skip", "--no-grey") == 0
    assert dataset("own-coloured").shape == (3, 16, 16)
