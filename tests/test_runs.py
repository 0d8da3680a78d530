"""The folder of a run: what it says and what it refuses."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from filelock import FileLock

from tests.conftest import files_in
from tests.running import VAE
from vae_core.errors import InvalidInput
from vae_core.runs import Run, damaged_runs, runs
from vae_core.runs.config import CONFIG, write_json
from vae_core.runs.folder import EVENTS, HEARTBEAT, LOCK, STATE, STOP
from vae_core.training import resolved

pytestmark = pytest.mark.usefixtures("own_folder")


@pytest.fixture
def run(own_folder: Path) -> Run:
    return Run.create(own_folder / "demo", VAE, "cpu", owner="anna")


def log(run: Run, *steps: int) -> None:
    with (run.folder / EVENTS).open("a") as file:
        for step in steps:
            file.write(
                json.dumps({"step": step, "steps": 24, "seconds": step / 10, "kl_per_latent": [0.5] * 500}) + "\n"
            )


def beat(run: Run, ago: float, step: int = 9) -> None:
    write_json(run.folder / HEARTBEAT, {"pid": 1, "host": "here", "time": time.time() - ago, "step": step, "steps": 24})


# What a run was asked to do


def test_a_new_run_says_what_it_was_asked_to_do(run: Run) -> None:
    again = Run.open(run.folder)
    assert again == run and Run.find("demo") == run
    config = run.config
    assert (config.name, config.device, config.owner) == ("demo", "cpu", "anna")
    assert config.recipe.training == VAE.training and config.recipe.config == VAE.config
    assert config.recipe.settings == asdict(VAE.config), "every setting is spelled out"
    assert config.created.startswith("20") and "torch" in config.versions
    assert run.status() == ("stopped", 0, 0, 0.0, None, "Not started yet.", None)
    assert (run.events(), run.frames(), run.held_out(), run.is_finished) == ([], [], None, False)


def test_a_folder_that_holds_something_is_refused(own_folder: Path, run: Run) -> None:
    before = files_in(own_folder)
    with pytest.raises(InvalidInput, match=r"holds a run or a model already.*resume"):
        Run.create(run.folder, VAE)
    assert files_in(own_folder) == before
    (own_folder / "mine").mkdir()
    (own_folder / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(InvalidInput, match="is not empty"):
        Run.create(own_folder / "mine", VAE)
    with pytest.raises(InvalidInput, match="cannot be written"):
        Run.create(own_folder / "mine" / "letter.txt" / "run", VAE)
    assert list(files_in(own_folder / "mine")) == ["letter.txt"]


def test_settings_that_the_model_refuses_make_no_folder(own_folder: Path) -> None:
    for recipe, named in (
        (replace(VAE, settings={**VAE.settings, "latent": 10**6}), "latent is 1000000"),
        (replace(VAE, model="gan"), "no model 'gan'"),
    ):
        with pytest.raises(InvalidInput, match=named):
            Run.create(own_folder / "demo", recipe)
    assert not own_folder.exists()


def test_a_name_that_is_taken_gets_a_number(own_folder: Path) -> None:
    assert [Run.create_named("demo", VAE).name for _ in range(3)] == ["demo", "demo-2", "demo-3"]
    (own_folder / "other").write_text("a file")
    assert Run.create_named("other", VAE).name == "other-2"


@pytest.mark.parametrize("name", ["", ".", "..", "../demo", "a/b", ".hidden", "-x", "a b", "ä", "a\n", "x" * 81])
def test_a_name_is_never_a_path(own_folder: Path, name: str) -> None:
    for use in (lambda: Run.find(name), lambda: Run.create_named(name, VAE)):
        with pytest.raises(InvalidInput, match="run name"):
            use()
    assert not own_folder.exists()


def test_a_run_that_there_is_not(own_folder: Path) -> None:
    with pytest.raises(InvalidInput, match="no run demo"):
        Run.find("demo")
    with pytest.raises(InvalidInput, match="no run in"):
        Run.open(own_folder / "demo")


def spoil(content: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    *outer, last = path.split("/")
    inner = content
    for key in outer:
        inner = inner[key]
    inner[last] = value
    return content


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("format", 2, "format 2: a newer version"),
        ("format", None, "holds no run"),
        ("colour", "red", "holds no run"),
        ("owner", 5, "owner is 5"),
        ("versions", [], "versions is"),
        ("data_stamp", 5, "data_stamp is 5"),
        ("recipe", "vae", "recipe is 'vae'"),
        ("recipe/data", 1, "data is 1"),
        ("recipe/model", "gan", "unknown model 'gan'"),
        ("recipe/settings/latent", 0, "latent is 0"),
        ("recipe/settings/wings", 2, "wings"),
        ("recipe/training/epochs", -3, "epochs is -3"),
        ("recipe/training/epochs", "many", "epochs is 'many'"),
    ],
)
def test_a_config_that_is_wrong_is_named(run: Run, path: str, value: Any, named: str) -> None:
    content = spoil(json.loads((run.folder / CONFIG).read_text()), path, value)
    (run.folder / CONFIG).write_text(json.dumps(content))
    with pytest.raises(InvalidInput, match=named):
        Run.open(run.folder)
    assert runs() == [] and named.split(":")[0] in damaged_runs()["demo"]


def test_a_run_of_the_first_version_is_read(run: Run) -> None:
    """Its config does not tell the stamp of its data; nor does that of a run whose data were not there."""
    assert run.config.data_stamp is None
    content = json.loads((run.folder / CONFIG).read_text())
    del content["data_stamp"]
    (run.folder / CONFIG).write_text(json.dumps(content))
    assert Run.open(run.folder) == run


def test_a_run_says_in_which_precision_it_is_trained(own_folder: Path) -> None:
    recipe = replace(VAE, training=replace(VAE.training, precision="auto"))
    config = Run.create(own_folder / "demo", recipe, "cpu").config
    assert config.recipe.training.precision in ("float32", "bfloat16")
    assert config.recipe.training == resolved(recipe.training, torch.device("cpu"))


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xff", b"[1]", b" " * 2**21], ids=range(5))
def test_a_config_that_is_no_object_is_named(run: Run, content: bytes) -> None:
    (run.folder / CONFIG).write_bytes(content)
    with pytest.raises(InvalidInput, match=r"config\.json"):
        Run.open(run.folder)


def test_runs_come_newest_first_and_damage_hides_no_other(own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("b", "a", "c"):
        Run.create(own_folder / name, VAE)
        time.sleep(0.002)
    (own_folder / "uploaded" / "model").mkdir(parents=True)
    assert [run.name for run in runs()] == ["c", "a", "b"]
    (own_folder / "a" / CONFIG).write_text("{}")
    assert [run.name for run in runs()] == ["c", "b"] and list(damaged_runs()) == ["a"]
    monkeypatch.setenv("LATENT_RUNS", str(own_folder / "nowhere"))
    assert runs() == [] and damaged_runs() == {}


# Where it stands


@pytest.fixture
def lock(run: Run) -> Iterator[FileLock]:
    """What a worker holds while it lives."""
    with FileLock(run.folder / LOCK) as held:
        yield held


def test_a_run_is_believed_only_while_its_lock_is_held(run: Run, lock: FileLock) -> None:
    run.write_state("running")
    log(run, 2, 4)
    beat(run, ago=1.0)
    assert run.status() == ("running", 9, 24, 0.4, pytest.approx(0.1 * 15), "", None)
    beat(run, ago=31.0)
    assert run.status().state == "slow" and run.status().is_alive
    lock.release()
    assert run.status() == ("killed", 4, 24, 0.4, None, "", None) and not run.status().is_alive


def test_a_worker_that_loads_its_libraries_counts_as_running(run: Run) -> None:
    run.write_state("starting")
    assert run.status().state == "running"
    write_json(run.folder / STATE, {"state": "starting", "message": "", "time": time.time() - 61})
    assert run.status().state == "killed"


def test_whoever_looks_at_a_run_makes_nothing(run: Run) -> None:
    run.write_state("running")
    before = files_in(run.folder)
    assert run.status().state == "killed" and files_in(run.folder) == before
    shutil.rmtree(run.folder)  # somebody deleted it
    assert run.status().state == "stopped" and not run.is_held() and not run.folder.exists()


def test_another_users_run_is_known_by_its_signs_of_life(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lock may not be asked: for that one must be allowed to write."""
    run.write_state("running")
    log(run, 4)
    (run.folder / LOCK).touch()

    def refuse(*arguments: Any, **named: Any) -> None:
        raise PermissionError(13, "Permission denied", "lock")

    monkeypatch.setattr(FileLock, "acquire", refuse)
    beat(run, ago=5.0)
    assert run.status().state == "running" and run.is_held()
    beat(run, ago=31.0)
    assert run.status().state == "killed" and not run.is_held()
    with pytest.raises(InvalidInput, match="Permission denied"):
        run.request_stop()


