"""The Runs page: curves over each other, what differs, all runs, download, upload, deletion."""

from __future__ import annotations

import io
import json
import re
import time
import zipfile
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from filelock import FileLock
from playwright.sync_api import Browser, expect
from streamlit.testing.v1 import AppTest

from benchmarks.harness import APP, served
from tests.conftest import files_in
from tests.test_explorer import PIXELS
from tests.test_models import build
from tests.test_pages import opened
from ui.training.table import HIDDEN, NOTHING, WORDS, came_out, curve_of, it_took, set_differently, table_of
from vae_core.checkpoints import CONFIG, WEIGHTS, read_model, round_weights, write_model
from vae_core.models import MODELS
from vae_core.recipes import RECIPES
from vae_core.runs import Run
from vae_core.runs.folder import EVENTS, HEARTBEAT, LOCK, STATE
from vae_core.runs.transfer import zip_model
from vae_core.training import TrainSettings


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LATENT_RUNS", str(tmp_path))
    return tmp_path


def make(folder: Path, name: str, recipe: str = "mnist-2d-vae-beta1", evaluations: int = 12, **changes: Any) -> Run:
    """A finished run with curves and without a model; changes go to the model's settings or the training's."""
    found = RECIPES[recipe]
    training = {key: value for key, value in changes.items() if hasattr(found.training, key)}
    settings = {key: value for key, value in changes.items() if key not in training}
    found = replace(found, settings={**found.settings, **settings}, training=replace(found.training, **training))
    run = Run.create(folder / name, found)
    lines = []
    for epoch in range(1, evaluations + 1):
        held_out = {"recon": 130 + 60 / epoch, "kl": 6.0, "kl_per_latent": [3.0, 3.0], "elbo": -136 - 60 / epoch}
        if found.model == "autoencoder":
            held_out = {"recon": 120 + 60 / epoch}
        event = {"step": 234 * epoch, "steps": 234 * evaluations, "epoch": float(epoch), "seconds": 2.0 * epoch}
        lines.append({**event, "recon": 1.0})  # a logged step without an evaluation
        lines.append({**event, "recon": 1.0, "held_out": held_out})
    (run.folder / EVENTS).write_text("".join(json.dumps(line) + "\n" for line in lines))
    run.write_state("finished")
    return run


def add_model(run: Run) -> None:
    model = build("vae", image=(1, 28, 28), latent=2)
    write_model(run.model_folder, model, name=run.name, model_name="vae", dataset="mnist", training={})


def shown(page: AppTest) -> str:
    return " ".join(element.body for element in page.get("html"))


def complaints(page: AppTest) -> list[str]:
    return [said.value for said in (*page.exception, *page.error, *page.warning)]


def test_curves_hold_the_evaluations_alone(folder: Path) -> None:
    run = make(folder, "one")
    x, y = curve_of(run, "negative ELBO", "epoch")
    assert x == [float(epoch) for epoch in range(1, 13)] and y == [136 + 60 / epoch for epoch in range(1, 13)]
    assert curve_of(run, "KL", "seconds") == ([2.0 * epoch for epoch in range(1, 13)], [6.0] * 12)
    assert curve_of(make(folder, "two", "mnist-2d-ae"), "KL", "epoch") == ([], [])


def test_only_what_differs_is_told_and_a_setting_that_one_lacks(folder: Path) -> None:
    one, two = make(folder, "one"), make(folder, "two", beta=4.0, lr=1e-3, kl_schedule="warm-up")
    rows = [("beta", ["1", "4"]), ("lr", ["0.002", "0.001"]), ("kl_schedule", ["constant", "warm-up"])]
    assert sorted(set_differently([one, two])) == sorted(rows)
    other = dict(set_differently([one, make(folder, "three", "mnist-2d-ae")]))
    assert other["model"] == ["VAE", "autoencoder"] and other["beta"] == ["1", NOTHING]
    assert other["kl_schedule"] == ["constant", NOTHING]
    assert set_differently([one, make(folder, "four")]) == []
    assert dict(set_differently([one]))["data"] == ["MNIST"]


def test_what_came_out_is_the_last_evaluation(folder: Path) -> None:
    chosen = [make(folder, "one"), make(folder, "two", "mnist-2d-ae"), make(folder, "new", evaluations=0)]
    told = dict(came_out(chosen) + it_took(chosen))
    assert told["reconstruction"] == ["135.00", "125.00", NOTHING]
    assert told["KL to the prior"] == ["6.00", NOTHING, NOTHING]
    assert told["epochs"] == ["12", "12", NOTHING] and told["seconds"] == ["24.0", "24.0", NOTHING]


