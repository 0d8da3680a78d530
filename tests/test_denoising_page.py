"""The page on denoising: what is drawn was measured, what is shown is what the methods do, and the way through it."""

from __future__ import annotations

import io
import json
import math
import re

import pytest
import torch
from PIL import Image
from playwright.sync_api import Browser, expect

from benchmarks import denoising as benchmark
from tests.lessons import opened, rows, text
from ui.cache import held_out
from ui.figures.denoising import fidelity_curves
from ui.lessons import denoising as lesson
from ui.lessons.denoising import METHODS, NOISES
from vae_core.errors import InvalidInput
from vae_core.imaging.filters import median, noise_level, non_local_means


def test_the_bundled_network_reaches_what_it_must() -> None:
    """Gaussian noise of standard deviation 0.5: 12 dB above what it is given, and above non-local means."""
    assert lesson.results()["held_out"] == len(held_out("mnist")) == 10_000
    row = lesson.measured_at(NOISES["Gaussian"], 0.5)
    assert row["level"] == 0.5
    assert row["psnr"]["noisy"] == pytest.approx(-20 * math.log10(0.5), abs=0.05), "nothing is clipped"
    assert row["psnr"]["denoising"] >= row["psnr"]["noisy"] + 12
    assert row["psnr"]["denoising"] > row["psnr"]["non-local means"]
    clipped = lesson.measured_at(NOISES["Gaussian, clipped"], 0.5)
    assert clipped["psnr"]["noisy"] > row["psnr"]["noisy"] + 3, "clipping alone brings a mostly black picture nearer"
    assert clipped["psnr"]["denoising"] > max(clipped["psnr"]["non-local means"], clipped["psnr"]["median"])


@pytest.mark.parametrize("name", NOISES)
def test_what_the_results_say_is_what_the_methods_do(name: str) -> None:
    noise, x = NOISES[name], held_out("mnist").images(torch.arange(400))
    row = lesson.measured_at(noise, 0.5)
    made = lesson.cleaned(x, lesson.damaged(x, noise, 0.5, 1), row["filters"])
    assert list(made) == list(METHODS) == list(benchmark.METHODS)
    for key, each in made.items():
        assert each.pictures.shape == x.shape
        assert each.decibels == pytest.approx(row["psnr"][key], abs=0.6), key  # the first 400 are not all
        assert each.alike == pytest.approx(row["ssim"][key], abs=0.06), key


def test_there_are_levels_within_and_beyond_the_training() -> None:
    lowest, highest = lesson.results()["trained"]
    for noise in NOISES.values():
        levels = [row["level"] for row in lesson.rows_of(noise)]
        assert levels == sorted(levels) == list(benchmark.LEVELS)
        assert lowest < levels[0] and sum(level > highest for level in levels) >= 2


def test_the_noise_of_a_picture_is_estimated() -> None:
    x = held_out("mnist").images(torch.arange(50))
    for sigma in (0.1, 0.5):
        found = noise_level(lesson.damaged(x, NOISES["Gaussian"], sigma, 0))
        assert found.mean().item() == pytest.approx(sigma, rel=0.15)
    flat = torch.full((3, 1, 20, 20), 0.4)
    assert noise_level(flat).abs().max() < 1e-6


@pytest.mark.parametrize("channels", [1, 3])
def test_filters_leave_a_flat_picture_and_smooth_a_noisy_one(channels: int) -> None:
    flat = torch.full((2, channels, 16, 20), 0.4)
    noisy = flat + 0.1 * torch.randn(flat.shape)
    for mended in (lambda x: median(x, 3), lambda x: non_local_means(x, 5, 0.1)):
        torch.testing.assert_close(mended(flat), flat)
        assert mended(noisy).shape == flat.shape
        assert (mended(noisy) - flat).std() < 0.6 * (noisy - flat).std()
    lonely = torch.zeros(1, 1, 9, 9)
    lonely[..., 4, 4] = 1
    assert median(lonely, 3).max() == 0
    with pytest.raises(InvalidInput, match="median of 4"):
        median(flat, 4)


