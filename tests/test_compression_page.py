"""The page on compression: what it shows is what is written and read back; stored curves are those of the models."""

from __future__ import annotations

import json
import re
from itertools import pairwise

import numpy as np
import pytest
import torch
from playwright.sync_api import Browser, expect
from streamlit.testing.v1 import AppTest

from tests.lessons import opened
from ui.cache import checkpoint, encoded, held_out
from ui.figures.compression import Curve, rate_curves, symbol_bars
from ui.lessons import compression as lesson
from vae_core.data import dataset
from vae_core.errors import InvalidInput
from vae_core.latent.codecs import FORMATS, Setting
from vae_core.latent.coding import decibels, fit_table, read, write
from vae_core.latent.pictures import to_bytes
from vae_core.recipes.reduction import LATENTS_REDUCTION


def words(page: AppTest) -> str:
    return " ".join(element.value for element in [*page.markdown, *page.caption])


def rows(page: AppTest) -> dict[str, str]:
    """What stands beside each row of pictures."""
    body = next(each.proto.body for each in page.get("html") if "Held-out images" in each.proto.body)
    named = re.findall(r"</span>(\w+)</b><br><span[^>]*>([^<]+)<", body)
    return dict(named)


def test_all_sizes_and_steps_were_measured() -> None:
    measured = lesson.results()
    assert [row["latent"] for row in measured["rows"]] == list(LATENTS_REDUCTION)
    assert measured["held_out"] == len(held_out("mnist")) and measured["held_out"] % measured["file"] == 0
    for row in measured["rows"]:
        decoder = checkpoint(f"mnist-{row['latent']}d-ae-mse").model.decoder
        assert row["weights"] == sum(parameter.numel() for parameter in decoder.parameters())
        assert [point["step"] for point in row["points"]] == measured["steps"]
        for point in row["points"]:
            assert point["bits"] == pytest.approx(point["cross_entropy"], rel=0.01), "the coder reaches its promise"
            assert point["cross_entropy"] >= point["entropy"]
        finest = row["points"][-1]
        assert finest["error"] == pytest.approx(row["unquantised"], rel=0.1)


@pytest.mark.parametrize(("latent", "place"), [(2, 4), (8, 3)])
def test_a_stored_point_is_what_the_files_of_all_images_give(latent: int, place: int) -> None:
    name, (quantiser, tables) = f"mnist-{latent}d-ae-mse", lesson.coder(latent, place)
    symbols = quantiser.symbols(encoded(name).codes)
    files = [write(part, tables) for part in np.split(symbols, 10)]
    back = np.concatenate([read(file, tables, 1000) for file in files])
    assert (back == symbols).all()
    point = lesson.row_of(latent)["points"][place]
    assert 8 * sum(map(len, files)) / len(symbols) == pytest.approx(point["bits"], rel=1e-3)
    with torch.inference_mode():
        pictures = to_bytes(checkpoint(name).model.decode(quantiser.codes(back)))
    pixels = to_bytes(held_out("mnist").images(torch.arange(len(symbols))))
    error = ((pictures.float() - pixels.float()) / 255).square().mean().item()
    assert error == pytest.approx(point["error"], rel=1e-3)


def test_the_tables_come_from_training_images_alone() -> None:
    quantiser, (kept,) = lesson.coder(1, 2)
    train = dataset("mnist").load("train")
    with torch.inference_mode():
        model = checkpoint("mnist-1d-ae-mse").model
        codes = torch.cat([model.encode(train.images(part)).mean for part in torch.arange(len(train)).split(2000)])
    assert codes.mean(0).item() == pytest.approx(quantiser.centre.item(), abs=1e-3)
    assert codes.std(0).item() == pytest.approx(quantiser.step.item() / lesson.results()["steps"][2], rel=1e-3)
    fitted = fit_table(quantiser.symbols(codes)[:, 0])
    assert fitted.lowest == kept.lowest
    assert np.abs(fitted.frequencies - kept.frequencies).max() <= 8, "but for rounding at a cell's edge"


def test_the_page_shows_what_was_written() -> None:
    page = opened("compression", latent="8", step="1/4")
    assert not page.exception and not page.error and not page.warning
    coded = lesson.coded(8, 4)
    assert coded.exact and coded.written.bits == pytest.approx(coded.expected, rel=0.01)
    shown = rows(page)
    assert shown["Autoencoder"] == f"{coded.written.bits:.1f} bits, {decibels(coded.written.error):.1f} dB"
    for format in FORMATS:
        sheet = lesson.sheet(lesson.nearest(format, coded.written.bits))
        assert shown[format] == f"{sheet.bits:.1f} bits, {decibels(sheet.error):.1f} dB"
    assert f"{coded.written.size:,} bytes" in words(page) and "every number came back exactly" in words(page)
    assert "10,000 held-out images of MNIST" in words(page)


def test_where_a_format_cannot_follow_it_is_said() -> None:
    assert "Not at equal size" in words(opened("compression", latent="2", step="1"))
    assert "Not at equal size" not in words(opened("compression", latent="64", step="1/4"))