def test_where_early_stopping_chose_an_evaluation_its_scores_are_told(folder: Path) -> None:
    """The last ones are those of weights that were thrown away."""
    run = make(folder, "one", patience=3)
    lines = [json.loads(line) for line in (run.folder / EVENTS).read_text().splitlines()]
    for epoch in (1, 2, 9):  # each was the best when it was measured
        lines[2 * epoch - 1]["best"] = True
    (run.folder / EVENTS).write_text("".join(json.dumps(line) + "\n" for line in lines))
    score = 136 + 60 / 9
    assert dict(came_out([run]))["reconstruction"] == [f"{score - 6:.2f}"]
    assert curve_of(run, "negative ELBO", "epoch")[0][-1] == 12, "the curve goes on to the end"
    page = opened("runs")
    assert list(page.dataframe[0].value["\N{MINUS SIGN}ELBO"]) == [pytest.approx(score)]
    assert "the table tells its scores" in " ".join(caption.value for caption in page.caption)


def test_settings_are_told_in_words_beside_their_keys(folder: Path) -> None:
    one, two = make(folder, "one"), make(folder, "two", kl_schedule="warm-up")
    assert ">beta&#x27;s schedule<br><code" in table_of([one, two]) and ">kl_schedule</code>" in table_of([one, two])
    told = {
        field.name for kind in (TrainSettings, *(model.Config for model in MODELS.values())) for field in fields(kind)
    }
    plain = {"beta", "network", "epochs", "seed", "precision", "activation", "likelihood", "dropout"}
    assert told - set(HIDDEN) == set(WORDS) | plain, "every setting has words that people use"


def test_names_cannot_smuggle_anything_into_the_table(folder: Path) -> None:
    run = make(folder, "one")
    assert "<script" not in table_of([replace(run, folder=folder / "<script>alert(1)")])


def test_without_runs_the_page_says_so_and_leads_to_training() -> None:
    page = opened("runs")
    assert complaints(page) == [] and page.title[0].value.endswith("?")
    assert any("No model has been trained here yet" in said.value for said in page.info)
    assert not page.multiselect and not page.get("plotly_chart")


def test_runs_are_compared(folder: Path) -> None:
    for name, beta in (("one", 1.0), ("two", 4.0)):
        make(folder, name, beta=beta)
    page = opened("runs")
    assert complaints(page) == []
    assert sorted(page.multiselect[0].value) == ["one", "two"]
    assert len(page.get("plotly_chart")) == 1
    assert "Set differently" in shown(page) and "beta" in shown(page) and "epochs" in shown(page)
    assert list(page.dataframe[0].value["run"]) == ["two", "one"]
    assert list(page.dataframe[0].value["state"]) == ["finished", "finished"]


def test_a_link_brings_the_runs_back_and_one_that_asks_for_others_is_told(folder: Path) -> None:
    for name in ("one", "two", "three"):
        make(folder, name)
    page = opened("runs", runs="three,one", curve="KL", against="seconds")
    assert complaints(page) == [] and page.multiselect[0].value == ["three", "one"]
    page = opened("runs", runs="one,../../etc")
    assert page.multiselect[0].value == ["one"]
    assert any("The link asks for the runs 'one,../../etc'" in said.value for said in page.warning)
    page = opened("runs", runs="<script>")
    assert not page.exception and len(page.multiselect[0].value) == 3


@pytest.mark.parametrize("value", ["nan", "1e9", "beta 3", "<script>"])
@pytest.mark.parametrize("key", ["runs", "curve", "against"])
def test_any_control_may_be_asked_for_nonsense(folder: Path, key: str, value: str) -> None:
    make(folder, "one")
    page = opened("runs", **{key: value})
    assert not page.exception and not page.error
    assert any("The link asks for" in said.value for said in page.warning)


def test_what_cannot_be_compared_is_said(folder: Path) -> None:
    make(folder, "one")
    make(folder, "two", "fashion-2d-ae")
    make(folder, "three", evaluations=0)
    told = " ".join(caption.value for caption in opened("runs").caption)
    assert "count different things" in told
    assert "two has no prior, hence no such score" in told and "three was not evaluated yet" in told


def test_a_damaged_run_is_named_and_the_others_are_shown(folder: Path) -> None:
    make(folder, "good")
    (make(folder, "broken").folder / CONFIG).write_text("{")
    page = opened("runs")
    assert not page.exception and page.multiselect[0].value == ["good"]
    assert any("broken" in said.value for said in page.warning)


