"""What a person should hear of jobs that changed by themselves, wherever they look: few words, one toast a tick."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tui_batch import figures
from tui_batch.domain.job import JobState, PauseReason
from tui_batch.safe_text import safe_text
from tui_batch.tui.view import JobView
from tui_batch.tui.widgets.live_lines import REASONS

MOST = 3
"""Jobs that are told one by one; of more only how many there are."""


@dataclass(frozen=True, slots=True)
class Tiding:
    """One toast."""

    words: str
    """Safe to show."""
    severity: Literal["information", "warning"]


def tidings(before: Sequence[JobView], after: Sequence[JobView], *, list_is_seen: bool) -> Tiding | None:
    """What to say of jobs that came to stand or to an end from one view to the next; None: nothing.

    A job that a person paused or cancelled is no news. Nor is one that is done, while the list of jobs shows it. One
    that ran between two views only is told too.
    """
    was = {job.id: (job.state, job.reason) for job in before}
    ended = [
        job
        for job in after
        if (job.state, job.reason) != was.get(job.id, (job.state, job.reason))
        and _is_news(job, list_is_seen=list_is_seen)
    ]
    if not ended:
        return None
    severity: Literal["information", "warning"] = "information"
    if any(job.state is not JobState.COMPLETED for job in ended):
        severity = "warning"
    if len(ended) > MOST:
        return Tiding(f"{figures.count(len(ended))} jobs run no more; the list says why", severity)
    return Tiding("\n".join(map(_words, ended)), severity)


def _is_news(job: JobView, *, list_is_seen: bool) -> bool:
    if job.state is JobState.PAUSED:
        return job.reason is not PauseReason.USER
    return job.state is JobState.FAILED or (job.state is JobState.COMPLETED and not list_is_seen)


def _words(job: JobView) -> str:
    name = f"#{job.id} {safe_text(job.name, 40)}"
    if job.state is JobState.PAUSED and job.reason is not None:
        return f"{name} is {REASONS[job.reason]}"
    if job.state is JobState.FAILED:
        return f"{name} failed: {safe_text(job.message, 200)}"
    counters = job.counters
    dead = f", {figures.count(counters.dead)} dead" if counters.dead else ""
    return f"{name} is completed: {figures.count(counters.done)} done{dead}"
