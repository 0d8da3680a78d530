"""The lesson on structure without labels: guesses before labels, what is slow can stop, and its claims are measured."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from playwright.sync_api import Browser, expect
from streamlit.testing.v1 import AppTest

from tests.lessons import opened
from ui.figures.structure import Card, Measured, Series, cluster_cards, contingency_heat, cost_lines, score_curves
from ui.lessons import structure as lesson
from vae_core.checkpoints import read_bundled
from vae_core.data import DATASETS
from vae_core.folders import PROJECT
from vae_core.latent import projections
from vae_core.latent.clusters import Timing, agreement, cut, distances, k_means, merges, silhouette

FEW = 240  # images, so that a page is quick


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Pages of few images, whose clusterings nobody else meets."""
    monkeypatch.setattr(lesson, "IMAGES", FEW)
    kept = (lesson._codes, lesson._pixels, lesson._sweep)
    for each in kept:
        each.clear()
    yield
    for each in kept:
        each.clear()


def cards(page: AppTest) -> str:
    return next(each.proto.body for each in page.get("html") if "clusters" in each.proto.body)


def words(page: AppTest) -> str:
    return " ".join(each.value for each in [*page.caption, *page.markdown])


def test_labels_come_only_when_they_are_asked_for(few: None) -> None:
    page = opened("structure")
    assert not page.exception and not page.error and not page.warning
    assert cards(page).count("<figure>") == 10
    assert cards(page).count("<b>?</b>") == 10
    assert not page.table and "ARI" not in words(page)
    assert f"The first {FEW} of 10,000 held-out images of MNIST, a subset" in words(page)
    page.toggle(key="labels").set_value(True).run()
    assert "<b>?</b>" not in cards(page) and "&nbsp;%" in cards(page)
    assert len(page.table) == 1 and "ARI is highest at" in words(page)


@pytest.mark.parametrize("link", [{"by": "hierarchical"}, {"of": "codes"}, {"data": "Fashion 2-D", "of": "codes"}])
def test_k_says_how_many_clusters_there_are(few: None, link: dict[str, str]) -> None:
    page = opened("structure", k="4", **link)
    assert not page.exception and not page.warning
    assert cards(page).count("<figure>") == 4
    sizes = [int(size.replace(",", "")) for size in re.findall(r"<figcaption>[A-D]: ([\d,]+)<", cards(page))]
    assert sum(sizes) == FEW and sizes == sorted(sizes, reverse=True)
    page.slider(key="k").set_value(7).run()
    assert cards(page).count("<figure>") == 7


@pytest.mark.parametrize(
    ("key", "value"), [("k", "1"), ("k", "nan"), ("of", "labels"), ("by", "<script>"), ("colour", "?"), ("maps", "2")]
)
def test_a_link_that_asks_for_nonsense_gets_a_sentence(few: None, key: str, value: str) -> None:
    page = opened("structure", **{key: value})
    assert not page.exception
    assert any("The link asks for" in warning.value for warning in page.warning)
    assert cards(page)


def test_the_curves_can_be_stopped_and_gone_on_with(few: None) -> None:
    page = AppTest.from_file(str(PROJECT / "pages" / "structure.py"), default_timeout=60)
    page.session_state["stopped curves"] = True
    page.run()
    assert not page.exception
    assert "By its silhouette" not in words(page)
    page.button(key="go on").click().run()
    assert "By its silhouette" in words(page)


