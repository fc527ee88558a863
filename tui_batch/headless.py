"""Progress for a terminal without the app: a live bar on a TTY, plain lines elsewhere, or JSON lines for programs.

JSON lines, on standard output, one object each:

- `{"event": "start", "job": 3, "name": ..., "total": ..., "notes": [...]}`
- `{"event": "progress", "job": 3, "state": ..., <the figures of show --json>, "in_flight": ..., "rate": ...,
  "eta_s": ..., "failures": {"rate_limited": 2}, "hold": "waiting for RPM, 12 s",
  "projected_usd": {"low": ..., "likely": ..., "high": ...}, "score": 0.91}`: once a second, when it changed
- `{"event": "note", "text": ...}`: words that a person would have got on standard error
- `{"event": "end", <all fields of show --json>, "message": ..., "exit_code": ..., "results": ..., "rejects": ...}`
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol, TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from tui_batch import figures
from tui_batch.domain.job import Job, JobState
from tui_batch.domain.request import Json
from tui_batch.engine.snapshot import EngineSnapshot, JobSnapshot
from tui_batch.report.job_json import counters_json, job_json
from tui_batch.report.money_json import cost_range_json
from tui_batch.safe_text import safe_lines, safe_text
from tui_batch.text_streams import json_for

PLAIN_EVERY_S = 5.0
"""Seconds between two plain lines while the state stays the same."""
JSON_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended, for the last words."""

    job: Job
    exit_code: int
    elapsed_s: float
    """Since this run started, not since the job was made."""
    finished_here: int
    """Items that came to an end in this run."""
    lines: Sequence[str] = field(default=())
    """What a person is told."""
    results: str | None = None
    rejects: str | None = None


class Display(Protocol):
    """Shows one run."""

    def start(self, job: Job, notes: Sequence[str]) -> None:
        """The job is about to run."""
        ...

    def update(self, engine: EngineSnapshot, job: JobSnapshot) -> None:
        """The engine as it is now; called several times a second."""
        ...

    def note(self, text: str) -> None:
        """Something that a person should know. What would act on a terminal in it is made visible."""
        ...

    def end(self, ending: Ending) -> None:
        """The last words."""
        ...

    def close(self) -> None:
        """Gives the terminal back; harmless when done already."""
        ...


def job_line(job: JobSnapshot) -> str:
    """Where a job is, in one line: `120/1,000 (12 %)  24.1/s  ETA 37 s`."""
    done = job.counters.total - job.counters.pending
    parts = [
        f"{figures.count(done)}/{figures.count(job.counters.total)} ({figures.percent(done, job.counters.total)})",
        figures.rate(job.rate),
    ]
    parts += [f"ETA {figures.duration(job.eta_s)}"] if job.counters.pending else []
    parts += [] if job.score_mean is None else [f"score {job.score_mean:.2f}"]
    return "  ".join(parts)


def money_line(job: JobSnapshot) -> str:
    """Tokens, cost, and what of it came from the cache."""
    counters = job.counters
    parts = [
        f"tokens {figures.short_count(counters.tokens_in)} in, {figures.short_count(counters.tokens_out)} out",
        f"cost {figures.cost(counters)}{_projected(job)}",
        f"in flight {job.in_flight}",
    ]
    if counters.cached:
        parts.append(f"cached {figures.count(counters.cached)}")
    return "  ".join(parts)


def _projected(job: JobSnapshot) -> str:
    """What it will be at the end; nothing where that is unknown, free or reached."""
    cost = job.projected
    if cost is None or not cost.likely or not job.counters.pending:
        return ""
    return f" of {figures.cost_range(cost.low, cost.likely, cost.high)}"


def trouble_line(engine: EngineSnapshot, job: JobSnapshot) -> str:
    """Errors by class and what limits the job now; empty when all goes well."""
    parts = []
    if job.counters.dead:
        parts.append(f"dead {figures.count(job.counters.dead)}")
    if job.failures:
        ranked = sorted(job.failures.items(), key=lambda pair: (-pair[1], pair[0]))
        parts.append("errors: " + ", ".join(f"{cls.value} {figures.count(number)}" for cls, number in ranked))
    if job.waiting:
        parts.append(f"to be retried {figures.count(job.waiting)}")
    parts += _limits(engine, job)
    return "  ".join(parts)


def _limits(engine: EngineSnapshot, job: JobSnapshot) -> list[str]:
    if engine.trouble:
        return [f"not dispatching: {safe_text(engine.trouble)}"]
    if job.state is not JobState.RUNNING:
        return [f"{job.state.value}: finishing {job.in_flight} in flight"] if job.in_flight else []
    if job.hold is None or job.hold.what == "concurrency":
        return []
    return [safe_text(job.hold.words(datetime.now()))]


