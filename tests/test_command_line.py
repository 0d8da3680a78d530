"""`python -m vae_core`: list, train, evaluate, and one sentence for whatever cannot be done."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tqdm import tqdm

from tests.conftest import blob_source, files_in
from vae_core import __main__ as command_line
from vae_core.checkpoints import CONFIG, METRICS, WEIGHTS, read_model
from vae_core.data import DATASETS
from vae_core.folders import PROJECT
from vae_core.latent.browser import read_header
from vae_core.recipes import RECIPES, Recipe
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
    assert run("train", "tiny-classifier", "--device", "cpu", "--out", bundle / "tiny-classifier") == 0
    return tmp_path


def test_list_names_every_recipe_and_whether_it_is_bundled(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert run("list") == 0
    lines = {line.split()[0]: line.split() for line in capsys.readouterr().out.splitlines()}
    assert set(lines) == {"recipe", *RECIPES}
    assert lines["tiny-classifier"][-1] == "yes" and lines["tiny-vae"][-1] == "no"
    assert lines["tiny-vae"][1:4] == ["tiny", "vae", "2"]


@pytest.mark.parametrize("name", ["tiny-vae", "tiny-ae"])
def test_train_writes_a_model_and_its_scores(tiny: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    out = tiny / "out"
    assert run("train", name, "--epochs", "3", "--seed", "5", "--device", "cpu", "--out", out) == 0
    assert set(files_in(out)) == {CONFIG, WEIGHTS, METRICS}
    checkpoint = read_model(out)
    assert (checkpoint.name, checkpoint.dataset) == (name, "tiny")
    assert {"epochs": 3, "seed": 5, "batch": 32, "steps": 9}.items() <= checkpoint.training.items()
    assert checkpoint.metrics["held_out"] == 60
    assert f"written to {out}" in capsys.readouterr().out


def test_training_again_gives_the_same_weights(tiny: Path) -> None:
    for folder in ("one", "two"):
        assert run("train", "tiny-vae", "--device", "cpu", "--out", tiny / folder) == 0
    assert (tiny / "one" / WEIGHTS).read_bytes() == (tiny / "two" / WEIGHTS).read_bytes()
    assert (tiny / "one" / METRICS).read_bytes() == (tiny / "two" / METRICS).read_bytes()


def test_training_shows_how_far_it_is(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()

    def on_a_screen(**settings: Any) -> Any:
        return tqdm(**{**settings, "disable": False, "file": screen, "ncols": 200, "mininterval": 0})

    monkeypatch.setattr(command_line, "tqdm", on_a_screen)
    command_line.fit(TINY["tiny-vae"], tiny / "out", command_line.pick_device("cpu"))
    last = screen.getvalue().splitlines()[-1].split("\r")[-1]
    assert "tiny-vae: 100%" in last and "6/6" in last
    assert all(f"{term}=" in last for term in ("total", "recon", "kl", "images/s"))


def test_evaluate_prints_what_training_wrote(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tiny / "out"
    run("train", "tiny-vae", "--device", "cpu", "--out", out)
    before = files_in(out)
    capsys.readouterr()
    assert run("evaluate", out, "--json") == 0
    printed: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert printed == json.loads((out / METRICS).read_text())
    assert run("evaluate", out) == 0
    assert "recon" in capsys.readouterr().out
    assert files_in(out) == before


def test_evaluate_writes_only_when_asked(tiny: Path) -> None:
    out = tiny / "out"
    run("train", "tiny-vae", "--device", "cpu", "--out", out)
    written = (out / METRICS).read_bytes()
    (out / METRICS).unlink()
    assert run("evaluate", out) == 0 and not (out / METRICS).exists()
    assert run("evaluate", out, "--write") == 0 and (out / METRICS).read_bytes() == written


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
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_one_sentence(tiny: Path, capsys: pytest.CaptureFixture[str], case: str) -> None:
    arguments, named = MISTAKES[case]
    licence = (PROJECT / "LICENSE").read_bytes()
    if arguments[0] == "train" and "--out" not in arguments:
        arguments = [*arguments, "--out", str(tiny / "out")]
    capsys.readouterr()
    assert run(*arguments) == 2
    assert files_in(tiny / "out") == {}
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


def test_a_model_of_another_name_is_never_replaced(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("train", "tiny-vae", "--device", "cpu", "--out", tiny / "out") == 0
    before = files_in(tiny / "out")
    assert run("train", "tiny-ae", "--device", "cpu", "--out", tiny / "out") == 2
    assert "holds the model tiny-vae" in capsys.readouterr().err
    assert files_in(tiny / "out") == before
