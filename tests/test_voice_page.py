"""The page on voices: what is measured, what is shown, recordings of one's own, and its main path in a browser."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import torch
from playwright.sync_api import Browser, expect

from benchmarks.voice import guessed
from tests.lessons import opened, rows, text
from tests.test_voice import KINDS, wav
from ui import voice_view as view
from ui.lessons import voice as lesson
from vae_core.audio.spectra import HOP
from vae_core.audio.wav import RATE, read_wav
from vae_core.data import dataset
from vae_core.data.spoken_digits import DIGITS, SPEAKERS


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the views are told, the newest last."""
    calls: list[dict[str, Any]] = []

    def seen(sources: Any, codes: Any, voices: Any, **rest: Any) -> None:
        calls.append({"sources": sources, "codes": tuple(codes), "voices": voices, **rest})

    monkeypatch.setattr(view, "voice_view", seen)
    return calls


def test_naive_bayes_guesses_what_the_codes_tell_and_no_more() -> None:
    takes = torch.arange(5).repeat(8)
    labels = torch.arange(8).repeat_interleave(5) % 2
    telling = torch.stack([labels, labels + 2], 1)
    assert guessed(telling, labels, takes, 2, 4) == 1
    assert guessed(torch.zeros(40, 3, dtype=torch.long), labels, takes, 2, 4) == 0.5


def test_the_stored_numbers_are_those_of_the_bundled_model() -> None:
    found, model = lesson.results(), lesson.model()
    source = dataset("voices").load("test")
    codes = model.heard(source.images(torch.arange(len(source))))
    counts = torch.bincount(codes.flatten(), minlength=model.config.codes)
    assert torch.tensor(found["uses"]["digit"]).sum(1).tolist() == counts.tolist()
    assert torch.tensor(found["uses"]["speaker"]).sum(1).tolist() == counts.tolist()
    assert found["held_out"] == len(source) == 300
    assert found["bits_per_second"]["codes"] == pytest.approx(np.log2(model.config.codes) * RATE / (4 * HOP))


def test_the_digit_survives_and_the_voice_changes() -> None:
    found = lesson.results()
    assert min(found["original"]["digit"], found["original"]["target"]) > 0.9, "the judges are good judges"
    converted = found["converted"]
    assert converted["digit"] > 0.7 and converted["target"] > 0.7 > 0.2 > converted["source"]
    assert found["from_codes"]["digit"] > 0.5 > 0.1


def test_where_a_code_occurs_is_said() -> None:
    assert lesson.use(7, [0, 3, 0, 1] + [0] * 6, 8) == (
        "Code 7: 50.0% of all in the held-out recordings; most in one 75%, three 25%."
    )
    assert "no held-out recording" in lesson.use(7, [0] * 10, 8)
    assert len(lesson.uses()) == lesson.model().config.codes


def test_codes_are_cut_together() -> None:
    assert lesson.spliced((1, 2, 3, 4), (5, 6, 7, 8), 1) == (1, 6, 7, 8)
    assert lesson.spliced((1, 2, 3, 4), (5, 6), 2) == (1, 2, 6)
    assert lesson.spliced((1, 2), (5, 6), 2) == (1, 2)


def test_the_page_shows_a_recording_its_codes_and_six_voices(told: list[dict[str, Any]]) -> None:
    page = opened("voice", digit="six", by="lucas", take="3", voice="george")
    assert not page.exception and not page.error and not page.warning
    main, spliced = told[-2:]
    (source,) = main["sources"]
    assert source.name == "“six” by lucas, take 3"
    assert main["at"] == SPEAKERS.index("george") and [each.name for each in main["voices"]] == list(SPEAKERS)
    expected = lesson.recorded(DIGITS.index("six"), SPEAKERS.index("lucas"), 3)
    assert main["codes"] == expected.codes and torch.equal(source.spectrum, expected.spectrum)
    assert spliced["codes"][: spliced["cut"]] == expected.codes[: spliced["cut"]]
    assert len(read_wav(source.sound).samples) == len(expected.codes) * 4 * HOP
    assert "chance 10%" in text(page) and "said by each of the five others" in rows(page)


def test_codes_are_said_as_the_model_says_them() -> None:
    heard = lesson.recorded(3, 1, 0)
    voices = lesson.said(heard.codes)
    with torch.inference_mode():
        alone = lesson.model().spoken(torch.tensor([heard.codes]), torch.tensor([4]))[0, 0]
    torch.testing.assert_close(voices[4].spectrum, alone)
    assert len({each.sound for each in voices}) == len(SPEAKERS)


