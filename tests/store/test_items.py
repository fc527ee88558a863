"""Reading items: the feeder's order, lists and their filters, error groups, export."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui_batch.domain.item import ItemFlag, ItemState, NewRow, PendingItem
from tui_batch.domain.outcome import OutcomeClass
from tui_batch.errors import UserError
from tui_batch.store import Store
from tui_batch.store.items import GROUPS, group_errors, normalise


async def all_pages(store: Store, job_id: int, limit: int, max_bytes: int = 1 << 30) -> list[list[PendingItem]]:
    pages, after = [], None
    while page := await store.items.pending_page(job_id, after=after, limit=limit, max_bytes=max_bytes):
        pages.append(page)
        after = (page[-1].priority, page[-1].seq, page[-1].variant)
    return pages


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
async def test_the_feeder_gets_urgent_rows_first_whatever_the_page(store: Store, make, limit: int) -> None:
    priorities = [0, 5, -1, 5, 0, 2, -1, 0]
    rows = [NewRow(n + 1, None, priority, b"{}") for n, priority in enumerate(priorities)]
    job_id = await make.job(store, rows, variants=2)
    items = [item for page in await all_pages(store, job_id, limit) for item in page]
    expected = sorted(
        ((-priority, seq, n) for seq, priority in enumerate(priorities) for n in (0, 1)),
    )
    assert [(-item.priority, item.seq, item.variant) for item in items] == expected
    assert await store.items.count_pending(job_id) == len(items)


async def test_a_page_ends_when_its_bytes_are_used_up(store: Store, make) -> None:
    rows = [NewRow(n, None, n % 2, b'"' + b"x" * size + b'"') for n, size in enumerate((10, 3000, 10, 10, 3000, 10))]
    job_id = await make.job(store, rows)
    pages = await all_pages(store, job_id, 100, max_bytes=1000)
    assert [[item.seq for item in page] for page in pages] == [[1], [3, 5, 0, 2, 4]]


async def test_items_that_are_done_are_not_fed(store: Store, make) -> None:
    job_id = await make.job(store, 4)
    await make.settle(store, make.ok(job_id, 2), make.failed(job_id, 3))
    assert [item.seq for item in await make.pending(store, job_id)] == [0, 3]
    assert await store.items.count_pending(job_id) == 2


async def mixed(store: Store, make) -> int:
    """Rows 0..5: done, dead (500), dead (400), pending with one failure behind it, done, pending."""
    job_id = await make.job(store, 6)
    await make.settle(
        store,
        make.ok(job_id, 1, text="Paris is 100% right"),
        make.failed(job_id, 2, message="HTTP 500: boom"),
        make.failed(job_id, 3, cls=OutcomeClass.BAD_REQUEST, message="no"),
        make.failed(job_id, 4, ItemState.PENDING),
        make.ok(job_id, 5),
    )
    return job_id


async def test_a_list_is_read_page_by_page(store: Store, make) -> None:
    job_id = await mixed(store, make)
    whole = await store.items.page(job_id, limit=100)
    assert [item.seq for item in whole] == [0, 1, 2, 3, 4, 5]
    paged, after = [], None
    while page := await store.items.page(job_id, after=after, limit=1):
        paged += page
        after = (page[-1].seq, page[-1].variant)
    assert paged == whole


async def test_a_list_shows_how_answers_and_errors_begin(store: Store, make) -> None:
    job_id = await mixed(store, make)
    excerpts = [item.excerpt for item in await store.items.page(job_id, limit=3)]
    assert excerpts == ["Paris is 100% right", "HTTP 500: boom", "no"]


async def test_a_missing_item_is_answered_in_words(store: Store) -> None:
    with pytest.raises(UserError, match="no item 7"):
        await store.items.detail(7)
    for call in (store.items.detail(2**70), store.jobs.edit_row(2**70, b"{}")):
        with pytest.raises(UserError, match=f"no item {2**70}"):
            await call


async def test_errors_are_grouped_with_an_example(store: Store, make) -> None:
    job_id = await make.job(store, 5)
    for n in (1, 2, 3):
        await make.settle(store, make.failed(job_id, n, message=f"Request req-{n}0009f failed after {n} tries"))
    await make.settle(store, make.failed(job_id, 4, cls=OutcomeClass.BAD_REQUEST, message='no model "x"'))
    first, second = await store.items.errors(job_id)
    assert (first.cls, first.count, first.example_id) == (OutcomeClass.SERVER_ERROR, 3, 1)
    assert (first.message, first.example) == (
        *("Request … failed after … tries", "Request req-10009f failed after 1 tries"),
    )
    assert (second.cls, second.count, second.message) == (OutcomeClass.BAD_REQUEST, 1, "no model …")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("limit 60000, used 59,123.5", "limit 1, used 2"),
        ("id 550e8400-e29b-41d4-a716-446655440000 gone", "id 123e4567-e89b-12d3-a456-426614174000 gone"),
        ("key 'abc' unknown", "key 'a longer one' unknown"),
        ("two\nlines", "two  lines"),
    ],
)
def test_messages_that_differ_in_particulars_are_alike(one: str, other: str) -> None:
    assert normalise(one) == normalise(other)


def test_messages_that_differ_in_words_are_not_alike() -> None:
    assert normalise("the model can't be loaded, isn't there") == "the model can't be loaded, isn't there"
    assert normalise("context_length_exceeded") == "context_length_exceeded"


def test_endless_kinds_of_errors_do_not_fill_the_memory() -> None:
    letters = [chr(0x4E00 + n) for n in range(GROUPS + 50)]
    groups = group_errors(("timeout", letter, n) for n, letter in enumerate(letters))
    assert (len(groups), groups[0].message, groups[0].count) == (GROUPS + 1, "other messages", 50)


@settings(deadline=None, max_examples=100)
@given(st.text(max_size=600))
def test_normalising_twice_changes_nothing_more(message: str) -> None:
    assert normalise(normalise(message)) == normalise(message)


async def exported(store: Store, job_id: int, **conditions) -> list:
    return [row async for rows in store.items.export(job_id, **conditions) for row in rows]


async def test_an_export_has_every_row_in_order_once(store: Store, make) -> None:
    job_id = await mixed(store, make)
    rows = await exported(store, job_id, batch=2)
    assert [row.seq for row in rows] == [0, 1, 2, 3, 4, 5]
    assert [row.data for row in rows] == [row.data for row in make.rows(6)]
    done, dead = rows[0], rows[1]
    assert (done.state, done.text, done.cost_nano, done.tokens_in, done.finish_reason, done.message) == (
        *(ItemState.DONE, "Paris is 100% right", 100, 10, "stop", ""),
    )
    assert (dead.state, dead.cls, dead.text, dead.message) == (
        *(ItemState.DEAD, OutcomeClass.SERVER_ERROR, None, "HTTP 500: boom"),
    )
    chosen = await exported(store, job_id, ids={rows[4].id, rows[0].id, rows[2].id, 10_000}, batch=2)
    assert [row.seq for row in chosen] == [0, 2, 4]
    assert await exported(store, job_id, ids=()) == []


async def test_an_export_lets_the_job_go_on_and_keeps_no_reader_open(store: Store, make, db: Path) -> None:
    job_id = await make.job(store, 6)
    seen = []
    async for rows in store.items.export(job_id, batch=2):
        seen += [(row.seq, row.state) for row in rows]
        await make.settle(store, make.ok(job_id, rows[-1].id + 1))
        with closing(sqlite3.connect(db, timeout=0)) as conn:
            busy, _, _ = conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        assert busy == 0
    done, pending = ItemState.DONE, ItemState.PENDING
    assert seen == [(0, pending), (1, pending), (2, done), (3, pending), (4, done), (5, pending)]


async def test_a_search_that_nobody_waits_for_ends(store: Store, make, db: Path) -> None:
    job_id = await make.job(store, 2)

    def endless(conn: sqlite3.Connection) -> object:
        return conn.execute("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n")

    search = asyncio.create_task(store.items._view.read(endless))
    await asyncio.sleep(0.05)
    search.cancel()
    assert len(await asyncio.wait_for(store.items.page(job_id, limit=9), 150)) == 2


@pytest.mark.parametrize(
    ("where", "index"),
    [
        ("state = 'pending' AND priority = 3 AND (seq, variant) > (5, 0) ORDER BY seq, variant", "item_pending"),
        ("state = 'pending' AND priority < 3 ORDER BY priority DESC, seq, variant", "item_pending"),
        ("state = 'dead' AND (seq, variant) > (5, 0) ORDER BY seq, variant", "item_dead"),
        ("(seq, variant) > (5, 0) ORDER BY seq, variant", "sqlite_autoindex_item_1"),
    ],
)
async def test_pages_of_a_million_rows_are_found_by_index_without_sorting(store, make, db, where, index) -> None:
    await make.job(store, 5)
    plan = make.query(db, f"EXPLAIN QUERY PLAN SELECT * FROM item WHERE job_id = 1 AND {where} LIMIT 10")
    text = " ".join(str(row[-1]) for row in plan)
    assert index in text
    assert "TEMP B-TREE" not in text


async def test_remarks_on_answers_are_counted(store: Store, make) -> None:
    job_id, other = await make.job(store, 4), await make.job(store, 1)
    cut, both = ItemFlag.PROMPT_CUT, ItemFlag.PROMPT_CUT | ItemFlag.TRUNCATED
    await make.settle(store, make.ok(job_id, 1), make.ok(job_id, 2, flags=cut), make.ok(job_id, 3, flags=both))
    assert await store.items.flagged(job_id) == {ItemFlag.PROMPT_CUT: 2, ItemFlag.TRUNCATED: 1}
    assert await store.items.flagged(other) == {}
