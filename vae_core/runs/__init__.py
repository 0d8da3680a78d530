"""Trainings on disk: the folder of a run, the worker that fills it, the queue in which it waits."""

from __future__ import annotations

from vae_core.runs.folder import Frame, Run, Sample, Status, damaged_runs, runs
from vae_core.runs.pictures import frame_steps
from vae_core.runs.queue import dispatch, enqueue, submit
from vae_core.runs.worker import trained, work

__all__ = [
    "Frame", "Run", "Sample", "Status", "damaged_runs", "dispatch", "enqueue", "frame_steps", "runs", "submit",
    "trained", "work",
]  # fmt: skip
