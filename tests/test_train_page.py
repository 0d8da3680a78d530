"""The Train page without a browser: choices become a recipe, every state has a sentence, bad links get theirs."""

from __future__ import annotations

import io
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest

from tests.lessons import text
from tests.running import add_blobs
from tests.test_pages import NONSENSE, opened
from ui import frame
from ui.figures import loss_curve, settled_range, thinned
from ui.training import form, standing, time_needed, watch
from ui.training.events import events_of
from ui.training.form import channels_for, name_of
from ui.training.time_needed import lasting, scoring_seconds
from vae_core.checkpoints import CONFIG, WEIGHTS
from vae_core.data import own
from vae_core.errors import InvalidInput
from vae_core.latent.browser import read_header
from vae_core.recipes import RECIPES, Recipe
from vae_core.runs import Run, Status, runs, work
from vae_core.runs.folder import EVENTS, SNAPSHOT
from vae_core.training import Estimate, TrainSettings, estimate, resolved

TINY = Recipe(
    "tiny", "mnist", "vae", {"latent": 3, "hidden": (16,)}, TrainSettings(epochs=1, batch=8192, precision="float32")
)


@pytest.fixture(autouse=True)
def own_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A runs folder of each test's own, no trial, and no worker that outlives a test."""
    monkeypatch.setenv("LATENT_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("LATENT_MOST_RUNS", "0")
    monkeypatch.setattr(time_needed, "estimate", lambda *given, **named: Estimate(0.01, 100, 30.0, 25_600.0, 256))
    monkeypatch.setattr(frame, "go_through_the_router", lambda: None)  # AppTest forgets a click where a page restarts
    time_needed._trial.clear()
    time_needed._scoring_seconds.clear()
    return tmp_path / "runs"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that was trained to its end."""
    run = Run.create(tmp_path_factory.mktemp("made") / "tiny", TINY)
    assert work(run).state == "finished"
    return run.folder


def press(page: AppTest, label: str) -> AppTest:
    return next(button for button in page.button if button.label == label).click().run()


def test_choices_become_the_run_that_waits_in_the_queue() -> None:
    page = opened("train", latent="5", beta="2.5", schedule="warm-up", epochs="3", batch="512", trainseed="7")
    assert not page.exception and not page.error and not page.warning
    assert "About **90 s** here, 300 steps" in text(page)  # three epochs of the trial's
    press(page, "Start")
    (run,) = runs()
    recipe = run.config.recipe
    assert (run.name, recipe.data, recipe.model) == ("mnist-5d-vae-beta2.5", "mnist", "vae")
    assert (recipe.config.latent, recipe.config.beta) == (5, 2.5)
    expected = TrainSettings(epochs=3, batch=512, seed=7, kl_schedule="warm-up")
    assert recipe.training == resolved(expected, torch.device("cpu"))
    assert run.status().state == "queued"
    assert "**Waiting:** number 1 in the queue" in text(page)
    press(page, "Stop")
    assert run.status().state == "stopped"


def test_another_visitors_run_is_stopped_only_by_its_name() -> None:
    press(opened("train"), "Start")
    (run,) = runs()
    page = opened("train", run=run.name)  # a visitor of their own
    assert "Stop" not in [button.label for button in page.button]
    page.text_input(key="typed name").set_value(run.name[:-1]).run()
    assert page.button(key="stop").disabled
    page.text_input(key="typed name").set_value(run.name).run()
    page.button(key="stop").click().run()
    assert not page.exception and run.status().state == "stopped"


@pytest.mark.parametrize("model", form.KINDS)
def test_every_model_can_be_chosen_and_started(model: str) -> None:
    page = opened("train", model=model)
    assert not page.exception and not page.error and not page.warning
    press(page, "Start")
    (run,) = runs()
    assert run.config.recipe.model == form.KINDS[model]
    assert not opened("train", run=run.name).exception


def test_an_autoencoder_has_neither_beta_nor_schedule() -> None:
    page = opened("train", model="autoencoder", network="convolutional")
    labels = [widget.label for widget in [*page.number_input, *page.selectbox]]
    assert "Beta" not in labels and "Beta's schedule" not in labels and "Latents" in labels
    press(page, "Start")
    (run,) = runs()
    assert run.config.recipe.config.channels == (16, 32)
    assert not hasattr(run.config.recipe.config, "beta")
    page = opened("train", run=run.name)
    assert not page.exception and not page.error


@pytest.mark.parametrize("value", NONSENSE)
@pytest.mark.parametrize(
    "key", ["model", "latent", "beta", "schedule", "epochs", "batch", "lr", "network", "device", "precision", "run"]
)
def test_any_choice_may_be_asked_for_nonsense(key: str, value: str) -> None:
    page = opened("train", **{key: value})
    assert not page.exception and not page.error
    assert any("The link asks for" in warning.value for warning in page.warning)


@pytest.mark.parametrize(("key", "value"), [("latent", "0"), ("latent", "1000000"), ("epochs", "-1"), ("beta", "-2")])
def test_numbers_out_of_range_are_refused_with_what_is_allowed(key: str, value: str) -> None:
    page = opened("train", **{key: value})
    assert not page.exception
    assert any(f"{value!r}; allowed: " in warning.value for warning in page.warning)


def test_a_batch_larger_than_the_data_is_said_before_anything_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time_needed, "estimate", estimate)
    page = opened("train", batch="65000")
    assert any("larger than the data" in error.value for error in page.error)
    press(page, "Start")
    assert not page.exception and runs() == []


def test_before_the_first_run_the_page_says_what_will_be_seen() -> None:
    page = opened("train")
    assert "Nothing is being trained yet" in text(page)
    assert "held-out images" in text(page)


def put(folder: Path, into: Path) -> Run:
    """A copy of a finished run among this test's runs."""
    into.mkdir(exist_ok=True)
    shutil.copytree(folder, into / folder.name)
    return Run.find(folder.name)


def test_a_finished_run_can_be_replayed_and_explored(finished: Path, own_runs: Path) -> None:
    run = put(finished, own_runs)
    page = opened("train", run=run.name)
    assert not page.exception and not page.error and not page.warning
    assert "**Finished** after" in text(page)
    assert "2,000 of 10,000 held-out images" in text(page)
    assert "Latents " in watch.note(run, (0, 2), True)
    assert [widget.label for widget in page.selectbox if widget.label in ("Across", "Up")] == ["Across", "Up"]
    links = [link.label for link in page.get("page_link")]
    assert links == ["Latent map", "Sampling grid", "Runs"]
    assert not any(button.label in ("Stop", "Resume") for button in page.button)


@pytest.mark.parametrize(
    ("state", "told", "does"),
    [("stopped", "**Stopped.**", "Resume"), ("failed", "**Failed.** Too hot. Resume goes on from", "Resume")],
)
def test_every_state_has_a_sentence_and_one_thing_to_do(
    finished: Path, own_runs: Path, state: str, told: str, does: str | None
) -> None:
    run = put(finished, own_runs)
    run.write_state(state, "Too hot." if state == "failed" else "")
    page = opened("train", run=run.name)
    assert not page.exception and not page.error
    assert told in text(page)
    if does:
        press(page, does)
        assert run.status().state == "queued"


def test_a_classifier_has_curves_and_no_plane(own_runs: Path) -> None:
    own_runs.mkdir()
    run = Run.create(own_runs / "judge", RECIPES["mnist-classifier"])
    line = {"step": 50, "steps": 100, "epoch": 0.5, "seconds": 1.0, "total": 2.0, "accuracy": 0.5}
    (run.folder / EVENTS).write_text(json.dumps(line | {"held_out": {"total": 1.5, "accuracy": 0.6}}) + "\n")
    page = opened("train", run="judge")
    assert not page.exception and not page.error
    assert any("no latent plane" in told.value for told in page.info)
    assert len(page.get("plotly_chart")) == 1


def test_a_run_whose_data_are_gone_is_told_in_a_sentence(own_runs: Path) -> None:
    own_runs.mkdir()
    Run.create(own_runs / "lost", replace(TINY, data="own-deleted"))
    page = opened("train", run="lost")
    assert not page.exception
    assert any("own-deleted" in told.value for told in page.error)
    assert any(button.label == "Start" for button in page.button)


def test_a_killed_run_is_told_from_a_slow_one(finished: Path, own_runs: Path) -> None:
    run = put(finished, own_runs)
    run.write_state("running")
    assert "**Killed:**" in text(opened("train", run=run.name))
    assert "**Slow:**" in standing.in_words(Status("slow", 5, 10))
    assert "held-out score" in standing.in_words(Status("finished", 5, 10, 3.0))
    assert standing.in_words(Status("running", 10, 10)).startswith("**Scoring**")
    early = Status("running", 5, 10, 3.0, 3.0, "Trained; now its scores: continuity.")
    assert standing.in_words(early).endswith("Trained; now its scores: continuity.")
    assert standing.in_words(Status("running", 5, 10, 3.0, 3.0)).startswith("**Training.**")


def test_a_failed_run_without_a_snapshot_cannot_be_resumed(finished: Path, own_runs: Path) -> None:
    run = put(finished, own_runs)
    run.write_state("failed", "Too hot.")
    (run.folder / SNAPSHOT).unlink()
    page = opened("train", run=run.name)
    assert "**Failed.** Too hot. Start another with other settings." in text(page)
    assert not any(button.label == "Resume" for button in page.button)


def test_what_scoring_adds_is_known_from_the_last_time(finished: Path, own_runs: Path) -> None:
    assert scoring_seconds(TINY) is None
    run = put(finished, own_runs)
    weights = run.model_folder / WEIGHTS
    ended = run.told()["time"]
    os.utime(weights, (ended - 42, ended - 42))
    time_needed._scoring_seconds.clear()
    assert scoring_seconds(TINY) == pytest.approx(42, abs=0.01)
    assert scoring_seconds(replace(TINY, data="fashion_mnist")) is None
    assert "Then come its scores, which took 42 s the last time." in text(opened("train"))
    os.utime(weights, (ended + 1, ended + 1))  # it was copied here: nobody can tell
    time_needed._scoring_seconds.clear()
    assert scoring_seconds(TINY) is None
    assert "Then come its scores, not counted above." in text(opened("train"))


def test_the_time_left_counts_the_scoring_where_it_is_known(finished: Path, own_runs: Path) -> None:
    run = put(finished, own_runs)
    first = Run.create(own_runs / "second", run.config.recipe)
    status = Status("running", 4, 7, 3.0, 100.0)
    shown: list[tuple[float, str]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(standing.st, "progress", lambda share, told: shown.append((share, told)))
        for known, now in ((None, status), (42.0, status), (42.0, status._replace(message="Trained; now its scores."))):
            patch.setattr(standing, "scoring_seconds", lambda recipe, known=known: known)
            standing.show_progress(first, now)
    assert shown == [
        (4 / 7, "Epoch 0.6 of 1, 2 min left, then its scores"),
        (4 / 7, "Epoch 0.6 of 1, 2 min left"),
        (1.0, "Epoch 0.6 of 1: trained; scores take some 42 s here"),
    ]


def test_data_that_were_exchanged_are_measured_and_opened_anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LATENT_DATA", str(tmp_path / "data"))
    seen: list[tuple[int, ...]] = []

    def look(model: Any, source: Any, *given: Any) -> Estimate:
        seen.append((len(source), *source.shape))
        return Estimate(0.01, 100, 30.0, 25_600.0, 96)

    monkeypatch.setattr(time_needed, "estimate", look)
    add_blobs()
    link = {"data": "blobs (own data)", "latent": "3"}
    page = opened("train", **link)
    assert not page.exception and not page.error and not page.warning
    assert page.number_input(key="batch").value == 96, "fewer images than a batch usually has"
    own.remove("blobs")
    file = io.BytesIO()
    np.savez(file, train_images=np.arange(40 * 256, dtype=np.uint32).astype(np.uint8).reshape(40, 16, 16))
    own.add_npz("blobs", file.getvalue())
    page = opened("train", **link)
    assert not page.exception and not page.error and not page.warning
    assert page.number_input(key="batch").value == 36
    assert seen == [(96, 1, 12, 12), (36, 1, 16, 16)]


def test_a_small_dataset_starts_with_a_batch_that_it_can_fill(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Chosen after another whose batch would be too large, and with the real trial."""
    monkeypatch.setenv("LATENT_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(time_needed, "estimate", estimate)
    add_blobs()
    page = opened("train", batch="512")
    assert page.number_input(key="batch").value == 512
    page.selectbox(key="data").set_value("blobs (own data)").run()
    assert not page.exception and not page.error
    assert page.number_input(key="batch").value == 96
    assert "steps" in text(page) and "its 30 held-out images" in text(page)
    press(page, "Start")
    assert [run.config.recipe.training.batch for run in runs()] == [96]


def test_a_run_whose_data_were_exchanged_is_not_shown_with_them(
    finished: Path, own_runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = put(finished, own_runs)
    config = json.loads((run.folder / CONFIG).read_text())
    (run.folder / CONFIG).write_text(json.dumps(config | {"data_stamp": "0123456789abcdef"}))
    page = opened("train", run=run.name)
    assert not page.exception
    assert any("are other images" in told.value for told in page.error)


def test_precision_is_left_to_the_device_unless_chosen() -> None:
    page = opened("train")
    assert page.selectbox(key="precision").options == ["auto", "float32", "bfloat16"]
    assert page.selectbox(key="precision").value == "auto"
    page = opened("train", precision="float32")
    press(page, "Start")
    assert runs()[0].config.recipe.training.precision == "float32"


def test_the_strongest_latents_of_an_autoencoder_are_those_with_the_most_variance(own_runs: Path) -> None:
    own_runs.mkdir()
    settings = {"latent": 3, "hidden": (16,)}
    run = Run.create(own_runs / "ae", replace(TINY, model="autoencoder", settings=settings))
    assert work(run).state == "finished"
    variance = run.frame(run.frames()[-1]).latents.float().var(0)
    page = opened("train", run="ae")
    assert not page.exception and not page.error
    assert list(page.session_state["strongest"].values()) == [tuple(variance.topk(2).indices.tolist())]


def test_early_stopping_names_the_score_that_it_looks_at() -> None:
    for model, score in (("VAE", "ELBO"), ("autoencoder", "reconstruction")):
        labels = [field.label for field in opened("train", model=model).number_input]
        assert any(f"a better held-out {score};" in label for label in labels)


def test_a_trial_of_less_than_a_batch_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time_needed, "estimate", lambda *given: Estimate(9.0, 100, 900.0, 200.0, 512))
    assert "reckoned from one of 512 images" in text(opened("train", batch="4096"))
    time_needed._trial.clear()
    assert "reckoned" not in text(opened("train", batch="512"))


def test_only_the_last_pack_grows(finished: Path, own_runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "PACK", 3)
    run = put(finished, own_runs)
    steps = run.frames()
    fewer, more = (watch.packs_of(run, steps[:count], (0, 1)) for count in (4, 5))
    assert fewer[0] == more[0] and fewer[1] != more[1]
    headers = [read_header(pack) for pack in (fewer[1], more[1])]
    assert headers[0]["slot"] == headers[1]["slot"] != read_header(fewer[0])["slot"]
    assert [header["steps"] for header in headers] == [steps[3:4], steps[3:5]]


def test_the_strongest_latents_span_the_plane(finished: Path, own_runs: Path) -> None:
    run = put(finished, own_runs)
    per_latent = events_of(run)[-1]["held_out"]["kl_per_latent"]
    expected = torch.tensor(per_latent).topk(2).indices.tolist()
    page = opened("train", run=run.name)
    assert list(page.session_state["strongest"].values()) == [tuple(expected)]
    page = opened("train", run=run.name, across="latent 3", up="latent 1")
    assert "Latents 3 and 1 of 3." in watch.note(run, (2, 0), True)
    assert not page.warning


# ---------------------------------------------------------------- small functions


def test_names_and_durations_and_convolutions() -> None:
    assert name_of("fashion_mnist", "vae", {"latent": 2, "beta": 4.0}) == "fashion-mnist-2d-vae-beta4"
    assert name_of("mnist", "autoencoder", {"latent": 10}) == "mnist-10d-ae"
    assert [lasting(s) for s in (0.4, 12.4, 99, 200, 6000)] == [
        "less than a second",
        "12 s",
        "99 s",
        "3 min",
        "1 h 40 min",
    ]
    assert channels_for((1, 28, 28)) == (16, 32)
    assert channels_for((1, 64, 64)) == (16, 32, 64, 128)
    assert channels_for((3, 30, 45)) == ()


def test_the_axis_of_a_curve_fits_what_comes_after_the_first_fall() -> None:
    falling = np.concatenate([[900.0, 500.0], np.linspace(200, 150, 38)])
    low, high = settled_range(falling, np.array([160.0])) or (0, 0)
    assert 100 < low < 150 and 190 < high < 250
    assert settled_range(np.array([]), np.array([])) is None
    x, y = thinned(np.arange(5000.0), np.arange(5000.0) * 2)
    assert len(x) == 400 and np.allclose(y, 2 * x)
    figure = loss_curve(([1, 2], [5, 4]), ([2], [4.5]), "#123456", y="nats", epochs=2)
    assert [trace.name for trace in figure.data] == ["training", "held out"]


def test_a_trial_that_fails_is_told_and_gives_the_device_back(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*given: Any) -> Estimate:
        raise InvalidInput("The device ran out of memory.")

    returned: list[str] = []
    monkeypatch.setattr(time_needed, "estimate", fail)
    monkeypatch.setattr(time_needed, "give_back", lambda device: returned.append(device.type))
    page = opened("train", device="cpu")
    assert [told.value for told in page.error] == ["The device ran out of memory."] and not page.exception
    assert returned == ["cpu"]
