"""What was learned about models, so that the next run's estimates begin where the last one's ended."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from tui_batch.domain.endpoint import DeploymentKey
from tui_batch.domain.learned import Learned
from tui_batch.store.connection import Connection, transaction

CALIBRATION = """
CREATE TABLE calibration (
  endpoint       TEXT NOT NULL,
  model          TEXT NOT NULL,
  ratio          REAL NOT NULL,     -- prompt tokens reported over the rule of thumb's estimate
  counted_ratio  REAL NOT NULL,     -- the same over what the model's vocabulary counted
  answers        INTEGER NOT NULL,  -- answers that went into this
  tokens_out     REAL,              -- mean answer tokens
  spread_out     REAL NOT NULL,     -- their standard deviation
  latency_s      REAL,              -- mean seconds from sending to the last byte
  updated_at     REAL NOT NULL,
  PRIMARY KEY (endpoint, model)
) WITHOUT ROWID
"""


def create(conn: sqlite3.Connection) -> None:
    """The migration that makes the table."""
    conn.execute(CALIBRATION)


def add_in_flight(conn: sqlite3.Connection) -> None:
    """The migration that adds how many requests a server was found to take at once."""
    conn.execute("ALTER TABLE calibration ADD COLUMN in_flight REAL")


_UNKNOWN = """
ALTER TABLE calibration RENAME TO calibration_before;
CREATE TABLE calibration (
  endpoint       TEXT NOT NULL,
  model          TEXT NOT NULL,
  ratio          REAL,              -- NULL: no server reported a count of such a prompt
  counted_ratio  REAL,              -- as ratio
  answers        INTEGER NOT NULL,
  tokens_out     REAL,
  spread_out     REAL NOT NULL,
  latency_s      REAL,
  updated_at     REAL NOT NULL,
  in_flight      REAL,
  PRIMARY KEY (endpoint, model)
) WITHOUT ROWID;
INSERT INTO calibration
SELECT endpoint, model, nullif(ratio, 1.0), nullif(counted_ratio, 1.0), answers, tokens_out, spread_out, latency_s,
  updated_at, in_flight FROM calibration_before;
DROP TABLE calibration_before
"""
"""Before, a ratio of exactly 1 stood for one that nothing was known of."""


def tell_unknown_ratios(conn: sqlite3.Connection) -> None:
    """The migration that tells a ratio that nothing was reported of from one of 1.

    No copy of the file is kept for it: what is learned is learned again within a few answers.
    """
    for statement in _UNKNOWN.split(";"):
        conn.execute(statement)


_FIELDS = ("ratio", "counted_ratio", "answers", "tokens_out", "spread_out", "latency_s", "in_flight")
"""Columns, named as in domain.Learned."""


class Calibration:
    """Reads and writes it. Of two processes that learn about one model, the later writer's figures stay."""

    def __init__(self, write: Connection, read: Connection) -> None:
        self._write = write
        self._read = read

    async def load(self) -> dict[DeploymentKey, Learned]:
        """All there is: a row for a model on an endpoint."""
        sql = f"SELECT endpoint, model, {', '.join(_FIELDS)} FROM calibration"
        rows = await self._read.read(lambda conn: conn.execute(sql).fetchall())
        return {
            DeploymentKey(endpoint, model): Learned(**dict(zip(_FIELDS, values, strict=True)))
            for endpoint, model, *values in rows
        }

    async def save(self, learned: Mapping[DeploymentKey, Learned], now: float) -> None:
        """Replaces what is known about these."""
        rows = [(*key, *(getattr(one, name) for name in _FIELDS), now) for key, one in learned.items()]
        names = ("endpoint", "model", *_FIELDS, "updated_at")
        sql = f"INSERT OR REPLACE INTO calibration({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"

        def write(conn: sqlite3.Connection) -> None:
            with transaction(conn):
                conn.executemany(sql, rows)

        if rows:
            await self._write.run(write)
