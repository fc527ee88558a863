"""What a report tells of a job, added up by SQLite in one snapshot. Functions of a connection: they block."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tui_batch.domain.item import ItemFlag
from tui_batch.domain.outcome import OutcomeClass
from tui_batch.domain.stored import ErrorGroup, Event
from tui_batch.quality.alerts import ToldAlert
from tui_batch.store.alerts import read_alerts
from tui_batch.store.connection import snapshot
from tui_batch.store.failing_queries import FailingCheck, FailingItem, failing_checks, failing_items
from tui_batch.store.items import error_groups, flag_counts

SLICES = 60
"""Parts that the time of a job is divided into."""
DEAD_SHOWN = 100
"""Dead items that a report lists."""
EVENTS_SHOWN = 100
LOWEST_SHOWN = 10
"""Answers with the lowest scores that a report lists."""
EXCERPT = 1_000
"""Characters of a row or an answer that a report shows."""

_ROUNDED_MS = """CASE WHEN latency_ms < 1000 THEN latency_ms WHEN latency_ms < 10000 THEN latency_ms / 10 * 10
  WHEN latency_ms < 100000 THEN latency_ms / 100 * 100 ELSE latency_ms / 1000 * 1000 END"""
"""To three digits, so that however many requests there are, there are few different values to add up."""


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores added up."""

    count: int
    mean: float
    squares: float
    """Mean of the squares."""


@dataclass(frozen=True, slots=True)
class ModelFigures:
    """What one model on one endpoint came to. An item counts for the one that was asked last."""

    model: str | None
    """None: items that no request could be made of."""
    endpoint: str | None
    """None: answered by the cache, or never sent."""
    items: int
    done: int
    dead: int
    cached: int
    requests: int
    tokens_in: int
    tokens_out: int
    cost_nano: int
    """Sum of the known costs."""
    unpriced: int
    """Requests whose cost is unknown."""
    saved_nano: int
    scores: Scores | None


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of the time."""

    start_s: float
    """Seconds after the job's first start."""
    done: int
    dead: int
    cached: int
    tokens: int
    cost_nano: int
    score: float | None
    """Mean of the scores; None: there are none."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """The job's time in equal parts, from its first start to its last outcome, pauses included."""

    begin: float
    """Unix time."""
    end: float
    width_s: float
    """Length of a slice."""
    slices: tuple[Slice, ...]


@dataclass(frozen=True, slots=True)
class DeadItem:
    """A dead item as a report lists it."""

    id: int
    line: int | None
    custom_id: str | None
    cls: OutcomeClass | None
    message: str
    requests: int
    model: str | None
    row: str
    """The beginning of the input row, JSON."""
    answer: str
    """The beginning of the answer, where there is one."""


@dataclass(frozen=True, slots=True)
class ScoredItem:
    """An item with its score."""

    id: int
    line: int | None
    custom_id: str | None
    score: float
    answer: str
    reason: str = ""
    """The judge's words; empty: none spoke."""
    model: str | None = None


@dataclass(frozen=True, slots=True)
class JobFigures:
    """Everything that is added up for a report."""

    models: tuple[ModelFigures, ...]
    timeline: Timeline | None
    """None: nothing has ended yet."""
    latencies: Mapping[tuple[str, str], Mapping[int, int]]
    """By model and endpoint: how many answers took how many milliseconds, to three digits; cache hits left out."""
    dead_by_class: Mapping[OutcomeClass, int]
    failed_requests: Mapping[OutcomeClass, int]
    """Requests that failed, by class, those of items that were done in the end included."""
    groups: tuple[ErrorGroup, ...]
    dead: tuple[DeadItem, ...]
    """The first in input order, at most DEAD_SHOWN."""
    flags: Mapping[ItemFlag, int]
    events: tuple[Event, ...]
    """The newest, oldest first."""
    alerts: tuple[ToldAlert, ...] = ()
    """What was told when answers got worse, oldest first."""
    score_bins: tuple[int, ...] = ()
    """Scores from 0 to 1 in ten bins; empty: no item has a score."""
    lowest: tuple[ScoredItem, ...] = field(default=())
    failing: tuple[FailingCheck, ...] = ()
    """The checks that answers fail, the most frequent first."""
    failing_items: tuple[FailingItem, ...] = ()
    """The first of those answers."""


