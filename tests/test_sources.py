"""Where images live, how they are streamed to a device that cannot hold them, and a fixed black and white draw."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.conftest import blobs
from vae_core.data import DATASETS, streaming
from vae_core.data.base import StoredImages
from vae_core.data.binarise import Binarised, random_words, scrambled
from vae_core.data.streaming import Streamed, free_memory, stays_on_device

CPU = torch.device("cpu")


def pixels(count: int = 60) -> Tensor:
    return blobs(count, (1, 6, 6))[0]


@pytest.mark.parametrize(
    ("size", "free", "resident"),
    [(0, None, True), (2**50, None, True), (500, 1000, True), (501, 1000, False), (1, 0, False)],
)
def test_images_stay_on_the_device_while_they_take_at_most_half_of_it(
    size: int, free: int | None, resident: bool
) -> None:
    assert stays_on_device(size, free) == resident


def test_on_the_cpu_everything_is_resident() -> None:
    assert free_memory(CPU) is None
    images, labels = blobs(60, (1, 6, 6))
    assert StoredImages(images.numpy(), labels.numpy()).is_resident
    assert all(dataset.load("test").is_resident for dataset in DATASETS.values())


def test_a_source_that_does_not_fit_gives_the_same_images(monkeypatch: pytest.MonkeyPatch) -> None:
    images, labels = blobs(60, (1, 6, 6))
    here = StoredImages(images.numpy(), labels.numpy())
    monkeypatch.setattr("vae_core.data.base.free_memory", lambda device: images.nbytes)
    elsewhere = StoredImages(images.numpy(), labels.numpy())
    assert not elsewhere.is_resident and len(elsewhere) == 60 and elsewhere.shape == here.shape
    for index in torch.randperm(60).split(16):  # the last one is smaller
        found = elsewhere.images(index)
        assert found.dtype == torch.float32 and torch.equal(found, here.images(index))


class LateDevice(Streamed):
    """A device whose copies are only done when somebody waits for them, as late as CUDA's may be."""

    def __init__(self, pixels: Tensor) -> None:
        self.late: list[tuple[Tensor, Tensor]] = []
        super().__init__(pixels, CPU)

    def _copy(self, gathered: Tensor) -> Tensor:
        arriving = torch.full_like(gathered, 99)
        self.late.append((arriving, gathered))
        return arriving

    def _fence(self) -> LateFence:
        return LateFence(self)


class LateFence:
    def __init__(self, device: LateDevice) -> None:
        self.device = device
        self.copies: list[tuple[Tensor, Tensor]] = []

    def record(self) -> None:
        self.copies, self.device.late = self.device.late, []

    def synchronize(self) -> None:
        for arriving, gathered in self.copies:
            arriving.copy_(gathered)
        self.copies = []


def test_no_buffer_is_filled_again_before_its_copy_is_done() -> None:
    stored = pixels()
    device = LateDevice(stored)
    order = torch.randperm(60).split(7)
    batches = [device.batch(index) for index in order]
    assert (batches[-1] == 99).all() and (batches[-2] == 99).all(), "the host is two batches ahead"
    for fence in device.fences:
        fence.synchronize()
    for index, batch in zip(order, batches, strict=True):
        assert torch.equal(batch, stored[index])


def test_this_test_would_see_a_buffer_filled_too_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LateFence, "record", lambda fence: None)  # nobody ever waits
    device = LateDevice(pixels())
    batches = [device.batch(index) for index in torch.arange(60).split(10)]
    for arriving, gathered in device.late:
        arriving.copy_(gathered)
    assert not torch.equal(torch.cat(batches), pixels())


def test_buffers_grow_with_the_batch_and_are_used_again() -> None:
    stored = pixels()
    streamed = Streamed(stored, CPU)
    for size in (4, 4, 9, 9, 2, 2):
        assert torch.equal(streamed.batch(torch.arange(size)), stored[:size])
    assert [len(buffer) for buffer in streamed.buffers] == [9, 9]
    assert not torch.equal(streamed.batch(torch.tensor([3])), streamed.batch(torch.tensor([4])))
    with pytest.raises(IndexError):
        streamed.batch(torch.tensor([60]))


