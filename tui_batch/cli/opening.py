"""Opens the database for a command, and runs the command's coroutine."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from tui_batch import paths
from tui_batch.cli.exits import Exit, Interrupted
from tui_batch.errors import UserError

if TYPE_CHECKING:
    from tui_batch.engine.control import Controller
    from tui_batch.store.store import Store
    from tui_batch.work.place import Where

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Desk:
    """What a command that runs nothing itself works with."""

    store: Store

    @property
    def controller(self) -> Controller:
        """Gives orders to whoever runs a job. Made when asked for: commands that only look start quicker without."""
        from tui_batch.engine.control import Controller
        from tui_batch.engine.owners import is_alive

        return Controller(self.store, None, clock=time.time, alive=is_alive)


@asynccontextmanager
async def desk(where: Where) -> AsyncIterator[Desk]:
    """The database, which must be there, and a controller without an engine. Raises UserError when it is not."""
    need_database(where)
    async with new_desk(where) as at:
        yield at


@asynccontextmanager
async def new_desk(where: Where) -> AsyncIterator[Desk]:
    """As `desk`, but makes the database where there is none. Jobs whose process died are told from running ones."""
    from tui_batch.engine.lease import LEASE_S
    from tui_batch.engine.owners import is_alive
    from tui_batch.store.store import open_store

    with where.remedies():
        async with open_store(where.db) as store:
            await store.jobs.expire(now=time.time(), expiry_s=LEASE_S, alive=is_alive)
            yield Desk(store)


def run(main: Coroutine[Any, Any, T]) -> T:
    """Runs a command's coroutine on the quickest event loop there is. What libraries log goes to a file."""
    work = _to_its_end(main)
    try:
        from tui_batch.engine.loop import run as run_loop

        with _logging():
            return run_loop(work)
    finally:  # Ctrl-C may come before either has begun
        work.close()
        main.close()


async def _to_its_end(main: Coroutine[Any, Any, T]) -> T:
    """The coroutine's result. An interrupted one has closed everything by now, but for a thread that may be reading a
    silent pipe: nothing can stop that, and Python would wait for it, so the process ends here.
    """
    try:
        return await main
    except Interrupted:
        sys.stdout.flush()
        os._exit(Exit.INTERRUPTED)


class _OwnLog(logging.FileHandler):
    """A log that only its owner can read."""

    def _open(self) -> TextIOWrapper:
        return open(self.baseFilename, self.mode, encoding=self.encoding, opener=paths.for_owner_only)  # type: ignore[return-value]


@contextmanager
def _logging() -> Iterator[None]:
    """Warnings and faults of background tasks belong in a file, not between the lines of a screen."""
    root = logging.getLogger()
    try:
        handler: logging.Handler = _OwnLog(log_file(), delay=True, encoding="utf-8")
    except OSError:
        handler = logging.NullHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    handler.addFilter(_is_kept)
    root.addHandler(handler)
    logging.getLogger(paths.APP_LOG).setLevel(logging.INFO)
    try:
        yield
    finally:
        root.removeHandler(handler)
        handler.close()


def _is_kept(record: logging.LogRecord) -> bool:
    """Warnings of any part, and what a person did in the app."""
    return record.levelno >= logging.WARNING or record.name == paths.APP_LOG


def log_file() -> Path:
    """The program's own log; its directory is made. Raises OSError when that cannot be."""
    return paths.make_log_dir() / "llmbatch-tui.log"


def need_database(where: Where) -> None:
    """Raises UserError when there is no database yet: a command that only looks must not make one."""
    if not where.db.exists():
        raise UserError(
            f"there is no job database {where.db} yet", remedy=f"Run something first: {where.command('run', 'INPUT')}"
        )
