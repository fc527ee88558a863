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


class Calibration:
    """Reads and writes it. Of two processes that learn about one model, the later writer's figures stay."""

    def __init__(self, write: Connection, read: Connection) -> None:
        self._write = write
        self._read = read

    async def load(self) -> dict[DeploymentKey, Learned]:
        """All there is: a row for a model on an endpoint."""
        sql = """SELECT endpoint, model, ratio, counted_ratio, answers, tokens_out, spread_out, latency_s
            FROM calibration"""
        rows = await self._read.read(lambda conn: conn.execute(sql).fetchall())
        return {DeploymentKey(endpoint, model): Learned(*values) for endpoint, model, *values in rows}

    async def save(self, learned: Mapping[DeploymentKey, Learned], now: float) -> None:
        """Replaces what is known about these."""
        rows = [
            (*key, one.ratio, one.counted_ratio, one.answers, one.tokens_out, one.spread_out, one.latency_s, now)
            for key, one in learned.items()
        ]
        sql = "INSERT OR REPLACE INTO calibration VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"

        def write(conn: sqlite3.Connection) -> None:
            with transaction(conn):
                conn.executemany(sql, rows)

        if rows:
            await self._write.run(write)
