"""Verbs that one process leaves for another: the owner of a job picks them up and answers."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable, Collection, Mapping

from tui_batch.domain.request import Json
from tui_batch.domain.stored import Command, CommandResult
from tui_batch.errors import UserError
from tui_batch.store.connection import Connection, transaction

_KEPT_S = 7 * 86_400.0
"""Commands are forgotten after a week, answered or not: who left them has long gone."""

_POLL_S = 0.01
"""How often a waiting process looks for its answer. Processes that share a file have nothing to wake one another."""


_UNREADABLE = "its arguments are no JSON object"
_REFUSE = "UPDATE command SET state = 'failed', message = ?, finished_at = ? WHERE id = ?"


class Commands:
    """A small mailbox a job."""

    def __init__(self, write: Connection, read: Connection, clock: Callable[[], float]) -> None:
        self._write = write
        self._read = read
        self._clock = clock

    async def push(self, job_id: int, verb: str, args: Mapping[str, Json] | None = None) -> int:
        """Leaves a verb for the job's owner and returns the command's id. Raises UserError without such a job."""
        now, text = self._clock(), json.dumps(dict(args or {}))

        def insert(conn: sqlite3.Connection) -> int:
            with transaction(conn):
                conn.execute("DELETE FROM command WHERE created_at < ?", (now - _KEPT_S,))
                sql = "INSERT INTO command(job_id, verb, args, created_at) VALUES (?, ?, ?, ?)"
                return conn.execute(sql, (job_id, verb, text, now)).lastrowid or 0

        try:
            return await self._write.run(insert)
        except sqlite3.IntegrityError as error:
            raise UserError(f"There is no job {job_id}.", remedy="See the jobs there are: llmbatch-tui ls") from error

    async def are_waiting(self, job_ids: Collection[int]) -> bool:
        """Whether any command waits for these jobs. Takes no lock and costs microseconds."""
        sql = "SELECT 1 FROM command WHERE state = 'pending' AND job_id IN (SELECT value FROM json_each(?)) LIMIT 1"
        wanted = (json.dumps(sorted(job_ids)),)
        return await self._read.read(lambda conn: conn.execute(sql, wanted).fetchone()) is not None

    async def take(self, job_ids: Collection[int]) -> list[Command]:
        """The commands waiting for these jobs, oldest first. Each is handed out once, or refused if unreadable."""
        wanted, now = json.dumps(sorted(job_ids)), self._clock()
        sql = """SELECT id, job_id, verb, args, created_at FROM command
            WHERE state = 'pending' AND job_id IN (SELECT value FROM json_each(?)) ORDER BY id"""

        def take(conn: sqlite3.Connection) -> list[Command]:
            with transaction(conn):
                rows = conn.execute(sql, (wanted,)).fetchall()
                conn.executemany("UPDATE command SET state = 'taken' WHERE id = ?", [row[:1] for row in rows])
                found = {row[0]: _args(row[3]) for row in rows}
                refused = [(_UNREADABLE, now, number) for number, args in found.items() if args is None]
                conn.executemany(_REFUSE, refused)
            read = ((row, found[row[0]]) for row in rows)
            return [Command(row[0], row[1], row[2], args, row[4]) for row, args in read if args is not None]

        return await self._write.run(take)

    async def finish(self, command_id: int, ok: bool, message: str = "") -> None:
        """Answers a command."""
        values = ("done" if ok else "failed", message, self._clock(), command_id)

        def update(conn: sqlite3.Connection) -> None:
            with transaction(conn):
                conn.execute("UPDATE command SET state = ?, message = ?, finished_at = ? WHERE id = ?", values)

        await self._write.run(update)

    async def wait(self, command_id: int, timeout: float) -> CommandResult | None:
        """The answer, or None when none comes within that many seconds."""
        sql = "SELECT state, message FROM command WHERE id = ? AND finished_at IS NOT NULL"
        loop = asyncio.get_running_loop()
        end = loop.time() + timeout
        while True:
            row = await self._read.read(lambda conn: conn.execute(sql, (command_id,)).fetchone())
            if row is not None:
                return CommandResult(row[0] == "done", row[1])
            if loop.time() >= end:
                return None
            await asyncio.sleep(_POLL_S)

    async def withdraw(self, command_id: int) -> bool:
        """Takes back a command that nobody has picked up, and says whether that was so."""

        def delete(conn: sqlite3.Connection) -> bool:
            with transaction(conn):
                sql = "DELETE FROM command WHERE id = ? AND state = 'pending'"
                return conn.execute(sql, (command_id,)).rowcount == 1

        return await self._write.run(delete)


def _args(text: str) -> dict[str, Json] | None:
    """None for what is no JSON object: anybody may have written it, and the owner of the job must live on."""
    try:
        args = json.loads(text)
    except ValueError:
        return None
    return args if isinstance(args, dict) else None
