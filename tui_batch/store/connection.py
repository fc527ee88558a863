"""Connections to the database file: one thread each, one function a transaction.

A transaction runs as one function on the connection's thread. That costs one hop for any number of statements, keeps
SQL off the event loop, and makes cancellation safe: a caller may go away, the transaction still ends.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TypeVar, cast

import aiosqlite

from tui_batch.errors import UserError
from tui_batch.quality.answers import answer_key, answer_number, answer_text
from tui_batch.store.likeness import normalise

T = TypeVar("T")

LOCK_WAIT_S = 3.0
"""How long a transaction waits for another process to end its own before that counts as trouble."""

LOCK_POLL_S = 0.0005
"""Between two looks at the lock. SQLite's own waiting lets them grow to 100 ms; an outcome has 50 ms in all."""

LOCK_GAP_S = 0.0015
"""A pause between the transactions of a long verb. SQLite's lock has no queue: whoever looks while it is free has it,
so one process that takes it again at once would starve the others' outcomes."""

_BUSY_S = 2.0
"""SQLite's own wait, for the short locks that are not ours to wait for: recovery, the last one's closing."""

_CHECK_EVERY = 20_000
"""Virtual machine steps between two looks at whether a reader was cancelled: about a millisecond."""


class StoreTrouble(UserError):
    """The database cannot be used at this moment: the disk is full, another program holds it, it is read-only."""


_TROUBLES = {
    "database or disk is full": ("the disk is full", "Make room where the database is."),
    "database is locked": (
        "another program holds the database",
        "Wait until it lets go: a backup, a tool that edits SQLite files.",
    ),
    "attempt to write a readonly database": (
        "the database cannot be written",
        "See that the database's file and folder may be written by you.",
    ),
    "disk I/O error": ("the disk reports an error", "See that the database's disk is there and works."),
}
"""What SQLite says, what that means to a person, and what to do."""


def trouble_words(error: sqlite3.Error) -> str:
    """What a failed statement means to a person."""
    text = str(error)
    return _TROUBLES[text][0] if text in _TROUBLES else f"the database reports: {text}"


def _trouble(error: sqlite3.Error) -> StoreTrouble:
    text = str(error)
    return StoreTrouble(trouble_words(error), remedy=_TROUBLES[text][1] if text in _TROUBLES else "")


class Connection(aiosqlite.Connection):
    """aiosqlite's connection and thread, with whole functions in place of single statements."""

    async def run(self, function: Callable[[sqlite3.Connection], T]) -> T:
        """Runs the function with the raw connection on the connection's thread.

        Raises StoreTrouble for what time or a person can mend, other sqlite3 errors as they are.
        """
        try:
            # aiosqlite has no public way to run a function of one's own on its thread.
            return cast(T, await self._execute(function, self._conn))  # type: ignore[no-untyped-call]
        except sqlite3.OperationalError as error:
            raise _trouble(error) from error

    async def read(self, function: Callable[[sqlite3.Connection], T]) -> T:
        """As run, for queries: when the caller is cancelled, the query ends soon instead of going on for nobody."""
        cancelled = threading.Event()
        try:
            return await self.run(partial(_watched, cancelled, function))
        except asyncio.CancelledError:
            cancelled.set()
            raise


def _watched(cancelled: threading.Event, function: Callable[[sqlite3.Connection], T], conn: sqlite3.Connection) -> T:
    conn.set_progress_handler(cancelled.is_set, _CHECK_EVERY)
    try:
        return function(conn)
    finally:
        conn.set_progress_handler(None, 0)


@contextmanager
def transaction(conn: sqlite3.Connection) -> Iterator[None]:
    """A write transaction: the lock is taken at once, so that it never fails half-way for want of it."""
    _until_free(conn, "BEGIN IMMEDIATE")
    try:
        yield
        conn.execute("COMMIT")
    except BaseException:
        # A full disk may have rolled it back already.
        if conn.in_transaction:
            conn.execute("ROLLBACK")
        raise


@contextmanager
def snapshot(conn: sqlite3.Connection) -> Iterator[None]:
    """Several queries that must agree with one another. Keep it short: an open reader holds the log file back."""
    conn.execute("BEGIN")
    try:
        yield
    finally:
        conn.execute("ROLLBACK")


def create_file(path: Path) -> None:
    """Makes the directory and an empty file that only its owner can read; an existing file is left as it is."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        what = "cannot be written" if os.path.isfile(path) else "cannot be made"
        raise UserError(
            f"{path}: the database {what}: {error.strerror}", remedy="Choose another place with --db PATH."
        ) from error


def make_private(path: Path) -> None:
    """Takes from others what rights a copy or an earlier build left them to a database of ours.

    Where the file is another user's it stays as it is, and on Windows, where a folder's rights are its files'.
    """
    if sys.platform == "win32":
        return
    for file in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
        with suppress(OSError):
            mode = stat.S_IMODE(file.stat().st_mode)
            if mode & ~0o700:
                file.chmod(mode & 0o700)


def connect_writer(path: Path) -> sqlite3.Connection:
    """A connection that may write. Every commit reaches the disk before it returns (synchronous FULL)."""
    conn = _connect(path)
    try:
        _until_free(conn, "PRAGMA journal_mode = WAL")
        conn.execute("PRAGMA synchronous = FULL")
        conn.execute("PRAGMA foreign_keys = ON")
    except BaseException:
        conn.close()
        raise
    return conn


def _until_free(conn: sqlite3.Connection, sql: str) -> None:
    """Runs a statement that needs the write lock, again and again until it is free or LOCK_WAIT_S is over.

    For journal_mode SQLite would not wait at all: two processes that both make the file would block each other.
    """
    end = time.monotonic() + LOCK_WAIT_S
    conn.execute("PRAGMA busy_timeout = 0")
    try:
        while not _done(conn, sql, end):
            time.sleep(LOCK_POLL_S)
    finally:
        conn.execute(f"PRAGMA busy_timeout = {_BUSY_S * 1000:.0f}")


def _done(conn: sqlite3.Connection, sql: str, end: float) -> bool:
    try:
        conn.execute(sql)
    except sqlite3.OperationalError as error:
        # The low byte is the primary code; the rest says which kind of busy.
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
            raise
        return False
    return True


def connect_reader(path: Path) -> sqlite3.Connection:
    """A connection that refuses to write.

    It knows `like_error(message)`, which is equal for like failures, and what an answer's JSON holds:
    `answer_text(text, path)`, `answer_number(text, path)` and `answer_key(text, path)`.
    """
    conn = _connect(path)
    conn.create_function("like_error", 1, normalise, deterministic=True)
    conn.create_function("answer_text", 2, answer_text, deterministic=True)
    conn.create_function("answer_number", 2, answer_number, deterministic=True)
    conn.create_function("answer_key", 2, answer_key, deterministic=True)
    conn.execute("PRAGMA query_only = ON")
    return conn


def _connect(path: Path) -> sqlite3.Connection:
    # Transactions are begun and ended by hand (isolation_level None), the same way in every Python version.
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=_BUSY_S)


async def open_connection(connector: Callable[[], sqlite3.Connection]) -> Connection:
    """Opens on a thread of its own."""
    return cast(Connection, await Connection(connector, iter_chunk_size=64))