class LiveDisplay:
    """A bar and two lines that stay at the bottom of a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._console = Console(file=stream, highlight=False, soft_wrap=False)
        self._live = Live(console=self._console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False)
        self._started = False
        self._seen: tuple[EngineSnapshot, JobSnapshot] | None = None

    def start(self, job: Job, notes: Sequence[str]) -> None:
        """Prints what is going to happen, then takes the terminal's last lines."""
        for text in notes:
            self.note(text)
        self._live.start()
        self._started = True

    def update(self, engine: EngineSnapshot, job: JobSnapshot) -> None:
        """Redraws."""
        self._seen = engine, job
        self._live.update(self._picture(engine, job), refresh=True)

    def _picture(self, engine: EngineSnapshot, job: JobSnapshot) -> Group:
        row = Table.grid(padding=(0, 1), expand=True)
        row.add_column(no_wrap=True, overflow="ellipsis", max_width=24)
        row.add_column(ratio=1)
        row.add_column(no_wrap=True)
        ended = job.counters.total - job.counters.pending
        bar = ProgressBar(total=max(1, job.counters.total), completed=ended)
        row.add_row(Text(safe_text(job.name), style="bold"), bar, Text(job_line(job)))
        trouble = trouble_line(engine, job)
        lines = [Text(money_line(job), style="dim", no_wrap=True, overflow="ellipsis")]
        if trouble:
            lines.append(Text(trouble, style="yellow", no_wrap=True, overflow="ellipsis"))
        return Group(row, *lines)

    def note(self, text: str) -> None:
        """Prints above the bar."""
        self._console.print(Text(safe_lines(text)))

    def end(self, ending: Ending) -> None:
        """Draws the bar as it is at the end and prints the summary below."""
        if self._seen is not None and self._started:
            engine, last = self._seen
            self.update(
                engine, replace(last, counters=ending.job.counters, in_flight=0, waiting=0, eta_s=None, hold=None)
            )
        self.close()
        for line in ending.lines:
            self.note(line)

    def close(self) -> None:
        """Gives the terminal back."""
        if self._started:
            self._started = False
            self._live.stop()


class PlainDisplay:
    """Lines without escapes: now and then, and whenever the job's or the disk's state changes."""

    def __init__(self, stream: TextIO, *, timer: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._timer = timer
        self._due = 0.0
        self._state: tuple[JobState, str] | None = None
        self._last = ""

    def start(self, job: Job, notes: Sequence[str]) -> None:
        """Prints what is going to happen."""
        for text in notes:
            self.note(text)
        self._due = self._timer() + PLAIN_EVERY_S

    def update(self, engine: EngineSnapshot, job: JobSnapshot) -> None:
        """Prints a line when it is time to."""
        now = self._timer()
        state = (job.state, engine.trouble)
        changed = state != (self._state or (job.state, ""))
        self._state = state
        if now < self._due and not changed:
            return
        self._due = now + PLAIN_EVERY_S
        line = "  ".join(part for part in (job_line(job), money_line(job), trouble_line(engine, job)) if part)
        if line != self._last:
            self.note(line)
            self._last = line

    def note(self, text: str) -> None:
        """Prints a line."""
        print(safe_lines(text), file=self._stream, flush=True)

    def end(self, ending: Ending) -> None:
        """Prints the summary."""
        for line in ending.lines:
            self.note(line)

    def close(self) -> None:
        """Nothing to give back."""


class JsonDisplay:
    """JSON lines; the module's docstring lists the events."""

    def __init__(self, stream: TextIO, *, timer: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._timer = timer
        self._due = 0.0
        self._last: dict[str, Json] = {}

    def start(self, job: Job, notes: Sequence[str]) -> None:
        """Event `start`."""
        self._put(
            {"event": "start", "job": job.id, "name": job.spec.name, "total": job.counters.total, "notes": list(notes)}
        )

    def update(self, engine: EngineSnapshot, job: JobSnapshot) -> None:
        """Event `progress`."""
        now = self._timer()
        if now < self._due:
            return
        self._due = now + JSON_EVERY_S
        event = progress_event(engine, job)
        if event != self._last:
            self._last = event
            self._put(event)

    def note(self, text: str) -> None:
        """Event `note`."""
        self._put({"event": "note", "text": text})

    def end(self, ending: Ending) -> None:
        """Event `end`."""
        self._put(
            {
                "event": "end",
                **job_json(ending.job),
                "message": ending.job.message,
                "elapsed_s": round(ending.elapsed_s, 3),
                "exit_code": ending.exit_code,
                "results": ending.results,
                "rejects": ending.rejects,
            }
        )

    def close(self) -> None:
        """Nothing to give back."""

    def _put(self, event: dict[str, Json]) -> None:
        self._stream.write(json_for(self._stream, event) + "\n")
        self._stream.flush()


def progress_event(engine: EngineSnapshot, job: JobSnapshot) -> dict[str, Json]:
    """A snapshot as the event `progress`."""
    limits = _limits(engine, job)
    return {
        "event": "progress",
        "job": job.id,
        "state": job.state.value,
        **counters_json(job.counters),
        "in_flight": job.in_flight,
        "rate": round(job.rate, 2),
        "eta_s": None if job.eta_s is None else round(job.eta_s, 1),
        "failures": {cls.value: number for cls, number in sorted(job.failures.items())},
        "hold": limits[0] if limits else None,
        "projected_usd": cost_range_json(job.projected),
        "score": None if job.score_mean is None else round(job.score_mean, 4),
    }
