"""Whatever happens to a job in whatever order, its counters say what its items say."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tui_batch.domain.endpoint import DeploymentKey
from tui_batch.domain.item import ItemState, Leg
from tui_batch.domain.item_scope import Selection
from tui_batch.domain.outcome import OutcomeClass
from tui_batch.store import Store, open_store

ITEMS = 6
PLACE, COURT = DeploymentKey("local", "tiny"), DeploymentKey("court", "wise")

number = st.integers(1, ITEMS + 1)
"""One item more than there are: an outcome for a stranger."""

cost = st.none() | st.integers(0, 1000)
events = st.one_of(
    st.tuples(st.just("ok"), number, cost),
    st.tuples(st.just("surrogate"), number, cost),
    st.tuples(st.just("hit"), number, cost),
    st.tuples(st.just("dead hit"), number, cost),
    st.tuples(st.just("turned down"), st.integers(1, ITEMS), cost),
    st.tuples(st.just("dead"), number, cost),
    st.tuples(st.just("wait"), number, cost),
    st.tuples(st.just("retry"), st.none() | number, cost),
    st.tuples(st.sampled_from(["cancel", "drain"]), number, cost),
)


def outcome(make, job_id: int, kind: str, item_id: int, cost_nano: int | None):
    key = item_id.to_bytes(16, "big")
    match kind:
        case "ok":
            return make.ok(job_id, item_id, cost_nano=cost_nano, cache_entry=make.entry(key))
        case "surrogate":
            return make.ok(job_id, item_id, cost_nano=cost_nano, text="\udc00")
        case "hit":
            return replace(make.hit(job_id, item_id, key, saved=cost_nano), deployment=PLACE)
        case "dead hit":
            changes = {"cached": True, "saved_nano": cost_nano, "attempt": None, "cost_nano": 0}
            return make.failed(job_id, item_id, cls=OutcomeClass.INVALID, **changes)
        case "dead":
            return make.failed(job_id, item_id, cost_nano=cost_nano)
    return make.failed(job_id, item_id, ItemState.PENDING, cost_nano=cost_nano)


async def turn_down(store: Store, make, job_id: int, item_id: int, cost_nano: int | None) -> None:
    """A stored answer, and a judge that does not take it; what the judge said is stored too where the cost is odd."""
    await store.writer.drain()
    if (await store.items.detail(item_id)).row.state is not ItemState.PENDING:
        return
    hit = replace(outcome(make, job_id, "hit", item_id, cost_nano), state=ItemState.PENDING, judging=1)
    verdict = make.failed(job_id, item_id, ItemState.PENDING, OutcomeClass.INVALID, deployment=COURT, leg=Leg.JUDGE)
    verdict = replace(verdict, recanted=True, unsaved_nano=cost_nano or 0)
    store.writer.record(hit)
    if (cost_nano or 0) % 2:
        verdict = replace(verdict, cached=True, cost_nano=0, saved_nano=3)
        await store.writer.drain()
    store.writer.record(verdict)


async def live(store: Store, make, history: list[tuple[str, int | None, int | None]]) -> int:
    job_id = await make.job(store, ITEMS)
    for kind, item_id, cost_nano in history:
        match kind:
            case "retry":
                await store.jobs.retry(job_id, Selection(item_ids=() if item_id is None else (item_id,)), chunk=2)
            case "cancel":
                await store.jobs.cancel(job_id, chunk=4)
            case "turned down":
                await turn_down(store, make, job_id, item_id or 1, cost_nano)
            case "drain":
                await store.writer.drain()
            case _:
                store.writer.record(outcome(make, job_id, kind, item_id or 1, cost_nano))
    await store.writer.drain()
    return job_id


@settings(deadline=None, max_examples=30)
@given(history=st.lists(events, max_size=25))
def test_counters_equal_items_after_any_history(tmp_path_factory, make, history) -> None:
    async def check(path: Path) -> None:
        async with open_store(path) as store:
            job_id = await live(store, make, history)
            counters = await store.jobs.counters(job_id)
            assert counters == make.counted(path, job_id)
            assert make.booked(path, job_id) == (counters.cached, counters.saved_nano)
            assert counters.total == counters.done + counters.dead + counters.pending + counters.cancelled == ITEMS
            done = [row for rows in [await store.items.page(job_id, limit=99)] for row in rows]
            answers = make.query(path, "SELECT item_id FROM result ORDER BY item_id")
            settled = [(row.id,) for row in done if row.state in (ItemState.DONE, ItemState.DEAD)]
            assert answers == settled

    asyncio.run(check(tmp_path_factory.mktemp("history") / "jobs.db"))
