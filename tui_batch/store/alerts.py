"""What watches of answer quality told, and what they know: kept with their jobs, so that a resumed one goes on."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from tui_batch.domain.job import Owner
from tui_batch.domain.request import Json
from tui_batch.quality.alerts import Against, Alert, Signal, ToldAlert
from tui_batch.store.connection import Connection, transaction

ALERT = """
CREATE TABLE alert (
  id          INTEGER PRIMARY KEY,
  job_id      INTEGER NOT NULL REFERENCES job(id) ON DELETE CASCADE,
  number      INTEGER NOT NULL,   -- which of the job's alerts, from 1
  at          REAL NOT NULL,
  signal      TEXT NOT NULL,      -- score, failed checks, refusals, repeated answers, answer length, latency
  against     TEXT NOT NULL,      -- the minimum, the job's start, the window before
  now_value   REAL NOT NULL,      -- mean of the last window: a score or share from 0 to 1, characters, seconds
  then_value  REAL NOT NULL,      -- the same of what it was compared with
  window      INTEGER NOT NULL,   -- answers in the last window
  statistic   REAL,               -- Welch's t; NULL: the values did not vary
  freedom     INTEGER,            -- its degrees of freedom
  rows        TEXT NOT NULL,      -- JSON list: the worst rows of the window, from 1
  items       TEXT NOT NULL,      -- JSON list: their items
  ended_at    REAL,               -- from then on it held no more; NULL: it holds
  UNIQUE (job_id, number)
)
"""

DRIFT = """
CREATE TABLE drift (
  job_id    INTEGER PRIMARY KEY REFERENCES job(id) ON DELETE CASCADE,
  state     TEXT NOT NULL,        -- JSON: the sums and the last answers that the next are compared with
  saved_at  REAL NOT NULL
)
"""

SHOWN = 100
"""Alerts of a job that are read at most, the newest."""

_TELL = """INSERT OR IGNORE INTO alert(job_id, number, at, signal, against, now_value, then_value, window, statistic,
  freedom, rows, items) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""

_END = """UPDATE alert SET ended_at = ? WHERE job_id = ? AND ended_at IS NULL
  AND number NOT IN (SELECT value FROM json_each(?))"""

_READ = f"""SELECT * FROM (SELECT number, at, signal, against, now_value, then_value, window, statistic, freedom, rows,
    items, ended_at FROM alert WHERE job_id = ? ORDER BY number DESC LIMIT {SHOWN}) ORDER BY number"""


def create(conn: sqlite3.Connection) -> None:
    """The migration that makes the tables."""
    conn.execute(ALERT)
    conn.execute(DRIFT)


@dataclass(frozen=True, slots=True)
class WatchState:
    """What a job's watch knows at a moment, with what it told since it was last stored."""

    job_id: int
    state: Json
    """DriftWatch.state."""
    at: float
    """Unix time."""
    told: tuple[ToldAlert, ...] = ()
    holding: tuple[int, ...] = ()
    """Numbers of the alerts that hold."""
    owner: Owner | None = None
    """Nothing is stored of a job that is another's by now; None: whosever it is."""


class Alerts:
    """Reads and writes them."""

    def __init__(self, write: Connection, read: Connection) -> None:
        self._write = write
        self._read = read

    async def of(self, job_id: int) -> tuple[ToldAlert, ...]:
        """A job's alerts, oldest first; the newest SHOWN at most. None for a job that was never watched."""
        return await self._read.read(lambda conn: read_alerts(conn, job_id))

    async def watch_state(self, job_id: int) -> Json | None:
        """What the job's watch knew when it was last stored; None: nothing. Raises ValueError when it is damaged."""
        sql = "SELECT state FROM drift WHERE job_id = ?"
        row = await self._read.read(lambda conn: conn.execute(sql, (job_id,)).fetchone())
        return None if row is None else orjson.loads(row[0])

    async def save(self, states: Sequence[WatchState]) -> None:
        """Stores states and alerts in one transaction. Storing an alert again changes nothing."""

        def write(conn: sqlite3.Connection) -> None:
            with transaction(conn):
                for one in states:
                    _save(conn, one)

        if states:
            await self._write.run(write)


def read_alerts(conn: sqlite3.Connection, job_id: int) -> tuple[ToldAlert, ...]:
    """As Alerts.of. Blocks."""
    return tuple(_told(*row) for row in conn.execute(_READ, (job_id,)))


def _save(conn: sqlite3.Connection, one: WatchState) -> None:
    found = conn.execute("SELECT owner_token FROM job WHERE id = ?", (one.job_id,)).fetchone()
    if found is None or (one.owner is not None and found[0] != one.owner.token):
        return  # it was deleted meanwhile, or another process took it and knows better
    sql = "INSERT OR REPLACE INTO drift(job_id, state, saved_at) VALUES (?, ?, ?)"
    conn.execute(sql, (one.job_id, orjson.dumps(one.state).decode(), one.at))
    conn.executemany(_TELL, [_row(one.job_id, told) for told in one.told])
    conn.execute(_END, (one.at, one.job_id, orjson.dumps(one.holding).decode()))


def _row(job_id: int, told: ToldAlert) -> tuple[object, ...]:
    one = told.alert
    figures = (one.now, one.then, one.window, one.statistic, one.freedom)
    places = (orjson.dumps(one.rows).decode(), orjson.dumps(one.item_ids).decode())
    return (job_id, one.number, told.at, one.signal.value, one.against.value, *figures, *places)


def _told(
    number: int,
    at: float,
    signal: str,
    against: str,
    now: float,
    then: float,
    window: int,
    statistic: float | None,
    freedom: int | None,
    rows: str,
    items: str,
    ended_at: float | None,
) -> ToldAlert:
    alert = Alert(
        Signal(signal),
        Against(against),
        *(now, then),
        window=window,
        rows=tuple(orjson.loads(rows)),
        item_ids=tuple(orjson.loads(items)),
        statistic=statistic,
        freedom=freedom,
        number=number,
    )
    return ToldAlert(alert, at, ended_at)
