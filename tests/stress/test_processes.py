"""Several processes and one job: at any moment at most one of them sends its requests."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from collections import Counter

import psutil
import pytest
from stress_yard import DEADLINE_S, Child, Yard, wait_until

from tui_batch.domain.item_scope import Selection
from tui_batch.domain.job import JobState, Knobs, Owner
from tui_batch.engine.control import Controller
from tui_batch.engine.owners import is_alive, this_process
from tui_batch.store.store import open_store

FOUR = Knobs(concurrency=4)


def ended(child: Child) -> str:
    """The last thing a process says."""
    last = ""
    while line := child.line():
        last = line
    assert child.process.wait(DEADLINE_S) == 0
    return last


def running(yard: Yard, child: Child) -> None:
    """Starts the job and returns once some of it is done."""
    assert child.line() == "ready"
    child.go()
    assert child.line() == "started"
    wait_until(lambda: yard.row()["done"] >= 12)


def asleep(yard: Yard, child: Child) -> None:
    """Stops a process where it holds no lock of the database: one that does keeps everybody waiting, as it must."""
    for _ in range(200):
        os.kill(child.pid, signal.SIGSTOP)
        wait_until(lambda: psutil.Process(child.pid).status() == psutil.STATUS_STOPPED)
        if yard.is_writable():
            return
        os.kill(child.pid, signal.SIGCONT)
    pytest.fail("it always held the lock")


def test_a_process_that_slept_past_its_lease_sends_nothing_more(yard: Yard) -> None:
    job = yard.job(150, FOUR)
    first, second = yard.child(job, latency_s=0.3), yard.child(job, latency_s=0.3)
    assert second.line() == "ready"
    running(yard, first)
    asleep(yard, first)
    before, on_disk = yard.prompts_of(first), yard.done()
    yard.set_clocks(600)  # far longer than a lease
    second.go()
    assert second.line() == "started"
    wait_until(lambda: len(yard.prompts_of(second)) > 4)
    os.kill(first.pid, signal.SIGCONT)
    # It is told that the job is another's, and leaves it running.
    assert ended(first) == "ended: running"
    asyncio.run(hurry(yard, job))
    assert ended(second) == "ended: completed"
    # Nothing is sent after a look at the lease that failed; one request may have been past that look as it fell asleep.
    assert len(yard.prompts_of(first)) <= len(before) + 1
    # What was in flight, or answered and not yet on the disk, is asked again; what was on the disk is not.
    assert len(on_disk) >= 12
    assert Counter(yard.prompts_of(second)) == Counter({f"row {n}" for n in range(150)} - on_disk)
    assert yard.states() == {"done": 150, "results": 150}
    assert (yard.row()["state"], yard.row()["done"]) == ("completed", 150)


def test_a_killed_owners_job_is_taken_over_at_once_with_the_limits_it_learned(yard: Yard) -> None:
    job = yard.job(150, FOUR)
    first, second = yard.child(job, latency_s=0.3, rpm=90_000), yard.child(job, lease_s=3_600.0)
    assert second.line() == "ready"
    running(yard, first)
    wait_until(yard.taught)
    first.process.kill()
    first.process.wait()
    assert yard.taught() == [90_000]
    on_disk = yard.states()["done"]
    second.go()
    assert second.line() == "started"  # the lease is not waited for
    assert ended(second) == "ended: completed"
    counts = Counter(prompt for _, _, prompt in yard.requests())
    assert len(counts) == 150
    assert sum(pid == second.pid for pid, _, _ in yard.requests()) == 150 - on_disk  # what is stored is not asked again
    assert yard.states() == {"done": 150, "results": 150}


async def hurry(yard: Yard, job: int) -> None:
    """What remains of a job is sent at once."""
    async with open_store(yard.db) as store:
        await Controller(store, None, clock=time.time, alive=is_alive).turn(job, {"concurrency": 256})


def test_of_processes_that_start_one_job_at_once_one_runs_it(yard: Yard) -> None:
    job = yard.job(200, FOUR)
    children = [yard.child(job, latency_s=0.2) for _ in range(3)]  # not over before the last of them has tried
    assert [child.line() for child in children] == ["ready"] * 3
    for child in children:
        child.go()
    said = [child.line() for child in children]
    assert sorted(word.split(":")[0] for word in said) == ["refused", "refused", "started"]
    assert all("run by another process" in word for word in said if word != "started")
    asyncio.run(hurry(yard, job))
    assert "ended: completed" in [ended(child) for child in children]
    assert len(yard.requests()) == 200
    assert len({pid for pid, _, _ in yard.requests()}) == 1


async def test_a_process_number_that_came_again_is_not_the_owner(yard: Yard) -> None:
    mine = this_process()
    host = socket.gethostname()
    assert is_alive(mine)
    assert not is_alive(Owner(host, mine.pid, "1000.00-0123456789abcdef"))
    assert not is_alive(Owner(host, mine.pid, "no time at all"))
    assert not is_alive(Owner(host, 2**22 + 1, mine.token))
    assert is_alive(Owner("another-machine", 1, "1000.00-x"))
    job = await asyncio.to_thread(yard.job, 5, FOUR)
    async with open_store(yard.db) as store:
        ghost = Owner(host, mine.pid, "1000.00-0123456789abcdef")
        now = time.time()
        assert await store.jobs.acquire(job, ghost, now=now, expiry_s=15.0, alive=is_alive)
        assert await store.jobs.acquire(job, mine, now=now, expiry_s=15.0, alive=is_alive)
        assert not await store.jobs.acquire(job, ghost, now=now, expiry_s=15.0, alive=is_alive)


def test_an_owner_lives_on_when_the_clock_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = this_process()
    if sys.platform.startswith("linux"):  # psutil's start of the machine moves with the clock
        moved = psutil.boot_time() + 3_600
        monkeypatch.setattr("psutil._pslinux.boot_time", lambda: moved)
    assert is_alive(mine)


async def test_every_verb_reaches_a_process_at_full_speed(yard: Yard) -> None:
    job = await asyncio.to_thread(yard.job, 25_000, Knobs(concurrency=64))
    child = yard.child(job)
    await asyncio.to_thread(running, yard, child)
    async with open_store(yard.db) as store:
        controller = Controller(store, None, clock=time.time, alive=is_alive)
        for changes in ({"concurrency": 8}, {"rpm": 100_000}, {"tpm": None, "priority": 3}):
            await controller.turn(job, changes)
        knobs = (await store.jobs.get(job)).knobs
        assert knobs == Knobs(concurrency=8, rpm=100_000, priority=3)
        assert await controller.retry(job, Selection()) == 0
        await controller.pause(job)
        await controller.cancel(job)
        assert await asyncio.to_thread(ended, child) in ("ended: paused", "ended: cancelled")
        found = await store.jobs.get(job)
        assert (found.state, found.counters.pending, found.owner) == (JobState.CANCELLED, 0, None)
        assert found.counters.done + found.counters.cancelled == 25_000
        assert found.counters.done < 25_000
