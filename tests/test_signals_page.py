"""The page on anomalies in signals: what is stored is what was measured, what is trained here is scored here, and files
that cannot be used get a sentence."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from functools import partial

import numpy as np
import pytest
from playwright.sync_api import Browser, TimeoutError, expect
from streamlit.testing.v1 import AppTest

from benchmarks import signals as benchmark
from tests.lessons import opened, text
from ui import frame
from ui.figures.signals import area_curves, beat_figure, class_lines, kind_bars, score_heap
from ui.lessons import signals as lesson
from ui.lessons.signals import GROUPS, METHODS, OWN, SIMULATED
from vae_core.data.heartbeats import NORMAL, simulated
from vae_core.errors import InvalidInput
from vae_core.metrics.ranking import auroc, average_precision


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The page without its router, few simulated beats, and a short training."""
    monkeypatch.setattr(frame, "go_through_the_router", lambda: None)
    monkeypatch.setattr(lesson, "SIMULATED_BEATS", (60, 12))
    monkeypatch.setattr(lesson, "new_training", partial(lesson.new_training, steps=120))
    lesson.simulated_task.clear()  # type: ignore[attr-defined]
    yield
    lesson.simulated_task.clear()  # type: ignore[attr-defined]


def charts(page: AppTest) -> list[dict]:
    return [json.loads(chart.proto.spec) for chart in page.get("plotly_chart")]


def trained(page: AppTest) -> AppTest:
    """Press Train, and wait for the end."""
    page.button(key="train").click().run()
    if "signals job" in page.session_state:
        page.session_state["signals job"].thread.join()
        page.run()
    assert not page.exception and not page.error and "signals job" not in page.session_state
    return page


def table(labels: bool = True) -> bytes:
    """Simulated beats as somebody's file."""
    beats = simulated(60, 6, seed=2)
    assert beats.labels is not None
    rows = [",".join(f"{value:.3f}" for value in row) for row in beats.values]
    if labels:
        rows = [f"{'fine' if label == NORMAL else 'odd'},{row}" for label, row in zip(beats.labels, rows, strict=True)]
    return "\n".join(rows).encode()


def uploaded(content: bytes, **link: str) -> AppTest:
    page = opened("signals", data=OWN, **link)
    return page.file_uploader(key="file").set_value(("mine.csv", content, "text/csv")).run()


def test_the_stored_scores_are_those_that_were_measured() -> None:
    view, series = lesson.stored(), lesson.results()["series"]["ecg5000"]
    assert len(view.score) == series["held_out"] == 4500
    assert len(view.training_scores["network"]) == series["trained_on"] == 292
    assert [row["latent"] for row in series["rows"]] == list(benchmark.LATENTS)
    row = next(row for row in series["rows"] if row["latent"] == view.latent)
    assert auroc(view.ranking()) == pytest.approx(row["network"]["auroc"][benchmark.SEED], abs=2e-4)
    assert auroc(view.ranking("pca")) == pytest.approx(row["pca"]["auroc"], abs=2e-4)
    assert auroc(view.ranking("mean")) == pytest.approx(series["mean"]["auroc"], abs=2e-4)
    assert average_precision(view.ranking("pca")) == pytest.approx(row["pca"]["average_precision"], abs=5e-4)
    assert auroc(view.ranking()) > 0.99, "the page says that most strange beats are noticed"


def test_what_the_page_says_of_the_methods_is_what_was_measured() -> None:
    def row(data: str, latent: int) -> dict:
        return next(row for row in lesson.results()["series"][data]["rows"] if row["latent"] == latent)

    recorded = lesson.results()["series"]["ecg5000"]["rows"]
    assert all(np.mean(row["network"]["auroc"]) > row["pca"]["auroc"] for row in recorded), "ahead of PCA"
    assert np.mean(row("ecg5000", 2)["network"]["auroc"]) - row("ecg5000", 2)["pca"]["auroc"] < 0.005, "by very little"
    networks = [each for row in lesson.results()["series"]["simulated"]["rows"] for each in row["network"]["auroc"]]
    assert row("simulated", 4)["pca"]["auroc"] > max(networks), "PCA is ahead"
    for data, best in (("ecg5000", 2), ("simulated", 4)):
        rows = lesson.results()["series"][data]["rows"]
        errors, areas = zip(*((row["pca"]["error"], row["pca"]["auroc"]) for row in rows), strict=True)
        assert list(errors) == sorted(errors, reverse=True) and max(areas) == row(data, best)["pca"]["auroc"]
        assert areas[-1] < max(areas) - 0.02, "it rises at first, then falls"