def test_another_take_is_another_recording(told: list[dict[str, Any]]) -> None:
    page = opened("voice", take="4")
    first = told[-2]["sources"][0]
    next(button for button in page.button if button.label == "Another take").click().run()
    assert told[-2]["sources"][0].name.endswith("take 0") and told[-2]["sources"][0].sound != first.sound
    assert page.query_params["take"] == "0"


@pytest.mark.parametrize("kind", ["44.1 kHz", "stereo", "24 bits", "float"])
def test_a_file_of_ones_own_is_spoken(told: list[dict[str, Any]], kind: str) -> None:
    page = opened("voice", source="a WAV file")
    assert not told and any("No file" in each.value for each in page.info)
    page.file_uploader[0].set_value(("mine.wav", KINDS[kind](), "audio/wav")).run()
    assert not page.exception and not page.error
    assert told[-2]["sources"][0].name == "your recording" and "Your recording: 0.50 s" in text(page)


def test_of_a_long_recording_the_middle_is_taken() -> None:
    noise = np.random.default_rng(0).normal(size=10 * RATE) * 0.1
    heard = lesson.own(wav(noise.astype(np.float32)))
    assert heard.spectrum.shape[1] == lesson.LONGEST and "the middle 2.0 s of its loud part, 10.0 s" in heard.note
    assert len(heard.codes) == lesson.LONGEST // 4
    click = np.zeros(RATE, np.float32)
    click[4000] = 0.5
    assert lesson.own(wav(click)).spectrum.shape[1] == lesson.SHORTEST


@pytest.mark.parametrize(
    ("content", "named"),
    [(b"RIFF....", "no WAV"), (b"", "no WAV"), (wav(np.zeros(RATE, np.int16)), "silent"),
     (wav(np.ones(3600 * RATE, np.uint8)), "allowed are 0.1 to 60")],
    ids=["damaged", "empty", "silence", "an hour"],
)  # fmt: skip
def test_what_cannot_be_heard_gets_a_sentence(told: list[dict[str, Any]], content: bytes, named: str) -> None:
    page = opened("voice", source="a WAV file")
    page.file_uploader[0].set_value(("mine.wav", content, "audio/wav")).run()
    assert not page.exception and not told
    assert any(named in each.value for each in page.error)


@pytest.mark.parametrize(
    "link",
    [{"digit": "eleven"}, {"by": "nobody"}, {"take": "5"}, {"take": "x"}, {"voice": "<script>"}, {"source": "a tape"},
     {"next": "x"}, {"nextby": "x"}, {"cut": "99"}],
)  # fmt: skip
def test_a_link_that_asks_for_nonsense_gets_a_sentence(told: list[dict[str, Any]], link: dict[str, str]) -> None:
    page = opened("voice", **link)
    assert not page.exception and told
    assert any("The link asks for" in warning.value for warning in page.warning)


@pytest.mark.browser
def test_main_path(browser: Browser, app: str) -> None:
    """Choose a speaker: his spectrogram is drawn and his sound plays; a code is pointed at, and the link remembers."""
    page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
    page.goto(f"{app}/voice?digit=six&by=lucas")
    spoken = page.get_by_test_id("track-spoken").first
    expect(spoken).to_be_visible(timeout=90_000)

    def drawn() -> list[int]:
        script = "(node) => [...node.getContext('2d').getImageData(0, 0, node.width, node.height).data.slice(0, 40000)]"
        return page.evaluate(script, spoken.element_handle())

    expect(page.get_by_test_id("voice-jackson").first).to_have_attribute("aria-pressed", "true")
    before = drawn()
    page.get_by_test_id("voice-theo").first.click()
    expect(page.get_by_test_id("voice-theo").first).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_text("the codes, spoken by theo").first).to_be_visible()
    assert drawn() != before
    play = page.get_by_test_id("play-spoken").first
    expect(play).to_have_attribute("data-playing", "false")
    code = page.get_by_test_id("code-10").first
    code.hover()
    number = code.inner_text()
    expect(page.get_by_text(re.compile(rf"Code {number}: .* of all in the held-out recordings")).first).to_be_visible()
    page.wait_for_url(re.compile("voice=theo"))
    source = page.get_by_test_id("play-source-0")
    source.evaluate(
        "(node) => new MutationObserver(() => node.dataset.playing === 'true' && (node.dataset.heard = 'yes'))"
        ".observe(node, { attributeFilter: ['data-playing'] })"
    )
    source.click()
    expect(source).to_have_attribute("data-heard", "yes")
    expect(source).to_have_attribute("data-playing", "false")
    page.reload()
    expect(page.get_by_test_id("voice-theo").first).to_have_attribute("aria-pressed", "true", timeout=90_000)
