"""Opening: files, modes, migrations, strangers' files, several processes at once."""

from __future__ import annotations

import os
import sqlite3
import stat
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from tui_batch.domain.job import Knobs
from tui_batch.errors import UserError
from tui_batch.store import StoreTrouble, open_store
from tui_batch.store.connection import LOCK_GAP_S, connect_writer, create_file, transaction
from tui_batch.store.migrations import MIGRATIONS, Migration, backup_path, migrate, version


async def test_a_new_database_is_private_and_can_be_opened_again(db: Path, make) -> None:
    async with open_store(db) as store:
        await make.job(store, 3)
        if sys.platform != "win32":
            modes = {stat.S_IMODE(os.stat(file).st_mode) for file in db.parent.iterdir()}
            assert modes == {0o600}
    async with open_store(db) as store:
        assert [job.counters.total for job in await store.jobs.list()] == [3]


async def test_a_database_that_others_could_read_is_private_once_it_is_opened(db: Path, make) -> None:
    async with open_store(db) as store:
        await make.job(store, 1)
        for file in db.parent.iterdir():
            file.chmod(0o644)
        async with open_store(db):
            if sys.platform != "win32":
                assert {stat.S_IMODE(file.stat().st_mode) for file in db.parent.iterdir()} == {0o600}
        assert len(await store.jobs.list()) == 1


async def test_every_commit_reaches_the_disk_and_references_are_held(db: Path) -> None:
    create_file(db)
    with closing(connect_writer(db)) as conn:
        settings = {name: conn.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")}
        assert settings == {"journal_mode": "wal", "synchronous": 2}
        assert conn.execute("PRAGMA foreign_keys").fetchone()[0] == 1


async def test_a_read_only_store_refuses_verbs_that_write(db: Path, make) -> None:
    async with open_store(db) as store:
        job_id = await make.job(store, 1)
    async with open_store(db, read_only=True) as store:
        assert (await store.jobs.get(job_id)).counters.pending == 1
        with pytest.raises(StoreTrouble, match=r"cannot be written\nSee that the database's file"):
            await store.jobs.set_knobs(job_id, Knobs(rpm=1))


async def test_another_programs_database_is_left_alone(db: Path) -> None:
    create_file(db)
    os.chmod(db, 0o644)
    mode = os.stat(db).st_mode
    with closing(sqlite3.connect(db)) as conn:
        conn.execute("CREATE TABLE recipes (name TEXT)")
    with pytest.raises(UserError, match="another program"):
        async with open_store(db):
            pass
    with closing(sqlite3.connect(db)) as conn:
        assert conn.execute("SELECT name FROM sqlite_schema").fetchall() == [("recipes",)]
    assert os.stat(db).st_mode == mode


def write_csv(path: Path) -> None:
    create_file(path)
    path.write_text("prompt,answer\n" * 100)


async def test_a_file_that_is_no_database_is_refused_by_name(db: Path) -> None:
    write_csv(db)
    with pytest.raises(UserError, match=r"jobs\.db: file is not a database"):
        async with open_store(db):
            pass


async def test_a_place_where_no_file_can_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="the database cannot be made"):
        async with open_store(tmp_path / "file" / "jobs.db"):
            pass


async def test_a_newer_database_is_refused_untouched(db: Path) -> None:
    async with open_store(db):
        pass
    with closing(sqlite3.connect(db)) as conn, conn:
        conn.execute("INSERT INTO migration VALUES (999, 'from the future', 0)")
    with pytest.raises(UserError, match="newer llmbatch-tui"):
        async with open_store(db):
            pass


def add_column(conn: sqlite3.Connection) -> None:
    conn.execute("ALTER TABLE job ADD COLUMN colour TEXT")


def rewrite(conn: sqlite3.Connection) -> None:
    conn.execute("UPDATE job SET colour = 'red'")


def break_down(conn: sqlite3.Connection) -> None:
    conn.execute("UPDATE job SET colour = 'blue'")
    raise sqlite3.OperationalError("no such thing")


async def test_later_migrations_run_once_and_a_copy_is_kept_before_data_is_rewritten(db: Path, make) -> None:
    async with open_store(db) as store:
        await make.job(store, 2)
    later = (*MIGRATIONS, Migration("colour", add_column), Migration("paint", rewrite, rewrites=True))
    with closing(connect_writer(db)) as conn:
        assert len(migrate(conn, db, now=5.0, migrations=later)) == 2
        assert migrate(conn, db, now=6.0, migrations=later) == []
    before = len(later) - 1
    assert make.query(db, "SELECT colour FROM job") == [("red",)]
    assert make.query(backup_path(db, before), "SELECT colour FROM job") == [(None,)]
    assert make.query(backup_path(db, before), "SELECT count(*) FROM item") == [(2,)]
    assert sorted(db.parent.glob("*.bak")) == [backup_path(db, before)]


async def test_a_failing_migration_leaves_the_database_as_it_was(db: Path, make) -> None:
    async with open_store(db) as store:
        await make.job(store, 1)
    steps = (*MIGRATIONS, Migration("colour", add_column), Migration("broken", break_down))
    with closing(connect_writer(db)) as conn:
        with pytest.raises(sqlite3.OperationalError):
            migrate(conn, db, now=5.0, migrations=steps)
        assert version(conn, db) == len(MIGRATIONS) + 1
    assert make.query(db, "SELECT colour FROM job") == [(None,)]


def open_once(db: Path) -> list[int]:
    with closing(connect_writer(db)) as conn:
        return migrate(conn, db, now=1.0)


def test_many_at_once_make_one_database(db: Path) -> None:
    create_file(db)
    with ThreadPoolExecutor(8) as pool:
        applied = [number for numbers in pool.map(open_once, [db] * 16) for number in numbers]
    assert len(applied) == len(MIGRATIONS)


HOLD_S = 0.01
"""How long the process below holds the lock at a time."""


class Beside:
    """A process that holds the write lock nearly all the time, as a long import does, on a clock that waiting moves."""

    def __init__(self, db: Path) -> None:
        self._lock = connect_writer(db)
        self.now = 0.0

    def __enter__(self) -> Beside:
        self.sleep(0.0)
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.close()

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        """Time goes by, and the process has the lock or is in the gap between two transactions."""
        self.now += seconds
        holds = self.now % (HOLD_S + LOCK_GAP_S) < HOLD_S
        if holds != self._lock.in_transaction:
            self._lock.execute("BEGIN IMMEDIATE" if holds else "ROLLBACK")


def test_a_short_transaction_gets_its_turn_beside_a_busy_process(db: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create_file(db)
    with closing(connect_writer(db)) as conn, Beside(db) as beside:
        monkeypatch.setattr("tui_batch.store.connection.time", beside)
        for turn in range(10):
            with transaction(conn):
                # In the first gap there is: SQLite's own way of waiting, which looks ever less often, missed most.
                assert turn * (HOLD_S + LOCK_GAP_S) < beside.now < (turn + 1) * (HOLD_S + LOCK_GAP_S)
            beside.sleep(LOCK_GAP_S)