def test_the_kept_beats_have_the_scores_that_are_told_of_them() -> None:
    view = lesson.stored()
    errors = np.sqrt(((view.values - view.rebuilt) ** 2).mean(axis=1))
    np.testing.assert_allclose(errors, view.score[view.places], rtol=2e-3)
    groups = [len(lesson.drawable(view, group, view.threshold())) for group in GROUPS]
    assert all(groups) and sum(groups) == len(view.places) == sum(benchmark.EXAMPLES.values())


def test_the_page_shows_what_was_stored() -> None:
    page = opened("signals")
    assert not page.exception and not page.error and not page.warning
    assert page.title[0].value.endswith("?")
    beat, kinds, areas = charts(page)
    view = lesson.stored()
    place = int(lesson.drawable(view, "strange, noticed", view.threshold())[0])
    drawn = {line.get("name"): line for line in beat["data"] if line.get("showlegend") is not False}
    assert set(drawn) == {"the beat", "what the network rebuilds"}
    assert f"{view.score[view.places[place]]:.3g}" == page.metric[0].value
    assert beat["layout"]["yaxis"]["title"]["text"] == "standard deviations"
    assert len(kinds["data"][0]["text"]) == 5 and kinds["data"][0]["text"][0].endswith("of 2,627")
    assert [line["name"] for line in areas["data"]] == ["autoencoder", "PCA", "mean signal"]
    words = text(page)
    assert "trained on 292 normal beats" in words and "4,500 held-out beats" in words and "stored" in words
    assert "not a healthy heart" in words and "Goldberger et al. 2000" in words and "ODC-BY" in words
    best = max(METHODS, key=lambda method: auroc(view.ranking(method)))
    assert f"Best: **{METHODS[best]}**" in words
    assert f"AUROC **{auroc(view.ranking()):.3f}**" in words and not re.search(r"0\.\d{4}", words), "one precision"


def test_every_kind_of_beat_can_be_looked_at() -> None:
    page = opened("signals")
    seen = set()
    for group, (strange, alarm) in GROUPS.items():
        page = page.selectbox(key="group").set_value(group).run()
        assert not page.exception and not page.info
        words = text(page)
        assert ("**Alarm**" in words) == alarm and ("Label: **normal**" in words) != strange
        seen.add(page.metric[0].value)
    page = next(button for button in page.button if button.label == "Another one").click().run()
    assert page.query_params["nth"] in ("1", ["1"]) and page.metric[0].value not in seen


def test_a_threshold_from_a_link_is_used() -> None:
    page = opened("signals", at="1000", group="strange, missed")
    assert "the threshold is 1e+03" in text(page)
    assert charts(page)[1]["data"][0]["text"][0] == "0 of 2,627"
    page = opened("signals", at="1000")
    assert any("Move it, or choose another kind" in info.value for info in page.info)


def test_without_recorded_beats_training_on_them_says_what_is_missing() -> None:
    page = opened("signals")
    page = page.button(key="train").click().run()
    assert not page.exception and "signals job" not in page.session_state
    assert any("ecg5000.npz" in warning.value and "simulated" in warning.value for warning in page.warning)


def test_simulated_beats_are_shown_trained_on_and_called_simulated() -> None:
    page = opened("signals", data=SIMULATED)
    assert not page.exception and not page.warning and len(charts(page)) == 1
    assert "McSharry" in text(page) and "press Train" in text(page)
    page = trained(page)
    trace = page.session_state["signals trace"]
    assert trace.ended and trace.step == trace.steps >= 120 and trace.view is not None
    assert len(trace.task.train) == 30 and len(trace.view.score) == 30 + 4 * 12
    words = text(page)
    assert "Trained here" in words and "Simulated, not recorded" in words and "trained on 30 normal beats" in words
    assert charts(page)[0]["layout"]["yaxis"]["title"]["text"] == "mV"
    assert "trained here" in [line["name"] for line in charts(page)[2]["data"]]
    kinds = lesson.kinds(trace.view, trace.view.threshold())
    assert [kind.members for kind in kinds] == [30, 12, 12, 12, 12] and kinds[0].area is None
    trained(page)
    assert page.session_state["signals trace"].start == 1, "again means from another start"
    page = page.segmented_control(key="latent").set_value("8").run()
    assert "press Train" in text(page), "what was trained with 2 latents is not shown for 8"


