"""Rows in: order, variants, duplicates, counters."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui_batch.domain.item import Duplicate, NewRow
from tui_batch.domain.job import Counters, Knobs
from tui_batch.store import Store, open_store


async def test_rows_keep_their_order_line_and_bytes(store: Store, make) -> None:
    rows = [NewRow(7, None, 0, '{"prompt": "grüße \\u0000 🎫"}'.encode()), NewRow(9, "b", 3, b"{}")]
    job_id = await make.job(store, rows)
    first, second = await make.pending(store, job_id)
    assert (second.seq, second.data, second.custom_id) == (0, rows[0].data, None)
    assert (first.seq, first.data, first.custom_id, first.priority) == (1, b"{}", "b", 3)
    assert [row.line for row in await store.items.page(job_id, limit=9)] == [7, 9]


async def test_every_model_gets_every_row_and_they_share_its_payload(store: Store, make, db: Path) -> None:
    job_id = await make.job(store, 2, variants=3)
    items = await make.pending(store, job_id)
    assert [(item.seq, item.variant) for item in items] == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
    assert make.query(db, "SELECT count(*) FROM payload") == [(2,)]
    assert await store.jobs.counters(job_id) == Counters(total=6, pending=6) == make.counted(db, job_id)


async def test_a_taken_custom_id_is_refused_with_both_lines(store: Store, make) -> None:
    job_id = await store.jobs.create(make.spec(), Knobs(), now=0.0)
    async with store.importing(job_id, variants=2) as importer:
        assert await importer.add(make.rows(3)) == []
        again = [NewRow(10, "r1", 0, b"{}"), NewRow(11, "new", 0, b"{}"), NewRow(12, "new", 0, b"{}")]
        assert await importer.add([*again, NewRow(13, None, 0, b"{}")]) == [
            Duplicate(10, "r1", 2),
            Duplicate(12, "new", 11),
        ]
        assert importer.rows == 5
    items = await store.items.page(job_id, limit=99)
    assert [(item.seq, item.line) for item in items if item.variant == 0] == [(0, 1), (1, 2), (2, 3), (3, 11), (4, 13)]


async def test_two_jobs_may_have_the_same_ids(store: Store, make) -> None:
    await make.job(store, 3)
    assert (await store.jobs.counters(await make.job(store, 3))).total == 3


async def test_a_row_that_is_not_utf8_stores_nothing_of_its_batch(store: Store, make) -> None:
    job_id = await store.jobs.create(make.spec(), Knobs(), now=0.0)
    async with store.importing(job_id) as importer:
        with pytest.raises(UnicodeDecodeError):
            await importer.add([*make.rows(2), NewRow(3, "x", 0, b"\xff")])
        await importer.add(make.rows(2))
    assert (await store.jobs.counters(job_id)).total == 2


async def test_an_import_goes_on_after_the_rows_there_are(store: Store, make) -> None:
    job_id = await make.job(store, 2)
    async with store.importing(job_id) as importer:
        await importer.add(make.rows(1, start=5))
    assert [item.seq for item in await make.pending(store, job_id)] == [0, 1, 2]


@settings(deadline=None, max_examples=12)
@given(st.lists(st.lists(st.none() | st.sampled_from("abcdef"), max_size=6), max_size=5))
def test_whatever_the_batches_the_first_of_each_id_wins(
    tmp_path_factory, make, batches: list[list[str | None]]
) -> None:
    async def check(path: Path) -> None:
        async with open_store(path) as store:
            job_id = await store.jobs.create(make.spec(), Knobs(), now=0.0)
            lines = iter(range(1, 1000))
            rows = [[NewRow(next(lines), custom_id, 0, b"{}") for custom_id in batch] for batch in batches]
            async with store.importing(job_id) as importer:
                refused = [duplicate for batch in rows for duplicate in await importer.add(batch)]
            stored = await store.items.page(job_id, limit=1000)
        firsts: dict[str, int | None] = {}
        kept, expected = [], []
        for row in (row for batch in rows for row in batch):
            if row.custom_id in firsts:
                expected.append(Duplicate(row.line, row.custom_id, firsts[row.custom_id]))
            else:
                kept.append(row.line)
                firsts |= {} if row.custom_id is None else {row.custom_id: row.line}
        assert refused == expected
        assert [item.line for item in stored] == kept
        assert [item.seq for item in stored] == list(range(len(kept)))

    asyncio.run(check(tmp_path_factory.mktemp("import") / "jobs.db"))