@pytest.mark.parametrize("state", ["stopped", "failed", "finished"])
def test_what_is_over_stays_so(run: Run, lock: FileLock, state: str) -> None:
    run.write_state(state, "as told")
    log(run, 24)
    assert run.status() == (state, 24, 24, 2.4, None, "as told", None)
    assert run.is_finished == (state == "finished")


def test_the_place_in_the_queue(own_folder: Path) -> None:
    waiting = [Run.create(own_folder / name, VAE) for name in "cab"]
    for run in waiting:
        run.write_state("queued")
        time.sleep(0.002)
    assert [run.status().place for run in waiting] == [1, 2, 3]
    waiting[0].request_stop()
    assert waiting[0].status().state == "stopped" and "queue" in waiting[0].status().message
    assert [run.status().place for run in waiting] == [None, 1, 2]


def test_stop_is_asked_of_a_worker_only(run: Run) -> None:
    run.request_stop()
    assert not (run.folder / STOP).exists()
    run.write_state("running")
    with FileLock(run.folder / LOCK):
        run.request_stop()
    assert (run.folder / STOP).exists()


# What it has logged


def test_a_line_that_is_being_written_is_left_for_the_next_time(run: Run) -> None:
    log(run, 2, 4)
    with (run.folder / EVENTS).open("a") as file:
        file.write('{"step": 6, "st')
    assert [event["step"] for event in run.events()] == [2, 4] and run.last_event()["step"] == 4