def test_three_maps_with_their_progress_and_a_stop(few: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(codes: np.ndarray, seed: int, progress: projections.Progress) -> np.ndarray:
        progress(0.5, "half of it")
        return projections.pca(codes, seed, progress)

    for name in ("tsne", "umap"):
        entry = replace(projections.PROJECTIONS[name], compute=slow)
        monkeypatch.setitem(projections.PROJECTIONS, name, entry)
    page = opened("structure")
    assert sum("not drawn yet" in caption.value for caption in page.caption) == 2
    page.toggle(key="maps").set_value(True).run()
    assert not page.exception
    assert not any("not drawn yet" in caption.value for caption in page.caption)
    page.session_state["stopped maps"] = True
    page.run()
    assert any("Stopped" in info.value for info in page.info)


def test_costs_are_measured_on_the_spot(few: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lesson, "SIZES", (60, 120, 240, 480))
    page = opened("structure", of="codes")
    assert "extrapolated" not in words(page)
    page.button(key="measure").click().run()
    assert not page.exception
    assert re.search(
        r"\*\*k-means\*\*: .* n to the \d\.\d\d.*\*\*hierarchical\*\*: .* n to the", words(page), re.DOTALL
    )


def test_a_stopped_measurement_leaves_the_next_its_turn() -> None:
    class Stop(Exception):
        pass

    def report(share: float, text: str) -> None:
        if "took" in text:
            raise Stop

    results: dict[str, list[Timing]] = {}
    with pytest.raises(Stop):
        lesson.measure(next(iter(lesson_cards())), lesson.CODES, results, report)
    assert len(results["k-means"]) == 1  # what was measured stays
    assert not lesson.timing.locked()


def lesson_cards() -> list:  # type: ignore[type-arg]
    from ui.cards import model_cards

    return list(model_cards().values())


def first_codes(name: str, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Codes, pixels and labels of the first held-out images."""
    loaded = read_bundled(name)
    source = DATASETS[loaded.dataset].load("test")
    images = source.images(torch.arange(count))
    with torch.inference_mode():
        codes = loaded.model.encode(images).mean.numpy()  # type: ignore[operator]
    return codes, images.flatten(1).numpy(), source.labels[:count].long().numpy()


def test_what_the_lesson_says_of_codes_and_pixels_is_so() -> None:
    deep, pixels, labels = first_codes("mnist-10d-vae-beta1", 2000)
    flat, *_ = first_codes("mnist-2d-ae", 2000)
    found = {name: k_means(points, 10) for name, points in (("deep", deep), ("pixels", pixels), ("flat", flat))}
    ari = {name: agreement(labels, clusters).ari for name, clusters in found.items()}
    assert ari["deep"] > ari["pixels"] + 0.1 > ari["flat"] + 0.15
    apart = {name: silhouette(distances(points), found[name]) for name, points in (("deep", deep), ("flat", flat))}
    assert apart["flat"] > 2 * apart["deep"]  # the most separated clusters are the worst digits


def test_what_the_lesson_says_of_sprites_is_so() -> None:
    codes, _, labels = first_codes("sprites-10d-vae-beta4", 1000)
    assert abs(agreement(labels, cut(merges(codes), 10)).ari) < lesson.NO_ARI


def test_curves_hide_what_labels_say() -> None:
    each = Series("codes", "#123456", [2, 3], [0.1, 0.2], [0.3, 0.4], [0.5, 0.6])
    hidden, shown = (score_curves([each], 3, 20, revealed=revealed) for revealed in (False, True))
    assert [list(trace.y) for trace in hidden.data if trace.y[0] is not None] == [[0.1, 0.2]]
    assert [list(trace.y) for trace in shown.data if trace.y[0] is not None] == [[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]]
    assert all(figure.layout.shapes[0].x0 == 3 for figure in (hidden, shown))


def test_the_table_carries_every_number_and_shows_shares() -> None:
    heat = contingency_heat(np.array([[30, 10], [0, 5]]), ["cat", "dog"]).data[0]
    assert [list(row) for row in heat.text] == [["30", "10"], ["", "5"]]
    assert heat.z.tolist() == [[0.75, 0.25], [0, 1]]


def test_costs_are_drawn_to_a_power() -> None:
    line = Measured("k-means", "#123456", [1000, 2000], [0.1, 0.2], 1.0, [(2000, 0.2), (60_000, 6.0)])
    figure = cost_lines([line], (250, 60_000))
    assert list(figure.data[1].y) == pytest.approx([0.2, 6.0])
    assert figure.layout.annotations[0].text == "<b>n<sup>1.00</sup></b>"
    assert "Nothing" in cost_lines([], (250, 60_000)).layout.annotations[0].text


def test_class_names_cannot_carry_html() -> None:
    card = Card(mean=b"", members=b"", size=3, word="<b>cat", share=1.0, hue=0)
    assert "&lt;b&gt;cat" in cluster_cards([card])


@pytest.mark.browser
def test_a_student_counts_guesses_and_reveals(browser: Browser, app: str) -> None:
    page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
    page.set_default_timeout(60_000)
    page.goto(f"{app}/structure?of=codes&data=MNIST+2-D")
    clusters = page.get_by_test_id("clusters")
    expect(clusters.locator("figure")).to_have_count(10, timeout=90_000)
    assert (box := clusters.bounding_box()) is not None and box["y"] + box["height"] < 800  # all on one screen
    expect(page.get_by_text("By its silhouette alone")).to_be_visible(timeout=60_000)
    page.get_by_role("slider").first.focus()
    page.keyboard.press("ArrowRight")
    expect(clusters.locator("figure")).to_have_count(11)
    expect(page).to_have_url(re.compile("k=11"))
    expect(clusters).to_contain_text("?")
    page.get_by_text("Reveal the labels", exact=True).click()
    expect(clusters).not_to_contain_text("?")
    expect(page.get_by_text("What the labels say")).to_be_visible()
