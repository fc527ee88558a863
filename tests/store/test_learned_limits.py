"""Limits that a server taught, as the database keeps them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from tui_batch.domain.endpoint import DeploymentKey
from tui_batch.domain.learned import LearnedLimits
from tui_batch.store.migrations import MIGRATIONS, migrate
from tui_batch.store.store import open_store

KEY = DeploymentKey("one", "m")
LIMITS = LearnedLimits(pace_per_s=9.87, per_minute=None, rpm=600, tpm=None, rpd=14_400, at=1_000.5)


async def test_they_are_read_as_they_were_written_by_the_next_process_too(tmp_path: Path) -> None:
    async with open_store(tmp_path / "jobs.db") as store:
        assert await store.limits.of(KEY, "a") is None
        await store.limits.save(KEY, "a", replace(LIMITS, per_minute=60))
        await store.limits.save(KEY, "a", LIMITS)

    async with open_store(tmp_path / "jobs.db") as store:
        assert await store.limits.of(KEY, "a") == LIMITS
        await store.limits.save(KEY, "a", None)
        assert await store.limits.of(KEY, "a") is None


async def test_another_server_by_the_same_name_has_its_own(tmp_path: Path) -> None:
    async with open_store(tmp_path / "jobs.db") as store:
        await store.limits.save(KEY, "a", LIMITS)

        assert await store.limits.of(KEY, "b") is None
        assert await store.limits.of(DeploymentKey("one", "other"), "a") is None


def test_a_database_of_before_gets_the_table(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    number = next(n for n, step in enumerate(MIGRATIONS) if step.name == "learned limits")
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        migrate(conn, path, now=0.0, migrations=MIGRATIONS[:number])
        migrate(conn, path, now=0.0)

        assert conn.execute("SELECT count(*) FROM learned_limit").fetchone() == (0,)
