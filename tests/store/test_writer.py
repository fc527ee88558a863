"""Outcomes out: batches, order, money, odd cases, trouble and its end."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tui_batch.domain.item import ItemFlag, ItemRecord, ItemState
from tui_batch.domain.job import Counters
from tui_batch.domain.outcome import OutcomeClass
from tui_batch.errors import UserError
from tui_batch.store import Store, StoreTrouble, open_store

SOON = 50.0
"""Seconds after which a test gives up; nothing here takes so long on any machine."""


class Committed:
    """Keeps what the writer reports, and wakes who waits for it."""

    def __init__(self, store: Store) -> None:
        self.batches: list[list[int]] = []
        self.words: list[str | None] = []
        self._news = asyncio.Event()
        store.writer.on_commit = self._commit
        store.writer.on_trouble = self._trouble

    def _commit(self, batch: list[ItemRecord]) -> None:
        self.batches.append([r.item_id for r in batch])
        self._news.set()

    def _trouble(self, words: str | None) -> None:
        self.words.append(words)
        self._news.set()

    @property
    def ids(self) -> list[int]:
        return [item_id for batch in self.batches for item_id in batch]

    async def news(self) -> None:
        await asyncio.wait_for(self._news.wait(), SOON)
        self._news.clear()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock counts as trouble after 50 ms instead of seconds."""
    monkeypatch.setattr("tui_batch.store.connection.LOCK_WAIT_S", 0.05)


async def test_an_outcome_is_on_the_disk_soon_without_anyone_asking(store: Store, make, db: Path) -> None:
    job_id = await make.job(store, 2)
    committed = Committed(store)
    store.writer.record(make.ok(job_id, 1))
    assert (store.writer.backlog, make.query(db, "SELECT state FROM item WHERE id = 1")) == (1, [("pending",)])
    await committed.news()
    assert make.query(db, "SELECT state, text FROM item JOIN result ON item_id = id") == [("done", "answer 1")]
    assert store.writer.backlog == 0


async def test_outcomes_that_come_together_are_committed_together(store: Store, make) -> None:
    job_id = await make.job(store, 1200)
    committed = Committed(store)
    await make.settle(store, *(make.ok(job_id, n) for n in range(1, 1201)))
    assert [len(batch) for batch in committed.batches] == [500, 500, 200]
    assert committed.ids == list(range(1, 1201))


async def test_an_answer_is_stored_whole(store: Store, make, db: Path) -> None:
    job_id = await make.job(store, 1)
    await make.settle(store, make.ok(job_id, 1, keep_raw=True, flags=ItemFlag.TRUNCATED))
    detail = await store.items.detail(1)
    row = detail.row
    assert (row.state, row.cls, row.flags, row.endpoint, row.model) == (
        *(ItemState.DONE, OutcomeClass.OK, ItemFlag.TRUNCATED, "local", "tiny"),
    )
    assert (row.tokens_in, row.tokens_out, row.cost_nano, row.latency_ms) == (10, 5, 100, 250)
    assert (row.attempts, row.requests, row.started_at, row.finished_at) == (1, 1, 900.0, 901.0)
    assert (detail.text, detail.finish_reason, detail.request_id, detail.raw) == ("answer 1", "stop", "req-1", b"{raw}")
    counters = await store.jobs.counters(job_id)
    assert counters == make.counted(db, job_id)
    assert counters == Counters(total=1, done=1, requests=1, tokens_in=10, tokens_out=5, cost_nano=100)


async def test_the_body_is_not_kept_unasked(store: Store, make) -> None:
    job_id = await make.job(store, 1)
    await make.settle(store, make.ok(job_id, 1))
    assert (await store.items.detail(1)).raw is None


async def test_failed_requests_are_kept_and_paid_for(store: Store, make, db: Path) -> None:
    job_id = await make.job(store, 1)
    waits = make.failed(job_id, 1, ItemState.PENDING, OutcomeClass.TIMEOUT, "slow")
    # Two outcomes of one item may well meet in one batch.
    await make.settle(store, waits, make.ok(job_id, 1, attempts=2))
    detail = await store.items.detail(1)
    assert [(one.cls, one.message, one.cost_nano, one.deployment) for one in detail.attempts] == [
        (OutcomeClass.TIMEOUT, "slow", 7, waits.deployment)
    ]
    assert (detail.row.tokens_in, detail.row.tokens_out, detail.row.cost_nano, detail.row.requests) == (13, 5, 107, 2)
    assert await store.jobs.counters(job_id) == make.counted(db, job_id)


