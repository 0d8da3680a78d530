"""The page on colourisation: what is shown is what the networks make, what is drawn was measured, and the way."""

from __future__ import annotations

import io
import json
import re
from typing import Any

import pytest
import torch
from PIL import Image
from playwright.sync_api import Browser, expect

from benchmarks import colourisation as benchmark
from tests.lessons import opened, rows, text
from ui import colour_strip as view
from ui.cache import held_out
from ui.figures.colourisation import Mark, error_and_colour
from ui.lessons import colourisation as lesson
from ui.lessons.colourisation import DRAWS
from vae_core.data.cifar10 import CIFAR10
from vae_core.errors import InvalidInput


def test_what_was_measured_teaches_what_the_page_says() -> None:
    """The average answer errs less than a draw, and has too little colour; the best of several draws errs less."""
    measured = lesson.results()
    methods, best = measured["methods"], [row["delta_e"] for row in measured["best_of"]]
    one = next(row for row in measured["temperatures"] if row["temperature"] == 1)
    assert measured["held_out"] == CIFAR10.held_out == 10_000 and measured["trained_on"] == 50_000
    assert methods["average"]["delta_e"] < methods["mean colour"]["delta_e"] < methods["grey"]["delta_e"]
    assert methods["average"]["delta_e"] < one["delta_e"]
    assert methods["average"]["chroma"] < 0.8 * methods["truth"]["chroma"]
    assert one["chroma"] == pytest.approx(methods["truth"]["chroma"], rel=0.15), "about as colourful as the truth"
    assert best == sorted(best, reverse=True) and best[0] == one["delta_e"]
    assert methods["grey"]["delta_e"] == pytest.approx(methods["truth"]["chroma"], abs=0.01)
    assert methods["truth"]["delta_e"] == 0
    nats = measured["nats"]
    assert nats["recon"] + nats["kl"] < nats["average"], "the truth is likelier under the conditional VAE"
    assert sum(measured["kl_per_latent"]) == pytest.approx(nats["kl"], abs=0.05)


def test_what_the_results_say_is_what_the_networks_do() -> None:
    measured = lesson.results()
    x = held_out("cifar10").images(torch.arange(300))
    made = lesson.coloured(x, lesson.noise(3, 300, 1))
    one = next(row for row in measured["temperatures"] if row["temperature"] == 1)
    for pictures, row in ((made.grey, measured["methods"]["grey"]), (made.average, measured["methods"]["average"]),
                          (made.draws[:, 0], one)):  # fmt: skip
        told = made.told(pictures)
        assert told.delta_e.item() == pytest.approx(row["delta_e"], rel=0.08)  # the first 300 are not all
        assert told.ab.item() == pytest.approx(row["ab"], rel=0.08)
        assert told.chroma.item() == pytest.approx(row["chroma"], rel=0.12, abs=0.01)


def test_no_temperature_makes_all_draws_one_and_a_seed_brings_them_back() -> None:
    cold = lesson.photographs(0, 2, 0, 0.0).draws
    assert cold.shape == (2, DRAWS, *CIFAR10.shape)
    torch.testing.assert_close(cold[:, 0], cold[:, 1])
    warm, again = (lesson.coloured(lesson.photographs(0, 2, 0, 0.0).truth, lesson.noise(7, 2, DRAWS)) for _ in range(2))
    assert torch.equal(warm.draws, again.draws) and not torch.equal(warm.draws[:, 0], warm.draws[:, 1])
    assert torch.equal(warm.average, lesson.photographs(0, 2, 0, 0.0).average), "the average does not draw"


def test_the_strip_passes_through_the_draw_itself() -> None:
    made, z = lesson.photographs(0, 2, 0, 1.0), lesson.noise(0, 2, DRAWS)[1, 2]
    latent = lesson.by_use()[0]
    film = lesson.strip(made.truth[1], z, latent)
    assert film.values == sorted(film.values) and film.values[film.own] == float(z[latent])
    assert {-3.0, 0.0, 3.0} <= set(film.values) and len(film.frames) == len(film.values)
    torch.testing.assert_close(film.frames[film.own], made.draws[1, 2], atol=1e-4, rtol=0)
    kl = lesson.results()["kl_per_latent"]
    assert kl[latent] == max(kl) and not torch.allclose(film.frames[0], film.frames[-1], atol=0.01)


