"""Why a run ends, and which of two reasons stands."""

from __future__ import annotations

from tui_batch.domain.job import JobState, PauseReason
from tui_batch.engine.lane import Halt
from tui_batch.errors import UserError

LOST = Halt(JobState.PAUSED, PauseReason.OWNER_LOST, "another process took this job over")
"""Stops a run whose lease is gone; the job's state is the new owner's business."""


TRIED = Halt(JobState.PAUSED, PauseReason.USER, "the rows to be tried first are answered")
"""Ends a trial while there are other rows."""


def broken(error: BaseException) -> Halt:
    """Ends a job that cannot go on: in words where the error was made for a person, else by its name."""
    words = error.message if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
    return Halt(JobState.FAILED, None, words)


def gravity(halt: Halt) -> int:
    """Which of two reasons to stop a job stands: a lost lease over everything, an end over a pause."""
    order = (JobState.PAUSED, JobState.FAILED, JobState.CANCELLED)
    return len(order) if halt is LOST else order.index(halt.state)


def final_state(halt: Halt | None, pending: int) -> Halt:
    """What a job is when nothing of it is in flight any more. A pause that came after the last item is none."""
    if halt is None or (halt.state is JobState.PAUSED and halt is not LOST and pending == 0):
        return Halt(JobState.COMPLETED)
    return halt