async def test_an_item_that_waits_comes_back_with_its_attempts(store: Store, make) -> None:
    job_id = await make.job(store, 1)
    await make.settle(store, make.failed(job_id, 1, ItemState.PENDING, attempts=2, malformed=1))
    (item,) = await make.pending(store, job_id)
    assert (item.attempts, item.malformed, item.available_at, item.requests) == (2, 1, 950.0, 1)


async def test_an_unknown_cost_is_unknown_and_not_nothing(store: Store, make, db: Path) -> None:
    job_id = await make.job(store, 1)
    waits = make.failed(job_id, 1, ItemState.PENDING)
    await make.settle(store, waits, make.ok(job_id, 1, cost_nano=None))
    assert (await store.items.detail(1)).row.cost_nano is None
    counters = await store.jobs.counters(job_id)
    assert (counters.cost_nano, counters.unpriced) == (7, 1)
    assert counters == make.counted(db, job_id)


async def test_a_dead_item_keeps_its_message_and_what_was_answered(store: Store, make) -> None:
    job_id = await make.job(store, 1)
    refusal = make.failed(job_id, 1, cls=OutcomeClass.REFUSED, message="filtered")
    await make.settle(store, replace(refusal, outcome=replace(refusal.outcome, text="I cannot")))
    detail = await store.items.detail(1)
    assert (detail.row.state, detail.row.cls, detail.message, detail.text) == (
        *(ItemState.DEAD, OutcomeClass.REFUSED, "filtered", "I cannot"),
    )


async def test_an_item_that_never_left_made_no_request(store: Store, make, db: Path) -> None:
    job_id = await make.job(store, 1)
    await make.settle(
        store,
        make.failed(
            *(job_id, 1, ItemState.DEAD, OutcomeClass.CONTEXT_LENGTH), deployment=None, attempt=None, cost_nano=None
        ),
    )
    assert await store.jobs.counters(job_id) == Counters(total=1, dead=1) == make.counted(db, job_id)


async def test_a_paid_answer_for_a_cancelled_item_is_kept(store: Store, make, db: Path) -> None:
    job_id = await make.job(store, 3)
    await store.jobs.cancel(job_id)
    await make.settle(store, make.ok(job_id, 1), make.failed(job_id, 2), make.failed(job_id, 3, ItemState.PENDING))
    states = make.query(db, "SELECT state FROM item ORDER BY id")
    assert states == [("done",), ("cancelled",), ("cancelled",)]
    counters = await store.jobs.counters(job_id)
    assert (counters.done, counters.cancelled, counters.requests, counters.cost_nano) == (1, 2, 3, 114)
    assert counters == make.counted(db, job_id)
    assert len((await store.items.detail(2)).attempts) == 1


async def test_what_is_settled_stays_and_a_late_outcome_is_logged_and_counted(store: Store, make, db: Path) -> None:
    job_id = await make.job(store, 2)
    await make.settle(store, make.ok(job_id, 1, text="first"), make.failed(job_id, 2))
    await make.settle(store, make.ok(job_id, 1, text="second"), make.ok(job_id, 2, text="late"))
    assert (await store.items.detail(1)).text == "first"
    assert (await store.items.detail(2)).row.state is ItemState.DEAD
    counters = await store.jobs.counters(job_id)
    assert (counters.requests, counters.done, counters.dead) == (4, 1, 1)
    assert counters == make.counted(db, job_id)
    assert ["late outcome" in event.text for event in await store.events.tail(job_id=job_id)] == [True, True]


async def test_an_outcome_of_a_deleted_item_harms_nobody(store: Store, make, db: Path) -> None:
    gone, kept = await make.job(store, 1), await make.job(store, 1)
    await store.jobs.delete(gone)
    await make.settle(store, make.ok(gone, 1), make.ok(kept, 2))
    assert await store.jobs.counters(kept) == make.counted(db, kept)
    assert (await store.jobs.counters(kept)).done == 1
    assert "deleted" in (await store.events.tail())[0].text


