"""A model goes out as a zip and comes in again; whatever else a zip may hold is refused and leaves nothing behind."""

from __future__ import annotations

import io
import json
import os
import time
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from filelock import FileLock

from tests.conftest import files_in
from tests.test_models import build
from vae_core.checkpoints import CONFIG, METRICS, WEIGHTS, read_model, write_metrics, write_model
from vae_core.errors import InvalidInput
from vae_core.recipes import RECIPES
from vae_core.runs import Run
from vae_core.runs.folder import LOCK
from vae_core.runs.remove import delete_run
from vae_core.runs.scores import evaluate
from vae_core.runs.transfer import unzip_model, zip_model

Files = dict[str, bytes]


@pytest.fixture(autouse=True)
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LATENT_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    write_model(folder, build("vae"), name="small", model_name="vae", dataset="mnist", training={"steps": 3})
    write_metrics(folder, {"recon": 1.0, "kl_per_latent": [0.0, 1.0, 2.0]})
    return folder


def zipped(files: Files, packing: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", packing) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return file.getvalue()


def test_a_model_comes_back_as_it_went(model: Path, runs: Path) -> None:
    folder = unzip_model(zip_model(model), "from-home")
    assert folder == runs / "from-home" / "model"
    assert files_in(folder) == files_in(model)
    before, after = read_model(model).model.state_dict(), read_model(folder).model.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert [path.name for path in runs.iterdir()] == ["from-home"]


def test_only_the_three_files_travel_and_the_same_model_makes_the_same_zip(model: Path) -> None:
    (model / "diary.txt").write_text("private")
    first = zip_model(model)
    assert zipfile.ZipFile(io.BytesIO(first)).namelist() == [CONFIG, WEIGHTS, METRICS]
    assert zip_model(model) == first


def test_a_model_without_scores_travels_too(model: Path) -> None:
    (model / METRICS).unlink()
    assert sorted(files_in(unzip_model(zip_model(model), "unscored"))) == [CONFIG, WEIGHTS]


def test_what_is_no_model_is_not_zipped(tmp_path: Path, model: Path) -> None:
    with pytest.raises(InvalidInput):
        zip_model(tmp_path / "nothing")
    (model / WEIGHTS).unlink()
    with pytest.raises(InvalidInput, match="cannot be read"):
        zip_model(model)


@pytest.mark.parametrize("name", ["", ".", "..", "../up", "a/b", "a\\b", "x" * 81, "with blank", "ü", ".hidden", "a\n"])
def test_a_name_that_is_none_is_refused(model: Path, runs: Path, name: str) -> None:
    with pytest.raises(InvalidInput):
        unzip_model(zip_model(model), name)
    assert not runs.exists()


def test_a_name_that_is_taken_is_refused_and_what_is_there_stays(model: Path, runs: Path) -> None:
    (runs / "mine").mkdir(parents=True)
    (runs / "mine" / "note").write_text("kept")
    with pytest.raises(InvalidInput, match="already"):
        unzip_model(zip_model(model), "mine")
    assert files_in(runs) == {"mine/note": b"kept"}


def with_config(**values: object) -> Callable[[Files], bytes]:
    def change(files: Files) -> bytes:
        return zipped({**files, CONFIG: json.dumps({**json.loads(files[CONFIG]), **values}).encode()})

    return change


def twice(files: Files) -> bytes:
    file = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w") as archive:
        warnings.simplefilter("ignore")  # that of zipfile about the double name
        for name, data in [*files.items(), (CONFIG, b"{}")]:
            archive.writestr(name, data)
    return file.getvalue()


def encrypted(files: Files) -> bytes:
    content = bytearray(zipped(files))
    for mark, at in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):  # the flags, in the index and before each file
        start = 0
        while (start := content.find(mark, start)) >= 0:
            content[start + at] |= 1
            start += 4
    return bytes(content)


def claims_less(files: Files) -> bytes:
    """A bomb that says it is small: the size in its index is a lie."""
    content = bytearray(zipped({**files, WEIGHTS: bytes(2**24)}))
    return bytes(content).replace((2**24).to_bytes(4, "little"), (100).to_bytes(4, "little"))


