"""Reading items: the feeder's pages, lists, details, error groups, export. Keyset pages; no read stays open."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeAlias

from tui_batch.domain.endpoint import DeploymentKey
from tui_batch.domain.item import Answered, Attempt, ItemFlag, ItemState, PendingItem
from tui_batch.domain.outcome import OutcomeClass
from tui_batch.domain.request import Json
from tui_batch.domain.stored import (
    ErrorGroup,
    ExportRow,
    ItemDetail,
    ItemRow,
    RecentRequests,
)
from tui_batch.quality.answers import LONGEST_PARSED, parsed_answer
from tui_batch.store.connection import Connection, snapshot
from tui_batch.store.failing import failing_of
from tui_batch.store.likeness import normalise
from tui_batch.store.recent import SECOND, recent_requests
from tui_batch.store.scopes import LARGEST_ID, marks, missing_item

Row: TypeAlias = tuple[Any, ...]

EXCERPT = 200
"""Characters of an answer or message that a list shows."""

GROUPS = 1_000
"""Error groups kept apart at most; the rest of a class is counted under one message."""

_COST = "CASE WHEN item.unpriced THEN NULL ELSE item.cost_nano END"
"""NULL as soon as one request's cost is unknown: half a sum is not a cost."""

_ROW = f"""item.id, seq, variant, line, custom_id, state, priority, attempts, requests, outcome, cached, flags,
  endpoint, model, tokens_in, tokens_out, {_COST}, latency_ms, started_at, finished_at"""

_EXCERPT = f"substr(coalesce(result.message, result.text, ''), 1, {EXCERPT})"

_PENDING = """id, seq, variant, custom_id, priority, attempts, malformed, available_at,
  (SELECT CAST(data AS BLOB) FROM payload WHERE payload.id = item.payload_id), requests, invalid,
  coalesce(started_at, 0),
  judging, CASE WHEN judging THEN (SELECT text FROM result WHERE item_id = item.id) END, outcome, flags, cached,
  latency_ms, saved_nano"""

_EXPORT = f"""item.id, seq, variant, line, custom_id, state, outcome, CAST(payload.data AS BLOB), result.text,
  coalesce(result.message, ''), result.finish_reason, endpoint, model, tokens_in, tokens_out, {_COST}, latency_ms,
  cached, flags, attempts, score, result.request_id, finished_at, result.checks, result.reason"""

_SELECT_EXPORT = f"""SELECT {_EXPORT} FROM item JOIN payload ON payload.id = item.payload_id
  LEFT JOIN result ON result.item_id = item.id WHERE item.job_id = ?"""


