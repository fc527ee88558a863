"""The response cache. Entries and hits are written by the writer, with the outcomes they belong to."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence

from tui_batch.domain.item import CachedResponse
from tui_batch.domain.stored import CacheStats
from tui_batch.store.connection import LOCK_GAP_S, Connection, transaction

_KEYS = 500
"""Keys in one query."""

_CLEARED = 5_000
"""Entries in one transaction."""


class Cache:
    """Looks answers up, counts and clears them."""

    def __init__(self, write: Connection, read: Connection) -> None:
        self._write = write
        self._read = read

    async def lookup_many(self, keys: Sequence[bytes]) -> dict[bytes, CachedResponse]:
        """The answers there are, by key."""

        def select(conn: sqlite3.Connection) -> dict[bytes, CachedResponse]:
            found: dict[bytes, CachedResponse] = {}
            for start in range(0, len(keys), _KEYS):
                chunk = keys[start : start + _KEYS]
                sql = f"""SELECT key, model, text, finish_reason, tokens_in, tokens_out, cost_nano
                    FROM response_cache WHERE key IN ({",".join("?" * len(chunk))})"""
                found.update((row[0], CachedResponse(*row)) for row in conn.execute(sql, chunk).fetchall())
            return found

        return await self._read.read(select)

    async def stats(self) -> CacheStats:
        """What the cache holds and has saved, over all jobs."""
        sql = """SELECT count(*), coalesce(sum(octets + length(key)), 0), coalesce(sum(hits), 0),
            coalesce(sum(hits * cost_nano), 0)
            FROM (SELECT key, hits, cost_nano, length(CAST(text AS BLOB)) + length(CAST(model AS BLOB)) AS octets
                  FROM response_cache)"""
        return await self._read.read(lambda conn: CacheStats(*conn.execute(sql).fetchone()))

    async def clear(self, older_than: float | None = None) -> int:
        """Deletes the entries made before that Unix time, or all, and returns how many. The space is used again."""
        bound = float("inf") if older_than is None else older_than
        sql = """DELETE FROM response_cache WHERE key IN
            (SELECT key FROM response_cache WHERE created_at < ? LIMIT ?)"""

        def delete(conn: sqlite3.Connection) -> int:
            with transaction(conn):
                return conn.execute(sql, (bound, _CLEARED)).rowcount

        count = 0
        while step := await self._write.run(delete):
            count += step
            await asyncio.sleep(LOCK_GAP_S)
        return count