def gather(
    conn: sqlite3.Connection, job_id: int, started_at: float | None, tell: Callable[[float], None] = lambda _: None
) -> JobFigures:
    """Adds up a job, all of it as at one moment. `tell` gets the part that is done, from 0 to 1.

    Takes about half a second for 100,000 items; on a connection that is read through Connection.read it ends soon after
    its caller is cancelled.
    """
    with snapshot(conn):
        models = _models(conn, job_id)
        tell(0.2)
        timeline = _timeline(conn, job_id, started_at)
        tell(0.4)
        latencies = _latencies(conn, job_id)
        tell(0.6)
        failed = _counts(conn, _FAILED, job_id)
        failing = failing_checks(conn, job_id)
        dead_by_class = _counts(conn, _DEAD_CLASSES, job_id)
        groups = tuple(error_groups(conn, job_id)) if dead_by_class else ()
        tell(0.8)
        figures = JobFigures(
            models=models,
            timeline=timeline,
            latencies=latencies,
            dead_by_class=dead_by_class,
            failed_requests=failed,
            groups=groups,
            dead=_dead(conn, job_id),
            flags=flag_counts(conn, job_id),
            events=_events(conn, job_id),
            alerts=read_alerts(conn, job_id),
            score_bins=_score_bins(conn, job_id) if any(one.scores for one in models) else (),
            lowest=_lowest(conn, job_id) if any(one.scores for one in models) else (),
            failing=failing,
            failing_items=failing_items(conn, job_id) if failing else (),
        )
    tell(1.0)
    return figures


_MODELS = """SELECT model, endpoint, count(*), sum(state = 'done'), sum(state = 'dead'), sum(cached), sum(requests),
    coalesce(sum(tokens_in), 0), coalesce(sum(tokens_out), 0), coalesce(sum(cost_nano), 0), sum(unpriced),
    sum(saved_nano), count(score), avg(score), avg(score * score)
  FROM item WHERE job_id = ? AND (state IN ('done', 'dead') OR requests > 0)
  GROUP BY model, endpoint ORDER BY count(*) DESC, model, endpoint"""


def _models(conn: sqlite3.Connection, job_id: int) -> tuple[ModelFigures, ...]:
    found = []
    for row in conn.execute(_MODELS, (job_id,)):
        scores: list[Scores | None] = [Scores(*row[-3:]) if row[-3] else None]
        found.append(ModelFigures(*row[:-3], *scores))
    return tuple(found)


_SPAN = """SELECT min(coalesce(started_at, finished_at)), max(finished_at) FROM item
  WHERE job_id = ? AND state IN ('done', 'dead')"""
_SLICES = """SELECT min(:last, max(0, CAST((finished_at - :begin) / :width AS INTEGER))) AS slot, sum(state = 'done'),
    sum(state = 'dead'), sum(cached), coalesce(sum(tokens_in), 0) + coalesce(sum(tokens_out), 0),
    coalesce(sum(cost_nano), 0), avg(score)
  FROM item WHERE job_id = :job AND state IN ('done', 'dead') AND finished_at IS NOT NULL GROUP BY slot"""


def _timeline(conn: sqlite3.Connection, job_id: int, started_at: float | None) -> Timeline | None:
    first, end = conn.execute(_SPAN, (job_id,)).fetchone()
    if end is None:
        return None
    begin = min(first, started_at if started_at is not None else first)
    width = max(end - begin, 1.0) / SLICES
    values = {"job": job_id, "begin": begin, "width": width, "last": SLICES - 1}
    found = {slot: rest for slot, *rest in conn.execute(_SLICES, values)}
    empty = (0, 0, 0, 0, 0, None)
    slices = tuple(Slice(slot * width, *found.get(slot, empty)) for slot in range(SLICES))
    return Timeline(begin, end, width, slices)


