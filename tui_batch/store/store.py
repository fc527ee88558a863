"""Opening the database and the parts that work on it."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tui_batch.errors import UserError
from tui_batch.store.alerts import Alerts
from tui_batch.store.cache import Cache
from tui_batch.store.calibration import Calibration
from tui_batch.store.commands import Commands
from tui_batch.store.connection import (
    Connection,
    connect_reader,
    connect_writer,
    create_file,
    make_private,
    open_connection,
    trouble_words,
)
from tui_batch.store.events import Events
from tui_batch.store.importer import Importer, start_import
from tui_batch.store.item_view import ItemSearch
from tui_batch.store.items import Items
from tui_batch.store.jobs import Jobs
from tui_batch.store.ledger import Ledger
from tui_batch.store.limits import LearnedLimitTable
from tui_batch.store.migrations import migrate
from tui_batch.store.writer import Writer

_PATIENCE_S = 10.0
"""How long closing tries to commit what is left while the disk refuses."""


@dataclass(frozen=True, slots=True)
class Store:
    """The parts of an open database. Closed by open_store."""

    path: Path
    jobs: Jobs
    items: Items
    search: ItemSearch
    writer: Writer
    cache: Cache
    commands: Commands
    events: Events
    ledger: Ledger
    calibration: Calibration
    limits: LearnedLimitTable
    alerts: Alerts
    _write: Connection
    _feed: Connection

    @asynccontextmanager
    async def importing(self, job_id: int, *, variants: int = 1) -> AsyncIterator[Importer]:
        """Adds rows to a job; `variants` is the number of models that answer every row (mode each), else 1.

        When the block ends well the job is marked as imported; when it is cut off it is not.
        """
        yield await start_import(self._write, job_id, variants)
        await self.jobs.mark_imported(job_id)

    @asynccontextmanager
    async def apart(self) -> AsyncIterator[Connection]:
        """A reading connection of one's own, for what takes long: lists on a screen need not wait for it."""
        connection = await open_connection(partial(connect_reader, self.path))
        try:
            yield connection
        finally:
            await asyncio.shield(connection.close())

    async def data_version(self) -> int:
        """A number that changes whenever anything is committed, by this process or another. Costs microseconds."""
        return await self._feed.run(lambda conn: int(conn.execute("PRAGMA data_version").fetchone()[0]))


@asynccontextmanager
async def open_store(
    path: Path, *, clock: Callable[[], float] = time.time, read_only: bool = False, patience_s: float = _PATIENCE_S
) -> AsyncIterator[Store]:
    """Opens the database, makes or migrates it where that is needed, and commits what is left when the block ends.

    The verbs of a read-only store that would change something raise StoreTrouble. Raises UserError when the file cannot
    be made or read, is another program's, or was written by a newer version of this one, and at the end when the disk
    still refuses outcomes after `patience_s` seconds.
    """
    await asyncio.to_thread(_prepare, path, clock())
    async with AsyncExitStack() as stack:
        write = await _open(stack, partial(connect_reader if read_only else connect_writer, path))
        feed = await _open(stack, partial(connect_reader, path))
        view = await _open(stack, partial(connect_reader, path))
        search = await _open(stack, partial(connect_reader, path))
        writer = Writer(write, clock)
        store = Store(
            path=path,
            jobs=Jobs(write, view, clock),
            items=Items(feed, view, search),
            search=ItemSearch(search),
            writer=writer,
            cache=Cache(write, feed),
            commands=Commands(write, feed, clock),
            events=Events(write, view, clock),
            ledger=Ledger(write, view),
            calibration=Calibration(write, view),
            limits=LearnedLimitTable(write, view),
            alerts=Alerts(write, view),
            _write=write,
            _feed=feed,
        )
        stack.push_async_callback(_close, writer, patience_s)
        yield store


async def _open(stack: AsyncExitStack, connector: Callable[[], sqlite3.Connection]) -> Connection:
    connection = await open_connection(connector)
    stack.push_async_callback(connection.close)
    return connection


async def _close(writer: Writer, patience_s: float) -> None:
    why = writer.trouble
    if lost := await writer.close(patience_s):
        raise UserError(
            f"{lost} outcomes could not be stored: {why or writer.trouble or 'the database does not answer'}.",
            remedy="Their items are still pending and will be sent again when the job is resumed.",
        )


def _prepare(path: Path, now: float) -> None:
    create_file(path)
    try:
        with closing(connect_writer(path)) as conn:
            migrate(conn, path, now=now)
            make_private(path)
    except sqlite3.OperationalError as error:
        raise UserError(f"{path}: {trouble_words(error)}", remedy="Choose another file with --db PATH.") from error
    except sqlite3.DatabaseError as error:
        raise UserError(f"{path}: {error}", remedy="Choose another file with --db PATH.") from error
