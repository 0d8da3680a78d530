"""Somebody's own images: what is made of them, what is refused in one sentence, and that nothing half is kept."""

from __future__ import annotations

import io
import json
import os
import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.conftest import files_in
from tests.own_images import Files, encoded, folder, level, npz, pixels_of
from vae_core.data import DATASETS, collect, damaged_datasets, dataset, datasets, own
from vae_core.data.own import add_folder, add_images, add_npz, remove
from vae_core.errors import InvalidInput


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LATENT_DATA", str(tmp_path / "data"))
    return tmp_path / "data" / "own"


# What is made of pictures.


def test_folders_become_classes_and_every_picture_keeps_its_own() -> None:
    added = add_images("pets", folder())
    assert added[:5] == ("own-pets", 27, 3, (1, 8, 6), ("cat", "dog"))
    assert added.notes == ("3 of 30 pictures, drawn at random, are held out.",)
    seen: list[int] = []
    for split in ("train", "test"):
        images, labels = pixels_of("own-pets", split), dataset("own-pets").load(split).labels
        for picture, label in zip(images, labels.tolist(), strict=True):
            assert (picture == picture[0, 0, 0]).all()
            assert label == 1 - picture[0, 0, 0] % 2, "even ones are dogs, the class that comes second"
            seen.append(int(picture[0, 0, 0]))
    assert sorted(seen) == list(range(30)), "every picture is in just one split"


def test_a_folder_on_disk_is_the_same_as_its_files(tmp_path: Path, cache: Path) -> None:
    files = [*folder(), ("cat/.DS_Store", b"hidden"), ("Thumbs.db", b"hidden"), ("__MACOSX/cat/a.png", b"hidden")]
    for path, content in files:
        (tmp_path / "pets" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "pets" / path).write_bytes(content)
    first, second = add_folder("a", tmp_path / "pets"), add_images("b", files)
    assert first[1:] == second[1:]
    assert dataset("own-a").stamp == dataset("own-b").stamp
    add_images("c", folder(29))
    assert dataset("own-c").stamp != dataset("own-a").stamp
    remove("c")
    assert sorted(files_in(cache)) == ["a.json", "a.npz", "b.json", "b.npz"]


def test_pictures_in_the_folder_itself_are_one_class() -> None:
    added = add_images("flat", [(f"{k}.png", encoded(level(k))) for k in range(20)])
    assert added.classes == ("images",) and (added.train, added.test) == (18, 2)
    added = add_images("deep", [(f"a/b{k % 3}/{k}.png", encoded(level(k))) for k in range(20)])
    assert added.classes == ("a",), "the outermost folder is the class"


def test_folders_named_train_and_test_are_the_splits() -> None:
    files = [(f"{'test' if k % 4 == 0 else 'train'}/{path}", content) for k, (path, content) in enumerate(folder())]
    added = add_images("split", files)
    assert (added.train, added.test, added.classes) == (22, 8, ("cat", "dog"))
    assert pixels_of("own-split", "test")[:, 0, 0, 0].tolist() == list(range(0, 30, 4))
    assert any("train and test were taken" in note for note in added.notes)


def test_colour_is_kept_when_asked_for() -> None:
    pixels = np.zeros((8, 6, 3), np.uint8)
    pixels[..., 0], pixels[..., 2] = 200, 50
    files = [(f"{k}.png", encoded(pixels)) for k in range(20)]
    assert add_images("red", files, grey=False).shape == (3, 8, 6)
    assert (pixels_of("own-red", "train") == np.array([200, 0, 50])[:, None, None]).all()
    assert add_images("grey", files).shape == (1, 8, 6)
    assert np.abs(pixels_of("own-grey", "train") - (0.299 * 200 + 0.114 * 50)).max() < 1


