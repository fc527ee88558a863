"""Displays without an engine: what they print, when, and never an escape where there is no terminal."""

from __future__ import annotations

import io
import json
from dataclasses import replace

from tui_batch.cli.running import answered_since
from tui_batch.domain.job import Counters, JobState, Knobs
from tui_batch.domain.outcome import OutcomeClass
from tui_batch.engine.snapshot import EngineSnapshot, Hold, JobSnapshot, Latency
from tui_batch.headless import JsonDisplay, LiveDisplay, PlainDisplay, job_line, money_line, trouble_line

IDLE = EngineSnapshot(jobs=(), lanes=(), trouble="")
JOB = JobSnapshot(
    id=3,
    name="evil \x1b[31m[red]",
    state=JobState.RUNNING,
    reason=None,
    message="",
    knobs=Knobs(),
    counters=Counters(
        total=1000, done=115, dead=5, pending=880, tokens_in=12_345, tokens_out=999, cost_nano=12_300_000
    ),
    in_flight=8,
    waiting=2,
    rate=24.1,
    eta_s=36.5,
    latency=Latency(),
    failures={OutcomeClass.RATE_LIMITED: 3, OutcomeClass.TIMEOUT: 1},
    hold=Hold("RPM", 12.0),
)


def test_a_line_says_where_the_job_is_and_what_limits_it() -> None:
    assert job_line(JOB) == "120/1,000 (12 %)  24.1/s  ETA 36 s"
    assert money_line(JOB) == "tokens 12.3k in, 999 out  cost $0.0123  in flight 8"
    assert trouble_line(IDLE, JOB) == (
        "dead 5  errors: rate_limited 3, timeout 1  to be retried 2  waiting for RPM, 12 s"
    )


def test_a_database_that_cannot_be_written_is_said_first() -> None:
    assert "not dispatching: the disk is full" in trouble_line(replace(IDLE, trouble="the disk is full"), JOB)


def test_plain_lines_come_now_and_then_and_when_the_state_changes() -> None:
    now = 0.0
    stream = io.StringIO()
    display = PlainDisplay(stream, timer=lambda: now)
    for now in (0.1, 1.0, 6.0, 6.1):
        display.update(IDLE, replace(JOB, in_flight=int(now)))
    first = stream.getvalue().count("\n")
    display.update(IDLE, replace(JOB, state=JobState.PAUSED))
    lines = stream.getvalue().splitlines()
    assert first == 2
    assert len(lines) == 3
    assert "paused: finishing 8 in flight" in lines[-1]
    assert "\x1b" not in stream.getvalue()


def test_json_events_come_once_a_second_and_only_when_something_changed() -> None:
    now = 0.0
    stream = io.StringIO()
    display = JsonDisplay(stream, timer=lambda: now)
    for now in (0.0, 0.5, 1.0, 2.0):  # noqa: B007 - the display reads the time
        display.update(IDLE, JOB)
    now = 3.0
    display.update(IDLE, replace(JOB, in_flight=7))
    events = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [event["in_flight"] for event in events] == [8, 7]
    assert events[0]["failures"] == {"rate_limited": 3, "timeout": 1}
    assert events[0]["cost_usd"] == 0.0123
    assert events[0]["hold"] == "waiting for RPM, 12 s"


def test_foreign_text_in_the_live_display_is_neither_markup_nor_escape() -> None:
    stream = io.StringIO()
    display = LiveDisplay(stream)
    display.update(IDLE, JOB)
    display.note("a note [/red]")
    display.close()
    assert "\x1b[31m[red]" not in stream.getvalue()
    assert "[/red]" in stream.getvalue()


def test_the_rate_at_the_end_is_of_what_was_asked_not_of_what_was_cancelled() -> None:
    before = Counters(total=400, done=10, dead=2, pending=388)
    assert answered_since(before, Counters(total=400, done=30, dead=3, cancelled=367)) == 21
    assert answered_since(before, Counters(total=400, done=12, pending=388)) == 0, "some were retried meanwhile"
