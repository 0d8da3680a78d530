"""The page on super-resolution: what is drawn was measured, what is shown is what the methods do, and the way
through it."""

from __future__ import annotations

import io
import json
import re

import numpy as np
import pytest
import torch
from PIL import Image
from playwright.sync_api import Browser, expect
from streamlit.testing.v1 import AppTest

from benchmarks import super_resolution as benchmark
from tests.lessons import opened, text
from ui.cache import held_out
from ui.figures.super_resolution import fidelity_dots
from ui.lessons import super_resolution as lesson
from ui.lessons.super_resolution import FACTORS, KINDS, METHODS, NETWORK
from vae_core.checkpoints import read_bundled
from vae_core.errors import InvalidInput

CASES = [(name, factor) for name in KINDS for factor in FACTORS.values()]


def pictures(page: AppTest) -> str:
    return " ".join(element.proto.body for element in page.get("html"))


def photograph(side: int) -> bytes:
    file = io.BytesIO()
    pixels = torch.rand(side, side + 10, 3, generator=torch.Generator().manual_seed(2))
    Image.fromarray((255 * pixels).byte().numpy()).save(file, "PNG")
    return file.getvalue()


def test_the_bundled_networks_reach_what_they_must() -> None:
    """At 2x on photographs 1 dB above bicubic and above Lanczos, over the whole test set; better everywhere else."""
    for name, factor in CASES:
        row = lesson.measured(KINDS[name], factor)
        assert row["held_out"] == 10_000
        others = [row["psnr"][each] for each in METHODS if each != NETWORK]
        assert row["psnr"][NETWORK] > max(others) and row["ssim"][NETWORK] > max(
            row["ssim"][each] for each in METHODS if each != NETWORK
        )
    photographs = lesson.measured(KINDS["photographs"], 2)["psnr"]
    assert photographs[NETWORK] >= max(photographs["bicubic"], photographs["lanczos"]) + 1


def test_the_interpolators_are_at_their_best() -> None:
    for name, factor in CASES:
        tuned = lesson.measured(KINDS[name], factor)["bicubics"]
        assert max(tuned, key=tuned.get) == "sharp bicubic" and len(tuned) == 2


@pytest.mark.parametrize(("name", "factor"), CASES)
def test_what_the_results_say_is_what_the_methods_do(name: str, factor: int) -> None:
    kind = KINDS[name]
    row = lesson.measured(kind, factor)
    x = held_out(kind.data).images(torch.arange(0, 500))
    done = lesson.enlarged(kind, factor, x)
    assert list(done.made) == list(METHODS) == list(benchmark.METHODS)
    assert done.small.shape[-1] * factor == x.shape[-1]
    for key, each in done.made.items():
        assert each.pictures.shape == x.shape
        assert torch.equal((255 * each.pictures).round() / 255, each.pictures), "8 bits"
        assert each.decibels.mean().item() == pytest.approx(row["psnr"][key], abs=0.6), key  # 500 are not all
        assert each.alike.mean().item() == pytest.approx(row["ssim"][key], abs=0.04), key
    whole = done.made[NETWORK].decibels[:4]
    assert torch.allclose(lesson.enlarged(kind, factor, x[:4]).made[NETWORK].decibels, whole, atol=0.05)


@pytest.mark.parametrize(("name", "factor"), CASES)
def test_the_scores_beside_the_model_are_those_of_the_table(name: str, factor: int) -> None:
    """Not rounded to 8 bits there, so they may differ by a hundredth of a decibel or two."""
    kind = KINDS[name]
    metrics, row = read_bundled(lesson.model_name(kind, factor)).metrics, lesson.measured(kind, factor)
    assert metrics["held_out"] == row["held_out"]
    assert metrics["psnr"] == pytest.approx(row["psnr"][NETWORK], abs=0.05)
    assert metrics["baseline_psnr"] == pytest.approx(row["psnr"]["bicubic"], abs=0.05)


