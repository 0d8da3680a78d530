"""Contracts that hold for every dataset, the sprites' factors, and what is wrong with a file or a network."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from http.client import IncompleteRead
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import torchvision.datasets
from torch import Tensor

from tests.conftest import files_in
from vae_core.data import DATASETS, ImageSource
from vae_core.data.base import SPLITS, read_split
from vae_core.data.sprites import (
    COUNT,
    FACTORS,
    HELD_OUT,
    LARGEST,
    PATCH,
    SHAPES,
    SIDE,
    SIZES,
    centred_sprites,
    inside,
    render,
    to_factors,
)
from vae_core.data.subset import subset
from vae_core.errors import InvalidInput
from vae_core.folders import BUNDLED_DATA

# What an offline machine can load: everything but the training images of two datasets.
FETCHED = ("fashion_mnist", "cifar10")
OFFLINE = [(name, split) for name in DATASETS for split in SPLITS if (name in FETCHED, split) != (True, "train")]


@pytest.fixture(scope="module")
def sources() -> Callable[[str, str], ImageSource]:
    loaded: dict[tuple[str, str], ImageSource] = {}

    def get(name: str, split: Any) -> ImageSource:
        if (name, split) not in loaded:
            loaded[name, split] = DATASETS[name].load(split)
        return loaded[name, split]

    return get


@pytest.mark.parametrize(("name", "split"), OFFLINE)
def test_a_split_keeps_the_contract(name: str, split: str, sources: Callable[[str, str], ImageSource]) -> None:
    dataset, source = DATASETS[name], sources(name, split)
    count = len(source)
    train = {"mnist": 60_000, "sprites": COUNT - HELD_OUT}
    assert count == (train[name] if split == "train" else 500 if name == "cifar10" else 10_000)
    if split == "test":
        assert (dataset.held_out or count) == 10_000, "and where there are more in all, that is said"
    assert source.shape == dataset.shape
    assert source.labels.dtype == torch.uint8 and source.labels.shape == (count,)
    assert source.labels.unique().tolist() == list(range(len(dataset.class_names)))
    index = torch.tensor([count - 1, 0, 7, 7])
    images = source.images(index)
    assert images.dtype == torch.float32 and images.shape == (4, *dataset.shape)
    assert torch.equal(images[2], images[3]) and not torch.equal(images[0], images[1])
    some = source.images(torch.arange(0, count, count // 200))
    assert some.min() == 0 and some.max() == 1
    assert 0.02 < some.mean() < 0.6
    assert bool(((some > 0) & (some < 1)).any()) == dataset.grey
    if source.factors is not None:
        assert source.factors.shape == (count, len(dataset.factor_names)) and source.factors.dtype == torch.int64
        assert (source.factors >= 0).all() and (source.factors < torch.tensor(dataset.factor_sizes)).all()


@pytest.mark.parametrize("name", DATASETS)
def test_a_dataset_describes_itself(name: str) -> None:
    dataset = DATASETS[name]
    assert dataset.name == name
    assert dataset.title and dataset.origin and dataset.licence
    assert len(set(dataset.class_names)) == len(dataset.class_names) >= 2
    assert len(dataset.factor_names) == len(dataset.factor_sizes)
    with pytest.raises(InvalidInput, match="train, test"):
        dataset.load("validation")  # type: ignore[arg-type]


def test_labels_belong_to_their_pictures(sources: Callable[[str, str], ImageSource]) -> None:
    """The mean picture of each digit finds its own class far more often than one time in ten."""
    train, test = sources("mnist", "train"), sources("mnist", "test")
    pixels, labels = train.images(torch.arange(5000)).flatten(1), train.labels[:5000]
    means = torch.stack([pixels[labels == digit].mean(0) for digit in range(10)])
    nearest = torch.cdist(test.images(torch.arange(1000)).flatten(1), means).argmin(1)
    assert (nearest == test.labels[:1000]).float().mean() > 0.7


@pytest.mark.parametrize("path", sorted(BUNDLED_DATA.glob("*.npz")), ids=lambda path: path.name)
def test_a_bundled_file_is_the_one_that_is_described(path: Path) -> None:
    described = (BUNDLED_DATA / "README.md").read_text("utf-8").split(f"## {path.name}")[1]
    assert f"sha256: `{hashlib.sha256(path.read_bytes()).hexdigest()}`" in described.split("\n## ")[0]


# Parts of a source.


def test_a_subset_holds_the_named_classes_and_the_first_images(sources: Callable[[str, str], ImageSource]) -> None:
    whole = sources("mnist", "test")
    part = subset(whole, "cpu", classes=(3, 8), images=50)
    where = ((whole.labels == 3) | (whole.labels == 8)).nonzero()[:50, 0]
    assert len(part) == 50 and part.shape == whole.shape and torch.equal(part.labels, whole.labels[where])
    assert torch.equal(part.images(torch.tensor([49, 0])), whole.images(where[[49, 0]]))
    assert subset(whole) is whole
    assert len(subset(whole, images=10**6)) == len(whole)
    factors = subset(sources("sprites", "test"), classes=(2,)).factors
    assert factors is not None and factors[:, 0].unique().tolist() == [2]


@pytest.mark.parametrize("is_resident", [True, False])
def test_a_subset_asks_its_source_with_an_index_where_the_images_lie(is_resident: bool) -> None:
    """Those on the device with one on the device, those with the host with one of the host."""
    asked: list[Tensor] = []
    source: Any = SimpleNamespace(
        shape=(1, 2, 2), labels=torch.tensor([0, 1, 1, 0, 1], dtype=torch.uint8), factors=None,
        is_resident=is_resident, images=asked.append,
    )  # fmt: skip
    part = subset(source, "meta", classes=(1,))
    assert (len(part), part.is_resident, part.labels.tolist()) == (3, is_resident, [1, 1, 1])
    part.images(torch.tensor([2, 0], device="meta" if is_resident else "cpu"))
    assert [index.device.type for index in asked] == ["meta" if is_resident else "cpu"]
    assert is_resident or asked[0].tolist() == [4, 1]


def test_a_class_of_which_there_is_no_image_is_named(sources: Callable[[str, str], ImageSource]) -> None:
    with pytest.raises(InvalidInput, match="12"):
        subset(sources("mnist", "test"), classes=(3, 12))


# Sprites.


def bank() -> Tensor:
    return torch.nn.functional.pad(centred_sprites(), (1, 1, 1, 1))


def picture(**factors: int) -> Tensor:
    """One sprite [64, 64] by its factors; those not named rest in the middle."""
    middle = dict(zip(("shape", "scale", "rotation", "x", "y"), (0, 3, 5, 15, 15), strict=True))
    return render(torch.tensor([list({**middle, **factors}.values())]), bank())[0, 0]


def test_sprites_split_holds_combinations_out(sources: Callable[[str, str], ImageSource]) -> None:
    train, test = sources("sprites", "train").flat, sources("sprites", "test").flat  # type: ignore[attr-defined]
    assert COUNT == 737_280 == len(train) + len(test)
    assert len(torch.cat([train, test]).unique()) == COUNT, "disjoint, and complete"


def test_sprites_factors_are_the_digits_of_the_index(sources: Callable[[str, str], ImageSource]) -> None:
    test = sources("sprites", "test")
    assert test.factors is not None
    weights = torch.tensor([int(np.prod(SIZES[number + 1 :])) for number in range(len(SIZES))])
    assert torch.equal((test.factors * weights).sum(1), test.flat)  # type: ignore[attr-defined]
    assert torch.equal(test.factors[:, 0].to(torch.uint8), test.labels)
    assert torch.equal(to_factors(torch.tensor([COUNT - 1]))[0], torch.tensor(SIZES) - 1)


def test_sprites_render_from_their_factors(sources: Callable[[str, str], ImageSource]) -> None:
    test = sources("sprites", "test")
    assert test.factors is not None
    index = torch.tensor([3, 141, 9999])
    assert torch.equal(test.images(index), render(test.factors[index], bank()))


@pytest.mark.parametrize(("factor", "axis"), [("x", 1), ("y", 0)])
def test_one_step_of_position_is_one_pixel(factor: str, axis: int) -> None:
    for start in (0, 15, 30):
        before, after = picture(**{factor: start}), picture(**{factor: start + 1})
        assert torch.equal(torch.roll(before, 1, dims=axis), after)
        assert not torch.equal(before, after)


def test_no_sprite_is_cut_off() -> None:
    patches = centred_sprites()
    assert patches.shape[0] == SIZES[0] * SIZES[1] * SIZES[2]
    y, x = torch.meshgrid(torch.linspace(-2, 2, 801), torch.linspace(-2, 2, 801), indexing="ij")
    outside = (x**2 + y**2).sqrt() * LARGEST > PATCH / 2
    assert not any(inside(shape, x, y)[outside].any() for shape in SHAPES), "every sprite fits, however it is turned"
    areas = patches.sum((1, 2))
    corners = torch.tensor([[0, 0], [0, SIZES[4] - 1], [SIZES[3] - 1, 0], [SIZES[3] - 1, SIZES[4] - 1]])
    for patch, area in enumerate(areas.tolist()):
        shape, rest = divmod(patch, SIZES[1] * SIZES[2])
        kept = torch.tensor([shape, *divmod(rest, SIZES[2])]).expand(4, 3)
        images = render(torch.cat([kept, corners], dim=1), bank())
        assert images.sum((1, 2, 3)).tolist() == [area] * 4, "nothing is lost at the edges of the picture"


def test_scale_rotation_and_shape_do_what_they_say() -> None:
    assert DATASETS["sprites"].factor_names == FACTORS
    areas = [picture(scale=scale).sum().item() for scale in range(SIZES[1])]
    assert areas == sorted(areas) and areas[-1] > 3.5 * areas[0]  # half the side, a quarter of the area
    for shape in range(SIZES[0]):
        turns = centred_sprites().view(*SIZES[:3], *centred_sprites().shape[1:])[shape, -1].float()
        quarter = torch.rot90(turns[0], 1)
        overlap = [((turn * quarter).sum() / torch.maximum(turn, quarter).sum()).item() for turn in turns]
        assert max(overlap) > 0.97
        assert overlap[SIZES[2] // 4] == max(overlap), "a quarter of the steps is a quarter turn, anticlockwise"


def test_position_is_that_of_the_middle_of_the_picture() -> None:
    """Columns grow to the right, rows downwards; the middle positions are the middle of the picture."""
    rows, columns = torch.meshgrid(torch.arange(SIDE).float(), torch.arange(SIDE).float(), indexing="ij")
    for x, y in ((0, 31), (15, 15), (31, 0)):
        sprite = picture(shape=1, x=x, y=y)  # an ellipse is symmetric about its centre
        area = sprite.sum()
        assert (columns * sprite).sum() / area == pytest.approx(x + 16, abs=0.3)
        assert (rows * sprite).sum() / area == pytest.approx(y + 16, abs=0.3)


# Files.


def save(path: Path, **changes: Any) -> None:
    arrays: dict[str, Any] = {
        "train_images": np.zeros((4, 1, 28, 28), np.uint8), "train_labels": np.arange(4, dtype=np.uint8),
    }  # fmt: skip
    arrays |= changes
    np.savez(path, **{key: value for key, value in arrays.items() if value is not None})


BAD_FILES: dict[str, tuple[dict[str, Any], str]] = {
    "no images": ({"train_images": None}, "train_images"),
    "no labels": ({"train_labels": None}, "train_labels"),
    "other size": ({"train_images": np.zeros((4, 1, 32, 32), np.uint8)}, r"uint8 \(4, 1, 32, 32\)"),
    "no channel": ({"train_images": np.zeros((4, 28, 28), np.uint8)}, r"\(4, 28, 28\)"),
    "floats": ({"train_images": np.zeros((4, 1, 28, 28), np.float32)}, "float32"),
    "empty": ({"train_images": np.zeros((0, 1, 28, 28), np.uint8), "train_labels": np.zeros(0, np.uint8)}, "no image"),
    "fewer labels": ({"train_labels": np.zeros(3, np.uint8)}, r"\(3,\)"),
    "labels of another type": ({"train_labels": np.zeros(4, np.int64)}, "int64"),
    "unknown label": ({"train_labels": np.full(4, 10, np.uint8)}, "up to 10; there are 10 classes"),
    "pickled objects": ({"train_labels": np.array([{}, {}, {}, {}], object)}, "allow_pickle"),
}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LATENT_DATA", str(tmp_path))
    return tmp_path / "fashion_mnist.npz"


@pytest.mark.parametrize("case", BAD_FILES)
def test_what_is_wrong_with_a_cached_dataset_is_named(cache: Path, case: str) -> None:
    changes, named = BAD_FILES[case]
    save(cache, **changes)
    before = files_in(cache.parent)
    with pytest.raises(InvalidInput, match=named) as error:
        DATASETS["fashion_mnist"].load("train")
    assert str(cache) in str(error.value) and "Delete" in str(error.value)
    assert files_in(cache.parent) == before


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut short", None])
def test_a_cached_dataset_that_is_no_archive(cache: Path, content: bytes | None) -> None:
    if content is None:
        save(cache)
        content = cache.read_bytes()[:-200]
    cache.write_bytes(content)
    with pytest.raises(InvalidInput, match="no dataset in our format"):
        DATASETS["fashion_mnist"].load("train")
    assert cache.read_bytes() == content


def test_a_bundled_dataset_that_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vae_core.data.mnist.BUNDLED_DATA", tmp_path)
    with pytest.raises(InvalidInput, match=r"mnist\.npz is missing"):
        DATASETS["mnist"].load("test")


def test_a_good_cached_dataset_is_used_without_network(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torchvision.datasets, "FashionMNIST", None)
    save(cache)
    assert len(DATASETS["fashion_mnist"].load("train")) == 4
    images, labels = read_split(cache, "train", (1, 28, 28), 10)
    assert images.shape == (4, 1, 28, 28) and labels.tolist() == [0, 1, 2, 3]


# The network.


@pytest.mark.parametrize(
    "error", [OSError("Network is unreachable"), RuntimeError("Dataset not found or corrupted."), IncompleteRead(b"")]
)
def test_no_network_and_no_copy_is_one_sentence(cache: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def offline(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(torchvision.datasets, "FashionMNIST", offline)
    with pytest.raises(InvalidInput) as raised:
        DATASETS["fashion_mnist"].load("train")
    sentence = str(raised.value)
    assert str(error) in sentence and str(cache) in sentence and "internet" in sentence
    assert files_in(cache.parent) == {}


def fake_photographs(folder: str, train: bool, download: bool) -> SimpleNamespace:
    """What torchvision's class of colour photographs offers after a download: data [N, 32, 32, 3], targets a list."""
    assert download and Path(folder).is_dir()
    count = 20 if train else 10
    data = np.arange(count * 32 * 32 * 3, dtype=np.uint32).reshape(count, 32, 32, 3).astype(np.uint8)
    return SimpleNamespace(data=data, targets=[number % 10 for number in range(count)])


