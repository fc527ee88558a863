"""The log a person reads: what happened to jobs, and when."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from tui_batch.domain.stored import Event
from tui_batch.store.connection import Connection, transaction

KEPT = 50_000
"""Events beyond this number push out the oldest."""


_INSERT = "INSERT INTO event(job_id, at, level, text) VALUES ((SELECT id FROM job WHERE id = ?), ?, ?, ?)"


def insert_event(conn: sqlite3.Connection, job_id: int | None, at: float, level: str, text: str) -> int:
    """Adds an event within the caller's transaction and returns its id."""
    clean = text.encode("utf-8", "replace").decode("utf-8")
    # A job may be deleted while a line about it waits for the disk.
    cursor = conn.execute(_INSERT, (job_id, at, level, clean))
    event_id = cursor.lastrowid or 0
    conn.execute("DELETE FROM event WHERE id <= ?", (event_id - KEPT,))
    return event_id


class Events:
    """Writes and reads events."""

    def __init__(self, write: Connection, read: Connection, clock: Callable[[], float]) -> None:
        self._write = write
        self._read = read
        self._clock = clock

    async def log(self, job_id: int | None, level: str, text: str, *, at: float | None = None) -> int:
        """Adds a line (level: info, warning or error) and returns its id. None: it is about no job.

        `at` is the Unix time at which it happened; None: now.
        """
        at = self._clock() if at is None else at

        def insert(conn: sqlite3.Connection) -> int:
            with transaction(conn):
                return insert_event(conn, job_id, at, level, text)

        return await self._write.run(insert)

    async def tail(self, after_id: int = 0, limit: int = 200, job_id: int | None = None) -> list[Event]:
        """The newest events after that id, at most `limit`, oldest first; of one job, or of all."""
        only = "" if job_id is None else "AND job_id = ?"
        given = (after_id, limit) if job_id is None else (after_id, job_id, limit)
        sql = f"SELECT id, job_id, at, level, text FROM event WHERE id > ? {only} ORDER BY id DESC LIMIT ?"

        def select(conn: sqlite3.Connection) -> list[Event]:
            return [Event(*row) for row in reversed(conn.execute(sql, given).fetchall())]

        return await self._read.read(select)