def test_the_failures_are_the_worst_of_the_bundled_ones() -> None:
    assert lesson.results()["missed"] == benchmark.missed(lesson.mean_model())
    found = lesson.missed(7)
    assert len(found.names) == len(found.made.truth) == 7
    assert found.errors.tolist() == sorted(found.errors.tolist(), reverse=True)
    assert found.errors.min() > 1.5 * lesson.results()["methods"]["average"]["delta_e"]


def test_the_page_shows_both_answers_and_the_table() -> None:
    page = opened("colourisation", T="0.5", photo="3", draw="draw 2", latent="2")
    assert not page.exception and not page.error and not page.warning
    assert page.title[0].value.endswith("?")
    made = lesson.photographs(0, 7, 0, 0.5)
    for pictures in (made.grey, made.average, *made.draws.unbind(1)):
        told = made.told(pictures)
        assert f"ΔE {told.delta_e:.0f}, chroma {told.chroma:.0f}" in rows(page)
    assert "Draw 3, T = 0.5" in rows(page) and "True colours" in rows(page)
    table = next(each.proto.body for each in page.get("html") if "small-table" in each.proto.body)
    assert 'class="small-table"' in table, "narrow enough for a phone as it is"
    methods = lesson.results()["methods"]
    assert re.findall('data-head="ΔE">([^<]*)', table)[:3] == [
        f"{methods[name]['delta_e']:.2f}" for name in ("grey", "mean colour", "average")
    ]
    assert re.findall("Best of [0-9]+ draws", table) == ["Best of 2 draws", "Best of 5 draws", "Best of 10 draws"]
    figure = json.loads(page.get("plotly_chart")[0].proto.spec)
    assert [line["name"] for line in figure["data"][1:]] == ["No colour", "Mean colour", "Average answer", "Best of 10"]
    assert "trained on the 50,000 training images" in text(page) and "10,000 held-out images" in text(page)


def test_draws_and_photographs_can_be_exchanged() -> None:
    page = opened("colourisation")
    before = rows(page)
    page = next(button for button in page.button if button.label == "Draw again").click().run()
    assert not page.exception and rows(page) != before and page.query_params["seed"] in ("1", ["1"])
    drawn = rows(page)
    page = next(button for button in page.button if button.label == "Other photographs").click().run()
    assert not page.exception and rows(page) != drawn and page.query_params["set"] in ("1", ["1"])


def strips(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the page hands to its view, run by run."""
    told: list[dict[str, Any]] = []
    monkeypatch.setattr(
        view, "colour_strip", lambda frames, values, **rest: told.append({"frames": frames, "values": values, **rest})
    )
    return told


@pytest.mark.parametrize(
    ("label", "place", "seed"), [("Draw again", 0, 1), ("Other photographs", 1, 0)], ids=["draw", "photographs"]
)
def test_a_new_draw_begins_at_its_own_place(label: str, place: int, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The place that a hand chose is kept for the draw that it was chosen for; any other is as the rows show it."""
    told = strips(monkeypatch)
    page = opened("colourisation", z="0,0,1,0,0,0,3")
    assert not page.warning and told[-1]["values"][told[-1]["at"]] == 3.0
    page = next(button for button in page.button if button.label == label).click().run()
    assert not page.exception and not page.warning
    now = told[-1]
    own = lesson.noise(seed, 7, DRAWS)[0, 0, lesson.by_use()[0]].item()
    assert now["values"][now["at"]] == pytest.approx(own) and own not in (3.0, told[0]["values"][told[0]["at"]])
    made = lesson.photographs(place, 7, seed, 1.0).draws[0, 0]
    torch.testing.assert_close(now["frames"][now["at"]], made, atol=1e-4, rtol=0)
    assert now["about"] == "Photograph 1, draw 1"


def test_another_temperature_another_photograph_or_draw_begins_at_its_own_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = strips(monkeypatch)
    for link in ({"T": "0.5"}, {"photo": "2"}, {"draw": "draw 2"}, {"latent": "2"}):
        opened("colourisation", z="0,0,1,0,0,0,3", **link)
        assert told[-1]["values"][told[-1]["at"]] != 3.0, link


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("T", "nan"), ("T", "9"), ("photo", "8"), ("draw", "draw 99"), ("latent", "0"), ("set", "-1"),
        ("set", "999999"), ("seed", "x"), ("z", "1,2"), ("z", "0,0,0,3"), ("z", "nan,0,1,0,0,0,0"), ("data", "MNIST"),
    ],
)  # fmt: skip
def test_a_link_that_asks_for_nonsense_gets_a_sentence(key: str, value: str) -> None:
    page = opened("colourisation", **{key: value})
    assert not page.exception and not page.error
    assert any("The link asks for" in warning.value for warning in page.warning)


