"""Scores and fields of answers in the store, and databases from before there were any."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from tui_batch.domain.item import ItemState
from tui_batch.domain.outcome import OutcomeClass
from tui_batch.quality.answers import LONGEST_PARSED
from tui_batch.store import Store, open_store
from tui_batch.store.bulk import Undone
from tui_batch.store.connection import connect_writer, create_file
from tui_batch.store.migrations import MIGRATIONS, migrate


async def test_a_score_is_listed_exported_and_added_up(store: Store, make) -> None:
    job_id = await make.job(store, 4)
    ids = [item.id for item in await store.items.pending_page(job_id, limit=9)]
    store.writer.record(make.ok(job_id, ids[0], score=0.5, invalid=2))
    store.writer.record(make.ok(job_id, ids[1], score=1.0))
    store.writer.record(make.ok(job_id, ids[2]))
    await store.writer.drain()
    assert [row.score for row in await store.items.page(job_id, limit=9)] == [0.5, 1.0, None, None]
    assert [row.score async for page in store.items.export(job_id) for row in page] == [0.5, 1.0, None, None]
    assert (await store.items.detail(ids[0])).row.score == 0.5
    assert await store.items.scores(job_id) == (2, 1.5)


async def test_an_item_that_waits_keeps_count_and_one_that_is_retried_begins_anew(store: Store, make) -> None:
    job_id = await make.job(store, 2)
    ids = [item.id for item in await store.items.pending_page(job_id, limit=9)]
    store.writer.record(make.failed(job_id, ids[0], ItemState.PENDING, OutcomeClass.INVALID, invalid=1))
    store.writer.record(make.failed(job_id, ids[1], cls=OutcomeClass.INVALID, invalid=3, score=0.1))
    await store.writer.drain()
    assert [item.invalid for item in await store.items.pending_page(job_id, limit=9)] == [1]
    assert await store.jobs.retry(job_id) == Undone(1, scores=1, score_total=0.1)
    assert [item.invalid for item in await store.items.pending_page(job_id, limit=9)] == [1, 0]
    assert await store.items.scores(job_id) == (0, 0.0)


async def test_answers_that_are_objects_have_fields(store: Store, make) -> None:
    job_id = await make.job(store, 5)
    ids = [item.id for item in await store.items.pending_page(job_id, limit=9)]
    long = '{"a": "' + "x" * LONGEST_PARSED + '"}'
    for item_id, text in zip(ids, ('{"a": 1, "b": {"c": 2}}', "words", '```json\n{"a": 3}\n```', long), strict=False):
        store.writer.record(make.ok(job_id, item_id, text=text))
    await store.writer.drain()
    assert await store.items.answers(ids) == {ids[0]: {"a": 1, "b": {"c": 2}}, ids[2]: {"a": 3}}
    assert await store.items.answers([]) == {}


async def test_a_database_from_before_scores_is_brought_up_to_date(db: Path, make) -> None:
    create_file(db)
    with closing(connect_writer(db)) as conn:
        migrate(conn, db, now=1.0, migrations=MIGRATIONS[:1])
        conn.execute("INSERT INTO job(name, spec, knobs, state, created_at) VALUES ('old', '{}', '{}', 'draft', 0)")
        conn.execute("INSERT INTO payload(data) VALUES ('{}')")
        conn.execute("INSERT INTO item(job_id, seq, payload_id) VALUES (1, 0, 1)")
    async with open_store(db) as store:
        (row,) = await store.items.page(1, limit=5)
        assert (await store.items.detail(row.id)).failing == ()
        assert (await store.alerts.of(1), await store.alerts.watch_state(1)) == ((), None)
        assert row.score is None
        assert [item.invalid for item in await store.items.pending_page(1, limit=5)] == [0]