async def test_text_that_utf8_cannot_hold_is_mended_and_its_neighbours_are_untouched(store: Store, make, db) -> None:
    job_id = await make.job(store, 3)
    await make.settle(store, make.ok(job_id, 1), make.ok(job_id, 2, text="half \ud83d"), make.ok(job_id, 3))
    assert [(await store.items.detail(n)).text for n in (1, 3)] == ["answer 1", "answer 3"]
    assert (await store.items.detail(2)).text.startswith("half ")
    assert (await store.jobs.counters(job_id)).done == 3
    assert await store.jobs.counters(job_id) == make.counted(db, job_id)


async def test_what_cannot_be_stored_is_logged_and_its_item_is_dead_so_that_it_is_not_paid_for_again(
    store: Store, make, db: Path
) -> None:
    job_id = await make.job(store, 3)
    waits = make.failed(job_id, 3, ItemState.PENDING, cost_nano=2**70)
    await make.settle(store, make.ok(job_id, 1, cost_nano=2**70), make.ok(job_id, 2), waits)
    assert make.query(db, "SELECT state FROM item ORDER BY id") == [("dead",), ("done",), ("pending",)]
    counters = await store.jobs.counters(job_id)
    assert counters == make.counted(db, job_id)
    assert (counters.requests, counters.unpriced, counters.cost_nano) == (2, 1, 100)
    words = "its outcome (ok) could not be stored: OverflowError"
    assert words in (await store.events.tail())[0].text
    assert (await store.items.detail(1)).message == words


async def test_a_record_with_a_defect_is_logged_and_its_neighbours_are_stored(store: Store, make, db: Path) -> None:
    job_id = await make.job(store, 3)
    broken = replace(make.ok(job_id, 2), flags=None)
    await asyncio.wait_for(make.settle(store, make.ok(job_id, 1), broken, make.ok(job_id, 3)), SOON)
    assert make.query(db, "SELECT state FROM item ORDER BY id") == [("done",), ("dead",), ("done",)]
    assert "item 2: its outcome (ok) could not be stored: attributeerror" in (await store.events.tail())[0].text.lower()
    assert await store.jobs.counters(job_id) == make.counted(db, job_id)


async def test_an_unforeseen_failure_is_trouble_that_heals(store: Store, make, monkeypatch) -> None:
    job_id = await make.job(store, 2)
    committed = Committed(store)

    def no_memory(*_: object, **__: object) -> None:
        raise MemoryError

    with monkeypatch.context() as short:
        short.setattr("tui_batch.store.outcomes.ledger.enter", no_memory)
        store.writer.record(make.ok(job_id, 1))
        await committed.news()
        assert (store.writer.trouble, store.writer.backlog) == ("outcomes cannot be stored (MemoryError)", 1)
        store.writer.record(make.ok(job_id, 2))
    await asyncio.wait_for(store.writer.drain(), SOON)
    assert (committed.ids, store.writer.trouble) == ([1, 2], None)


async def test_a_hook_that_fails_keeps_back_no_outcome(store: Store, make, db: Path, impatient) -> None:
    job_id = await make.job(store, 2)
    asked: list[str | None] = []

    def hook(words: str | None) -> None:
        asked.append(words)
        raise RuntimeError("a defect in a hook")

    store.writer.on_trouble = hook
    with closing(sqlite3.connect(db, isolation_level=None)) as rival:
        rival.execute("BEGIN IMMEDIATE")
        store.writer.record(make.ok(job_id, 1))
        with pytest.raises(RuntimeError):
            await asyncio.wait_for(store.writer.drain(), SOON)
        store.writer.on_trouble = None
        store.writer.record(make.ok(job_id, 2))
        rival.execute("ROLLBACK")
    await asyncio.wait_for(store.writer.drain(), SOON)
    assert (asked, (await store.jobs.counters(job_id)).done) == (["another program holds the database"], 2)


async def test_a_locked_database_is_trouble_that_heals_with_nothing_lost_or_reordered(
    store, make, db, impatient
) -> None:
    job_id = await make.job(store, 700)
    committed = Committed(store)
    with closing(sqlite3.connect(db, isolation_level=None)) as rival:
        rival.execute("BEGIN IMMEDIATE")
        for n in range(1, 601):
            store.writer.record(make.ok(job_id, n))
        await committed.news()
        assert store.writer.trouble == "another program holds the database"
        for n in range(601, 701):
            store.writer.record(make.ok(job_id, n))
        assert (store.writer.backlog, committed.batches) == (700, [])
        with pytest.raises(StoreTrouble):
            await store.jobs.cancel(job_id)
        rival.execute("ROLLBACK")
    await asyncio.wait_for(store.writer.drain(), SOON)
    assert committed.ids == list(range(1, 701))
    assert committed.words == ["another program holds the database", None]
    assert store.writer.trouble is None
    assert await store.jobs.counters(job_id) == make.counted(db, job_id)


