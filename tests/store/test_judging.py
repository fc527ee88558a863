"""An answer that waits for its judge: kept at once, still pending, settled by the verdict; counters stay true."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tui_batch.domain.endpoint import DeploymentKey
from tui_batch.domain.item import Answered, Attempt, ItemFlag, ItemRecord, ItemState, Leg
from tui_batch.domain.job import Knobs, ModelRef
from tui_batch.domain.outcome import Outcome, OutcomeClass, Usage
from tui_batch.store import Store, open_store
from tui_batch.store.migrations import MIGRATIONS, migrate

COURT = DeploymentKey("court", "wise")
PLACE = DeploymentKey("local", "tiny")


def verdict(job_id: int, item_id: int, state: ItemState = ItemState.DONE, **changes: Any) -> ItemRecord:
    """What a judge said."""
    cls = changes.pop("cls", OutcomeClass.OK)
    outcome = Outcome(cls, usage=Usage(100, 20), message=changes.pop("message", ""), started_at=903.0, latency_s=2.0)
    values: dict[str, Any] = {"attempts": 1, "malformed": 0, "available_at": 0.0, "cost_nano": 40, "at": 905.0}
    values |= {"deployment": COURT, "leg": Leg.JUDGE, "outcome": outcome}
    return ItemRecord(job_id, item_id, state, **{**values, **changes})


def answer(make: Any, job_id: int, item_id: int, **changes: Any) -> ItemRecord:
    """An answer that waits for its judge."""
    changes = {"attempts": 0, "judging": 1, **changes}
    return replace(make.ok(job_id, item_id, **changes), state=ItemState.PENDING)


@pytest.fixture
async def waiting(db: Path, make: Any) -> Any:
    """A store with a job whose only item was answered."""
    async with open_store(db) as store:
        job_id = await make.job(store, 1)
        (item,) = await make.pending(store, job_id)
        await make.settle(store, answer(make, job_id, item.id))
        yield store, job_id, item.id


async def true_counters(store: Store, make: Any, job_id: int) -> Any:
    counters = await store.jobs.counters(job_id)
    assert counters == make.counted(store.path, job_id)
    return counters


async def test_the_answer_is_kept_while_the_item_is_pending(waiting: Any, make: Any) -> None:
    store, job_id, item_id = waiting
    (item,) = await make.pending(store, job_id)
    assert item.answered == Answered(f"answer {item_id}", OutcomeClass.OK, ItemFlag.NONE, False, 0.25, 0)
    assert await store.items.unjudged(job_id, [item_id, 99]) == [item]
    counters = await true_counters(store, make, job_id)
    assert (counters.pending, counters.done, counters.cost_nano) == (1, 0, 100)


async def test_a_verdict_adds_its_cost_and_leaves_the_answer_alone(waiting: Any, make: Any) -> None:
    store, job_id, item_id = waiting
    await make.settle(store, verdict(job_id, item_id, score=0.8, reason="fine"))
    detail = await store.items.detail(item_id)
    row = detail.row
    assert (row.state, row.score, detail.reason, detail.text) == (ItemState.DONE, 0.8, "fine", f"answer {item_id}")
    assert (row.model, row.latency_ms, row.cost_nano, row.tokens_in, row.requests) == ("tiny", 250, 140, 110, 2)
    assert (await true_counters(store, make, job_id)).done == 1


async def test_a_failed_judge_is_counted_and_the_item_goes_on_waiting(waiting: Any, make: Any) -> None:
    store, job_id, item_id = waiting
    attempt = Attempt(item_id, 2, 903.0, COURT, OutcomeClass.TIMEOUT, None, "slow", 2.0)
    cls = OutcomeClass.TIMEOUT
    await make.settle(store, verdict(job_id, item_id, ItemState.PENDING, cls=cls, judging=2, attempt=attempt))
    (item,) = await make.pending(store, job_id)
    assert item.answered is not None
    assert (item.answered.tries, item.answered.cls, item.requests) == (1, OutcomeClass.OK, 2)
    assert [one.cls for one in (await store.items.detail(item_id)).attempts] == [OutcomeClass.TIMEOUT]
    await true_counters(store, make, job_id)


async def test_an_answer_turned_down_is_forgotten_even_if_the_next_is_in_the_same_batch(
    waiting: Any, make: Any
) -> None:
    store, job_id, item_id = waiting
    turned_down = verdict(job_id, item_id, ItemState.PENDING, cls=OutcomeClass.INVALID, invalid=1)
    await make.settle(store, turned_down, answer(make, job_id, item_id, text="better", attempts=1, invalid=1))
    (item,) = await make.pending(store, job_id)
    assert item.answered is not None
    assert (item.answered.text, item.invalid) == ("better", 1)
    await make.settle(store, replace(turned_down, invalid=2))
    (item,) = await make.pending(store, job_id)
    assert (item.answered, item.invalid, (await store.items.detail(item_id)).text) == (None, 2, None)
    await true_counters(store, make, job_id)


async def test_a_hit_that_the_judge_turns_down_is_no_hit(db: Path, make: Any, clock: Any) -> None:
    async with open_store(db, clock=clock) as store:
        job_id = await make.job(store, 1)
        (item,) = await make.pending(store, job_id)
        hit = replace(make.hit(job_id, item.id, b"k" * 16, saved=70), state=ItemState.PENDING, judging=1)
        await make.settle(store, replace(hit, deployment=PLACE))
        assert (await true_counters(store, make, job_id)).cached == 1
        (item,) = await make.pending(store, job_id)
        assert item.answered is not None
        assert (item.answered.saved_nano, make.booked(db, job_id)) == (70, (1, 70))
        clock.now += 86_400.0
        down = verdict(job_id, item.id, ItemState.PENDING, cls=OutcomeClass.INVALID, recanted=True, unsaved_nano=70)
        await make.settle(store, down)
        counters = await true_counters(store, make, job_id)
        assert (counters.cached, counters.saved_nano, make.booked(db, job_id)) == (0, 0, (0, 0))
        assert all(row[0] >= 0 for row in make.query(db, "SELECT min(cached, saved_nano) FROM spending"))


async def test_a_cached_verdict_saves_but_is_no_cached_item(waiting: Any, make: Any) -> None:
    store, job_id, item_id = waiting
    await make.settle(store, verdict(job_id, item_id, score=1.0, cached=True, saved_nano=40, cost_nano=0))
    counters = await true_counters(store, make, job_id)
    assert (counters.cached, counters.saved_nano, counters.requests) == (0, 40, 1)


async def test_cancelling_takes_the_answer_without_its_judge(waiting: Any, make: Any) -> None:
    store, job_id, item_id = waiting
    assert await store.jobs.cancel(job_id) == 1
    row = (await store.items.detail(item_id)).row
    assert (row.state, row.flags) == (ItemState.DONE, ItemFlag.UNJUDGED)
    counters = await true_counters(store, make, job_id)
    assert (counters.done, counters.cancelled) == (1, 0)
    await make.settle(store, verdict(job_id, item_id, score=0.9, reason="right"))  # it was on its way, and is paid for
    assert (await true_counters(store, make, job_id)).cost_nano == 140
    found = await store.items.detail(item_id)
    assert (found.row.state, found.row.flags) == (ItemState.DONE, ItemFlag.NONE)
    assert (found.row.score, found.reason, found.text) == (0.9, "right", f"answer {item_id}")
    assert not [event for event in await store.events.tail(job_id=job_id) if "late" in event.text]


async def test_an_answer_that_comes_after_cancelling_is_kept_though_nobody_will_judge_it(db: Path, make: Any) -> None:
    async with open_store(db) as store:
        job_id = await make.job(store, 1)
        (item,) = await make.pending(store, job_id)
        await store.jobs.cancel(job_id)
        await make.settle(store, answer(make, job_id, item.id))
        found = await store.items.detail(item.id)
        assert (found.row.state, found.row.flags, found.text) == (ItemState.DONE, ItemFlag.UNJUDGED, "answer 1")
        counters = await true_counters(store, make, job_id)
        assert (counters.done, counters.cancelled, counters.cost_nano) == (1, 0, 100)


async def test_a_verdict_that_another_process_was_quicker_with_counts_its_cost_only(waiting: Any, make: Any) -> None:
    store, job_id, item_id = waiting
    down = verdict(job_id, item_id, ItemState.PENDING, cls=OutcomeClass.INVALID)
    await make.settle(store, down)
    await make.settle(store, verdict(job_id, item_id, score=0.9))
    counters = await true_counters(store, make, job_id)
    assert (counters.pending, counters.done, counters.requests, counters.cost_nano) == (1, 0, 3, 180)
    assert (await store.items.detail(item_id)).text is None


@pytest.mark.parametrize("cached", [True, False])
async def test_an_answer_that_another_process_was_quicker_with_counts_its_cost_only(
    waiting: Any, make: Any, cached: bool
) -> None:
    store, job_id, item_id = waiting
    late = answer(make, job_id, item_id, text="late")
    if cached:
        late = replace(late, cached=True, cache_key=b"k" * 16, saved_nano=70, cost_nano=0)
    await make.settle(store, late)
    assert (await store.items.detail(item_id)).text == f"answer {item_id}"
    counters = await true_counters(store, make, job_id)
    assert (counters.pending, counters.cached, counters.cost_nano) == (1, 0, 100 if cached else 200)


async def test_a_verdict_that_cannot_be_stored_leaves_the_answer_without_one(waiting: Any, make: Any) -> None:
    store, job_id, item_id = waiting
    await make.settle(store, verdict(job_id, item_id, score=0.9, cost_nano=2**70))
    found = await store.items.detail(item_id)
    assert (found.row.state, found.row.flags) == (ItemState.DONE, ItemFlag.UNJUDGED)
    assert (found.text, found.message) == (f"answer {item_id}", "")
    assert (await true_counters(store, make, job_id)).unpriced == 1


async def test_another_row_needs_another_answer(waiting: Any, make: Any) -> None:
    store, job_id, item_id = waiting
    await store.jobs.edit_row(item_id, b'{"prompt": "other"}')
    (item,) = await make.pending(store, job_id)
    assert (item.answered, (await store.items.detail(item_id)).text) == (None, None)
    await true_counters(store, make, job_id)


async def test_a_stored_answer_to_another_row_has_saved_nothing(db: Path, make: Any) -> None:
    async with open_store(db) as store:
        job_id = await make.job(store, 1)
        (item,) = await make.pending(store, job_id)
        hit = replace(make.hit(job_id, item.id, b"k" * 16), state=ItemState.PENDING, judging=1, saved_nano=70)
        await make.settle(store, replace(hit, deployment=PLACE))
        assert (await true_counters(store, make, job_id)).saved_nano == 70
        assert make.booked(db, job_id) == (1, 70)
        await store.jobs.edit_row(item.id, b'{"prompt": "other"}')
        assert (await true_counters(store, make, job_id)).saved_nano == 0
        assert make.booked(db, job_id) == (0, 0)


async def test_a_later_process_knows_that_the_judge_was_asked(db: Path, make: Any) -> None:
    async with open_store(db, clock=make.clock()) as store:
        spec = replace(make.spec(), judge=ModelRef("wise", ("court",)))
        job_id = await store.jobs.create(spec, Knobs(), now=1_000.0)
        async with store.importing(job_id) as importer:
            await importer.add(make.rows(2))
        for item in await make.pending(store, job_id):
            await make.settle(store, answer(make, job_id, item.id))
            await make.settle(store, verdict(job_id, item.id, score=1.0))
        found = {one.deployment: (one.requests, one.ended_at) for one in await store.items.recent_requests(899.0)}
        assert found[COURT] == (2, 905.0)
        assert COURT not in {one.deployment for one in await store.items.recent_requests(906.0)}


def test_an_older_database_has_nothing_to_judge(db: Path) -> None:
    db.parent.mkdir(parents=True)
    number = next(n for n, step in enumerate(MIGRATIONS) if step.name == "judging")
    with closing(sqlite3.connect(db, isolation_level=None)) as conn:
        migrate(conn, db, now=1.0, migrations=MIGRATIONS[:number])
        conn.execute("INSERT INTO job(name, spec, knobs, state, created_at) VALUES ('j', '', '', 'paused', 0)")
        conn.execute("INSERT INTO payload(data) VALUES ('{}')")
        conn.execute("INSERT INTO item(job_id, seq, payload_id) VALUES (1, 0, 1)")
        conn.execute("INSERT INTO result(item_id, text) VALUES (1, 'old')")
        migrate(conn, db, now=2.0)
        assert conn.execute("SELECT judging FROM item").fetchall() == [(0,)]
        assert conn.execute("SELECT text, reason FROM result").fetchall() == [("old", None)]
