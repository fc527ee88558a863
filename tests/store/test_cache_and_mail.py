"""The response cache, the mailbox between processes, the log."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tui_batch.domain.job import Counters
from tui_batch.domain.stored import CacheStats, CommandResult
from tui_batch.errors import UserError
from tui_batch.store import Store, open_store


def key(n: int) -> bytes:
    return n.to_bytes(16, "big")


async def test_an_answer_is_in_the_cache_with_the_outcome_it_came_with(store: Store, make) -> None:
    job_id = await make.job(store, 2)
    await make.settle(store, make.ok(job_id, 1, cache_entry=make.entry(key(1))), make.ok(job_id, 2))
    assert await store.cache.lookup_many([key(1), key(2)]) == {key(1): make.entry(key(1))}
    assert await store.cache.lookup_many([]) == {}


async def test_many_keys_are_looked_up_at_once(store: Store, make) -> None:
    job_id = await make.job(store, 1201)
    await make.settle(store, *(make.ok(job_id, n, cache_entry=make.entry(key(n))) for n in range(1, 1202)))
    assert len(await store.cache.lookup_many([key(n) for n in range(3000)])) == 1201


async def test_hits_are_counted_and_cost_nothing(store: Store, make, db: Path) -> None:
    job_id = await make.job(store, 4)
    await make.settle(store, make.ok(job_id, 1, cache_entry=make.entry(key(1))))
    hits = [make.hit(job_id, 2, key(1)), make.hit(job_id, 3, key(1)), make.hit(job_id, 4, key(9), saved=None)]
    await make.settle(store, *hits)
    counters = await store.jobs.counters(job_id)
    assert counters == make.counted(db, job_id)
    assert counters == Counters(
        total=4, done=4, cached=3, requests=1, tokens_in=10, tokens_out=5, cost_nano=100, saved_nano=200
    )
    row = (await store.items.detail(2)).row
    assert (row.cached, row.model, row.endpoint, row.tokens_in) == (True, None, None, None)
    stats = await store.cache.stats()
    assert stats == CacheStats(1, len(key(1)) + len("tiny") + len("cached answer"), 2, 200)


async def test_a_refresh_rewrites_the_answer_and_keeps_its_hits(store: Store, make) -> None:
    job_id = await make.job(store, 3)
    await make.settle(store, make.ok(job_id, 1, cache_entry=make.entry(key(1))), make.hit(job_id, 2, key(1)))
    await make.settle(store, make.ok(job_id, 3, cache_entry=make.entry(key(1), "newer")))
    assert (await store.cache.lookup_many([key(1)]))[key(1)].text == "newer"
    assert (await store.cache.stats()).hits == 1


async def test_clearing_takes_the_old_or_all(store: Store, make, clock) -> None:
    job_id = await make.job(store, 3)
    for n in (1, 2, 3):
        clock.now = n * 100.0
        await make.settle(store, make.ok(job_id, n, cache_entry=make.entry(key(n))))
    assert await store.cache.clear(older_than=200.0) == 1
    assert set(await store.cache.lookup_many([key(n) for n in (1, 2, 3)])) == {key(2), key(3)}
    assert await store.cache.clear() == 2
    assert await store.cache.stats() == CacheStats(0, 0, 0, 0)


async def test_a_verb_reaches_the_owner_in_another_process_and_the_answer_comes_back(db: Path, make) -> None:
    async with open_store(db) as owner, open_store(db) as client:
        job_id, other = await make.job(owner, 1), await make.job(owner, 1, name="other")
        before = await owner.data_version()
        first = await client.commands.push(job_id, "knob", {"rpm": 5})
        second = await client.commands.push(job_id, "pause")
        elsewhere = await client.commands.push(other, "pause")
        assert await owner.data_version() != before
        taken = await owner.commands.take([job_id])
        assert [(one.id, one.verb, one.args) for one in taken] == [(first, "knob", {"rpm": 5}), (second, "pause", {})]
        assert await owner.commands.take([job_id]) == []
        waiting = asyncio.create_task(client.commands.wait(first, 10.0))
        await owner.commands.finish(first, True, "rpm is 5")
        await owner.commands.finish(second, False, "no")
        assert await waiting == CommandResult(True, "rpm is 5")
        assert await client.commands.wait(second, 0.0) == CommandResult(False, "no")
        assert await client.commands.wait(elsewhere, 0.0) is None
        assert await client.commands.withdraw(elsewhere)
        assert not await client.commands.withdraw(first)
        assert await owner.commands.take([other]) == []


async def test_an_idle_database_keeps_its_version(store: Store, make) -> None:
    await make.job(store, 1)
    version = await store.data_version()
    await store.jobs.list()
    assert await store.data_version() == version


async def test_a_command_for_no_job_is_refused(store: Store) -> None:
    with pytest.raises(UserError, match="no job 5"):
        await store.commands.push(5, "pause")


async def test_the_answer_to_a_deletion_outlives_the_job(store: Store, make) -> None:
    job_id = await make.job(store, 1)
    command_id = await store.commands.push(job_id, "delete")
    await store.commands.take([job_id])
    await store.jobs.delete(job_id)
    await store.commands.finish(command_id, True, "deleted")
    assert await store.commands.wait(command_id, 0.0) == CommandResult(True, "deleted")


async def test_commands_are_forgotten_after_a_week(store: Store, make, clock, db: Path) -> None:
    job_id = await make.job(store, 1)
    await store.commands.finish(await store.commands.push(job_id, "old"), True)
    await store.commands.push(job_id, "of a process that was killed")
    clock.now += 8 * 86_400
    await store.commands.push(job_id, "new")
    assert make.query(db, "SELECT verb FROM command") == [("new",)]


async def test_the_log_is_read_from_where_one_was(store: Store, make, clock) -> None:
    job_id = await make.job(store)
    first = await store.events.log(None, "info", "opened")
    clock.now = 2_000.0
    await store.events.log(job_id, "warning", "paused \ud83d")
    await store.events.log(job_id, "error", "gone")
    assert [event.text for event in await store.events.tail(first)] == ["paused ?", "gone"]
    assert [event.text for event in await store.events.tail(limit=1)] == ["gone"]
    (event, _) = await store.events.tail(job_id=job_id)
    assert (event.at, event.level, event.job_id) == (2_000.0, "warning", job_id)


@pytest.mark.parametrize("args", ["", "[1]", "{", "null"])
async def test_a_command_that_nobody_can_read_is_refused_and_harms_no_other(store: Store, make, db: Path, args) -> None:
    job_id = await make.job(store)
    await store.commands.push(job_id, "pause")
    bad = await store.commands.push(job_id, "turn")
    await store._write.run(lambda conn: conn.execute("UPDATE command SET args = ? WHERE id = ?", (args, bad)))
    assert [command.verb for command in await store.commands.take([job_id])] == ["pause"]
    assert await store.commands.wait(bad, timeout=0) == CommandResult(False, "its arguments are no JSON object")