class Items:
    """Reads items. The feeder has a connection of its own, and so has what reads many: neither keeps lists waiting."""

    def __init__(self, feed: Connection, view: Connection, search: Connection) -> None:
        self._feed = feed
        self._view = view
        self._search = search

    async def pending_page(
        self,
        job_id: int,
        *,
        after: tuple[int, int, int] | None = None,
        among: Sequence[int] = (),
        limit: int,
        max_bytes: int = 16 << 20,
    ) -> list[PendingItem]:
        """The next pending items in the order of sending: priority (high first), seq, variant.

        `after` is the (priority, seq, variant) of the last one had. The page ends early once its rows hold max_bytes.
        `among`: only rows with these numbers; empty: all.
        """
        if among:
            return await self._feed.read(partial(_pending_among, job_id=job_id, after=after, among=among, limit=limit))
        return await self._feed.read(partial(_pending, job_id=job_id, after=after, limit=limit, max_bytes=max_bytes))

    async def unjudged(self, job_id: int, ids: Sequence[int]) -> list[PendingItem]:
        """Those of these items that have an answer and wait for its judge, in the order of sending."""
        return await self._feed.read(partial(_unjudged, job_id=job_id, ids=ids))

    async def count_pending(self, job_id: int) -> int:
        """Pending items, counted."""
        sql = "SELECT count(*) FROM item WHERE job_id = ? AND state = 'pending'"
        return await self._feed.read(lambda conn: int(conn.execute(sql, (job_id,)).fetchone()[0]))

    async def scores(self, job_id: int) -> tuple[int, float]:
        """How many of a job's answers have a score, and the sum of the scores. Reads all its items."""
        sql = "SELECT count(score), coalesce(sum(score), 0.0) FROM item WHERE job_id = ? AND score IS NOT NULL"
        count, total = await self._feed.read(lambda conn: conn.execute(sql, (job_id,)).fetchone())
        return int(count), float(total)

    async def recent_requests(self, since: float, width: int = SECOND) -> list[RecentRequests]:
        """Requests sent since a Unix time, by any process and job, added up by the second or the minute.

        Seconds are known for the last minutes, minutes for the last day.
        """
        return await self._feed.read(partial(recent_requests, since=since, width=width))

    async def page(self, job_id: int, *, after: tuple[int, int] | None = None, limit: int) -> list[ItemRow]:
        """The next items in input order.

        `after` is the (seq, variant) of the last one had; as seq counts from 0 without gaps, (n - 1, big) jumps to row
        n.
        """
        sql = f"""SELECT {_ROW}, {_EXCERPT}, score FROM item LEFT JOIN result ON result.item_id = item.id
            WHERE item.job_id = ? AND (seq, variant) > (?, ?) ORDER BY seq, variant LIMIT ?"""
        given = (job_id, *(after or (-1, -1)), limit)
        return [_item_row(row) for row in await self._view.read(lambda conn: conn.execute(sql, given).fetchall())]

    async def rows(self, ids: Sequence[int]) -> dict[int, ItemRow]:
        """The items with these ids, by id; those that are gone are left out. For what a screen shows: few at a time."""
        if not ids:
            return {}
        sql = f"""SELECT {_ROW}, {_EXCERPT}, score FROM item LEFT JOIN result ON result.item_id = item.id
            WHERE item.id IN ({marks(ids)})"""
        found = await self._view.read(lambda conn: conn.execute(sql, ids).fetchall())
        return {row[0]: _item_row(row) for row in found}

    async def answers(self, ids: Sequence[int]) -> dict[int, Mapping[str, Json]]:
        """The fields of those items' answers that are JSON objects, by item. For what a screen shows: few at a time.

        Answers longer than LONGEST_PARSED are left out.
        """
        if not ids:
            return {}
        return await self._view.read(partial(_answers, ids=tuple(ids)))

    async def detail(self, item_id: int) -> ItemDetail:
        """Everything about one item. Raises UserError when there is none."""
        return await self._view.read(partial(_detail, item_id=item_id))

    async def errors(self, job_id: int) -> list[ErrorGroup]:
        """The dead items by class and message, most frequent first."""
        return await self._search.read(partial(error_groups, job_id=job_id))

    async def flagged(self, job_id: int) -> dict[ItemFlag, int]:
        """How many items have a remark, by remark; those that none has are left out."""
        return await self._search.read(partial(flag_counts, job_id=job_id))

    async def export(
        self, job_id: int, ids: Collection[int] | None = None, *, batch: int = 1000
    ) -> AsyncIterator[list[ExportRow]]:
        """All items, or those with the given ids, in input order, a batch at a time.

        An item that changes between two batches is delivered once, as it is when its batch is read.
        """
        if ids is not None:
            async for chunk in _by_ids(self._search, job_id, ids, batch):
                yield chunk
            return
        after = (-1, -1)
        while rows := await self._search.read(partial(export_page, job_id=job_id, after=after, limit=batch)):
            yield rows
            after = (rows[-1].seq, rows[-1].variant)


def _answers(conn: sqlite3.Connection, ids: tuple[int, ...]) -> dict[int, Mapping[str, Json]]:
    sql = f"SELECT item_id, text FROM result WHERE item_id IN ({marks(ids)}) AND length(text) <= {LONGEST_PARSED}"
    found = ((int(item_id), parsed_answer(text)) for item_id, text in conn.execute(sql, ids))
    return {item_id: fields for item_id, fields in found if fields is not None}


