"""What was sent lately, whoever sent it: a new process must not pass a limit that an old one has used up.

It is added up as outcomes are stored, by the second for limits of a minute and by the minute for limits of a day, so
that a job of a million rows goes on at once: to look for it among the items takes a read of all of them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from tui_batch.domain.endpoint import DeploymentKey
from tui_batch.domain.item import ItemRecord
from tui_batch.domain.outcome import OutcomeClass
from tui_batch.domain.stored import RecentRequests

SECOND = 1
MINUTE = 60
KEPT_S = {SECOND: 180, MINUTE: 86_400 + 3_600}
"""Widths of the sums in seconds, and how long each is kept."""

TABLE = """
CREATE TABLE sent (
  width      INTEGER NOT NULL,   -- seconds that are added up: 1 or 60
  began      INTEGER NOT NULL,   -- where they begin, Unix time
  job_id     INTEGER NOT NULL,   -- no reference: what was sent counts when its job is deleted
  endpoint   TEXT NOT NULL,
  model      TEXT NOT NULL,
  requests   INTEGER NOT NULL,   -- sent in these seconds, ended since, and counted by the server
  tokens     INTEGER NOT NULL,
  latency_s  REAL NOT NULL,      -- sum
  sent_at    REAL NOT NULL,      -- the last of them
  ended_at   REAL NOT NULL,      -- likewise
  PRIMARY KEY (width, began, job_id, endpoint, model)
) WITHOUT ROWID
"""

_BACKFILL = """
INSERT INTO sent
SELECT ?, CAST(item.started_at / ? AS INTEGER) * ?, item.job_id, item.endpoint, item.model, count(*),
  sum(coalesce(item.tokens_in, 0) + coalesce(item.tokens_out, 0)), sum(coalesce(item.latency_ms, 0)) / 1000.0,
  max(item.started_at), max(coalesce(item.finished_at, item.started_at))
FROM item JOIN job ON job.id = item.job_id
WHERE item.state = 'done' AND item.cached = 0 AND item.endpoint IS NOT NULL AND item.model IS NOT NULL
  AND item.started_at >= strftime('%s', 'now') - ?
GROUP BY 2, 3, 4, 5
"""

_ADD = """
INSERT INTO sent VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET
  requests = requests + excluded.requests, tokens = tokens + excluded.tokens,
  latency_s = latency_s + excluded.latency_s, sent_at = max(sent_at, excluded.sent_at),
  ended_at = max(ended_at, excluded.ended_at)
"""

_FORGET = "DELETE FROM sent WHERE width = ? AND began < ?"

_RECENT = """
SELECT sent.job_id, job.knobs ->> '$.concurrency', endpoint, model, sent_at, ended_at, sent.requests, tokens, latency_s
FROM sent LEFT JOIN job ON job.id = sent.job_id
WHERE width = ? AND began >= ? AND sent_at >= ?
"""

_Place = tuple[int, int, str, str]
"""Beginning, job, endpoint, model."""
_Sums = list[float]
"""Requests, tokens, latencies; the last sending, the last end."""


def create(conn: sqlite3.Connection) -> None:
    """The migration that makes the table, and fills it with the answers of the last day that there are."""
    conn.execute(TABLE)
    for width, kept_s in KEPT_S.items():
        conn.execute(_BACKFILL, (width, width, width, kept_s))


def enter(conn: sqlite3.Connection, records: Sequence[ItemRecord], now: float) -> None:
    """Adds the requests of these records, in the transaction that stores them; forgets those of long ago."""
    seconds = _by_second(records)
    minutes: dict[_Place, _Sums] = {}
    for (began, job_id, endpoint, model), sums in seconds.items():
        _join(minutes, (began // MINUTE * MINUTE, job_id, endpoint, model), sums)
    rows = [(SECOND, *place, *sums) for place, sums in seconds.items()]
    rows += [(MINUTE, *place, *sums) for place, sums in minutes.items()]
    conn.executemany(_ADD, rows)
    conn.executemany(_FORGET, [(width, now - kept_s) for width, kept_s in KEPT_S.items()])


def _by_second(records: Sequence[ItemRecord]) -> dict[_Place, _Sums]:
    found: dict[_Place, _Sums] = {}
    for record in records:
        outcome, deployment, ended_at = record.outcome, record.deployment, record.at
        if record.cached or deployment is None or outcome.cls is OutcomeClass.RATE_LIMITED:
            continue
        latency_s = outcome.latency_s
        sent_at = outcome.started_at or ended_at - latency_s
        place = (int(sent_at), record.job_id, *deployment)
        sums = found.get(place)
        if sums is None:
            found[place] = [1, outcome.usage.total or 0, latency_s, sent_at, ended_at]
            continue
        sums[0] += 1
        sums[1] += outcome.usage.total or 0
        sums[2] += latency_s
        if sent_at > sums[3]:
            sums[3] = sent_at
        if ended_at > sums[4]:
            sums[4] = ended_at
    return found


def _join(into: dict[_Place, _Sums], place: _Place, more: _Sums) -> None:
    """Adds a second's sums to its minute's."""
    requests, tokens, latency_s, sent_at, ended_at = into.get(place, (0, 0, 0.0, 0.0, 0.0))
    into[place] = [
        *(requests + more[0], tokens + more[1], latency_s + more[2]),
        *(max(sent_at, more[3]), max(ended_at, more[4])),
    ]


def recent_requests(conn: sqlite3.Connection, since: float, width: int) -> list[RecentRequests]:
    """Requests sent since a Unix time that a server counts, added up over SECOND or MINUTE."""
    rows = conn.execute(_RECENT, (width, since - width, since)).fetchall()
    return [
        RecentRequests(job_id, concurrency, DeploymentKey(endpoint, model), *figures)
        for job_id, concurrency, endpoint, model, *figures in rows
    ]
