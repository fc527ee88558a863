"""Ordered migrations, each in a transaction and recorded in the table `migration`."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tui_batch.errors import UserError
from tui_batch.store import alerts, calibration, failing, ledger, limits, recent
from tui_batch.store.connection import connect_reader, create_file, transaction
from tui_batch.store.schema import FIRST, JUDGING, SCORES

_LEDGER = (
    "CREATE TABLE IF NOT EXISTS migration (number INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at REAL NOT NULL)"
)


@dataclass(frozen=True, slots=True)
class Migration:
    """One step from a schema to the next. Its number is its place in the list, from 1."""

    name: str
    apply: Callable[[sqlite3.Connection], None]
    rewrites: bool = False
    """It changes rows that exist, so a copy of the file is kept before."""


def _first(conn: sqlite3.Connection) -> None:
    for statement in FIRST:
        conn.execute(statement)


def _scores(conn: sqlite3.Connection) -> None:
    for statement in SCORES:
        conn.execute(statement)


def _judging(conn: sqlite3.Connection) -> None:
    for statement in JUDGING:
        conn.execute(statement)


MIGRATIONS: tuple[Migration, ...] = (
    Migration("first tables", _first),
    Migration("scores", _scores),
    Migration("ledger", ledger.create),
    Migration("calibration", calibration.create),
    Migration("judging", _judging),
    Migration("alerts", alerts.create),
    Migration("failed checks", failing.create),
    Migration("requests at once", calibration.add_in_flight),
    Migration("sent lately", recent.create),
    Migration("unknown ratios", calibration.tell_unknown_ratios),
    Migration("learned limits", limits.create),
)


def version(conn: sqlite3.Connection, path: Path) -> int:
    """Number of the last migration applied; 0 for an empty file. Raises UserError for a file that is not ours."""
    try:
        tables = {name for (name,) in conn.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        raise UserError(f"{path}: {error}", remedy="Choose another file with --db PATH.") from error
    if "migration" in tables:
        return int(conn.execute("SELECT coalesce(max(number), 0) FROM migration").fetchone()[0])
    if tables:
        raise UserError(
            f"{path}: this database belongs to another program.", remedy="Choose another file with --db PATH."
        )
    return 0


def migrate(
    conn: sqlite3.Connection, path: Path, *, now: float, migrations: Sequence[Migration] = MIGRATIONS
) -> list[int]:
    """Brings the file to the newest schema and returns the numbers applied.

    Raises UserError when the file was written by a newer program: it is left untouched.
    """
    at = version(conn, path)
    if at > len(migrations):
        raise UserError(
            f"{path}: this database was written by a newer llmbatch-tui (schema {at}, known {len(migrations)}).",
            remedy="Upgrade llmbatch-tui, or choose another file with --db PATH.",
        )
    return [number for number in range(at + 1, len(migrations) + 1) if _step(conn, path, number, migrations, now)]


def _step(conn: sqlite3.Connection, path: Path, number: int, migrations: Sequence[Migration], now: float) -> bool:
    step = migrations[number - 1]
    with transaction(conn):
        # Another process may have been faster between our look and our lock.
        if version(conn, path) >= number:
            return False
        if step.rewrites:
            _keep_copy(path, backup_path(path, number - 1))
        step.apply(conn)
        conn.execute(_LEDGER)
        conn.execute("INSERT INTO migration(number, name, applied_at) VALUES (?, ?, ?)", (number, step.name, now))
    return True


def backup_path(path: Path, schema: int) -> Path:
    """Where the copy of a file with that schema is kept: beside it."""
    return path.with_name(f"{path.name}.schema-{schema}.bak")


def _keep_copy(path: Path, target: Path) -> None:
    """Copies the database as last committed, by SQLite's own backup; the caller holds the write lock meanwhile."""
    create_file(target)
    with closing(connect_reader(path)) as source, closing(sqlite3.connect(target)) as copy:
        source.backup(copy)
