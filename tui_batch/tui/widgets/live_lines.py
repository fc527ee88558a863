"""What the live panel says of a job, line by line: pure functions of what a screen was given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from textual.content import Content

from tui_batch import figures
from tui_batch.domain.job import OWNER_GONE, CacheMode, JobState, PauseReason
from tui_batch.engine.ratelimit import What
from tui_batch.engine.snapshot import JobSnapshot, LaneSnapshot, Latency
from tui_batch.quality.alerts import ToldAlert
from tui_batch.safe_text import safe_text
from tui_batch.tui.actions import by_id
from tui_batch.tui.view import JobView
from tui_batch.tui.widgets.charts import MUTED, Bin, Glyphs, Part, bar, histogram, legend, stacked_bar
from tui_batch.tui.widgets.gauges import Gauge, gauge_line, lane_line

GAP = "  ·  "
BARS_WIDE = 72
"""Cells that the bars of a histogram take at most."""
USUAL_HOLDS = frozenset({"concurrency", "length bucket", "a faster server", "the first answer"})
"""What a job waits for while all is well."""
REASONS = {
    PauseReason.USER: "paused",
    PauseReason.BUDGET: "paused for the budget",
    PauseReason.QUOTA: "paused: the provider says that money or quota is used up",
    PauseReason.AUTH: "paused: the key was refused",
    PauseReason.NOT_FOUND: "paused: the model or address is not there",
    PauseReason.ERROR_RATE: "paused: too many answers were errors",
    PauseReason.QUALITY: "paused: answers got worse",
    PauseReason.OWNER_LOST: "paused: the process that ran it is gone",
}


OwnKeys: TypeAlias = Mapping[str, str]
"""Keys as they are shown, by action id: those of a person's own keymap."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A job with everything that is known about it at one moment."""

    job: JobView
    now: float
    """Unix time."""
    lanes: tuple[LaneSnapshot, ...]
    """Of the deployments that the job may use."""
    tokens_per_s: float | None
    alerts: tuple[ToldAlert, ...] = ()
    """Stored ones, of a job that does not run here."""
    glyphs: Glyphs = Glyphs.UNICODE
    trouble: str = ""
    """Why what came cannot be stored, for which nothing is sent; empty: all is well."""
    keys: OwnKeys = field(default_factory=dict)


def heading(subject: Subject, width: int) -> Content:
    """State, name and models."""
    job = subject.job
    glyph, style = state_mark(job)
    models = safe_text(", ".join(dict.fromkeys(ref.model for ref in job.job.spec.models)), 60)
    left = Content.assemble((f"{glyph} {_state_word(job)}", f"bold {style}"), "  ", (safe_text(job.name, 80), "bold"))
    if priority := job.knobs.priority:
        left += Content.styled(f"  priority {priority:,}", MUTED)
    room = width - left.cell_length - 2
    if len(models) > room:
        return left
    return Content.assemble(left, " " * (room - len(models) + 2), (models, MUTED))


def joined(pieces: Sequence[Content], width: int) -> Content:
    """The pieces in one line, the first of them first; those that do not fit any more are left out whole."""
    kept: list[Content] = []
    room = width
    for piece in pieces:
        needed = piece.cell_length + (len(GAP) if kept else 0)
        if needed <= room or not kept:
            kept.append(piece)
            room -= needed
    return Content(GAP).join(kept)


def state_mark(job: JobView) -> tuple[str, str]:
    """A glyph and a style for a job's state."""
    return {
        JobState.RUNNING: ("●", "$primary"),
        JobState.QUEUED: ("○", "$primary"),
        JobState.PAUSED: ("‖", "$warning"),
        JobState.COMPLETED: ("✓", "$success"),
        JobState.FAILED: ("✗", "$error"),
    }.get(job.state, ("–" if job.state is JobState.CANCELLED else "○", MUTED))


def _state_word(job: JobView) -> str:
    if job.state is JobState.COMPLETED and job.counters.dead:
        return f"completed, {figures.count(job.counters.dead)} dead"
    return "draft, not started" if job.state is JobState.DRAFT else job.state.value