def test_the_price_of_the_decoder() -> None:
    cheap, dear = lesson.price(16, 3), lesson.price(64, 5)
    point = lesson.row_of(16)["points"][3]
    assert cheap.images is not None
    assert (cheap.images - 1) * (cheap.rival_bits - point["bits"]) < cheap.bits
    assert cheap.images * (cheap.rival_bits - point["bits"]) >= cheap.bits
    assert f"after **{cheap.images:,} images**" in words(opened("compression", latent="16", step="1/2"))
    assert dear.images is None and "**never** paid for" in words(opened("compression", latent="64", step="1/8"))


@pytest.mark.parametrize("format", FORMATS)
def test_best_settings_get_better_with_every_bit(format: str) -> None:
    points = lesson.best(format)
    assert all(a["bits"] < b["bits"] and a["error"] > b["error"] for a, b in pairwise(points))
    for point in lesson.results()["formats"][format]["points"]:
        assert any(each["bits"] <= point["bits"] and each["error"] <= point["error"] for each in points)
    middle = points[len(points) // 2]
    assert lesson.nearest(format, middle["bits"]) == Setting(format, middle["quality"], middle["side"])
    corners = lesson.hull(format)
    bits, errors = (np.array([each[key] for each in corners]) for key in ("bits", "error"))
    for point in points:
        assert point["error"] >= np.interp(point["bits"], bits, errors) - 1e-12, "nothing lies below the hull"
    assert lesson.bits_for(format, corners[1]["error"]) == pytest.approx(corners[1]["bits"])
    assert lesson.bits_for(format, (errors[0] + errors[1]) / 2) == pytest.approx((bits[0] + bits[1]) / 2)
    assert lesson.bits_for(format, 1.0) == bits[0] and lesson.bits_for(format, 0.0) is None


def test_a_table_of_each_latent_and_of_the_only_one() -> None:
    page = opened("compression", latent="4", of="latent 4")
    assert not page.warning and page.selectbox(key="of").value == "latent 4"
    page = page.segmented_control(key="latent").set_value("2").run()
    assert not page.exception and page.selectbox(key="of").value == "latent 1", "latent 4 has gone"
    assert not opened("compression", latent="1").selectbox


@pytest.mark.parametrize("key", ["latent", "step", "set", "of", "data"])
@pytest.mark.parametrize("value", ["nan", "-1", "<script>", "3"])
def test_a_link_that_asks_for_nonsense_gets_a_sentence(key: str, value: str) -> None:
    if (key, value) == ("set", "3"):
        return  # there is such a set
    page = opened("compression", **{key: value})
    assert not page.exception and not page.error
    assert any("The link asks for" in warning.value and value in warning.value for warning in page.warning)


def test_without_its_files_the_page_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setattr(lesson, "TABLES", tmp_path / "none.safetensors")
    lesson.coder.clear()
    with pytest.raises(InvalidInput, match=re.escape("benchmarks.compression --write")):
        lesson.coder(2, 0)
    (tmp_path / "cut.json").write_text(json.dumps(lesson.results())[:50])
    monkeypatch.setattr(lesson, "RESULTS", tmp_path / "cut.json")
    lesson.results.clear()
    with pytest.raises(InvalidInput, match=re.escape("benchmarks.compression --write")):
        lesson.results()
    page = opened("compression")
    assert not page.exception and "benchmarks.compression" in page.error[0].value
    lesson.results.clear()


def test_figures_draw_what_they_are_given() -> None:
    curve = Curve("a", [1, 10], [11, 20], ["step 1", "step 1/2"], "#000")
    figure = rate_curves(curve, [curve, curve], [curve._replace(name="JPEG")], 1)
    assert [list(line.y) for line in figure.data[:-1]] == [[11, 20]] * 4
    assert (list(figure.data[-1].x), list(figure.data[-1].y)) == ([10], [20]), "the ring"
    figure = symbol_bars([-1, 0], [0.25, 0.75], [0.5, 0.5], [2, 0.4], "#000")
    assert [list(bars.y) for bars in figure.data] == [[0.25, 0.75], [0.5, 0.5]]
    assert list(figure.data[0].text) == ["2.0", "0.4"]


@pytest.mark.browser
def test_in_a_browser_a_coarser_step_makes_a_smaller_file(app: str, browser: Browser) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(f"{app}/compression?latent=32")
    written = page.get_by_text(re.compile(r"[\d,]+ bytes from a range coder"))
    expect(written).to_be_visible(timeout=60_000)
    found = []
    for step, place in (("1/4", 4), ("1/2", 3)):
        page.get_by_test_id("stBaseButton-segmented_control").or_(page.get_by_role("radio")).filter(
            has_text=step
        ).first.click()
        coded = lesson.coded(32, place)
        words = f"{coded.written.bits:.1f} bits, {decibels(coded.written.error):.1f} dB"
        expect(page.get_by_text(words)).to_be_visible()
        found.append(coded.written.size)
    assert found[1] < found[0]
    expect(page.get_by_role("img", name="JPEG: 6 pictures")).to_be_visible()
    page.close()