async def test_a_full_disk_is_trouble_that_heals(store: Store, make, db: Path) -> None:
    job_id = await make.job(store, 100)
    committed = Committed(store)

    def fill(conn: sqlite3.Connection) -> None:
        pages = conn.execute("PRAGMA page_count").fetchone()[0]
        conn.execute(f"PRAGMA max_page_count = {pages + 1}")

    await store._write.run(fill)
    for n in range(1, 101):
        store.writer.record(make.ok(job_id, n, text="x" * 3000))
    await committed.news()
    assert (store.writer.trouble, store.writer.backlog) == ("the disk is full", 100)
    assert make.query(db, "SELECT count(*) FROM result") == [(0,)]
    await store._write.run(lambda conn: conn.execute("PRAGMA max_page_count = 1000000"))
    await asyncio.wait_for(store.writer.drain(), SOON)
    assert committed.ids == list(range(1, 101))
    assert await store.jobs.counters(job_id) == make.counted(db, job_id)
    assert (await store.jobs.counters(job_id)).done == 100


async def close_with_a_rival(path: Path, make, rival: sqlite3.Connection) -> None:
    async with open_store(path, patience_s=0.3) as store:
        job_id = await make.job(store, 1)
        rival.execute("BEGIN IMMEDIATE")
        store.writer.record(make.ok(job_id, 1))


async def test_closing_says_what_could_not_be_stored(tmp_path: Path, make, impatient) -> None:
    path = tmp_path / "jobs.db"
    words = "1 outcomes could not be stored: another program holds the database"
    with closing(sqlite3.connect(path, isolation_level=None)) as rival, pytest.raises(UserError, match=words):
        await close_with_a_rival(path, make, rival)
    assert make.query(path, "SELECT state FROM item") == [("pending",)]


async def test_closing_commits_what_is_left(db: Path, make) -> None:
    async with open_store(db) as store:
        job_id = await make.job(store, 3)
        for n in (1, 2, 3):
            store.writer.record(make.ok(job_id, n))
    assert make.query(db, "SELECT count(*) FROM result") == [(3,)]


async def test_a_cancelled_drain_does_not_stop_the_commit(store: Store, make, db: Path) -> None:
    job_id = await make.job(store, 1)
    committed = Committed(store)
    store.writer.record(make.ok(job_id, 1))
    drain = asyncio.create_task(store.writer.drain())
    await asyncio.sleep(0)
    drain.cancel()
    await asyncio.gather(drain, return_exceptions=True)
    await committed.news()
    assert make.query(db, "SELECT state FROM item") == [("done",)]


async def test_draining_at_the_moment_a_commit_ends_ends_too(store: Store, make) -> None:
    job_id = await make.job(store, 2)
    ended = asyncio.get_running_loop().create_future()
    store.writer.on_commit = lambda batch: ended.done() or ended.set_result(None)
    store.writer.record(make.ok(job_id, 1))
    await ended
    store.writer.record(make.ok(job_id, 2))
    await store.writer.drain()
    assert (await store.jobs.counters(job_id)).done == 2


async def test_recording_does_not_wait_for_the_disk(store: Store, make, db: Path) -> None:
    job_id = await make.job(store, 500)
    with closing(sqlite3.connect(db, isolation_level=None)) as rival:
        rival.execute("BEGIN IMMEDIATE")
        for n in range(1, 501):
            store.writer.record(make.ok(job_id, n))
        await asyncio.sleep(0)
        assert store.writer.backlog == 500  # and here we are, though nothing can be written yet
        rival.execute("ROLLBACK")
    await store.writer.drain()
    assert (await store.jobs.counters(job_id)).done == 500


async def test_readers_are_not_blocked_by_a_writer(store: Store, make, db: Path) -> None:
    job_id = await make.job(store, 5)
    with closing(sqlite3.connect(db, isolation_level=None)) as rival:
        rival.execute("BEGIN IMMEDIATE")
        rival.execute("UPDATE item SET priority = 9")
        assert {item.priority for item in await make.pending(store, job_id)} == {0}
        assert (await store.jobs.get(job_id)).counters.pending == 5
        rival.execute("ROLLBACK")
