"""Reading rows in: a transaction a batch, duplicates refused by the index and not by a set in memory."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from tui_batch.domain.item import Duplicate, NewRow
from tui_batch.errors import UserError
from tui_batch.store.connection import LOCK_GAP_S, Connection, transaction

_PAYLOAD = "INSERT INTO payload(id, data) VALUES (?, ?)"
_ITEM = "INSERT INTO item(job_id, seq, variant, line, custom_id, payload_id, priority) VALUES (?, ?, ?, ?, ?, ?, ?)"
_COUNT = "UPDATE job SET total = total + ?, pending = pending + ? WHERE id = ?"
_LOOKED_UP = 500


@dataclass(frozen=True, slots=True)
class _Added:
    rows: int
    duplicates: list[Duplicate]


class Importer:
    """Adds rows to one job. Made by Store.importing; one at a time for a job."""

    def __init__(self, connection: Connection, job_id: int, variants: int, next_seq: int) -> None:
        self._connection = connection
        self._job_id = job_id
        self._variants = variants
        self._next_seq = next_seq

    @property
    def rows(self) -> int:
        """Rows the job has so far."""
        return self._next_seq

    async def add(self, rows: Sequence[NewRow]) -> list[Duplicate]:
        """Stores the rows in one transaction and returns those refused because their custom_id is taken.

        Batches of 1,000 to 5,000 are fastest. Raises StoreTrouble when nothing of the batch could be stored, and
        UserError when the job was deleted meanwhile.
        """
        added = await self._connection.run(lambda conn: self._add(conn, rows))
        await asyncio.sleep(LOCK_GAP_S)
        self._next_seq += added.rows
        return added.duplicates

    def _add(self, conn: sqlite3.Connection, rows: Sequence[NewRow]) -> _Added:
        duplicates: list[Duplicate] = []
        with transaction(conn):
            if conn.execute("SELECT 1 FROM job WHERE id = ?", (self._job_id,)).fetchone() is None:
                raise UserError(f"job {self._job_id} was deleted while its rows were read in", remedy="Make it again.")
            conn.execute("SAVEPOINT batch")
            try:
                self._insert(conn, rows)
            except sqlite3.IntegrityError:
                conn.execute("ROLLBACK TO batch")
                rows, duplicates = self._sort_out(conn, rows)
                self._insert(conn, rows)
            items = len(rows) * self._variants
            conn.execute(_COUNT, (items, items, self._job_id))
        return _Added(len(rows), duplicates)

    def _insert(self, conn: sqlite3.Connection, rows: Sequence[NewRow]) -> None:
        first = conn.execute("SELECT coalesce(max(id), 0) + 1 FROM payload").fetchone()[0]
        conn.executemany(_PAYLOAD, [(first + n, row.data.decode()) for n, row in enumerate(rows)])
        conn.executemany(_ITEM, self._items(rows, first))

    def _items(self, rows: Sequence[NewRow], payload_id: int) -> Iterator[tuple[object, ...]]:
        job_id, variants = self._job_id, range(self._variants)
        for n, row in enumerate(rows):
            for variant in variants:
                yield (job_id, self._next_seq + n, variant, row.line, row.custom_id, payload_id + n, row.priority)

    def _sort_out(self, conn: sqlite3.Connection, rows: Sequence[NewRow]) -> tuple[list[NewRow], list[Duplicate]]:
        first_lines = self._stored_lines(conn, (row.custom_id for row in rows if row.custom_id is not None))
        kept: list[NewRow] = []
        duplicates: list[Duplicate] = []
        for row in rows:
            if row.custom_id is None:
                kept.append(row)
            elif row.custom_id in first_lines:
                duplicates.append(Duplicate(row.line, row.custom_id, first_lines[row.custom_id]))
            else:
                first_lines[row.custom_id] = row.line
                kept.append(row)
        return kept, duplicates

    def _stored_lines(self, conn: sqlite3.Connection, custom_ids: Iterable[str]) -> dict[str, int | None]:
        found: dict[str, int | None] = {}
        rest = iter(custom_ids)
        while chunk := list(islice(rest, _LOOKED_UP)):
            marks = ",".join("?" * len(chunk))
            sql = f"SELECT custom_id, line FROM item WHERE job_id = ? AND variant = 0 AND custom_id IN ({marks})"
            found.update(conn.execute(sql, (self._job_id, *chunk)).fetchall())
        return found


async def start_import(connection: Connection, job_id: int, variants: int) -> Importer:
    """An importer that goes on after the rows the job has."""
    sql = "SELECT coalesce(max(seq), -1) + 1 FROM item WHERE job_id = ?"
    next_seq = await connection.run(lambda conn: conn.execute(sql, (job_id,)).fetchone()[0])
    return Importer(connection, job_id, variants, next_seq)