def test_a_run_is_deleted_only_by_its_name_and_not_while_a_worker_holds_it(folder: Path) -> None:
    run = make(folder, "mine")
    page = opened("runs")
    assert page.button(key="delete").disabled
    page.text_input(key="delete mine").set_value("min").run()
    assert page.button(key="delete").disabled
    page.text_input(key="delete mine").set_value("mine").run()
    with FileLock(run.folder / LOCK):
        page.button(key="delete").click().run()
        assert any("is being trained" in said.value for said in page.error) and run.folder.exists()
    page.button(key="delete").click().run()
    assert not run.folder.exists() and not page.exception
    assert any("No model has been trained here yet" in said.value for said in page.info)


def test_a_model_is_downloaded_and_brought_along_elsewhere(folder: Path) -> None:
    run = make(folder, "mine")
    add_model(run)
    page = opened("runs")
    assert complaints(page) == []
    assert [button.label for button in page.get("download_button")] == ["Download the model"]
    content = zip_model(run.model_folder)
    assert zipfile.ZipFile(io.BytesIO(content)).namelist() == [CONFIG, WEIGHTS]
    page.file_uploader[0].set_value(("from home (1).zip", content, "application/zip")).run()
    (name,) = [field for field in page.text_input if field.label == "Keep it under the name"]
    assert name.value == "from-home-1"
    page.button(key="keep").click().run()
    assert complaints(page) == [] and any("from-home-1 is kept" in said.value for said in page.success)
    table = page.dataframe[0].value
    assert list(table["run"]) == ["mine", "from-home-1"] and list(table["state"]) == ["finished", "uploaded"]


def test_a_zip_that_is_no_model_is_refused_in_a_sentence(folder: Path) -> None:
    page = opened("runs")
    page.file_uploader[0].set_value(("x.zip", b"hello", "application/zip")).run()
    page.button(key="keep").click().run()
    assert not page.exception and any("no model of ours" in said.value for said in page.error)
    assert not (folder / "x").exists()


def test_a_run_that_was_killed_is_shown_as_killed(folder: Path) -> None:
    run = make(folder, "mine")
    (run.folder / STATE).write_text(json.dumps({"state": "running", "message": "", "time": 0}))
    page = opened("runs")
    assert complaints(page) == [] and list(page.dataframe[0].value["state"]) == ["killed"]


@pytest.mark.browser
def test_a_model_goes_out_and_comes_in_through_a_browser_and_is_explored(
    browser: Browser, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    run = make(folder, "mine")
    add_model(run)
    kept = tmp_path_factory.mktemp("downloads") / "taken along.zip"
    with served(APP, environment={"LATENT_RUNS": str(folder)}) as address:
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(60_000)
        page.goto(f"{address}/runs?runs=mine")
        expect(page.locator(".js-plotly-plot .scatterlayer .trace")).to_have_count(1, timeout=60_000)
        with page.expect_download() as downloading:
            page.get_by_role("button", name="Download the model").click()
        downloading.value.save_as(kept)
        page.get_by_text("Bring a model along").click()
        page.locator("input[type=file]").set_input_files(kept)
        page.get_by_role("button", name="Keep it").click()
        expect(page.get_by_text("taken-along is kept")).to_be_visible()
        assert files_in(folder / "taken-along" / "model") == files_in(run.model_folder)
        page.goto(f"{address}/latent_map?data=MNIST+2-D&model=run+taken-along")
        picture = page.get_by_test_id("decoded")
        expect(picture).to_have_attribute("data-z", re.compile(r"^\[[-0-9.e, ]+\]$"))
        width, height, rgba = picture.evaluate(PIXELS)
        drawn = torch.tensor(rgba, dtype=torch.float32).view(height, width, 4)[..., 0]
        model = read_model(run.model_folder).model
        round_weights(model, "float16")
        with torch.inference_mode():
            z = torch.tensor([json.loads(picture.get_attribute("data-z") or "")])
            expected = model.decode(z)[0, 0] * 255  # type: ignore[operator]
        assert (drawn - expected).abs().max() <= 1.0
        page.close()


@pytest.mark.browser
def test_what_trains_is_followed_without_a_click(browser: Browser, folder: Path) -> None:
    run = make(folder, "mine", evaluations=4)
    first, events = run.folder / EVENTS, (run.folder / EVENTS).read_text()
    first.write_text("".join(line + "\n" for line in events.splitlines()[:4]))
    run.write_state("running")
    (run.folder / HEARTBEAT).write_text(json.dumps({"time": time.time(), "step": 468, "steps": 936}))
    with FileLock(run.folder / LOCK), served(APP, environment={"LATENT_RUNS": str(folder)}) as address:
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(f"{address}/runs")
        done = page.locator("tr", has=page.get_by_role("rowheader", name="epochs", exact=True)).last.locator("td")
        expect(done).to_have_text("2", timeout=60_000)
        first.write_text(events)
        expect(done).to_have_text("4", timeout=30_000)
        page.close()
