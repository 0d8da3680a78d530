"""Somebody's own arrays in an .npz: what is made of them, and what is refused before it is unpacked."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.conftest import blobs, files_in
from tests.own_images import npz, pixels_of
from vae_core.data import collect, dataset
from vae_core.data.own import add_npz
from vae_core.errors import InvalidInput


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LATENT_DATA", str(tmp_path / "data"))
    return tmp_path / "data" / "own"


def test_arrays_of_our_own_format_are_kept_as_they_are(tmp_path: Path) -> None:
    images, labels = blobs(40, (3, 8, 8))
    content = npz(
        train_images=images.numpy(), train_labels=labels.numpy(), test_images=images[:9].numpy(),
        test_labels=labels[:9].numpy().astype(np.int64),
    )  # fmt: skip
    path = tmp_path / "mine.npz"
    path.write_bytes(content)
    for name, what in (("a", content), ("b", path), ("c", str(path))):
        added = add_npz(name, what)
        assert added == (f"own-{name}", 40, 9, (3, 8, 8), ("0", "1", "2"), ())
        assert (pixels_of(f"own-{name}", "train") == images.numpy()).all()
        assert (pixels_of(f"own-{name}", "test") == images[:9].numpy()).all()
        assert torch.equal(dataset(f"own-{name}").load("test").labels, labels[:9])


def test_arrays_without_channel_labels_or_test_arrays() -> None:
    images = blobs(40, (1, 8, 8))[0].numpy()
    added = add_npz("bare", npz(train_images=images[:, 0], train_labels=None))
    assert added[1:5] == (36, 4, (1, 8, 8), ("images",))
    both = np.concatenate([pixels_of("own-bare", "train"), pixels_of("own-bare", "test")])
    assert sorted(map(bytes, both)) == sorted(map(bytes, images))
    again = add_npz("again", npz(train_images=images, train_labels=None))
    assert again[1:] == added[1:] and dataset("own-again").stamp == dataset("own-bare").stamp


def test_arrays_are_scaled_and_made_grey_when_asked_for() -> None:
    images = np.zeros((30, 3, 8, 12), np.uint8)
    images[..., 2:10] = np.array([200, 0, 50])[:, None, None]
    content = npz(train_images=images, train_labels=None)
    assert add_npz("small", content, side=4).shape == (3, 4, 4)
    assert (pixels_of("own-small", "train") == np.array([200, 0, 50])[:, None, None]).all()
    assert add_npz("grey", content, side=8, grey=True).shape == (1, 8, 8)
    assert np.abs(pixels_of("own-grey", "test") - (0.299 * 200 + 0.114 * 50)).max() < 1
    assert add_npz("rgb", npz(), grey=False).shape == (3, 8, 8)


def test_a_tenth_is_held_out_between_1_and_10_000() -> None:
    for count, expected in ((20, 2), (44, 4), (100_001, 10_000)):
        content = npz(train_images=np.zeros((count, 4, 4), np.uint8), train_labels=None)
        assert add_npz(f"n{count}", content).test == expected
    labels = np.arange(200, dtype=np.uint8)
    images = np.broadcast_to(labels[:, None, None], (200, 4, 4))
    add_npz("order", npz(train_images=images, train_labels=labels))
    held_out = dataset("own-order").load("test").labels
    assert held_out.tolist() == sorted(held_out.tolist()) and len(held_out) == 20
    assert (pixels_of("own-order", "test")[:, 0, 0, 0] == held_out.numpy()).all()


def one_label(value: Any) -> np.ndarray:
    return np.array([value, *([0] * 39)])


BAD_ARRAYS: dict[str, tuple[Callable[[], bytes], str]] = {
    "nothing": (lambda: b"", "no .npz that can be read"),
    "a text": (lambda: b"no archive", "no .npz that can be read"),
    "a cut archive": (lambda: npz()[:-100], "no .npz that can be read"),
    "other arrays": (lambda: npz(x_train=np.zeros(3)), "holds x_train.*train_images"),
    "no images": (lambda: npz(train_images=None), "lacks train_images"),
    "floats": (lambda: npz(train_images=np.zeros((40, 8, 8), np.float32)), "float32.*must be uint8"),
    "channels last": (lambda: npz(train_images=np.zeros((40, 8, 8, 3), np.uint8)), r"\(40, 8, 8, 3\); it must be"),
    "four channels": (lambda: npz(train_images=np.zeros((40, 4, 8, 8), np.uint8)), "1 or 3 channels"),
    "flat images": (lambda: npz(train_images=np.zeros((40, 64), np.uint8)), "must be uint8"),
    "small": (lambda: npz(train_images=np.zeros((40, 3, 8), np.uint8)), "sides must be 4 to 256"),
    "large": (lambda: npz(train_images=np.zeros((40, 8, 257), np.uint8)), "sides must be 4 to 256"),
    "no picture": (lambda: npz(train_images=np.zeros((0, 8, 8), np.uint8), train_labels=None), "no picture"),
    "few": (lambda: npz(train_images=np.zeros((19, 8, 8), np.uint8), train_labels=None), "at least 20"),
    "fewer labels": (lambda: npz(train_labels=np.zeros(39, np.uint8)), r"whole numbers \(40,\)"),
    "decimal labels": (lambda: npz(train_labels=np.zeros(40)), "float64.*whole numbers"),
    "negative labels": (lambda: npz(train_labels=one_label(-1)), "from -1 to 0; allowed are 0 to 254"),
    "256 classes": (lambda: npz(train_labels=one_label(255)), "at most 255 classes"),
    "only test labels": (lambda: npz(test_labels=np.zeros(4, np.uint8)), "test_labels but no test_images"),
    "other test images": (
        lambda: npz(test_images=np.zeros((4, 9, 9), np.uint8), test_labels=np.zeros(4, np.uint8)), "one shape",
    ),
    "labels of one split": (lambda: npz(test_images=np.zeros((4, 8, 8), np.uint8)), "or neither"),
    "pickled objects": (lambda: npz(train_labels=np.array([{}] * 40, object)), "pickle.*never read"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_ARRAYS)
def test_what_is_wrong_with_arrays_is_named(case: str, cache: Path) -> None:
    make, named = BAD_ARRAYS[case]
    with pytest.raises(InvalidInput, match=named):
        add_npz("mine", make())
    assert files_in(cache) == {}


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"cannot be read.*No such file"):
        add_npz("mine", tmp_path / "none.npz")


def bomb(shape: tuple[int, ...], size: int) -> bytes:
    """An archive of a few kilobytes whose array promises `shape` and unpacks to `size` zeros."""
    header, file = io.BytesIO(), io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": shape})
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("train_images.npy", header.getvalue() + bytes(size))
    return file.getvalue()


def test_a_bomb_is_refused_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("an array was read before its size was checked")

    monkeypatch.setattr(np.lib.format, "read_array", never)
    monkeypatch.setattr(collect, "MOST_BYTES", 10**6)
    content = bomb((2_000_000,), 2_000_000)
    assert len(content) < 10_000
    with pytest.raises(InvalidInput, match="take more than"):
        add_npz("bomb", content)
    with pytest.raises(InvalidInput, match="is of another size: it is damaged"):
        add_npz("bomb", bomb((10**6, 1, 1000, 1000), 1000))