def test_only_a_cuda_device_gets_events_and_page_locked_buffers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The calls to CUDA, without a CUDA device: which ones, and in which order."""
    calls: list[str] = []

    class Event:
        def record(self, stream: str) -> None:
            calls.append(f"record in {stream}")

        def synchronize(self) -> None:
            calls.append("wait")

    plain = torch.empty

    def empty(shape: tuple[int, ...], dtype: torch.dtype, device: object = None, pin_memory: bool = False) -> Tensor:
        calls.append("page-locked buffer" if pin_memory else f"batch on {device}")
        return plain(shape, dtype=dtype)

    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: f"stream of {device}")
    monkeypatch.setattr(streaming.torch, "empty", empty)
    streamed = Streamed(pixels(), torch.device("cuda", 1))
    streamed.batch(torch.arange(5))
    assert calls == ["wait", "page-locked buffer", "batch on cuda:1", "record in stream of cuda:1"]
    calls.clear()
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1000, 2000))
    assert free_memory(torch.device("cuda")) == 1000


# A fixed draw of black and white.


def plainly(word: int) -> int:
    """The hash in Python's whole numbers."""
    word ^= word >> 16
    word = word * 0x7FEB352D % 2**32
    word ^= word >> 15
    word = word * 0x846CA68B % 2**32
    return word ^ word >> 16


def test_the_hash_is_the_one_that_it_says() -> None:
    words = [0, 1, 2, 783, 2**16, 2**31 - 1, 2**31, 2**32 - 1]
    assert scrambled(torch.tensor(words)).tolist() == [plainly(word) for word in words]
    seed, image, pixel = 2**40 + 7, 123_456, 700
    key = plainly(plainly(plainly(plainly(7) ^ 2**8) ^ image))
    expected = plainly((key + plainly(pixel)) % 2**32)
    assert random_words(seed, torch.tensor([image]), 784)[0, pixel].item() == expected


def grey_source(level: int, count: int = 400) -> StoredImages:
    return StoredImages(np.full((count, 1, 10, 10), level, np.uint8), np.zeros(count, np.uint8))


def test_a_draw_is_the_same_in_any_batch() -> None:
    images, labels = blobs(60, (1, 6, 6))
    drawn = Binarised(StoredImages(images.numpy(), labels.numpy()), seed=3)
    assert len(drawn) == 60 and drawn.shape == (1, 6, 6) and drawn.is_resident and drawn.factors is None
    assert torch.equal(drawn.labels, labels)
    whole = drawn.images(torch.arange(60))
    assert whole.dtype == torch.float32 and set(whole.unique().tolist()) == {0.0, 1.0}
    for index in (torch.tensor([41]), torch.tensor([59, 0, 7, 7]), torch.arange(60).flip(0)):
        assert torch.equal(drawn.images(index), whole[index])


def test_another_seed_is_another_draw() -> None:
    index = torch.arange(50)
    draws = [Binarised(grey_source(128), seed).images(index) for seed in (0, 1, 2**32)]
    assert not torch.equal(draws[0], draws[1]) and not torch.equal(draws[0], draws[2])


@pytest.mark.parametrize("level", [0, 1, 77, 128, 254, 255])
def test_a_pixel_is_drawn_with_its_grey_value(level: int) -> None:
    drawn = Binarised(grey_source(level), seed=0).images(torch.arange(400))
    share = level / 255
    assert abs(drawn.mean().item() - share) <= 4 * (share * (1 - share) / drawn.numel()) ** 0.5


def test_pixels_and_images_are_drawn_independently() -> None:
    drawn = Binarised(grey_source(128), seed=0).images(torch.arange(400)).flatten(1)  # [400, 100]
    assert len(drawn.unique(dim=0)) == 400 and len(drawn.T.unique(dim=0)) == 100
    largest = 5.5 / 400**0.5  # 4950 pairs: the largest of so many normal numbers stays below 5.5 sigma
    assert (torch.corrcoef(drawn.T) - torch.eye(100)).abs().max() < largest
    assert (torch.corrcoef(drawn) - torch.eye(400)).abs().max() < 6 / 100**0.5


def test_black_and_white_stays_as_it_is() -> None:
    source = DATASETS["sprites"].load("test")
    index = torch.tensor([0, 17, 9999])
    assert torch.equal(Binarised(source, seed=0).images(index), source.images(index))
