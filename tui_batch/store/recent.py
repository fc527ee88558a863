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

Place = tuple[int, int, int, str, str]
"""Width, beginning, job, endpoint, model."""


def create(conn: sqlite3.Connection) -> None:
    """The migration that makes the table, and fills it with the answers of the last day that there are."""
    conn.execute(TABLE)
    for width, kept_s in KEPT_S.items():
        conn.execute(_BACKFILL, (width, width, width, kept_s))


def enter(conn: sqlite3.Connection, records: Sequence[ItemRecord], now: float) -> None:
    """Adds the requests of these records, in the transaction that stores them; forgets those of long ago."""
    sums: dict[Place, list[float]] = {}
    for record in records:
        outcome, deployment = record.outcome, record.deployment
        if record.cached or deployment is None or outcome.cls is OutcomeClass.RATE_LIMITED:
            continue
        sent_at = outcome.started_at or record.at - outcome.latency_s
        for width in KEPT_S:
            place = (width, int(sent_at // width) * width, record.job_id, *deployment)
            row = sums.get(place)
            if row is None:
                row = sums[place] = [0, 0, 0.0, sent_at, record.at]
            row[0] += 1
            row[1] += outcome.usage.total or 0
            row[2] += outcome.latency_s
            row[3] = max(row[3], sent_at)
            row[4] = max(row[4], record.at)
    conn.executemany(_ADD, [(*place, *row) for place, row in sums.items()])
    conn.executemany(_FORGET, [(width, now - kept_s) for width, kept_s in KEPT_S.items()])


def recent_requests(conn: sqlite3.Connection, since: float, width: int) -> list[RecentRequests]:
    """Requests sent since a Unix time that a server counts, added up over SECOND or MINUTE."""
    rows = conn.execute(_RECENT, (width, since - width, since)).fetchall()
    return [
        RecentRequests(job_id, concurrency, DeploymentKey(endpoint, model), *figures)
        for job_id, concurrency, endpoint, model, *figures in rows
    ]