def test_photographs_have_their_channels_first_and_all_test_images_after_a_download(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(DATASETS["cifar10"].load("test")) == 500, "those that are bundled"
    monkeypatch.setattr(torchvision.datasets, "CIFAR10", fake_photographs)
    train = DATASETS["cifar10"].load("train")
    expected = torch.from_numpy(fake_photographs(str(cache.parent), True, True).data).permute(0, 3, 1, 2)
    assert torch.equal(train.images(torch.arange(20)), expected.float() / 255)
    monkeypatch.setattr(torchvision.datasets, "CIFAR10", None)
    test = DATASETS["cifar10"].load("test")
    assert (len(test), test.labels.tolist()) == (10, list(range(10))), "from the copy, which holds all of them"


def fake_download(folder: str, train: bool, download: bool) -> SimpleNamespace:
    """What torchvision's class offers after a download: data [N, 28, 28] and targets [N]."""
    assert download and Path(folder).is_dir()
    count = 20 if train else 10
    generator = torch.Generator().manual_seed(count)
    data = torch.randint(0, 256, (count, 28, 28), generator=generator, dtype=torch.uint8)
    return SimpleNamespace(data=data, targets=torch.arange(count) % 10)


def test_a_download_is_kept_in_our_format(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torchvision.datasets, "FashionMNIST", fake_download)
    first = DATASETS["fashion_mnist"].load("train")
    expected = fake_download(str(cache.parent), True, True)
    assert torch.equal(first.images(torch.arange(20))[:, 0], expected.data.float() / 255)
    assert torch.equal(first.labels.long(), expected.targets)
    assert list(files_in(cache.parent)) == [cache.name]
    with np.load(io.BytesIO(cache.read_bytes())) as arrays:
        assert {key: (value.shape, value.dtype.name) for key, value in arrays.items()} == {
            "train_images": ((20, 1, 28, 28), "uint8"), "train_labels": ((20,), "uint8"),
            "test_images": ((10, 1, 28, 28), "uint8"), "test_labels": ((10,), "uint8"),
        }  # fmt: skip
    monkeypatch.setattr(torchvision.datasets, "FashionMNIST", None)
    assert len(DATASETS["fashion_mnist"].load("train")) == 20, "the second time from the copy"


def test_a_cache_that_cannot_be_written_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "taken").write_text("a file")
    monkeypatch.setenv("LATENT_DATA", str(tmp_path / "taken"))
    monkeypatch.setattr(torchvision.datasets, "FashionMNIST", fake_download)
    with pytest.raises(InvalidInput, match="LATENT_DATA"):
        DATASETS["fashion_mnist"].load("train")
    assert (tmp_path / "taken").read_text() == "a file"
