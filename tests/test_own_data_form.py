"""The form for images of one's own: adding, refusing, stopping and removing, run as a page runs it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect
from streamlit.testing.v1 import AppTest

from benchmarks.harness import PROJECT, served
from tests.conftest import files_in
from tests.own_images import Files, folder, npz
from ui.training import own_data
from ui.training.own_data import Job, Stopped, plain, within
from vae_core.data import dataset, datasets
from vae_core.data.own import add_images


def page() -> None:
    import streamlit as st

    from ui.training.own_data import offer

    if (name := offer()) is not None:
        st.session_state.setdefault("returned", []).append(name)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LATENT_DATA", str(tmp_path / "data"))
    return tmp_path / "data" / "own"


@pytest.fixture
def form() -> AppTest:
    return settled(AppTest.from_function(page, default_timeout=30).run())


def settled(form: AppTest) -> AppTest:
    """The page once no images are being added any more."""
    for _ in range(200):
        assert not form.exception
        if own_data.JOB not in form.session_state:
            return form
        time.sleep(0.05)
        form.run()
    raise AssertionError("the images are still being added")


def fill(form: AppTest, name: str, files: Files, **choices: Any) -> AppTest:
    """Everything but the button."""
    form.text_input[0].set_value(name)
    form.file_uploader[0].set_value([(f"chosen/{path}", content, "") for path, content in files])
    for label, value in choices.items():
        next(group for group in form.button_group if label in group.label).set_value(value)
    return form


def add(form: AppTest) -> AppTest:
    form.run()  # the button wakes up when the files are there
    return settled(next(button for button in form.button if button.label == "Add these images").click().run())


def plainly(text: str) -> str:
    return text.replace("\\", "")


def captions(form: AppTest) -> str:
    return plainly(" ".join(caption.value for caption in form.caption))


def returned(form: AppTest) -> list[str]:
    kept = form.session_state
    return kept["returned"] if "returned" in kept else []  # noqa: SIM401 - it has no get


def test_at_first_there_is_a_form_and_no_list(form: AppTest) -> None:
    assert [button.label for button in form.button] == ["Add these images"]
    assert form.file_uploader[0].accept_directory
    assert form.button[0].disabled, "until there are files"
    assert not fill(form, "pets", folder()).run().button[0].disabled
    assert not form.success and not form.error and not form.warning


def test_a_folder_is_added_and_its_name_returned_once(form: AppTest) -> None:
    add(fill(form, "pets", folder()))
    assert returned(form) == ["own-pets"]
    assert dataset("own-pets").class_names == ("cat", "dog") and dataset("own-pets").shape == (1, 8, 6)
    assert "pets was added" in form.success[0].value
    assert "pets: 27 images to learn from, 3 held out, 6 x 8 pixels, grey, 2 classes (cat, dog)" in captions(form)
    assert "drawn at random" in captions(form)
    form.run()
    assert returned(form) == ["own-pets"], "once"
    assert form.text_input[0].value == "" and not form.file_uploader[0].value, "the form is ready for the next"
    assert form.success, "and still says what was made"


def test_the_choices_are_kept_to(form: AppTest) -> None:
    add(fill(form, "wide", [*folder(), ("cat/notes.txt", b"text")], Cut="28", Keep="colour"))
    assert "1 of 31 files cannot be used" in plainly(form.error[0].value)
    form.toggle[0].set_value(True)
    add(form)
    assert dataset("own-wide").shape == (3, 28, 28) and not form.error
    assert "cat/notes.txt" in captions(form)


def test_arrays_are_added(form: AppTest) -> None:
    form.button_group[0].set_value("an .npz").run()
    assert not form.toggle, "what is for pictures only is not shown"
    assert form.file_uploader[0].allowed_type == [".npz"]
    form.text_input[0].set_value("numbers")
    form.file_uploader[0].set_value(("mine.npz", npz(), ""))
    add(form)
    assert returned(form) == ["own-numbers"] and dataset("own-numbers").shape == (1, 8, 8)


REFUSED: dict[str, tuple[str, Files, str]] = {
    "no name": ("", folder(), "1 to 40 letters"),
    "a path": ("../pets", folder(), "1 to 40 letters"),
    "a taken name": ("taken", folder(), "already"),
    "few files": ("pets", folder(5), "at least 20"),
    "no pictures": ("pets", [("a.txt", b"text")], "1 of 1 files cannot be used"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_every_refusal_is_one_sentence_and_keeps_the_form(case: str, form: AppTest, cache: Path) -> None:
    add_images("taken", folder())
    before = files_in(cache)
    name, files, named = REFUSED[case]
    add(fill(form, name, files))
    assert len(form.error) == 1 and named in plainly(form.error[0].value)
    assert form.text_input[0].value == name and len(form.file_uploader[0].value) == len(files)
    assert returned(form) == [] and files_in(cache) == before
    fill(form, "better", folder())
    add(form)
    assert returned(form) == ["own-better"] and not form.error


def test_wrong_arrays_are_refused(form: AppTest) -> None:
    form.button_group[0].set_value("an .npz").run()
    form.text_input[0].set_value("numbers")
    form.file_uploader[0].set_value(("mine.npz", b"no archive", ""))
    add(form)
    assert "no .npz that can be read" in plainly(form.error[0].value)


def test_a_mistake_of_ours_is_not_hidden(form: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("ours")

    monkeypatch.setattr(own_data, "add_images", broken)
    fill(form, "pets", folder()).run().button[0].click().run()
    assert form.exception and "ours" in form.exception[0].message


def test_images_are_removed_by_typing_their_name(form: AppTest) -> None:
    add_images("pets", folder())
    add_images("birds", folder())
    form.run()
    assert captions(form).count("27 images to learn from") == 2
    typed = form.text_input[-1]
    assert form.button[-1].label == "Remove" and form.button[-1].disabled
    typed.set_value("pet").run()
    assert form.button[-1].disabled
    form.text_input[-1].set_value("pets").run()
    form.button[-1].click().run()
    assert not form.exception and "own-pets" not in datasets() and "own-birds" in datasets()
    assert "pets was removed" in form.success[0].value and form.text_input[-1].value == ""


def test_damaged_images_are_named_and_can_be_removed(form: AppTest, cache: Path) -> None:
    add_images("pets", folder())
    (cache / "pets.npz").unlink()
    form.run()
    assert "pets.npz is missing" in plainly(form.warning[0].value)
    form.text_input[-1].set_value("pets").run()
    form.button[-1].click().run()
    assert files_in(cache) == {} and not form.warning


# Adding that takes its time.


class Gate:
    """A file that is only read when the test says so."""

    def __init__(self, name: str, content: bytes) -> None:
        self.name, self.content = name, content
        self.is_open = False

    def getvalue(self) -> bytes:
        while not self.is_open:
            time.sleep(0.001)
        return self.content


def slow_job(count: int = 30) -> tuple[Job, list[Gate]]:
    gates = [Gate(path, content) for path, content in folder(count)]

    def add(counted: Iterator[Any]) -> Any:
        return add_images("slow", ((gate.name, gate.getvalue()) for gate in counted))

    return Job(add, gates), gates  # type: ignore[arg-type]


def wait_until(condition: Any) -> None:
    for _ in range(2000):
        if condition():
            return
        time.sleep(0.005)
    raise AssertionError("it never came")


def test_while_images_are_added_the_page_says_how_far_it_is(form: AppTest) -> None:
    job, gates = slow_job()
    form.session_state[own_data.JOB] = job
    for gate in gates[:7]:
        gate.is_open = True
    wait_until(lambda: job.done == 7)
    form.run()
    assert "7 of 30 files are read" in job.words() and "s left" in job.words()
    assert {button.label: button.disabled for button in form.button} == {"Add these images": True, "Stop adding": False}
    for gate in gates:
        gate.is_open = True
    settled(form)
    assert returned(form) == ["own-slow"]


def test_stop_keeps_nothing(form: AppTest, cache: Path) -> None:
    job, gates = slow_job()
    form.session_state[own_data.JOB] = job
    form.run()
    next(button for button in form.button if button.label == "Stop adding").click().run()
    assert job.is_stopped
    for gate in gates:
        gate.is_open = True
    settled(form)
    assert isinstance(job.problem, Stopped)
    assert returned(form) == [] and files_in(cache) == {} and not form.error
    assert [button.label for button in form.button] == ["Add these images"]


# What browsers send.


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (["pets/cat/1.png", "pets/dog/2.png"], ["cat/1.png", "dog/2.png"]),
        (["pets/1.png", "pets/2.png"], ["1.png", "2.png"]),
        (["cat/1.png", "dog/2.png"], ["cat/1.png", "dog/2.png"]),
        (["1.png", "pets/2.png"], ["1.png", "pets/2.png"]),
        (["a\\b\\1.png", "a\\2.png"], ["b/1.png", "2.png"]),
        (["1.png"], ["1.png"]),
        ([], []),
    ],
)
def test_the_chosen_folder_itself_is_no_class(sent: list[str], expected: list[str]) -> None:
    assert within(sent) == expected


def test_dropped_files_lose_their_folders_and_the_page_says_so(form: AppTest) -> None:
    form.text_input[0].set_value("dropped")
    form.file_uploader[0].set_value([(Path(path).name, content, "") for path, content in folder()])
    add(form)
    assert dataset("own-dropped").class_names == ("images",)
    assert "without their folders" in captions(form)


def test_a_file_name_means_nothing_to_markdown() -> None:
    assert plain("a_b*c*[d](e) $x$ `f`") == r"a\_b\*c\*\[d\](e) \$x\$ \`f\`"


@pytest.mark.browser
def test_a_folder_chosen_in_a_browser_keeps_its_classes(browser: Browser, tmp_path: Path) -> None:
    for path, content in [*folder(), ("cat/a_$b$_c.txt", b"text")]:
        (tmp_path / "pets" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "pets" / path).write_bytes(content)
    script = "from ui.training.own_data import offer\noffer()"
    environment = {"PYTHONPATH": str(PROJECT), "LATENT_DATA": str(tmp_path / "data")}
    with served(script, environment=environment) as address, browser.new_context() as context:
        page = context.new_page()
        page.goto(address)
        page.get_by_label("A name for your images").fill("pets")
        page.locator("input[type=file]").set_input_files(tmp_path / "pets")
        expect(page.get_by_text("a_$b$_c.txt")).to_be_visible(timeout=60_000)
        add = page.get_by_role("button", name="Add these images")
        add.click()
        expect(page.get_by_role("alert")).to_contain_text("1 of 31 files cannot be used: cat/a_$b$_c.txt")
        page.get_by_text("Skip files that cannot be used").click()
        add.click()
        expect(page.get_by_role("status")).to_contain_text("pets was added")
    found = dataset("own-pets")
    assert found.class_names == ("cat", "dog") and len(found.load("train")) == 27