def parts_of(job: JobView) -> tuple[Part, ...]:
    """A job's items by state, in the order of its bar."""
    counters = job.counters
    flying = min(job.in_flight, counters.pending)
    return (
        Part("done", counters.done - min(counters.cached, counters.done), "$success", "█", "#"),
        Part("cached", min(counters.cached, counters.done), "$success", "▓", "="),
        Part("dead", counters.dead, "$error", "▚", "x"),
        Part("cancelled", counters.cancelled, MUTED, "–", "-"),
        Part("in flight", flying, "$primary", "▒", ">"),
        Part("pending", counters.pending - flying, MUTED, "░", "."),
    )


def progress(subject: Subject, width: int) -> list[Content]:
    """The bar by state with its share, and what its patterns mean."""
    job = subject.job
    counters, parts = job.counters, parts_of(job)
    share = f" {figures.percent(counters.total - counters.pending, counters.total):>5}"
    drawn = Content.assemble(stacked_bar(parts, width - len(share), subject.glyphs), (share, "bold"))
    meaning = legend(parts, figures.count, subject.glyphs)
    if meaning.cell_length > width:
        meaning = legend(parts, figures.short_count, subject.glyphs)
    return [drawn, meaning]


def pace(subject: Subject, width: int) -> Content:
    """How fast it goes, when it ends, and what holds it back now."""
    job = subject.job
    if not job.is_active:
        return standing(job, width, subject.keys)
    pieces = [*_speed(job)]
    if job.live is not None:
        pieces += _flight(job.live, subject)
    elif (owner := job.job.owner) is not None:
        pieces.append(Content.styled(f"runs in process {owner.pid} on {safe_text(owner.host, 40)}", MUTED))
    if subject.tokens_per_s:
        pieces.append(Content(f"{figures.short_count(round(subject.tokens_per_s))} tokens/s"))
    return joined(pieces, width)


def _speed(job: JobView) -> Iterator[Content]:
    """Answers a second and the time left, which is a guess from them; before the first, what is to come."""
    if job.eta_s is None and not job.counters.done + job.counters.dead:
        yield Content.styled("no answers yet", "bold")
        yield Content("time left shows with the first")
        return
    yield Content.styled(figures.rate(job.rate), "bold")
    yield Content(f"~{figures.duration(job.eta_s)} left" if job.eta_s is not None else "time left unknown for now")


def _flight(live: JobSnapshot, subject: Subject) -> Iterator[Content]:
    """What holds the job back stands first: it is what a person wants to know."""
    hold = live.hold
    waits = "" if hold is None else safe_text(hold.words(datetime.fromtimestamp(subject.now)))
    is_usual = hold is None or hold.what in USUAL_HOLDS
    if subject.trouble:
        yield Content.styled(f"nothing is sent: {safe_text(subject.trouble)}", "bold $error")
        hold = None
    elif hold is not None and hold.what == What.PACE:
        paces = [lane.pace_per_s for lane in subject.lanes if lane.pace_per_s is not None]
        yield Content.styled(f"slowed{f' to {figures.rate(sum(paces))}' if paces else ''} by refusals", "$warning")
    elif not is_usual:
        yield Content.styled(waits, "bold $warning")
    bound = "auto" if live.knobs.concurrency is None else f"of {live.knobs.concurrency}"
    yield Content(f"{figures.count(live.in_flight)} in flight ({bound})")
    if live.waiting:
        yield Content(f"{figures.count(live.waiting)} to be retried")
    if hold is not None and is_usual:
        yield Content.styled(waits, MUTED)


def standing(job: JobView, width: int, own: OwnKeys) -> Content:
    """Why a job does not run, and the keys that are next, as many as fit."""
    said, hints = _standing(job, own)
    for hint in hints:
        if said.cell_length + hint.cell_length <= width:
            said += hint
    return said


