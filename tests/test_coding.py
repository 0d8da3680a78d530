"""Quantised codes as files, and sheets as JPEG and WebP: answers that are known, and files that come back exactly."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
import torch
from PIL import Image

from vae_core.errors import InvalidInput
from vae_core.latent import coding
from vae_core.latent.codecs import FORMATS, Setting, jpeg_overhead, sheet_file, sheet_images
from vae_core.latent.coding import (
    FARTHEST,
    PRECISION,
    TOTAL,
    Quantiser,
    Table,
    cross_entropy,
    decibels,
    entropy,
    fit_table,
    read,
    write,
)
from vae_core.metrics.fidelity import psnr


def table(*frequencies: int, lowest: int = 0) -> Table:
    return Table(lowest, np.array(frequencies, dtype=np.int64))


def test_entropy_of_known_distributions() -> None:
    assert entropy(np.arange(8).repeat(5)) == pytest.approx(3)
    assert entropy(np.array([7, 7, -2, 30])) == pytest.approx(1.5)
    assert entropy(np.zeros(9, dtype=np.int64)) == 0


def test_cross_entropy_is_what_the_shares_say() -> None:
    known = table(TOTAL // 2, TOTAL // 4, TOTAL // 8, TOTAL // 8)  # the last one is the escape
    symbols = np.array([[0], [0], [1], [2]])
    assert cross_entropy(symbols, [known]).tolist() == pytest.approx([(1 + 1 + 2 + 3) / 4])
    assert known.bits(np.array([9])).tolist() == pytest.approx([3 + PRECISION]), "an escape, and the number itself"


def test_a_table_knows_the_shares_of_what_it_was_fitted_on() -> None:
    found = fit_table(np.array([-1] * 30 + [0] * 60 + [2] * 10))
    assert found.lowest == -1 and found.frequencies.sum() == TOTAL and found.frequencies.min() == 1
    assert (found.frequencies / TOTAL).tolist() == pytest.approx([0.3, 0.6, 0, 0.1, 0], abs=1e-4)
    rng = np.random.default_rng(0)
    training, others = (rng.normal(0, 3, 50_000).round().astype(np.int64) for _ in range(2))
    costs = cross_entropy(others[:, None], [fit_table(training)])[0]
    assert entropy(others) <= costs < entropy(others) + 0.01
    gaussian = 0.5 * math.log2(2 * math.pi * math.e * 9)  # differential entropy; the cells have width 1
    assert costs == pytest.approx(gaussian, abs=0.02)


@pytest.mark.parametrize("seed", range(40))
def test_every_file_comes_back_and_is_as_long_as_the_cross_entropy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    count, latents, width = int(rng.integers(0, 300)), int(rng.integers(1, 9)), 10 ** rng.uniform(-1.5, 2.5)
    tables = [fit_table((rng.normal(size=400) * width).round().astype(np.int64)) for _ in range(latents)]
    wild = rng.standard_t(1.5, size=(count, latents)) * width * rng.choice([0.3, 1, 4])  # many escapes
    symbols = np.clip(wild.round(), -FARTHEST, FARTHEST).astype(np.int64)
    data = write(symbols, tables)
    assert (read(data, tables, count) == symbols).all()
    promised = cross_entropy(symbols, tables).sum() * count if count else 0
    assert abs(8 * len(data) - promised) <= 0.001 * promised + 24


def test_a_long_file_is_within_a_thousandth_of_the_cross_entropy() -> None:
    rng = np.random.default_rng(1)
    tables = [fit_table((rng.normal(size=20_000) * scale).round().astype(np.int64)) for scale in (0.4, 2, 9)]
    symbols = (rng.normal(size=(4000, 3)) * (0.4, 2, 9)).round().astype(np.int64)
    data = write(symbols, tables)
    assert (read(data, tables, 4000) == symbols).all()
    assert 8 * len(data) / 4000 == pytest.approx(cross_entropy(symbols, tables).sum(), rel=1e-3)


def test_escapes_reach_both_ends() -> None:
    narrow = [table(TOTAL - 1, 1), table(1, TOTAL - 1, lowest=-5)]
    symbols = np.array([[0, -5], [FARTHEST, -FARTHEST], [-FARTHEST, FARTHEST], [0, 0], [-1, -4]])
    assert (read(write(symbols, narrow), narrow, len(symbols)) == symbols).all()


def test_what_is_certain_costs_nothing() -> None:
    certain = fit_table(np.full(1000, 4))
    symbols = np.full((50_000, 1), 4)
    data = write(symbols, [certain])
    assert len(data) <= 2  # 50,000 times 2e-5 bits
    assert (read(data, [certain], 50_000) == 4).all()
    assert write(np.zeros((0, 1), dtype=np.int64), [certain]) == b""
    assert read(b"", [certain], 0).shape == (0, 1)


def test_carries_run_as_far_as_they_must(monkeypatch: pytest.MonkeyPatch) -> None:
    words = [3, 2**32 - 1, 2**32 - 1]
    coding._carry(words)
    assert words == [4, 0, 0]
    carried = []
    monkeypatch.setattr(coding, "_carry", lambda words: (carried.append(1), words.__setitem__(-1, words[-1] + 1)))
    rng = np.random.default_rng(0)
    tables = [table(1, TOTAL - 2, 1)]
    for _ in range(200):
        symbols = rng.integers(0, 2, size=(60, 1))
        assert (read(write(symbols, tables), tables, 60) == symbols).all()
    assert carried, "these files need some"


def test_a_uniform_quantiser_errs_by_a_twelfth_of_the_squared_step() -> None:
    step = torch.tensor([0.5, 2.0])
    quantiser = Quantiser(torch.tensor([0.1, -3.0]), step)
    codes = (torch.rand(200_000, 2, generator=torch.Generator().manual_seed(0)) - 0.5) * 40
    symbols = quantiser.symbols(codes)
    back = quantiser.codes(symbols)
    assert ((back - codes).abs() <= step / 2 + 1e-5).all()
    assert (back - codes).square().mean(0).tolist() == pytest.approx((step**2 / 12).tolist(), rel=0.01)
    assert (quantiser.symbols(back) == symbols).all()


@pytest.mark.parametrize("step", [0.0, -1.0, math.nan, math.inf])
def test_a_step_that_is_none_is_refused(step: float) -> None:
    with pytest.raises(InvalidInput, match="step"):
        Quantiser(torch.zeros(1), torch.tensor([step]))


@pytest.mark.parametrize("code", [math.nan, math.inf, 40_000.0])
def test_a_code_too_far_away_is_refused(code: float) -> None:
    with pytest.raises(InvalidInput, match="larger step"):
        Quantiser(torch.zeros(1), torch.ones(1)).symbols(torch.tensor([[code]]))


def test_tables_that_are_none_are_refused() -> None:
    for frequencies in ((TOTAL,), (TOTAL, 0), (1, 1), (TOTAL + 1, -1)):
        with pytest.raises(InvalidInput, match="sum to 65536"):
            table(*frequencies)
    with pytest.raises(InvalidInput, match="widen the step"):
        fit_table(np.array([-10_000, 10_000]))


def test_decibels_are_those_of_the_metric() -> None:
    x, y = torch.rand(2, 1, 1, 9, 9)
    assert decibels((x - y).square().mean().item()) == pytest.approx(psnr(x, y).item(), abs=1e-4)
    assert decibels(0.01) == pytest.approx(20) and decibels(0) == math.inf


def smooth(count: int) -> torch.Tensor:
    """Pictures uint8 [count, 1, 12, 12], each of a grey of its own, brighter to the right."""
    grey = torch.arange(count)[:, None, None, None] * 9 + torch.arange(12) * 2 + torch.zeros(12, 1, dtype=torch.int64)
    return grey.to(torch.uint8)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("count", [1, 7, 16])
def test_a_sheet_brings_its_pictures_back_in_order(format: str, count: int) -> None:
    pictures = smooth(count)
    back = sheet_images(sheet_file(pictures, Setting(format, 95)), count, 12, 12)
    assert back.shape == pictures.shape and back.dtype == torch.uint8
    assert (back.double() - pictures.double()).abs().mean() < 3
    shrunk = sheet_file(pictures, Setting(format, 95, 6))
    assert Image.open(io.BytesIO(shrunk)).height == 6 * math.ceil(count / math.ceil(math.sqrt(count)))
    assert sheet_images(shrunk, count, 12, 12).shape == pictures.shape


def test_the_headers_of_a_jpeg_are_what_is_not_image() -> None:
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 40), dtype=np.uint8)).save(file, "JPEG")
    data = file.getvalue()
    scan = data.index(b"\xff\xda")
    begins = scan + 2 + int.from_bytes(data[scan + 2 : scan + 4], "big")
    assert jpeg_overhead(data) == begins + 2  # and the end-of-image marker
    assert 100 < jpeg_overhead(sheet_file(smooth(4), Setting("JPEG", 50))) < 700


@pytest.mark.parametrize("setting", [("GIF", 50), ("JPEG", 0), ("WebP", -1), ("WebP", 101), ("JPEG", 50, 0)])
def test_settings_that_there_are_not(setting: tuple) -> None:
    with pytest.raises(InvalidInput, match="JPEG"):
        sheet_file(smooth(1), Setting(*setting))
