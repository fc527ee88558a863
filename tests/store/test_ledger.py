"""The ledger: days, places, what is set aside, and what an older database says."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from tui_batch.domain.endpoint import DeploymentKey
from tui_batch.domain.job import Owner
from tui_batch.domain.learned import Learned
from tui_batch.domain.spending import Secured, Spent
from tui_batch.store import Store
from tui_batch.store.ledger import Demand
from tui_batch.store.migrations import MIGRATIONS, migrate

NOON = 1_800_000_000.0


async def secure(store: Store, job_id: int, least: int, useful: int, wanted: int, cap: int | None) -> tuple[int, int]:
    got = await store.ledger.secure(job_id, Demand(least, useful, wanted), day_cap=cap, now=NOON)
    assert got is not None
    return got.nano, got.others_nano


async def test_no_more_is_set_aside_than_the_day_leaves(store: Store) -> None:
    assert await secure(store, 1, 0, 10, 60, 100) == (60, 0)
    assert await secure(store, 2, 0, 10, 60, 100) == (40, 0)
    assert await secure(store, 3, 0, 10, 60, 100) == (0, 0)
    assert await secure(store, 1, 0, 10, 20, 100) == (20, 0)
    assert await secure(store, 3, 0, 10, 60, 100) == (40, 0)


async def test_too_little_is_left_to_others(store: Store) -> None:
    await secure(store, 1, 0, 1, 95, 100)
    assert await secure(store, 2, 0, 10, 60, 100) == (0, 0)
    assert await secure(store, 3, 0, 5, 60, 100) == (5, 0)


async def test_what_is_set_aside_never_grows_again_without_room(store: Store) -> None:
    """Outcomes may be committed between a demand and its answer; the demand knows only the older, larger sum."""
    await secure(store, 1, 0, 1, 100, 100)
    await store._write.run(lambda conn: conn.execute("UPDATE hold SET nano = 70 WHERE job_id = 1"))
    await store.ledger.close_account(9, presumed=0, now=NOON)
    await secure(store, 2, 0, 1, 30, 100)
    assert await secure(store, 1, 100, 120, 150, 100) == (70, 0)


async def test_what_a_dead_process_left_is_presumed_spent_on_its_day(store: Store) -> None:
    await secure(store, 1, 0, 1, 60, 100)
    assert await store.ledger.open_account(1) == 60
    assert await store.ledger.open_account(1) == 60
    sums = await store.ledger.sums(("day", "job_id"))
    assert sums == {("2027-01-15", 1): Spent(presumed_nano=60)}
    assert await secure(store, 2, 0, 1, 60, 100) == (40, 0)


async def test_who_lost_a_job_leaves_what_its_new_owner_set_aside(store: Store, make: Any) -> None:
    """A kill of the new owner would count for too little else, and the cap be passed."""
    job_id = await make.job(store, 1)
    old, new = Owner("here", 1, "old"), Owner("here", 2, "new")
    few, many = Demand(0, 1, 10), Demand(0, 1, 60)
    ledger, jobs = store.ledger, store.jobs
    assert await jobs.acquire(job_id, old, now=NOON, alive=lambda _: True)
    assert await ledger.secure(job_id, few, day_cap=100, now=NOON, by=old) == Secured(10, 0)
    assert await jobs.acquire(job_id, new, now=NOON + 60, alive=lambda _: True)
    assert await ledger.open_account(job_id, by=new) == 10
    assert await ledger.secure(job_id, many, day_cap=100, now=NOON, by=new) == Secured(60, 0)
    assert await ledger.secure(job_id, few, day_cap=100, now=NOON, by=old) is None
    await ledger.close_account(job_id, presumed=0, now=NOON, by=old)
    assert await ledger.open_account(job_id, by=old) == 10
    assert await ledger.open_account(job_id) == 70


async def test_without_a_cap_for_the_day_all_is_given(store: Store) -> None:
    assert await secure(store, 1, 0, 1, 10**15, None) == (10**15, 0)


async def test_what_was_learned_comes_back(store: Store) -> None:
    key, learned = DeploymentKey("e", "m"), Learned(1.5, 1.1, 7, 40.0, 3.0, 2.5, 12.0)
    await store.calibration.save({key: Learned()}, NOON)
    assert await store.calibration.load() == {key: Learned()}
    await store.calibration.save({key: learned}, NOON)
    assert await store.calibration.load() == {key: learned}


def test_an_older_databases_ratios_of_one_are_unknown(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    number = next(n for n, step in enumerate(MIGRATIONS) if step.name == "unknown ratios")
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        migrate(conn, path, now=0.0, migrations=MIGRATIONS[:number])
        conn.execute("INSERT INTO calibration VALUES ('e', 'm', 1.25, 1.0, 7, 40.0, 3.0, 2.5, 9.0, 12.0)")
        migrate(conn, path, now=0.0)
        rows = conn.execute("SELECT * FROM calibration").fetchall()
        tables = conn.execute("SELECT count(*) FROM sqlite_schema WHERE name LIKE 'calibration%'").fetchone()
    assert (rows, tables) == ([("e", "m", 1.25, None, 7, 40.0, 3.0, 2.5, 9.0, 12.0)], (1,))


def test_an_older_databases_costs_are_in_the_ledger(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        migrate(conn, path, now=0.0, migrations=MIGRATIONS[:2])
        conn.execute(
            "INSERT INTO job(id, name, spec, knobs, state, created_at) VALUES (4, 'j', '{}', '{}', 'paused', 0)"
        )
        conn.execute("INSERT INTO payload VALUES (1, '{}')")
        row = """INSERT INTO item(job_id, seq, payload_id, state, requests, cached, endpoint, model, tokens_in,
            tokens_out, cost_nano, unpriced, saved_nano, finished_at)
            VALUES (4, ?, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
        conn.execute(row, (0, "done", 2, 0, "e", "m", 10, 5, 70, 1, 0, NOON))
        conn.execute(row, (1, "done", 0, 1, "e", "m", None, None, None, 0, 35, NOON))
        conn.execute(row, (2, "pending", 0, 0, None, None, None, None, None, 0, 0, None))
        migrate(conn, path, now=0.0)
        rows = conn.execute("SELECT * FROM spending").fetchall()
    assert rows == [("2027-01-15", 4, "e", "m", 2, 1, 10, 5, 70, 1, 0, 35)]
