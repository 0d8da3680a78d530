"""Models on disk: they come back bit for bit, and whatever is wrong with a folder is named."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.conftest import files_in
from tests.test_models import EVERY, build
from vae_core.checkpoints import (
    CONFIG,
    METRICS,
    WEIGHTS,
    bundled,
    read_bundled,
    read_model,
    round_weights,
    settings_from,
    write_metrics,
    write_model,
)
from vae_core.errors import InvalidInput
from vae_core.models import PixelCNN
from vae_core.training import TrainSettings


def write(folder: Path, name: str = "vae", network: str = "mlp", weights: str = "float32") -> Any:
    """A small model, rounded as it will be stored, written to a folder with metrics."""
    model = build(name, network=network)
    round_weights(model, weights)
    write_model(
        folder, model, name="small", model_name=name, dataset="mnist", training={"epochs": 1}, weights=weights
    )  # fmt: skip
    write_metrics(folder, {"recon": 1.5})
    return model


@pytest.mark.parametrize("weights", ["float32", "float16"])
@pytest.mark.parametrize(("name", "network"), EVERY)
def test_round_trip_bit_for_bit(tmp_path: Path, name: str, network: str, weights: str) -> None:
    model = write(tmp_path, name, network, weights)
    read = read_model(tmp_path)
    assert read.model.config == model.config
    assert (read.name, read.model_name, read.dataset) == ("small", name, "mnist")
    assert (read.training, read.metrics) == ({"epochs": 1}, {"recon": 1.5})
    expected, found = model.state_dict(), read.model.state_dict()
    assert found.keys() == expected.keys()
    for key, tensor in found.items():
        assert tensor.dtype == torch.float32
        assert torch.equal(tensor, expected[key]), key


def test_float16_is_what_is_stored(tmp_path: Path) -> None:
    write(tmp_path, weights="float16")
    assert {tensor.dtype for tensor in load_file(tmp_path / WEIGHTS).values()} == {torch.float16}


def test_it_is_ready_to_use_and_computes_the_same(tmp_path: Path) -> None:
    model = write(tmp_path).eval()
    read = read_model(tmp_path).model
    x = torch.rand(4, 1, 12, 12)
    assert not read.training and not any(parameter.requires_grad for parameter in read.parameters())
    assert torch.equal(read.encode(x).mean, model.encode(x).mean)
    assert torch.equal(read.decode(torch.ones(2, 3)), model.decode(torch.ones(2, 3)))


def test_metrics_may_not_have_been_written_yet(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / METRICS).unlink()
    assert read_model(tmp_path).metrics == {}


def test_writing_again_replaces_and_leaves_nothing_behind(tmp_path: Path) -> None:
    write(tmp_path, network="mlp")
    write(tmp_path, network="conv")
    assert set(files_in(tmp_path)) == {CONFIG, WEIGHTS, METRICS}
    assert read_model(tmp_path).model.config.network == "conv"


def test_a_new_model_does_not_keep_the_old_ones_metrics(tmp_path: Path) -> None:
    model = write(tmp_path)
    write_model(tmp_path, model, name="new", model_name="vae", dataset="mnist", training={})
    assert read_model(tmp_path).metrics == {}


def test_a_write_that_fails_leaves_the_old_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path)
    before = files_in(tmp_path)

    def full_disk(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("vae_core.folders.os.replace", full_disk)
    with pytest.raises(InvalidInput, match=r"No space left.*--out"):
        write(tmp_path)
    assert files_in(tmp_path) == before


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(InvalidInput, match="file"):
        write(tmp_path / "file" / "model")
    assert (tmp_path / "file").read_text() == "not a folder"


# What can be wrong with a folder: how to damage it, and what the sentence must name.
Damage = Callable[[Path], object]


def config(**changes: Any) -> Damage:
    """Change keys of config.json; "model_config.latent" reaches inside, None as value deletes."""

    def damage(folder: Path) -> None:
        content = json.loads((folder / CONFIG).read_text())
        for path, value in changes.items():
            *outer, key = path.split("__")
            target = content[outer[0]] if outer else content
            if value is DELETE:
                del target[key]
            else:
                target[key] = value
        (folder / CONFIG).write_text(json.dumps(content))

    return damage


def tensors(change: Callable[[dict[str, torch.Tensor]], object]) -> Damage:
    def damage(folder: Path) -> None:
        content = load_file(folder / WEIGHTS)
        change(content)
        save_file(content, folder / WEIGHTS)

    return damage


def text(name: str, content: str | bytes) -> Damage:
    return lambda folder: (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)


def cut(name: str, share: float) -> Damage:
    def damage(folder: Path) -> None:
        whole = (folder / name).read_bytes()
        (folder / name).write_bytes(whole[: int(len(whole) * share)])

    return damage


def grow(name: str, size: int) -> Damage:
    def damage(folder: Path) -> None:
        with (folder / name).open("r+b") as file:
            file.truncate(size)  # a sparse file

    return damage


DELETE = object()
FIRST = "decoder.0.weight"
DAMAGES: dict[str, tuple[Damage, str]] = {
    "no config": (lambda folder: (folder / CONFIG).unlink(), r"config\.json is missing"),
    "no weights": (lambda folder: (folder / WEIGHTS).unlink(), r"model\.safetensors is missing"),
    "renamed weights": (lambda folder: (folder / WEIGHTS).rename(folder / "weights.safetensors"), "missing"),
    "a folder in place of the weights": (
        lambda folder: ((folder / WEIGHTS).unlink(), (folder / WEIGHTS).mkdir()), r"model\.safetensors"
    ),
    "truncated config": (cut(CONFIG, 0.5), r"config\.json cannot be read as JSON"),
    "empty config": (text(CONFIG, ""), r"config\.json cannot be read as JSON"),
    "binary config": (text(CONFIG, b"\xff\xfe\x00\x01"), r"config\.json cannot be read as JSON"),
    "deeply nested config": (text(CONFIG, "[" * 100_000), r"config\.json cannot be read as JSON"),
    "a number of 10,000 digits": (text(CONFIG, "9" * 10_000), r"config\.json cannot be read as JSON"),
    "a list as config": (text(CONFIG, "[1, 2]"), r"config\.json holds a list"),
    "huge config": (grow(CONFIG, 2**21), r"config\.json is 2,097,152 bytes"),
    "truncated metrics": (cut(METRICS, 0.5), r"metrics\.json cannot be read as JSON"),
    "foreign key": (config(colour="red"), "colour"),
    "missing key": (config(dataset=DELETE), "dataset"),
    "other format": (config(format=2), "has format 2; this version reads 1"),
    "unknown model": (config(model="gan"), "'gan'.*autoencoder.*vae"),
    "a number as model": (config(model=3), "model is 3"),
    "a path as dataset": (config(dataset=["../x"]), "dataset is"),
    "an endless name as model": (config(model="x" * 900_000), "unknown model 'xxx"),
    "an endless list as size": (config(model_config__hidden=[1] * 300_000), "hidden is"),
    "an endless foreign key": (config(**{"x" * 900_000: 1}), "unknown key xxx"),
    "settings that are no object": (config(model_config=[1]), "model_config is"),
    "unknown precision": (config(weights="int4"), "'int4'.*float16, float32"),
    "foreign setting": (config(model_config__gamma=1), "gamma"),
    "missing setting": (config(model_config__latent=DELETE), "latent"),
    "a text as size": (config(model_config__latent="3"), "latent is '3'; it must be int"),
    "a truth value as size": (config(model_config__latent=True), "latent is True"),
    "a fraction as size": (config(model_config__latent=2.5), "latent is 2.5"),
    "a short image": (config(model_config__image=[1, 12]), r"image is \[1, 12\]"),
    "a huge size": (config(model_config__latent=10**12), "latent is 1000000000000; allowed"),
    "huge layers": (config(model_config__hidden=[10**9]), "hidden is"),
    "beta that is no number": (config(model_config__beta=float("nan")), "NaN is no JSON"),
    "a score beyond all floats": (text(METRICS, '{"recon": 1e999}'), "1e999 is too large"),
    "another size than the weights": (config(model_config__latent=5), "the config asks for"),
    "another network than the weights": (config(model_config__network="conv"), "lacks the tensor"),
    "missing tensor": (tensors(lambda found: found.pop(FIRST)), rf"lacks the tensor {FIRST}"),
    "foreign tensor": (tensors(lambda found: found.update(extra=torch.ones(1))), "foreign tensor extra"),
    "wrong shape": (tensors(lambda found: found.update({FIRST: torch.ones(2, 2)})), rf"{FIRST} is.*\(2, 2\)"),
    "wrong type": (tensors(lambda found: found.update({FIRST: found[FIRST].double()})), rf"{FIRST} is torch.float64"),
    "weights that are not finite": (tensors(lambda found: found[FIRST].fill_(float("nan"))), rf"{FIRST} holds values"),
    "truncated weights": (cut(WEIGHTS, 0.7), r"model\.safetensors is truncated"),
    "empty weights": (text(WEIGHTS, b""), r"model\.safetensors is truncated"),
    "text as weights": (text(WEIGHTS, "hello" * 100), r"model\.safetensors is truncated or no safetensors"),
    "a pickle as weights": (text(WEIGHTS, pickle.dumps({FIRST: [1.0] * 50})), "no safetensors"),
    "huge weights": (grow(WEIGHTS, 2**30 + 1), r"model\.safetensors is 1,073,741,825 bytes"),
}  # fmt: skip


@pytest.mark.parametrize("case", DAMAGES)
def test_what_is_wrong_with_a_folder_is_named(tmp_path: Path, case: str) -> None:
    damage, named = DAMAGES[case]
    write(tmp_path)
    damage(tmp_path)
    sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    with pytest.raises(InvalidInput, match=f"(?s){named}") as error:
        read_model(tmp_path)
    assert str(tmp_path) in str(error.value), "the sentence says where"
    assert len(str(error.value)) < 1500
    assert {path.name: path.stat().st_size for path in tmp_path.iterdir()} == sizes, "reading changes nothing"


def test_a_pickle_is_never_run(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Callable[[Path], object], tuple[Path]]:
            return Path.touch, (tmp_path / "sprung",)

    write(tmp_path)
    (tmp_path / WEIGHTS).write_bytes(pickle.dumps(Trap()))
    with pytest.raises(InvalidInput, match="no safetensors"):
        read_model(tmp_path)
    assert not (tmp_path / "sprung").exists()
    pickle.loads((tmp_path / WEIGHTS).read_bytes())
    assert (tmp_path / "sprung").exists(), "the trap works"


def test_a_file_may_lack_a_setting_that_came_later_and_says_what_that_meant() -> None:
    plain = asdict(PixelCNN.Config(codes=9))
    old = {key: value for key, value in plain.items() if key not in ("level", "given")}
    assert settings_from(PixelCNN.Config, old, "old") == PixelCNN.Config(codes=9)
    training = asdict(TrainSettings(epochs=3))
    old = {key: value for key, value in training.items() if key not in ("labels", "images")}
    assert settings_from(TrainSettings, old, "old") == TrainSettings(epochs=3)
    with pytest.raises(InvalidInput, match="codes"):
        settings_from(PixelCNN.Config, {key: value for key, value in plain.items() if key != "codes"}, "old")


@pytest.mark.parametrize("missing", ["nothing-here", "config-only/../nothing"])
def test_a_folder_that_is_not_there_is_named(tmp_path: Path, missing: str) -> None:
    with pytest.raises(InvalidInput, match="no model folder"):
        read_model(tmp_path / missing)


@pytest.mark.parametrize("name", ["", "nan", "../data", "/etc/passwd", "mnist-2d-vae-beta1e9", "x" * 10_000])
def test_a_bundled_name_is_looked_up_and_never_a_path(name: str) -> None:
    with pytest.raises(InvalidInput, match="no bundled model") as error:
        read_bundled(name)
    assert "vae_core list" in str(error.value) and f"all {len(bundled())}" in str(error.value)
    assert len(str(error.value)) < 500
    assert ("Did you mean mnist-2d-vae-beta1" in str(error.value)) == name.startswith("mnist")