async def _by_ids(view: Connection, job_id: int, ids: Collection[int], batch: int) -> AsyncIterator[list[ExportRow]]:
    # Rows get rising ids as they are read in, whatever else is written meanwhile: the order of ids is that of rows.
    ordered = sorted(ids)
    for start in range(0, len(ordered), batch):
        chunk = ordered[start : start + batch]
        sql = f"{_SELECT_EXPORT} AND item.id IN ({marks(chunk)}) ORDER BY seq, variant"
        if rows := await view.read(partial(_export_page, sql=sql, given=(job_id, *chunk))):
            yield rows


def _pending(
    conn: sqlite3.Connection, job_id: int, after: tuple[int, int, int] | None, limit: int, max_bytes: int
) -> list[PendingItem]:
    # Priority falls while seq rises, which one row comparison cannot say: first the rest of the same priority.
    same = f"""SELECT {_PENDING} FROM item WHERE job_id = ? AND state = 'pending' AND priority = ?
        AND (seq, variant) > (?, ?) ORDER BY seq, variant LIMIT ?"""
    lower = f"""SELECT {_PENDING} FROM item WHERE job_id = ? AND state = 'pending' AND priority < ?
        ORDER BY priority DESC, seq, variant LIMIT ?"""
    first = f"""SELECT {_PENDING} FROM item WHERE job_id = ? AND state = 'pending'
        ORDER BY priority DESC, seq, variant LIMIT ?"""
    if after is None:
        return _up_to(conn.execute(first, (job_id, limit)), max_bytes)[0]
    items, room = _up_to(conn.execute(same, (job_id, *after, limit)), max_bytes)
    if len(items) < limit and room > 0:
        items += _up_to(conn.execute(lower, (job_id, after[0], limit - len(items))), room)[0]
    return items


def _pending_among(
    conn: sqlite3.Connection, job_id: int, after: tuple[int, int, int] | None, among: Sequence[int], limit: int
) -> list[PendingItem]:
    priority, seq, variant = after or (2**62, -1, -1)
    sql = f"""SELECT {_PENDING} FROM item WHERE job_id = ? AND state = 'pending'
        AND seq IN (SELECT value FROM json_each(?)) AND (-priority, seq, variant) > (?, ?, ?)
        ORDER BY priority DESC, seq, variant LIMIT ?"""
    given = (job_id, json.dumps(list(among)), -priority, seq, variant, limit)
    return [_pending_item(row) for row in conn.execute(sql, given).fetchall()]


def _unjudged(conn: sqlite3.Connection, job_id: int, ids: Sequence[int]) -> list[PendingItem]:
    sql = f"""SELECT {_PENDING} FROM item WHERE id IN (SELECT value FROM json_each(?))
        AND job_id = ? AND state = 'pending' AND judging > 0 ORDER BY priority DESC, seq, variant"""
    return [_pending_item(row) for row in conn.execute(sql, (json.dumps(list(ids)), job_id)).fetchall()]


def _pending_item(row: Row) -> PendingItem:
    *values, judging, text, cls, flags, cached, latency_ms, saved_nano = row
    if not judging:
        return PendingItem(*values)
    seconds = (latency_ms or 0) / 1000
    answer = Answered(text or "", OutcomeClass(cls), ItemFlag(flags), bool(cached), seconds, judging - 1, saved_nano)
    return replace(PendingItem(*values), answered=answer)


def _up_to(cursor: sqlite3.Cursor, max_bytes: int) -> tuple[list[PendingItem], int]:
    """Items until the bytes are used up, at least one; and the room left."""
    items: list[PendingItem] = []
    room = max_bytes
    for row in cursor:
        items.append(item := _pending_item(row))
        room -= len(item.data) + (0 if item.answered is None else len(item.answered.text))
        if room <= 0:
            break
    # A cursor left half-way would keep its read transaction open.
    cursor.close()
    return items, room


def _item_row(row: Row) -> ItemRow:
    values = list(row)
    values[5] = ItemState(values[5])
    values[9] = None if values[9] is None else OutcomeClass(values[9])
    values[10] = bool(values[10])
    values[11] = ItemFlag(values[11])
    return ItemRow(*values)


