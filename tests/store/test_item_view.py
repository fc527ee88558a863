"""Lists of items by filter and order, and what a person does with dead ones."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from tui_batch.domain.item import ItemFlag
from tui_batch.domain.item_filter import (
    Bound,
    Choice,
    Comparison,
    FieldBound,
    FieldIs,
    Figure,
    ItemFilter,
    ItemOrder,
    OneOf,
    SortKey,
    Term,
    Words,
)
from tui_batch.domain.item_scope import Selection
from tui_batch.domain.job import Owner
from tui_batch.domain.outcome import OutcomeClass
from tui_batch.errors import UserError
from tui_batch.store import Store
from tui_batch.store.item_view import FIRST_SPAN, ItemQuery


async def mixed(store: Store, make) -> int:
    """Items 1..7: done, two dead alike (500), dead (400), done from the cache and cut, two pending."""
    job_id = await make.job(store, 7)
    await make.settle(
        store,
        make.ok(job_id, 1, cost_nano=5000, text="A Unicorn"),
        make.failed(job_id, 2, message="host 10.0.0.1 is down"),
        make.failed(job_id, 3, message="host 10.0.0.22 is down", attempts=5),
        make.failed(job_id, 4, cls=OutcomeClass.BAD_REQUEST, message="too 100% odd"),
        make.ok(job_id, 5, cached=True, flags=ItemFlag.TRUNCATED, cost_nano=None, deployment=None),
    )
    return job_id


async def found(store: Store, query: ItemQuery) -> list[int]:
    ids: list[int] = []
    async for piece in store.search.find(query):
        ids = list(piece.ids) if piece.anew else ids + list(piece.ids)
    return ids


CASES: list[tuple[tuple[Term, ...], list[int]]] = [
    ((), [1, 2, 3, 4, 5, 6, 7]),
    ((OneOf(Choice.STATE, ("dead",)),), [2, 3, 4]),
    ((OneOf(Choice.STATE, ("dead", "done")),), [1, 2, 3, 4, 5]),
    ((OneOf(Choice.STATE, ("dead",), negated=True),), [1, 5, 6, 7]),
    ((OneOf(Choice.CLASS, ("bad_request",)),), [4]),
    ((OneOf(Choice.CLASS, ("bad_request",), negated=True),), [1, 2, 3, 5, 6, 7]),
    ((OneOf(Choice.MODEL, ("TIN",)),), [1, 2, 3, 4]),
    ((OneOf(Choice.ENDPOINT, ("local",), negated=True),), [5, 6, 7]),
    ((OneOf(Choice.ID, ("r3", "r6")),), [4, 7]),
    ((OneOf(Choice.CACHED, ("yes",)),), [5]),
    ((OneOf(Choice.CACHED, ("no",)),), [1, 2, 3, 4, 6, 7]),
    ((OneOf(Choice.FLAG, ("truncated",)),), [5]),
    ((OneOf(Choice.LIKE, ("3",)),), [2, 3]),
    ((OneOf(Choice.ITEM, ("3", "6")),), [3, 6]),
    ((OneOf(Choice.LIKE, ("3", "4")),), [2, 3, 4]),
    ((Bound(Figure.ATTEMPTS, Comparison.ABOVE, 2),), [3]),
    ((Bound(Figure.COST, Comparison.AT_LEAST, 5000),), [1]),
    ((Bound(Figure.COST, Comparison.AT_LEAST, 5000, negated=True),), [2, 3, 4, 5, 6, 7]),
    ((Bound(Figure.ROW, Comparison.BELOW, 3),), [1, 2]),
    ((Bound(Figure.TOKENS, Comparison.AT_LEAST, 0),), [1, 2, 3, 4]),
    ((Words("unicorn"),), [1]),
    ((Words("100%"),), [4]),
    ((Words("p5"),), [6]),
    ((Words("down", negated=True),), [1, 4, 5, 6, 7]),
    ((Words("down"), Bound(Figure.ATTEMPTS, Comparison.EQUAL, 5)), [3]),
]


FIELDS: list[tuple[tuple[Term, ...], list[int]]] = [
    ((FieldIs("tone", ("kind",)),), [1, 3]),
    ((FieldIs("tone", ("kind",), negated=True),), [2, 4, 5]),
    ((FieldIs("tone", ("angry", "KIND")),), [1, 2, 3]),
    ((FieldIs("sure", ("true",)),), [1]),
    ((FieldIs("who.0.age", ("7",)),), [2]),
    ((FieldIs("a.b", ("dotted",)),), [3]),
    ((FieldBound("n", Comparison.ABOVE, 2),), [2]),
    ((FieldBound("n", Comparison.ABOVE, 2, negated=True),), [1, 3, 4, 5]),
    ((FieldBound("tone", Comparison.ABOVE, -1),), []),
]


async def test_the_fields_of_answers_are_found(store: Store, make) -> None:
    job_id = await make.job(store, 5)
    answers = (
        '{"tone": "Kind", "sure": true, "n": 2}',
        '{"tone": "angry", "n": 2.5, "who": [{"age": 7}]}',
        '```json\n{"tone": "kind", "a.b": "dotted", "n": "3"}\n```',
        '["kind"]',
    )
    await make.settle(store, *(make.ok(job_id, n, text=text) for n, text in enumerate(answers, 1)))
    for terms, ids in FIELDS:
        assert await found(store, ItemQuery(job_id, ItemFilter(terms))) == ids, terms
        assert await store.search.count(ItemQuery(job_id, ItemFilter(terms))) == len(ids)


async def test_every_term_finds_what_it_says(store: Store, make) -> None:
    job_id = await mixed(store, make)
    await make.job(store, 3, name="another")
    for terms, expected in CASES:
        query = ItemQuery(job_id, ItemFilter(terms))
        assert await found(store, query) == expected, terms
        assert await store.search.count(query) == len(expected)


@pytest.mark.parametrize(
    ("key", "descending", "expected"),
    [
        (SortKey.ROW, True, [7, 6, 5, 4, 3, 2, 1]),
        (SortKey.STATE, False, [2, 3, 4, 1, 5, 6, 7]),
        (SortKey.ATTEMPTS, True, [3, 1, 2, 4, 5, 6, 7]),
        (SortKey.COST, True, [1, 2, 3, 4, 6, 7, 5]),
        (SortKey.LATENCY, False, [2, 3, 4, 1, 5, 6, 7]),
    ],
)
async def test_lists_are_ordered_with_the_unknown_last(
    store: Store, make, key: SortKey, descending: bool, expected: list[int]
) -> None:
    job_id = await mixed(store, make)
    ids = await found(store, ItemQuery(job_id, order=ItemOrder(key, descending)))
    if key is SortKey.COST:  # a pending item's cost is unknown, as is that of an unpriced one
        assert ids[:4] == [1, 2, 3, 4]
        assert set(ids[4:]) == {5, 6, 7}
    else:
        assert ids == expected


async def test_a_list_is_ordered_by_a_field_of_the_answers(store: Store, make) -> None:
    texts = (
        '{"a": {"b": "Pear"}}',
        '{"a": {"b": 10}}',
        "no JSON",
        '{"a": {"b": "apple"}}',
        '```json\n{"a": {"b": 9.5}}\n```',
    )
    job_id = await make.job(store, 7)
    await make.settle(store, *(make.ok(job_id, n, text=text) for n, text in enumerate(texts, 1)))
    rising = ItemOrder(SortKey.FIELD, field="a.b")
    assert await found(store, ItemQuery(job_id, order=rising)) == [5, 2, 4, 1, 3, 6, 7]
    falling = replace(rising, descending=True)
    assert await found(store, ItemQuery(job_id, order=falling)) == [1, 4, 2, 5, 3, 6, 7]
    like_four = ItemFilter((FieldIs("a.b", ("apple", "10")),))
    assert await found(store, ItemQuery(job_id, like_four, rising)) == [2, 4]
    assert await found(store, ItemQuery(job_id, order=replace(rising, field="none"))) == [1, 2, 3, 4, 5, 6, 7]


async def test_the_first_rows_by_a_field_stand_before_all_are_looked_at(store: Store, make) -> None:
    job_id = await make.job(store, FIRST_SPAN + 500)
    last = FIRST_SPAN + 500
    await make.settle(store, make.ok(job_id, 2, text='{"n": 2}'), make.ok(job_id, last, text='{"n": 1}'))
    pieces = [piece async for piece in store.search.find(ItemQuery(job_id, order=ItemOrder(SortKey.FIELD, field="n")))]
    assert pieces[0].ids[:2].tolist() == [2, 1]
    assert pieces[-1].ids[:3].tolist() == [last, 2, 1]
    assert (len(pieces[-1].ids), pieces[-1].share, pieces[-1].anew) == (last, 1.0, True)
    assert all(piece.share < 1 for piece in pieces[:-1])


async def test_a_long_list_comes_in_pieces_and_the_first_at_once(store: Store, make) -> None:
    job_id = await make.job(store, 6_000)
    pieces = [piece async for piece in store.search.find(ItemQuery(job_id))]
    assert len(pieces) > 1
    assert len(pieces[0].ids) == 2_000
    assert pieces[-1].share == 1.0
    assert [item for piece in pieces for item in piece.ids] == list(range(1, 6_001))
    pieces = [piece async for piece in store.search.find(ItemQuery(job_id, order=ItemOrder(SortKey.ROW, True)))]
    assert [len(piece.ids) for piece in pieces] == [500, 6_000]
    assert list(pieces[1].ids[:500]) == list(pieces[0].ids)


async def test_a_cancelled_search_does_not_keep_the_next_one_waiting(store: Store, make) -> None:
    job_id = await make.job(store, 20_000)
    slow = ItemQuery(job_id, ItemFilter((Words("nowhere to be found"),)), ItemOrder(SortKey.COST))
    tasks = [asyncio.create_task(found(store, slow)) for _ in range(20)]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    assert len(await found(store, ItemQuery(job_id))) == 20_000
    assert all(isinstance(end, asyncio.CancelledError) for end in await asyncio.gather(*tasks, return_exceptions=True))


async def test_rows_are_read_by_id_and_missing_ones_left_out(store: Store, make) -> None:
    await mixed(store, make)
    rows = await store.items.rows([4, 1, 999])
    assert sorted(rows) == [1, 4]
    assert rows[4].excerpt == "too 100% odd"
    assert await store.items.rows([]) == {}


async def test_discarded_items_are_cancelled_and_counted(store: Store, make, db: Path) -> None:
    job_id = await mixed(store, make)
    assert await store.jobs.count_dead(job_id) == 3
    assert await store.jobs.count_dead(job_id, Selection(frozenset({OutcomeClass.BAD_REQUEST}))) == 1
    assert await store.jobs.count_dead(job_id, Selection(item_ids=(2, 5, 6))) == 1
    assert await store.jobs.discard(job_id, Selection(frozenset({OutcomeClass.BAD_REQUEST}))) == 1
    assert await store.jobs.discard(job_id, Selection(item_ids=(2, 5, 6)), chunk=1) == 1
    job = await store.jobs.get(job_id)
    assert (job.counters.dead, job.counters.cancelled, job.counters.done, job.counters.pending) == (1, 2, 2, 2)
    assert job.counters == make.counted(db, job_id)
    assert (await store.items.detail(4)).message == "too 100% odd"
    assert await store.jobs.discard(job_id) == 1
    assert await store.jobs.discard(job_id) == 0


async def test_an_edited_row_is_that_items_alone(store: Store, make, db: Path) -> None:
    job_id = await make.job(store, 2, variants=2)
    await make.settle(store, make.failed(job_id, 1))
    await store.jobs.edit_row(1, b'{"prompt": "better"}')
    assert [(await store.items.detail(n)).data for n in (1, 2)] == [b'{"prompt": "better"}', b'{"prompt": "p0"}']
    await store.jobs.edit_row(2, b'{"prompt": "also"}')  # pending, and nobody runs the job
    assert make.query(db, "SELECT count(*) FROM payload") == [(3,)]  # the row both had is gone
    assert "item 1" in (await store.events.tail(job_id=job_id, limit=10))[0].text


async def test_what_is_done_or_on_its_way_cannot_be_edited(store: Store, make) -> None:
    job_id = await make.job(store, 2)
    await make.settle(store, make.ok(job_id, 1))
    with pytest.raises(UserError, match="only dead and pending"):
        await store.jobs.edit_row(1, b"{}")
    assert await store.jobs.acquire(job_id, Owner("here", 1, "t"), now=1_000.0)
    with pytest.raises(UserError, match="Pause its job"):
        await store.jobs.edit_row(2, b"{}")