_LATENCIES = f"""SELECT coalesce(model, ''), coalesce(endpoint, ''), {_ROUNDED_MS}, count(*) FROM item
  WHERE job_id = ? AND state = 'done' AND NOT cached AND latency_ms IS NOT NULL GROUP BY 1, 2, 3"""


def _latencies(conn: sqlite3.Connection, job_id: int) -> dict[tuple[str, str], dict[int, int]]:
    found: dict[tuple[str, str], dict[int, int]] = {}
    for model, endpoint, latency_ms, number in conn.execute(_LATENCIES, (job_id,)):
        found.setdefault((model, endpoint), {})[latency_ms] = number
    return found


_DEAD_CLASSES = "SELECT outcome, count(*) FROM item WHERE job_id = ? AND state = 'dead' GROUP BY outcome"
# Only these can have a failed request: a million items that went well at once need not be looked up.
_FAILED = """SELECT class, count(*) FROM item JOIN attempt ON attempt.item_id = item.id
  WHERE job_id = ? AND (requests > 1 OR state != 'done' OR cached) GROUP BY class"""


def _counts(conn: sqlite3.Connection, sql: str, job_id: int) -> dict[OutcomeClass, int]:
    rows = [(OutcomeClass(cls), number) for cls, number in conn.execute(sql, (job_id,)) if cls is not None]
    return dict(sorted(rows, key=lambda row: -row[1]))


_DEAD = f"""SELECT item.id, line, custom_id, outcome, coalesce(result.message, ''), requests, model,
    substr(payload.data, 1, {EXCERPT + 1}), substr(coalesce(result.text, ''), 1, {EXCERPT + 1})
  FROM item JOIN payload ON payload.id = item.payload_id LEFT JOIN result ON result.item_id = item.id
  WHERE job_id = ? AND state = 'dead' ORDER BY seq, variant LIMIT {DEAD_SHOWN}"""


def _dead(conn: sqlite3.Connection, job_id: int) -> tuple[DeadItem, ...]:
    return tuple(_dead_item(row) for row in conn.execute(_DEAD, (job_id,)))


def _dead_item(row: Sequence[Any]) -> DeadItem:
    values = list(row)
    values[3] = None if values[3] is None else OutcomeClass(values[3])
    return DeadItem(*values)


def _events(conn: sqlite3.Connection, job_id: int) -> tuple[Event, ...]:
    sql = f"""SELECT id, job_id, at, level, text FROM event WHERE job_id = ? ORDER BY id DESC LIMIT {EVENTS_SHOWN}"""
    return tuple(Event(*row) for row in reversed(conn.execute(sql, (job_id,)).fetchall()))


def _score_bins(conn: sqlite3.Connection, job_id: int) -> tuple[int, ...]:
    sql = """SELECT min(9, max(0, CAST(score * 10 AS INTEGER))), count(*) FROM item
        WHERE job_id = ? AND score IS NOT NULL GROUP BY 1"""
    found = dict(conn.execute(sql, (job_id,)).fetchall())
    return tuple(found.get(number, 0) for number in range(10))


def _lowest(conn: sqlite3.Connection, job_id: int) -> tuple[ScoredItem, ...]:
    sql = f"""SELECT item.id, line, custom_id, score, substr(coalesce(result.text, ''), 1, {EXCERPT + 1}),
            coalesce(result.reason, ''), model FROM item
        LEFT JOIN result ON result.item_id = item.id WHERE job_id = ? AND score IS NOT NULL
        ORDER BY score, seq, variant LIMIT {LOWEST_SHOWN}"""
    return tuple(ScoredItem(*row) for row in conn.execute(sql, (job_id,)))
