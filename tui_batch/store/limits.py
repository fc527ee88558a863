"""What was learned about limits that nobody stated here, so that the next process does not run into them again."""

from __future__ import annotations

import sqlite3
from dataclasses import astuple

from tui_batch.domain.endpoint import DeploymentKey
from tui_batch.domain.learned import LearnedLimits
from tui_batch.store.connection import Connection, transaction

LEARNED_LIMIT = """
CREATE TABLE learned_limit (
  endpoint    TEXT NOT NULL,
  model       TEXT NOT NULL,
  server      TEXT NOT NULL,     -- tells the address and the key's place that it was learned with from others
  pace_per_s  REAL,              -- requests a second, spread evenly; NULL: not spread
  per_minute  INTEGER,           -- requests that refusals taught; NULL: they taught none
  rpm         INTEGER,           -- as the server's headers stated them; NULL: they did not
  tpm         INTEGER,
  rpd         INTEGER,
  at          REAL NOT NULL,     -- the last refusal or header that told of it
  PRIMARY KEY (endpoint, model)
) WITHOUT ROWID
"""


def create(conn: sqlite3.Connection) -> None:
    """The migration that makes the table."""
    conn.execute(LEARNED_LIMIT)


class LearnedLimitTable:
    """Reads and writes it. Of two processes that learn about one deployment, the later writer's figures stay."""

    def __init__(self, write: Connection, read: Connection) -> None:
        self._write = write
        self._read = read

    async def of(self, key: DeploymentKey, server: str) -> LearnedLimits | None:
        """What was learned about a deployment of this server; None: nothing, or of another server by that name."""
        sql = (
            "SELECT pace_per_s, per_minute, rpm, tpm, rpd, at FROM learned_limit"
            " WHERE endpoint = ? AND model = ? AND server = ?"
        )
        row = await self._read.read(lambda conn: conn.execute(sql, (*key, server)).fetchone())
        return None if row is None else LearnedLimits(*row)

    async def save(self, key: DeploymentKey, server: str, limits: LearnedLimits | None) -> None:
        """Replaces what is known about a deployment; None: nothing is, any more."""

        def write(conn: sqlite3.Connection) -> None:
            with transaction(conn):
                if limits is None:
                    conn.execute("DELETE FROM learned_limit WHERE endpoint = ? AND model = ?", key)
                else:
                    values = (*key, server, *astuple(limits))
                    conn.execute("INSERT OR REPLACE INTO learned_limit VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", values)

        await self._write.run(write)