def export_page(conn: sqlite3.Connection, job_id: int, after: tuple[int, int], limit: int) -> list[ExportRow]:
    """A job's items in input order, from behind the (seq, variant) of the last one had. Blocks."""
    sql = f"{_SELECT_EXPORT} AND (seq, variant) > (?, ?) ORDER BY seq, variant LIMIT ?"
    return _export_page(conn, sql, (job_id, *after, limit))


def _export_page(conn: sqlite3.Connection, sql: str, given: Row) -> list[ExportRow]:
    return [_export_row(row) for row in conn.execute(sql, given).fetchall()]


def _export_row(row: Row) -> ExportRow:
    values = list(row)
    values[5] = ItemState(values[5])
    values[6] = None if values[6] is None else OutcomeClass(values[6])
    values[17] = bool(values[17])
    values[18] = ItemFlag(values[18])
    values[23] = failing_of(values[23])
    return ExportRow(*values)


def _detail(conn: sqlite3.Connection, item_id: int) -> ItemDetail:
    item = f"""SELECT {_ROW}, {_EXCERPT}, score, job_id, CAST(payload.data AS BLOB), result.text,
        coalesce(result.message, ''), finish_reason, request_id, raw, coalesce(result.reason, ''), result.checks
        FROM item
        JOIN payload ON payload.id = item.payload_id LEFT JOIN result ON result.item_id = item.id WHERE item.id = ?"""
    failed = """SELECT number, at, endpoint, model, class, status, message, latency_ms, tokens_in, tokens_out,
        cost_nano, checks FROM attempt WHERE item_id = ? ORDER BY id"""
    with snapshot(conn):
        row = None if item_id > LARGEST_ID else conn.execute(item, (item_id,)).fetchone()
        tries = [] if row is None else conn.execute(failed, (item_id,)).fetchall()
    if row is None:
        raise missing_item(item_id)
    job_id, data, text, message, finish_reason, request_id, raw, reason, checks = row[22:]
    attempts = tuple(_attempt(item_id, one) for one in tries)
    kept = (text, message, finish_reason, request_id, raw)
    return ItemDetail(_item_row(row[:22]), job_id, data, *kept, attempts, reason, failing_of(checks))


def _attempt(item_id: int, row: Row) -> Attempt:
    number, at, endpoint, model, cls, status, message, latency_ms, *spent, checks = row
    return Attempt(
        item_id,
        number,
        at,
        DeploymentKey(str(endpoint), str(model)),
        OutcomeClass(cls),
        status,
        str(message),
        latency_ms / 1000,
        *(*spent, failing_of(checks)),
    )


def flag_counts(conn: sqlite3.Connection, job_id: int) -> dict[ItemFlag, int]:
    """As Items.flagged. Blocks."""
    sql = "SELECT flags, count(*) FROM item WHERE job_id = ? AND flags != 0 GROUP BY flags"
    found = [(ItemFlag(value), number) for value, number in conn.execute(sql, (job_id,))]
    counts = {flag: sum(number for flags, number in found if flag in flags) for flag in ItemFlag}
    return {flag: number for flag, number in counts.items() if number}


OTHERS = "other messages"
"""What the messages beyond GROUPS are counted under."""


def error_groups(conn: sqlite3.Connection, job_id: int) -> list[ErrorGroup]:
    """As Items.errors. Blocks."""
    sql = """SELECT outcome, coalesce(result.message, ''), item.id FROM item
        LEFT JOIN result ON result.item_id = item.id
        WHERE job_id = ? AND state = 'dead' ORDER BY seq, variant"""
    cursor = conn.execute(sql, (job_id,))
    groups = group_errors(cursor)
    cursor.close()
    return groups


def group_errors(rows: Iterable[tuple[str, str, int]]) -> list[ErrorGroup]:
    """Groups (class, message, item id) by class and normalised message, the most frequent first."""
    found: dict[tuple[str, str], list[Any]] = {}
    for cls, message, item_id in rows:
        key = (cls, normalise(message))
        if key not in found and len(found) >= GROUPS:
            key = (cls, OTHERS)
        entry = found.setdefault(key, [0, item_id, message])
        entry[0] += 1
    groups = [ErrorGroup(OutcomeClass(cls), message, *entry) for (cls, message), entry in found.items()]
    return sorted(groups, key=lambda group: -group.count)
