"""The form with which somebody adds images of their own, and the list of those that are here."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import PurePosixPath

import streamlit as st
from streamlit.typing import UploadedFile

from ui.text import plain
from vae_core.data import damaged_datasets, own
from vae_core.data.own import Added, add_images, add_npz, remove
from vae_core.errors import InvalidInput

FOLDER, ARRAYS = "a folder", "an .npz"
AS_THEY_ARE = "as is"
SIDES = (AS_THEY_ARE, "28", "32", "64")
MOST_MEGABYTES = 500  # of an .npz
SHOWN_CLASSES = 12
PATIENCE = 1.0  # seconds for which a run of the page waits for the images itself
TICK = 0.4  # seconds between two looks at how far it is
DROPPED = "The files came without their folders, as dropped ones do, so they are one class."
JOB, ADDED, REMOVED, PROBLEM, ROUND = (
    "own data job", "own data added", "own data removed", "own data problem", "own data round",
)  # fmt: skip


class Stopped(Exception):
    """Somebody pressed Stop."""


class Job:
    """The adding of images in a thread of its own, so that the page can show how far it is and stop it. Nothing is
    kept before the last file was read."""

    def __init__(self, add: Callable[[Iterator[UploadedFile]], Added], files: Sequence[UploadedFile]) -> None:
        self.done, self.total = 0, len(files)
        self.began = time.monotonic()
        self.added: Added | None = None
        self.problem: Exception | None = None
        self.is_stopped = False
        self.thread = threading.Thread(target=self._work, args=(add, files), daemon=True)
        self.thread.start()

    def stop(self) -> None:
        self.is_stopped = True

    def words(self) -> str:
        left = (time.monotonic() - self.began) / max(1, self.done) * (self.total - self.done)
        if self.done < self.total:
            return f"{self.done:,} of {self.total:,} files are read, about {left:.0f} s left"
        return "Keeping the images"

    def _work(self, add: Callable[[Iterator[UploadedFile]], Added], files: Sequence[UploadedFile]) -> None:
        try:
            self.added = add(self._counted(files))
        except Exception as error:  # it belongs to the page, which is another thread
            self.problem = error

    def _counted(self, files: Sequence[UploadedFile]) -> Iterator[UploadedFile]:
        for file in files:
            if self.is_stopped:
                raise Stopped
            yield file
            self.done += 1


def offer() -> str | None:
    """Show the form and the list. Returns the dataset's name in the one run after images were added, else None.

    What cannot be used is said here in a sentence, and the form keeps what was chosen.
    """
    st.session_state.setdefault(ROUND, 0)
    job: Job | None = st.session_state.get(JOB)
    name = None
    if job is not None and not job.thread.is_alive():
        name = _finish(job)
        job = None
    _form(st.session_state[ROUND], busy=job is not None)
    if job is not None:
        _progress()
    elif (problem := st.session_state.get(PROBLEM)) is not None:
        st.error(plain(problem))
    elif (last := st.session_state.get(ADDED)) is not None:
        _say(last)
    _shelf()
    return name


def _finish(job: Job) -> str | None:
    """Remember what came of it: images, with their name as the answer, or a sentence."""
    del st.session_state[JOB]
    if job.added is not None:
        st.session_state[ADDED] = job.added
        st.session_state[ROUND] += 1  # a fresh form; the uploaded files leave the server's memory
        return job.added.name
    if isinstance(job.problem, InvalidInput):
        st.session_state[PROBLEM] = str(job.problem)
    elif job.problem is not None and not isinstance(job.problem, Stopped):
        raise job.problem
    return None


def _form(number: int, busy: bool) -> None:
    """The form as it stands for the n-th images of this session; the button leaves a Job."""
    name = st.text_input("A name for your images", max_chars=40, key=f"own name {number}", placeholder="my-pictures")
    kind = _either("They come as", [FOLDER, ARRAYS], f"own kind {number}")
    files = _upload(kind, number)
    side = _either("Cut to squares of so many pixels", SIDES, f"own side {number}")
    grey, skip = True, False
    if kind == FOLDER:
        grey = _either("Keep them", ["grey", "colour"], f"own colour {number}") == "grey"
        skip = st.toggle("Skip files that cannot be used", key=f"own skip {number}")
    # The uploader hands out its files only when the last one has arrived.
    if st.button("Add these images", key=f"own add {number}", disabled=busy or not files):
        for key in (ADDED, REMOVED, PROBLEM):
            st.session_state.pop(key, None)
        pixels = None if side == AS_THEY_ARE else int(side)
        st.session_state[JOB] = job = Job(_adding(name, files, pixels, grey, skip, kind), files)
        job.thread.join(PATIENCE)
        st.rerun()


def _adding(
    name: str, files: Sequence[UploadedFile], side: int | None, grey: bool, skip: bool, kind: str
) -> Callable[[Iterator[UploadedFile]], Added]:
    """The work of a Job, which hands in the files as it counts them."""

    def arrays(counted: Iterator[UploadedFile]) -> Added:
        [file] = counted
        return add_npz(name, file.getvalue(), side)

    def folder(counted: Iterator[UploadedFile]) -> Added:
        paths = within([file.name for file in files])
        read = ((path, file.getvalue()) for path, file in zip(paths, counted, strict=True))
        added = add_images(name, read, side, grey, skip)
        dropped = not any("/" in file.name for file in files)
        return added._replace(notes=(*added.notes, DROPPED)) if dropped else added

    return arrays if kind == ARRAYS else folder


@st.fragment(run_every=TICK)
def _progress() -> None:
    """How far the adding is, and a way to stop it."""
    job: Job | None = st.session_state.get(JOB)
    if job is None or not job.thread.is_alive():
        st.rerun()
    assert job is not None
    st.progress(job.done / job.total, job.words())
    if job.done < job.total:
        st.button("Stop adding", key="own stop", on_click=job.stop)


def _either(label: str, options: Sequence[str], key: str) -> str:
    return st.segmented_control(label, options, default=options[0], required=True, key=key) or options[0]


def _upload(kind: str, number: int) -> list[UploadedFile]:
    if kind == ARRAYS:
        file = st.file_uploader(
            "An .npz of uint8 arrays: train_images [N, H, W] or [N, C, H, W]; if there are any, train_labels [N], "
            "test_images, test_labels",
            "npz",
            key=f"own arrays {number}",
            max_upload_size=MOST_MEGABYTES,
        )
        return [file] if file else []
    return st.file_uploader(
        "A folder of pictures; each of its sub-folders is a class",
        accept_multiple_files="directory",
        key=f"own folder {number}",
        help="Choose the folder with the button: a folder that is dropped here comes without its sub-folders.",
    )


def within(paths: Sequence[str]) -> list[str]:
    """Paths within the chosen folder: browsers put its own name before each of them."""
    parts = [PurePosixPath(path.replace("\\", "/")).parts for path in paths]
    outer = {part[0] for part in parts if len(part) > 1}
    chosen = len(outer) == 1 and all(len(part) > 1 for part in parts)
    return ["/".join(part[1:] if chosen else part) for part in parts]


def _say(added: Added) -> None:
    """What was done with the images that were added last."""
    st.success(plain(f"{added.name.removeprefix(own.PREFIX)} was added and can be chosen now."))
    for note in added.notes:
        st.caption(plain(note))


def _described(entry: own.Own) -> str:
    data, names = entry.dataset, entry.dataset.class_names
    shown = ", ".join(names[:SHOWN_CLASSES]) + (", ..." if len(names) > SHOWN_CLASSES else "")
    kinds = f"{len(names)} classes ({shown})" if len(names) > 1 else "one class"
    size = f"{data.shape[2]} x {data.shape[1]} pixels, {'grey' if data.shape[0] == 1 else 'colour'}"
    short = data.name.removeprefix(own.PREFIX)
    return plain(f"{short}: {entry.train:,} images to learn from, {entry.test:,} held out, {size}, {kinds}")


def _shelf() -> None:
    """The images that are here, and a way to remove some."""
    if (removed := st.session_state.get(REMOVED)) is not None:
        st.success(plain(f"{removed} was removed."))
    for sentence in damaged_datasets():
        st.warning(plain(sentence))
    if not (names := own.names()):
        return
    st.markdown("**Images added here**")
    if whole := own.all_owned()[0]:
        st.caption("\n".join(f"- {_described(entry)}" for entry in whole))
    typed = st.text_input(
        "Remove images: type their name",
        max_chars=40,
        key=f"own name gone {st.session_state[ROUND]}",
        help="Models trained on them stay, but no page can show them these images, and an unfinished run cannot go on.",
    )
    st.button("Remove", key="own remove", disabled=typed not in names, on_click=_remove, args=(typed,))


def _remove(name: str) -> None:
    for key in (ADDED, PROBLEM):
        st.session_state.pop(key, None)
    try:
        remove(name)
    except InvalidInput as error:
        st.session_state[PROBLEM] = str(error)
        return
    st.session_state[REMOVED] = name
    st.session_state[ROUND] += 1