def test_a_side_cuts_the_middle_square_and_scales_it() -> None:
    pixels = np.zeros((40, 100), np.uint8)
    pixels[:, 30:70] = 255  # the middle square
    files = [(f"{k}.png", encoded(pixels if k % 2 else pixels.T.copy())) for k in range(20)]
    assert add_images("cut", files, side=16).shape == (1, 16, 16)
    assert (pixels_of("own-cut", "train") == 255).all()
    photo = encoded(np.tile(np.linspace(0, 255, 3000, dtype=np.uint8), (1000, 1)), "jpeg", quality=95)
    added = add_images("photo", [(f"{k}.jpg", photo) for k in range(20)], side=32)
    row = pixels_of("own-photo", "test")[0, 0, 16].astype(float)
    assert added.shape == (1, 32, 32)
    assert np.abs(row - np.linspace(85, 170, 32)).max() < 4, "the middle third, whatever a JPEG was decoded at"


def test_sixteen_bits_transparency_and_orientation() -> None:
    deep = encoded(np.full((8, 6), 200 * 257, np.uint16))
    clear = encoded(np.zeros((8, 6, 4), np.uint8))
    added = add_images("odd", [*((f"{k}.png", deep) for k in range(15)), *((f"c{k}.png", clear) for k in range(15))])
    assert set(np.unique(pixels_of("own-odd", "train"))) == {200, 255}
    assert sum(note.startswith("15 of 30 pictures had") for note in added.notes) == 2
    upright = np.zeros((8, 6), np.uint8)
    upright[0] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: turn by 90 degrees clockwise to see it upright
    file = io.BytesIO()
    Image.fromarray(np.rot90(upright).copy()).save(file, "png", exif=exif)
    add_images("lying", [(f"{k}.png", file.getvalue()) for k in range(20)])
    assert (pixels_of("own-lying", "train") == upright).all()


def test_black_and_white_is_told_from_grey() -> None:
    add_images("ink", [(f"{k}.png", encoded(level(255 * (k % 2)))) for k in range(20)])
    add_images("grey", folder())
    assert not dataset("own-ink").grey and dataset("own-grey").grey


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp", "bmp", "tiff", "gif"])
def test_every_format_is_read(kind: str) -> None:
    picture, changes = collect.decoded(encoded(level(100), kind), None, True)
    assert picture.shape == (1, 8, 6) and picture.dtype == np.uint8 and not changes
    assert abs(picture.astype(int) - 100).max() < 3


# What cannot be used among the pictures.


def gif() -> bytes:
    file = io.BytesIO()
    frames = [Image.fromarray(level(k)) for k in (0, 200)]
    frames[0].save(file, "gif", save_all=True, append_images=frames[1:])
    return file.getvalue()


UNUSABLE: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty.png": (lambda: b"", "no picture that can be read"),
    "notes.txt": (lambda: b"Dear model", "no picture that can be read"),
    "cut.png": (
        lambda: encoded(np.random.default_rng(0).integers(0, 255, (99, 99), np.uint8))[:-900], "no picture that can",
    ),
    "program.eps": (lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n", "no picture that"),
    "moving.gif": (gif, "a moving picture"),
    "wide.png": (lambda: encoded(level(3, 8, 300)), "300 x 8 pixels, allowed are 4 to 256"),
    "tiny.png": (lambda: encoded(level(3, 3, 8)), "8 x 3 pixels, allowed are 4 to 256"),
    "huge.png": (lambda: encoded(np.zeros((10_000, 10_000), np.uint8), mode="1"), "100 megapixels, at most 40"),
    "other.png": (lambda: encoded(level(3, 9, 9)), "9 x 9, most are 6 x 8"),
    "floats.tiff": (lambda: encoded(np.zeros((8, 6), np.float32), "tiff"), "decimal grey levels"),
}  # fmt: skip