HOSTILE: dict[str, tuple[Callable[[Files], bytes], str]] = {
    "no zip": (lambda files: b"hello", "no model of ours"),
    "empty": (lambda files: b"", "no model of ours"),
    "an empty zip": (lambda files: zipped({}), "lacks"),
    "cut short": (lambda files: zipped(files)[:-200], "no model of ours"),
    "damaged inside": (lambda files: zipped(files).replace(b"\x00", b"\x01"), "no model of ours"),
    "no weights": (lambda files: zipped({CONFIG: files[CONFIG]}), f"lacks {WEIGHTS}"),
    "a program along": (lambda files: zipped({**files, "setup.py": b"import os"}), "'setup.py'"),
    "a path upwards": (lambda files: zipped({**files, "../../evil": b"x"}), "'../../evil'"),
    "an absolute path": (lambda files: zipped({**files, "/etc/cron.d/x": b"x"}), "'/etc/cron.d/x'"),
    "a folder around": (lambda files: zipped({f"model/{name}": data for name, data in files.items()}), "'model/"),
    "a pickle": (lambda files: zipped({**files, "model.pt": b"\x80\x04."}), "'model.pt'"),
    "a file twice": (twice, "twice"),
    "encrypted": (encrypted, "encrypted"),
    "a bomb of weights": (lambda files: zipped({**files, WEIGHTS: bytes(2**26)}), "too many"),
    "a bomb of scores": (lambda files: zipped({**files, METRICS: b" " * 2**24}), "too many"),
    "a bomb that claims to be small": (claims_less, "no model of ours"),
    "config is a list": (lambda files: zipped({**files, CONFIG: b"[]"}), "must hold an object"),
    "config nested deep": (lambda files: zipped({**files, CONFIG: b"[" * 10**5}), "no model of ours"),
    "scores are NaN": (lambda files: zipped({**files, METRICS: b'{"recon": NaN}'}), "NaN"),
    "scores of another size": (lambda files: zipped({**files, METRICS: b'{"kl_per_latent": [1]}'}), "kl_per_latent"),
    "weights are a pickle": (lambda files: zipped({**files, WEIGHTS: b"\x80\x04." * 9}), "no safetensors"),
    "weights cut short": (lambda files: zipped({**files, WEIGHTS: files[WEIGHTS][:-8]}), "truncated"),
    "another format": (with_config(format=99), "format 99"),
    "an unknown key": (with_config(run="rm -rf"), "unknown key"),
    "an unknown model": (with_config(model="os.system"), "unknown model"),
    "a foreign training": (with_config(training={"kl_start": "1e3"}), "kl_start"),
    "a number too large": (lambda files: zipped({**files, METRICS: b'{"recon": 1e999}'}), "1e999 is too large"),
    "a whole number too large": (with_config(training={"kl_start": 10**400}), "kl_start"),
    "a stamp that is none": (with_config(training={"data_stamp": 5}), "data_stamp"),
    "labels that are a text": (with_config(training={"labels": "38"}), "labels"),
    "labels that are no list": (with_config(training={"labels": {"3": 8}}), "labels"),
    "labels in a list": (with_config(training={"labels": [[3], [8]]}), "labels"),
    "labels that are no whole numbers": (with_config(training={"labels": [3.0, True]}), "labels"),
    "a label twice": (with_config(training={"labels": [3, 3]}), "labels"),
    "a label below 0": (with_config(training={"labels": [-1]}), "labels"),
    "a label above 255": (with_config(training={"labels": [256]}), "labels"),
    "images by name": (with_config(training={"images": "all"}), "images"),
    "half an image": (with_config(training={"images": 0.5}), "images"),
    "fewer than no images": (with_config(training={"images": -1}), "images"),
    "more images than there are": (with_config(training={"images": 10**9 + 1}), "images"),
    "a picture for data": (with_config(dataset="![x](http://y.org/z.png)"), "no name of ours"),
    "a picture for a name": (with_config(name="![x](http://y.org/z.png)"), "no name of ours"),
    "packed by LZMA": (lambda files: zipped(files, zipfile.ZIP_LZMA), "another way than deflated"),
    "packed by bzip2": (lambda files: zipped(files, zipfile.ZIP_BZIP2), "another way than deflated"),
}  # fmt: skip


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_zip_is_refused_in_a_sentence_and_leaves_nothing(model: Path, runs: Path, kind: str) -> None:
    make, named = HOSTILE[kind]
    content = make(files_in(model))
    with pytest.raises(InvalidInput) as refused:
        unzip_model(content, "new")
    assert named in str(refused.value) and str(runs) not in str(refused.value)
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 500
    assert list(runs.iterdir()) == []