def test_the_page_shows_what_was_measured() -> None:
    page = opened("denoising", noise="salt and pepper", level="0.35")
    assert not page.exception and not page.error and not page.warning
    assert page.title[0].value.endswith("?")
    figure = json.loads(page.get("plotly_chart")[0].proto.spec)
    assert [line["name"] for line in figure["data"]] == 2 * [
        "Noisy, as given", "Median filter", "Non-local means", "Plain AE", "Denoising AE"
    ]  # fmt: skip
    assert figure["layout"]["xaxis"]["title"]["text"] == NOISES["salt and pepper"].unit
    assert figure["layout"]["yaxis"]["title"]["text"] == "PSNR, dB"
    shown = rows(page)
    assert all(method.title in shown for method in METHODS.values())
    x = held_out("mnist").images(torch.arange(7))
    noise = NOISES["salt and pepper"]
    made = lesson.cleaned(x, lesson.damaged(x, noise, 0.35, 0), lesson.measured_at(noise, 0.35)["filters"])
    assert all(f"{each.decibels:.1f} dB, SSIM {each.alike:.2f}" in shown for each in made.values())
    assert "7 of 10,000 held-out images" in text(page) and "trained on the training images" in text(page)


def test_level_and_images_can_be_changed() -> None:
    page = opened("denoising")
    before = rows(page)
    page = page.slider(key="level").set_value(0.9).run()
    assert not page.exception and rows(page) != before and "(beyond the network's training)" in text(page)
    page = page.slider(key="level").set_value(0.0).run()
    assert not page.exception and "equal, SSIM 1.00" in rows(page)
    page = next(button for button in page.button if button.label == "Other images").click().run()
    assert page.query_params["set"] in ("1", ["1"]) and not page.exception


@pytest.mark.parametrize(
    ("key", "value"),
    [("noise", "fog"), ("level", "nan"), ("level", "2"), ("set", "-1"), ("set", "1428"), ("own", "x"), ("data", "x")],
)
def test_a_link_that_asks_for_nonsense_gets_a_sentence(key: str, value: str) -> None:
    page = opened("denoising", **{key: value})
    assert not page.exception and not page.error
    assert any("The link asks for" in warning.value for warning in page.warning)


def test_an_upload_is_damaged_and_mended_and_what_is_none_gets_a_sentence() -> None:
    page = opened("denoising", own="upload")
    file = io.BytesIO()
    digit = held_out("mnist").images(torch.tensor([3]))[0, 0]
    Image.fromarray((digit * 255).byte().numpy()).save(file, "PNG")
    page = page.file_uploader(key="file").set_value(("three.png", file.getvalue(), "image/png")).run()
    assert not page.exception and not page.error and "Your picture" in rows(page)
    assert "damaged 7 times" in text(page)
    page = page.file_uploader(key="file").set_value(("none.png", b"no picture", "image/png")).run()
    assert not page.exception and any("no picture that can be read" in error.value for error in page.error)


@pytest.mark.parametrize("content", ["{}", "[]", "no json", '{"series": [{"rows": [{}]}]}'])
def test_damaged_results_are_named(content: str, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "denoising.json"
    path.write_text(content)
    monkeypatch.setattr(lesson, "RESULTS", path)
    lesson.results.clear()  # type: ignore[attr-defined]
    with pytest.raises(InvalidInput, match=r"denoising\.json.*benchmarks\.denoising"):
        lesson.results()


def test_the_figure_draws_what_it_is_given() -> None:
    looks = [("#000", "solid", "circle"), ("#111", "dot", "x")]
    decibels, alike = [[20, 5], [25, 9]], [[0.9, 0.1], [1, 0.2]]
    figure = fidelity_curves([0.1, 0.9], decibels, alike, ["a", "b"], looks, (0.0, 0.6), 0.5, x="level")
    assert [list(line.y) for line in figure.data] == [[20, 5], [25, 9], [0.9, 0.1], [1, 0.2]]
    assert [line.yaxis for line in figure.data] == ["y", "y", "y2", "y2"]
    shaded = figure.layout.shapes[0]
    assert (shaded.x0, shaded.x1, figure.layout.shapes[1].x0) == (0.0, 0.6, 0.5)


@pytest.mark.browser
def test_in_a_browser_a_drawing_is_damaged_and_mended(app: str, browser: Browser) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(f"{app}/denoising?level=0.35")
    expect(page.get_by_role("img", name=re.compile("Denoising autoencoder: 7"))).to_be_visible(timeout=60_000)
    before = page.get_by_text("SSIM").first.text_content()
    page.get_by_role("combobox", name=re.compile("Noise")).click()
    page.get_by_role("option", name="masking").click()
    expect(page.get_by_text("SSIM").first).not_to_have_text(before or "", timeout=30_000)
    pad = page.get_by_role("img", name=re.compile("Drawing canvas"))
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.8, steps=8)
    page.mouse.up()
    expect(page.get_by_role("img", name="Your picture: 7 pictures")).to_be_visible(timeout=30_000)
    page.close()