def test_of_somebodys_file_only_the_title_speaks_of_heartbeats() -> None:
    page = uploaded(table())
    labels = " ".join(str(element.label) for element in [*page.selectbox, *page.button, *page.get("file_uploader")])
    opening = page.markdown[0].value
    assert "beat" not in opening + labels and "one signal" in opening


def test_a_training_can_be_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lesson, "new_training", partial(lesson.new_training, steps=10**5))
    page = opened("signals", data=SIMULATED)
    page.button(key="train").click().run()
    assert page.button(key="train").disabled
    job = page.session_state["signals job"]
    page.button(key="stop signals job").click().run()
    job.thread.join(60)
    page.run()
    assert not job.is_running and not page.exception and "signals job" not in page.session_state
    assert not page.session_state["signals trace"].ended


def test_a_file_with_labels_is_trained_on_its_normal_half_and_judged() -> None:
    page = uploaded(table())
    assert not page.exception and not page.error
    assert "84 signals of 140 samples" in text(page) and "Column 1 is taken for labels" in text(page)
    page = trained(page)
    trace = page.session_state["signals trace"]
    assert len(trace.task.train) == 30 and trace.task.normal == "fine" and trace.view.strange.sum() == 24
    assert "line " in text(page) and "held-out signals" in text(page)
    page = page.selectbox(key="normal class").set_value("not known").run()
    assert "press Train" in text(page), "another question, another training"


def test_a_file_without_labels_is_ranked_and_said_to_be_no_proof() -> None:
    page = trained(uploaded(table(labels=False)))
    view = page.session_state["signals trace"].view
    assert view.strange is None
    order = np.argsort(-view.score, kind="stable")
    assert page.metric[0].value == f"{view.score[order[0]]:.3g}"
    assert f"Rank 1 of 84: line {order[0] + 1} of the file" in text(page)
    assert "none is held-out" in text(page)
    page = page.slider(key="rank").set_value(3).run()
    assert page.metric[0].value == f"{view.score[order[2]]:.3g}"
    page = page.slider(key="share").set_value(50.0).run()
    assert "**42** of 84 signals" in text(page)
    page = trained(page.selectbox(key="part").set_value("the first half").run())
    assert "held-out ones" in text(page) and len(page.session_state["signals trace"].view.score) == 42


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (table(labels=False).replace(b",", b",,", 1), "Line 1 has 141 columns"),
        (table(labels=False).replace(b"0.", b"x.", 1), "which is no number"),
        (b"PK\x03\x04", "a workbook"),
        (b"", "empty"),
    ],
    ids=["gap", "text", "workbook", "nothing"],
)
def test_a_file_that_cannot_be_used_gets_a_sentence(content: bytes, sentence: str) -> None:
    page = uploaded(content)
    assert not page.exception and any(sentence in error.value for error in page.error)
    page = page.file_uploader(key="file").set_value(("mine.csv", table(), "text/csv")).run()
    assert not page.exception and not page.error


def test_a_refused_file_hides_no_training_and_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lesson, "new_training", partial(lesson.new_training, steps=10**5))
    page = uploaded(table())
    page.button(key="train").click().run()
    job, read, real = page.session_state["signals job"], [], lesson.read_signals
    monkeypatch.setattr(lesson, "read_signals", lambda *given: read.append(given) or real(*given))
    page.file_uploader(key="file").set_value(("bad.csv", b"PK\x03\x04", "text/csv")).run()
    for _ in range(3):  # as the page does every second while a training goes on
        page.run()
        assert ["a workbook" in error.value for error in page.error] == [True] and not page.exception
        assert page.button(key="stop signals job") and job.is_running
    assert len(read) == 1
    page.button(key="stop signals job").click().run()
    job.thread.join(60)
    page.run()
    assert "signals job" not in page.session_state and len(page.error) == 1 and len(read) == 1