def test_the_newest_line_is_found_without_reading_all(run: Run) -> None:
    assert run.last_event() == {}
    log(run, *range(1, 200))
    assert (run.folder / EVENTS).stat().st_size > 2**17
    assert run.last_event() == run.events()[-1]


def test_the_newest_held_out_terms(run: Run) -> None:
    facts = {"steps": 3, "seconds": 1.0}
    lines: list[dict[str, Any]] = [{"step": 1, "held_out": {"elbo": -3}}, {"step": 2, "held_out": {"elbo": -2}}]
    (run.folder / EVENTS).write_text("".join(json.dumps(facts | line) + "\n" for line in [*lines, {"step": 3}]))
    assert run.held_out() == {"elbo": -2}


def test_cut_forgets_what_is_beyond_a_step(run: Run) -> None:
    log(run, 2, 4, 6)
    run.frame_file(0).parent.mkdir()
    for step in (0, 4, 5):
        run.frame_file(step).touch()
    run.cut(4)
    assert [event["step"] for event in run.events()] == [2, 4] and run.frames() == [0, 4]
    run.cut(0)
    assert run.events() == [] and run.frames() == [0]


def test_pictures_that_are_not_there_are_one_sentence(run: Run) -> None:
    for look in (run.sample, lambda: run.frame(7)):
        with pytest.raises(InvalidInput, match="is not there"):
            look()
    run.frame_file(7).parent.mkdir()
    run.frame_file(7).write_bytes(b"half a fi")
    with pytest.raises(InvalidInput, match="is damaged"):
        run.frame(7)
