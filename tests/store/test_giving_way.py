"""A verb from another process goes to the disk before the outcomes that wait for their next commit."""

from __future__ import annotations

import asyncio

from tui_batch.domain.item import ItemRecord
from tui_batch.store import Store


async def test_no_commit_begins_while_the_writer_gives_way_and_then_all_come_together(store: Store, make) -> None:
    job_id = await make.job(store, 700)
    batches: list[int] = []
    times: list[float] = []
    done = asyncio.Event()
    loop = asyncio.get_running_loop()

    def committed(batch: list[ItemRecord]) -> None:
        batches.append(len(batch))
        times.append(loop.time())
        if sum(batches) == 700:
            done.set()

    store.writer.on_commit = committed
    began = loop.time()
    store.writer.give_way(0.2)
    for n in range(1, 701):
        store.writer.record(make.ok(job_id, n))
    await done.wait()
    assert times[0] - began >= 0.2
    assert batches == [500, 200]


async def test_an_outcome_recorded_before_waits_as_well(store: Store, make) -> None:
    job_id = await make.job(store, 1)
    done = asyncio.Event()
    store.writer.on_commit = lambda batch: done.set()
    loop = asyncio.get_running_loop()
    store.writer.record(make.ok(job_id, 1))
    began = loop.time()
    store.writer.give_way(0.2)
    await done.wait()
    assert loop.time() - began >= 0.2


async def test_draining_waits_for_nobody(store: Store, make) -> None:
    job_id = await make.job(store, 2)
    store.writer.give_way(3_600.0)
    store.writer.record(make.ok(job_id, 1))
    await store.writer.drain()
    assert (await store.jobs.counters(job_id)).done == 1


async def test_a_look_finds_commands_of_the_named_jobs_only(store: Store, make) -> None:
    job_id, other = await make.job(store, 1), await make.job(store, 1, name="other")
    assert not await store.commands.are_waiting([job_id, other])
    await store.commands.push(job_id, "pause")
    assert await store.commands.are_waiting([job_id])
    assert not await store.commands.are_waiting([other])
    await store.commands.take([job_id])
    assert not await store.commands.are_waiting([job_id])
