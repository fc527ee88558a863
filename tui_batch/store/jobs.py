"""Jobs: their rows, their leases, and the verbs over all of a job's items."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import Any, TypeAlias, TypeVar

from tui_batch.domain.item_scope import ALL_DEAD, Selection
from tui_batch.domain.job import (
    TERMINAL,
    Counters,
    InputSource,
    Job,
    JobSpec,
    JobState,
    Knobs,
    Owner,
    PauseReason,
)
from tui_batch.errors import UserError
from tui_batch.store import bulk, dead_letters, leases
from tui_batch.store.codec import DAMAGED, dump_knobs, dump_spec, load_knobs, load_spec
from tui_batch.store.connection import LOCK_GAP_S, Connection, transaction
from tui_batch.store.events import insert_event
from tui_batch.store.leases import EXPIRY_S, Alive, may_be_alive

T = TypeVar("T")

Row: TypeAlias = Sequence[Any]
Ids: TypeAlias = list[int]

_COLUMNS = ", ".join(
    (
        *("id", "spec", "knobs", "name", "state", "reason", "message", "imported"),
        *("owner_host", "owner_pid", "owner_token", "heartbeat_at", "created_at", "started_at", "finished_at"),
        *bulk.COUNTERS,
    )
)


def _job(row: Row, known: JobSpec | None = None) -> Job:
    """The job of a row. Raises UserError that names it when it cannot be read."""
    job_id, spec, knobs, _, state, reason, message, imported, *rest = row
    host, pid, token, heartbeat_at, created_at, started_at, finished_at, *counts = rest
    try:
        known, read_knobs = known or load_spec(spec), load_knobs(knobs)
        stands, why = JobState(state), None if reason is None else PauseReason(reason)
    except UserError as error:
        raise UserError(f"job {job_id}: {error.message}", remedy=error.remedy) from error
    except ValueError as error:
        raise UserError(f"job {job_id}: its stored state cannot be read: {error}", remedy=DAMAGED) from error
    return Job(
        id=job_id,
        spec=known,
        knobs=read_knobs,
        state=stands,
        reason=why,
        message=message,
        counters=Counters(**dict(zip(bulk.COUNTERS, counts, strict=True))),
        owner=None if token is None else Owner(host, pid, token),
        heartbeat_at=heartbeat_at,
        created_at=created_at,
        started_at=started_at,
        finished_at=finished_at,
        imported=bool(imported),
    )


def _listed(row: Row, known: JobSpec | None = None) -> Job:
    """As `_job`, but one that cannot be read is a failed job of which little more than its name is known."""
    try:
        return _job(row, known)
    except UserError as error:
        job_id, _, _, name, _, _, _, *rest = row
        stub = (job_id, None, dump_knobs(Knobs()), name, JobState.FAILED.value, None, error.message, *rest)
        return replace(_job(stub, JobSpec(name, InputSource("", ""), (), ())), trouble=str(error))


def _overview(
    conn: sqlite3.Connection, known: Mapping[int, Job], newest: int, seen: dict[int, tuple[Row, Job]]
) -> tuple[Job, ...]:
    """`seen` is what the last call read and made of it: a row that says the same is the very same job."""
    known = {job_id: job for job_id, job in known.items() if not job.trouble}
    spec = "CASE WHEN id IN (SELECT value FROM json_each(?)) THEN NULL ELSE spec END AS spec"
    sql = f"SELECT {_COLUMNS.replace('spec', spec, 1)} FROM job ORDER BY id DESC LIMIT ?"
    rows = conn.execute(sql, (json.dumps(list(known)), newest)).fetchall()
    found: dict[int, tuple[Row, Job]] = {}
    for job_id, own_spec, *rest in rows:
        said, before = seen.get(job_id, ((), None))
        if own_spec is None and before is known[job_id] and said == rest:
            found[job_id] = seen[job_id]
        else:
            found[job_id] = (rest, _listed((job_id, own_spec, *rest), None if own_spec else known[job_id].spec))
    seen.clear()
    seen.update(found)
    return tuple(job for _, job in found.values())


def _missing(ref: object) -> UserError:
    return UserError(f"There is no job {ref}.", remedy="See the jobs there are: llmbatch-tui ls")


class Jobs:
    """Every change is one transaction on the writing connection, or a row of short ones where it says so."""

    def __init__(self, write: Connection, read: Connection, clock: Callable[[], float]) -> None:
        self._write = write
        self._read = read
        self._clock = clock
        self._seen: dict[int, tuple[Row, Job]] = {}

    # Rows

    async def create(self, spec: JobSpec, knobs: Knobs, *, now: float) -> int:
        """Adds a draft without rows, imported False, and returns its id."""
        values = (spec.name, dump_spec(spec), dump_knobs(knobs), JobState.DRAFT.value, now)
        sql = "INSERT INTO job(name, spec, knobs, state, created_at) VALUES (?, ?, ?, ?, ?)"

        def insert(conn: sqlite3.Connection) -> int:
            with transaction(conn):
                return conn.execute(sql, values).lastrowid or 0

        return await self._write.run(insert)

    @asynccontextmanager
    async def drafting(self, spec: JobSpec, knobs: Knobs, *, now: float) -> AsyncIterator[int]:
        """As `create`, for as long as its rows are put in: when that fails or is cancelled, no job is left behind."""
        creating = asyncio.ensure_future(self.create(spec, knobs, now=now))
        try:
            yield await asyncio.shield(creating)
        except BaseException:
            await asyncio.shield(self._undo(creating))
            raise

    async def _undo(self, creating: asyncio.Future[int]) -> None:
        """Why a job could not be made is what a person is to hear, not that it is gone already or the disk refuses."""
        with suppress(UserError):
            await self.delete(await creating)

    async def get(self, job_id: int) -> Job:
        """The job. Raises UserError when there is none, or it cannot be read."""
        return _job(await self._stored(job_id))

    async def get_listed(self, job_id: int) -> Job:
        """As `get`, but a job that cannot be read is given as lists show it."""
        return _listed(await self._stored(job_id))

    async def _stored(self, job_id: int) -> Row:
        row = await self._row(f"SELECT {_COLUMNS} FROM job WHERE id = ?", job_id)
        if row is None:
            raise _missing(job_id)
        return row

    async def list(self) -> list[Job]:
        """All jobs, oldest first. One that cannot be read is there with its trouble."""
        sql = f"SELECT {_COLUMNS} FROM job ORDER BY id"
        rows = await self._read.read(lambda conn: conn.execute(sql).fetchall())
        return [_listed(row) for row in rows]

    async def overview(self, known: Mapping[int, Job], *, newest: int | None = None) -> tuple[Job, ...]:
        """All jobs, newest first, quicker than `list`: specs never change, so those in `known` are taken from there.

        `newest`: only so many of them; None: all. A job that is known from the last call and did not change is the very
        same object.
        """
        most = -1 if newest is None else newest
        return await self._read.read(partial(_overview, known=known, newest=most, seen=self._seen))

    async def pending(self) -> dict[int, int]:
        """How many items of each job are pending, by its id."""
        return dict(await self._read.read(lambda conn: conn.execute("SELECT id, pending FROM job").fetchall()))

    async def find(self, ref: str) -> Job:
        """The job meant by `3`, `#3` or its name. Raises UserError for none, for a name that several have, and for a
        job that cannot be read.
        """
        return _job(await self._found(ref))

    async def find_listed(self, ref: str) -> Job:
        """As `find`, but a job that cannot be read is given as lists show it."""
        return _listed(await self._found(ref))

    async def _found(self, ref: str) -> Row:
        number = ref.removeprefix("#")
        if number.isascii() and number.isdigit() and len(number) < 19:
            row = await self._row(f"SELECT {_COLUMNS} FROM job WHERE id = ?", int(number))
            if row is not None:
                return row
        sql = f"SELECT {_COLUMNS} FROM job WHERE name = ? ORDER BY id"
        rows: list[Row] = await self._read.read(lambda conn: conn.execute(sql, (ref,)).fetchall())
        if not rows:
            raise _missing(ref)
        if len(rows) > 1:
            ids = ", ".join(str(row[0]) for row in rows)
            raise UserError(f"{len(rows)} jobs are named {ref}: {ids}.", remedy="Name one by its number.")
        return rows[0]

    async def counters(self, job_id: int) -> Counters:
        """The job's figures. Raises UserError when there is no such job."""
        row = await self._row(f"SELECT {', '.join(bulk.COUNTERS)} FROM job WHERE id = ?", job_id)
        if row is None:
            raise _missing(job_id)
        return Counters(*row)

    async def set_state(
        self,
        job_id: int,
        state: JobState,
        *,
        reason: PauseReason | None = None,
        message: str = "",
        now: float,
        expect: Collection[JobState] | None = None,
        by: Owner | None = None,
    ) -> bool:
        """Changes the state if it is one of the expected ones (None: any), and says whether it did.

        With `by`, only while that owner holds the job's lease: who lost it has no say any more. The first run sets
        started_at; an end sets finished_at, anything else clears it. A change is an event in the log. A job of which
        anything is pending is never completed: dead items may be made pending by anybody until the very last moment.
        """
        values = {
            "id": job_id,
            "state": state.value,
            "reason": None if reason is None else reason.value,
            "message": (message := message.encode("utf-8", "replace").decode()),  # JSON can spell lone surrogates
            "started": now if state is JobState.RUNNING else None,
            "finished": now if state in TERMINAL else None,
            "token": None if by is None else by.token,
            "over": state is JobState.COMPLETED,
        }
        among = "" if expect is None else f"AND state IN ({', '.join(repr(one.value) for one in expect) or 'NULL'})"
        sql = f"""UPDATE job SET state = :state, reason = :reason, message = :message,
            started_at = coalesce(started_at, :started), finished_at = :finished
            WHERE id = :id AND (:token IS NULL OR owner_token = :token) AND NOT (:over AND pending) {among}"""

        def change(conn: sqlite3.Connection) -> bool:
            with transaction(conn):
                before = conn.execute("SELECT state, reason, message, started_at FROM job WHERE id = ?", (job_id,))
                old = before.fetchone()
                changed = conn.execute(sql, values).rowcount == 1
                if changed and old[:3] != (values["state"], values["reason"], message):
                    _log_state(conn, job_id, now, state, first=old[3] is None)
            return changed

        return await self._write.run(change)

    async def set_knobs(self, job_id: int, knobs: Knobs) -> None:
        """Stores the knobs. Raises UserError when there is no such job."""
        values = {"id": job_id, "knobs": dump_knobs(knobs)}
        if not await self._change("UPDATE job SET knobs = :knobs WHERE id = :id", values):
            raise _missing(job_id)

    async def mark_imported(self, job_id: int) -> None:
        """Says that all rows are in. Raises UserError when there is no such job."""
        if not await self._change("UPDATE job SET imported = 1 WHERE id = :id", {"id": job_id}):
            raise _missing(job_id)

    # Leases

    async def acquire(
        self, job_id: int, owner: Owner, *, now: float, expiry_s: float = EXPIRY_S, alive: Alive = may_be_alive
    ) -> bool:
        """Takes the lease of a job that is free, expired or the owner's own, and says whether that worked."""
        return await self._write.run(
            partial(leases.acquire, job_id=job_id, owner=owner, now=now, expiry_s=expiry_s, alive=alive)
        )

    async def heartbeat(self, owner: Owner, job_ids: Collection[int], now: float) -> set[int]:
        """Renews leases and returns the ids of those still held; a job that is missing must be let go at once."""
        return await self._write.run(partial(leases.heartbeat, owner=owner, job_ids=job_ids, now=now))

    async def release(self, job_id: int, owner: Owner) -> None:
        """Gives the lease back."""
        await self._write.run(partial(leases.release, job_id=job_id, owner=owner))

    async def expire(
        self,
        *,
        now: float,
        expiry_s: float = EXPIRY_S,
        alive: Alive = may_be_alive,
        by: Owner | None = None,
        held: Collection[int] = (),
    ) -> Ids:
        """Pauses (owner_lost) the jobs whose process is gone, and returns their ids.

        `by`: the process that looks, and `held` the jobs that it runs: they are not lost.
        """
        look = partial(leases.expire, now=now, expiry_s=expiry_s, alive=alive, by=by, held=held)
        return await self._write.run(look)

    # Verbs over all items, chunk by chunk

    async def retry(self, job_id: int, which: Selection = ALL_DEAD, *, chunk: int = bulk.CHUNK) -> bulk.Undone:
        """Makes dead items pending again, with no attempts spent, and returns what they were.

        A job that had ended becomes paused (user). What the items have cost stays counted.
        """
        steps = self._over_dead(partial(bulk.retry_chunk, job_id=job_id, which=which, limit=chunk))
        return sum([step.undone async for step in steps], bulk.Undone())

    async def discard(self, job_id: int, which: Selection = ALL_DEAD, *, chunk: int = bulk.CHUNK) -> int:
        """Makes dead items cancelled and returns how many. What they cost stays counted."""
        steps = self._over_dead(partial(dead_letters.discard_chunk, job_id=job_id, which=which, limit=chunk))
        return sum([step.items async for step in steps])

    async def count_dead(self, job_id: int, which: Selection = ALL_DEAD) -> int:
        """How many items `retry` and `discard` would take."""
        return await self._read.read(partial(dead_letters.count, job_id=job_id, which=which))

    async def edit_row(self, item_id: int, data: bytes) -> None:
        """Gives one item another row, a JSON object. Other items that had the same row keep it.

        Raises UserError unless the item is dead, or pending in a job that nobody runs.
        """
        await self._write.run(partial(dead_letters.edit_row, item_id=item_id, data=data, now=self._clock()))

    async def cancel(self, job_id: int, *, chunk: int = bulk.CHUNK) -> int:
        """Cancels the pending items and returns how many. The job's own state is the caller's to set."""
        count = 0
        while step := await self._write.run(partial(bulk.cancel_chunk, job_id=job_id, limit=chunk, now=self._clock())):
            count += step
            await asyncio.sleep(LOCK_GAP_S)
        return count

    async def delete(
        self,
        job_id: int,
        *,
        owner: Owner | None = None,
        expiry_s: float = EXPIRY_S,
        alive: Alive = may_be_alive,
        chunk: int = bulk.CHUNK,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        """Deletes the job with its items, results and attempts; `progress` gets the number of items gone so far.

        Raises UserError when there is no such job, or when a live process other than `owner` runs it.
        """
        if await self._row("SELECT id FROM job WHERE id = ?", job_id) is None:
            raise _missing(job_id)
        start = partial(
            bulk.start_delete,
            job_id=job_id,
            now=self._clock(),
            expiry_s=expiry_s,
            alive=alive,
            but_by=None if owner is None else owner.token,
        )
        if not await self._write.run(start):
            raise UserError(
                f"Job {job_id} is being run by another process.", remedy=f"Pause it first: llmbatch-tui pause {job_id}"
            )
        gone = 0
        while step := await self._write.run(partial(bulk.delete_chunk, job_id=job_id, limit=chunk)):
            gone += step
            if progress is not None:
                progress(gone)
            await asyncio.sleep(LOCK_GAP_S)

    async def clone_rows(
        self, source: int, target: int, *, origins: Sequence[int] = (0,), chunk: int = bulk.CHUNK
    ) -> int:
        """Gives the job `target` all rows of `source` as new pending items, and returns how many items.

        `origins` has one entry for each of the target's variants (models that answer every row, in mode each; else
        there is one): the source's variant whose rows it takes.
        """
        count, after = 0, -1
        while True:
            step = await self._write.run(
                partial(bulk.clone_chunk, source=source, target=target, origins=origins, after=after, limit=chunk)
            )
            if step is None:
                return count
            count, after = count + step.items, step.seq
            await asyncio.sleep(LOCK_GAP_S)

    async def _over_dead(self, chunk: Callable[..., bulk.Step | None]) -> AsyncIterator[bulk.Step]:
        """Runs a chunk function over dead items until there are none left."""
        after = (-1, -1)
        while (step := await self._write.run(partial(chunk, after=after))) is not None:
            yield step
            after = (step.seq, step.variant)
            await asyncio.sleep(LOCK_GAP_S)

    async def _row(self, sql: str, value: object) -> Row | None:
        def select(conn: sqlite3.Connection) -> Row | None:
            row: Row | None = conn.execute(sql, (value,)).fetchone()
            return row

        return await self._read.read(select)

    async def _change(self, sql: str, values: Mapping[str, object]) -> bool:
        def change(conn: sqlite3.Connection) -> bool:
            with transaction(conn):
                return conn.execute(sql, values).rowcount == 1

        return await self._write.run(change)


def _log_state(conn: sqlite3.Connection, job_id: int, now: float, state: JobState, *, first: bool) -> None:
    reason, message, done, dead = conn.execute(
        "SELECT reason, message, done, dead FROM job WHERE id = ?", (job_id,)
    ).fetchone()
    match state:
        case JobState.RUNNING:
            level, text = "info", "started" if first else "goes on"
        case JobState.COMPLETED:
            level, text = ("warning" if dead else "info"), f"completed: {done} done, {dead} dead"
        case _:
            harmless = state in (JobState.CANCELLED, JobState.QUEUED, JobState.DRAFT) or reason == PauseReason.USER
            level = "info" if harmless else "error" if state is JobState.FAILED else "warning"
            text = state.value + (f" ({reason})" if reason else "") + (f": {message}" if message else "")
    insert_event(conn, job_id, now, level, text)