def _standing(job: JobView, own: OwnKeys) -> tuple[Content, tuple[Content, ...]]:
    begun, ended = job.job.started_at, job.job.finished_at
    if job.state is JobState.PAUSED and job.reason is PauseReason.BUDGET:
        hints = key_hint("job.knobs", "raises it", own), key_hint("job.pause", "resumes it then", own)
        return Content.styled(REASONS[job.reason], "$warning"), hints
    if job.state is JobState.PAUSED and job.reason is not None:
        return Content.styled(REASONS[job.reason], "$warning"), (key_hint("job.pause", "resumes it", own),)
    if job.state is JobState.DRAFT:
        return Content("not started"), (key_hint("job.pause", "starts it", own),)
    if begun is None or ended is None:
        return Content(job.state.value), ()
    took = max(0.0, ended - begun)  # also the time that it stood still: nothing says how long that was
    per_s = figures.rate((job.counters.done + job.counters.dead) / took) if took >= 1 else ""
    said = f"{job.state.value} after {figures.duration(took)}" + (f", mean {per_s}" if per_s else "")
    why = key_hint("app.errors", "shows why they are dead", own)
    dead = (key_hint("job.retry", "tries the dead again", own), why)
    again = dead if job.counters.dead else ()
    return Content(said), (
        *again,
        key_hint("job.export", "exports it", own),
        key_hint("jobs.open", "shows its items", own),
    )


def key_hint(action_id: str, what: str, own: OwnKeys) -> Content:
    """`· p resumes it`, with the key that the action has, or that the person gave it."""
    action = by_id(action_id)
    if action is None:
        return Content("")
    key = own.get(action_id) or action.keys.partition(",")[0]
    return Content.assemble((GAP, MUTED), (key, "bold"), (f" {what}", MUTED))


def message(job: JobView, width: int) -> Content | None:
    """The words behind a pause or failure: the provider's own, often."""
    if not job.message or job.message == OWNER_GONE:  # which says no more than the line above
        return None
    return Content(safe_text(job.message, width))


def money(subject: Subject, width: int) -> Content:
    """Cost spent, projected, cap, and what the cache saved."""
    job = subject.job
    counters, spec = job.counters, job.job.spec
    pieces = [Content.assemble((figures.cost(counters), "bold"), " spent")]
    ended = counters.done + counters.dead
    if job.live is not None and job.live.projected is not None and counters.pending:
        range_ = job.live.projected
        pieces.append(Content(f"{figures.cost_range(range_.low, range_.likely, range_.high)} in all"))
    elif counters.cost_nano and counters.pending and ended:
        pieces.append(Content(f"about {figures.dollars(counters.cost_nano * counters.total // ended)} in all"))
    cap = job.knobs.budget_nano
    if cap is not None:
        used = counters.cost_nano / cap if cap else 1.0
        filled = bar(used, 10, "$warning" if used >= 0.9 else "$primary", subject.glyphs)
        pieces.append(
            Content.assemble(
                f"cap {figures.dollars(cap)} ", filled, f" {100 * used:.0f} %{figures.not_binding(job.knobs)}"
            )
        )
    if spec.cache is CacheMode.OFF:
        pieces.append(Content.styled("cache off", MUTED))
    elif counters.done:
        saved = f"saved {figures.dollars(counters.saved_nano)}" if counters.saved_nano else ""
        pieces.append(Content(f"cache hits {figures.percent(counters.cached, counters.done)}"))
        pieces.append(Content.styled(saved, MUTED))
    return joined([piece for piece in pieces if piece], width)


def latencies(latency: Latency) -> Content:
    """The three percentiles."""
    named = (("p50", latency.p50), ("p95", latency.p95), ("p99", latency.p99))
    return Content.assemble("latency", *(f"  {name} {figures.duration(value)}" for name, value in named))


def traffic(subject: Subject, width: int) -> Content:
    """Latency, tokens and requests."""
    counters, live = subject.job.counters, subject.job.live
    pieces: list[Content] = []
    if live is not None and live.latency.p50 is not None:
        pieces.append(latencies(live.recent if live.recent.p50 is not None else live.latency))
    if counters.tokens_in or counters.tokens_out:
        sums = f"{figures.short_count(counters.tokens_in)} in, {figures.short_count(counters.tokens_out)} out"
        pieces.append(Content(f"tokens {sums}"))
    pieces.append(Content(f"{figures.short_count(counters.requests)} requests"))
    return joined(pieces, width)