@pytest.mark.parametrize("name", UNUSABLE)
def test_what_cannot_be_used_is_named_and_skipped_only_when_told_to(name: str, cache: Path) -> None:
    make, reason = UNUSABLE[name]
    files = [*folder(), (f"cat/{name}", make())]
    with pytest.raises(InvalidInput, match=rf"1 of 31 files cannot be used: cat/{name} \({reason}") as error:
        add_images("pets", files)
    assert "side" in str(error.value) and "skip" in str(error.value)
    assert files_in(cache) == {}
    added = add_images("pets", files, skip=True)
    assert added.train + added.test == 30
    assert added.notes[0].startswith(f"1 of 31 files were left out: cat/{name}")


def test_at_most_five_files_are_named() -> None:
    files = [*folder(), *((f"text{k}.txt", b"text") for k in range(7)), ("odd.png", encoded(level(3, 9, 9)))]
    with pytest.raises(InvalidInput, match="8 of 38 files") as error:
        add_images("pets", files)
    sentence = str(error.value)
    assert sentence.count("text") == 5 and "and 3 more" in sentence and "odd.png" not in sentence


def test_mixed_sizes_go_together_when_scaled() -> None:
    files = [(f"{k}.png", encoded(level(k, 8 + k % 5, 40))) for k in range(20)]
    with pytest.raises(InvalidInput, match="most are 40 x 8"):
        add_images("mixed", files)
    assert add_images("mixed", files, side=8).train == 18


def test_a_path_cannot_break_the_sentence() -> None:
    with pytest.raises(InvalidInput) as error:
        add_images("pets", [*folder(), ("a\nb\x1b[31m" + "c" * 200 + ".txt", b"")])
    assert "\n" not in str(error.value) and "\x1b" not in str(error.value) and "c" * 100 not in str(error.value)


