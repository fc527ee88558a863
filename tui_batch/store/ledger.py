"""The ledger: what every day's requests cost, and what is set aside for those in flight.

Three rules make a cap hold through a `kill -9`, and over several processes:

- before a request starts, at least its worst case is set aside here, on the disk (`secure`);
- the transaction that stores an outcome takes what it cost out of what is set aside and adds it to the day;
- what is still set aside when a new process takes the job is presumed to be spent (`open_account`).

So at any moment the day's cost, plus what is presumed, plus what is set aside, is at least what the provider bills.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from tui_batch.domain.item import ItemRecord
from tui_batch.domain.job import Owner
from tui_batch.domain.spending import Secured, Spent, day_of
from tui_batch.store.connection import Connection, transaction

SPENDING = """
CREATE TABLE spending (
  day            TEXT NOT NULL,     -- in UTC: 2026-11-21
  job_id         INTEGER NOT NULL,  -- no reference: money stays spent when its job is deleted
  endpoint       TEXT NOT NULL,     -- empty, as is the model: presumed after a process died
  model          TEXT NOT NULL,
  requests       INTEGER NOT NULL DEFAULT 0,
  cached         INTEGER NOT NULL DEFAULT 0,
  tokens_in      INTEGER NOT NULL DEFAULT 0,
  tokens_out     INTEGER NOT NULL DEFAULT 0,
  cost_nano      INTEGER NOT NULL DEFAULT 0,
  unpriced       INTEGER NOT NULL DEFAULT 0,
  presumed_nano  INTEGER NOT NULL DEFAULT 0,
  saved_nano     INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (day, job_id, endpoint, model)
) WITHOUT ROWID
"""

HOLD = """
CREATE TABLE hold (
  job_id  INTEGER PRIMARY KEY,
  day     TEXT NOT NULL,
  nano    INTEGER NOT NULL
)
"""

BACKFILL = """
INSERT INTO spending(day, job_id, endpoint, model, requests, cached, tokens_in, tokens_out, cost_nano, unpriced,
                     saved_nano)
SELECT date(coalesce(item.finished_at, item.started_at, job.created_at), 'unixepoch'), job_id,
  coalesce(endpoint, ''), coalesce(model, ''), sum(item.requests), sum(item.cached),
  coalesce(sum(item.tokens_in), 0), coalesce(sum(item.tokens_out), 0), coalesce(sum(item.cost_nano), 0),
  sum(item.unpriced), sum(item.saved_nano)
FROM item JOIN job ON job.id = item.job_id WHERE item.requests > 0 OR item.cached GROUP BY 1, 2, 3, 4
"""
"""An older database: each item's costs go to the day of its last outcome and to where its last request went."""

_FIELDS = ("requests", "cached", "tokens_in", "tokens_out", "cost_nano", "unpriced", "presumed_nano", "saved_nano")

_MARKS = ", ".join("?" * (4 + len(_FIELDS)))
_GROW = ", ".join(f"{name} = {name} + excluded.{name}" for name in _FIELDS)
_ADD = f"""
INSERT INTO spending(day, job_id, endpoint, model, {", ".join(_FIELDS)}) VALUES ({_MARKS})
ON CONFLICT(day, job_id, endpoint, model) DO UPDATE SET {_GROW}
"""

_SUMS = ", ".join(f"coalesce(sum({name}), 0)" for name in _FIELDS)

_SPENT_ON = "SELECT coalesce(sum(cost_nano + presumed_nano), 0) FROM spending WHERE day = ?"

_OTHERS = """
SELECT coalesce(sum(hold.nano), 0), coalesce(sum(hold.nano) FILTER (WHERE job.owner_token IS NOT NULL), 0)
FROM hold LEFT JOIN job ON job.id = hold.job_id
WHERE hold.job_id <> ? AND (hold.day = ? OR job.owner_token IS NOT NULL)
"""
"""Set aside by other jobs: all of it, and what belongs to running ones. What a running job has set aside goes with it
over midnight; what a dead process left behind is counted on the day it was set aside."""

Place = tuple[int, str, str]
"""Job, endpoint, model."""


