"""Exit codes. Public: they change only with a version."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tui_batch.domain.job import Job


class Exit(IntEnum):
    """What the process's exit code means."""

    OK = 0
    """All items are done."""
    UNEXPECTED = 1
    """A fault of the program or of the machine; a log says more."""
    USAGE = 2
    """Wrong usage or bad input."""
    DEAD_ITEMS = 3
    """Finished, but some items are dead or cancelled."""
    PAUSED = 4
    """Paused or cancelled; the reason was printed with what to do next."""
    INTERRUPTED = 130
    """Interrupted by Ctrl-C, SIGTERM or SIGHUP."""
    BROKEN_PIPE = 141
    """The reader of standard output went away."""


class Interrupted(Exception):
    """The command was interrupted before it came to anything worth telling."""


def exit_of(job: Job, *, interrupted: bool) -> Exit:
    """The exit code of a run that ended with this job."""
    from tui_batch.domain.job import JobState

    if job.state is JobState.COMPLETED:
        return Exit.DEAD_ITEMS if job.counters.dead or job.counters.cancelled else Exit.OK
    if job.state is JobState.FAILED:
        return Exit.UNEXPECTED
    return Exit.INTERRUPTED if interrupted else Exit.PAUSED
