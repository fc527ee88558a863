"""What was sent lately is known without a look at the items."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from tui_batch.domain.endpoint import DeploymentKey
from tui_batch.domain.item import ItemState
from tui_batch.domain.outcome import OutcomeClass
from tui_batch.store import open_store
from tui_batch.store.migrations import MIGRATIONS, migrate
from tui_batch.store.recent import MINUTE, recent_requests

LOCAL = DeploymentKey("local", "tiny")


async def test_answers_and_failures_count_once_each_and_refusals_and_cache_hits_never(db: Path, make: Any) -> None:
    async with open_store(db, clock=make.clock()) as store:
        job_id = await make.job(store, 4)
        one, two, three, four = [item.id for item in await make.pending(store, job_id)]
        await make.settle(
            store,
            make.ok(job_id, one),
            make.failed(job_id, two, ItemState.PENDING),
            make.failed(job_id, three, ItemState.PENDING, OutcomeClass.RATE_LIMITED),
            make.ok(job_id, four, cached=True),
        )
        await make.settle(store, make.ok(job_id, two))

        (found,) = await store.items.recent_requests(899.0)

        assert (found.deployment, found.requests, found.tokens) == (LOCAL, 3, 33)
        assert (found.at, found.ended_at, round(found.seconds, 2)) == (900.0, 901.0, 0.6)
        assert await store.items.recent_requests(900.5) == []


async def test_a_deleted_jobs_requests_still_count_for_its_server(db: Path, make: Any) -> None:
    async with open_store(db, clock=make.clock()) as store:
        job_id = await make.job(store, 1)
        (item,) = await make.pending(store, job_id)
        await make.settle(store, make.ok(job_id, item.id))
        await store.jobs.delete(job_id)

        assert [one.requests for one in await store.items.recent_requests(899.0, MINUTE)] == [1]


async def test_seconds_are_kept_for_minutes_and_minutes_for_a_day(db: Path, make: Any) -> None:
    clock = make.clock()
    async with open_store(db, clock=clock) as store:
        job_id = await make.job(store, 3)
        known = []
        for hours, item in enumerate(await make.pending(store, job_id)):
            clock.now = 1_000.0 + 20 * 3_600 * hours
            outcome = replace(make.ok(job_id, item.id).outcome, started_at=clock.now)
            await make.settle(store, replace(make.ok(job_id, item.id), outcome=outcome, at=clock.now))
            known.append([len(await store.items.recent_requests(0.0, width)) for width in (1, MINUTE)])

        assert known == [[1, 1], [1, 2], [1, 2]]


def test_an_older_databases_answers_of_the_last_day_are_known(db: Path) -> None:
    db.parent.mkdir(parents=True)
    number = next(n for n, step in enumerate(MIGRATIONS) if step.name == "sent lately")
    now = time.time()
    with closing(sqlite3.connect(db, isolation_level=None)) as conn:
        migrate(conn, db, now=1.0, migrations=MIGRATIONS[:number])
        conn.execute("INSERT INTO job(name, spec, knobs, state, created_at) VALUES ('j', '{}', '{}', 'paused', 0)")
        conn.execute("INSERT INTO payload(data) VALUES ('{}')")
        for seq, began in enumerate((now - 30.0, now - 3_600.0, now - 200_000.0)):
            conn.execute(
                "INSERT INTO item(job_id, seq, payload_id, state, endpoint, model, tokens_in, latency_ms, started_at) "
                "VALUES (1, ?, 1, 'done', 'local', 'tiny', 7, 500, ?)",
                (seq, began),
            )
        migrate(conn, db, now=2.0)

        assert [one.tokens for one in recent_requests(conn, now - 60.0, 1)] == [7]
        assert sum(one.requests for one in recent_requests(conn, now - 86_400.0, MINUTE)) == 2