def charged(record: ItemRecord) -> int:
    """Nano-dollars that a record takes out of what is set aside: its cost, or else the worst it can have cost."""
    return record.presumed_nano if record.cost_nano is None else record.cost_nano


def enter(conn: sqlite3.Connection, records: Sequence[ItemRecord], now: float) -> None:
    """Adds the requests and cache hits of these records, in the transaction that stores them."""
    sums: dict[Place, list[int]] = {}
    charges: dict[int, int] = {}
    for record in records:
        if record.deployment is None:
            continue
        place = (record.job_id, *record.deployment)
        row = sums.get(place)
        if row is None:
            row = sums[place] = [0] * len(_FIELDS)
        for position, amount in enumerate(_amounts(record)):
            row[position] += amount
        charges[record.job_id] = charges.get(record.job_id, 0) + charged(record)
    _add(conn, day_of(now), sums)
    for record in records:
        if record.recanted:
            place = conn.execute("SELECT endpoint, model FROM item WHERE id = ?", (record.item_id,)).fetchone()
            take_back(conn, record.job_id, place, cached=1, saved_nano=record.unsaved_nano)
    used = [(nano, job_id) for job_id, nano in charges.items() if nano]
    if used:
        conn.executemany("UPDATE hold SET nano = max(0, nano - ?) WHERE job_id = ?", used)


def take_back(
    conn: sqlite3.Connection, job_id: int, place: tuple[str | None, str | None], *, cached: int, saved_nano: int
) -> None:
    """Hits that were none after all: so many fewer, and so much less saved, in the transaction that says so.

    First from the place (endpoint and model) that answered and the days nearest, then from the job's other places: a
    judge's savings stand at its own. No row of the ledger falls below nothing.
    """
    sql = """SELECT day, endpoint, model, cached, saved_nano FROM spending
        WHERE job_id = ? AND (cached > 0 OR saved_nano > 0) ORDER BY endpoint IS ? AND model IS ? DESC, day DESC"""
    for day, endpoint, model, hits, saved in conn.execute(sql, (job_id, *place)).fetchall():
        fewer, less = min(cached, hits), min(saved_nano, saved)
        change = """UPDATE spending SET cached = cached - ?, saved_nano = saved_nano - ?
            WHERE day = ? AND job_id = ? AND endpoint = ? AND model = ?"""
        conn.execute(change, (fewer, less, day, job_id, endpoint, model))
        cached, saved_nano = cached - fewer, saved_nano - less
        if not (cached or saved_nano):
            return


def _amounts(record: ItemRecord) -> tuple[int, ...]:
    """What a record adds, in the order of _FIELDS."""
    if record.cached:
        return (0, int(record.is_hit), 0, 0, 0, 0, 0, (record.saved_nano or 0) * record.saves)
    usage, cost = record.outcome.usage, record.cost_nano
    tokens = (usage.input_tokens or 0, usage.output_tokens or 0)
    return (1, 0, *tokens, cost or 0, int(cost is None), record.presumed_nano if cost is None else 0, 0)


def _add(conn: sqlite3.Connection, day: str, sums: Mapping[Place, Sequence[int]]) -> None:
    if sums:
        conn.executemany(_ADD, [(day, *place, *amounts) for place, amounts in sums.items()])


@dataclass(frozen=True, slots=True)
class Demand:
    """How much a job wants to have set aside, in nano-dollars."""

    least: int
    """What may be billed already, or started until the answer comes."""
    useful: int
    """Less than this is of no use: then only the least is set aside, and the rest left to other jobs."""
    wanted: int