@pytest.mark.parametrize(("name", "factor"), [("digits", 4), ("photographs", 2)])
def test_failures_are_what_they_are_called(name: str, factor: int) -> None:
    kind = KINDS[name]
    found, source = lesson.failures(kind, factor), held_out(kind.data)
    assert (found.of_class > 0) == (len(found.changed) > 0) == kind.judged
    if kind.judged:
        x = source.images(found.changed)
        made = lesson.enlarged(kind, factor, x).made[NETWORK].pictures
        truth = source.labels[found.changed].long()
        assert torch.equal(lesson.read(kind, x).classes, truth)
        assert (lesson.read(kind, made).classes != truth).all()
    worst = lesson.enlarged(kind, factor, source.images(found.least[:3])).made
    gains = worst[NETWORK].decibels - worst["lanczos"].decibels
    torch.testing.assert_close(gains, found.gains[:3].to(gains), rtol=0, atol=0.05)
    assert found.gains[0] == found.gains.min()


def test_the_page_shows_what_was_measured() -> None:
    page = opened("super_resolution", data="digits", factor="4x", look="3")
    assert not page.exception and not page.error and not page.warning
    assert page.title[0].value.endswith("?")
    figure = json.loads(page.get("plotly_chart")[0].proto.spec)
    row = lesson.measured(KINDS["digits"], 4)
    assert [line["x"] for line in figure["data"]] == 2 * [["Nearest", "Bicubic", "Lanczos", "Network"]]
    assert figure["data"][0]["text"] == [f"{row['psnr'][key]:.2f}" for key in METHODS]
    x = held_out("mnist").images(torch.arange(6))
    made = lesson.enlarged(KINDS["digits"], 4, x).made
    shown = pictures(page)
    for each in made.values():
        assert f"{each.decibels.mean():.1f} dB, SSIM {each.alike.mean():.2f}" in shown, "the row"
    assert f"{made[NETWORK].decibels[2]:.1f} dB, SSIM {made[NETWORK].alike[2]:.2f}" in shown, "the third, closely"
    assert f"7 x 7 were given; {made['nearest'].decibels.mean():.1f} dB" in shown, "beside the pictures that were"
    assert shown.count("28 x 28 pixels") == 2 and "As given" not in shown, "one name each"
    assert "6 of 10,000 held-out images" in text(page) and "trained on the training images" in text(page)
    assert f"{row['read'][NETWORK]:.1%}" in text(page)


def test_without_the_whole_set_the_page_says_so() -> None:
    page = opened("super_resolution")
    assert not page.exception and not page.error and not page.warning
    assert "6 of 500 of the 10,000 held-out images of CIFAR-10" in text(page)
    assert "On all 10,000 held-out pictures" in [element.value for element in page.subheader]
    assert "also where this machine holds only a part of it" in text(page)


def test_pictures_factor_and_failures_can_be_changed() -> None:
    page = opened("super_resolution", data="digits")
    before = pictures(page)
    page = page.segmented_control(key="factor").set_value("4x").run()
    assert not page.exception and pictures(page) != before and "7 x 7" in pictures(page)
    before = pictures(page)
    page = page.segmented_control(key="wrong").set_value("least gained").run()
    assert not page.exception and pictures(page) != before and "no nearer to the original than Lanczos" in text(page)
    page = next(button for button in page.button if button.label == "Other pictures").click().run()
    assert page.query_params["set"] in ("1", ["1"]) and not page.exception


@pytest.mark.parametrize(
    ("key", "value"),
    [("data", "cats"), ("factor", "3x"), ("look", "7"), ("set", "-1"), ("set", "1e9"), ("wrong", "x"), ("own", "x"),
     ("side", "31")],
)  # fmt: skip
def test_a_link_that_asks_for_nonsense_gets_a_sentence(key: str, value: str) -> None:
    page = opened("super_resolution", **({"data": "digits"} if key in ("own", "wrong") else {}), **{key: value})
    assert not page.exception and not page.error
    assert any("The link asks for" in warning.value for warning in page.warning)


def test_a_photograph_of_ones_own_is_enlarged_and_what_is_none_gets_a_sentence() -> None:
    page = opened("super_resolution", side="128", factor="4x")
    upload = page.file_uploader(key="file")
    page = upload.set_value(("noise.png", photograph(140), "image/png")).run()
    assert not page.exception and not page.error
    assert "model's own data" not in text(page), "it has 128 pixels, the data have 32"
    assert "128 x 128 pixels" in pictures(page) and "Made 32 x 32 pixels small" in text(page)
    page = page.file_uploader(key="file").set_value(("small.png", photograph(40), "image/png")).run()
    assert any("must be at least 128 x 128" in error.value for error in page.error)
    page = page.file_uploader(key="file").set_value(("none.png", b"no picture", "image/png")).run()
    assert not page.exception and any("no picture that can be read" in error.value for error in page.error)


