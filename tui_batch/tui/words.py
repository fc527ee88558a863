"""Jobs in words, glyphs and tones: the same on every screen. State is never colour alone."""

from __future__ import annotations

from tui_batch import figures
from tui_batch.domain.job import JobState, PauseReason
from tui_batch.tui.tones import Span, Spans, Tone
from tui_batch.tui.view import DayBudget, JobView, View

_NEARLY = 0.9
"""Share of a day's budget from which on it is told as a warning."""

_STATES: dict[JobState, tuple[str, Tone]] = {
    JobState.DRAFT: ("○", Tone.MUTED),
    JobState.QUEUED: ("○", Tone.PRIMARY),
    JobState.RUNNING: ("●", Tone.PRIMARY),
    JobState.PAUSED: ("‖", Tone.WARN),
    JobState.COMPLETED: ("✓", Tone.GOOD),
    JobState.FAILED: ("✗", Tone.BAD),
    JobState.CANCELLED: ("–", Tone.MUTED),
}


def state_span(job: JobView) -> Span:
    """A job's state: glyph, word, and why it is paused."""
    if not job.job.imported:
        return ("○ reading in" if job.job.owner is not None else "✗ cut off", Tone.WARN)
    glyph, tone = _STATES[job.state]
    if job.reason not in (None, PauseReason.USER):
        return f"{glyph} {str(job.reason).replace('_', ' ')}", tone
    return f"{glyph} {'done' if job.state is JobState.COMPLETED else job.state.value}", tone


def progress_bar(job: JobView, width: int) -> Spans:
    """A job's progress in `width` cells: done, dead and what is left, told apart by their patterns too."""
    counters = job.counters
    total = max(1, counters.total)
    dead = -(-width * counters.dead // total)  # a single dead item is seen
    done = min(width - dead, width * counters.done // total)
    rest = width - dead - done
    tone = Tone.GOOD if job.state is JobState.COMPLETED else Tone.PRIMARY
    return ("█" * done, tone), ("▚" * dead, Tone.BAD), ("░" * rest, Tone.MUTED)


def finished_share(job: JobView) -> str:
    """The share of items that came to an end."""
    counters = job.counters
    return figures.percent(counters.total - counters.pending, counters.total)


def summary(view: View) -> Spans:
    """The whole engine in a line."""
    active = view.active
    if view.trouble:
        return ((f"✗ {view.trouble}", Tone.BAD),)
    today = () if view.day is None else ((f"  {view.day}", _day_tone(view.day)),)
    if not active:
        return (("idle", Tone.MUTED), *today)
    rate = sum(job.rate for job in active)
    spent = figures.known_cost(
        sum(job.counters.cost_nano for job in active), sum(job.counters.unpriced for job in active)
    )
    flight = sum(job.in_flight for job in active if job.live is not None)
    here = f"  {figures.count(flight)} in flight" if any(job.live is not None for job in active) else ""
    return (
        (f"● {figures.things(len(active), 'job')}", Tone.PRIMARY),
        (f"  {figures.rate(rate)}{here}  {spent}", Tone.PLAIN),
        *today,
    )


def _day_tone(day: DayBudget) -> Tone:
    return Tone.WARN if day.spent >= _NEARLY * day.cap else Tone.MUTED