def limits(subject: Subject, width: int, room: int) -> list[Content]:
    """Gauges of the job's own limits and of its deployments, in at most `room` lines."""
    job = subject.job
    if room < 1 or job.live is None:
        return []
    own: list[Content] = []
    knobs = job.knobs
    if knobs.rpm is not None or knobs.tpm is not None:
        gauges = [
            Gauge(name, used, limit)
            for name, used, limit in (("RPM", job.live.rpm_used, knobs.rpm), ("TPM", job.live.tpm_used, knobs.tpm))
            if limit is not None
        ]
        own.append(gauge_line("this job", None, gauges, width, subject.glyphs))
    lines = [*own, *(lane_line(lane, width, subject.glyphs) for lane in subject.lanes)]
    if len(lines) <= room:
        return lines
    rest = len(lines) - room + 1
    more = Content.assemble(
        (f"and {rest} deployments more", MUTED), key_hint("app.endpoints", "shows them", subject.keys)
    )
    return [*lines[: room - 1], more]


def failures(subject: Subject, width: int, room: int) -> list[Content]:
    """Failed requests by class, the most frequent first: a bar for each where there is room, else one line."""
    live = subject.job.live
    if live is None or not live.failures:
        return []
    ordered = sorted(live.failures.items(), key=lambda pair: -pair[1])
    head = Content.styled("failed requests", MUTED)
    # There are the dead items: of requests that were tried again it shows nothing.
    hint = key_hint("app.errors", "shows them", subject.keys) if live.counters.dead else Content("")
    if 1 < len(ordered) < room:
        bins = [Bin(cls.value.replace("_", " "), count, "$error") for cls, count in ordered]
        return [head + hint, *histogram(bins, min(width, BARS_WIDE), figures.short_count, subject.glyphs)]
    named = [f"{figures.short_count(count)} {cls.value.replace('_', ' ')}" for cls, count in ordered]
    lines = [_kinds(head, named[:most], len(named) - most) for most in range(len(named), 0, -1)]
    said = next((line for line in lines if line.cell_length <= width), lines[-1])
    return [said + hint if said.cell_length + hint.cell_length <= width else said]


def _kinds(head: Content, named: Sequence[str], rest: int) -> Content:
    more = f" and {rest} {'kind' if rest == 1 else 'kinds'} more" if rest else ""
    return Content.assemble(head, (f"  {', '.join(named)}", "$error"), (more, MUTED))


def quality(subject: Subject, width: int) -> Iterator[Content]:
    """The mean score, and in what way answers got worse."""
    live = subject.job.live
    if live is None:
        yield from _stored_alerts(subject, width)
        return
    if live.score_mean is not None:
        yield Content.assemble("quality  mean score ", (f"{live.score_mean:.2f}", "bold"), (" of 1", MUTED))
    if live.drift:
        yield Content.styled("! answers got worse", "bold $warning") + key_hint(
            "job.worst", "shows the rows", subject.keys
        )
    for alert in live.drift:
        yield Content.styled(safe_text(f"  {alert}", width), "$warning")


def _stored_alerts(subject: Subject, width: int) -> Iterator[Content]:
    """Those that held when the job last ran, or that the last one is over."""
    if not (alerts := subject.alerts):
        return
    holding = [told for told in alerts if told.ended_at is None]
    hint = key_hint("job.worst", "shows the rows", subject.keys)
    if holding:
        yield Content.styled("! answers got worse", "bold $warning") + hint
    else:
        yield Content.styled("answers got worse for a while", MUTED) + hint
    for told in holding or alerts[-1:]:
        since = figures.local_time(told.at)
        over = "" if told.ended_at is None else f" (over by {figures.local_time(told.ended_at)})"
        yield Content.styled(safe_text(f"  {since}  {told.alert}{over}", width), "$warning" if holding else MUTED)
