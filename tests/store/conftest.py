"""Builders of jobs, rows and outcomes, and an open store."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from recount import counters_by_items

from tui_batch.domain.endpoint import Api, DeploymentKey, Endpoint
from tui_batch.domain.item import Attempt, CachedResponse, ItemRecord, ItemState, NewRow, PendingItem
from tui_batch.domain.job import Counters, InputSource, JobSpec, Knobs, ModelRef
from tui_batch.domain.outcome import Outcome, OutcomeClass, Usage
from tui_batch.store import Store, open_store

DEPLOYMENT = DeploymentKey("local", "tiny")


@dataclass
class Clock:
    """A clock that stands until it is told."""

    now: float = 1_000.0

    def __call__(self) -> float:
        return self.now


class Make:
    """Values with sensible defaults."""

    clock = Clock

    def spec(self, name: str = "job") -> JobSpec:
        return JobSpec(
            name,
            InputSource("in.jsonl", "jsonl"),
            (ModelRef("tiny", ("local",)),),
            (Endpoint("local", Api.OPENAI, "http://127.0.0.1:1/v1"),),
        )

    def rows(self, count: int, *, ids: bool = True, priority: int = 0, start: int = 0) -> list[NewRow]:
        numbers = range(start, start + count)
        return [NewRow(n + 1, f"r{n}" if ids else None, priority, f'{{"prompt": "p{n}"}}'.encode()) for n in numbers]

    def ok(self, job_id: int, item_id: int, **changes: Any) -> ItemRecord:
        """A paid answer."""
        outcome = Outcome(
            OutcomeClass.OK,
            text=changes.pop("text", f"answer {item_id}"),
            usage=Usage(input_tokens=10, output_tokens=5),
            finish_reason="stop",
            request_id="req-1",
            status=200,
            started_at=900.0,
            latency_s=0.25,
            raw=b"{raw}",
        )
        values: dict[str, Any] = {"attempts": 1, "malformed": 0, "available_at": 0.0, "cost_nano": 100, "at": 901.0}
        values |= {"deployment": DEPLOYMENT}
        return ItemRecord(job_id, item_id, ItemState.DONE, outcome=outcome, **{**values, **changes})

    def failed(
        self,
        job_id: int,
        item_id: int,
        state: ItemState = ItemState.DEAD,
        cls: OutcomeClass = OutcomeClass.SERVER_ERROR,
        message: str = "boom",
        **changes: Any,
    ) -> ItemRecord:
        """A failed request that cost a little."""
        outcome = Outcome(cls, usage=Usage(3, None), status=500, message=message, started_at=900.0, latency_s=0.1)
        attempt = Attempt(item_id, 1, 900.0, DEPLOYMENT, cls, 500, message, 0.1, 3, None, 7)
        values: dict[str, Any] = {"attempts": 1, "malformed": 0, "available_at": 950.0, "cost_nano": 7, "at": 901.0}
        values |= {"deployment": DEPLOYMENT, "attempt": attempt}
        return ItemRecord(job_id, item_id, state, outcome=outcome, **{**values, **changes})

    def hit(self, job_id: int, item_id: int, key: bytes, saved: int | None = 100) -> ItemRecord:
        """An answer from the cache."""
        return self.ok(job_id, item_id, cached=True, cache_key=key, saved_nano=saved, deployment=None, cost_nano=0)

    def entry(self, key: bytes, text: str = "cached answer") -> CachedResponse:
        return CachedResponse(key, "tiny", text, "stop", 10, 5, 100)

    async def job(self, store: Store, rows: int | Sequence[NewRow] = 0, *, name: str = "job", variants: int = 1) -> int:
        """An imported job."""
        job_id = await store.jobs.create(self.spec(name), Knobs(), now=1_000.0)
        async with store.importing(job_id, variants=variants) as importer:
            await importer.add(self.rows(rows) if isinstance(rows, int) else rows)
        return job_id

    async def pending(self, store: Store, job_id: int) -> list[PendingItem]:
        return await store.items.pending_page(job_id, limit=100_000)

    async def settle(self, store: Store, *records: ItemRecord) -> None:
        """Records them and waits until they are on the disk."""
        for r in records:
            store.writer.record(r)
        await store.writer.drain()

    def counted(self, path: Path, job_id: int) -> Counters:
        """The counters as the items themselves say."""
        with closing(sqlite3.connect(path)) as conn:
            return Counters(**counters_by_items(conn, job_id))

    def booked(self, path: Path, job_id: int) -> tuple[int, int]:
        """Cache hits and what they saved, as the ledger says."""
        sums = "SELECT coalesce(sum(cached), 0), coalesce(sum(saved_nano), 0) FROM spending WHERE job_id = ?"
        ((cached, saved_nano),) = self.query(path, sums, job_id)
        return cached, saved_nano

    def query(self, path: Path, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """What any SQLite tool would see."""
        with closing(sqlite3.connect(path)) as conn:
            return conn.execute(sql, values).fetchall()


@pytest.fixture(scope="session")
def make() -> Make:
    return Make()


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return tmp_path / "data" / "jobs.db"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def store(db: Path, clock: Clock) -> AsyncIterator[Store]:
    async with open_store(db, clock=clock) as opened:
        yield opened