def test_a_digit_of_ones_own_is_enlarged() -> None:
    file, digit = io.BytesIO(), held_out("mnist").images(torch.tensor([3]))[0, 0]
    Image.fromarray((digit * 255).byte().numpy()).save(file, "PNG")
    page = opened("super_resolution", data="digits", own="upload")
    page = page.file_uploader(key="file").set_value(("three.png", file.getvalue(), "image/png")).run()
    assert not page.exception and not page.error and "Made 14 x 14 pixels small" in text(page)


@pytest.mark.parametrize("content", ["{}", "[]", "no json", '{"tuned_on": 9, "rows": [{}]}'])
def test_damaged_results_are_named(content: str, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "super_resolution.json"
    path.write_text(content)
    monkeypatch.setattr(lesson, "RESULTS", path)
    lesson.results.clear()  # type: ignore[attr-defined]
    with pytest.raises(InvalidInput, match=r"super_resolution\.json.*benchmarks\.super_resolution"):
        lesson.results()


def test_the_figure_draws_what_it_is_given() -> None:
    figure = fidelity_dots(["a", "b"], [20.0, 25.5], [0.9, 0.5], ["#000", "#111"])
    assert [list(line.y) for line in figure.data] == [[20.0, 25.5], [0.9, 0.5]]
    assert [line.yaxis for line in figure.data] == ["y", "y2"]
    assert list(figure.data[0].text) == ["20.00", "25.50"]
    low, high = figure.layout.yaxis2.range
    assert low < 0.5 and high > 0.9
    assert fidelity_dots(["a"], [20.0], [1.0], ["#000"]).layout.yaxis.range[0] < 20, "equal values have room as well"


def test_the_benchmark_measures_what_it_says() -> None:
    x = held_out("mnist").images(torch.arange(40))
    row = benchmark.measure("mnist", 4, x, x, held_out("mnist").labels[:40].long())
    made = lesson.enlarged(KINDS["digits"], 4, x).made
    for key, each in made.items():
        assert row["psnr"][key] == pytest.approx(each.decibels.mean().item(), abs=0.01)
        assert row["ssim"][key] == pytest.approx(each.alike.mean().item(), abs=1e-3)
    assert row["again"]["nearest"] == 0 < row["again"][NETWORK]
    assert row["otherwise"][NETWORK] != row["psnr"][NETWORK]
    assert np.isclose(row["read"]["original"], 1, atol=0.05)


@pytest.mark.browser
def test_in_a_browser_a_drawing_is_made_small_and_large_again(app: str, browser: Browser) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(f"{app}/super_resolution?data=digits")
    expect(page.get_by_role("img", name=re.compile("Network: 6 pictures"))).to_be_visible(timeout=60_000)
    expect(page.get_by_text("14 x 14 were given")).to_be_visible()
    pad = page.get_by_role("img", name=re.compile("Drawing canvas"))
    expect(page.get_by_text("Draw a digit: it is made small")).to_be_visible()
    expect(pad).to_be_visible()
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.8, steps=8)
    page.mouse.up()
    expect(page.get_by_text("Made 14 x 14 pixels small")).to_be_visible()
    expect(page.get_by_role("img", name="Bicubic, enlarged")).to_be_visible()
    choices = page.get_by_test_id("stBaseButton-segmented_control").or_(page.get_by_role("radio"))
    choices.filter(has_text="4x").first.click()
    expect(page.get_by_text("7 x 7 were given")).to_be_visible()
    expect(page.get_by_text("Made 7 x 7 pixels small")).to_be_visible()
    page.close()


def test_the_table_holds_every_result_and_each_failure_has_its_number_under_it() -> None:
    page = opened("super_resolution", data="digits", factor="4x", wrong="least gained")
    assert not page.exception
    shown = pictures(page)
    table = shown[shown.index('class="small-table wide"') :]
    for name, factor in CASES:
        row = lesson.measured(KINDS[name], factor)
        assert f">{row['psnr'][NETWORK]:.2f}, {row['ssim'][NETWORK]:.3f}<" in table
    found = lesson.failures(KINDS["digits"], 4)
    _, done = lesson.held_out_enlarged(KINDS["digits"], 4, tuple(found.least[:9].tolist()))
    for value in done.made[NETWORK].decibels.tolist():
        assert f">{value:.1f}</span>" in shown