REFUSED: dict[str, tuple[Files, dict[str, Any], str]] = {
    "nothing": ([], {}, "no picture among 0 files"),
    "only texts": ([("a.txt", b"")], {"skip": True}, "no picture among 1 files"),
    "few": (folder(19), {}, "19 pictures that can be used; at least 20"),
    "a side of 0": (folder(), {"side": 0}, "side is 0 pixels; allowed: 4 to 256"),
    "a large side": (folder(), {"side": 257}, "allowed: 4 to 256"),
    "a long class": (folder(classes=("a" * 61,)), {}, "class name .* cannot be shown"),
    "an unprintable class": (folder(classes=("a\nb",)), {}, "class name .* cannot be shown"),
    "256 classes": (folder(256, tuple(map(str, range(256)))), {}, "256 classes; at most 255"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_leaves_nothing(case: str, cache: Path) -> None:
    files, settings, named = REFUSED[case]
    with pytest.raises(InvalidInput, match=named):
        add_images("pets", files, **settings)
    assert files_in(cache) == {}


def test_too_many_or_too_large_is_refused_early(monkeypatch: pytest.MonkeyPatch) -> None:
    def endless() -> Iterator[tuple[str, bytes]]:
        while True:
            yield "a.png", encoded(level(1))

    monkeypatch.setattr(collect, "MOST_IMAGES", 50)
    with pytest.raises(InvalidInput, match="more than 50 pictures"):
        add_images("many", endless())
    monkeypatch.setattr(collect, "MOST_IMAGES", 10**9)
    monkeypatch.setattr(collect, "MOST_BYTES", 100 * 48)
    with pytest.raises(InvalidInput, match="GiB; bring fewer"):
        add_images("large", endless())


def test_no_such_folder_and_an_unreadable_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in (tmp_path / "none", Path(__file__)):
        with pytest.raises(InvalidInput, match="There is no folder"):
            add_folder("a", path)
    (tmp_path / "link.png").symlink_to(tmp_path / "gone")
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(InvalidInput, match=r"link\.png \(no picture that can be read\), pipe\.png"):
        add_folder("a", tmp_path)

    def denied(path: Any) -> Any:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", denied)
    with pytest.raises(InvalidInput, match=r"folder cannot be read .*Permission denied"):
        add_folder("a", tmp_path)


# Names, and what stands on disk.


@pytest.mark.parametrize("name", ["", "a b", "../a", "a/b", "ä", "a" * 41, "a.b", "a\n"])
def test_a_name_that_is_none_is_refused_before_anything_is_read(name: str) -> None:
    def never() -> Iterator[tuple[str, bytes]]:
        raise AssertionError("a file was read")
        yield

    for act in (lambda: add_images(name, never()), lambda: add_npz(name, b""), lambda: remove(name)):
        with pytest.raises(InvalidInput, match="1 to 40 letters"):
            act()
    with pytest.raises(InvalidInput, match="choose one of mnist"):
        dataset(f"own-{name}")


def test_a_name_is_taken_once(cache: Path) -> None:
    add_images("pets", folder())
    before = files_in(cache)
    with pytest.raises(InvalidInput, match="already"):
        add_npz("pets", npz())
    assert files_in(cache) == before


def test_names_that_two_visitors_take_at_once_go_to_the_first(cache: Path) -> None:
    def slow() -> Iterator[tuple[str, bytes]]:
        yield from folder()
        add_npz("pets", npz())  # the other one, faster

    with pytest.raises(InvalidInput, match="already"):
        add_images("pets", slow())
    assert dataset("own-pets").shape == (1, 8, 8)


def test_what_there_is_is_listed_and_removed(cache: Path) -> None:
    assert datasets() == DATASETS and damaged_datasets() == []
    add_images("pets", folder())
    add_npz("arrays", npz())
    assert list(datasets()) == [*DATASETS, "own-arrays", "own-pets"]
    found = datasets()["own-pets"]
    assert found == dataset("own-pets") and found.title == "pets (own data)" and found.origin and found.licence
    assert dataset("mnist") is DATASETS["mnist"]
    with pytest.raises(InvalidInput, match=r"choose one of mnist, .*, own-arrays, own-pets"):
        dataset("pets")
    remove("pets")
    with pytest.raises(InvalidInput, match="own-pets"):
        dataset("own-pets")
    with pytest.raises(InvalidInput, match="there are: arrays"):
        remove("pets")
    assert sorted(files_in(cache)) == ["arrays.json", "arrays.npz"]


def test_listing_opens_nothing_twice(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add_images("pets", folder())
    first = datasets()["own-pets"]

    def never(*_: object) -> None:
        raise AssertionError("a description was read again")

    with monkeypatch.context() as patch:
        patch.setattr(own, "_read_facts", never)
        assert datasets()["own-pets"] is first
    remove("pets")
    add_images("pets", folder(25))
    assert datasets()["own-pets"].stamp != first.stamp, "other images under the same name are seen at once"


def changed(**changes: Any) -> Callable[[Path], None]:
    def damage(cache: Path) -> None:
        facts = json.loads((cache / "pets.json").read_text()) | changes
        text = json.dumps({key: value for key, value in facts.items() if value is not ...}, default=str)
        (cache / "pets.json").write_text(text)

    return damage


DAMAGE: dict[str, tuple[Callable[[Path], Any], str]] = {
    "no images": (lambda cache: (cache / "pets.npz").unlink(), r"pets\.npz is missing"),
    "cut images": (lambda cache: os.truncate(cache / "pets.npz", 500), "is 500 bytes; it was written with"),
    "no JSON": (lambda cache: (cache / "pets.json").write_text("{"), "as JSON"),
    "no UTF-8": (lambda cache: (cache / "pets.json").write_bytes(b"\xff"), "as JSON"),
    "a list": (lambda cache: (cache / "pets.json").write_text("[]"), "must hold an object"),
    "nested too deep": (lambda cache: (cache / "pets.json").write_text("[" * 10**5), "as JSON"),
    "a long file": (lambda cache: (cache / "pets.json").write_text(" " * 2**20 + "{}"), "stay below"),
    "another key": (changed(more=1), "object with just"),
    "a missing key": (changed(train=...), "object with just"),
    "a newer format": (changed(format=2), "another format than 1"),
    "a shape of two": (changed(shape=[8, 6]), "shape cannot be used"),
    "a shape of true": (changed(shape=[True, 8, 6]), "shape cannot be used"),
    "two channels": (changed(shape=[2, 8, 6]), "shape cannot be used"),
    "a huge side": (changed(shape=[1, 8, 10**6]), "shape cannot be used"),
    "no classes": (changed(class_names=[]), "class_names cannot be used"),
    "a class twice": (changed(class_names=["a", "a"]), "class_names cannot be used"),
    "numbers as classes": (changed(class_names=[1, 2]), "class_names cannot be used"),
    "an empty class": (changed(class_names=["", "b"]), "class_names cannot be used"),
    "256 classes": (changed(class_names=list(map(str, range(256)))), "class_names cannot be used"),
    "a negative count": (changed(test=-1), "test cannot be used"),
    "a decimal count": (changed(train=2.5), "train cannot be used"),
    "no stamp": (changed(stamp="zz"), "stamp cannot be used"),
    "a grey of 1": (changed(grey=1), "grey cannot be used"),
    "a folder": (lambda cache: ((cache / "pets.json").unlink(), (cache / "pets.json").mkdir()), "cannot be read"),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_damaged_data_are_one_sentence_and_leave_the_others_alone(case: str, cache: Path) -> None:
    add_images("pets", folder())
    add_npz("whole", npz())
    damage, named = DAMAGE[case]
    damage(cache)
    with pytest.raises(InvalidInput, match=named) as error:
        dataset("own-pets")
    assert "Remove the data" in str(error.value)
    assert list(datasets()) == [*DATASETS, "own-whole"]
    assert damaged_datasets() == [str(error.value)]


@pytest.mark.parametrize("case", ["classes", "shape"])
def test_images_that_differ_from_their_description_are_refused_when_opened(case: str, cache: Path) -> None:
    add_images("pets", folder())
    changed(**{"classes": {"class_names": ["cat"]}, "shape": {"shape": [1, 6, 8]}}[case])(cache)
    with pytest.raises(InvalidInput, match="Remove the data"):
        dataset("own-pets").load("train")


def test_damaged_data_can_be_removed(cache: Path) -> None:
    add_images("pets", folder())
    (cache / "pets.json").write_text("{")
    remove("pets")
    assert files_in(cache) == {} and damaged_datasets() == []


# A disk that is full, or cannot be written.


@contextmanager
def small_disk() -> Iterator[None]:
    """Files stop growing at 1000 bytes, as on a full disk: the system refuses, not a double of ours. For as short as
    can be: whatever this process writes meanwhile, be it the report of the tests, is refused as well."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_full_disk_is_one_sentence_and_no_half_file(cache: Path) -> None:
    files = folder()
    with pytest.raises(InvalidInput, match="free some space there, or set LATENT_DATA"), small_disk():
        add_images("pets", files)
    assert files_in(cache) == {}


def test_a_disk_that_is_full_at_the_last_moment(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = own.write_whole

    def full(path: Path, content: Any) -> None:
        if path.suffix == ".json":
            raise OSError(28, "No space left on device")
        write(path, content)

    monkeypatch.setattr(own, "write_whole", full)
    with pytest.raises(InvalidInput, match="No space left"):
        add_images("pets", folder())
    assert files_in(cache) == {}


def test_a_cache_that_is_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "taken").write_text("a file")
    monkeypatch.setenv("LATENT_DATA", str(tmp_path / "taken"))
    assert datasets() == DATASETS
    with pytest.raises(InvalidInput, match="cannot be kept"):
        add_images("pets", folder())
    assert (tmp_path / "taken").read_text() == "a file"