def test_a_score_that_is_the_threshold_is_an_alarm_with_labels_and_without() -> None:
    view = lesson.stored()
    at = float(view.score[7])
    assert view.alarms(at)[7] and not view.alarms(np.nextafter(at, np.inf))[7]
    assert sum(kind.alarms for kind in lesson.kinds(view, at)) == (view.score >= np.float32(at)).sum()
    page = trained(uploaded(table(labels=False), share="100"))
    assert "**1** of 84 signals" in text(page) and "**Alarm**" in text(page), "all were trained on: the strangest"
    assert "No alarm" in text(page.slider(key="rank").set_value(2).run())


@pytest.mark.parametrize(
    ("key", "value"),
    [("data", "nonsense"), ("latent", "3"), ("group", "sad"), ("at", "nan"), ("at", "1,2"), ("nth", "-1"),
     ("start", "x")],
)  # fmt: skip
def test_a_link_that_asks_for_nonsense_gets_a_sentence(key: str, value: str) -> None:
    page = opened("signals", **{key: value})
    assert not page.exception and not page.error
    assert any("The link asks for" in warning.value for warning in page.warning)


@pytest.mark.parametrize("content", ["{}", "[]", "no json", '{"series": {"ecg5000": {}}, "kept": {}}'])
def test_damaged_results_are_named(content: str, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "signals.json"
    path.write_text(content)
    monkeypatch.setattr(lesson, "RESULTS", path)
    lesson.results.clear()  # type: ignore[attr-defined]
    with pytest.raises(InvalidInput, match=r"signals\.json.*benchmarks\.signals"):
        lesson.results()
    lesson.results.clear()  # type: ignore[attr-defined]


def test_the_figures_draw_what_they_are_given() -> None:
    values, rebuilt = np.array([0.0, 1, 4]), np.array([0.0, 3, 4])
    beat = beat_figure(values, rebuilt, unit="mV")
    assert [list(line.y) for line in beat.data[-3:]] == [[0, 1, 4], [0, 3, 4], [0, 2, 0]]
    classes = class_lines([values] * 2, [values] * 2, [rebuilt] * 2, ["a", "b"], [False, True], unit="mV")
    assert [note.text for note in classes.layout.annotations] == ["<b>a</b>", "<b>b</b>"]
    scores = np.linspace(0, 1, 90)
    heap = score_heap(scores, None, 0.4, unit="mV")
    assert len(heap.data) == 1 and sum(heap.data[0].y) == 90 and heap.layout.shapes[0].x0 == 0.4
    assert len(score_heap(scores, scores[:40], 0.4, unit="mV").data) == 2
    bars = kind_bars(
        ["a long name of a class", "b"], [0.1, 0.9], ["1 of 10", "9 of 10"], ["", "AUROC 0.9"], [False, True]
    )
    assert list(bars.data[0].x) == [0.1, 0.9] and list(bars.data[0].y) == [
        "a long name<br>of a class",
        "b<br>AUROC 0.9",
    ]
    areas = area_curves([1, 2], [[0.9, 0.8], [0.95]], [0.7, 0.75], 0.6, (2, 0.93))
    assert list(areas.data[0].y) == [pytest.approx(0.85), 0.95] and list(areas.data[-1].y) == [0.93]


@pytest.mark.browser
def test_in_a_browser_a_training_is_watched_and_the_threshold_dragged(app: str, browser: Browser) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 1300})
    page.goto(f"{app}/signals?data=simulated")
    page.get_by_role("button", name="Train on normal ones").click(timeout=60_000)
    field = page.get_by_test_id("threshold")  # it comes while the training goes on
    expect(field).to_be_visible(timeout=180_000)
    with suppress(TimeoutError):  # a quick machine has ended by now; that a Stop works is tested without a browser
        page.get_by_test_id("stBaseButton-secondary").filter(has_text="Stop").click(timeout=1000)
    expect(page.get_by_text(re.compile("Stopped: |Trained here: "))).to_be_visible(timeout=60_000)
    expect(page.get_by_test_id("cost")).to_contain_text("Cost per 1,000 beats: ")
    before = field.get_attribute("aria-valuenow")
    box = field.bounding_box()
    assert box and before
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + box["height"] / 2, steps=5)
    page.mouse.up()
    expect(page).to_have_url(re.compile("at="), timeout=30_000)
    after = field.get_attribute("aria-valuenow")
    assert after and float(after) > float(before)
    expect(page.get_by_text(f"the threshold is {float(after):.3g}")).to_be_visible(timeout=30_000)
    page.close()