def photograph(side: int) -> bytes:
    file = io.BytesIO()
    pixels = (held_out("cifar10").images(torch.tensor([3]))[0] * 255).byte().permute(1, 2, 0).numpy()
    Image.fromarray(pixels).resize((side, side // 2)).save(file, "PNG")
    return file.getvalue()


def test_an_upload_is_coloured_and_what_is_none_gets_a_sentence() -> None:
    page = opened("colourisation")
    page = page.file_uploader(key="file").set_value(("sea.png", photograph(128), "image/png")).run()
    assert not page.exception and not page.error
    assert "of one photograph" in rows(page) and "32" in text(page)
    for content, said in ((b"no picture", "no picture that can be read"), (photograph(40), "at least 32")):
        page = page.file_uploader(key="file").set_value(("x.png", content, "image/png")).run()
        assert not page.exception and any(said in error.value for error in page.error)


@pytest.mark.parametrize("content", ["{}", "[]", "no json", '{"methods": {"grey": {}}}'])
def test_damaged_results_are_named(content: str, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "colourisation.json"
    path.write_text(content)
    monkeypatch.setattr(lesson, "RESULTS", path)
    lesson.results.clear()  # type: ignore[attr-defined]
    with pytest.raises(InvalidInput, match=r"colourisation\.json.*benchmarks\.colourisation"):
        lesson.results()
    lesson.results.clear()  # type: ignore[attr-defined]


def test_the_figure_draws_what_it_is_given() -> None:
    marks = [Mark("a", 1.0, 9.0, "#111111"), Mark("b", 2.0, 7.0, "#222222", "star", (30, 5))]
    figure = error_and_colour(marks, [0, 1], [(3.0, 8.0), (6.0, 10.0)], "#333333", 7.0)
    assert list(figure.data[0].x) == [3.0, 6.0] and list(figure.data[0].y) == [8.0, 10.0]
    assert list(figure.data[0].text) == ["", " T = 1"]
    assert [(point.x[0], point.y[0], point.name) for point in figure.data[1:]] == [(1.0, 9.0, "a"), (2.0, 7.0, "b")]
    names = [(each.x, each.y, each.ax, each.ay, each.text) for each in figure.layout.annotations[:2]]
    assert names == [(1.0, 9.0, 0, -24, "<b>a</b>"), (2.0, 7.0, 30, 5, "<b>b</b>")]
    assert figure.layout.shapes[0].x0 == 7.0
    low, high = figure.layout.yaxis.range
    assert 0 <= low < 7 and high > 10 and figure.layout.xaxis.range[1] > 7


@pytest.mark.browser
def test_in_a_browser_a_hand_moves_along_a_latent(app: str, browser: Browser) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(f"{app}/colourisation")
    large = page.get_by_test_id("coloured")
    expect(large).to_be_visible(timeout=60_000)
    expect(large).to_have_attribute("aria-label", re.compile(r"Photograph 1, draw 1, z1 = "), timeout=30_000)
    slider = page.get_by_role("slider", name="z1")
    slider.focus()
    slider.press("Home")
    expect(large).to_have_attribute("data-place", "0")
    expect(large).to_have_attribute("aria-label", re.compile("z1 = \u22123.00"))
    lowest = large.evaluate("canvas => canvas.toDataURL()")
    slider.press("End")
    expect(large).to_have_attribute("aria-label", re.compile(r"z1 = \+3.00"))
    assert large.evaluate("canvas => canvas.toDataURL()") != lowest
    expect(page).to_have_url(re.compile(r"z=" + r"0(%2C|,)0(%2C|,)1(%2C|,)" + r"0(%2C|,)" * 3 + "3"), timeout=30_000)
    latent = lesson.by_use()[0]
    for button, seed in (("Draw again", 1), ("Other photographs", 1)):
        slider.press("Home")
        expect(page).to_have_url(re.compile(r"z=[^&]*-3(&|$)"), timeout=30_000)
        page.get_by_role("button", name=button).click()
        own = f"{lesson.noise(seed, 7, DRAWS)[0, 0, latent]:+.2f}".replace("-", "\u2212")
        expect(large).to_have_attribute("aria-label", f"Photograph 1, draw 1, z1 = {own}", timeout=30_000)
    page.close()