class Ledger:
    """Reads the ledger, and sets money aside.

    With `by`, an account changes only while that owner holds the job's lease: what the new owner of a job has set aside
    is not the business of one that lost it.
    """

    def __init__(self, write: Connection, read: Connection) -> None:
        self._write = write
        self._read = read

    async def open_account(self, job_id: int, *, by: Owner | None = None) -> int:
        """Begins a run of a job whose lease the caller holds; returns the nano-dollars presumed spent on it so far.

        What a process that died had set aside is presumed spent from now on.
        """
        return await self._write.run(partial(_open, job_id=job_id, by=by))

    async def secure(
        self, job_id: int, demand: Demand, *, day_cap: int | None, now: float, by: Owner | None = None
    ) -> Secured | None:
        """Sets money aside for a job's requests, as far as the day's cap leaves any. None: the job is another's.

        It replaces what was set aside before.
        """
        return await self._write.run(
            partial(_secure, job_id=job_id, demand=demand, day_cap=day_cap, day=day_of(now), by=by)
        )

    async def close_account(self, job_id: int, *, presumed: int, now: float, by: Owner | None = None) -> None:
        """Ends a run. `presumed`: the most that requests cancelled on their way can have cost."""
        await self._write.run(partial(_close, job_id=job_id, presumed=presumed, day=day_of(now), by=by))

    async def spent_on(self, day: str) -> int:
        """Nano-dollars that count against a day's cap, without what is set aside."""
        return await self._read.read(lambda conn: int(conn.execute(_SPENT_ON, (day,)).fetchone()[0]))

    async def sums(
        self, columns: Sequence[str], since: str = "", until: str = "9"
    ) -> dict[tuple[str | int, ...], Spent]:
        """Sums over all jobs by any of day, job_id, endpoint, model; from the day `since` to `until`, both included.

        The ledger has a row for a day, job and model, so this takes milliseconds however many items there were.
        """
        assert set(columns) <= {"day", "job_id", "endpoint", "model"}
        by = ", ".join(columns)
        sql = f"SELECT {by}, {_SUMS} FROM spending WHERE day >= ? AND day <= ? GROUP BY {by} ORDER BY {by}"
        rows = await self._read.read(lambda conn: conn.execute(sql, (since, until)).fetchall())
        return {tuple(row[: len(columns)]): Spent(*row[len(columns) :]) for row in rows}


def _is_anothers(conn: sqlite3.Connection, job_id: int, by: Owner | None) -> bool:
    if by is None:
        return False
    found = conn.execute("SELECT owner_token FROM job WHERE id = ?", (job_id,)).fetchone()
    return found is None or found[0] != by.token


def _open(conn: sqlite3.Connection, job_id: int, by: Owner | None) -> int:
    with transaction(conn):
        left = conn.execute("SELECT day, nano FROM hold WHERE job_id = ?", (job_id,)).fetchone()
        if left is not None and not _is_anothers(conn, job_id, by):
            _presume(conn, job_id, *left)
        sql = "SELECT coalesce(sum(presumed_nano), 0) FROM spending WHERE job_id = ?"
        return int(conn.execute(sql, (job_id,)).fetchone()[0])


def _presume(conn: sqlite3.Connection, job_id: int, day: str, nano: int) -> None:
    conn.execute("DELETE FROM hold WHERE job_id = ?", (job_id,))
    if nano:
        _add(conn, day, {(job_id, "", ""): (0, 0, 0, 0, 0, 0, nano, 0)})


def _secure(
    conn: sqlite3.Connection, job_id: int, demand: Demand, day_cap: int | None, day: str, by: Owner | None
) -> Secured | None:
    with transaction(conn):
        if _is_anothers(conn, job_id, by):
            return None
        others, living = conn.execute(_OTHERS, (job_id, day)).fetchone()
        nano = demand.wanted
        if day_cap is not None:
            room = day_cap - conn.execute(_SPENT_ON, (day,)).fetchone()[0] - others
            if room < demand.useful:
                # Outcomes that were committed since the demand was made have left the hold: it may not grow again.
                held = conn.execute("SELECT nano FROM hold WHERE job_id = ?", (job_id,)).fetchone()
                nano = demand.least if held is None else min(held[0], demand.least)
            else:
                nano = min(demand.wanted, room)
        conn.execute("INSERT OR REPLACE INTO hold(job_id, day, nano) VALUES (?, ?, ?)", (job_id, day, nano))
    return Secured(nano, living)


def _close(conn: sqlite3.Connection, job_id: int, presumed: int, day: str, by: Owner | None) -> None:
    with transaction(conn):
        if not _is_anothers(conn, job_id, by):
            _presume(conn, job_id, day, presumed)


def create(conn: sqlite3.Connection) -> None:
    """The migration that makes the ledger, and fills it from the items there are."""
    for statement in (SPENDING, HOLD, BACKFILL):
        conn.execute(statement)