@pytest.mark.parametrize("training", [{"labels": [], "images": 0}, {"labels": [255, 0, 7], "images": 10**9}])
def test_labels_and_images_that_can_be_are_read(model: Path, training: dict[str, object]) -> None:
    folder = unzip_model(with_config(training=training)(files_in(model)), "some")
    assert read_model(folder).training == training


@pytest.mark.parametrize(
    ("key", "value"), [("labels", "38"), ("labels", None), ("labels", [[3]]), ("labels", [True]), ("images", "all")]
)
def test_a_damaged_training_is_not_scored(model: Path, key: str, value: object) -> None:
    damaged = replace(read_model(model), training={key: value})
    with pytest.raises(InvalidInput, match=rf"small .*\({key}\)"):
        evaluate(damaged)


def test_files_that_are_stored_unpacked_are_read(model: Path) -> None:
    folder = unzip_model(zipped(files_in(model), zipfile.ZIP_STORED), "stored")
    assert files_in(folder) == files_in(model)


def test_what_a_killed_process_left_behind_is_swept_away(model: Path, runs: Path) -> None:
    for name in (".deleted-old", ".upload-old", ".upload-new", "mine"):
        (runs / name / "inner").mkdir(parents=True)
        if name != ".upload-new":  # which somebody may be unpacking into
            os.utime(runs / name, (time.time() - 7200,) * 2)
    delete_run("mine")
    assert {path.name for path in runs.iterdir() if path.is_dir()} == {".upload-new"}
    os.utime(runs / ".upload-new", (time.time() - 7200,) * 2)
    unzip_model(zip_model(model), "another")
    assert {path.name for path in runs.iterdir() if path.is_dir()} == {"another"}


def test_weights_that_are_not_finite_are_refused(model: Path, runs: Path) -> None:
    broken = build("vae")
    with torch.no_grad():
        next(broken.parameters()).fill_(torch.nan)
    write_model(model, broken, name="small", model_name="vae", dataset="mnist", training={})
    with pytest.raises(InvalidInput, match="not finite"):
        unzip_model(zip_model(model), "new")
    assert list(runs.iterdir()) == []


def test_a_classifier_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "judge"
    write_model(folder, build("classifier"), name="j", model_name="classifier", dataset="mnist", training={})
    with pytest.raises(InvalidInput, match="holds a classifier"):
        unzip_model(zip_model(folder), "new")


def test_a_folder_that_cannot_be_written_is_said(model: Path, runs: Path) -> None:
    runs.parent.mkdir(exist_ok=True)
    runs.write_text("a file in its place")
    with pytest.raises(InvalidInput, match="cannot be kept"):
        unzip_model(zip_model(model), "new")


def test_a_run_is_deleted_whole_and_never_while_its_lock_is_held(model: Path, runs: Path) -> None:
    run = Run.create(runs / "mine", RECIPES["mnist-2d-vae-beta1"])
    with FileLock(run.folder / LOCK), pytest.raises(InvalidInput, match="is being trained"):
        delete_run("mine")
    assert Run.find("mine").name == "mine"
    delete_run("mine")
    unzip_model(zip_model(model), "uploaded")
    delete_run("uploaded")
    assert [path.name for path in runs.iterdir() if path.is_dir()] == []
    for name in ("mine", "../mine"):
        with pytest.raises(InvalidInput):
            delete_run(name)
