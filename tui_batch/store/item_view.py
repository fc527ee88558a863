"""Lists of items by filter and order: their ids, found piece by piece on a connection of its own.

A list of a million items is an array of ids (8 MB); the rows on the screen are read by id. The ids are turned into
JSON by SQLite itself, as fetching a million rows one by one would take the interpreter's lock a million times.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from array import array
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial

import orjson

from tui_batch.domain.item import ItemState
from tui_batch.domain.item_filter import (
    ALL_ITEMS,
    INPUT_ORDER,
    ItemFilter,
    ItemOrder,
    SortKey,
)
from tui_batch.store.connection import Connection
from tui_batch.store.field_order import FieldKeys
from tui_batch.store.filtering import filter_sql, joins, order_sql

FIRST_SPAN = 2_000
"""Rows of the input looked through before the first piece is delivered."""

_SPANS = (500, 200_000)
_PIECE_S = 0.06
"""How long one piece may take: other readers of this connection wait no longer, and so does the log file."""

_TOP = 500
"""Items of a sorted list that are delivered while the rest is still being sorted."""


@dataclass(frozen=True, slots=True)
class ItemQuery:
    """A list: which items of a job, in which order."""

    job_id: int
    filter: ItemFilter = ALL_ITEMS
    order: ItemOrder = INPUT_ORDER


@dataclass(frozen=True, slots=True)
class Piece:
    """Some of a list's ids, on their way."""

    ids: array[int]
    """The next ones; those of a piece that starts anew replace all before it."""
    share: float
    """How much of the job has been looked through, 0 to 1; 1: this is the last piece."""
    anew: bool = False


class ItemSearch:
    """Finds items. Its connection is for long queries only, so that lists and details never wait behind a search."""

    def __init__(self, connection: Connection, clock: Callable[[], float] = time.perf_counter) -> None:
        self._connection = connection
        self._clock = clock

    async def find(self, query: ItemQuery) -> AsyncIterator[Piece]:
        """The ids of a list, in its order, a piece at a time; what comes first is delivered first.

        Leaving the loop ends the search; cancelling the task interrupts the query that is running.
        """
        order = query.order
        if order.key is SortKey.FIELD:
            pieces = self._by_field(query)
        else:
            plain = order.key is SortKey.ROW and not order.descending
            pieces = self._by_rows(query) if plain else self._sorted(query)
        async with aclosing(pieces):
            async for piece in pieces:
                yield piece

    async def count(self, query: ItemQuery) -> int:
        """How many items a list has."""
        return sum([len(piece.ids) async for piece in self._by_rows(ItemQuery(query.job_id, query.filter))])

    async def states(self, ids: Collection[int]) -> dict[ItemState, int]:
        """How many of these items are in each state."""
        sql = "SELECT state, count(*) FROM item WHERE id IN (SELECT value FROM json_each(?)) GROUP BY state"
        text = await asyncio.to_thread(orjson.dumps, list(ids))
        found = await self._connection.read(lambda conn: conn.execute(sql, (text.decode(),)).fetchall())
        return {ItemState(state): number for state, number in found}

    async def _by_rows(self, query: ItemQuery) -> AsyncGenerator[Piece, None]:
        where, values = filter_sql(query.filter)
        sql = f"""SELECT json_group_array(id) FROM (SELECT item.id FROM item {joins(query.filter)}
            WHERE item.job_id = ? AND seq >= ? AND seq < ? {where} ORDER BY seq, variant)"""
        end = 1 + await self._last_row(query.job_id)
        start, span = 0, FIRST_SPAN
        while start < end:
            begun = self._clock()
            stop = min(start + span, end)
            ids = await self._ids(sql, (query.job_id, start, stop, *values))
            yield Piece(ids, stop / end)
            start, span = stop, _next_span(span, self._clock() - begun)

    async def _sorted(self, query: ItemQuery) -> AsyncGenerator[Piece, None]:
        where, values = filter_sql(query.filter)
        sql = f"""SELECT json_group_array(id) FROM (SELECT item.id FROM item {joins(query.filter)}
            WHERE item.job_id = ? {where} ORDER BY {order_sql(query.order)} LIMIT ?)"""
        top = await self._ids(sql, (query.job_id, *values, _TOP))
        yield Piece(top, 1.0 if len(top) < _TOP else 0.5)
        if len(top) == _TOP:
            yield Piece(await self._ids(sql, (query.job_id, *values, -1)), 1.0, anew=True)

    async def _by_field(self, query: ItemQuery) -> AsyncGenerator[Piece, None]:
        where, values = filter_sql(query.filter)
        # A left join twice is one too many for a filter that looks at the answers itself.
        tables = joins(query.filter)
        tables += "" if "result" in tables.split() else " LEFT JOIN result ON result.item_id = item.id"
        sql = f"""SELECT json_group_array(json_array(id, key)) FROM (
            SELECT item.id, answer_key(result.text, ?) AS key FROM item {tables}
            WHERE item.job_id = ? AND seq >= ? AND seq < ? {where} ORDER BY seq, variant)"""
        keys = await self._connection.run(lambda _conn: FieldKeys())
        try:
            end = 1 + await self._last_row(query.job_id)
            start, span = 0, FIRST_SPAN
            while start < end:
                begun = self._clock()
                stop = min(start + span, end)
                given = (query.order.field, query.job_id, start, stop, *values)
                await self._connection.read(partial(keys.gather, sql=sql, given=given))
                # The first rows stand at once, in an order of their own; the rest is told by its share only.
                ids = await self._ordered(keys, query) if start == 0 and stop < end else array("q")
                yield Piece(ids, 0.99 * stop / end, anew=bool(ids))
                start, span = stop, _next_span(span, self._clock() - begun)
            yield Piece(await self._ordered(keys, query), 1.0, anew=True)
        finally:
            await self._connection.run(lambda _conn: keys.close())  # after what the thread may still be reading

    async def _ordered(self, keys: FieldKeys, query: ItemQuery) -> array[int]:
        return await self._connection.read(lambda _conn: keys.ordered(descending=query.order.descending))

    async def _last_row(self, job_id: int) -> int:
        sql = "SELECT coalesce(max(seq), -1) FROM item WHERE job_id = ?"
        return await self._connection.read(lambda conn: int(conn.execute(sql, (job_id,)).fetchone()[0]))

    async def _ids(self, sql: str, given: Sequence[object]) -> array[int]:
        return await self._connection.read(partial(_select_ids, sql=sql, given=given))


def _select_ids(conn: sqlite3.Connection, sql: str, given: Sequence[object]) -> array[int]:
    return array("q", orjson.loads(conn.execute(sql, given).fetchone()[0]))


def _next_span(span: int, took: float) -> int:
    """So many rows that a piece takes about _PIECE_S, changing by no more than a factor of four at a time."""
    factor = min(4.0, max(0.25, _PIECE_S / max(took, 1e-6)))
    return min(_SPANS[1], max(_SPANS[0], int(span * factor)))
