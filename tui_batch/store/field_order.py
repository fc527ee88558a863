"""A job's items in the order of a field of their answers.

Answers are read a span of rows at a time, as every search does, and what is to be compared goes into a nameless
temporary database of SQLite's, which spills to the disk when it grows: a million keys never lie in memory, other
readers wait for no more than a span, and the last step, the ordering, runs without the interpreter.
"""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Sequence

import orjson

_MADE = "CREATE TABLE key (place INTEGER PRIMARY KEY, id INTEGER NOT NULL, value)"
_KEPT = "INSERT INTO key (id, value) SELECT value ->> 0, value ->> 1 FROM json_each(?)"


class FieldKeys:
    """What items are compared by, in the order of the input. Used on the thread of the connection that reads."""

    def __init__(self) -> None:
        # An empty name: on the disk where it does not fit into the cache, gone when it is closed.
        self._scratch = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._scratch.execute(_MADE)

    def gather(self, conn: sqlite3.Connection, sql: str, given: Sequence[object]) -> None:
        """Keeps the ids and keys that a query finds as one JSON text of pairs."""
        self._scratch.execute(_KEPT, (conn.execute(sql, given).fetchone()[0],))

    def ordered(self, *, descending: bool) -> array[int]:
        """All ids by their keys: numbers before texts, falling after them; what has no key comes last both ways."""
        way = "DESC" if descending else "ASC"
        sql = f"SELECT json_group_array(id) FROM (SELECT id FROM key ORDER BY value {way} NULLS LAST, place)"
        return array("q", orjson.loads(self._scratch.execute(sql).fetchone()[0]))

    def close(self) -> None:
        """Gives the room on the disk back."""
        self._scratch.close()
